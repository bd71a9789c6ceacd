//! The counterparts of the seed tests of tiers 0 to 4, of commits, integrity and the gaps.
//!
//! `table.tsv` says which test answers which seed; `table.rs` holds the table to it. Where a seed
//! asks for less than the store promises (a failed fsync that nobody hears of, a commit without a
//! barrier, the last writer of a ref winning by default), the test asks for what the store promises.

mod commits;
mod concurrency;
mod integrity;
mod kill;
mod stress;
mod table;
mod tier0_text;
mod tier1_head;
mod tier1_refs;
mod tier2_coordination;
mod tier2_state;
mod tier3_config;
mod tier4_from_path;
mod tier4_put;
mod tier4_restore;
mod transient_packs;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use faultfs::{CallKind, RealFs, Watched};
use plugpull_store::{Durability, Error, Reached, Result};

use crate::protocol::Write;
use crate::scratch::{Scratch, WatchedStore};
use crate::taps::{EINVAL, EIO, ENOSYS, EOPNOTSUPP, Failing, Fault, Recorder};

/// A store and a bare file system that share one fault.
struct Faulty<'s> {
    scratch: &'s Scratch,
    failing: Arc<Failing>,
    store: WatchedStore<Failing>,
    fs: Watched<RealFs, Failing>,
    durability: Durability,
}

impl<'s> Faulty<'s> {
    /// Opens the store first, so that the fault meets only what comes after.
    fn new(scratch: &'s Scratch, durability: Durability, fault: Fault) -> Self {
        let failing = Arc::new(Failing::default());
        let store = scratch.watched(&failing, durability);
        let fs = Watched::new(RealFs, Arc::clone(&failing));
        failing.set(fault);
        Self { scratch, failing, store, fs, durability }
    }

    /// Removes the fault, which must have fired.
    #[track_caller]
    fn heal(&self) {
        assert!(self.failing.clear() > 0, "the fault fired");
    }
}

/// Two writes of different content go each through a temp of its own name where the temps lie of the file
/// that `write` makes and names.
#[track_caller]
fn assert_temps_of_their_own(recorder: &Recorder, prefix: &str, write: impl Fn(&str) -> PathBuf) {
    let temps = ["one", "two"].map(|content| {
        let path = write(content);
        let calls = recorder.take();
        let write = Write::of(&calls, &path);
        // Those of objects lie above the shards.
        let dir = path.ancestors().nth(if prefix == ".obj-tmp-" { 2 } else { 1 });
        write.assert_temp(dir.unwrap(), prefix);
        write.temp
    });
    assert_ne!(temps[0].file_name(), temps[1].file_name());
}

/// Lets every call of one kind fail. The error must reach the caller with its errno and a path, and
/// no temp may be left.
#[track_caller]
fn assert_fails_cleanly<T>(
    scratch: &Scratch,
    (kind, errno): (CallKind, i32),
    operation: impl FnOnce(&Faulty<'_>) -> Result<T>,
) {
    let faulty = Faulty::new(scratch, Durability::Strict, Fault::with(errno).on(&[kind]));
    let error = operation(&faulty).err().expect("the failure reaches the caller");
    faulty.heal();
    let Error::Io { path, source, .. } = &error else { panic!("{error:?}") };
    assert_eq!(source.raw_os_error(), Some(errno));
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    scratch.assert_no_temps();
}

/// Failed barriers, in each of the four ways that were decided. `operation` says what it reached, and
/// is run on a store of its own each time; `check` is told whether it was to succeed.
#[track_caller]
fn assert_failed_barriers_are_told(
    scratch: impl Fn() -> Scratch,
    operation: impl Fn(&Faulty<'_>) -> Result<Reached>,
    check: impl Fn(&Scratch, bool),
) {
    let unsupported = [EINVAL, ENOSYS, EOPNOTSUPP];
    let unsupported = unsupported.map(|errno| (Durability::Strict, errno, Reached::Unsupported));
    let degraded = [(Durability::BestEffort, EIO, Reached::Degraded)];
    for (durability, errno, expected) in unsupported.into_iter().chain(degraded) {
        let scratch = scratch();
        let fault = Fault::with(errno).on(&[CallKind::SyncAll, CallKind::SyncDir]);
        let faulty = Faulty::new(&scratch, durability, fault);
        assert_eq!(operation(&faulty).unwrap(), expected, "{durability:?} and errno {errno}");
        faulty.heal();
        scratch.assert_no_temps();
        check(&scratch, true);
    }
    let scratch = scratch();
    assert_fails_cleanly(&scratch, (CallKind::SyncAll, EIO), operation);
    check(&scratch, false);
}

/// The content of a text file.
fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}
