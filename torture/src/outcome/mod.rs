//! Outcomes: what the check of one program showed, as every report tells it.
//!
//! An outcome holds texts and numbers only: it can be saved, taken elsewhere and told in any form without
//! the run that it is of. Its findings are spelled as the JSON lines spell them (docs/formats.md). Not for
//! printing (`report`), nor for finding anything out (`examine`).

mod difference;
mod finding;
mod recrash;
mod told;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::exit::Exit;

pub(crate) use difference::differing;
pub use difference::{Difference, Differing};
pub use finding::{FindingTold, RemedyTold, TaleLine, TrialTold};
pub use recrash::{RecrashTold, SecondCrash};
pub(crate) use told::{MOST_LINES, NO_SECOND_CRASH, Teller};
pub use told::{NOT_LOOKED_AT, told};

/// What the check of one program showed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// What the check is called.
    pub subject: String,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// The directory that was recorded.
    pub dir: PathBuf,
    /// Changes and barriers that the program made.
    pub operations: usize,
    /// Promises that it made.
    pub marks: usize,
    /// How long it ran.
    pub seconds: f64,
    /// What a state must pass.
    pub checkers: Vec<String>,
    /// What a reader should know.
    pub warnings: Vec<String>,
    /// How it was looked at.
    pub bound: Bound,
    /// What was looked at under each model.
    pub searched: Vec<SearchedTold>,
    /// The causes of violations: those that fail the run first.
    pub findings: Vec<FindingTold>,
    /// States with violations that were not looked into.
    pub unexplained: u64,
    /// Distinct states that were judged.
    pub judged: u64,
    /// What second power cuts showed, if it was looked at them.
    #[serde(default)]
    pub recrash: Option<RecrashTold>,
    /// What the controls showed.
    pub control: String,
    /// What was not looked at.
    pub not_looked_at: Vec<String>,
    /// Where the recording is.
    pub recording: Option<PathBuf>,
    /// What the program did.
    pub story: Vec<StoryLine>,
    /// Why there is no more than this.
    pub error: Option<String>,
    /// How a check of this program alone ends.
    pub exit: Exit,
}

/// How far a check looked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// The models.
    pub models: Vec<String>,
    /// Those to fail on.
    pub fail_on: Vec<String>,
    /// The last tier.
    pub tier: String,
    /// Most sets of one crash point.
    pub window: u64,
    /// Most states of each model.
    #[serde(default)]
    pub budget: u64,
    /// Seed of the sample.
    pub seed: u64,
    /// In one of how many states the power was cut again; 0 is in none.
    #[serde(default)]
    pub recrash: u64,
    /// Which part of the states was judged, if not all.
    #[serde(default)]
    pub partition: Option<String>,
    /// Checks at the same time.
    pub jobs: usize,
}

/// What was looked at under one model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchedTold {
    /// The model.
    pub model: String,
    /// Crash points of the run.
    pub crash_points: u32,
    /// How far each tier came.
    pub tiers: Vec<TierTold>,
    /// Crash points with too many sets.
    pub too_large: Vec<TooLarge>,
    /// States in which nothing was wrong.
    pub survived: u64,
    /// States in which something was.
    pub violated: u64,
    /// States that were made and not judged.
    pub not_measured: u64,
    /// Why the machine did not let us judge the first of them that it hindered.
    #[serde(default)]
    pub hindered: Option<String>,
    /// States that are left to other shards.
    #[serde(default)]
    pub elsewhere: u64,
    /// Whether all that was asked for was looked at.
    pub complete: bool,
}

/// How far a tier came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TierTold {
    /// Which.
    pub tier: String,
    /// Sets that were made.
    pub sets: u64,
    /// Distinct states among them.
    pub states: u64,
    /// Whether it came to its end.
    pub complete: bool,
}

/// A crash point with too many sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TooLarge {
    /// Which.
    pub point: u32,
    /// Effects that are pending there.
    pub pending: usize,
}

/// What changed against the baseline that is committed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// The file.
    pub file: PathBuf,
    /// What is worse, a sentence each: new findings, vanished programs, less looked at.
    pub worse: Vec<String>,
    /// What is better: findings that are gone.
    pub better: Vec<String>,
}

/// One event of the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoryLine {
    /// What it did.
    pub what: String,
    /// `change`, `barrier` or `mark`.
    pub kind: String,
}

impl SearchedTold {
    /// Distinct states that were judged.
    pub fn judged(&self) -> u64 {
        self.survived + self.violated
    }

    /// Sets that were made.
    pub fn sets(&self) -> u64 {
        self.tiers.iter().map(|tier| tier.sets).sum()
    }

    /// The last tier that was looked at completely.
    pub fn reached(&self) -> Option<&str> {
        let complete = self.tiers.iter().take_while(|tier| tier.complete).last();
        complete.map(|tier| tier.tier.as_str())
    }
}

impl Outcome {
    /// The findings that fail the run.
    pub fn gate(&self) -> usize {
        self.findings.iter().filter(|finding| finding.gate).count()
    }

    /// The findings that a baseline knows.
    pub fn known(&self) -> usize {
        self.findings.iter().filter(|finding| finding.known).count()
    }
}

/// `1 finding`, `2 findings`.
pub(crate) fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}
