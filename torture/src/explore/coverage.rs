//! What a search looked at and what it left out: every report states it.

use std::fmt;

/// A part of the search; each looks at more than the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// For each crash point everything kept, and only the durable kept.
    T0,
    /// One effect dropped with all that needs it, or kept with all that it needs.
    T1,
    /// Every legal set of every window that is not too large.
    T2,
    /// For the windows that were too large: two effects dropped, then random sets.
    T3,
}

impl Tier {
    /// All tiers, in their order.
    pub const ALL: [Self; 4] = [Self::T0, Self::T1, Self::T2, Self::T3];
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "T{}", *self as u8)
    }
}

/// What was looked at in one tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TierCount {
    /// The tier.
    pub tier: Tier,
    /// Legal sets that it made.
    pub enumerated: u64,
    /// Those of them whose state no tier had seen before.
    pub distinct: u64,
    /// Whether it came to its end.
    pub complete: bool,
}

/// A crash point with too many legal sets to go through them all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The crash point.
    pub point: u32,
    /// How many effects are pending there.
    pub pending: usize,
}

/// What a search looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// Crash points of the run.
    pub points: u32,
    /// The tiers that were begun.
    pub tiers: Vec<TierCount>,
    /// The crash points whose legal sets tier 2 did not go through.
    pub skipped: Vec<Skipped>,
}

impl Coverage {
    /// Nothing of a run with so many crash points.
    pub fn new(points: u32) -> Self {
        Self { points, tiers: Vec::new(), skipped: Vec::new() }
    }

    /// Distinct states that were looked at.
    pub fn states(&self) -> u64 {
        self.tiers.iter().map(|count| count.distinct).sum()
    }

    /// Legal sets that were made.
    pub fn enumerated(&self) -> u64 {
        self.tiers.iter().map(|count| count.enumerated).sum()
    }

    /// Whether every tier that was begun came to its end.
    pub fn is_complete(&self) -> bool {
        self.tiers.iter().all(|count| count.complete)
    }

    /// Whether every legal set of every crash point was looked at.
    pub fn is_exhaustive(&self) -> bool {
        let exhaustive = |count: &TierCount| count.tier == Tier::T2 && count.complete;
        self.skipped.is_empty() && self.tiers.iter().any(exhaustive)
    }

    pub(super) fn begin(&mut self, tier: Tier) {
        self.tiers.push(TierCount { tier, enumerated: 0, distinct: 0, complete: false });
    }

    pub(super) fn complete(&mut self) {
        self.last().complete = true;
    }

    pub(super) fn last(&mut self) -> &mut TierCount {
        self.tiers.last_mut().expect("a tier was begun")
    }
}
