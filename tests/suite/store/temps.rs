//! Whose temp it is: a sweep takes what a dead writer left, and never what a live one holds.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use faultfs::{Call, CallKind};
use plugpull_store::{Durability, Error, Expected, GcOptions, ObjectId, Options, Outcome, Store};

use crate::scratch::{Scratch, branch, commit};
use crate::taps::{EIO, Failing, Fault, Hook};

/// A reader that looks at the store between its two halves.
struct Halves<L> {
    look: L,
    reads: u8,
}

impl<L: FnMut()> Read for Halves<L> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.reads += 1;
        match self.reads {
            1 | 3 => {
                buf[..4].copy_from_slice(b"half");
                Ok(4)
            }
            2 => {
                (self.look)();
                buf[0] = b'-';
                Ok(1)
            }
            _ => Ok(0),
        }
    }
}

#[test]
fn an_open_and_a_collection_leave_the_temp_of_a_live_writer_alone() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let look = || {
        let mut other = scratch.open();
        assert!(other.recovery().orphans.is_empty());
        assert!(other.gc(GcOptions::default()).unwrap().orphans.is_empty());
        assert_eq!(scratch.temps().len(), 1);
    };
    let put = store.put_from_reader(&mut Halves { look, reads: 0 }, Path::new("halves")).unwrap();
    assert_eq!(store.get(&put.id).unwrap().unwrap(), b"half-half");
    scratch.assert_clean();
}

/// A file as a killed writer leaves it, in each place where the store writes temps.
fn leave_orphans(scratch: &Scratch) -> Vec<PathBuf> {
    let store = scratch.open();
    let id = commit(&store, "first");
    let _ = store.update_branch(&branch("feat/x"), id, Expected::Absent).unwrap();
    let work = scratch.beside("work");
    assert!(store.restore(&id, &work.join("file"), false).unwrap().is_some());
    let layout = scratch.layout();
    let mut orphans = vec![
        layout.root().join(".state-tmp-1-0"),
        layout.restores().join(".state-tmp-1-1"),
        layout.heads().join(".state-tmp-1-2"),
        layout.heads().join("feat/.state-tmp-1-3"),
        layout.objects().join(".obj-tmp-1-4"),
        work.join(".restore-tmp-1-5"),
    ];
    for path in &orphans {
        fs::write(path, "torn").unwrap();
    }
    orphans.sort_unstable();
    orphans
}

#[test]
fn an_open_removes_the_temps_of_dead_writers_wherever_they_are_and_tells() {
    let scratch = Scratch::new();
    let orphans = leave_orphans(&scratch);
    assert_eq!(scratch.temps(), orphans);
    let mut told = scratch.open().recovery().orphans.clone();
    told.sort_unstable();
    assert_eq!(told, orphans);
    scratch.assert_clean();
    assert!(scratch.open().recovery().orphans.is_empty());
}

#[test]
fn a_collection_removes_them_too() {
    let scratch = Scratch::new();
    let mut store = scratch.open();
    let orphans = leave_orphans(&scratch);
    let mut told = store.gc(GcOptions::default()).unwrap().orphans;
    told.sort_unstable();
    assert_eq!(told, orphans);
    scratch.assert_clean();
}

/// Older programs made the temps of objects in the shards, where an open does not look.
#[test]
fn a_collection_removes_those_of_an_older_program() {
    let scratch = Scratch::new();
    let mut store = scratch.open();
    let orphans = [0, 255].map(|shard| scratch.layout().shard(shard).join(".obj-tmp-1-0"));
    for path in &orphans {
        fs::write(path, "torn").unwrap();
    }
    assert!(scratch.open().recovery().orphans.is_empty());
    assert_eq!(store.gc(GcOptions::default()).unwrap().orphans, orphans);
    scratch.assert_clean();
}

#[test]
fn a_temp_that_its_writer_failed_to_remove_is_removed_by_the_next_open() {
    let scratch = Scratch::new();
    let failing = Arc::new(Failing::default());
    let store = scratch.watched(&failing, Durability::Strict);
    failing.set(Fault::with(EIO).on(&[CallKind::WriteAt, CallKind::Unlink]));
    let error = store.put(b"content").unwrap_err();
    assert!(matches!(error, Error::Io { op: "write", .. }), "the first failure is told: {error:?}");
    assert_eq!(failing.clear(), 2);
    let left = scratch.temps();
    assert_eq!(left.len(), 1);
    assert_eq!(scratch.open().recovery().orphans, left);
    scratch.assert_clean();
}

