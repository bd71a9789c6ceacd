//! The audit's walk through a store: each method looks at one kind of thing and reports.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use faultfs::{DirEntry, FileKind, Fs, FsFile, LockMode};
use rayon::prelude::*;

use super::{AuditCounts, Problem, ProblemKind};
use crate::canonical::Canonical;
use crate::commit::Commit;
use crate::disk::is_there;
use crate::error::{At, Error, Result, found};
use crate::gc::{object_of, read_condemned};
use crate::head::Head;
use crate::id::ObjectId;
use crate::layout::{Layout, OBJECT_TEMP, is_temp};
use crate::merge::MergeState;
use crate::named::Named;
use crate::object::{UNSETTLED, starts_as};
use crate::open::{Fault, describe, read_state};
use crate::operation::Operation;
use crate::rebase::RebaseState;
use crate::refs::{branch_files, branch_of, parse_ref};
use crate::restore::restore_records;
use crate::sealed::read_sealed;
use crate::shards::Shards;
use crate::snapshot::Snapshot;
use crate::state::State;
use crate::stream::{CHUNK, ObjectReader, open_object, wrong_hash};
use crate::sweep::{Owner, lock_temps, owner, temps};

/// Largest commit or snapshot whose references are checked; a larger object is hashed only.
const MAX_METADATA: usize = 256 << 20;

/// Largest object that the calling thread hashes alone in a small store.
const SMALL: u64 = 16 << 10;

/// Counters that all threads add to.
#[derive(Default)]
pub(super) struct Totals {
    objects: AtomicU64,
    bytes: AtomicU64,
    commits: AtomicU64,
    snapshots: AtomicU64,
    branches: AtomicU64,
    live_temps: AtomicU64,
    unsettled: AtomicU64,
    quarantined: AtomicU64,
    condemned: AtomicU64,
    pub(super) packs: AtomicU64,
    pub(super) leases: AtomicU64,
    pub(super) reservations: AtomicU64,
    pub(super) intents: AtomicU64,
    pub(super) logged: AtomicU64,
    problems: AtomicU64,
}

impl Totals {
    fn counts(&self) -> AuditCounts {
        AuditCounts {
            objects: self.objects.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            commits: self.commits.load(Relaxed),
            snapshots: self.snapshots.load(Relaxed),
            branches: self.branches.load(Relaxed),
            live_temps: self.live_temps.load(Relaxed),
            unsettled: self.unsettled.load(Relaxed),
            quarantined: self.quarantined.load(Relaxed),
            condemned: self.condemned.load(Relaxed),
            packs: self.packs.load(Relaxed),
            leases: self.leases.load(Relaxed),
            reservations: self.reservations.load(Relaxed),
            intents: self.intents.load(Relaxed),
            logged: self.logged.load(Relaxed),
            problems: self.problems.load(Relaxed),
        }
    }
}

/// One audit under way; its methods run on many threads.
pub(super) struct Auditor<'a, F: Fs> {
    pub(super) fs: &'a F,
    pub(super) layout: &'a Layout,
    report: &'a (dyn Fn(Problem) + Sync),
    pub(super) totals: Totals,
    suspects: Mutex<BTreeSet<ObjectId>>,
}

impl<'a, F: Fs> Auditor<'a, F> {
    pub(super) fn new(fs: &'a F, layout: &'a Layout, report: &'a (dyn Fn(Problem) + Sync)) -> Self {
        let (totals, suspects) = Default::default();
        Self { fs, layout, report, totals, suspects }
    }

    /// What was counted so far.
    pub(super) fn counts(&self) -> AuditCounts {
        self.totals.counts()
    }

    pub(super) fn problem(&self, kind: ProblemKind, path: &Path, detail: impl Into<String>) {
        self.totals.problems.fetch_add(1, Relaxed);
        (self.report)(Problem { kind, path: path.to_owned(), detail: detail.into() });
    }

    /// Looks at the directories and lock files; `None` when something is missing or is something else,
    /// where the walk ends.
    pub(super) fn skeleton(&self) -> Result<Option<Shards>> {
        let mut shards = Shards::look(self.fs, self.layout)?;
        if shards.faults.is_empty() {
            shards.faults = self.lock_faults()?;
        }
        for (path, found) in &shards.faults {
            self.problem(ProblemKind::BadSkeleton, path, *found);
        }
        Ok(shards.faults.is_empty().then_some(shards))
    }

