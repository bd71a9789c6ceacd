//! Failing calls, told to people and to machines: the report of `plugpull inject`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::Path;

use faultfs::Model;
use serde_json::{Value, json};

use crate::cli::MessageFormat;
use crate::exit::{Exit, Failure};
use crate::inject::{Campaign, Data, Did, Injected, Kind, Loss, Summary};
use crate::record::Recording;
use crate::record_command::{summary as recorded, summary_json};

/// How many findings are printed; the others are counted.
const MOST: usize = 20;

/// What no run of this kind looks at.
const NOT_LOOKED_AT: &str = "more than one fault in a run, faults that come later (mapped pages, close), power \
    cuts between everything and only the durable kept (plugpull check), a restart after which the program goes \
    on, other interleavings of its threads";

/// What is known before the first fault.
pub struct Told<'a> {
    /// The run without a fault.
    pub recording: &'a Recording,
    /// What is done.
    pub campaign: &'a Campaign<'a>,
    /// The models.
    pub models: &'a [Model],
}

impl Told<'_> {
    /// The kinds that fail, in their order, and how many calls of each a run makes.
    fn kinds(&self) -> Vec<(Kind, u64)> {
        let kinds: BTreeSet<_> = self.campaign.lanes.iter().map(|lane| lane.kind).collect();
        kinds.into_iter().map(|kind| (kind, self.campaign.made(kind))).collect()
    }
}

/// The runs begin.
pub fn start(out: &mut dyn Write, format: MessageFormat, told: &Told<'_>) -> Result<(), Failure> {
    let (recording, campaign) = (told.recording, told.campaign);
    let models: Vec<_> = told.models.iter().map(|model| model.name.as_str()).collect();
    let kinds = told.kinds();
    let (violated, states) = campaign.baseline.violated;
    if format == MessageFormat::JsonLines {
        let mut line = summary_json(recording);
        line["event"] = "start".into();
        line["version"] = 1.into();
        line["plugpull"] = env!("CARGO_PKG_VERSION").into();
        line["models"] = json!(models);
        line["jobs"] = campaign.jobs.into();
        line["checkers"] = json!(campaign.checkers);
        let kinds = kinds.iter().map(|(kind, made)| (kind.to_string(), *made));
        line["calls"] = json!(kinds.collect::<BTreeMap<_, _>>());
        line["run_timeout"] = campaign.program.timeout.as_secs_f64().into();
        line["violated_without_fault"] = violated.into();
        return Ok(writeln!(out, "{line}")?);
    }
    writeln!(out, "plugpull {}: {}", env!("CARGO_PKG_VERSION"), recorded(recording))?;
    for warning in &recording.about.warnings {
        writeln!(out, "  warning: {warning}")?;
    }
    let (some, none): (Vec<_>, Vec<_>) = kinds.into_iter().partition(|(_, made)| *made > 0);
    let some: Vec<_> = some.iter().map(|(kind, made)| format!("{made} {kind}")).collect();
    let none: Vec<_> = none.iter().map(|(kind, _)| kind.to_string()).collect();
    let models = models.join(" ");
    writeln!(out, "  checked by {}; models {models}", campaign.checkers.join(", "))?;
    writeln!(out, "  calls: {}", some.join(", "))?;
    if !none.is_empty() {
        writeln!(out, "  never made: {}", none.join(", "))?;
    }
    if violated > 0 {
        writeln!(
            out,
            "  warning: without any fault the checker fails in {violated} of {states} states after a power \
             cut; what it says there is not counted below (plugpull check tells why)"
        )?;
    }
    out.flush()?;
    Ok(writeln!(out)?)
}

/// One run, for machines.
pub fn injected(injected: &Injected) -> Value {
    let attempt = &injected.attempt;
    let loss = match &injected.data {
        Data::Lost(loss) | Data::AsWithout(loss) => Some(loss),
        Data::Kept | Data::NotLookedAt => None,
    };
    json!({
        "event": "injected",
        "call": attempt.kind.to_string(),
        "error": attempt.error.to_string(),
        "nth": attempt.nth,
        "for_ever": attempt.for_ever,
        "path": injected.path,
        "fired": injected.fired,
        "did": injected.did.word(),
        "how": match &injected.did { Did::Reported(how) => Some(how), _ => None },
        "last_words": injected.last_words,
        "data": data_word(&injected.data),
        "after": loss.map(|loss| if loss.model.is_some() { "power cut" } else { "restart" }),
        "model": loss.and_then(|loss| loss.model.as_ref()),
        "message": loss.map(|loss| &loss.message),
        "token": loss.and_then(|loss| loss.state.as_ref()).map(ToString::to_string),
        "recording": injected.recording,
        "violation": injected.is_violation(),
        "told_by_once": injected.told_by_once,
        "states": injected.states,
        "not_measured": injected.not_measured,
        "seconds": injected.seconds,
    })
}

