//! Leases: until when each pack is kept, one small file for each key.
//!
//! A lease is replaced as a whole, durably, and removed durably. Who works with one (puts its pack,
//! changes it, deletes) holds an exclusive flock on its file: from the temp on, so that a new lease is
//! locked before it has its name. A killed process drops it with its life. Who gets the lock looks
//! whether the file still has that name, since its last holder may have replaced or removed it.
//!
//! Finding the lease of a pack, or making one, is done under `locks/leases`, so that equal content gets
//! one pack. Whoever holds that lock waits for no lease.
//!
//! Not for packs, which may lie elsewhere.

use std::time::SystemTime;

use faultfs::{Access, FileKind, Fs, FsFile, LockMode};
use serde::{Deserialize, Serialize};

use crate::atomic::{Barriers, replace_held};
use crate::barrier::Barrier;
use crate::durability::Reached;
use crate::error::{At, Error, Result, found};
use crate::id::ObjectId;
use crate::layout::Layout;
use crate::open::{Store, read_state};
use crate::pack::{PackKey, Ttl, ttl};
use crate::planted::Bug;
use crate::temp::Temp;

/// How often a lease is looked for anew because somebody else was at work with it.
const ATTEMPTS: u32 = 1000;

/// Longest text of an error that a lease keeps, in bytes.
const MOST_TEXT: usize = 500;

/// What is known of a pack. Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lease {
    /// The pack.
    pub pack: ObjectId,
    /// See [`PackKey::generation`].
    pub generation: u64,
    /// [`PackBackend::name`](crate::PackBackend::name) of the place where it lies.
    pub backend: String,
    /// When its time is over.
    pub due: u64,
    /// What is to be done with it.
    pub state: LeaseState,
    /// How often its deletion failed.
    pub attempts: u32,
    /// Not before this time is it tried again.
    pub retry: u64,
    /// Why it failed the last time.
    pub error: String,
}

/// What is to be done with a pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LeaseState {
    /// It is kept until its time is over.
    Live,
    /// Its deletion has begun.
    Deleting,
    /// Its deletion failed so often that it is tried no more, until somebody asks for it.
    Dead,
}

impl Lease {
    /// Whose lease it is.
    pub fn key(&self) -> PackKey {
        PackKey { id: self.pack, generation: self.generation }
    }

    fn new(key: PackKey, backend: &str, due: u64) -> Self {
        Self {
            pack: key.id,
            generation: key.generation,
            backend: backend.to_owned(),
            due,
            state: LeaseState::Live,
            attempts: 0,
            retry: 0,
            error: String::new(),
        }
    }

    /// For a pack of which nothing is known but that it may be there: as long as any is kept.
    pub(crate) fn of_unknown(key: PackKey, backend: &str, now: SystemTime) -> Self {
        Self::new(key, backend, latest_due(now))
    }

    /// Keeps an error's text, cut to what a lease may hold.
    pub(crate) fn keep_error(&mut self, error: &Error) {
        let text = error.to_string();
        let fits = |at: &usize| text.is_char_boundary(*at);
        let end = (0..=text.len().min(MOST_TEXT)).rev().find(fits).unwrap_or(0);
        text.get(..end).unwrap_or_default().clone_into(&mut self.error);
    }

    /// The content of its file: the SHA-256 of the JSON text, a space, the text, a newline.
    fn text(&self) -> Result<Vec<u8>> {
        let bad = |e: serde_json::Error| Error::BadValue { kind: "lease", problem: e.to_string() };
        let json = serde_json::to_string(self).map_err(bad)?;
        Ok(format!("{} {json}\n", ObjectId::of(json.as_bytes()).hex()).into_bytes())
    }

    fn parse(key: &PackKey, bytes: &[u8]) -> std::result::Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "it is not text")?;
        let (sum, json) = text.split_once(' ').ok_or("it has no check sum")?;
        let json = json.strip_suffix('\n').ok_or("it is cut short")?;
        if ObjectId::of(json.as_bytes()).hex() != sum {
            return Err("its check sum does not fit".to_owned());
        }
        let lease: Self = serde_json::from_str(json).map_err(|e| e.to_string())?;
        if lease.key() == *key { Ok(lease) } else { Err("it is of another pack".to_owned()) }
    }
}

