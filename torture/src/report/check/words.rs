//! What the forms of a report have in common: how much a finding counts, what is missing of a bound, the
//! file that a finding is shown at, and texts without characters that play tricks.
//!
//! Not for any one form.

use std::fmt::Write as _;
use std::path::Path;

use crate::exit::Exit;
use crate::outcome::{FindingTold, Outcome, SearchedTold, TaleLine, counted};

use super::Report;

/// How much a finding counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// It fails the run.
    Gate,
    /// It does not, because its models are not among those to fail on.
    Warning,
    /// It does not, because the committed baseline names it.
    Known,
}

impl Level {
    pub(super) fn of(finding: &FindingTold) -> Self {
        match (finding.known, finding.gate) {
            (true, _) => Self::Known,
            (false, true) => Self::Gate,
            (false, false) => Self::Warning,
        }
    }

    /// `FINDING`, `WARNING`, `KNOWN`.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Gate => "FINDING",
            Self::Warning => "WARNING",
            Self::Known => "KNOWN",
        }
    }
}

/// How many findings there are of each level.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Count {
    pub(super) gate: usize,
    pub(super) warnings: usize,
    pub(super) known: usize,
}

impl Count {
    pub(super) fn of<'f>(findings: impl IntoIterator<Item = &'f FindingTold>) -> Self {
        let mut count = Self::default();
        for finding in findings {
            *match Level::of(finding) {
                Level::Gate => &mut count.gate,
                Level::Warning => &mut count.warnings,
                Level::Known => &mut count.known,
            } += 1;
        }
        count
    }

    /// `2 findings, 1 warning, 3 known`; nothing where there is none.
    pub(super) fn told(self) -> String {
        let mut parts = Vec::new();
        if self.gate > 0 {
            parts.push(counted(self.gate, "finding"));
        }
        if self.warnings > 0 {
            parts.push(counted(self.warnings, "warning"));
        }
        if self.known > 0 {
            parts.push(format!("{} known", self.known));
        }
        parts.join(", ")
    }
}

/// What came of everything, in a few words.
pub(super) fn headline(report: &Report) -> String {
    let count = Count::of(report.outcomes.iter().flat_map(|outcome| &outcome.findings));
    headed(report.exit, count)
}

/// What came of one program.
pub(super) fn headline_of(outcome: &Outcome) -> String {
    headed(outcome.exit, Count::of(&outcome.findings))
}

fn headed(exit: Exit, count: Count) -> String {
    let told = count.told();
    let with = |text: &str| match told.as_str() {
        "" => text.to_owned(),
        told => format!("{text}, {told}"),
    };
    match exit {
        Exit::Violation if told.is_empty() => "States with violations".to_owned(),
        Exit::Violation => told,
        Exit::Clean if told.is_empty() => "No violation was found".to_owned(),
        Exit::Clean if count.known > 0 => with("No new finding"),
        Exit::Clean => with("No finding"),
        Exit::WorseThanBaseline => with("Worse than the baseline"),
        Exit::Partial => with("Nothing found before the budget ended"),
        Exit::Interrupted => with("Ended early"),
        Exit::NothingDone => "Nothing was tested".to_owned(),
        Exit::ProgramFailed => with("The program failed by itself"),
        Exit::HarnessBroken => with("The checker's verdicts tell nothing"),
        Exit::Environment => with("The machine does not allow it"),
        Exit::Usage => with("Not carried out as asked for"),
        Exit::Unexpected => with("An unexpected error"),
    }
}

/// What is missing of the bound under a model; nothing when all that was asked for was looked at.
pub(super) fn lacking(outcome: &Outcome, searched: &SearchedTold) -> Option<String> {
    match (searched.complete, searched.too_large.len()) {
        (true, 0) => None,
        (true, skipped) => Some(format!("{} with too many sets", counted(skipped, "crash point"))),
        (false, _) => {
            let reached = searched.reached().unwrap_or("no tier");
            let why = match outcome.exit {
                Exit::Interrupted => "ended early",
                _ => "the budget ended",
            };
            Some(format!("{why}: {reached} of {} complete", outcome.bound.tier))
        }
    }
}

/// The models that have states of a finding: `ext4 (1), posix (2)`.
pub(super) fn models(finding: &FindingTold) -> String {
    let models = finding.models.iter().map(|(name, states)| format!("{name} ({states})"));
    models.collect::<Vec<_>>().join(", ")
}

