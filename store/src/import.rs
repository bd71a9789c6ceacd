//! Bulk import: many commits at once, with a number of barriers that does not grow with them.
//!
//! A batch is one step: after a power cut all of it is there, or nothing of it leads anywhere. In one
//! batch these wait for the disk: one barrier of the whole file system when all temps are written; the
//! list of what to take back if we die; one barrier of the whole file system when all objects have their
//! names; the end of the list; and the directory of each branch moved. So it is five for one branch,
//! however many commits. Where there is no barrier of a file system, each file is synced, and each
//! of the 256 shards once; the report says so.
//!
//! Commits of one batch lead to each other, and all get their names at once. So nobody may see them
//! before they are durable: a batch keeps all pins out, as a garbage collection does, and uses the
//! same list, which whoever comes after a killed importer makes good. Its temps are too many to be kept
//! open and locked; it keeps sweeps away as a whole instead.
//!
//! Not for a few commits beside other writers: that is `group`.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use faultfs::{Access, Fs, LockMode};

use crate::atomic::{parent, temp_beside};
use crate::barrier::Barrier;
use crate::canonical::{Canonical, encode};
use crate::commit::Commit;
use crate::durability::Reached;
use crate::error::{At, Error, Result, found};
use crate::id::ObjectId;
use crate::name::Branch;
use crate::object::Written;
use crate::open::Store;
use crate::planted::Bug;
use crate::snapshot::{FileEntry, Snapshot};
use crate::sweep::lock_temps;
use crate::temp::Temp;
use crate::undo::Undo;

/// A commit to be imported, on top of what its branch holds by then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The branch. It is made by its first commit, if it is not there.
    pub branch: Branch,
    /// What differs from the files of the commit before, by path.
    pub changes: BTreeMap<String, Change>,
    /// Who made it.
    pub author: String,
    /// Why.
    pub message: String,
    /// When, in whole seconds since 1970-01-01T00:00:00Z.
    pub time: i64,
}

/// What becomes of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It holds these bytes.
    Set {
        /// Whether a restored copy may be executed.
        executable: bool,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// It is not there.
    Removed,
}

/// What an import did so far: whole batches only, all of them durable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportReport {
    /// Commits.
    pub commits: u64,
    /// Batches.
    pub batches: u64,
    /// Objects that were not there before.
    pub objects: u64,
    /// Where the branches are.
    pub tips: BTreeMap<Branch, ObjectId>,
    /// Whether a batch had to sync each file, because the file system knows no barrier of the whole.
    pub each_synced: bool,
    /// The least that a batch reached, if there was one.
    pub reached: Option<Reached>,
}

impl<F: Fs> Store<F> {
    /// Imports commits, `batch` of them at a time, and tells `done` whenever a batch is durable. An error
    /// ends it; the batches before are there. `&mut self`, since no pin may be held, as in
    /// [`Store::gc`]; other writers wait for the end of a batch.
    pub fn import_commits(
        &mut self,
        commits: impl IntoIterator<Item = Result<Imported>>,
        batch: NonZeroUsize,
        done: &mut dyn FnMut(&ImportReport),
    ) -> Result<ImportReport> {
        let mut import =
            Import { store: self, at: BTreeMap::new(), report: ImportReport::default() };
        let mut commits = commits.into_iter();
        loop {
            let some = commits.by_ref().take(batch.get()).collect::<Result<Vec<_>>>()?;
            if some.is_empty() {
                return Ok(import.report);
            }
            import.batch(&some)?;
            done(&import.report);
        }
    }
}

/// An import under way.
struct Import<'s, F: Fs> {
    store: &'s Store<F>,
    at: BTreeMap<Branch, Tip>,
    report: ImportReport,
}

/// Where a branch is.
#[derive(Clone, Default)]
struct Tip {
    commit: Option<ObjectId>,
    snapshot: Snapshot,
}

