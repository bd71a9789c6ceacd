//! What is told of several programs: a heading for each, a table of all, and what changed against the
//! baseline. Not for one program's findings (`human`, `json`).

use std::io::{self, Write};

use indicatif::HumanCount;
use serde_json::json;

use crate::baseline::Saved;
use crate::cli::MessageFormat;
use crate::exit::Exit;
use crate::outcome::{Comparison, Outcome, counted};

/// One of several checks begins.
pub fn heading(
    out: &mut dyn Write,
    format: MessageFormat,
    name: &str,
    number: usize,
    of: usize,
) -> io::Result<()> {
    if format == MessageFormat::JsonLines {
        return Ok(());
    }
    let before = if number > 1 { "\n" } else { "" };
    writeln!(out, "{before}=== {name} ({number} of {of}) ===")?;
    out.flush()
}

/// All checks are over; a single one has said it all.
pub fn summary(out: &mut dyn Write, format: MessageFormat, outcomes: &[Outcome]) -> io::Result<()> {
    if format == MessageFormat::JsonLines || outcomes.len() < 2 {
        return Ok(());
    }
    let names = outcomes.iter().map(|outcome| outcome.subject.len());
    let width = names.max().unwrap_or_default().max("subject".len());
    writeln!(out, "\n{:width$}      states  findings  known  warnings  ended", "subject")?;
    for outcome in outcomes {
        let (gate, known) = (outcome.gate(), outcome.known());
        writeln!(
            out,
            "{:width$} {:>11} {gate:>9} {known:>6} {:>9}  {}",
            outcome.subject,
            HumanCount(outcome.judged).to_string(),
            outcome.findings.len() - gate - known,
            ended(outcome)
        )?;
    }
    Ok(())
}

/// How a check ended, in a few words.
fn ended(outcome: &Outcome) -> String {
    let words = match outcome.exit {
        Exit::Clean => "everything looked at",
        Exit::Violation => "with a violation",
        Exit::WorseThanBaseline => "worse than the baseline",
        Exit::Partial => "by the budget",
        Exit::NothingDone => "nothing was tested",
        Exit::Interrupted => "interrupted",
        Exit::ProgramFailed => "the program failed",
        Exit::HarnessBroken => "the checker cannot be trusted",
        Exit::Environment => "the machine does not allow it",
        Exit::Usage => "it cannot be done as asked",
        Exit::Unexpected => "an unexpected error",
    };
    format!("{words} ({})", u8::from(outcome.exit))
}

/// What changed against the baseline, and what became of its file.
pub fn baseline(
    out: &mut dyn Write,
    format: MessageFormat,
    comparison: &Comparison,
    saved: Option<&Saved>,
) -> io::Result<()> {
    let Comparison { file, worse, better } = comparison;
    if format == MessageFormat::JsonLines {
        let line = json!({
            "event": "baseline",
            "file": file,
            "worse": worse,
            "better": better,
            "saved": saved.map(|saved| saved.changed),
        });
        return writeln!(out, "{line}");
    }
    let shown = file.display();
    if let Some(saved) = saved {
        writeln!(out, "\n{}", saved.told())?;
        let changed = worse.iter().map(|text| ("new", text));
        let changed = changed.chain(better.iter().map(|text| ("gone", text)));
        return changed
            .into_iter()
            .try_for_each(|(word, text)| writeln!(out, "  {word:<7} {text}"));
    }
    match worse.len() {
        0 => writeln!(out, "\nagainst {shown}: nothing is worse")?,
        many => writeln!(out, "\nagainst {shown}: worse in {}", counted(many, "point"))?,
    }
    for text in worse {
        writeln!(out, "  WORSE   {text}")?;
    }
    for text in better {
        writeln!(out, "  better  {text}; remove it with --save-baseline")?;
    }
    if worse.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "  mend it, or, if it is to stay, write it down with --save-baseline and commit the file"
    )
}
