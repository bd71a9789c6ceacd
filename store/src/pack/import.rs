//! Taking a pack into a store: every object verified before the first is put.

use faultfs::Fs;

use crate::canonical::{Canonical, decode};
use crate::commit::Commit;
use crate::durability::{Outcome, Reached};
use crate::error::{Error, Result};
use crate::id::ObjectId;
use crate::object::Put;
use crate::open::Store;
use crate::pack::format::{Kind, Packed, read};
use crate::snapshot::Snapshot;

/// What an import put.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "it may say that the objects are not durable"]
pub struct ImportedPack {
    /// Objects of the pack.
    pub objects: u64,
    /// Those that were not there before, or had to be repaired.
    pub new: u64,
    /// The commits of the pack, parents first. No branch leads to them yet.
    pub commits: Vec<ObjectId>,
    /// The worst that one of the objects reached.
    pub reached: Reached,
}

impl<F: Fs> Store<F> {
    /// Puts the objects of a pack in the order of what leads to what. What the pack's objects lead to
    /// must be in it or in the store. Nothing is put when the pack is damaged; when a put fails,
    /// some of the objects are there, which harms nobody. Who points a branch at the commits holds a
    /// pin over both.
    pub fn import_pack(&self, bytes: &[u8]) -> Result<ImportedPack> {
        let objects = read(bytes)?;
        objects.iter().try_for_each(check)?;
        let _pin = self.pin()?;
        let mut imported = ImportedPack {
            objects: objects.len() as u64,
            new: 0,
            commits: Vec::new(),
            reached: Reached::Durable,
        };
        for object in &objects {
            let put = self.import(object)?;
            imported.new += u64::from(put.receipt.outcome != Outcome::AlreadyThere);
            imported.reached = imported.reached.max(put.receipt.reached);
            if object.kind == Kind::Commit {
                imported.commits.push(object.id);
            }
        }
        Ok(imported)
    }

    fn import(&self, object: &Packed<'_>) -> Result<Put> {
        match object.kind {
            Kind::Blob => self.put(object.bytes),
            Kind::Snapshot => self.put_snapshot(&decoded::<Snapshot>(object)?),
            Kind::Commit => self.put_commit(&decoded::<Commit>(object)?),
        }
    }
}

/// Whether an object is what the pack says it is.
fn check(object: &Packed<'_>) -> Result<()> {
    match object.kind {
        Kind::Blob => Ok(()),
        Kind::Snapshot => decoded::<Snapshot>(object).map(|_| ()),
        Kind::Commit => decoded::<Commit>(object).map(|_| ()),
    }
}

fn decoded<T: Canonical>(object: &Packed<'_>) -> Result<T> {
    let bad = |problem| Error::BadPack { problem: format!("{}: {problem}", object.id) };
    decode::<T>(object.bytes).map_err(bad)
}