/// A finding, told in lines: tale, missing barrier, the line that makes it again.
pub(super) fn body(finding: &FindingTold) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{} {}: {}", Level::of(finding).word(), finding.id, finding.message);
    let _ = writeln!(text, "in states of {}", models(finding));
    for also in &finding.also {
        let _ = writeln!(text, "also told as: {also}");
    }
    let (model, point, events) = (&finding.model, finding.point, finding.events);
    let _ = writeln!(text, "under {model}, power cut after event {point} of {events}:");
    write_tale(&mut text, finding.lines());
    let _ = writeln!(text, "        --- power cut ---");
    if let Some(second) = &finding.recrash {
        let (point, events) = (second.point, second.events);
        let _ = writeln!(
            text,
            "in the recovery from it, second power cut after its operation {point} of {events}:"
        );
        write_tale(&mut text, second.lines());
        let _ = writeln!(text, "        --- second power cut ---");
    }
    let _ = writeln!(text, "{}", finding.missing());
    if !finding.steady {
        let _ = writeln!(text, "{UNSTEADY}");
    }
    if let Some(dir) = &finding.kept {
        let _ = writeln!(text, "the state is in {}", dir.display());
    }
    let _ = writeln!(text, "again: {}", finding.replay);
    text
}

fn write_tale<'t>(text: &mut String, lines: impl Iterator<Item = (bool, &'t TaleLine)>) {
    for (gap, line) in lines {
        if gap {
            let _ = writeln!(text, "        ...");
        }
        let told = format!("{:>6}  {:<50} {}", line.event, line.what, line.fate);
        let _ = writeln!(text, "{}", told.trim_end());
    }
}

/// Said of a finding whose checker does not say the same twice.
pub(super) const UNSTEADY: &str =
    "asked again, the checker says something else: it looks at more than the state";

/// Programs that run another one, which is the file to look at.
const INTERPRETERS: [&str; 13] = [
    "sh", "bash", "dash", "zsh", "ksh", "python", "python3", "perl", "ruby", "node", "php", "lua",
    "env",
];

/// The configuration file, at which a finding is shown when the program is no file of the project.
const CONFIGURATION: &str = "plugpull.toml";

/// The file that a finding is shown at, from the directory in which plugpull was started: the
/// program or script if it is below that, else the configuration.
pub(super) fn place(outcome: &Outcome) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let mut words = outcome.command.iter().map(String::as_str);
    let mut word = words.next().unwrap_or_default();
    while INTERPRETERS.contains(&word.rsplit('/').next().unwrap_or_default()) {
        word = words.next().unwrap_or_default();
    }
    let path = Path::new(word);
    let below = path.strip_prefix(&here).unwrap_or(path);
    let below = below.strip_prefix(".").unwrap_or(below);
    let is_file = word.contains('/') || below.extension().is_some();
    let is_plain = below.components().all(|c| matches!(c, std::path::Component::Normal(_)));
    let is_path = is_file && is_plain && !word.contains(char::is_whitespace);
    if is_path && !word.starts_with('-') && !below.as_os_str().is_empty() {
        below.to_string_lossy().into_owned()
    } else {
        CONFIGURATION.to_owned()
    }
}

/// A text in which every character shows: controls and those that turn the direction of writing are
/// written as escapes. Lines and tabs stay, the colours of a terminal go.
pub(super) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let colour = colour(rest);
        if colour > 0 {
            rest = &rest[colour..];
            continue;
        }
        if is_hidden(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
        rest = &rest[c.len_utf8()..];
    }
    shown
}

/// How long the sequence is that a text begins with, if it sets a terminal's colour.
fn colour(text: &str) -> usize {
    let Some(rest) = text.strip_prefix("\u{1b}[") else { return 0 };
    let numbers = rest.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap_or(rest.len());
    if rest[numbers..].starts_with('m') { 2 + numbers + 1 } else { 0 }
}

fn is_hidden(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\t'))
        || matches!(
            c,
            '\u{061c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{fffe}'
                | '\u{ffff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place_of(command: &[&str]) -> String {
        let command = command.iter().map(|word| (*word).to_owned()).collect();
        place(&Outcome { command, ..Outcome::default() })
    }

    #[test]
    fn a_finding_is_shown_at_the_program_if_it_is_a_file_of_the_project() {
        let here = std::env::current_dir().unwrap();
        let absolute = here.join("bin/writer").display().to_string();
        assert_eq!(place_of(&["./target/writer", "--fast"]), "target/writer");
        assert_eq!(place_of(&[&absolute]), "bin/writer");
        assert_eq!(place_of(&["python3", "tools/writer.py", "data"]), "tools/writer.py");
        assert_eq!(place_of(&["/usr/bin/env", "bash", "run.sh"]), "run.sh");
        for outside in [&["sed", "-i", "s/a/b/", "f.conf"][..], &["sh", "-c", "echo x > f.sh"], &[]]
        {
            assert_eq!(place_of(outside), "plugpull.toml", "{outside:?}");
        }
        assert_eq!(place_of(&["/usr/bin/sqlite3"]), "plugpull.toml");
        assert_eq!(place_of(&["../writer"]), "plugpull.toml");
    }

    #[test]
    fn characters_that_play_tricks_are_shown() {
        assert_eq!(visible("a\u{202e}b\u{1b}[2J\n"), "a\\u{202e}b\\u{1b}[2J\n");
        assert_eq!(visible("\u{1b}[1;31mred\u{1b}[0m"), "red");
        assert_eq!(visible("\u{2028}\u{ffff}"), "\\u{2028}\\u{ffff}");
    }
}
