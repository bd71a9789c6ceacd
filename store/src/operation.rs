//! Operations over several files, all or nothing: the end of a merge, and a checkout.
//!
//! What is about to be done is written down first, durably, in `operations/pending`; then it is done, each
//! step by the protocol of every write; then the record is renamed, and removed once that is durable. Whoever
//! opens the store and finds one does the steps again: each leaves what it has done before as it is, so that
//! the power may also go while it is finished. Before the record nothing has changed, after it everything
//! will.
//!
//! One operation is under way at a time; its lock tells one whose process lives from one that died. An
//! error in the middle (a full disk) leaves the record: the operation is finished by the next one, by the
//! next pin, or by the next open. Since every writer takes a pin, and who sets HEAD takes the lock as well,
//! none is taken back by an operation that is finished after it. The commits that an operation names are
//! roots of a garbage collection.
//!
//! Not for a commit of its own, whose last step, the move of a branch, is one step already.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use faultfs::{Access, Fs, FsFile, LockMode};
use serde::{Deserialize, Serialize};

use crate::atomic::{Barriers, parent, replace};
use crate::barrier::Barrier;
use crate::disk::is_there;
use crate::durability::{Reached, Receipt};
use crate::error::{At, Error, Result, found};
use crate::head::Head;
use crate::id::ObjectId;
use crate::lock::lock;
use crate::merge::MergeState;
use crate::name::{Branch, check_snapshot_path};
use crate::open::Store;
use crate::planted::Bug;
use crate::refs::Expected;
use crate::sealed::{Sealed, read_sealed, seal};
use crate::snapshot::Snapshot;
use crate::state::Known;

const RECORD: Barriers = Barriers { file: Barrier::OperationFile, dir: Barrier::OperationDir };

/// What is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "operation", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Operation {
    ConcludeMerge {
        branch: Branch,
        from: ObjectId,
        to: ObjectId,
        state: MergeState,
    },
    Checkout {
        /// Where the files are restored to; absolute.
        work: PathBuf,
        /// `None` of a branch says that HEAD names the commit itself.
        branch: Option<Branch>,
        commit: ObjectId,
        /// Files of the commit before that this one has not.
        removed: BTreeSet<String>,
    },
}

impl Sealed for Operation {
    const KIND: &'static str = "operation";

    fn check(&self) -> std::result::Result<(), String> {
        match self {
            Self::ConcludeMerge { state, .. } => state.check(),
            Self::Checkout { work, removed, .. } if work.is_absolute() => removed
                .iter()
                .try_for_each(|path| check_snapshot_path(path).map_err(|e| e.to_string())),
            Self::Checkout { .. } => Err("its directory is not absolute".to_owned()),
        }
    }
}

impl Operation {
    /// The commits that a garbage collection must not take.
    pub(crate) fn commits(&self) -> Vec<ObjectId> {
        match self {
            Self::ConcludeMerge { from, to, .. } => vec![*from, *to],
            Self::Checkout { commit, .. } => vec![*commit],
        }
    }
}

impl<F: Fs> Store<F> {
    /// Ends the merge that is `state` with the commit `to`: the branch moves there from `state.ours_commit`,
    /// and the merge is no longer in progress; both or neither.
    pub fn conclude_merge(
        &self,
        branch: &Branch,
        to: ObjectId,
        state: &MergeState,
    ) -> Result<Receipt> {
        let _pin = self.pin()?;
        let from = state.ours_commit;
        let reached = self.require::<crate::Commit>(&to, Barrier::CommitOfOperation, &|| {
            format!("the end of the merge into {branch}")
        })?;
        let _lock = self.begin_operations()?;
        Expected::At(from).check(branch, self.read_branch(branch)?)?;
        if self.merge_state()?.as_ref() != Some(state) {
            let (kind, path) = (MergeState::KIND, self.layout().merge_state());
            let problem = "it is not the one in progress";
            return Err(Error::StateConflict { kind, path, problem });
        }
        let (branch, state) = (branch.clone(), state.clone());
        let done = self.operate(&Operation::ConcludeMerge { branch, from, to, state })?;
        Ok(Receipt::created(done.max(reached)))
    }

