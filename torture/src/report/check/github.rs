//! GitHub Actions: annotations of the run, and the summary of the step.
//!
//! GitHub shows ten annotations of each kind for a step and cuts nothing but the whole summary when it is
//! larger than 1 MiB, so the rest is counted here. Not for the report of a check on standard output.
#![expect(clippy::disallowed_methods, reason = "the step's summary is a file of the runner's")]

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::cli::MessageFormat;
use crate::exit::Failure;
use crate::outcome::{FindingTold, Outcome};

use super::Report;
use super::human::verdict;
use super::words::{Level, body, headline, headline_of, lacking, models, place, visible};

/// Annotations of one kind that GitHub shows of a step.
const ANNOTATIONS: usize = 10;

/// Bytes of a step's summary that GitHub takes.
const SUMMARY: usize = 1 << 20;

/// What is kept free for the sentence that says what was cut.
const NOTE: usize = 300;

/// Where annotations and summary go.
#[derive(Debug)]
pub(super) struct Github {
    /// Standard output has something else in it that a program reads.
    to_stderr: bool,
    summary: Option<PathBuf>,
}

impl Github {
    pub(super) fn new(format: MessageFormat) -> Self {
        let summary = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty());
        Self { to_stderr: format == MessageFormat::JsonLines, summary: summary.map(PathBuf::from) }
    }

    pub(super) fn write(&self, report: &Report) -> Result<(), Failure> {
        let lines = annotations(report);
        if self.to_stderr {
            io::stderr().lock().write_all(lines.as_bytes())?;
        } else {
            let mut out = io::stdout().lock();
            out.write_all(lines.as_bytes())?;
            out.flush()?;
        }
        let Some(path) = &self.summary else { return Ok(()) };
        append(path, report)
            .map_err(|e| Failure::system(format!("write the summary {}", path.display()), e))
    }
}

fn append(path: &Path, report: &Report) -> io::Result<()> {
    let mut file = File::options().append(true).create(true).open(path)?;
    let taken = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    let text = summary(report, SUMMARY.saturating_sub(taken));
    file.write_all(text.as_bytes())
}

/// One annotation.
struct Annotation {
    kind: &'static str,
    title: String,
    file: String,
    message: String,
}

/// The lines that GitHub makes annotations of.
pub fn annotations(report: &Report) -> String {
    let mut all = Vec::new();
    for outcome in &report.outcomes {
        let file = place(outcome);
        if let Some(error) = &outcome.error {
            let title = format!("plugpull: {}", outcome.subject);
            all.push(Annotation {
                kind: "error",
                title,
                file: file.clone(),
                message: error.clone(),
            });
        }
        all.extend(outcome.findings.iter().map(|finding| annotation(outcome, finding, &file)));
    }
    for worse in report.baseline.iter().flat_map(|baseline| &baseline.worse) {
        let file = report.baseline.iter().map(|b| b.file.display().to_string()).collect();
        let title = "plugpull: worse than the baseline".to_owned();
        all.push(Annotation { kind: "error", title, file, message: worse.clone() });
    }
    let mut text = String::new();
    for kind in ["error", "warning", "notice"] {
        let of_kind: Vec<_> = all.iter().filter(|annotation| annotation.kind == kind).collect();
        let shown = if of_kind.len() > ANNOTATIONS { ANNOTATIONS - 1 } else { of_kind.len() };
        for annotation in &of_kind[..shown] {
            text.push_str(&annotation.line());
        }
        if let Some(next) = of_kind.get(shown) {
            let more = of_kind.len() - shown;
            let title = "plugpull".to_owned();
            let message = format!("and {more} more; the step's summary has them");
            let more = Annotation { kind, title, file: next.file.clone(), message };
            text.push_str(&more.line());
        }
    }
    text
}

fn annotation(outcome: &Outcome, finding: &FindingTold, file: &str) -> Annotation {
    let kind = match Level::of(finding) {
        Level::Gate => "error",
        Level::Warning => "warning",
        Level::Known => "notice",
    };
    let message = format!(
        "{}\nin states of {}{}\n{}\nagain: {}",
        finding.message,
        models(finding),
        second(finding),
        finding.missing(),
        finding.replay
    );
    let title = format!("plugpull: {}: {}", outcome.subject, finding.id);
    Annotation { kind, title, file: file.to_owned(), message }
}

/// Where the second power cut comes, if it takes one.
fn second(finding: &FindingTold) -> String {
    finding.recrash.as_ref().map_or_else(String::new, |second| {
        let (point, events) = (second.point, second.events);
        format!("\nthe second power cut comes after operation {point} of {events} of the recovery")
    })
}

impl Annotation {
    fn line(&self) -> String {
        let (title, file) = (property(&self.title), property(&self.file));
        format!("::{} title={title},file={file}::{}\n", self.kind, data(&self.message))
    }
}

