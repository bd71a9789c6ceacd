//! A program's power cuts, told to people and to machines: the report of `plugpull check`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use indicatif::HumanCount;
use serde_json::{Value, json};

use super::power_cut::tiers_json;
use crate::cli::MessageFormat;
use crate::examine::{Examined, Plan, Teeth};
use crate::exit::{Exit, Failure};
use crate::findings::story::Story;
use crate::findings::tale::{Line, tale, telling};
use crate::findings::{Finding, Remedy, Trial};
use crate::record::Recording;
use crate::record_command::{summary, summary_json};
use crate::search::Searched;

/// How many findings are printed; the others are counted.
const MOST: usize = 10;

/// How many events of a finding are printed.
const MOST_LINES: usize = 14;

/// What no run of this kind looks at; said by every report beside what the recorder could not see.
const NOT_LOOKED_AT: &str = "calls that fail, a second power cut during recovery, other interleavings of \
    the program's threads, and what the models leave out (docs/limits.md)";

/// What is known before the search.
pub struct Told<'a> {
    /// The run.
    pub recording: &'a Recording,
    /// How it is looked at.
    pub plan: &'a Plan,
    /// Checks at the same time.
    pub jobs: usize,
}

/// The search begins.
pub fn start(out: &mut dyn Write, format: MessageFormat, told: &Told<'_>) -> Result<(), Failure> {
    let Told { recording, plan, jobs } = told;
    let models: Vec<_> = plan.models.iter().map(|model| model.name.as_str()).collect();
    if format == MessageFormat::JsonLines {
        let mut line = summary_json(recording);
        line["event"] = "start".into();
        line["version"] = 1.into();
        line["plugpull"] = env!("CARGO_PKG_VERSION").into();
        line["models"] = json!(models);
        line["fail_on"] = json!(plan.fail_on);
        line["tier"] = plan.bounds.tier.to_string().into();
        line["window"] = plan.bounds.window.into();
        line["seed"] = plan.bounds.seed.into();
        line["jobs"] = (*jobs).into();
        line["checkers"] = json!(recording.about.checkers);
        return Ok(writeln!(out, "{line}")?);
    }
    writeln!(out, "plugpull {}: {}", env!("CARGO_PKG_VERSION"), summary(recording))?;
    for warning in &recording.about.warnings {
        writeln!(out, "  warning: {warning}")?;
    }
    writeln!(
        out,
        "  checked by {}; models {}, up to tier {}, seed {}, {jobs} at a time",
        recording.about.checkers.join(", "),
        models.join(" "),
        plan.bounds.tier,
        plan.bounds.seed,
    )?;
    out.flush()?;
    Ok(writeln!(out)?)
}

/// The search is over.
pub fn end(
    out: &mut dyn Write,
    format: MessageFormat,
    told: &Told<'_>,
    examined: &Examined,
    recording: Option<&Path>,
    kept: &[PathBuf],
) -> Result<(), Failure> {
    let story = Story::of(&told.recording.trace);
    let end = End { told, examined, story, recording, kept };
    match format {
        MessageFormat::Human => Ok(end.human(out)?),
        MessageFormat::JsonLines => Ok(end.json_lines(out)?),
    }
}

struct End<'e> {
    told: &'e Told<'e>,
    examined: &'e Examined,
    story: Story,
    recording: Option<&'e Path>,
    kept: &'e [PathBuf],
}