impl<F: Fs> Import<'_, F> {
    fn batch(&mut self, commits: &[Imported]) -> Result<()> {
        let store = self.store;
        let _pins = store.lock_out_pins()?;
        store.delete_found()?;
        let _sweeps = lock_temps(store.fs(), store.layout(), LockMode::Exclusive)?;
        // Open before the first write, so that it hears of every failure.
        let root = store.layout().root();
        let all = store.fs().open(root, Access::Read).at("open", root)?;
        let mut batch = Batch { store, all, unnamed: BTreeMap::new(), each_synced: false };
        let branches: BTreeSet<_> = commits.iter().map(|commit| &commit.branch).collect();
        for branch in &branches {
            self.begin(branch)?;
        }
        for commit in commits {
            let tip = self.at.entry(commit.branch.clone()).or_default();
            batch.write(commit, tip)?;
        }
        let tips = branches.into_iter().filter_map(|b| Some((b, self.at.get(b)?.commit?)));
        let tips: Vec<_> = tips.collect();
        let objects = batch.unnamed.len() as u64;
        let reached = batch.settle(&tips)?;
        let report = &mut self.report;
        report.commits += commits.len() as u64;
        report.batches += 1;
        report.objects += objects;
        report.each_synced |= batch.each_synced;
        report.reached = report.reached.max(Some(reached));
        report.tips.extend(tips.into_iter().map(|(branch, tip)| (branch.clone(), tip)));
        Ok(())
    }

    /// Where a branch is; an error when somebody else has moved it since the batch before.
    fn begin(&mut self, branch: &Branch) -> Result<()> {
        let current = self.store.read_branch(branch)?;
        if let Some(tip) = self.at.get(branch) {
            if tip.commit == current {
                return Ok(());
            }
            let (branch, expected) = (branch.to_string(), tip.commit);
            return Err(Error::RefConflict { branch, expected, current });
        }
        let snapshot = current.map_or(Ok(Snapshot::default()), |tip| self.snapshot_of(&tip))?;
        self.at.insert(branch.clone(), Tip { commit: current, snapshot });
        Ok(())
    }

    fn snapshot_of(&self, commit: &ObjectId) -> Result<Snapshot> {
        let missing = |what, id| Error::Dangling { from: "a branch".to_owned(), what, id };
        let read = self.store.read_commit(commit)?;
        let id = read.ok_or_else(|| missing("commit", *commit))?.snapshot;
        self.store.read_snapshot(&id)?.ok_or_else(|| missing("snapshot", id))
    }
}

/// One batch. Dropping it removes the temps that got no name.
struct Batch<'s, F: Fs> {
    store: &'s Store<F>,
    /// By this the whole file system is synced.
    all: F::File,
    /// The temps of new objects.
    unnamed: BTreeMap<ObjectId, PathBuf>,
    each_synced: bool,
}

impl<'s, F: Fs> Batch<'s, F> {
    /// Writes the temps of one commit, and moves `tip` to it.
    fn write(&mut self, commit: &Imported, tip: &mut Tip) -> Result<()> {
        for (path, change) in &commit.changes {
            match change {
                Change::Removed => drop(tip.snapshot.remove(path)),
                Change::Set { executable, bytes } => {
                    let entry = FileEntry { executable: *executable, id: self.add(bytes)? };
                    tip.snapshot.set(path.as_str(), entry)?;
                }
            }
        }
        let snapshot = self.add_text(&tip.snapshot)?;
        let Imported { author, message, time, .. } = commit;
        let commit = Commit::new(tip.commit, snapshot, author.as_str(), message.as_str(), *time);
        tip.commit = Some(self.add_text(&commit)?);
        Ok(())
    }

    fn add_text<T: Canonical>(&mut self, value: &T) -> Result<ObjectId> {
        let text = encode(value).map_err(|problem| Error::BadValue { kind: T::KIND, problem })?;
        self.add(&text)
    }

    fn add(&mut self, bytes: &[u8]) -> Result<ObjectId> {
        let id = ObjectId::of(bytes);
        if self.unnamed.contains_key(&id) {
            return Ok(id);
        }
        match self.store.written(&id, bytes)? {
            // The barrier of the whole file system is its barrier as well.
            Written::Before(_) => {}
            Written::Now(temp) if self.store.contains(&id)? => {
                // What is there is damaged; that is rare, and repaired with barriers of its own.
                drop(temp);
                let _ = self.store.put_kept(id, bytes)?;
            }
            Written::Now(temp) => drop(self.unnamed.insert(id, temp.let_go().into_path())),
        }
        Ok(id)
    }

    /// Makes it durable and moves the branches.
    fn settle(&mut self, tips: &[(&Branch, ObjectId)]) -> Result<Reached> {
        let store = self.store;
        let list = self.list()?;
        let mut moves = Vec::new();
        for (branch, tip) in tips {
            store.make_folders(branch)?;
            let path = store.layout().branch(branch);
            let mut temp = temp_beside(store.disk(), &path)?;
            temp.write(tip.to_string().as_bytes())?;
            moves.push(Move { branch, tip: *tip, path, temp });
        }
        let bytes = self.sync_files(&moves, list.as_ref())?;
        if bytes == Reached::Degraded {
            self.doubt()?;
        }
        if store.has(Bug::ImportMovesFirst) {
            move_all(store, &mut moves)?;
        }
        // What has its name by now goes again; else the list stays, and the next pin finds it.
        let names = self.name_all(list).inspect_err(|_| drop(store.delete_found()))?;
        if store.has(Bug::ImportMovesFirst) {
            return Ok(bytes.max(names));
        }
        Ok(bytes.max(names).max(move_all(store, &mut moves)?))
    }