/// What comes behind the second `::`.
fn data(text: &str) -> String {
    visible(text).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// The summary of the step, no longer than this.
pub fn summary(report: &Report, most: usize) -> String {
    let mut page = Page { text: String::new(), most: most.saturating_sub(NOTE), left_out: 0 };
    page.add(&format!("## Plugpull: {}\n\n", markdown(&headline(report))));
    page.add(&table(report));
    for worse in report.baseline.iter().flat_map(|baseline| &baseline.worse) {
        page.add(&format!("- **worse than the baseline:** {}\n", markdown(worse)));
    }
    for outcome in &report.outcomes {
        page.add(&format!("\n### {}\n\n", markdown(&outcome.subject)));
        if let Some(error) = &outcome.error {
            page.add(&format!("<pre>{}</pre>\n\n", html(error)));
        } else {
            page.add(&format!("{}\n\n", markdown(&verdict(outcome))));
            let not_looked_at = outcome.not_looked_at.join("; ");
            page.add(&format!("Not looked at: {}\n\n", markdown(&not_looked_at)));
        }
        if outcome.unexplained > 0 {
            let states = outcome.unexplained;
            page.add(&format!("{states} states with violations were not looked into.\n\n"));
        }
        for finding in &outcome.findings {
            page.add_finding(&details(finding));
        }
    }
    if page.left_out > 0 {
        let (left_out, most) = (page.left_out, SUMMARY >> 20);
        // A heading may not have fit either; the note does.
        page.most = most_with_note(page.most);
        page.add(&format!(
            "\n**{left_out} more findings are not shown:** GitHub takes {most} MiB of a step's summary. \
             The other reports have all of them.\n"
        ));
    }
    page.text
}

fn most_with_note(most: usize) -> usize {
    if most == 0 { 0 } else { most + NOTE }
}

/// A text that does not grow beyond a limit: what does not fit is left out as a whole.
struct Page {
    text: String,
    most: usize,
    left_out: usize,
}

impl Page {
    fn add(&mut self, part: &str) -> bool {
        let fits = self.text.len() + part.len() <= self.most;
        if fits {
            self.text.push_str(part);
        }
        fits
    }

    fn add_finding(&mut self, part: &str) {
        // Later ones are not shown when an earlier one is not.
        if self.left_out > 0 || !self.add(part) {
            self.left_out += 1;
        }
    }
}

fn table(report: &Report) -> String {
    let mut text = "| program | power cuts under | crash points | states judged | violated | not \
                    judged | |\n|---|---|--:|--:|--:|--:|---|\n"
        .to_owned();
    for outcome in &report.outcomes {
        let subject = markdown(&outcome.subject);
        if outcome.searched.is_empty() {
            let headline = markdown(&headline_of(outcome));
            let _ = writeln!(text, "| {subject} | | | | | | {headline} |");
        }
        for searched in &outcome.searched {
            let lacking = lacking(outcome, searched).unwrap_or_default();
            let _ = writeln!(
                text,
                "| {subject} | {} | {} | {} | {} | {} | {} |",
                markdown(&searched.model),
                searched.crash_points,
                searched.judged(),
                searched.violated,
                searched.not_measured,
                markdown(&lacking),
            );
        }
    }
    text + "\n"
}

fn details(finding: &FindingTold) -> String {
    let word = Level::of(finding).word();
    let mark = if Level::of(finding) == Level::Gate { "&#10060;" } else { "&#9888;&#65039;" };
    // A blank line would end the block.
    let line = |text: &str| html(text).replace('\n', " ");
    let (message, missing) = (line(&finding.message), line(&finding.missing()));
    let (told, replay) = (html(&body(finding)), html(&finding.replay));
    format!(
        "<details><summary>{mark} <b>{word}</b> {message}<br>{missing}</summary>\n\n\
         <pre>{told}</pre>\n\n<pre><code>{replay}</code></pre>\n\n</details>\n\n"
    )
}

/// A text in HTML. No blank line and no line break ends the block that it is in.
fn html(text: &str) -> String {
    let text = visible(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}

/// A text in a line of Markdown, every sign of which is meant as itself.
fn markdown(text: &str) -> String {
    let mut told = String::with_capacity(text.len());
    for c in visible(text).chars() {
        match c {
            '\n' | '\t' => told.push(' '),
            ' ' | ',' | '.' | ';' | '(' | ')' | '-' | '/' => told.push(c),
            c if c.is_ascii_punctuation() => {
                let _ = write!(told, "&#{};", u32::from(c));
            }
            c => told.push(c),
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_markdown_are_escaped() {
        assert_eq!(data("50%\nof a:b,c"), "50%25%0Aof a:b,c");
        assert_eq!(property("50%\nof a:b,c"), "50%25%0Aof a%3Ab%2Cc");
        assert_eq!(markdown("a|b <i> `c`"), "a&#124;b &#60;i&#62; &#96;c&#96;");
        assert_eq!(html("</pre><script>"), "&lt;/pre&gt;&lt;script&gt;");
    }
}
