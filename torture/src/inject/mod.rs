//! Failing calls of any program: the n-th call of a kind fails, for n = 1, 2, ... until a run has no n-th
//! one, once and for ever, and each run is judged.
//!
//! `plan` says which calls fail and how, `run` carries one run out, `judge` tells what the program did
//! with the fault, `states` what became of its data. Not for power cuts without a fault (`examine`), and
//! not for printing (`report`). A clean run means that these faults, one at a time, were got over; no more.

mod judge;
mod plan;
mod run;
mod states;

use std::path::PathBuf;

use faultfs::CrashState;

pub use judge::Did;
pub(crate) use plan::name_of;
pub use plan::{Attempt, Failing, Kind, Lane, lanes};
pub use run::{Campaign, Summary};
pub use states::{Baseline, look};

/// One run with a fault, judged.
#[derive(Clone, Debug)]
pub struct Injected {
    /// The fault.
    pub attempt: Attempt,
    /// What the program did.
    pub did: Did,
    /// The path of the first call that failed, from the directory on.
    pub path: String,
    /// How often the fault hit.
    pub fired: u64,
    /// The last line that the program wrote to its standard error.
    pub last_words: String,
    /// What became of its data.
    pub data: Data,
    /// The recording, where it was kept: that of the first run of each cause that is told.
    pub recording: Option<PathBuf>,
    /// Whether the run was not made, since the fault of the run before can only do the same: no further call
    /// of the kind came after the one that failed.
    pub told_by_once: bool,
    /// How many states were judged.
    pub states: u64,
    /// States that were made and not judged.
    pub not_measured: u64,
    /// How long the program ran.
    pub seconds: f64,
}

/// What became of a program's data.
#[derive(Clone, Debug)]
pub enum Data {
    /// The checkers were content.
    Kept,
    /// They were not.
    Lost(Loss),
    /// They were not, but are not without any fault either.
    AsWithout(Loss),
    /// They were not asked.
    NotLookedAt,
}

/// A state in which something is wrong.
#[derive(Clone, Debug)]
pub struct Loss {
    /// What the checker says.
    pub message: String,
    /// The model of the power cut; none of a restart that finds the page cache as it was.
    pub model: Option<String>,
    /// By which the state is made again, if it is one that a power cut may leave.
    pub state: Option<CrashState>,
}

impl Injected {
    /// Whether it fails the run of plugpull.
    pub fn is_violation(&self) -> bool {
        match &self.data {
            // A sync that fails late has returned 0, and no program can know until it is told by the next one.
            Data::Lost(loss) if self.attempt.error == Failing::Ext4Data => loss.model.is_none(),
            Data::Lost(_) => true,
            _ => self.did == Did::Hung,
        }
    }

    /// What runs have in common that are told as one: the kind of calls, what the program did, and what its
    /// checker says; sync errors that come late apart.
    pub fn cause(&self) -> (Kind, &'static str, bool, String, bool) {
        let (cut, message) = match &self.data {
            Data::Lost(loss) => (loss.model.is_some(), states::shape(&loss.message)),
            _ => (false, String::new()),
        };
        let late = self.attempt.error == Failing::Ext4Data;
        (self.attempt.kind, self.did.word(), cut, message, late)
    }

    /// Whether it is to be told, although nothing was seen to be lost.
    pub fn is_warning(&self) -> bool {
        let ignored = self.did == Did::Ignored && self.attempt.kind.is_sync();
        !self.is_violation() && (ignored || matches!(self.data, Data::Lost(_)))
    }
}
