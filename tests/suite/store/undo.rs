//! What is put back when the last barrier of an update fails, and what is said when that fails as well.
//!
//! That it is put back whatever call fails is shown in `every_call`.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use faultfs::{Access, Call, CallKind, Fs, FsFile, SimFs, Watched, Watcher};
use plugpull_store::{Durability, Error, Expected, Head, Options, Store, write_text_atomic};

use crate::scratch::{Scratch, branch, commit};
use crate::taps::{EIO, Failing, Fault, Recorder};

const ROOT: &str = "/store";

#[test]
fn when_no_barrier_succeeds_the_error_says_that_the_value_is_not_known() {
    let scratch = Scratch::new();
    let failing = Arc::new(Failing::default());
    let store = scratch.watched(&failing, Durability::Strict);
    let pin = store.pin().unwrap();
    let [one, two] = ["one", "two"].map(|message| commit(&store, message));
    let main = branch("main");
    let _ = store.update_branch(&main, one, Expected::Absent).unwrap();
    let head = store.head().unwrap();
    let broken = || failing.set(Fault::with(EIO).on(&[CallKind::SyncDir]));

    broken();
    let moved = store.update_branch(&main, two, Expected::At(one)).unwrap_err();
    broken();
    let made = store.update_branch(&branch("new"), one, Expected::Absent).unwrap_err();
    broken();
    let deleted = store.delete_branch(&main, Expected::At(one)).unwrap_err();
    broken();
    let set = store.set_head(&Head::Detached(one)).unwrap_err();
    failing.clear();

    for error in [moved, made, deleted, set] {
        assert!(matches!(error, Error::Undecided { .. }), "{error}");
        assert!(error.to_string().contains("after a power cut is not known"), "{error}");
    }
    // What can be seen is the old state in any case.
    assert_eq!(store.read_branch(&main).unwrap(), Some(one));
    assert_eq!(store.read_branch(&branch("new")).unwrap(), None);
    assert_eq!(store.head().unwrap(), head);
    drop(pin);
    scratch.assert_clean();
}

/// Somebody else writes the same file just before the first barrier of the directory, which fails.
struct Other {
    disk: SimFs,
    done: AtomicBool,
}

impl Watcher for Other {
    fn before(&self, call: &Call<'_>) -> io::Result<()> {
        if call.kind != CallKind::SyncDir || self.done.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        let path = Path::new("/text");
        let _ = write_text_atomic(&self.disk, path, "theirs", Durability::Strict).unwrap();
        Err(io::Error::from_raw_os_error(EIO))
    }
}

#[test]
fn what_somebody_else_wrote_meanwhile_is_left_alone() {
    let disk = SimFs::new();
    let path = Path::new("/text");
    let _ = write_text_atomic(&disk, path, "old", Durability::Strict).unwrap();
    let other = Arc::new(Other { disk: disk.clone(), done: AtomicBool::new(false) });
    let fs = Watched::new(disk.clone(), other);
    write_text_atomic(&fs, path, "ours", Durability::Strict).unwrap_err();
    let mut bytes = [0; 7];
    let n = disk.open(path, Access::Read).unwrap().read_full_at(&mut bytes, 0).unwrap();
    assert_eq!(&bytes[..n], b"theirs");
}

#[test]
fn the_old_file_comes_back_with_its_mode() {
    let disk = SimFs::new();
    let path = Path::new("/text");
    let file = disk.create_new(path, 0o600).unwrap();
    file.write_all_at(b"old", 0).unwrap();
    let failing = Arc::new(Failing::default());
    failing.set(Fault::with(EIO).on(&[CallKind::SyncDir]).nth(0));
    let fs = Watched::new(disk.clone(), Arc::clone(&failing));
    write_text_atomic(&fs, path, "new", Durability::Strict).unwrap_err();
    assert_eq!(failing.clear(), 1);
    let found = disk.metadata(path).unwrap();
    assert_eq!((found.mode, found.len), (0o600, 3));
}

#[test]
fn best_effort_undoes_nothing_and_says_degraded() {
    let scratch = Scratch::new();
    let failing = Arc::new(Failing::default());
    let store = scratch.watched(&failing, Durability::BestEffort);
    failing.set(Fault::with(EIO).on(&[CallKind::SyncDir]));
    let head = Head::Branch(branch("other"));
    assert_eq!(store.set_head(&head).unwrap().reached, plugpull_store::Reached::Degraded);
    assert_eq!(failing.clear(), 1);
    assert_eq!(store.head().unwrap(), Some(head));
}

/// A collection may be killed when its list can be seen and is not durable. Whoever finishes it makes it
/// durable first; else a power cut could leave a history half deleted, and nobody would know.
#[test]
fn a_list_that_was_found_is_durable_before_anything_on_it_is_deleted() {
    let disk = SimFs::new();
    let recorder = Arc::new(Recorder::default());
    let fs = Watched::new(disk.clone(), Arc::clone(&recorder));
    let store = Store::init_on(fs, Path::new(ROOT), Options::default()).unwrap();
    let id = store.put(b"condemned").unwrap().id;
    let list = disk.create_new(&store.layout().condemned(), 0o644).unwrap();
    list.write_all_at(format!("{id}\n").as_bytes(), 0).unwrap();
    recorder.take();
    drop(store.pin().unwrap());
    let calls = recorder.take();
    let position = |kind, path: &Path| calls.iter().position(|c| c.kind == kind && c.path == path);
    let durable = position(CallKind::SyncDir, Path::new(ROOT)).unwrap();
    assert!(durable < position(CallKind::Unlink, &store.layout().object(&id)).unwrap());
}

#[test]
fn an_unlock_that_failed_once_keeps_no_collection_waiting() {
    let disk = SimFs::new();
    drop(Store::init_on(disk.clone(), Path::new(ROOT), Options::default()).unwrap());
    for n in 0..2 {
        let failing = Arc::new(Failing::default());
        let fs = Watched::new(disk.clone(), Arc::clone(&failing));
        let mut store = Store::open_on(fs, Path::new(ROOT), Options::default()).unwrap();
        failing.set(Fault::with(EIO).on(&[CallKind::Unlock]).nth(n));
        let _ = store.put(b"content").unwrap();
        assert_eq!(failing.clear(), 1);
        store.gc(plugpull_store::GcOptions::default()).unwrap();
    }
}
