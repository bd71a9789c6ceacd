//! One batch of commits, taken through the same phases together.
//!
//! The bytes of every file are durable already. The blobs of all get their names and the directories of
//! these are synced, each once; then the snapshots, then the commits; then the branches move, each compared under its
//! lock, and their directories are synced. So in no crash state does anything lead to something missing.
//!
//! A member that fails drops out, and the others go on without it. Not for who is in a batch: see `core`.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use faultfs::Fs;

use super::draft::{Body, Loosed, Own, Part, Stage};
use super::overlap::overlap;
use crate::atomic::parent;
use crate::barrier::Barrier;
use crate::durability::{Outcome, Reached, Receipt};
use crate::error::{Error, Result};
use crate::id::ObjectId;
use crate::name::Branch;
use crate::object::{Named, Put};
use crate::open::Store;
use crate::planted::Bug;
use crate::temp::Temp;
use crate::undo::Undo;

/// Runs a batch; the answers are in the order of the drafts.
pub(super) fn run<F: Fs>(store: &Store<F>, drafts: Vec<Loosed<F>>) -> Vec<Result<Put>> {
    let member = |draft: Loosed<F>| Member { failed: None, draft: draft.take(store.disk()) };
    let mut batch = Batch { store, members: drafts.into_iter().map(member).collect() };
    for stage in Stage::ALL {
        batch.name(stage);
        batch.sync_dirs(stage);
    }
    if store.has(Bug::GroupNamesFirst) {
        batch.sync_files();
    }
    batch.move_branches();
    batch.members.into_iter().map(Member::answer).collect()
}

struct Batch<'s, F: Fs> {
    store: &'s Store<F>,
    members: Vec<Member<'s, F>>,
}

struct Member<'s, F: Fs> {
    draft: Own<'s, F>,
    /// Why it dropped out.
    failed: Option<Error>,
}

impl<F: Fs> Member<'_, F> {
    /// Takes note of what one of its barriers reached.
    fn note(&mut self, passed: Result<Reached>) {
        match passed {
            Ok(reached) => self.draft.reached = self.draft.reached.max(reached),
            Err(error) => drop(self.failed.get_or_insert(error)),
        }
    }

    fn answer(self) -> Result<Put> {
        let Draft { commit, reached, .. } = self.draft;
        let receipt = Receipt { outcome: Outcome::Created, reached };
        self.failed.map_or(Ok(Put { id: commit, receipt }), Err)
    }
}

type Draft<'s, F> = Own<'s, F>;

impl<'s, F: Fs> Batch<'s, F> {
    /// Those that have not dropped out, with their numbers.
    fn live(&mut self) -> impl Iterator<Item = (usize, &mut Member<'s, F>)> {
        self.members.iter_mut().enumerate().filter(|(_, member)| member.failed.is_none())
    }

    /// The planted mistake: the bytes come after the names.
    fn sync_files(&mut self) {
        let store = self.store;
        for (_, member) in self.live() {
            let passed = member.draft.sync(store).map(|()| Reached::Durable);
            member.note(passed);
        }
    }

    /// Gives the objects of a stage their names.
    fn name(&mut self, stage: Stage) {
        let store = self.store;
        for (_, member) in self.live() {
            let mut parts = member.draft.parts.iter_mut().filter(|part| part.stage == stage);
            let all =
                parts.try_fold(Reached::Durable, |sum, part| Ok(sum.max(name_part(store, part)?)));
            member.note(all);
        }
    }

