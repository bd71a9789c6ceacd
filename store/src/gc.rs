//! Garbage collection: temps of dead writers, and objects that nothing leads to.
//!
//! Three rules keep it from taking what somebody needs:
//! - it deletes only while nobody holds a pin, and looks at all refs again under that lock;
//! - an object put within the grace is kept, and so is all it leads to;
//! - it first writes down, durably, what it is going to delete. An interrupted collection is finished
//!   by the next pin or open, so nothing is ever built on a half-deleted history.
//!
//! Not for repair: when something reachable is missing or corrupt it deletes nothing and says so.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use faultfs::{FileKind, Fs};

use crate::atomic::{Barriers, parent, replace, temp_beside};
use crate::barrier::Barrier;
use crate::commit::Commit;
use crate::disk::is_there;
use crate::error::{At, Error, Result, found};
use crate::head::Head;
use crate::id::ObjectId;
use crate::layout::Layout;
use crate::named::Named;
use crate::object::starts_as;
use crate::open::{Store, read_up_to};
use crate::planted::Bug;
use crate::shards::Shards;
use crate::snapshot::Snapshot;
use crate::sweep::dirs_below;

/// How a collection runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GcOptions {
    /// Unreachable objects younger than this are kept, with all they lead to.
    pub grace: Duration,
    /// Only count; delete nothing but temps of dead writers.
    pub dry_run: bool,
}

impl Default for GcOptions {
    /// One hour of grace.
    fn default() -> Self {
        Self { grace: Duration::from_hours(1), dry_run: false }
    }
}

/// What a collection found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GcReport {
    /// Temps of dead writers that were removed.
    pub orphans: Vec<PathBuf>,
    /// Objects that a ref, HEAD, something in progress or an object within the grace leads to.
    pub kept: u64,
    /// Objects deleted (or to be deleted, in a dry run).
    pub deleted: u64,
    /// Bytes of those.
    pub deleted_bytes: u64,
}

/// What the marking has reached.
#[derive(Default)]
struct Marked(BTreeSet<ObjectId>);

/// An object that no ref leads to.
struct Unreached {
    id: ObjectId,
    len: u64,
    young: bool,
}

impl<F: Fs> Store<F> {
    /// Collects garbage. `&mut self`, since it waits until no pin is held, its caller's included.
    pub fn gc(&mut self, options: GcOptions) -> Result<GcReport> {
        let orphans = self.sweep(Shards::look(self.fs(), self.layout())?.temps)?;
        let mut marked = Marked::default();
        // The bulk is marked while writers go on; under the lock only what came since.
        self.mark_refs(&mut marked)?;
        let _lock = self.lock_out_pins()?;
        self.delete_found()?;
        self.mark_refs(&mut marked)?;
        let unreached = self.unreached(&marked, options.grace)?;
        for young in unreached.iter().filter(|object| object.young) {
            self.mark_object(&mut marked, &young.id)?;
        }
        let condemned: Vec<_> =
            unreached.into_iter().filter(|object| !marked.0.contains(&object.id)).collect();
        if !options.dry_run {
            self.prune_restores()?;
            self.condemn(&condemned)?;
        }
        Ok(GcReport {
            orphans,
            kept: marked.0.len() as u64,
            deleted: condemned.len() as u64,
            deleted_bytes: condemned.iter().map(|object| object.len).sum(),
        })
    }

    /// Finishes what an interrupted collection had begun; says how many objects were left.
    pub(crate) fn finish_condemned(&self) -> Result<u64> {
        let list = self.layout().condemned();
        if !is_there(self.fs(), &list)? {
            return Ok(0);
        }
        let _lock = self.lock_out_pins()?;
        self.delete_found()
    }

