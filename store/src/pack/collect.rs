//! Which objects a fetch needs: what the wanted commits lead to and the known ones do not.
//!
//! Not for objects that nothing leads to, nor for how a pack is written: see `format`.

use std::collections::{BTreeMap, BTreeSet};

use faultfs::Fs;

use crate::canonical::{Canonical, encode};
use crate::commit::Commit;
use crate::error::{Error, Result};
use crate::id::ObjectId;
use crate::open::Store;
use crate::pack::format::{Kind, PackWriter};
use crate::snapshot::Snapshot;

/// A pack that was made and lies nowhere yet.
pub(crate) struct Pack {
    pub(crate) id: ObjectId,
    pub(crate) bytes: Vec<u8>,
    pub(crate) counts: Counts,
}

/// What is in a pack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) commits: u64,
    pub(crate) objects: u64,
    /// Ids the caller has and this store does not know.
    pub(crate) unknown_have: u64,
}

/// Commits and all they lead to.
#[derive(Default)]
struct Reached {
    commits: BTreeMap<ObjectId, Commit>,
    snapshots: BTreeMap<ObjectId, Snapshot>,
    blobs: BTreeSet<ObjectId>,
}

impl<F: Fs> Store<F> {
    /// Makes the pack of a fetch. Holds all of it in memory, and the ids of both histories.
    pub(crate) fn collect(&self, want: &[ObjectId], have: &[ObjectId]) -> Result<Pack> {
        let mut known = Reached::default();
        let mut counts = Counts::default();
        for id in have {
            if self.contains(id)? {
                self.reach(*id, "a known id of the fetch", &BTreeMap::new(), &mut known)?;
            } else {
                counts.unknown_have += 1;
            }
        }
        let mut new = Reached::default();
        for id in want {
            self.reach(*id, "the fetch", &known.commits, &mut new)?;
        }
        new.snapshots.retain(|id, _| !known.snapshots.contains_key(id));
        new.blobs.retain(|id| !known.blobs.contains(id));
        let bytes = self.pack(&new)?;
        counts.commits = new.commits.len() as u64;
        counts.objects = counts.commits + (new.snapshots.len() + new.blobs.len()) as u64;
        Ok(Pack { id: ObjectId::of(&bytes), bytes, counts })
    }

    /// Takes in a commit and all it leads to, as far as it is not `known`.
    fn reach(
        &self,
        id: ObjectId,
        from: &str,
        known: &BTreeMap<ObjectId, Commit>,
        into: &mut Reached,
    ) -> Result<()> {
        let mut open = vec![(id, from.to_owned())];
        while let Some((id, from)) = open.pop() {
            if known.contains_key(&id) || into.commits.contains_key(&id) {
                continue;
            }
            let missing = |what| Error::Dangling { from: from.clone(), what, id };
            let commit = self.read_commit(&id)?.ok_or_else(|| missing("commit"))?;
            if !into.snapshots.contains_key(&commit.snapshot) {
                let dangling = || Error::Dangling {
                    from: format!("commit {id}"),
                    what: "snapshot",
                    id: commit.snapshot,
                };
                let snapshot = self.read_snapshot(&commit.snapshot)?.ok_or_else(dangling)?;
                into.blobs.extend(snapshot.files().map(|(_, entry)| entry.id));
                into.snapshots.insert(commit.snapshot, snapshot);
            }
            open.extend(commit.parents.iter().map(|parent| (*parent, format!("commit {id}"))));
            into.commits.insert(id, commit);
        }
        Ok(())
    }

    /// Writes blobs, snapshots and commits, each kind in byte order of their ids but for commits, which
    /// follow their parents.
    fn pack(&self, reached: &Reached) -> Result<Vec<u8>> {
        let mut writer = PackWriter::new();
        for id in &reached.blobs {
            let from = || "a snapshot of the fetch".to_owned();
            let missing = || Error::Dangling { from: from(), what: "blob", id: *id };
            writer.add(Kind::Blob, id, &self.get(id)?.ok_or_else(missing)?)?;
        }
        for (id, snapshot) in &reached.snapshots {
            writer.add(Kind::Snapshot, id, &text_of(snapshot)?)?;
        }
        for id in parents_first(&reached.commits) {
            if let Some(commit) = reached.commits.get(&id) {
                writer.add(Kind::Commit, &id, &text_of(commit)?)?;
            }
        }
        Ok(writer.finish())
    }
}

fn text_of<T: Canonical>(value: &T) -> Result<Vec<u8>> {
    encode(value).map_err(|problem| Error::BadValue { kind: T::KIND, problem })
}

/// The ids so that each follows its parents; of those that may come next, the smallest does.
fn parents_first(commits: &BTreeMap<ObjectId, Commit>) -> Vec<ObjectId> {
    let mut children: BTreeMap<ObjectId, Vec<ObjectId>> = BTreeMap::new();
    let mut missing: BTreeMap<ObjectId, usize> = BTreeMap::new();
    let mut ready = BTreeSet::new();
    for (id, commit) in commits {
        let inside = commit.parents.iter().filter(|parent| commits.contains_key(parent));
        let count = inside.map(|parent| children.entry(*parent).or_default().push(*id)).count();
        missing.insert(*id, count);
        if count == 0 {
            ready.insert(*id);
        }
    }
    let mut order = Vec::with_capacity(commits.len());
    while let Some(id) = ready.pop_first() {
        order.push(id);
        for child in children.remove(&id).unwrap_or_default() {
            if let Some(count) = missing.get_mut(&child) {
                *count -= 1;
                if *count == 0 {
                    ready.insert(child);
                }
            }
        }
    }
    order
}