/// The latest time at which a pack can be due that is made now.
pub(crate) fn latest_due(now: SystemTime) -> u64 {
    ttl::millis(now).saturating_add(ttl::of(Ttl::LONGEST.kept_for()))
}

/// A lease's file with our lock on it, and what it says.
pub(crate) struct HeldLease<'s, F: Fs> {
    pub(crate) lease: Lease,
    _lock: Lock<'s, F>,
}

/// The open file that the lock is on; it goes when that is dropped.
enum Lock<'s, F: Fs> {
    Found { _file: F::File },
    Written { _temp: Temp<'s, F> },
}

/// What a try to get hold of a lease found.
pub(crate) enum Hold<'s, F: Fs> {
    Held(HeldLease<'s, F>),
    /// Ours is the lock, but nobody can read what it says.
    Torn(F::File),
    /// Somebody else works with it; what it says now, and the file to wait for.
    Busy(Option<Lease>, F::File),
    Gone,
}

impl<F: Fs> Store<F> {
    /// The keys of all leases, sorted; files that are none are left out.
    pub(crate) fn lease_keys(&self) -> Result<Vec<PackKey>> {
        keys_in(self.fs(), &self.layout().leases())
    }

    /// Tries to get hold of a lease; waits for nobody.
    pub(crate) fn hold_lease(&self, key: &PackKey) -> Result<Hold<'_, F>> {
        let path = self.layout().lease(key);
        for _ in 0..ATTEMPTS {
            let Some(file) = found(self.fs().open(&path, Access::Read)).at("open", &path)? else {
                return Ok(Hold::Gone);
            };
            let locked = file.try_lock(LockMode::Exclusive).at("lock", &path)?;
            let inode = file.metadata().at("stat", &path)?.inode;
            let there = found(self.fs().metadata(&path)).at("stat", &path)?;
            if there.is_none_or(|there| there.inode != inode) {
                continue;
            }
            let lease = match read_lease(self.fs(), self.layout(), key) {
                Err(Error::Corrupt { .. }) if locked => return Ok(Hold::Torn(file)),
                Err(Error::Corrupt { .. }) => None,
                read => read?,
            };
            return Ok(match lease {
                lease if !locked => Hold::Busy(lease, file),
                Some(lease) => Hold::Held(HeldLease { lease, _lock: Lock::Found { _file: file } }),
                None => Hold::Gone,
            });
        }
        let problem = "the lease of a pack changes again and again";
        Err(Error::Contended { path, attempts: ATTEMPTS, problem })
    }

    /// Writes a lease, durably, in place of the one that is held, if there is one.
    pub(crate) fn write_lease(&self, lease: Lease) -> Result<(HeldLease<'_, F>, Reached)> {
        const LEASE: Barriers = Barriers { file: Barrier::LeaseFile, dir: Barrier::LeaseDir };
        let path = self.layout().lease(&lease.key());
        let (receipt, temp) = replace_held(self.disk(), &path, &lease.text()?, None, LEASE)?;
        Ok((HeldLease { lease, _lock: Lock::Written { _temp: temp } }, receipt.reached))
    }

    /// Removes a lease that is held, durably.
    pub(crate) fn release_lease(&self, held: &HeldLease<'_, F>) -> Result<()> {
        let path = self.layout().lease(&held.lease.key());
        found(self.fs().unlink(&path)).at("remove", &path)?;
        self.disk().sync_dir(Barrier::ReleasedLease, &self.layout().leases()).map(|_| ())
    }

    /// Gets hold of a live lease of this content, made to last at least until `due`, or makes one. It is
    /// durable then. Waits for whoever is at work with the pack.
    pub(crate) fn lease(
        &self,
        id: ObjectId,
        backend: &str,
        due: u64,
    ) -> Result<(HeldLease<'_, F>, Reached)> {
        for _ in 0..ATTEMPTS {
            let lock = self.lock_leases()?;
            match self.live_lease(id, backend)? {
                None => return self.write_lease(Lease::new(self.new_key(id)?, backend, due)),
                Some(Hold::Busy(_, file)) => {
                    drop(lock);
                    file.lock(LockMode::Exclusive).at("lock", &self.layout().leases())?;
                }
                Some(Hold::Held(held)) => {
                    let mut lease = held.lease.clone();
                    if !self.has(Bug::EarlierTimer) {
                        lease.due = lease.due.max(due);
                    }
                    // Also when nothing changes: who wrote it may have been killed before the barrier.
                    return self.write_lease(lease);
                }
                Some(_) => {}
            }
        }
        let problem = "the lease of a pack changes again and again";
        Err(Error::Contended { path: self.layout().leases(), attempts: ATTEMPTS, problem })
    }

    /// The live lease of this content in this place, held or being worked with.
    fn live_lease(&self, id: ObjectId, backend: &str) -> Result<Option<Hold<'_, F>>> {
        let live = |lease: &Lease| lease.state == LeaseState::Live && lease.backend == backend;
        for key in self.lease_keys()?.iter().filter(|key| key.id == id) {
            match self.hold_lease(key)? {
                Hold::Held(held) if live(&held.lease) => return Ok(Some(Hold::Held(held))),
                Hold::Busy(Some(lease), file) if live(&lease) => {
                    return Ok(Some(Hold::Busy(Some(lease), file)));
                }
                _ => {}
            }
        }
        Ok(None)
    }

    /// A key that is not used. Under the lock of the leases.
    pub(crate) fn new_key(&self, id: ObjectId) -> Result<PackKey> {
        let seconds = ttl::millis(self.fs().now()) / 1000;
        let generation = seconds << 32 | self.fs().nonce() & 0xffff_ffff;
        let mut key = PackKey { id, generation };
        while found(self.fs().metadata(&self.layout().lease(&key)))
            .at("stat", &self.layout().leases())?
            .is_some()
        {
            key.generation = key.generation.saturating_add(1);
        }
        Ok(key)
    }

    fn lock_leases(&self) -> Result<F::File> {
        let path = self.layout().leases_lock();
        let lock = self.fs().open(&path, Access::Read).at("open", &path)?;
        lock.lock(LockMode::Exclusive).at("lock", &path)?;
        Ok(lock)
    }
}