    /// Restores all files of what `head` names below `work`, removes those that only the commit checked out
    /// before has, and then sets HEAD; all of it or nothing. Other files stay as they are; what is
    /// replaced is lost. `None` for a branch that has no commit.
    pub fn checkout(&self, head: &Head, work: &Path) -> Result<Option<Receipt>> {
        let _pin = self.pin()?;
        let work = std::path::absolute(work).at("find", work)?;
        let (branch, commit) = match head {
            Head::Branch(branch) => (Some(branch.clone()), self.read_branch(branch)?),
            Head::Detached(commit) => (None, Some(*commit)),
        };
        let Some(commit) = commit else { return Ok(None) };
        let reached =
            self.require::<crate::Commit>(&commit, Barrier::CommitOfOperation, &|| {
                "HEAD".to_owned()
            })?;
        let _lock = self.begin_operations()?;
        let removed = self.only_before(&commit)?;
        if self.has(Bug::CheckoutMovesHeadFirst) {
            let _ = self.write_head(head)?;
        }
        let done = self.operate(&Operation::Checkout { work, branch, commit, removed })?;
        Ok(Some(Receipt::created(done.max(reached))))
    }

    /// The files of the commit checked out that another one has not.
    fn only_before(&self, commit: &ObjectId) -> Result<BTreeSet<String>> {
        let before = match self.head()? {
            Some(Head::Branch(branch)) => self.read_branch(&branch)?,
            Some(Head::Detached(id)) => Some(id),
            None => None,
        };
        let Some(before) = before else { return Ok(BTreeSet::new()) };
        let names = |snapshot: Snapshot| -> BTreeSet<String> {
            snapshot.files().map(|(path, _)| path.to_owned()).collect()
        };
        let now = names(self.snapshot_of(commit)?);
        Ok(names(self.snapshot_of(&before)?).difference(&now).cloned().collect())
    }

    fn snapshot_of(&self, commit: &ObjectId) -> Result<Snapshot> {
        let dangling = |what, id: ObjectId| Error::Dangling {
            from: format!("the checkout of {commit}"),
            what,
            id,
        };
        let read = self.read_commit(commit)?.ok_or_else(|| dangling("commit", *commit))?;
        let snapshot = self.read_snapshot(&read.snapshot)?;
        snapshot.ok_or_else(|| dangling("snapshot", read.snapshot))
    }

    /// The lock of operations, with none under way.
    pub(crate) fn begin_operations(&self) -> Result<F::File> {
        let lock = lock(self.fs(), &self.layout().operation_lock(), LockMode::Exclusive)?;
        self.finish_found()?;
        Ok(lock)
    }

    /// Writes down what is done, does it, and removes the record.
    fn operate(&self, operation: &Operation) -> Result<Reached> {
        let text = seal(operation)?;
        let path = self.layout().pending_operation();
        if self.has(Bug::OperationWithoutRecord) {
            return self.carry_out(operation);
        }
        let recorded = replace(self.disk(), &path, &text, RECORD)?.reached;
        match self.carry_out(operation) {
            Err(error) if self.is_undone(operation, &error)? => {
                self.end_operation()?;
                Err(error)
            }
            done => Ok(done?.max(recorded).max(self.end_operation()?)),
        }
    }

    /// Whether nothing of an operation that failed was done: its first step left everything as it was, and
    /// that is sure.
    fn is_undone(&self, operation: &Operation, error: &Error) -> Result<bool> {
        match (operation, error) {
            (Operation::Checkout { .. }, _) | (_, Error::Undecided { .. }) => Ok(false),
            (_, Error::RefConflict { .. }) => Ok(true),
            (Operation::ConcludeMerge { branch, from, .. }, _) => {
                Ok(self.read_branch(branch)? == Some(*from))
            }
        }
    }

