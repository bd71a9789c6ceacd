//! Errands: what a writer does between two commits, so that the whole store is under the kills.
//!
//! A run draws from its seed which errands there are and how often each is done; some are switched off,
//! since what is always there hides what only shows without it (swarm testing: Groce et al., ISSTA
//! 2012). Each errand of a writer ends with one value in the store that says which [`Work`] it belongs
//! to; the next one of its kind replaces it. So after a kill the value is the last one that was
//! acknowledged, or one that was begun since.
//!
//! [`perform`] does an errand, [`seen`] reads its value back, [`promises`] holds both together. Not for
//! commits, which are the work itself.

pub mod perform;
pub mod promises;
pub mod seen;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::workload::Work;

/// Weight of doing nothing between two commits, beside the weights of all errands.
const NOTHING: u32 = 6;

/// Largest weight of an errand that is switched on.
const MOST: u32 = 4;

/// One kind of operation beside commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Errand {
    /// Restores an object to a file outside the store.
    Restore,
    /// Begins a merge and ends it.
    Merge,
    /// Begins a rebase, goes on with it and ends it.
    Rebase,
    /// Reserves an address, says what for, and gives an older reservation back.
    Reserve,
    /// Appends to the operation log, and now and then writes a checkpoint and compacts it.
    Log,
    /// Fetches a pack, and now and then sweeps.
    Pack,
    /// Says in the settings where a remote of its own is.
    Config,
    /// Checks out a commit to a directory outside the store.
    Checkout,
}

/// What the value of an errand is to be afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// It stays until the next one of the same writer.
    Stays,
    /// It goes: it is there only while the errand is under way, or if it was killed.
    Goes,
}

impl Errand {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Restore,
        Self::Merge,
        Self::Rebase,
        Self::Reserve,
        Self::Log,
        Self::Pack,
        Self::Config,
        Self::Checkout,
    ];

    /// Its name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Restore => "restore",
            Self::Merge => "merge",
            Self::Rebase => "rebase",
            Self::Reserve => "reserve",
            Self::Log => "log",
            Self::Pack => "pack",
            Self::Config => "config",
            Self::Checkout => "checkout",
        }
    }

    /// What its value is to be afterwards.
    pub fn rule(self) -> Rule {
        match self {
            // Its pack is known by a key.
            Self::Merge | Self::Rebase | Self::Pack => Rule::Goes,
            Self::Restore | Self::Reserve | Self::Log | Self::Config | Self::Checkout => {
                Rule::Stays
            }
        }
    }

    /// The errand of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|errand| errand.name() == name)
    }
}

/// Which errands a run has, and how often each is done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errands {
    /// Weights, none of them 0.
    weights: Vec<(Errand, u32)>,
}

impl Errands {
    /// Those that `seed` draws: each is off in every fourth run.
    pub fn draw(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed ^ 0x6572_7261_6e64);
        let weights = Errand::ALL.map(|errand| (errand, rng.u32(1..=MOST), rng.u8(0..4)));
        let on = weights.into_iter().filter(|(_, _, quarter)| *quarter > 0);
        Self { weights: on.map(|(errand, weight, _)| (errand, weight)).collect() }
    }

    /// These, each as often as any other.
    pub fn of(errands: impl IntoIterator<Item = Errand>) -> Self {
        Self { weights: errands.into_iter().map(|errand| (errand, MOST)).collect() }
    }

    /// Which there are.
    pub fn all(&self) -> impl Iterator<Item = Errand> {
        self.weights.iter().map(|(errand, _)| *errand)
    }

    /// The errand that comes before this commit, if one does.
    pub fn before(&self, seed: u64, work: Work) -> Option<Errand> {
        let all: u32 = self.weights.iter().map(|(_, weight)| weight).sum();
        let mut drawn = work.rng(!seed).u32(0..all + NOTHING);
        for (errand, weight) in &self.weights {
            if drawn < *weight {
                return Some(*errand);
            }
            drawn -= weight;
        }
        None
    }
}

/// The errands with their weights, as the report's first lines have them.
impl fmt::Display for Errands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.weights.is_empty() {
            return write!(f, "none");
        }
        let words =
            self.weights.iter().map(|(errand, weight)| format!("{} {weight}", errand.name()));
        write!(f, "{}", words.collect::<Vec<_>>().join(", "))
    }
}
