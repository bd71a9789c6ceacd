//! The file: lines that can be read in a diff. docs/formats.md has the form.
//!
//! Comment lines belong to what follows them, and stay with it. A damaged file is an error that names the
//! line: a merge gone wrong must not make a check pass.
#![expect(clippy::disallowed_methods, reason = "a file of the user's, which no store is over")]

use std::fmt::Write;
use std::path::Path;

use super::known::{Baseline, Entry, Looked, Subject};
use crate::exit::Failure;

/// What the file is called.
pub const FILE: &str = "plugpull.baseline";

/// The first line; the number goes up with the form.
const HEAD: &str = "plugpull baseline 1";

/// The line below it, of which nobody should make a comment of their own.
const NOTE: &str = "# Known findings, written by `plugpull check --save-baseline`.";

impl Baseline {
    /// Reads the file; nothing if it is not there.
    pub fn load(file: &Path) -> Result<Option<Self>, Failure> {
        match std::fs::read_to_string(file) {
            Ok(text) => Self::parse(file, &text).map(Some),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => {
                let file = file.display();
                Err(Failure::Usage(format!("cannot read the baseline {file}: {e}")))
            }
        }
    }

    /// Reads its text.
    pub fn parse(file: &Path, text: &str) -> Result<Self, Failure> {
        let mut reading = Reading::new(file);
        for (number, line) in text.lines().enumerate() {
            reading.line(number, line).map_err(|what| {
                let (file, number) = (file.display(), number + 1);
                Failure::Usage(format!(
                    "{file}:{number}: {what}; mend the line, or write the file anew with \
                     --save-baseline after removing it"
                ))
            })?;
        }
        if text.lines().next().is_none() {
            let file = file.display();
            return Err(Failure::Usage(format!(
                "{file}:1: the baseline is empty; its first line is `{HEAD}`: remove the file, or write \
                 it anew with --save-baseline after removing it"
            )));
        }
        reading.baseline.comments = reading.comments;
        Ok(reading.baseline)
    }

    /// The text of the file.
    pub fn text(&self) -> String {
        let mut text = format!("{HEAD}\n{NOTE}\n");
        for (name, subject) in &self.subjects {
            text.push('\n');
            subject.write(name, &mut text);
        }
        if !self.comments.is_empty() {
            text.push('\n');
        }
        comments(&self.comments, "", &mut text);
        text
    }
}

impl Subject {
    fn write(&self, name: &str, text: &mut String) {
        comments(&self.comments, "", text);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "subject {name}");
        let _ = writeln!(text, "  operations {}", self.operations);
        for checker in &self.checkers {
            let _ = writeln!(text, "  checker {checker}");
        }
        for (model, looked) in &self.models {
            let gate = if looked.gate { " gate" } else { "" };
            let _ =
                writeln!(text, "  model {model} {} window {}{gate}", looked.tier, looked.window);
        }
        if self.unexplained {
            let _ = writeln!(text, "  more violations than findings");
        }
        for (id, entry) in &self.findings {
            comments(&entry.comments, "  ", text);
            let models: Vec<_> = entry.models.iter().map(String::as_str).collect();
            let _ = writeln!(text, "  finding {id} {}", models.join(" "));
            for (word, words) in [("says", &entry.says), ("missing", &entry.missing)] {
                let _ = writeln!(text, "    {}", format!("{word} {words}").trim_end());
            }
        }
    }
}

fn comments(lines: &[String], indent: &str, text: &mut String) {
    for line in lines {
        let _ = writeln!(text, "{indent}{line}");
    }
}

/// A file that is read line by line.
struct Reading {
    baseline: Baseline,
    comments: Vec<String>,
    subject: Option<String>,
    finding: Option<String>,
}

impl Reading {
    fn new(file: &Path) -> Self {
        let baseline = Baseline { file: file.to_owned(), ..Baseline::default() };
        Self { baseline, comments: Vec::new(), subject: None, finding: None }
    }

    fn line(&mut self, number: usize, line: &str) -> Result<(), String> {
        let line = line.trim();
        if number == 0 {
            return head(line);
        }
        if line.is_empty() || line == NOTE {
            return Ok(());
        }
        if line.starts_with('#') {
            self.comments.push(line.to_owned());
            return Ok(());
        }
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        if word == "subject" && !rest.is_empty() {
            return self.subject(rest);
        }
        let subject = self.subject.as_ref().and_then(|name| self.baseline.subjects.get_mut(name));
        let Some(subject) = subject else { return Err(format!("`{line}` is below no subject")) };
        if let "finding" = word {
            let (id, models) = rest.split_once(' ').ok_or("a finding has an id and models")?;
            let models = models.split_whitespace().map(str::to_owned).collect();
            let comments = std::mem::take(&mut self.comments);
            let entry = Entry { models, comments, ..Entry::default() };
            if subject.findings.insert(id.to_owned(), entry).is_some() {
                return Err(format!("finding {id} is here for the second time"));
            }
            self.finding = Some(id.to_owned());
            return Ok(());
        }
        let entry = self.finding.as_ref().and_then(|id| subject.findings.get_mut(id));
        match (word, entry) {
            ("says", Some(entry)) => rest.clone_into(&mut entry.says),
            ("missing", Some(entry)) => rest.clone_into(&mut entry.missing),
            ("operations", None) => {
                subject.operations = rest.parse().map_err(|_| format!("`{rest}` is no number"))?;
            }
            ("checker", None) => drop(subject.checkers.insert(rest.to_owned())),
            ("model", None) => {
                let (name, looked) = looked(rest).ok_or_else(|| {
                    format!("`{line}` is not `model NAME T2 window 4096`, with `gate` or without")
                })?;
                subject.models.insert(name, looked);
            }
            ("more", None) => subject.unexplained = true,
            _ => return Err(format!("`{line}` means nothing here")),
        }
        Ok(())
    }

    fn subject(&mut self, name: &str) -> Result<(), String> {
        let comments = std::mem::take(&mut self.comments);
        let subject = Subject { comments, ..Subject::default() };
        if self.baseline.subjects.insert(name.to_owned(), subject).is_some() {
            return Err(format!("subject {name} is here for the second time"));
        }
        (self.subject, self.finding) = (Some(name.to_owned()), None);
        Ok(())
    }
}

fn head(line: &str) -> Result<(), String> {
    let other = HEAD.trim_end_matches(|c: char| c.is_ascii_digit());
    match line {
        HEAD => Ok(()),
        line if line.starts_with(other) => Err(format!(
            "this plugpull reads version 1 of the baseline, and this is `{line}`: a newer one wrote it"
        )),
        _ => Err(format!("the first line of a baseline is `{HEAD}`")),
    }
}

fn looked(rest: &str) -> Option<(String, Looked)> {
    let words: Vec<_> = rest.split_whitespace().collect();
    let (name, tier, window, gate) = match words.as_slice() {
        [name, tier, "window", window] => (name, tier, window, false),
        [name, tier, "window", window, "gate"] => (name, tier, window, true),
        _ => return None,
    };
    let known = ["none", "T0", "T1", "T2", "T3"].contains(tier);
    let looked = Looked { tier: (*tier).to_owned(), window: window.parse().ok()?, gate };
    known.then(|| ((*name).to_owned(), looked))
}