    fn lock_faults(&self) -> Result<Vec<Fault>> {
        let mut faults = Vec::new();
        for path in self.layout.lock_files() {
            let kind = found(self.fs.metadata(&path)).at("stat", &path)?.map(|m| m.kind);
            if kind != Some(FileKind::File) {
                faults.push((path, describe(kind)));
            }
        }
        Ok(faults)
    }

    pub(super) fn head(&self) -> Result<()> {
        let path = self.layout.head();
        let read = || match read_state(self.fs, &path) {
            Ok(Some(bytes)) => Head::parse(&bytes),
            Ok(None) => Err("it is missing".to_owned()),
            Err(e) => Err(e.to_string()),
        };
        match read() {
            Ok(Head::Branch(_)) => Ok(()),
            Ok(Head::Detached(id)) => {
                self.must_be_commit(&path, &id, || read() == Ok(Head::Detached(id)))
            }
            Err(problem) => {
                self.problem(ProblemKind::BadHead, &path, problem);
                Ok(())
            }
        }
    }

    pub(super) fn branches(&self) -> Result<()> {
        let heads = self.layout.heads();
        for path in branch_files(self.fs, &heads)? {
            let read = || {
                branch_of(&heads, &path)?;
                let bytes = read_state(self.fs, &path).map_err(|e| e.to_string())?;
                bytes.map(|bytes| parse_ref(&bytes)).transpose()
            };
            match read() {
                // Deleted meanwhile.
                Ok(None) => {}
                Ok(Some(id)) => {
                    self.totals.branches.fetch_add(1, Relaxed);
                    self.must_be_commit(&path, &id, || read() == Ok(Some(id)))?;
                }
                Err(problem) => self.problem(ProblemKind::BadRef, &path, problem),
            }
        }
        Ok(())
    }

    /// A ref that moved while it was looked at, its old commit collected, is no problem.
    pub(super) fn must_be_commit(
        &self,
        from: &Path,
        id: &ObjectId,
        unmoved: impl Fn() -> bool,
    ) -> Result<()> {
        match self.fault_of::<Commit>(id)? {
            Some(detail) if unmoved() => self.problem(ProblemKind::Dangling, from, detail),
            _ => {}
        }
        Ok(())
    }

    /// What is wrong with a reference to `id` as a `T`. Its hash is checked where it lies.
    fn fault_of<T: Canonical>(&self, id: &ObjectId) -> Result<Option<String>> {
        let path = self.layout.object(id);
        let reader = match open_object(self.fs, path.clone(), id) {
            Ok(None) => return Ok(Some(format!("{} {id} is missing", T::KIND))),
            Ok(Some(reader)) => reader,
            // Reported where it lies.
            Err(Error::Corrupt { .. }) => return Ok(None),
            Err(e) => return Err(e),
        };
        let right = starts_as::<T, _>(&reader).at("read", &path)?;
        Ok((!right).then(|| format!("{id} is no {}", T::KIND)))
    }

    /// Everything in the shards but temps: these few, or what lies there now.
    pub(super) fn objects(&self, few: Option<Vec<(u8, DirEntry)>>) -> Result<()> {
        let Some(few) = few else {
            let shards = (0..=u8::MAX).into_par_iter();
            return shards.map_init(Vec::new, |buf, shard| self.shard(shard, buf)).collect();
        };
        let mut buf = Vec::new();
        let mut large = Vec::new();
        for (shard, entry) in few {
            if !self.entry(shard, &entry, SMALL, &mut buf)? {
                large.push((shard, entry));
            }
        }
        if large.is_empty() {
            return Ok(());
        }
        let large = large.into_par_iter();
        let all = large.map_init(Vec::new, |buf, (shard, entry)| {
            self.entry(shard, &entry, u64::MAX, buf).map(|_| ())
        });
        all.collect()
    }

    fn shard(&self, shard: u8, buf: &mut Vec<u8>) -> Result<()> {
        let dir = self.layout.shard(shard);
        let entries = match self.fs.read_dir(&dir) {
            Ok(entries) => entries,
            Err(e) => {
                self.problem(ProblemKind::BadSkeleton, &dir, e.to_string());
                return Ok(());
            }
        };
        for entry in entries {
            self.entry(shard, &entry, u64::MAX, buf)?;
        }
        Ok(())
    }