    /// Takes the record away. Under its second name it is seen until that is durable: whoever saw neither
    /// name could otherwise change what a power cut brings the record back to do again.
    fn end_operation(&self) -> Result<Reached> {
        let [pending, ended] = [self.layout().pending_operation(), self.layout().ended_operation()];
        found(self.fs().rename(&pending, &ended)).at("rename", &pending)?;
        self.settle_end(Barrier::EndedOperation)
    }

    /// Makes the end of an operation durable, and forgets it.
    fn settle_end(&self, barrier: Barrier) -> Result<Reached> {
        let [pending, ended] = [self.layout().pending_operation(), self.layout().ended_operation()];
        let reached = self.disk().sync_dir(barrier, parent(&ended));
        match reached {
            // It has not ended, then: whoever finds the record does it again.
            Err(_) => drop(self.fs().rename(&ended, &pending)),
            Ok(Reached::Degraded) => {}
            Ok(_) => drop(self.fs().unlink(&ended)),
        }
        reached
    }

    /// The steps; those that were done already are done again, or left alone.
    fn carry_out(&self, operation: &Operation) -> Result<Reached> {
        match operation {
            Operation::ConcludeMerge { branch, from, to, state } => {
                self.finish_merge(branch, (*from, *to), state)
            }
            Operation::Checkout { work, branch, commit, removed } => {
                let files = self.restore_all(work, commit)?;
                let removed = self.remove_all(work, removed)?;
                let head = branch.clone().map_or(Head::Detached(*commit), Head::Branch);
                Ok(files.max(removed).max(self.write_head(&head)?.reached))
            }
        }
    }

    /// Moves the branch unless it has been moved, then and later on, and clears the merge. A branch that has
    /// gone elsewhere is an [`Error::RefConflict`]: nothing of this operation was done, nor will be.
    fn finish_merge(
        &self,
        branch: &Branch,
        (from, to): (ObjectId, ObjectId),
        state: &MergeState,
    ) -> Result<Reached> {
        let moved = match self.update_branch(branch, to, Expected::At(from)) {
            // It was moved, perhaps by one who died before the barrier.
            Err(Error::RefConflict { current, .. }) if current == Some(to) => {
                match self.update_branch(branch, to, Expected::At(to)) {
                    // And moved on this very moment.
                    Err(Error::RefConflict { .. }) => {
                        return self.finish_merge(branch, (from, to), state);
                    }
                    again => again?.reached,
                }
            }
            // It was moved, and has gone on from there.
            Err(Error::RefConflict { current: Some(tip), .. }) if self.is_behind(&to, tip)? => {
                Reached::Durable
            }
            moved => moved?.reached,
        };
        let known = match self.merge_state()? {
            Some(other) if other != *state => return Ok(moved),
            Some(_) => Known::Is(state),
            // The barrier of one who died is missing.
            None => Known::Absent,
        };
        let cleared = self.clear_merge_state(known)?;
        Ok(moved.max(cleared.unwrap_or(Reached::Durable)))
    }

    /// Whether a commit is among those that another one leads to.
    fn is_behind(&self, commit: &ObjectId, tip: ObjectId) -> Result<bool> {
        let (mut seen, mut open) = (BTreeSet::new(), vec![tip]);
        while let Some(id) = open.pop() {
            if id == *commit {
                return Ok(true);
            }
            if seen.insert(id) {
                open.extend(self.read_commit(&id)?.into_iter().flat_map(|found| found.parents));
            }
        }
        Ok(false)
    }

