//! What a baseline holds. Not for its form (`text`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::outcome::{FindingTold, Outcome, RemedyTold};

/// All that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    /// The file.
    pub file: PathBuf,
    /// Each subject.
    pub subjects: BTreeMap<String, Subject>,
    /// Comment lines at the end of the file.
    pub comments: Vec<String>,
}

/// What is known of a subject.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// Changes and barriers of its run.
    pub operations: usize,
    /// What its states had to pass.
    pub checkers: BTreeSet<String>,
    /// How far each model was looked at.
    pub models: BTreeMap<String, Looked>,
    /// Whether there were violations beyond the causes that are looked into.
    pub unexplained: bool,
    /// The known findings, by id.
    pub findings: BTreeMap<String, Entry>,
    /// Comment lines above it.
    pub comments: Vec<String>,
}

/// How far a model was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// The last complete tier.
    pub tier: String,
    /// Most sets of one crash point.
    pub window: u64,
    /// Whether its violations fail a check.
    pub gate: bool,
}

/// A known finding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// The models that it would fail under.
    pub models: BTreeSet<String>,
    /// What the checker said: for people.
    pub says: String,
    /// What would prevent it: for people.
    pub missing: String,
    /// Comment lines above it.
    pub comments: Vec<String>,
}

/// What a tier is called that was not completed.
pub(super) const NO_TIER: &str = "none";

impl Subject {
    /// What an outcome shows. `root` is the directory of the file: a path below it is written from there, as
    /// it is elsewhere on another machine.
    pub(super) fn of(outcome: &Outcome, root: &Path) -> Self {
        let looked = |searched: &crate::outcome::SearchedTold| {
            let gate = outcome.bound.fail_on.contains(&searched.model);
            let tier = searched.reached().unwrap_or(NO_TIER).to_owned();
            (searched.model.clone(), Looked { tier, window: outcome.bound.window, gate })
        };
        let prefix = format!("{}/", root.display());
        let checker = |text: &String| one_line(&text.replace(&prefix, "./"));
        let would_fail = outcome.findings.iter().filter(|found| is_gate(found, outcome));
        let entry = |found: &FindingTold| (found.id.clone(), Entry::of(found, outcome));
        Self {
            operations: outcome.operations,
            checkers: outcome.checkers.iter().map(checker).collect(),
            models: outcome.searched.iter().map(looked).collect(),
            unexplained: unexplained(outcome),
            findings: would_fail.map(entry).collect(),
            comments: Vec::new(),
        }
    }
}

impl Entry {
    fn of(found: &FindingTold, outcome: &Outcome) -> Self {
        let missing = match &found.remedy {
            Some(RemedyTold::Found { found }) => found.barrier.clone(),
            Some(RemedyTold::None { best: Some(best), .. }) => {
                format!("more than {}", best.barrier)
            }
            Some(RemedyTold::None { .. }) => "no single barrier prevents it".to_owned(),
            None => String::new(),
        };
        Self {
            models: gate_models(found, outcome),
            says: one_line(&found.message),
            missing: one_line(&missing),
            comments: Vec::new(),
        }
    }
}

/// The models to fail on under which a finding was seen.
pub(super) fn gate_models(found: &FindingTold, outcome: &Outcome) -> BTreeSet<String> {
    let gate = |model: &&String| outcome.bound.fail_on.contains(model);
    found.models.keys().filter(gate).cloned().collect()
}

/// Whether it fails a check to which nothing is known.
pub(super) fn is_gate(found: &FindingTold, outcome: &Outcome) -> bool {
    !gate_models(found, outcome).is_empty()
}

/// Whether there are violations under the models to fail on that no finding tells of.
pub(super) fn unexplained(outcome: &Outcome) -> bool {
    let told = |model: &str| -> u64 {
        outcome.findings.iter().filter_map(|found| found.models.get(model)).sum()
    };
    let more = |searched: &crate::outcome::SearchedTold| {
        outcome.bound.fail_on.contains(&searched.model) && searched.violated > told(&searched.model)
    };
    outcome.unexplained > 0 && outcome.searched.iter().any(more)
}

/// A text that stays on its line.
pub(super) fn one_line(text: &str) -> String {
    let words: Vec<_> = text.split(|c: char| c.is_control() || c == ' ').collect();
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}