/// The runs are over.
pub fn end(
    out: &mut dyn Write,
    format: MessageFormat,
    told: &Told<'_>,
    summary: &Summary,
    exit: Exit,
) -> Result<(), Failure> {
    let end = End { told, summary, exit };
    match format {
        MessageFormat::Human => Ok(end.human(out)?),
        MessageFormat::JsonLines => Ok(writeln!(out, "{}", end.json())?),
    }
}

struct End<'e> {
    told: &'e Told<'e>,
    summary: &'e Summary,
    exit: Exit,
}

/// Runs that are told in one line.
struct Row<'e> {
    runs: Vec<&'e Injected>,
}

impl End<'_> {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        self.table(out)?;
        writeln!(out)?;
        let findings =
            rows(self.summary.runs.iter().filter(|run| run.is_violation()), Injected::cause);
        let warnings =
            rows(self.summary.runs.iter().filter(|run| run.is_warning()), Injected::cause);
        for (word, list) in [("FINDING", &findings), ("WARNING", &warnings)] {
            for row in list.iter().take(MOST) {
                finding(out, word, row)?;
            }
            if list.len() > MOST {
                writeln!(out, "  and {} more of these\n", list.len() - MOST)?;
            }
        }
        writeln!(out, "  {}", self.verdict(findings.len(), warnings.len()))?;
        writeln!(out, "  control: the run without a fault passes")?;
        writeln!(out, "  not looked at: {}", self.not_looked_at().join("; "))
    }

    fn table(&self, out: &mut dyn Write) -> io::Result<()> {
        let line = |cells: [&str; 6]| {
            let [call, error, nth, mode, did, data] = cells;
            format!("  {call:<10} {error:<18} {nth:<14} {mode:<15} {did:<26} {data}")
        };
        let head = ["call", "fails with", "which", "once, for ever", "the program", "its data"];
        writeln!(out, "{}", line(head))?;
        for row in rows(self.summary.runs.iter(), table_key) {
            let run = row.runs[0];
            let (call, error) = (run.attempt.kind.to_string(), run.attempt.error.to_string());
            for (nth, mode) in row.ranges() {
                let did = run.did.to_string();
                let told = line([&call, &error, &nth, mode, &did, data_word(&run.data)]);
                writeln!(out, "{}", told.trim_end())?;
            }
        }
        Ok(())
    }

    fn made(&self) -> usize {
        self.summary.runs.iter().filter(|run| !run.told_by_once).count()
    }

    fn verdict(&self, findings: usize, warnings: usize) -> String {
        let states: u64 = self.summary.runs.iter().map(|run| run.states).sum();
        let (made, told) = (self.made(), self.summary.runs.len() - self.made());
        let models: Vec<_> = self.told.models.iter().map(|model| model.name.as_str()).collect();
        let bound = format!(
            "{made} runs with a fault, {told} more that could do nothing else, {states} states judged, models {}",
            models.join(" ")
        );
        let counted = |count: usize, what: &str| {
            format!("{count} {what}{}", if count == 1 { "" } else { "s" })
        };
        let warned = counted(warnings, "warning");
        match self.exit {
            Exit::Violation => format!("{}, {warned}; {bound}", counted(findings, "finding")),
            Exit::Interrupted => format!("ended early, no finding, {warned}; {bound}"),
            Exit::NothingDone => format!("no call could be made to fail; {bound}"),
            Exit::Partial => {
                format!("no finding before the budget ended, {warned}; {bound}")
            }
            _ => format!("no violation, {warned}; {bound}"),
        }
    }

    fn not_looked_at(&self) -> Vec<String> {
        let mut list = self.told.recording.about.unseen.clone();
        if self.summary.not_run > 0 {
            list.push(format!(
                "{} runs or more, for which there was no time",
                self.summary.not_run
            ));
        }
        if self.summary.left_out > 0 {
            let runs = self.summary.left_out;
            list.push(format!("{runs} runs with faults upon which the program had hung before"));
        }
        let unfired = self.summary.runs.iter().filter(|run| run.did == Did::DidNotFire).count();
        if unfired > 0 {
            list.push(format!(
                "{unfired} faults that did not fire: other calls were made, or one byte cannot be half written"
            ));
        }
        list.push(NOT_LOOKED_AT.to_owned());
        list
    }

    fn json(&self) -> Value {
        let count =
            |is: &dyn Fn(&Injected) -> bool| self.summary.runs.iter().filter(|run| is(run)).count();
        let mut did: BTreeMap<&str, u64> = BTreeMap::new();
        for run in &self.summary.runs {
            *did.entry(run.did.word()).or_default() += 1;
        }
        json!({
            "event": "end",
            "exit": self.exit as u8,
            "runs": self.made(),
            "told_by_once": self.summary.runs.len() - self.made(),
            "did": did,
            "violations": count(&Injected::is_violation),
            "warnings": count(&Injected::is_warning),
            "not_run": self.summary.not_run,
            "left_out": self.summary.left_out,
            "not_looked_at": self.not_looked_at(),
        })
    }
}

