//! The baseline is written anew: only by a person, and only after runs that looked at everything.
//!
//! What is right already is left as it stands, comments and words included, so that a diff shows what
//! changed and a second write changes nothing.

use std::path::PathBuf;

use faultfs::RealFs;
use plugpull_store::{Options, write_text_atomic};

use super::compare::{is_judged, is_smaller};
use super::known::{Baseline, Entry, Subject};
use crate::config::is_ci;
use crate::exit::{Exit, Failure};
use crate::outcome::{Outcome, counted};

/// What became of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Saved {
    /// The file.
    pub file: PathBuf,
    /// Whether it was changed.
    pub changed: bool,
    /// Known findings in it.
    pub known: usize,
    /// How many came.
    pub added: usize,
    /// How many went.
    pub removed: usize,
}

/// Where nobody is watching, nothing is declared to be known.
pub fn refuse_in_ci() -> Result<(), Failure> {
    if !is_ci() {
        return Ok(());
    }
    let text = "--save-baseline is refused where CI is set, as nobody looks at what it would hide: save it \
                on your own machine, and commit it (or unset CI)";
    Err(Failure::Usage(text.to_owned()))
}

/// Why what was seen is not enough to be written down.
pub fn why_not(outcomes: &[Outcome]) -> Option<String> {
    outcomes.iter().find_map(|outcome| {
        let why = match (&outcome.error, outcome.exit) {
            (Some(error), _) => error.lines().next().unwrap_or_default().to_owned(),
            (None, Exit::Interrupted) => "it was interrupted".to_owned(),
            (None, _) if outcome.searched.is_empty() => "nothing was judged".to_owned(),
            (None, _) if outcome.searched.iter().any(|searched| !searched.complete) => {
                "the budget ended before everything was looked at; allow more with --budget, or ask \
                 for less with --tier"
                    .to_owned()
            }
            _ => return None,
        };
        Some(format!("{}: {why}", outcome.subject))
    })
}

impl Baseline {
    /// This one with what the outcomes show. Where `all` subjects ran, the others are gone.
    #[must_use]
    pub fn renewed(&self, outcomes: &[Outcome], all: bool) -> Self {
        let mut new = self.clone();
        let root = self.root();
        if all {
            new.subjects.retain(|name, _| outcomes.iter().any(|outcome| outcome.subject == *name));
        }
        for outcome in outcomes.iter().filter(|outcome| is_judged(outcome)) {
            let mut subject = Subject::of(outcome, &root);
            if let Some(known) = self.subjects.get(&outcome.subject) {
                subject.keep_of(known);
            }
            new.subjects.insert(outcome.subject.clone(), subject);
        }
        new
    }

    /// Writes this one in place of the `old` one.
    #[expect(clippy::disallowed_methods, reason = "a file of the user's, which no store is over")]
    pub fn save(&self, old: &Self) -> Result<Saved, Failure> {
        let ids = |baseline: &Self| -> Vec<(String, String)> {
            let of = |(name, subject): (&String, &Subject)| {
                subject.findings.keys().map(|id| (name.clone(), id.clone())).collect::<Vec<_>>()
            };
            baseline.subjects.iter().flat_map(of).collect()
        };
        let (before, after) = (ids(old), ids(self));
        let text = self.text();
        let was = std::fs::read(&self.file).unwrap_or_default();
        let changed = was != text.as_bytes();
        if changed {
            // The old file stays until the new one is whole, and durable where the disk can do that.
            let _ = write_text_atomic(&RealFs, &self.file, &text, Options::default())?;
        }
        Ok(Saved {
            file: self.file.clone(),
            changed,
            known: after.len(),
            added: after.iter().filter(|one| !before.contains(one)).count(),
            removed: before.iter().filter(|one| !after.contains(one)).count(),
        })
    }
}

impl Subject {
    /// Takes over what is as good as new: words of people, and numbers that differ from run to run.
    fn keep_of(&mut self, known: &Self) {
        self.comments.clone_from(&known.comments);
        if !is_smaller(self.operations, known.operations)
            && !is_smaller(known.operations, self.operations)
        {
            self.operations = known.operations;
        }
        for (id, entry) in &mut self.findings {
            if let Some(known) = known.findings.get(id) {
                let models = std::mem::take(&mut entry.models);
                *entry = Entry { models, ..known.clone() };
            }
        }
    }
}

impl Saved {
    /// What became of it, in a line.
    pub fn told(&self) -> String {
        let (file, known) = (self.file.display(), counted(self.known, "known finding"));
        if !self.changed {
            return format!("{file} is as it was: {known}");
        }
        format!("wrote {file}: {known}, {} more and {} less than before", self.added, self.removed)
    }
}