    /// Looks at what lies in a shard; false if it is an object of more bytes than `most`, at which it
    /// did not look.
    fn entry(&self, shard: u8, entry: &DirEntry, most: u64, buf: &mut Vec<u8>) -> Result<bool> {
        if is_temp(&entry.name, OBJECT_TEMP) {
            return Ok(true);
        }
        let path = self.layout.in_shard(shard, &entry.name);
        match entry.name.to_str().and_then(|name| object_of(shard, name)) {
            Some(id) if entry.kind == FileKind::File => return self.object(&id, &path, most, buf),
            Some(_) => {
                self.problem(ProblemKind::CorruptObject, &path, describe(Some(entry.kind)));
            }
            None => self.problem(ProblemKind::Foreign, &path, "its name is no object's"),
        }
        Ok(true)
    }

    fn object(&self, id: &ObjectId, path: &Path, most: u64, buf: &mut Vec<u8>) -> Result<bool> {
        let opened = open_object(self.fs, path.to_owned(), id);
        let hashed = match opened {
            Ok(None) => return Ok(true),
            Ok(Some(reader)) if reader.len() > most => return Ok(false),
            Ok(Some(reader)) => self.hash(reader, path, id, buf),
            Err(e) => Err(e),
        };
        match hashed {
            Ok(Some(text)) => self.count_references(id, &text)?,
            Ok(None) => {}
            Err(e @ (Error::Corrupt { .. } | Error::Io { .. })) => {
                self.problem(ProblemKind::CorruptObject, path, e.to_string());
            }
            Err(e) => return Err(e),
        }
        Ok(true)
    }

    /// Hashes an object; returns its text when it starts as a commit or snapshot.
    fn hash(
        &self,
        reader: ObjectReader<F::File>,
        path: &Path,
        id: &ObjectId,
        buf: &mut Vec<u8>,
    ) -> Result<Option<Vec<u8>>> {
        self.totals.objects.fetch_add(1, Relaxed);
        self.totals.bytes.fetch_add(reader.len(), Relaxed);
        self.totals.unsettled.fetch_add(u64::from(reader.mode() == UNSETTLED), Relaxed);
        let Some(len) = usize::try_from(reader.len()).ok().filter(|len| *len <= CHUNK) else {
            return hash_large(reader);
        };
        if buf.len() < len {
            buf.resize(len, 0);
        }
        let n = reader.file().read_full_at(&mut buf[..len], 0).at("read", path)?;
        let whole = &buf[..n];
        let actual = ObjectId::of(whole);
        if actual != *id {
            let problem = wrong_hash(n as u64, &actual);
            return Err(Error::Corrupt { path: path.to_owned(), problem });
        }
        Ok(Named::may_be(whole).then(|| whole.to_vec()))
    }

    /// Counts a commit or snapshot, and keeps it in mind when something it names is not there.
    fn count_references(&self, id: &ObjectId, text: &[u8]) -> Result<()> {
        let Some(named) = Named::by(text) else {
            return Ok(());
        };
        let count = match &named {
            Named::ByCommit(_) => &self.totals.commits,
            Named::BySnapshot(_) => &self.totals.snapshots,
        };
        count.fetch_add(1, Relaxed);
        if !self.faults(&named)?.is_empty() {
            self.suspects.lock().unwrap_or_else(PoisonError::into_inner).insert(*id);
        }
        Ok(())
    }

    /// What a commit or snapshot names that is not there.
    fn faults(&self, named: &Named) -> Result<Vec<String>> {
        let mut faults = Vec::new();
        match named {
            Named::ByCommit(commit) => {
                faults.extend(self.fault_of::<Snapshot>(&commit.snapshot)?);
                for parent in &commit.parents {
                    faults.extend(self.fault_of::<Commit>(parent)?);
                }
            }
            Named::BySnapshot(snapshot) => {
                for (name, entry) in snapshot.files() {
                    let path = self.layout.object(&entry.id);
                    if !is_there(self.fs, &path)? {
                        faults.push(format!("blob {} of {name:?} is missing", entry.id));
                    }
                }
            }
        }
        Ok(faults)
    }

    /// A reference into nothing is damage only when a ref leads to it. Looked at again, since a
    /// collection may have been at work beside the first look.
    pub(super) fn suspects(&self) -> Result<()> {
        let suspects =
            std::mem::take(&mut *self.suspects.lock().unwrap_or_else(PoisonError::into_inner));
        if suspects.is_empty() {
            return Ok(());
        }
        let reachable = self.reachable()?;
        for id in suspects.intersection(&reachable) {
            let Some(named) = self.read(id)?.as_deref().and_then(Named::by) else {
                continue;
            };
            for detail in self.faults(&named)? {
                self.problem(ProblemKind::Dangling, &self.layout.object(id), detail);
            }
        }
        Ok(())
    }

