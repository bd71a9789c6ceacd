//! A small content-addressed store, written to be checked.
//!
//! It keeps objects (blobs, snapshots, commits), branch refs and HEAD, what is in progress (a merge, a
//! rebase), who works on what, and an operation log. Every write but an append to that log goes through
//! one protocol, and success means that the power may go now:
//!
//! temp file in the target directory, locked by its owner -> write -> mode and times -> fsync ->
//! rename -> fsync of the directory -> receipt.
//!
//! Across files the order is blobs -> snapshot -> commit -> ref -> HEAD, so that a ref never leads
//! to something missing. Reading is typed: `Ok(None)` is absent, `Ok(Some(_))` was checked against
//! its hash, and [`Error::Corrupt`] is what it says; corrupt bytes are never returned.
//!
//! ```
//! use plugpull_store::{Branch, Commit, Expected, Options, Snapshot, Store};
//!
//! # let dir = std::env::temp_dir().join(format!("plugpull-doc-{}", std::process::id()));
//! # let _ = std::fs::remove_dir_all(&dir);
//! let store = Store::init(&dir, Options::default())?;
//! let pin = store.pin()?; // what is put from here on is not taken by a garbage collection
//! let blob = store.put(b"hello")?;
//! let snapshot = store.put_snapshot(&Snapshot::of([("hello.txt", blob.id)])?)?;
//! let commit = Commit::new([], snapshot.id, "me", "first", 1_767_225_600);
//! let commit = store.put_commit(&commit)?;
//! store.update_branch(&Branch::new("main")?, commit.id, Expected::Absent)?;
//! drop(pin);
//! assert_eq!(store.get(&blob.id)?.as_deref(), Some(&b"hello"[..]));
//! # std::fs::remove_dir_all(&dir)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Store::commit`] does all of that in one call, and shares its barriers with other threads;
//! [`Store::import_commits`] takes many commits at once.
//!
//! # What it is not for
//!
//! It is a subject to be tortured and a place to show how durable writes are done, not a version
//! control system: no merging of files, and no network but for packs on their way (feature `s3`). Known limits stand in docs/limits.md.
#![forbid(unsafe_code)]

mod atomic;
mod audit;
mod barrier;
mod canonical;
mod commit;
mod config;
mod coordination;
mod disk;
mod durability;
mod error;
mod gc;
mod group;
mod head;
mod id;
mod import;
mod layout;
mod lock;
mod merge;
mod name;
mod named;
mod object;
mod open;
mod operation;
mod oplog;
mod pack;
mod pin;
mod planted;
mod rebase;
mod refs;
mod reservation;
mod restore;
mod sealed;
mod shards;
mod snapshot;
mod state;
mod stream;
mod sweep;
mod temp;
mod time;
mod undo;

pub use atomic::{write_json_atomic, write_text_atomic};
pub use audit::{Audit, AuditCounts, Problem, ProblemKind, audit};
pub use barrier::Barrier;
pub use commit::Commit;
pub use config::Config;
pub use durability::{Durability, Outcome, Reached, Receipt};
pub use error::{Error, Result};
pub use gc::{GcOptions, GcReport};
pub use group::{CommitRequest, Content, NewFile};
pub use head::Head;
pub use id::ObjectId;
pub use import::{Change, ImportReport, Imported};
pub use layout::Layout;
pub use merge::MergeState;
pub use name::Branch;
pub use object::Put;
pub use open::{Options, Recovery, Store};
pub use oplog::{Checkpoint, Log, LogRecord};
pub use pack::{
    FetchedPack, ImportedPack, Lease, LeaseEntry, LeaseState, PackAccess, PackBackend,
    PackDirectory, PackKey, PackMemory, PackSweep, PackTimers, SweptPacks, TimerClock, Ttl,
};
#[cfg(feature = "s3")]
pub use pack::{S3Options, S3Packs};
pub use pin::Pin;
pub use planted::{Bug, Run};
pub use rebase::RebaseState;
pub use refs::Expected;
pub use reservation::{Claim, Intent, Reservation};
pub use snapshot::{FileEntry, Snapshot};
pub use state::Known;
pub use stream::ObjectReader;
pub use time::Time;