#[test]
fn files_of_the_user_that_only_look_like_temps_stay() {
    let scratch = Scratch::new();
    let id = scratch.open().put(b"x").unwrap().id;
    assert!(scratch.open().restore(&id, &scratch.beside("work/file"), false).unwrap().is_some());
    let names = [".restore-tmp-notes", ".restore-tmp-1", ".obj-tmp-1-1", "restore-tmp-1-1"];
    let files = names.map(|name| scratch.beside("work").join(name));
    for path in &files {
        fs::write(path, "mine").unwrap();
    }
    drop(scratch.open());
    assert!(files.iter().all(|path| fs::read(path).unwrap() == b"mine"));
}

/// Puts an object, and does `meanwhile` with its temp in the moment between creating and locking it,
/// the first time; the put must start again with a new temp and succeed.
fn assert_put_starts_again(meanwhile: impl Fn(&Scratch, &Path) + Send + Sync) {
    let scratch = Arc::new(Scratch::new());
    let armed = AtomicBool::new(false);
    let created = Mutex::new(Vec::new());
    let hook = Arc::new(Hook(|call: &Call<'_>| match call.kind {
        CallKind::CreateNew => created.lock().unwrap().push(call.path.to_owned()),
        CallKind::TryLock if armed.swap(false, Ordering::SeqCst) => {
            meanwhile(&scratch, call.path);
        }
        _ => {}
    }));
    let store = scratch.watched(&hook, Durability::Strict);
    armed.store(true, Ordering::SeqCst);
    let put = store.put(b"content").unwrap();
    assert!(!armed.load(Ordering::SeqCst), "it was interfered with");
    assert_eq!(put.receipt.outcome, Outcome::Created);
    assert_eq!(store.get(&put.id).unwrap().unwrap(), b"content");
    let created = created.lock().unwrap();
    assert_eq!(created.len(), 2, "{created:?}");
    assert_ne!(created[0], created[1]);
    scratch.assert_clean();
}

#[test]
fn a_temp_swept_before_it_was_locked_makes_the_writer_start_again() {
    assert_put_starts_again(|scratch, path| {
        let other = Store::open(&scratch.root(), Options::default()).unwrap();
        assert_eq!(other.recovery().orphans, [path]);
    });
}

#[test]
fn a_temp_that_a_sweep_holds_at_that_moment_makes_the_writer_start_again() {
    let held = Mutex::new(None);
    assert_put_starts_again(|_, path| {
        let file = File::open(path).unwrap();
        file.try_lock().unwrap();
        *held.lock().unwrap() = Some(file);
    });
}

#[test]
fn a_writer_whose_temps_are_always_swept_gives_up_with_an_error() {
    let scratch = Scratch::new();
    let hook = Arc::new(Hook(|call: &Call<'_>| {
        if call.kind == CallKind::TryLock {
            fs::remove_file(call.path).unwrap();
        }
    }));
    let store = scratch.watched(&hook, Durability::Strict);
    let error = store.put(b"content").unwrap_err();
    assert!(matches!(error, Error::Contended { .. }), "{error:?}");
    assert_eq!(store.get(&ObjectId::of(b"content")).unwrap(), None);
    scratch.assert_clean();
}

/// Found by the torture run: two writers opened the store at once, one sweep was trying the lock of an
/// orphan when the other came to it, took it for owned and left it; the first was killed before it
/// removed it. So a sweep waits for the one before it, however that ends.
#[test]
fn an_orphan_that_a_killed_sweep_was_trying_goes_with_the_open_beside_it() {
    let scratch = Scratch::new();
    let orphan = scratch.layout().objects().join(".obj-tmp-1-1");
    fs::write(&orphan, "half").unwrap();
    // The sweep that will not come to its end: it holds its lock, and tries the orphan's.
    let sweep = File::open(scratch.layout().locks().join("sweep")).unwrap();
    sweep.lock().unwrap();
    let trying = File::open(&orphan).unwrap();
    trying.lock().unwrap();
    std::thread::scope(|scope| {
        let beside = scope.spawn(|| scratch.open().recovery().orphans.clone());
        std::thread::sleep(Duration::from_millis(50));
        assert!(!beside.is_finished(), "it did not wait for the sweep under way");
        drop((trying, sweep));
        assert_eq!(beside.join().unwrap(), [orphan]);
    });
    scratch.assert_clean();
}
