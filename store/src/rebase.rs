//! The rebase in progress: where it began, what is done and what is left to do.
//!
//! Written before each step, so that a killed rebase goes on or goes back. A corrupt state is an error,
//! never "no rebase". Not for replaying commits.

use std::path::PathBuf;

use faultfs::Fs;
use serde::{Deserialize, Serialize};

use crate::durability::{Reached, Receipt};
use crate::error::Result;
use crate::id::ObjectId;
use crate::layout::Layout;
use crate::name::Branch;
use crate::open::Store;
use crate::sealed::Sealed;
use crate::state::{Known, State};

/// A rebase that is not finished.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RebaseState {
    /// The branch that is rebased.
    pub original_branch: Branch,
    /// Where it was.
    pub original_head: ObjectId,
    /// The commit that its own ones are put upon.
    pub onto: ObjectId,
    /// The commits that are still to be replayed, the next one first.
    pub remaining: Vec<ObjectId>,
    /// What was made of those that were, the first one first.
    pub completed: Vec<ObjectId>,
    /// Whether all of them become one commit.
    pub squash: bool,
}

impl Sealed for RebaseState {
    const KIND: &'static str = "rebase state";
}

impl State for RebaseState {
    fn path(layout: &Layout) -> PathBuf {
        layout.rebase_state()
    }

    fn commits(&self) -> Vec<ObjectId> {
        let ends = [self.original_head, self.onto].into_iter();
        ends.chain(self.remaining.iter().chain(&self.completed).copied()).collect()
    }
}

impl<F: Fs> Store<F> {
    /// The rebase in progress; `None` when there is none.
    pub fn rebase_state(&self) -> Result<Option<RebaseState>> {
        self.state()
    }

    /// Begins a rebase, or goes on with the one that is `known`. All its commits must be in the store.
    pub fn write_rebase_state(
        &self,
        state: &RebaseState,
        known: Known<'_, RebaseState>,
    ) -> Result<Receipt> {
        self.write_state(state, known)
    }

    /// Ends the rebase that is `known`; `None` when there was none, else how durable the end is.
    pub fn clear_rebase_state(&self, known: Known<'_, RebaseState>) -> Result<Option<Reached>> {
        self.clear_state(known)
    }
}