    /// The list of all new objects, without its name; none where there are none.
    fn list(&self) -> Result<Option<Temp<'s, F>>> {
        if self.unnamed.is_empty() || self.store.has(Bug::ImportWithoutList) {
            return Ok(None);
        }
        let mut list = temp_beside(self.store.disk(), &self.store.layout().condemned())?;
        let mut lines = String::new();
        for id in self.unnamed.keys() {
            lines.push_str(&id.to_string());
            lines.push('\n');
        }
        list.write(lines.as_bytes())?;
        Ok(Some(list))
    }

    /// The barrier of the bytes of everything.
    fn sync_files(
        &mut self,
        moves: &[Move<'_, 's, F>],
        list: Option<&Temp<'_, F>>,
    ) -> Result<Reached> {
        let disk = self.store.disk();
        let root = self.store.layout().root();
        let reached = disk.sync_fs(Barrier::ImportFiles, &self.all, root)?;
        if reached != Reached::Unsupported {
            return Ok(reached);
        }
        self.each_synced = true;
        let mut reached = Reached::Durable;
        for path in self.unnamed.values() {
            let file = disk.fs.open(path, Access::Read).at("open", path)?;
            reached = reached.max(disk.sync_file(Barrier::ImportFiles, &file, path)?);
        }
        for temp in moves.iter().map(|moved| &moved.temp).chain(list) {
            reached = reached.max(temp.sync(Barrier::ImportFiles, None)?);
        }
        Ok(reached)
    }

    /// A failed barrier was let pass: the modes of all say so.
    fn doubt(&self) -> Result<()> {
        for path in self.unnamed.values() {
            let file = self.store.fs().open(path, Access::Read).at("open", path)?;
            let _ = self.store.settle(&file, Ok(Reached::Degraded));
        }
        Ok(())
    }

    /// Gives all objects their names, under a list that takes them back if we are killed.
    fn name_all(&mut self, list: Option<Temp<'_, F>>) -> Result<Reached> {
        let (store, disk) = (self.store, self.store.disk());
        let mut reached = Reached::Durable;
        let listed = list.is_some();
        if let Some(mut list) = list {
            list.rename(&store.layout().condemned())?;
            reached = disk.sync_dir(Barrier::ImportList, store.layout().root())?;
        }
        let mut shards = BTreeSet::new();
        while let Some((id, temp)) = self.unnamed.pop_first() {
            let path = store.layout().object(&id);
            let named = store.fs().rename_no_replace(&temp, &path);
            if named.is_err() {
                self.unnamed.insert(id, temp);
            }
            named.at("rename a temp to", &path)?;
            shards.insert(parent(&path).to_owned());
        }
        if !shards.is_empty() {
            reached = reached.max(self.sync_names(&shards)?);
        }
        if listed {
            store.end_list()?;
        }
        Ok(reached)
    }

    /// The barrier of the names of everything.
    fn sync_names(&mut self, shards: &BTreeSet<PathBuf>) -> Result<Reached> {
        let disk = self.store.disk();
        let root = self.store.layout().root();
        let reached = disk.sync_fs(Barrier::ImportNames, &self.all, root)?;
        if reached != Reached::Unsupported {
            return Ok(reached);
        }
        self.each_synced = true;
        shards.iter().try_fold(Reached::Durable, |sum, shard| {
            Ok(sum.max(disk.sync_dir(Barrier::ImportNames, shard)?))
        })
    }
}

impl<F: Fs> Drop for Batch<'_, F> {
    fn drop(&mut self) {
        for temp in self.unnamed.values() {
            // A failure to clean up must not hide the error that led here; the next open sweeps.
            let _ = found(self.store.fs().unlink(temp));
        }
    }
}

/// A branch that is to be moved.
struct Move<'b, 's, F: Fs> {
    branch: &'b Branch,
    tip: ObjectId,
    path: PathBuf,
    temp: Temp<'s, F>,
}

/// Moves the branches. Nobody else does, since no pin is held.
fn move_all<F: Fs>(store: &Store<F>, moves: &mut [Move<'_, '_, F>]) -> Result<Reached> {
    let mut dirs = BTreeMap::<&Path, Vec<_>>::new();
    let mut reached = Reached::Durable;
    for moved in moves {
        let Move { branch, tip, path, temp } = moved;
        let undo = Undo::before(store.disk(), path)?;
        if store.fs().metadata(path).is_ok_and(|at| at.kind == faultfs::FileKind::Dir) {
            // An empty folder of branches stands there.
            reached = reached.max(store.write_branch(branch, tip)?.reached);
            continue;
        }
        temp.rename(path)?;
        dirs.entry(parent(path)).or_default().push((undo, temp.file()));
    }
    for (dir, moved) in dirs {
        let passed = store.disk().sync_dir(Barrier::ImportTips, dir);
        for (undo, file) in moved {
            let again = passed.as_ref().map_or_else(|error| Err(error.again()), |at| Ok(*at));
            reached = reached.max(undo.unless(again, Some(file))?);
        }
    }
    Ok(reached)
}