/// Runs by what they have in common, in the order of the first ones.
fn rows<'e, K: Ord>(
    runs: impl Iterator<Item = &'e Injected>,
    key: impl Fn(&'e Injected) -> K,
) -> Vec<Row<'e>> {
    let mut rows: BTreeMap<K, Row<'e>> = BTreeMap::new();
    for run in runs {
        rows.entry(key(run)).or_insert_with(|| Row { runs: Vec::new() }).runs.push(run);
    }
    rows.into_values().collect()
}

fn table_key(run: &Injected) -> impl Ord + use<> {
    (run.attempt.kind, run.attempt.error, run.did.clone(), data_word(&run.data))
}

impl Row<'_> {
    /// Which calls, and in which modes: those of both modes apart.
    fn ranges(&self) -> Vec<(String, &'static str)> {
        let of = |for_ever: bool| {
            let runs = self.runs.iter().filter(|run| run.attempt.for_ever == for_ever);
            runs.map(|run| run.attempt.nth).collect::<BTreeSet<_>>()
        };
        let (once, ever) = (of(false), of(true));
        let both = once.intersection(&ever).copied().collect();
        let only = |one: &BTreeSet<u64>, other| one.difference(other).copied().collect();
        let parts = [
            (both, "once, for ever"),
            (only(&once, &ever), "once"),
            (only(&ever, &once), "for ever"),
        ];
        let parts = parts.into_iter().filter(|(all, _): &(Vec<u64>, _)| !all.is_empty());
        parts.map(|(all, mode)| (ranges(&all), mode)).collect()
    }
}

/// `1-3, 7`.
fn ranges(all: &[u64]) -> String {
    let runs = all.chunk_by(|one, next| one + 1 == *next);
    let range = |run: &[u64]| match run {
        [first, .., last] => format!("{first}-{last}"),
        [one] => one.to_string(),
        [] => String::new(),
    };
    runs.map(range).collect::<Vec<_>>().join(", ")
}

fn data_word(data: &Data) -> &'static str {
    match data {
        Data::Kept => "kept",
        Data::Lost(Loss { model: Some(_), .. }) => "LOST after a power cut",
        Data::Lost(_) => "LOST after a restart",
        Data::AsWithout(_) => "as without a fault",
        Data::NotLookedAt => "-",
    }
}

fn finding(out: &mut dyn Write, word: &str, row: &Row<'_>) -> io::Result<()> {
    // Of the runs in one finding, one whose recording was kept.
    let kept = |run: &&&Injected| run.recording.is_some();
    let run = row.runs.iter().find(kept).unwrap_or(&row.runs[0]);
    let what = match &run.data {
        Data::Lost(loss) => loss.message.clone(),
        _ if run.did == Did::Hung => "the program does not end".to_owned(),
        _ => "a failed sync is ignored; no loss was seen".to_owned(),
    };
    writeln!(out, "{word}: {what}")?;
    let more = match row.runs.len() - 1 {
        0 => String::new(),
        1 => ", and in 1 more run".to_owned(),
        others => format!(", and in {others} more runs"),
    };
    writeln!(out, "  when {}, of {}{more}", run.attempt.words(), run.path)?;
    writeln!(out, "  {}", behaviour(&run.did))?;
    if !run.last_words.is_empty() {
        writeln!(out, "  its last words: {}", run.last_words)?;
    }
    if let Data::Lost(loss) = &run.data {
        match (&loss.model, &loss.state) {
            (Some(model), Some(state)) => {
                let point = state.point();
                writeln!(out, "  after a power cut under {model}, after event {point}")?;
            }
            _ => writeln!(out, "  already when it is started again")?,
        }
    }
    let recording = run.recording.as_deref();
    let state = match &run.data {
        Data::Lost(loss) => loss.state.as_ref(),
        _ => None,
    };
    match (state, recording) {
        (Some(state), _) => {
            let recording = recording.map_or_else(String::new, named);
            writeln!(out, "  again: plugpull replay {state}{recording}")?;
        }
        (None, Some(path)) => writeln!(out, "  more of it: plugpull explore {}", path.display())?,
        (None, None) => {}
    }
    writeln!(out)
}

fn behaviour(did: &Did) -> String {
    match did {
        Did::Reported(how) => format!("the program reported it: {how}"),
        Did::Retried => "the program made the call again, and exited with 0".to_owned(),
        Did::Ignored => "the program went on, and exited with 0".to_owned(),
        Did::NotTold => {
            "the program was not told: on ext4 with journaled data a sync fails late".to_owned()
        }
        Did::Hung => "the program did not end, and was killed".to_owned(),
        Did::DidNotFire => "the fault did not fire".to_owned(),
    }
}

fn named(recording: &Path) -> String {
    format!(" --recording {}", recording.display())
}

#[cfg(test)]
mod tests {
    use super::ranges;

    #[test]
    fn numbers_in_a_row_are_a_range() {
        assert_eq!(ranges(&[1, 2, 3, 7, 9, 10]), "1-3, 7, 9-10");
        assert_eq!(ranges(&[4]), "4");
    }
}
