//! Deliberate mistakes, to show that the harness finds them.
//!
//! Without the feature `planted` (the default) there is none: [`Planted::has`] and
//! [`Planted::leaves_out`] are a constant `false` and the compiler drops the branches. A mistake sits
//! beside the line it breaks, so that a reader sees what the right line is for; where it needs more
//! than a line, that is in `planted/wrong.rs`.

mod bug;
pub(crate) mod wrong;

use crate::barrier::Barrier;
pub use bug::{Bug, Run};

/// The mistakes switched on in one store, if any.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Planted {
    #[cfg(feature = "planted")]
    bug: Option<Bug>,
    /// One bit a barrier.
    #[cfg(feature = "planted")]
    left_out: u128,
}

#[cfg(feature = "planted")]
impl Planted {
    pub(crate) fn with(self, bug: Bug) -> Self {
        Self { bug: Some(bug), ..self }
    }

    pub(crate) fn without(self, barrier: Barrier) -> Self {
        Self { left_out: self.left_out | 1 << barrier as u32, ..self }
    }

    pub(crate) fn has(self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    pub(crate) fn leaves_out(self, barrier: Barrier) -> bool {
        let by_bug = self.bug.is_some_and(|bug| bug.omits().contains(&barrier));
        by_bug || self.left_out & 1 << barrier as u32 != 0
    }
}

#[cfg(not(feature = "planted"))]
#[expect(clippy::unused_self, reason = "with the feature it has fields")]
impl Planted {
    pub(crate) fn has(self, _: Bug) -> bool {
        false
    }

    pub(crate) fn leaves_out(self, _: Barrier) -> bool {
        false
    }
}

// One bit a barrier.
const _: () = assert!(Barrier::ALL.len() <= 128);
