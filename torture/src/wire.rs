//! What the runner and its writers tell each other.
//!
//! The runner gives a writer its part as one JSON argument; the writer answers with one JSON object
//! a line on its standard output. Both ends are the same build, so this format has no version.

use std::path::PathBuf;

use plugpull_store::{Bug, Durability, ObjectId};
use serde::{Deserialize, Serialize};

use crate::errand::{Errand, Errands};
use crate::timing::Times;

/// What one writer process is to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The store.
    pub dir: PathBuf,
    /// The writer's own directory outside the store; it need not exist.
    pub desk: PathBuf,
    /// Seed of all contents.
    pub seed: u64,
    /// Which of the writers that are at work at the same time.
    pub slot: u32,
    /// How many writers this slot had before.
    pub life: u32,
    /// Whether fsync failures fail the write.
    pub best_effort: bool,
    /// Process id of the runner: a writer whose runner is gone ends.
    pub runner: u32,
    /// Where to kill itself, if at all.
    pub die: Option<Die>,
    /// What it does between two commits.
    pub errands: Errands,
    /// Whether it says what each commit took.
    pub timing: bool,
    /// Name of a planted mistake.
    pub planted: Option<String>,
}

impl Part {
    /// The store's durability.
    pub fn durability(&self) -> Durability {
        if self.best_effort { Durability::BestEffort } else { Durability::Strict }
    }

    /// The planted mistake; names were checked on the command line.
    pub fn bug(&self) -> Option<Bug> {
        Bug::named(self.planted.as_deref()?)
    }
}

/// A kill at an exact call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Die {
    /// Commits of this life that come before.
    pub after: u64,
    /// Just before this step, in the first commit or errand from then on that makes it.
    pub step: Step,
}

/// A place in the protocol of a commit or an errand: the `nth` call of this kind (from 1) in this phase.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Step {
    /// What the writer was doing.
    pub phase: Phase,
    /// The call that was about to be made.
    pub call: String,
    /// Which one of that kind in the phase.
    pub nth: u32,
}

/// What a writer is at: an errand, or one of the parts of a commit in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Taking the pin.
    Begin,
    /// Storing bytes nobody has stored before.
    NewBlob,
    /// Storing bytes that are there already.
    KnownBlob,
    /// Storing the snapshot.
    Snapshot,
    /// Storing the commit.
    Commit,
    /// Moving the branch.
    Branch,
    /// Giving the pin back and telling the runner.
    Acknowledge,
    /// An errand, before the commit.
    Errand(Errand),
}

impl Phase {
    /// The phases of a commit, in order.
    pub const OF_COMMIT: [Phase; 7] = [
        Self::Begin,
        Self::NewBlob,
        Self::KnownBlob,
        Self::Snapshot,
        Self::Commit,
        Self::Branch,
        Self::Acknowledge,
    ];

    /// The name that reports print.
    pub fn name(self) -> &'static str {
        match self {
            Self::Begin => "begin",
            Self::NewBlob => "new blob",
            Self::KnownBlob => "known blob",
            Self::Snapshot => "snapshot",
            Self::Commit => "commit",
            Self::Branch => "branch",
            Self::Acknowledge => "acknowledge",
            Self::Errand(errand) => errand.name(),
        }
    }
}

/// What a writer says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
pub enum Say {
    /// The store is open; these temps of dead writers were removed.
    Ready {
        /// How many orphans.
        orphans: u64,
        /// Objects that an interrupted collection had left to delete.
        condemned: u64,
    },
    /// An errand or a phase of a commit begins.
    Phase {
        /// Which.
        phase: Phase,
    },
    /// The commit is durable: the promise that the runner holds the store to.
    Ack {
        /// The branch that leads to it.
        branch: String,
        /// Its id.
        id: ObjectId,
    },
    /// What the calls of the last commit took.
    Took {
        /// Each of them.
        times: Times,
    },
    /// The errand is durable: another promise.
    Done {
        /// Which.
        errand: Errand,
        /// The key of the pack that it made.
        pack: Option<String>,
    },
    /// The next call will not be made: SIGKILL comes first.
    Dying {
        /// Where.
        step: Step,
        /// The file the call was about.
        path: PathBuf,
    },
    /// The store let the writer down; it ends.
    Failed {
        /// What happened.
        message: String,
        /// Whether the machine is to blame (disk full, ...), not the store.
        environment: bool,
    },
}