    fn restore_all(&self, work: &Path, commit: &ObjectId) -> Result<Reached> {
        let mut reached = Reached::Durable;
        for (path, entry) in self.snapshot_of(commit)?.files() {
            let restored = self.restore(&entry.id, &work.join(path), entry.executable)?;
            let missing = || Error::Dangling {
                from: format!("{path:?} of the checkout"),
                what: "blob",
                id: entry.id,
            };
            reached = reached.max(restored.ok_or_else(missing)?.reached);
        }
        Ok(reached)
    }

    fn remove_all(&self, work: &Path, paths: &BTreeSet<String>) -> Result<Reached> {
        let mut dirs = BTreeSet::new();
        for path in paths {
            let path = work.join(path);
            let was_there = found(self.fs().unlink(&path)).at("remove", &path)?.is_some();
            let dir = parent(&path);
            // Also when it was not there: who removed it may have died before the barrier.
            if was_there || is_there(self.fs(), dir)? {
                dirs.insert(dir.to_owned());
            }
        }
        let mut reached = Reached::Durable;
        for dir in dirs {
            reached = reached.max(self.disk().sync_dir(Barrier::CheckedOutRemovals, &dir)?);
        }
        Ok(reached)
    }

    /// Finishes the operation of a process that died; says whether there was one.
    pub(crate) fn finish_operation(&self) -> Result<bool> {
        if !is_there(self.fs(), &self.layout().pending_operation())? && !self.has_ended()? {
            return Ok(false);
        }
        // The pin first, as in every operation: a collection may wait for one who waits for the lock.
        let _pin = self.pin_as_it_is()?;
        let path = self.layout().operation_lock();
        let lock = self.fs().open(&path, Access::Read).at("open", &path)?;
        // Whoever holds it lives, and is about to finish it.
        if !lock.try_lock(LockMode::Exclusive).at("lock", &path)? {
            return Ok(false);
        }
        self.finish_found()
    }

    /// Gives up an operation that cannot be finished, since its directory is gone for good: what was done of
    /// it stays, the rest is never done. Says whether there was one.
    pub fn abandon_operation(&self) -> Result<bool> {
        let _pin = self.pin_as_it_is()?;
        let _lock = lock(self.fs(), &self.layout().operation_lock(), LockMode::Exclusive)?;
        let was_there = is_there(self.fs(), &self.layout().pending_operation())?;
        let _ = self.end_found()?;
        Ok(was_there)
    }

    /// Finishes what is recorded; the caller has the lock.
    fn finish_found(&self) -> Result<bool> {
        let Some(operation) = self.pending()? else {
            if self.has_ended()? {
                let _ = self.settle_end(Barrier::KnownEnd)?;
            }
            return Ok(false);
        };
        // Whoever wrote it may have died before this barrier; without it half of what follows could stay.
        let operations = self.layout().operations();
        let _ = self.disk().sync_dir(Barrier::KnownOperation, &operations)?;
        match self.carry_out(&operation) {
            // Its branch has gone elsewhere, so there is nothing to finish.
            Err(Error::RefConflict { .. }) => {}
            done => drop(done?),
        }
        let _ = self.end_found()?;
        Ok(true)
    }

    /// Ends an operation that somebody else recorded. Where renames are not atomic, a power cut leaves one
    /// record under both names, and rename(2) lets two names of one file be.
    fn end_found(&self) -> Result<Reached> {
        let ended = self.layout().ended_operation();
        found(self.fs().unlink(&ended)).at("remove", &ended)?;
        self.end_operation()
    }

    /// Whether an operation has ended, and nobody knows whether that is durable.
    fn has_ended(&self) -> Result<bool> {
        is_there(self.fs(), &self.layout().ended_operation())
    }

    fn pending(&self) -> Result<Option<Operation>> {
        read_sealed(self.fs(), &self.layout().pending_operation())
    }

    /// The commits of the operation under way.
    pub(crate) fn commits_of_operation(&self) -> Result<Vec<ObjectId>> {
        Ok(self.pending()?.iter().flat_map(Operation::commits).collect())
    }
}
