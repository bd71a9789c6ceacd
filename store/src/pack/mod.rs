//! Transient packs: the objects of one fetch as one file, deleted when its time is over.
//!
//! [`Store::fetch_pack`](crate::Store::fetch_pack) collects what the wanted commits lead to and the
//! known ones do not, writes down until when the pack is kept (a *lease*, durable), puts the pack into
//! a [`PackBackend`] and returns a URL. Where a backend has no URLs the bytes are returned instead, and
//! there is nothing to delete. [`Store::sweep_packs`](crate::Store::sweep_packs) deletes what is due,
//! [`PackTimers`] calls it at the right times, and [`Store::import_pack`](crate::Store::import_pack)
//! takes a pack into another store.
//!
//! The rules:
//! - a lease is durable before its pack is put, and goes after the deletion is durable, so no crash
//!   leaves a pack that nobody deletes;
//! - packs have a key space of their own: deleting one never takes an object of equal bytes;
//! - equal content has one pack, kept until the latest of its leases' ends; whoever works with a lease
//!   holds its lock, so that what is deleted is not what somebody has just promised;
//! - a key whose deletion has begun is never used again where a delayed request may still act on it;
//! - a deletion that fails is tried again later, and in the end listed; no caller hears of it.
//!
//! Not for keeping packs: objects are kept one by one, and a pack is only how they travel.

mod backend;
mod collect;
mod directory;
mod fetch;
mod format;
mod import;
mod key;
mod lease;
mod memory;
#[cfg(feature = "s3")]
mod s3;
mod sweep;
mod timers;
mod ttl;

pub use backend::PackBackend;
pub use directory::PackDirectory;
pub use fetch::{FetchedPack, PackAccess};
pub use import::ImportedPack;
pub use key::PackKey;
pub use lease::{Lease, LeaseState};
pub use memory::PackMemory;
#[cfg(feature = "s3")]
pub use s3::{S3Options, S3Packs};
pub use sweep::{LeaseEntry, PackSweep, SweptPacks};
pub use timers::{PackTimers, TimerClock};
pub use ttl::Ttl;

pub(crate) use lease::read_lease;
