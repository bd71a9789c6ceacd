//! For people, on standard output.

use std::io::{self, Write};

use indicatif::HumanCount;

use crate::exit::Exit;
use crate::outcome::{FindingTold, Outcome, SearchedTold, TaleLine, counted};

/// How many findings are printed; the others are counted.
const MOST: usize = 10;

/// The search begins.
pub fn start(out: &mut dyn Write, outcome: &Outcome) -> io::Result<()> {
    writeln!(
        out,
        "plugpull {}: recorded {} operations and {} marks of `{}` in {} ({:.2} s)",
        env!("CARGO_PKG_VERSION"),
        outcome.operations,
        outcome.marks,
        outcome.command.join(" "),
        outcome.dir.display(),
        outcome.seconds
    )?;
    for warning in &outcome.warnings {
        writeln!(out, "  warning: {warning}")?;
    }
    let bound = &outcome.bound;
    writeln!(
        out,
        "  checked by {}; models {}, up to tier {}, seed {}, {} at a time\n",
        outcome.checkers.join(", "),
        bound.models.join(" "),
        bound.tier,
        bound.seed,
        bound.jobs
    )?;
    out.flush()
}

/// The search is over.
pub fn end(out: &mut dyn Write, outcome: &Outcome) -> io::Result<()> {
    if outcome.error.is_some() || outcome.searched.is_empty() {
        // An error goes to standard error.
        return Ok(());
    }
    table(out, outcome)?;
    let hindered = |s: &SearchedTold| Some(format!("{}: {}", s.model, s.hindered.as_ref()?));
    if let Some(told) = outcome.searched.iter().find_map(hindered) {
        writeln!(out, "  warning: not all states were judged, under {told}")?;
    }
    writeln!(out)?;
    let list = &outcome.findings;
    for told in list.iter().take(MOST) {
        finding(out, told)?;
    }
    if list.len() > MOST {
        writeln!(out, "  and {} more findings\n", list.len() - MOST)?;
    }
    if outcome.unexplained > 0 {
        let states = HumanCount(outcome.unexplained);
        writeln!(out, "  and {states} states with violations that were not looked into")?;
        match &outcome.recording {
            Some(path) => writeln!(out, "  look again: plugpull explore {}\n", path.display())?,
            None => writeln!(out)?,
        }
    }
    writeln!(out, "  {}", verdict(outcome))?;
    if let Some(recrash) = &outcome.recrash {
        writeln!(out, "  {}", recrash.sentence())?;
        for warning in recrash.warnings() {
            writeln!(out, "  warning: {warning}")?;
        }
    }
    writeln!(out, "  {}", outcome.control)?;
    writeln!(out, "  not looked at: {}", outcome.not_looked_at.join("; "))
}

fn table(out: &mut dyn Write, outcome: &Outcome) -> io::Result<()> {
    writeln!(
        out,
        "  power cuts under     crash points   sets made      states   violated   not judged"
    )?;
    for searched in &outcome.searched {
        writeln!(
            out,
            "  {:<20} {:>12} {:>11} {:>11} {:>10} {:>12}{}",
            searched.model,
            HumanCount(u64::from(searched.crash_points)).to_string(),
            HumanCount(searched.sets()).to_string(),
            HumanCount(searched.judged()).to_string(),
            HumanCount(searched.violated).to_string(),
            HumanCount(searched.not_measured).to_string(),
            bound_of(searched, &outcome.bound.tier),
        )?;
    }
    Ok(())
}

/// What is missing of the bound under a model.
fn bound_of(searched: &SearchedTold, tier: &str) -> String {
    match (searched.complete, searched.too_large.len()) {
        (true, 0) if searched.elsewhere > 0 => {
            format!("  ({} states left to other shards)", HumanCount(searched.elsewhere))
        }
        (true, 0) => String::new(),
        (true, skipped) => format!("  ({skipped} crash points with too many sets)"),
        (false, _) if searched.hindered.is_some() => "  (not all were judged)".to_owned(),
        (false, _) => {
            let reached = searched.reached().unwrap_or("no tier");
            format!("  (the budget ended: {reached} of {tier} complete)")
        }
    }
}

fn finding(out: &mut dyn Write, finding: &FindingTold) -> io::Result<()> {
    let word = match (finding.gate, finding.known) {
        (true, _) => "FINDING",
        (false, true) => "KNOWN",
        (false, false) => "WARNING",
    };
    writeln!(out, "{word} {}: {}", finding.id, finding.message)?;
    let models: Vec<_> =
        finding.models.iter().map(|(name, states)| format!("{name} ({states})")).collect();
    writeln!(out, "  in states of {}", models.join(", "))?;
    for also in &finding.also {
        writeln!(out, "  also told as: {also}")?;
    }
    writeln!(
        out,
        "  under {}, power cut after event {} of {}:",
        finding.model, finding.point, finding.events
    )?;
    write_tale(out, finding.lines())?;
    writeln!(out, "            --- power cut ---")?;
    if let Some(second) = &finding.recrash {
        let (point, events) = (second.point, second.events);
        writeln!(
            out,
            "  in the recovery from it, second power cut after its operation {point} of {events}:"
        )?;
        write_tale(out, second.lines())?;
        writeln!(out, "            --- second power cut ---")?;
    }
    writeln!(out, "  {}", finding.missing())?;
    if !finding.steady {
        writeln!(
            out,
            "  warning: asked again, the checker says something else: it looks at more than the state"
        )?;
    }
    if let Some(dir) = &finding.kept {
        writeln!(out, "  the state is in {}", dir.display())?;
    }
    writeln!(out, "  again: {}\n", finding.replay)
}

fn write_tale<'t>(
    out: &mut dyn Write,
    lines: impl Iterator<Item = (bool, &'t TaleLine)>,
) -> io::Result<()> {
    for (gap, line) in lines {
        if gap {
            writeln!(out, "            ...")?;
        }
        write_line(out, line)?;
    }
    Ok(())
}

/// One event of a tale.
pub fn write_line(out: &mut dyn Write, line: &TaleLine) -> io::Result<()> {
    let text = format!("{:>8}  {:<50} {}", line.event, line.what, line.fate);
    writeln!(out, "  {}", text.trim_end())
}

/// What came of it, and how far it was looked, in a line.
pub fn verdict(outcome: &Outcome) -> String {
    let bound = &outcome.bound;
    let told = format!(
        "{} distinct states judged, models {}, up to tier {}, windows of up to {} sets, seed {}",
        HumanCount(outcome.judged),
        bound.models.join(" "),
        bound.tier,
        bound.window,
        bound.seed
    );
    let gate = outcome.gate();
    let known = outcome.known();
    let warnings = outcome.findings.len() - gate - known;
    match outcome.exit {
        Exit::Violation => {
            format!("{}, {}; {told}", counted(gate, "finding"), counted(warnings, "warning"))
        }
        Exit::WorseThanBaseline => format!(
            "{} that the baseline does not know, {known} known, {}; {told}",
            counted(gate, "finding"),
            counted(warnings, "warning")
        ),
        Exit::Interrupted => format!("ended early; {told}"),
        Exit::NothingDone => "no state was judged".to_owned(),
        Exit::Partial => {
            let warnings = counted(warnings, "warning");
            format!("no finding before the budget ended, {warnings}; {told}")
        }
        _ if known > 0 => {
            format!("no new finding, {known} known, {}; {told}", counted(warnings, "warning"))
        }
        _ if warnings > 0 => format!("no finding, {}; {told}", counted(warnings, "warning")),
        _ => format!("no violation; {told}"),
    }
}