    /// The commits and snapshots that a ref, HEAD or something in progress leads to, as far as they can be
    /// read.
    fn reachable(&self) -> Result<BTreeSet<ObjectId>> {
        let read = |path: &Path| read_state(self.fs, path).ok().flatten();
        let files = branch_files(self.fs, &self.layout.heads())?;
        let mut open: Vec<ObjectId> =
            files.iter().filter_map(|path| parse_ref(&read(path)?).ok()).collect();
        if let Some(Ok(Head::Detached(id))) = read(&self.layout.head()).map(|b| Head::parse(&b)) {
            open.push(id);
        }
        // What cannot be read is told by itself.
        let merge = read_sealed::<F, MergeState>(self.fs, &self.layout.merge_state());
        let rebase = read_sealed::<F, RebaseState>(self.fs, &self.layout.rebase_state());
        open.extend(merge.ok().flatten().iter().flat_map(State::commits));
        let operation = read_sealed::<F, Operation>(self.fs, &self.layout.pending_operation());
        open.extend(operation.ok().flatten().iter().flat_map(Operation::commits));
        open.extend(rebase.ok().flatten().iter().flat_map(State::commits));
        let mut reachable = BTreeSet::new();
        while let Some(id) = open.pop() {
            if reachable.insert(id)
                && let Some(Named::ByCommit(commit)) =
                    self.read(&id)?.as_deref().and_then(Named::by)
            {
                reachable.insert(commit.snapshot);
                open.extend(commit.parents);
            }
        }
        Ok(reachable)
    }

    /// An object's bytes; `None` when it is missing or corrupt, which is reported where it lies.
    fn read(&self, id: &ObjectId) -> Result<Option<Vec<u8>>> {
        let opened = open_object(self.fs, self.layout.object(id), id);
        match opened.and_then(|reader| reader.map(ObjectReader::into_bytes).transpose()) {
            Err(Error::Corrupt { .. }) => Ok(None),
            read => read,
        }
    }

    /// Temps that nobody holds a lock on now.
    pub(super) fn temps_without_owner(&self, among_objects: Vec<PathBuf>) -> Result<Vec<PathBuf>> {
        let _lock = lock_temps(self.fs, self.layout, LockMode::Shared)?;
        let mut suspects = Vec::new();
        for path in temps(self.fs, self.layout, among_objects)? {
            match owner(self.fs, &path)? {
                Owner::Dead => suspects.push(path),
                Owner::Alive => {
                    self.totals.live_temps.fetch_add(1, Relaxed);
                }
                Owner::Gone => {}
            }
        }
        Ok(suspects)
    }

    /// Looks again at the end of the audit: a temp that was seen between its creation and its lock
    /// has an owner or is gone by now.
    pub(super) fn orphans(&self, suspects: Vec<PathBuf>) -> Result<()> {
        let _lock = lock_temps(self.fs, self.layout, LockMode::Shared)?;
        for path in suspects {
            if owner(self.fs, &path)? == Owner::Dead {
                self.problem(ProblemKind::OrphanTemp, &path, "its writer is dead");
            }
        }
        Ok(())
    }

    pub(super) fn leftovers(&self) -> Result<()> {
        for (path, dir) in restore_records(self.fs, self.layout)? {
            if dir.is_none() {
                self.problem(ProblemKind::BadList, &path, "it is no record of a directory");
            }
        }
        match read_condemned(self.fs, self.layout) {
            Ok(list) => {
                let left = list.map_or(0, |ids| ids.len());
                self.totals.condemned.store(left as u64, Relaxed);
            }
            Err(Error::Corrupt { path, problem }) => {
                self.problem(ProblemKind::BadList, &path, problem);
            }
            Err(e) => return Err(e),
        }
        let dir = self.layout.quarantine();
        let files = self.fs.read_dir(&dir).at("list", &dir)?;
        self.totals.quarantined.store(files.len() as u64, Relaxed);
        Ok(())
    }
}

/// Hashes an object larger than the buffer, piece by piece.
fn hash_large<H: FsFile>(reader: ObjectReader<H>) -> Result<Option<Vec<u8>>> {
    let mut text: Option<Vec<u8>> = None;
    let mut first = true;
    reader.copy(&mut |piece| {
        if std::mem::take(&mut first) && Named::may_be(piece) {
            text = Some(Vec::new());
        }
        match &mut text {
            Some(held) if held.len() + piece.len() <= MAX_METADATA => held.extend_from_slice(piece),
            _ => text = None,
        }
        Ok(())
    })?;
    Ok(text)
}