    /// Writes down what is to be deleted, and deletes it.
    fn condemn(&self, objects: &[Unreached]) -> Result<()> {
        const LIST: Barriers = Barriers { file: Barrier::ListFile, dir: Barrier::ListDir };
        if objects.is_empty() {
            return Ok(());
        }
        self.settle_refs()?;
        let ids: Vec<_> = objects.iter().map(|object| object.id).collect();
        let mut lines = String::new();
        for id in &ids {
            lines.push_str(&id.to_string());
            lines.push('\n');
        }
        if !self.has(Bug::GcWithoutList) {
            let _ = replace(self.disk(), &self.layout().condemned(), lines.as_bytes(), LIST)?;
        }
        if self.has(Bug::GcForgetsList) {
            self.end_list()?;
        }
        self.delete(&ids).map(|_| ())
    }

    /// Makes what the marking saw of branches, HEAD and what is in progress durable: a writer may have been killed between
    /// its change and the barrier, and the branch that comes back must not find its history gone.
    fn settle_refs(&self) -> Result<()> {
        for dir in dirs_below(self.fs(), self.layout().heads())? {
            self.disk().sync_dir(Barrier::CollectedBranches, &dir)?;
        }
        self.disk().sync_dir(Barrier::CollectedHead, self.layout().root())?;
        Ok(())
    }

    /// Deletes what is on the list of an interrupted collection. Only under the lock.
    pub(crate) fn delete_found(&self) -> Result<u64> {
        let Some(ids) = read_condemned(self.fs(), self.layout())? else {
            return Ok(0);
        };
        // That collection may have been killed when its list was visible and no more.
        self.disk().sync_dir(Barrier::KnownList, self.layout().root())?;
        self.delete(&ids)
    }

    /// Deletes what is on the list, durably, then the list; says how many were there. Only under the
    /// lock.
    fn delete(&self, ids: &[ObjectId]) -> Result<u64> {
        let mut deleted = 0;
        let mut shards = BTreeSet::new();
        for id in ids {
            let path = self.layout().object(id);
            deleted += u64::from(found(self.fs().unlink(&path)).at("remove", &path)?.is_some());
            shards.insert(parent(&path).to_owned());
        }
        for shard in shards {
            self.disk().sync_dir(Barrier::DeletedObjects, &shard)?;
        }
        self.end_list()?;
        Ok(deleted)
    }

    /// Ends the list. It is first replaced by an empty one, durably, and then removed: if it were only
    /// removed, and this process killed before the barrier, nobody could see that the list may come
    /// back and take what was put again. An empty list may come back.
    pub(crate) fn end_list(&self) -> Result<()> {
        let list = self.layout().condemned();
        temp_beside(self.disk(), &list)?.rename(&list)?;
        self.disk().sync_dir(Barrier::EndedList, self.layout().root())?;
        // If this fails, the next pin finds an empty list and ends it.
        let _ = self.fs().unlink(&list);
        Ok(())
    }

    fn mark_refs(&self, marked: &mut Marked) -> Result<()> {
        let mut tips: Vec<_> = self.branches()?.into_iter().map(|(_, id)| id).collect();
        if let Some(Head::Detached(id)) = self.head()? {
            tips.push(id);
        }
        tips.extend(self.commits_in_progress()?);
        for tip in tips {
            self.mark_history(marked, tip)?;
        }
        Ok(())
    }

    /// Marks a commit and all it leads to; what is missing is an error.
    fn mark_history(&self, marked: &mut Marked, tip: ObjectId) -> Result<()> {
        let mut open = vec![tip];
        while let Some(id) = open.pop() {
            if !marked.0.insert(id) {
                continue;
            }
            let commit = self.read_commit(&id)?.ok_or_else(|| self.lost("commit", &id))?;
            if marked.0.insert(commit.snapshot) {
                let snapshot = self.read_snapshot(&commit.snapshot)?;
                let snapshot = snapshot.ok_or_else(|| self.lost("snapshot", &commit.snapshot))?;
                marked.0.extend(snapshot.files().map(|(_, entry)| entry.id));
            }
            open.extend(commit.parents);
        }
        Ok(())
    }