/// What a lease says; `None` when there is none, and corrupt when its file holds something else.
pub(crate) fn read_lease<F: Fs>(fs: &F, layout: &Layout, key: &PackKey) -> Result<Option<Lease>> {
    let path = layout.lease(key);
    let Some(bytes) = read_state(fs, &path)? else { return Ok(None) };
    Lease::parse(key, &bytes).map(Some).map_err(|problem| Error::Corrupt { path, problem })
}

/// The keys that the files of a directory are named after, sorted.
pub(crate) fn keys_in<F: Fs>(fs: &F, dir: &std::path::Path) -> Result<Vec<PackKey>> {
    let entries = fs.read_dir(dir).at("list", dir)?.into_iter();
    let files = entries.filter(|entry| entry.kind == FileKind::File);
    Ok(files.filter_map(|entry| entry.name.to_str()?.parse().ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease() -> Lease {
        let key = PackKey { id: ObjectId::of(b"pack"), generation: 7 };
        Lease { error: "the line\nis \"down\"".to_owned(), ..Lease::new(key, "directory", 1000) }
    }

    #[test]
    fn a_lease_is_read_back_and_every_change_of_it_is_noticed() {
        let (lease, key) = (lease(), lease().key());
        let text = lease.text().unwrap();
        assert_eq!(Lease::parse(&key, &text), Ok(lease));
        for at in 0..text.len() {
            assert!(Lease::parse(&key, &text[..at]).is_err(), "cut at {at}");
            let mut changed = text.clone();
            changed[at] ^= 1;
            assert!(Lease::parse(&key, &changed).is_err(), "changed at {at}");
        }
        let other = PackKey { generation: 8, ..key };
        assert_eq!(Lease::parse(&other, &text), Err("it is of another pack".to_owned()));
    }

    #[test]
    fn a_lease_fits_into_a_state_file_whatever_failed() {
        let mut lease = lease();
        for letter in ["\u{1}", "\"", "\u{1f9f2}", "x"] {
            let problem = letter.repeat(5000);
            lease.keep_error(&Error::PackBackend {
                op: "delete",
                backend: "there".to_owned(),
                problem,
            });
            assert!(lease.error.len() <= MOST_TEXT && lease.error.len() > MOST_TEXT - 4);
            assert!(lease.text().unwrap().len() <= crate::open::MAX_STATE);
        }
    }
}