impl End<'_> {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        self.table(out)?;
        writeln!(out)?;
        let list = &self.examined.findings.list;
        for (n, finding) in list.iter().take(MOST).enumerate() {
            self.finding(out, finding, self.kept.get(n))?;
        }
        if list.len() > MOST {
            writeln!(out, "  and {} more findings\n", list.len() - MOST)?;
        }
        if self.examined.findings.unexplained > 0 {
            let states = HumanCount(self.examined.findings.unexplained);
            writeln!(out, "  and {states} states with violations that were not looked into\n")?;
        }
        writeln!(out, "  {}", self.verdict())?;
        writeln!(out, "  {}", self.teeth())?;
        writeln!(out, "  not looked at: {}", self.not_looked_at().join("; "))
    }

    fn table(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(
            out,
            "  power cuts under     crash points   sets made      states   violated   not judged"
        )?;
        for searched in &self.examined.searched {
            writeln!(
                out,
                "  {:<20} {:>12} {:>11} {:>11} {:>10} {:>12}{}",
                searched.model.name,
                HumanCount(u64::from(searched.coverage.points)).to_string(),
                HumanCount(searched.coverage.enumerated()).to_string(),
                HumanCount(searched.judged()).to_string(),
                HumanCount(searched.violated.len() as u64).to_string(),
                HumanCount(searched.not_measured).to_string(),
                self.bound_of(searched),
            )?;
        }
        Ok(())
    }

    /// What is missing of the bound under a model.
    fn bound_of(&self, searched: &Searched) -> String {
        let tier = self.told.plan.bounds.tier;
        let complete = searched.coverage.tiers.iter().take_while(|count| count.complete).last();
        let skipped = searched.coverage.skipped.len();
        let reached = complete.map_or("no tier".to_owned(), |count| count.tier.to_string());
        match (searched.is_complete(tier), skipped) {
            (true, 0) => String::new(),
            (true, skipped) => format!("  ({skipped} crash points with too many sets)"),
            (false, _) => format!("  (the budget ended: {reached} of {tier} complete)"),
        }
    }

    fn finding(
        &self,
        out: &mut dyn Write,
        finding: &Finding,
        kept: Option<&PathBuf>,
    ) -> io::Result<()> {
        let word = if finding.gate { "FINDING" } else { "WARNING" };
        writeln!(out, "{word} {}: {}", finding.id, finding.violation.message)?;
        let models: Vec<_> =
            finding.models.iter().map(|(name, states)| format!("{name} ({states})")).collect();
        writeln!(out, "  in states of {}", models.join(", "))?;
        for also in &finding.also {
            writeln!(out, "  also told as: {also}")?;
        }
        let (point, events) = (finding.state.point(), self.story.steps.len());
        writeln!(
            out,
            "  under {}, power cut after event {point} of {events}:",
            finding.state.model()
        )?;
        self.lines(out, finding)?;
        writeln!(out, "  {}", remedy(&finding.remedy))?;
        if !finding.steady {
            writeln!(
                out,
                "  warning: asked again, the checker says something else: it looks at more than the state"
            )?;
        }
        if let Some(dir) = kept {
            writeln!(out, "  the state is in {}", dir.display())?;
        }
        writeln!(out, "  again: {}\n", self.replay(finding))
    }

    fn lines(&self, out: &mut dyn Write, finding: &Finding) -> io::Result<()> {
        let lines = self.tale(finding);
        let mut next = None;
        for line in telling(&lines, MOST_LINES) {
            if next.is_some_and(|next| next != line.event) {
                writeln!(out, "            ...")?;
            }
            next = Some(line.event + 1);
            write_line(out, line)?;
        }
        writeln!(out, "            --- power cut ---")
    }

    fn tale(&self, finding: &Finding) -> Vec<Line> {
        let orders = &self.examined.orders;
        let order = orders.iter().find(|order| order.model().name == finding.state.model());
        let lines = order.map(|order| tale(&self.story, order, &finding.state));
        lines.and_then(Result::ok).unwrap_or_default()
    }

    /// The line that makes the state again.
    fn replay(&self, finding: &Finding) -> String {
        let recording = self.recording.map(|path| format!(" --recording {}", path.display()));
        format!("plugpull replay {}{}", finding.state, recording.unwrap_or_default())
    }

    fn verdict(&self) -> String {
        let examined = self.examined;
        let states = HumanCount(examined.judged);
        let models: Vec<_> =
            examined.searched.iter().map(|searched| searched.model.name.as_str()).collect();
        let bound = format!(
            "{states} distinct states judged, models {}, up to tier {}, windows of up to {} sets, seed {}",
            models.join(" "),
            self.told.plan.bounds.tier,
            self.told.plan.bounds.window,
            self.told.plan.bounds.seed
        );
        let list = &examined.findings.list;
        let gate = list.iter().filter(|finding| finding.gate).count();
        let warnings = list.len() - gate;
        match examined.exit {
            Exit::Violation => {
                format!("{}, {}; {bound}", counted(gate, "finding"), counted(warnings, "warning"))
            }
            Exit::Interrupted => format!("ended early; {bound}"),
            Exit::NothingDone => "no state was judged".to_owned(),
            Exit::Partial => {
                let warnings = counted(warnings, "warning");
                format!("no finding before the budget ended, {warnings}; {bound}")
            }

            _ if warnings > 0 => {
                format!("no finding, {}; {bound}", counted(warnings, "warning"))
            }
            _ => format!("no violation; {bound}"),
        }
    }

    fn teeth(&self) -> String {
        match self.examined.teeth {
            Teeth::Shown => {
                "control: the finished run passes, and the checker was seen to fail".to_owned()
            }
            Teeth::OnControl(states) => format!(
                "control: the finished run passes, and with no barrier at all the checker fails in \
                 {states} states"
            ),
            Teeth::None(states) => format!(
                "warning: the checker fails nowhere, not in {states} states of a disk that keeps \
                 nothing: it shows no teeth"
            ),
            Teeth::NotTried => {
                "control: the finished run passes; the checker was not seen to fail, \
                 as the search ended before"
                    .to_owned()
            }
        }
    }

    fn not_looked_at(&self) -> Vec<String> {
        let mut list = self.told.recording.about.unseen.clone();
        let skipped: usize = self.examined.searched.iter().map(|s| s.coverage.skipped.len()).sum();
        if skipped > 0 {
            list.push(format!("all sets of {skipped} crash points that have too many"));
        }
        list.push(NOT_LOOKED_AT.to_owned());
        list
    }

    fn json_lines(&self, out: &mut dyn Write) -> io::Result<()> {
        for searched in &self.examined.searched {
            writeln!(out, "{}", searched_json(searched))?;
        }
        for (n, finding) in self.examined.findings.list.iter().enumerate() {
            let lines = self.tale(finding);
            let line = |line: &Line| json!({ "event": line.event, "what": line.text, "fate": line.fate.word() });
            let told = json!({
                "event": "finding",
                "id": finding.id,
                "gate": finding.gate,
                "message": finding.violation.message,
                "output": String::from_utf8_lossy(&finding.violation.output),
                "also": finding.also,
                "models": finding.models,
                "model": finding.state.model(),
                "point": finding.state.point(),
                "events": self.story.steps.len(),
                "tale": telling(&lines, MOST_LINES).into_iter().map(line).collect::<Vec<_>>(),
                "remedy": remedy_json(&finding.remedy),
                "steady": finding.steady,
                "token": finding.state.to_string(),
                "replay": self.replay(finding),
                "kept": self.kept.get(n),
            });
            writeln!(out, "{told}")?;
        }
        let end = json!({
            "event": "end",
            "exit": self.examined.exit as u8,
            "findings": self.examined.findings.list.len(),
            "unexplained": self.examined.findings.unexplained,
            "judged": self.examined.judged,
            "control": self.teeth(),
            "recording": self.recording,
            "not_looked_at": self.not_looked_at(),
        });
        writeln!(out, "{end}")
    }
}

