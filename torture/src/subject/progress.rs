//! Merges and rebases of a run: carrying them out, and what is wrong with the one that is found.
//!
//! A state is known by the hash of its value, and leads to the commits it names. Not for when which state
//! is owed: see `owed`.

use faultfs::{Fs, SimFs};
use plugpull_store::{
    Branch, Error, Known, MergeState, ObjectId, Reached, RebaseState, Result, Store,
};
use serde::Serialize;

use super::STORE;
use super::marks::Mark;
use super::perform::Writer;

/// What may be in progress: the names in Marks, and their files.
pub(super) const MERGE: &str = "merge";
pub(super) const REBASE: &str = "rebase";

/// The id of a state's value.
fn id_of<T: Serialize>(state: &T) -> (ObjectId, Vec<u8>) {
    let text = serde_json::to_vec(state).unwrap_or_default();
    (ObjectId::of(&text), text)
}

impl<F: Fs> Writer<'_, F> {
    /// Begins a merge, or goes on with whatever there is.
    pub(super) fn merge(&self, ours: &Branch, theirs: &Branch, path: &str) -> Result<()> {
        let _held = self.pin()?;
        let [ours, tip] = [self.store.read_branch(ours)?, self.store.read_branch(theirs)?];
        match (ours, tip) {
            (Some(ours), Some(tip)) => self.write_merge(ours, tip, Some(theirs), path),
            _ => Ok(()),
        }
    }

    pub(super) fn write_merge(
        &self,
        ours: ObjectId,
        theirs: ObjectId,
        branch: Option<&Branch>,
        path: &str,
    ) -> Result<()> {
        let state = MergeState {
            base_commit: ours,
            ours_commit: ours,
            theirs_commit: theirs,
            conflict_paths: [path.to_owned()].into(),
            other_branch: branch.cloned(),
        };
        let (id, text) = id_of(&state);
        self.journal.writing(&text, vec![ours, theirs]);
        let known = self.store.merge_state()?;
        self.change(MERGE, Some(id), || {
            let known = known.as_ref().map_or(Known::Absent, Known::Is);
            self.store.write_merge_state(&state, known).map(|receipt| receipt.reached)
        })
    }

    pub(super) fn end_merge(&self) -> Result<()> {
        self.change(MERGE, None, || {
            let ended = self.store.clear_merge_state(Known::Any)?;
            Ok(ended.unwrap_or(Reached::Durable))
        })
    }

    /// Begins a rebase of one branch upon another, or does the next step of the one in progress.
    pub(super) fn rebase(&self, branch: &Branch, onto: &Branch) -> Result<()> {
        let _held = self.pin()?;
        let known = self.store.rebase_state()?;
        let mut state = match (&known, self.store.read_branch(branch)?) {
            (Some(known), _) => known.clone(),
            (None, Some(head)) => {
                let Some(onto) = self.store.read_branch(onto)? else { return Ok(()) };
                let (remaining, completed) = (vec![head, head], Vec::new());
                let original_branch = branch.clone();
                let original_head = head;
                let squash = false;
                RebaseState { original_branch, original_head, onto, remaining, completed, squash }
            }
            (None, None) => return Ok(()),
        };
        if known.is_some() {
            match state.remaining.pop() {
                Some(done) => state.completed.push(done),
                None => state.squash = !state.squash,
            }
        }
        let (id, text) = id_of(&state);
        let others = state.remaining.iter().chain(&state.completed).copied();
        let leads_to = others.chain([state.original_head, state.onto]).collect();
        self.journal.writing(&text, leads_to);
        self.change(REBASE, Some(id), || {
            let known = known.as_ref().map_or(Known::Absent, Known::Is);
            self.store.write_rebase_state(&state, known).map(|receipt| receipt.reached)
        })
    }

    pub(super) fn end_rebase(&self) -> Result<()> {
        self.change(REBASE, None, || {
            let ended = self.store.clear_rebase_state(Known::Any)?;
            Ok(ended.unwrap_or(Reached::Durable))
        })
    }

    /// A change of what is in progress, or of a setting, with its Marks.
    pub(super) fn change(
        &self,
        what: &'static str,
        to: Option<ObjectId>,
        change: impl FnOnce() -> Result<Reached>,
    ) -> Result<()> {
        self.journal.mark(Mark::Changing { what, to });
        match change() {
            Ok(reached) => self.settle(reached, Mark::Changed { what, to }),
            Err(error @ Error::Undecided { .. }) => return Err(error),
            Err(error) => {
                self.journal.mark(Mark::Unchanged { what, to });
                return Err(error);
            }
        }
        Ok(())
    }
}

/// Where it stands.
pub(super) fn place(what: &str) -> String {
    match what {
        MERGE | REBASE => format!("{what} in progress"),
        setting => format!("{STORE}/config.toml, {setting}"),
    }
}

/// What is in progress in a store, by the names in Marks.
pub(super) fn found(store: &Store<SimFs>) -> [(&'static str, Result<Option<ObjectId>>); 2] {
    let merge = store.merge_state().map(|state| state.map(|state| id_of(&state).0));
    let rebase = store.rebase_state().map(|state| state.map(|state| id_of(&state).0));
    [(MERGE, merge), (REBASE, rebase)]
}
