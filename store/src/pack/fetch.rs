//! Fetching: lease, pack, a look whether it is there, URL.
//!
//! Not for deleting anything: whatever fails here, the lease sees to it that the pack goes in time.

use std::time::Duration;

use faultfs::Fs;

use crate::durability::Reached;
use crate::error::{Error, Result};
use crate::id::ObjectId;
use crate::open::Store;
use crate::pack::collect::Pack;
use crate::pack::lease::HeldLease;
use crate::pack::{PackBackend, PackKey, Ttl, ttl};
use crate::planted::Bug;

/// A put that takes longer than this has its lease made longer, so that the pack is kept for as long
/// behind its URL as it should be.
const QUICK: Duration = Duration::from_secs(1);

/// The answer of a fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "nobody else knows where the pack is"]
pub struct FetchedPack {
    /// The SHA-256 of the pack's bytes; equal content has equal bytes.
    pub id: ObjectId,
    /// How many commits are in it.
    pub commits: u64,
    /// How many objects are in it, commits included.
    pub objects: u64,
    /// How many bytes it has.
    pub bytes: u64,
    /// Ids that the caller said to have and this store does not know; they were ignored.
    pub unknown_have: u64,
    /// Where the pack is.
    pub access: PackAccess,
}

/// How to come by a pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PackAccess {
    /// These are its bytes. Nothing was put anywhere, and nothing will be deleted.
    Inline(Vec<u8>),
    /// From a URL, for a while.
    Url {
        /// The URL, valid for the TTL that was asked for.
        url: String,
        /// The key of the pack.
        key: PackKey,
        /// When its time is over, in milliseconds since 1970; later if other fetches need it longer.
        due: u64,
        /// How durable lease and pack are.
        reached: Reached,
    },
}

impl<F: Fs> Store<F> {
    /// Makes a pack of what the commits `want` lead to and the commits `have` do not, and puts it where
    /// it can be read for `ttl`. An unknown `want` is an error; an unknown `have` is ignored, since the
    /// caller may well know commits that this store does not.
    ///
    /// After an error the caller has nothing, and what was put is deleted in its time.
    pub fn fetch_pack(
        &self,
        backend: &(impl PackBackend + ?Sized),
        want: &[ObjectId],
        have: &[ObjectId],
        ttl: Ttl,
    ) -> Result<FetchedPack> {
        let pack = {
            let _pin = self.pin()?;
            self.collect(want, have)?
        };
        let Pack { id, counts, .. } = pack;
        let bytes = pack.bytes.len() as u64;
        let access = if backend.has_urls() {
            self.publish(backend, &pack, ttl)?
        } else {
            PackAccess::Inline(pack.bytes)
        };
        let (commits, objects, unknown_have) =
            (counts.commits, counts.objects, counts.unknown_have);
        Ok(FetchedPack { id, commits, objects, bytes, unknown_have, access })
    }

    fn publish(
        &self,
        backend: &(impl PackBackend + ?Sized),
        pack: &Pack,
        ttl: Ttl,
    ) -> Result<PackAccess> {
        if self.has(Bug::PackWithoutLease) || self.has(Bug::LeaseAfterPack) {
            return self.publish_first(backend, pack, ttl);
        }
        let begun = self.fs().now();
        let due = ttl::millis(begun + ttl.kept_for());
        let (mut held, mut reached) = self.lease(pack.id, backend.name(), due)?;
        let key = held.lease.key();
        reached = reached.max(put(backend, &key, pack)?);
        let now = self.fs().now();
        if now.duration_since(begun).is_ok_and(|took| took > QUICK) {
            let mut lease = held.lease.clone();
            lease.due = lease.due.max(ttl::millis(now + ttl.kept_for()));
            let longer;
            (held, longer) = self.write_lease(lease)?;
            reached = reached.max(longer);
        }
        answer(backend, &held, ttl, reached)
    }

    /// What the planted mistakes of a wrong order do.
    fn publish_first(
        &self,
        backend: &(impl PackBackend + ?Sized),
        pack: &Pack,
        ttl: Ttl,
    ) -> Result<PackAccess> {
        let due = ttl::millis(self.fs().now() + ttl.kept_for());
        let key = self.new_key(pack.id)?;
        let reached = put(backend, &key, pack)?;
        if self.has(Bug::PackWithoutLease) {
            return Ok(PackAccess::Url { url: backend.url(&key, ttl)?, key, due, reached });
        }
        let (held, _) = self.lease(pack.id, backend.name(), due)?;
        answer(backend, &held, ttl, reached)
    }
}

/// Puts a pack and looks whether it is there.
fn put(backend: &(impl PackBackend + ?Sized), key: &PackKey, pack: &Pack) -> Result<Reached> {
    let reached = backend.put(key, &pack.bytes)?;
    if backend.exists(key)? {
        return Ok(reached);
    }
    let problem = format!("{key} is not there, although it was put without an error");
    Err(Error::PackBackend { op: "put", backend: backend.name().to_owned(), problem })
}

fn answer<F: Fs>(
    backend: &(impl PackBackend + ?Sized),
    held: &HeldLease<'_, F>,
    ttl: Ttl,
    reached: Reached,
) -> Result<PackAccess> {
    let (key, due) = (held.lease.key(), held.lease.due);
    Ok(PackAccess::Url { url: backend.url(&key, ttl)?, key, due, reached })
}