    /// Something that a ref leads to is gone: damage, which a collection must not build upon.
    fn lost(&self, what: &str, id: &ObjectId) -> Error {
        let problem =
            format!("a branch, HEAD, merge or rebase leads to this {what}, and it is missing");
        Error::Corrupt { path: self.layout().object(id), problem }
    }

    /// Marks an object that no ref leads to, and what it leads to. It may be any bytes, also ones
    /// that only look like a commit, so what is missing is no error here.
    fn mark_object(&self, marked: &mut Marked, id: &ObjectId) -> Result<()> {
        let mut open = vec![*id];
        while let Some(id) = open.pop() {
            if marked.0.insert(id) {
                open.extend(self.led_to(&id)?);
            }
        }
        Ok(())
    }

    /// What an object leads to, if it is there, whole, and a commit or snapshot.
    fn led_to(&self, id: &ObjectId) -> Result<Vec<ObjectId>> {
        let Some(reader) = self.reader(id)? else {
            return Ok(Vec::new());
        };
        let path = self.layout().object(id);
        // A blob may be too large to be read whole.
        let names_others = starts_as::<Commit, _>(&reader).at("read", &path)?
            || starts_as::<Snapshot, _>(&reader).at("read", &path)?;
        if !names_others {
            return Ok(Vec::new());
        }
        match reader.into_bytes() {
            Ok(text) => Ok(Named::by(&text).map_or_else(Vec::new, |named| named.ids())),
            Err(Error::Corrupt { .. }) => Ok(Vec::new()),
            Err(e) => Err(e),
        }
    }

    fn unreached(&self, marked: &Marked, grace: Duration) -> Result<Vec<Unreached>> {
        let now = self.fs().now();
        let mut unreached = Vec::new();
        for byte in 0..=u8::MAX {
            for id in objects_in(self.fs(), self.layout(), byte)? {
                if marked.0.contains(&id) {
                    continue;
                }
                let path = self.layout().object(&id);
                let Some(metadata) = found(self.fs().metadata(&path)).at("stat", &path)? else {
                    continue;
                };
                // A time in the future (a clock set back) counts as young.
                let age = now.duration_since(metadata.modified).unwrap_or_default();
                unreached.push(Unreached { id, len: metadata.len, young: age < grace });
            }
        }
        Ok(unreached)
    }
}

/// The objects of one shard; other files are left alone.
fn objects_in<F: Fs>(fs: &F, layout: &Layout, byte: u8) -> Result<Vec<ObjectId>> {
    let dir = layout.shard(byte);
    let entries = fs.read_dir(&dir).at("list", &dir)?.into_iter();
    let files = entries.filter(|entry| entry.kind == FileKind::File);
    Ok(files.filter_map(|entry| object_of(byte, entry.name.to_str()?)).collect())
}

/// The id of the object whose file has this name in this shard.
pub(crate) fn object_of(shard: u8, name: &str) -> Option<ObjectId> {
    ObjectId::from_parts(shard, name)
}

/// The list of an interrupted collection, if there is one.
pub(crate) fn read_condemned<F: Fs>(fs: &F, layout: &Layout) -> Result<Option<Vec<ObjectId>>> {
    let path = layout.condemned();
    let Some(bytes) = read_up_to(fs, &path, u64::MAX)? else {
        return Ok(None);
    };
    let text = String::from_utf8(bytes);
    let text = text.map_err(|e| corrupt_list(&path, &e))?;
    let ids = text.lines().map(str::parse).collect::<Result<Vec<ObjectId>>>();
    ids.map(Some).map_err(|e| corrupt_list(&path, &e))
}

fn corrupt_list(path: &Path, problem: &dyn std::fmt::Display) -> Error {
    Error::Corrupt { path: path.to_owned(), problem: problem.to_string() }
}
