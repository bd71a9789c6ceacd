//! What changed against a baseline.
//!
//! Worse is: a finding that is not known, a known one under a further model, less that is looked at, a
//! subject that is gone. A finding counts as mended only where the run would have found it again.

use std::collections::BTreeSet;
use std::path::Path;

use super::known::{Baseline, Entry, NO_TIER, Subject, gate_models, is_gate, unexplained};
use super::text::FILE;
use crate::exit::Exit;
use crate::outcome::{Comparison, FindingTold, Outcome};

/// How much smaller than known a run may be: threads and clocks make no two runs alike.
const SMALLER_BY: usize = 2;

/// Whether a run of so many operations is so much smaller that something was left out.
pub fn is_smaller(now: usize, known: usize) -> bool {
    now.saturating_mul(SMALLER_BY) < known
}

/// How a check ends of which everything that would fail it is known.
pub fn afresh(outcome: &Outcome, interrupted: bool) -> Exit {
    match () {
        () if outcome.gate() > 0 => Exit::WorseThanBaseline,
        () if interrupted => Exit::Interrupted,
        () if outcome.searched.iter().any(|searched| !searched.complete) => Exit::Partial,
        () => Exit::Clean,
    }
}

impl Baseline {
    /// Marks the known findings of an outcome, which fail it no more, and says how it ends then.
    pub fn mark(&self, outcome: &mut Outcome, interrupted: bool) {
        let known = self.subjects.get(&outcome.subject);
        let fail_on = outcome.clone();
        for found in &mut outcome.findings {
            let entry = known.and_then(|subject| subject.findings.get(&found.id));
            let models = gate_models(found, &fail_on);
            found.known = entry.is_some_and(|entry| models.is_subset(&entry.models));
            found.gate = !found.known && !models.is_empty();
        }
        if matches!(outcome.exit, Exit::Violation | Exit::WorseThanBaseline) {
            let more = unexplained(outcome) && !known.is_some_and(|subject| subject.unexplained);
            outcome.exit =
                if more { Exit::WorseThanBaseline } else { afresh(outcome, interrupted) };
        }
        // What fails the run first.
        outcome.findings.sort_by_key(|found| (!found.gate, !found.known));
    }

    /// What is worse and what is better. Where not `all` subjects were to run, none is missed.
    pub fn compare(&self, outcomes: &[Outcome], all: bool) -> Comparison {
        let mut comparison = Comparison { file: self.file.clone(), ..Comparison::default() };
        let root = self.root();
        for outcome in outcomes.iter().filter(|outcome| is_judged(outcome)) {
            let now = Subject::of(outcome, &root);
            let mut told = Told { name: &outcome.subject, comparison: &mut comparison };
            match self.subjects.get(&outcome.subject) {
                Some(known) => told.subject(known, &now, outcome),
                None => told.findings(&Subject::default(), outcome),
            }
        }
        let ran: BTreeSet<_> = outcomes.iter().map(|outcome| &outcome.subject).collect();
        for name in self.subjects.keys().filter(|name| all && !ran.contains(name)) {
            comparison.worse.push(format!("{name}: the subject is gone, nothing was run"));
        }
        comparison
    }

    /// The directory of the file.
    pub(super) fn root(&self) -> std::path::PathBuf {
        let file = std::path::absolute(&self.file).unwrap_or_else(|_| self.file.clone());
        file.parent().unwrap_or_else(|| Path::new("/")).to_owned()
    }
}

/// Whether there is anything to compare.
pub(super) fn is_judged(outcome: &Outcome) -> bool {
    outcome.error.is_none() && !outcome.searched.is_empty()
}

/// What is told of one subject.
struct Told<'t> {
    name: &'t str,
    comparison: &'t mut Comparison,
}

impl Told<'_> {
    fn worse(&mut self, text: impl std::fmt::Display) {
        self.comparison.worse.push(format!("{}: {text}", self.name));
    }

    fn better(&mut self, text: impl std::fmt::Display) {
        self.comparison.better.push(format!("{}: {text}", self.name));
    }

    fn subject(&mut self, known: &Subject, now: &Subject, outcome: &Outcome) {
        self.findings(known, outcome);
        self.coverage(known, now);
        for (id, entry) in &known.findings {
            let found = outcome.findings.iter().any(|found| found.id == *id);
            if !found && would_be_found(entry, known, now) && outcome.unexplained == 0 {
                let says = &entry.says;
                self.better(format!("fixed: {id} {says}"));
            }
        }
    }

    fn findings(&mut self, known: &Subject, outcome: &Outcome) {
        for found in outcome.findings.iter().filter(|found| is_gate(found, outcome)) {
            let models = gate_models(found, outcome);
            let FindingTold { id, message, .. } = found;
            match known.findings.get(id) {
                None => {
                    let models = joined(&models);
                    self.worse(format!("new finding {id} under {models}: {message}"));
                }
                Some(entry) => {
                    let more: BTreeSet<_> = models.difference(&entry.models).cloned().collect();
                    if !more.is_empty() {
                        let more = joined(&more);
                        self.worse(format!("known finding {id} now also under {more}: {message}"));
                    }
                }
            }
        }
        if unexplained(outcome) && !known.unexplained {
            self.worse("states with violations that no finding tells of: mend those that are told");
        }
    }

    fn coverage(&mut self, known: &Subject, now: &Subject) {
        for (model, before) in &known.models {
            let Some(after) = now.models.get(model) else {
                self.worse(format!("less is looked at: {model} no more"));
                continue;
            };
            if rank(&after.tier) < rank(&before.tier) {
                let (after, before) = (&after.tier, &before.tier);
                let text = "less is looked at under";
                let remedy = "allow more time with --budget";
                self.worse(format!("{text} {model}: {after} complete, not {before}; {remedy}"));
            }
            if after.window < before.window {
                let (after, before) = (after.window, before.window);
                let text = "crash points with at most";
                self.worse(format!(
                    "less is looked at under {model}: {text} {after} sets, not {before} (--window)"
                ));
            }
            if before.gate && !after.gate {
                self.worse(format!("violations under {model} fail the check no more (--fail-on)"));
            }
        }
        for checker in known.checkers.difference(&now.checkers) {
            self.worse(format!("less is looked at: checker `{checker}` no more"));
        }
        if is_smaller(now.operations, known.operations) {
            let (after, before) = (now.operations, known.operations);
            self.worse(format!("the program made {after} operations, not about {before}"));
        }
    }
}

/// Whether a finding would have been seen again: nothing less was looked at where it was.
fn would_be_found(entry: &Entry, known: &Subject, now: &Subject) -> bool {
    let as_far = |model: &String| match (known.models.get(model), now.models.get(model)) {
        (Some(before), Some(after)) => {
            rank(&after.tier) >= rank(&before.tier) && after.window >= before.window
        }
        (None, Some(after)) => after.tier != NO_TIER,
        _ => false,
    };
    entry.models.iter().all(as_far)
        && known.checkers.is_subset(&now.checkers)
        && !is_smaller(now.operations, known.operations)
}

/// Tiers in their order; their names are `T0` to `T3`.
fn rank(tier: &str) -> u32 {
    tier.strip_prefix('T').and_then(|number| number.parse::<u32>().ok()).map_or(0, |n| n + 1)
}

fn joined(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

impl Baseline {
    /// The baseline beside a configuration.
    pub fn beside(root: &Path) -> std::path::PathBuf {
        root.join(FILE)
    }
}
