//! One batch of commits: their branches move together.
//!
//! All objects are durable already. Each branch is compared under its lock and moved, and then their directories are synced, each
//! once. A member that fails drops out, and the others go on without it.
//!
//! Not for who is in a batch: see `core`. Not for the objects: see `objects`.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use faultfs::Fs;

use super::draft::Tip;
use crate::atomic::parent;
use crate::barrier::Barrier;
use crate::durability::{Outcome, Reached, Receipt};
use crate::error::{Error, Result};
use crate::id::ObjectId;
use crate::name::Branch;
use crate::object::Put;
use crate::open::Store;
use crate::planted::Bug;
use crate::temp::{Loose, Temp};
use crate::undo::Undo;

/// Runs a batch; the answers are in the order of the tips.
pub(super) fn run<F: Fs>(store: &Store<F>, tips: Vec<Tip<Loose<F::File>>>) -> Vec<Result<Put>> {
    let member = |tip: Tip<_>| Member { failed: None, tip: tip.take(store.disk()) };
    let mut batch = Batch { store, members: tips.into_iter().map(member).collect() };
    batch.move_branches();
    batch.members.into_iter().map(Member::answer).collect()
}

struct Batch<'s, F: Fs> {
    store: &'s Store<F>,
    members: Vec<Member<'s, F>>,
}

struct Member<'s, F: Fs> {
    tip: Tip<Temp<'s, F>>,
    /// Why it dropped out.
    failed: Option<Error>,
}

impl<F: Fs> Member<'_, F> {
    /// Takes note of what one of its barriers reached.
    fn note(&mut self, passed: Result<Reached>) {
        match passed {
            Ok(reached) => self.tip.reached = self.tip.reached.max(reached),
            Err(error) => drop(self.failed.get_or_insert(error)),
        }
    }

    fn answer(self) -> Result<Put> {
        let Tip { commit, reached, .. } = self.tip;
        let receipt = Receipt { outcome: Outcome::Created, reached };
        self.failed.map_or(Ok(Put { id: commit, receipt }), Err)
    }
}

impl<'s, F: Fs> Batch<'s, F> {
    /// Those that have not dropped out, with their numbers.
    fn live(&mut self) -> impl Iterator<Item = (usize, &mut Member<'s, F>)> {
        self.members.iter_mut().enumerate().filter(|(_, member)| member.failed.is_none())
    }

    /// Moves the branches, each from where its member expects it.
    fn move_branches(&mut self) {
        let store = self.store;
        let _locks = self.lock_branches();
        self.compare();
        let path =
            |(n, member): (_, &mut Member<'s, F>)| (n, store.layout().branch(&member.tip.branch));
        let paths: Vec<_> = self.live().map(path).collect();
        let mut dirs = BTreeMap::<_, Vec<_>>::new();
        for (n, path) in &paths {
            let Some(member) = self.members.get_mut(*n) else { continue };
            match swap(store, member, path) {
                Ok(Swapped::Renamed(undo)) => {
                    dirs.entry(parent(path)).or_default().push((*n, undo));
                }
                Ok(Swapped::Written(reached)) => member.note(Ok(reached)),
                Err(error) => member.note(Err(error)),
            }
        }
        for (dir, moved) in dirs {
            let passed = store.disk().sync_dir(Barrier::GroupTips, dir);
            for (place, (n, undo)) in moved.into_iter().enumerate() {
                let told = told(store, &passed, place);
                let Some(member) = self.members.get_mut(n) else { continue };
                let kept = undo.unless(told, Some(member.tip.file.file()));
                member.note(kept);
            }
        }
    }

    /// The locks of all branches of the batch, in one order for everybody.
    fn lock_branches(&mut self) -> Vec<F::File> {
        let store = self.store;
        let mut numbers = BTreeMap::<_, Vec<_>>::new();
        for (n, member) in self.live() {
            let number = Store::<F>::ref_lock_number(member.tip.branch.as_str());
            numbers.entry(number).or_default().push(n);
        }
        let mut locks = Vec::new();
        for (number, members) in numbers {
            match store.lock_ref_number(number) {
                Ok(lock) => locks.push(lock),
                Err(error) => {
                    for n in members {
                        self.members
                            .get_mut(n)
                            .into_iter()
                            .for_each(|m| m.note(Err(error.again())));
                    }
                }
            }
        }
        locks
    }

    /// Compares each branch with what is expected, as if the members came one after another: of two that
    /// expect the same the second comes too late.
    fn compare(&mut self) {
        let store = self.store;
        let mut now = BTreeMap::<Branch, Option<ObjectId>>::new();
        for (_, member) in self.live() {
            let branch = member.tip.branch.clone();
            let current = match now.get(&branch) {
                Some(current) => Ok(*current),
                None => store.read_branch(&branch),
            };
            let expected = member.tip.parent;
            match current {
                Ok(current) if current == expected => {
                    now.insert(branch, Some(member.tip.commit));
                }
                Ok(current) => {
                    let branch = branch.to_string();
                    member.note(Err(Error::RefConflict { branch, expected, current }));
                }
                Err(error) => member.note(Err(error)),
            }
        }
    }
}

/// What a member is told of a barrier that it shares.
fn told<F: Fs>(store: &Store<F>, passed: &Result<Reached>, place: usize) -> Result<Reached> {
    match passed {
        Ok(reached) => Ok(*reached),
        Err(_) if store.has(Bug::GroupErrorToFirst) && place > 0 => Ok(Reached::Durable),
        Err(error) => Err(error.again()),
    }
}

/// How a branch was moved.
enum Swapped<'p, F: Fs> {
    /// The barrier of its directory is missing.
    Renamed(Undo<'p, F>),
    /// By a write of its own, with all barriers.
    Written(Reached),
}

/// Gives a branch file its name.
fn swap<'p, F: Fs>(
    store: &'p Store<F>,
    member: &mut Member<'_, F>,
    path: &'p Path,
) -> Result<Swapped<'p, F>> {
    let undo = Undo::before(store.disk(), path)?;
    match member.tip.file.rename(path) {
        Ok(()) => Ok(Swapped::Renamed(undo)),
        // Its folder was removed as empty meanwhile, or an empty folder stands there.
        Err(Error::Io { source, .. })
            if matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::IsADirectory) =>
        {
            let written = store.write_branch(&member.tip.branch, &member.tip.commit)?;
            Ok(Swapped::Written(written.reached))
        }
        Err(error) => Err(error),
    }
}