/// One event of a tale.
pub fn write_line(out: &mut dyn Write, line: &Line) -> io::Result<()> {
    let text = format!("{:>8}  {:<50} {}", line.event, line.text, line.fate.word());
    writeln!(out, "  {}", text.trim_end())
}

/// `1 finding`, `2 findings`.
fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

fn remedy(remedy: &Remedy) -> String {
    let outcome = |trial: &Trial| {
        let places = counted(trial.places, "place");
        let (after, states, before) = (trial.after, trial.states, trial.before);
        format!("tried in {places}: {after} of {states} states violated, {before} without it")
    };
    match remedy {
        Remedy::Barriers(trial) => format!("missing: {} ({})", trial.text, outcome(trial)),
        Remedy::None { tried: 0, .. } => "missing: no barrier that could be tried".to_owned(),
        Remedy::None { tried, best: None } => {
            format!(
                "no single barrier prevents it ({tried} tried): the order of the steps is wrong"
            )
        }
        Remedy::None { tried, best: Some(best) } => format!(
            "no barrier prevents it alone ({tried} tried); the best is {} ({})",
            best.text,
            outcome(best)
        ),
        Remedy::NotTried => "the budget ended before barriers were tried".to_owned(),
    }
}

fn remedy_json(remedy: &Remedy) -> Value {
    let trial = |trial: &Trial| {
        json!({
            "barrier": trial.text,
            "places": trial.places,
            "violated_before": trial.before,
            "violated_after": trial.after,
            "states": trial.states,
        })
    };
    match remedy {
        Remedy::Barriers(found) => json!({ "found": trial(found) }),
        Remedy::None { tried, best } => json!({ "tried": tried, "best": best.as_ref().map(trial) }),
        Remedy::NotTried => Value::Null,
    }
}

fn searched_json(searched: &Searched) -> Value {
    let coverage = &searched.coverage;
    let skipped = coverage.skipped.iter();
    let skipped = skipped.map(|s| json!({ "point": s.point, "pending": s.pending }));
    json!({
        "event": "searched",
        "model": searched.model.name,
        "crash_points": coverage.points,
        "tiers": tiers_json(coverage),
        "too_large": skipped.collect::<Vec<_>>(),
        "survived": searched.survived,
        "violated": searched.violated.len(),
        "not_measured": searched.not_measured,
    })
}
