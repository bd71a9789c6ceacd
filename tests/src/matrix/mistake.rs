//! What may be wrong with the store: a barrier that is left out, or a planted mistake.

use plugpull_store::{Barrier, Bug, Options};

/// One row of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// This barrier is left out.
    Without(Barrier),
    /// This mistake is made.
    Planted(Bug),
}

impl Mistake {
    /// All of them: the barriers first.
    pub fn all() -> Vec<Self> {
        let barriers = Barrier::ALL.iter().copied().map(Self::Without);
        barriers.chain(Bug::ALL.iter().copied().map(Self::Planted)).collect()
    }

    /// Its name in the tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Without(barrier) => barrier.name(),
            Self::Planted(bug) => bug.name(),
        }
    }

    /// A store that makes it.
    pub fn options(self) -> Options {
        match self {
            Self::Without(barrier) => Options::default().without(barrier),
            Self::Planted(bug) => Options::default().planted(bug),
        }
    }

    /// The test that shows it, where no run of the matrix can.
    pub fn litmus(self) -> Option<&'static str> {
        match self {
            // Crash states that differ in times only are one to the search.
            Self::Without(Barrier::KnownFile) => Some("the_time_of_an_object_put_again_is_durable"),
            _ => None,
        }
    }
}
