//! What second power cuts, during recovery, showed: in texts and numbers.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::finding::with_gaps;
use super::{TaleLine, counted};

/// What was looked at of recoveries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecrashTold {
    /// In one of how many states it was looked.
    pub one_in: u64,
    /// Distinct states that survived the first power cut.
    pub survived: u64,
    /// Those of them in which the checkers were recorded.
    pub recorded: u64,
    /// Those in which they wrote something.
    pub recoveries: u64,
    /// Distinct states after a second power cut that were judged, of each recovery and model by itself.
    pub judged: u64,
    /// Those with a violation.
    pub violated: u64,
    /// Recoveries under a model that have more states than were looked at.
    pub too_large: u64,
    /// States on which the checkers said something else while they were recorded.
    pub unsteady: u64,
    /// States in which the checkers could not be recorded.
    pub not_measured: u64,
    /// Why, of the first.
    pub hindered: Option<String>,
    /// Whether all chosen states were looked at.
    pub complete: bool,
    /// Violations that were not looked into.
    pub unexplained: u64,
}

/// The part of a finding that is about the recovery; all else of it is about the first power cut.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecondCrash {
    /// The state after the first power cut, in which the checkers are content.
    pub first: String,
    /// The number of the recovery's operations before the second power cut.
    pub point: u32,
    /// The number of the recovery's operations.
    pub events: usize,
    /// Those that tell most.
    pub tale: Vec<TaleLine>,
    /// Which of these make others durable.
    #[serde(default)]
    pub barriers: Vec<usize>,
    /// Before which operations of the recovery the missing barrier was put.
    #[serde(default)]
    pub before_events: Vec<usize>,
    /// The recording of the recovery, of which the finding's token is.
    pub recording: PathBuf,
}

impl SecondCrash {
    /// The operations that tell most, each with whether some are left out before it.
    pub fn lines(&self) -> impl Iterator<Item = (bool, &TaleLine)> {
        with_gaps(&self.tale)
    }
}

impl RecrashTold {
    /// In a sentence.
    pub fn sentence(&self) -> String {
        if self.survived == 0 {
            return "second power cut: nothing to record, as no checker runs in the states or none survived"
                .to_owned();
        }
        let states = usize::try_from(self.recoveries).unwrap_or(usize::MAX);
        format!(
            "second power cut: checkers recorded in {} of {} states (1 in {}), {} wrote something; \
             {} states after it judged, {} violated",
            self.recorded,
            self.survived,
            self.one_in,
            counted(states, "recovery").replace("recoverys", "recoveries"),
            self.judged,
            self.violated
        )
    }

    /// What a reader should know.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if let Some(why) = self.hindered.as_ref().filter(|_| self.not_measured > 0) {
            let states = self.not_measured;
            warnings.push(format!("recovery not measured in {states} states: {why}"));
        }
        if self.unsteady > 0 {
            warnings.push(format!(
                "in {} states the checkers said something else while their writes were recorded; they look \
                 at more than the state",
                self.unsteady
            ));
        }
        if self.too_large > 0 {
            let count = self.too_large;
            warnings.push(format!("{count} recoveries have more states than were looked at"));
        }
        if self.unexplained > 0 {
            let states = self.unexplained;
            warnings.push(format!(
                "{states} states with violations after a second power cut were not looked into"
            ));
        }
        warnings
    }

    /// What was not looked at.
    pub fn not_looked_at(&self) -> String {
        let left = self.survived - (self.recorded - self.unsteady).min(self.survived);
        format!(
            "a second power cut during recovery in {left} of {} states, more than one loss of it at a time \
             in the others, and a third one",
            self.survived
        )
    }
}
