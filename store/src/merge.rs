//! The merge in progress: what is merged with what, and which paths conflict.
//!
//! Written when a merge stops at conflicts and cleared when it is committed or given up. A corrupt state
//! is an error, never "no merge": the next commit would else lose its second parent without a word. Not
//! for merging files.

use std::collections::BTreeSet;
use std::path::PathBuf;

use faultfs::Fs;
use serde::{Deserialize, Serialize};

use crate::durability::{Reached, Receipt};
use crate::error::Result;
use crate::id::ObjectId;
use crate::layout::Layout;
use crate::name::{Branch, check_snapshot_path};
use crate::open::Store;
use crate::sealed::Sealed;
use crate::state::{Known, State};

/// A merge that is not finished.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MergeState {
    /// The commit that both sides come from.
    pub base_commit: ObjectId,
    /// The commit that is merged into.
    pub ours_commit: ObjectId,
    /// The commit that is merged.
    pub theirs_commit: ObjectId,
    /// The paths of the snapshot that both sides changed.
    pub conflict_paths: BTreeSet<String>,
    /// The branch that is merged, if it is one.
    pub other_branch: Option<Branch>,
}

impl Sealed for MergeState {
    const KIND: &'static str = "merge state";

    fn check(&self) -> std::result::Result<(), String> {
        let check = |path: &String| check_snapshot_path(path).map_err(|e| e.to_string());
        self.conflict_paths.iter().try_for_each(check)
    }
}

impl State for MergeState {
    fn path(layout: &Layout) -> PathBuf {
        layout.merge_state()
    }

    fn commits(&self) -> Vec<ObjectId> {
        vec![self.base_commit, self.ours_commit, self.theirs_commit]
    }
}

impl<F: Fs> Store<F> {
    /// The merge in progress; `None` when there is none.
    pub fn merge_state(&self) -> Result<Option<MergeState>> {
        self.state()
    }

    /// Begins a merge, or goes on with the one that is `known`. All its commits must be in the store.
    pub fn write_merge_state(
        &self,
        state: &MergeState,
        known: Known<'_, MergeState>,
    ) -> Result<Receipt> {
        self.write_state(state, known)
    }

    /// Ends the merge that is `known`; `None` when there was none, else how durable the end is.
    pub fn clear_merge_state(&self, known: Known<'_, MergeState>) -> Result<Option<Reached>> {
        self.clear_state(known)
    }
}