    /// The barriers of the names of a stage: one for each directory. An error is that of every member
    /// with an object in it.
    fn sync_dirs(&mut self, stage: Stage) {
        let store = self.store;
        let barrier = match stage {
            Stage::Blobs => Barrier::GroupBlobs,
            Stage::Snapshots => Barrier::GroupSnapshots,
            Stage::Commits => Barrier::GroupCommits,
        };
        let dirs: Vec<_> = self.dirs(stage).into_iter().collect();
        let sync = |(dir, _): &(PathBuf, _)| store.disk().sync_dir(barrier, dir);
        let passed = overlap(store.fs(), &dirs, sync);
        for ((dir, members), passed) in dirs.into_iter().zip(passed) {
            for (place, n) in members.into_iter().enumerate() {
                let told = told(store, &passed, place);
                let Some(member) = self.members.get_mut(n) else { continue };
                let in_dir = |part: &&Part<_, _>| part.stage == stage && parent(&part.path) == dir;
                for part in member.draft.parts.iter().filter(in_dir) {
                    settle(store, part, &told);
                }
                member.note(told);
            }
        }
    }

    /// The directories of a stage, each with the members that have an object in it.
    fn dirs(&mut self, stage: Stage) -> BTreeMap<PathBuf, BTreeSet<usize>> {
        let mut dirs = BTreeMap::<_, BTreeSet<_>>::new();
        for (n, member) in self.live() {
            for part in member.draft.parts.iter().filter(|part| part.stage == stage) {
                dirs.entry(parent(&part.path).to_owned()).or_default().insert(n);
            }
        }
        dirs
    }

    /// Moves the branches, each from where its member expects it.
    fn move_branches(&mut self) {
        let store = self.store;
        let _locks = self.lock_branches();
        self.compare();
        let path =
            |(n, member): (_, &mut Member<'s, F>)| (n, store.layout().branch(&member.draft.branch));
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
                let kept = undo.unless(told, Some(member.draft.tip.file()));
                member.note(kept);
            }
        }
    }

    /// The locks of all branches of the batch, in one order for everybody.
    fn lock_branches(&mut self) -> Vec<F::File> {
        let store = self.store;
        let mut numbers = BTreeMap::<_, Vec<_>>::new();
        for (n, member) in self.live() {
            let number = Store::<F>::ref_lock_number(member.draft.branch.as_str());
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
            let branch = member.draft.branch.clone();
            let current = match now.get(&branch) {
                Some(current) => Ok(*current),
                None => store.read_branch(&branch),
            };
            let expected = member.draft.parent;
            match current {
                Ok(current) if current == expected => {
                    now.insert(branch, Some(member.draft.commit));
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

/// Gives an object its name.
fn name_part<F: Fs>(store: &Store<F>, part: &mut Part<Temp<'_, F>, F::File>) -> Result<Reached> {
    let Body::New(temp) = &mut part.body else { return Ok(Reached::Durable) };
    let (file, reached) = match store.name(temp, &part.path, &part.id)? {
        Named::New | Named::Instead => (temp.shared_file(), Reached::Durable),
        // Another writer's object, perhaps of this batch, and perhaps not synced.
        Named::Before(file) => {
            let passed = store.disk().sync_file(Barrier::KnownFile, &file, &part.path);
            let reached = store.settle(&file, passed)?;
            (Arc::new(file), reached)
        }
    };
    part.body = Body::Named(file);
    Ok(reached)
}

/// Remembers an object as durable, or marks it as not.
fn settle<F: Fs>(store: &Store<F>, part: &Part<Temp<'_, F>, F::File>, passed: &Result<Reached>) {
    match (&part.body, passed) {
        (_, Ok(Reached::Durable | Reached::Unsupported)) => store.note(part.id),
        (Body::Named(file), _) => drop(store.settle(file, Ok(Reached::Degraded))),
        (Body::New(_), _) => {}
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
    match member.draft.tip.rename(path) {
        Ok(()) => Ok(Swapped::Renamed(undo)),
        // Its folder was removed as empty meanwhile, or an empty folder stands there.
        Err(Error::Io { source, .. })
            if matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::IsADirectory) =>
        {
            let written = store.write_branch(&member.draft.branch, &member.draft.commit)?;
            Ok(Swapped::Written(written.reached))
        }
        Err(error) => Err(error),
    }
}
