//! Group commit: commits of several threads share their barriers.
//!
//! A commit is blobs, a snapshot, a commit object and the move of a branch. Each writer makes its objects durable by itself,
//! beside the others: `draft` writes the files, `objects` names them. Then `core` makes the writers that are there one batch, and `batch`
//! moves their branches together. Nothing is acknowledged before its barriers, each writer has an answer of its own, and an
//! error of a barrier reaches those whose commit needed it and nobody else.
//!
//! Not for several processes: each has its own batches. Not for commits that build on each other in one
//! batch: who does not know that the parent is there yet has no parent to name.

mod batch;
#[expect(dead_code, reason = "its mistakes are made by tests/suite/group_core only")]
mod core;
mod draft;
mod objects;
pub(crate) mod sync;

use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use faultfs::Fs;

use crate::error::{Error, Result};
use crate::id::ObjectId;
use crate::name::Branch;
use crate::object::Put;
use crate::open::Store;
use crate::planted::Bug;
use crate::temp::Loose;
use core::Group;
pub(crate) use core::Mistake;
use draft::{Stage, Tip};

/// Where the commits of one open store meet.
pub(crate) type Commits<F> = Group<Tip<Loose<<F as Fs>::File>>, Result<Put>>;

/// A whole commit: what it holds, and the branch that it moves.
#[derive(Clone, Debug)]
pub struct CommitRequest<'r> {
    /// The branch.
    pub branch: &'r Branch,
    /// Where the branch is, which becomes the commit's first parent; `None` for a branch that does not
    /// exist.
    pub parent: Option<ObjectId>,
    /// Further parents.
    pub merged: &'r [ObjectId],
    /// All files of the commit: relative path and content.
    pub files: Vec<(&'r str, NewFile<'r>)>,
    /// Who makes it.
    pub author: &'r str,
    /// Why.
    pub message: &'r str,
    /// When, in whole seconds since 1970-01-01T00:00:00Z.
    pub time: i64,
}

/// A file of a commit.
#[derive(Clone, Copy, Debug)]
pub struct NewFile<'r> {
    /// Whether a restored copy may be executed.
    pub executable: bool,
    /// What is in it.
    pub content: Content<'r>,
}

/// The content of a file.
#[derive(Clone, Copy, Debug)]
pub enum Content<'r> {
    /// These bytes.
    Bytes(&'r [u8]),
    /// An object that is in the store.
    Object(ObjectId),
}

impl<'r> From<&'r [u8]> for NewFile<'r> {
    fn from(bytes: &'r [u8]) -> Self {
        Self { executable: false, content: Content::Bytes(bytes) }
    }
}

impl<F: Fs> Store<F> {
    /// Makes a whole commit durable, and the branch that leads to it; shares the barriers with other
    /// threads that do the same on this open store. The answer names the commit.
    ///
    /// The branch moves only from `parent`, else it is [`Error::RefConflict`] and nothing was stored that
    /// a garbage collection would not take: read the branch and try again.
    pub fn commit(&self, request: &CommitRequest<'_>) -> Result<Put> {
        let _pin = self.pin()?;
        let mut draft = self.draft(request)?;
        if !self.has(Bug::GroupNamesFirst) {
            draft.sync(self)?;
        }
        draft.name(self, Stage::Blobs)?;
        draft.name(self, Stage::Snapshots)?;
        // One barrier more, and it is there: from here on a leader waits for it.
        let coming = self.commits().announce();
        draft.name(self, Stage::Commits)?;
        if self.has(Bug::GroupNamesFirst) {
            draft.sync(self)?;
        }
        let pass = self.fs().turns().map(|turns| move || turns.pass());
        let pass = pass.as_ref().map(|pass| pass as &dyn Fn());
        let run = &mut |tips| batch::run(self, tips);
        coming
            .submit(draft.tip.let_go(), pass, run)
            .unwrap_or_else(|| Err(Error::Abandoned { branch: request.branch.to_string() }))
    }
}

/// Takes a lock that its holders keep over calls of the file system. Where threads take turns, who would
/// sleep passes the turn. What it guards is right whenever it is free, so a panic does not spoil it.
pub(crate) fn lock<'m, T, F: Fs>(mutex: &'m Mutex<T>, fs: &F) -> MutexGuard<'m, T> {
    let Some(turns) = fs.turns() else {
        return mutex.lock().unwrap_or_else(PoisonError::into_inner);
    };
    loop {
        match mutex.try_lock() {
            Ok(guard) => return guard,
            Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => turns.pass(),
        }
    }
}
