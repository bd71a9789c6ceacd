//! One finding, in texts and numbers.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Differing, SecondCrash};

/// One cause of violations. The state that is shown is the smallest loss that was found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FindingTold {
    /// Equal for the same cause in other runs.
    pub id: String,
    /// Whether it fails the run.
    pub gate: bool,
    /// Whether the committed baseline names it already; it does not fail the run then.
    #[serde(default)]
    pub known: bool,
    /// What the checker said, in a line.
    pub message: String,
    /// The beginning of what it printed.
    pub output: String,
    /// What it says in other states of this cause.
    pub also: Vec<String>,
    /// For each model with such states, how many.
    pub models: BTreeMap<String, u64>,
    /// The model of the state that is shown.
    pub model: String,
    /// The number of events before the power cut.
    pub point: u32,
    /// The number of events of the run.
    pub events: usize,
    /// The events that tell most.
    pub tale: Vec<TaleLine>,
    /// What became of each event that was not durable: `kept`, `LOST` or `LOST in part`.
    pub fates: BTreeMap<usize, String>,
    /// In what the state differs from the disk that the program saw at that moment.
    pub differs: Differing,
    /// What would have prevented it.
    pub remedy: Option<RemedyTold>,
    /// Whether the checker said the same when it was asked again.
    pub steady: bool,
    /// The state.
    pub token: String,
    /// The line that makes it again.
    pub replay: String,
    /// Where it was written to.
    pub kept: Option<PathBuf>,
    /// The second power cut, if it takes one, during the recovery from the one that is told.
    #[serde(default)]
    pub recrash: Option<SecondCrash>,
}

/// One event before a power cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaleLine {
    /// Its number.
    pub event: usize,
    /// What it did.
    pub what: String,
    /// What became of it; empty where there is nothing to say.
    pub fate: String,
}

/// What would have prevented a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RemedyTold {
    /// A barrier, or two.
    Found {
        /// Which.
        found: TrialTold,
    },
    /// None of those that were tried.
    None {
        /// How many.
        tried: usize,
        /// The one that left the fewest violations.
        best: Option<TrialTold>,
    },
}

/// A barrier that was put into the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialTold {
    /// Which.
    pub barrier: String,
    /// In how many places it was put.
    pub places: usize,
    /// Before which events these are.
    pub before_events: Vec<usize>,
    /// Violations of this cause without it.
    pub violated_before: u64,
    /// Violations of this cause with it.
    pub violated_after: u64,
    /// States that were looked at with it.
    pub states: u64,
}

impl FindingTold {
    /// The events that tell most, each with whether some are left out before it.
    pub fn lines(&self) -> impl Iterator<Item = (bool, &TaleLine)> {
        with_gaps(&self.tale)
    }

    /// What is missing, in a sentence.
    pub fn missing(&self) -> String {
        match &self.remedy {
            Some(RemedyTold::Found { found }) => {
                format!("missing: {} ({})", found.barrier, found.outcome())
            }
            Some(RemedyTold::None { tried: 0, .. }) => {
                "missing: no barrier that could be tried".to_owned()
            }
            Some(RemedyTold::None { tried, best: None }) => format!(
                "no single barrier prevents it ({tried} tried): the order of the steps is wrong"
            ),
            Some(RemedyTold::None { tried, best: Some(best) }) => format!(
                "no barrier prevents it alone ({tried} tried); the best is {} ({})",
                best.barrier,
                best.outcome()
            ),
            None => "the budget ended before barriers were tried".to_owned(),
        }
    }
}

/// The lines of a tale, each with whether some are left out before it.
pub(super) fn with_gaps(tale: &[TaleLine]) -> impl Iterator<Item = (bool, &TaleLine)> {
    let mut next = None;
    tale.iter().map(move |line| {
        let gap = next.is_some_and(|next| next != line.event);
        next = Some(line.event + 1);
        (gap, line)
    })
}

impl TrialTold {
    /// What it did, in words.
    pub fn outcome(&self) -> String {
        let places = super::counted(self.places, "place");
        let (after, states, before) = (self.violated_after, self.states, self.violated_before);
        format!("tried in {places}: {after} of {states} states violated, {before} without it")
    }
}
