//! Operations in progress, a file each: begun, gone on with and ended by compare-and-swap.
//!
//! All of them share one lock, which is held from reading the old value until the new one is durable. The
//! commits they name are roots of a garbage collection, so they must be in the store and durable first.
//! Not for what the states mean: see `merge` and `rebase`.

use std::path::{Path, PathBuf};

use faultfs::{Fs, LockMode};

use crate::atomic::{Barriers, remove, replace};
use crate::barrier::Barrier;
use crate::commit::Commit;
use crate::durability::{Reached, Receipt};
use crate::error::{Error, Result};
use crate::id::ObjectId;
use crate::layout::Layout;
use crate::lock::lock;
use crate::open::Store;
use crate::planted::{Bug, wrong};
use crate::sealed::{Sealed, read_sealed, seal};

const STATE: Barriers = Barriers { file: Barrier::StateFile, dir: Barrier::StateDir };

/// What the caller believes to be in progress before changing it.
#[derive(Debug, PartialEq, Eq)]
pub enum Known<'a, T> {
    /// Nothing.
    Absent,
    /// This.
    Is(&'a T),
    /// Whatever it is, also something unreadable. For repair, not for everyday.
    Any,
}

impl<T> Clone for Known<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Known<'_, T> {}

/// A kind of operation that may be in progress.
pub(crate) trait State: Sealed + PartialEq {
    /// Its file.
    fn path(layout: &Layout) -> PathBuf;

    /// The commits that a garbage collection must not take.
    fn commits(&self) -> Vec<ObjectId>;
}

/// Fails unless the file is as the caller believes.
fn check<T: State>(known: Known<'_, T>, path: &Path, read: Result<Option<T>>) -> Result<()> {
    let problem = match (known, read) {
        (Known::Any, _) | (Known::Absent, Ok(None)) => return Ok(()),
        (Known::Is(known), Ok(Some(found))) if found == *known => return Ok(()),
        (_, Err(error)) => return Err(error),
        (Known::Absent, Ok(Some(_))) => "there is one in progress already",
        (Known::Is(_), Ok(None)) => "there is none in progress",
        (Known::Is(_), Ok(Some(_))) => "it has gone on meanwhile",
    };
    Err(Error::StateConflict { kind: T::KIND, path: path.to_owned(), problem })
}

impl<F: Fs> Store<F> {
    pub(crate) fn state<T: State>(&self) -> Result<Option<T>> {
        read_sealed(self.fs(), &T::path(self.layout())).map_err(|error| match error {
            Error::Corrupt { path, problem } => {
                let command = T::KIND.replace(' ', "-");
                let root = self.layout().root().display();
                let remedy = format!("`plugpull store {command} {root} --clear --force`");
                let problem = format!("{problem}; if it is lost, give it up with {remedy}");
                Error::Corrupt { path, problem }
            }
            error => error,
        })
    }

    pub(crate) fn write_state<T: State>(&self, state: &T, known: Known<'_, T>) -> Result<Receipt> {
        let text = seal(state)?;
        let _pin = self.pin()?;
        let from = || format!("the {}", T::KIND);
        let mut reached = Reached::Durable;
        for commit in state.commits() {
            let commit = self.require::<Commit>(&commit, Barrier::CommitOfState, &from)?;
            reached = reached.max(commit);
        }
        let _lock = self.lock_state()?;
        let path = T::path(self.layout());
        check(known, &path, self.state())?;
        if self.has(Bug::StateInPlace) {
            return wrong::cut_and_write(self.fs(), &path, &text);
        }
        Ok(replace(self.disk(), &path, &text, STATE)?.after(reached))
    }

    pub(crate) fn clear_state<T: State>(&self, known: Known<'_, T>) -> Result<Option<Reached>> {
        // No collection may take what it leads to before the end is certain.
        let _pin = self.pin()?;
        let _lock = self.lock_state()?;
        let path = T::path(self.layout());
        check(known, &path, self.state())?;
        remove(self.disk(), &path, Barrier::ClearedState)
    }

    fn lock_state(&self) -> Result<F::File> {
        lock(self.fs(), &self.layout().state_lock(), LockMode::Exclusive)
    }

    /// The commits of everything in progress.
    pub(crate) fn commits_in_progress(&self) -> Result<Vec<ObjectId>> {
        if self.has(Bug::GcIgnoresStates) {
            return Ok(Vec::new());
        }
        let mut commits = Vec::new();
        commits.extend(self.merge_state()?.iter().flat_map(State::commits));
        commits.extend(self.rebase_state()?.iter().flat_map(State::commits));
        commits.extend(self.commits_of_operation()?);
        Ok(commits)
    }
}
