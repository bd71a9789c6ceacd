//! Garbage collection: what goes, what stays, and what happens when it is interrupted.

use std::fs::{self, File};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use faultfs::{CallKind, Fs};
use plugpull_store::{
    Commit, Durability, Error, Expected, GcOptions, GcReport, Head, ObjectId, Outcome, Store,
};

use crate::protocol::{Write, position, recorded};
use crate::scratch::{Scratch, TIME, branch, commit, one_file};
use crate::taps::{EIO, Failing, Fault, Seen};

const HOUR: Duration = Duration::from_hours(1);
const NOW: GcOptions = GcOptions { grace: Duration::ZERO, dry_run: false };

/// A branch with one commit (three objects), and three loose objects.
fn with_garbage() -> (Scratch, ObjectId, [ObjectId; 3]) {
    let scratch = Scratch::new();
    let store = scratch.open();
    let tip = commit(&store, "kept");
    let _ = store.update_branch(&branch("main"), tip, Expected::Absent).unwrap();
    let loose = [&b"one"[..], b"two", b"three"].map(|bytes| store.put(bytes).unwrap().id);
    (scratch, tip, loose)
}

fn present<F: Fs>(store: &Store<F>, ids: &[ObjectId]) -> usize {
    ids.iter().filter(|id| store.contains(id).unwrap()).count()
}

/// The commit, its snapshot and its blob are all readable.
#[track_caller]
fn assert_history(store: &Store, tip: &ObjectId) {
    let commit = store.read_commit(tip).unwrap().expect("the commit is there");
    let snapshot = store.read_snapshot(&commit.snapshot).unwrap().expect("its snapshot is there");
    for (_, entry) in snapshot.files() {
        assert!(store.get(&entry.id).unwrap().is_some(), "its blob is there");
    }
}

fn age(scratch: &Scratch, id: &ObjectId, age: Duration) {
    let file = File::open(scratch.layout().object(id)).unwrap();
    file.set_modified(SystemTime::now() - age).unwrap();
}

#[test]
fn what_nothing_leads_to_goes_and_the_rest_stays() {
    let (scratch, tip, loose) = with_garbage();
    let mut store = scratch.open();
    let report = store.gc(NOW).unwrap();
    let expected = GcReport { kept: 3, deleted: 3, deleted_bytes: 11, orphans: Vec::new() };
    assert_eq!(report, expected);
    assert_eq!(present(&store, &loose), 0);
    assert_history(&store, &tip);
    assert_eq!(scratch.object_files().len(), 3);
    scratch.assert_clean();
}

#[test]
fn a_detached_head_keeps_its_history() {
    let scratch = Scratch::new();
    let mut store = scratch.open();
    let tip = commit(&store, "detached");
    let _ = store.set_head(&Head::Detached(tip)).unwrap();
    assert_eq!(store.gc(NOW).unwrap().deleted, 0);
    assert_history(&store, &tip);
}

#[test]
fn every_commit_of_a_history_stays() {
    let scratch = Scratch::new();
    let mut store = scratch.open();
    let mut tip = commit(&store, "commit 0");
    for n in 1..10 {
        let snapshot = one_file(&store, format!("content {n}").as_bytes());
        let next = Commit::new([tip], snapshot, "tester", format!("commit {n}"), TIME);
        tip = store.put_commit(&next).unwrap().id;
    }
    let _ = store.update_branch(&branch("main"), tip, Expected::Absent).unwrap();
    let report = store.gc(NOW).unwrap();
    assert_eq!((report.kept, report.deleted), (30, 0));
    scratch.assert_clean();
}

#[test]
fn what_is_young_stays_and_so_does_all_it_leads_to() {
    let scratch = Scratch::new();
    let mut store = scratch.open();
    let [young, old] = ["young", "old"].map(|name| commit(&store, name));
    for path in scratch.object_files() {
        File::open(path).unwrap().set_modified(SystemTime::now() - 2 * HOUR).unwrap();
    }
    age(&scratch, &young, HOUR / 2);
    let report = store.gc(GcOptions::default()).unwrap();
    assert_eq!((report.kept, report.deleted), (3, 3));
    assert_history(&store, &young);
    assert!(!store.contains(&old).unwrap());
}

#[test]
fn a_second_put_makes_an_object_young_again() {
    let scratch = Scratch::new();
    let mut store = scratch.open();
    let id = store.put(b"content").unwrap().id;
    age(&scratch, &id, 2 * HOUR);
    assert_eq!(store.put(b"content").unwrap().receipt.outcome, Outcome::AlreadyThere);
    assert_eq!(store.gc(GcOptions::default()).unwrap().deleted, 0);
    assert!(store.contains(&id).unwrap());
}

#[test]
fn an_object_from_the_future_counts_as_young() {
    let scratch = Scratch::new();
    let mut store = scratch.open();
    let id = store.put(b"content").unwrap().id;
    let file = File::open(scratch.layout().object(&id)).unwrap();
    file.set_modified(SystemTime::now() + 24 * HOUR).unwrap();
    assert_eq!(store.gc(GcOptions::default()).unwrap().deleted, 0);
}

#[test]
fn a_dry_run_tells_what_would_go_and_deletes_nothing() {
    let (scratch, _, loose) = with_garbage();
    let mut store = scratch.open();
    let report = store.gc(GcOptions { dry_run: true, ..NOW }).unwrap();
    assert_eq!((report.kept, report.deleted, report.deleted_bytes), (3, 3, 11));
    assert_eq!(present(&store, &loose), 3);
    assert_eq!(store.gc(NOW).unwrap(), report, "the real run does what the dry run said");
}

#[test]
fn the_list_is_durable_before_the_first_deletion_and_goes_after_the_last_is() {
    let (scratch, _, loose) = with_garbage();
    let (recorder, mut store) = recorded(&scratch);
    assert_eq!(store.gc(NOW).unwrap().deleted, 3);
    let calls = recorder.take();
    let list = scratch.layout().condemned();
    let renames = |call: &&Seen| call.kind == CallKind::Rename && call.to.as_ref() == Some(&list);
    assert_eq!(calls.iter().filter(renames).count(), 2, "the list, and an empty one at its end");
    // The root is synced before, too: the collection relies on HEAD.
    let named = calls.iter().position(|c| renames(&c)).unwrap();
    let listed = named + position(&calls[named..], CallKind::SyncDir, &scratch.root());
    Write::of(&calls[..=listed], &list).assert_order();
    let ended = listed + 1 + calls[listed + 1..].iter().position(|c| renames(&c)).unwrap();
    for path in loose.map(|id| scratch.layout().object(&id)) {
        let deleted = position(&calls, CallKind::Unlink, &path);
        let synced = position(&calls[deleted..], CallKind::SyncDir, path.parent().unwrap());
        assert!(listed < deleted && deleted + synced < ended, "{calls:?}");
    }
    let durable = ended + position(&calls[ended..], CallKind::SyncDir, &scratch.root());
    assert!(durable < position(&calls, CallKind::Unlink, &list), "{calls:?}");
}

/// A collection fails after its first deletion.
fn interrupt(scratch: &Scratch) {
    let failing = Arc::new(Failing::default());
    let mut store = scratch.watched(&failing, Durability::Strict);
    failing.set(Fault::with(EIO).on(&[CallKind::Unlink]).nth(1));
    let error = store.gc(NOW).unwrap_err();
    assert!(matches!(error, Error::Io { op: "remove", .. }), "{error:?}");
    assert_eq!(failing.clear(), 1);
    assert!(scratch.layout().condemned().exists());
}

#[test]
fn an_interrupted_collection_is_finished_by_the_next_open() {
    let (scratch, tip, loose) = with_garbage();
    interrupt(&scratch);
    let audit = scratch.audit();
    assert_eq!((audit.counts.condemned, audit.problems.len()), (3, 0));
    let store = scratch.open();
    assert_eq!(store.recovery().condemned, 2, "one of three was deleted before");
    assert!(!scratch.layout().condemned().exists());
    assert_eq!(present(&store, &loose), 0);
    assert_history(&store, &tip);
    scratch.assert_clean();
    assert_eq!(scratch.open().recovery().condemned, 0);
}

#[test]
fn an_interrupted_collection_is_finished_by_the_next_pin_of_an_open_store() {
    let (scratch, tip, loose) = with_garbage();
    let store = scratch.open();
    interrupt(&scratch);
    assert_eq!(present(&store, &loose), 2);
    // This very object is on the list: it is deleted first, then put, and stays.
    for (bytes, id) in [&b"one"[..], b"two", b"three"].iter().zip(loose) {
        let put = store.put(bytes).unwrap();
        assert_eq!((put.id, put.receipt.outcome), (id, Outcome::Created));
    }
    assert!(!scratch.layout().condemned().exists());
    assert_eq!(present(&scratch.open(), &loose), 3);
    assert_history(&store, &tip);
    scratch.assert_clean();
}

#[test]
fn an_interrupted_collection_is_finished_by_the_next_one_even_if_that_would_keep_more() {
    let (scratch, tip, loose) = with_garbage();
    let mut store = scratch.open();
    interrupt(&scratch);
    assert_eq!(store.gc(GcOptions::default()).unwrap().deleted, 0);
    assert!(!scratch.layout().condemned().exists());
    assert_eq!(present(&store, &loose), 0);
    assert_history(&store, &tip);
    scratch.assert_clean();
}

#[test]
fn a_collection_waits_for_a_pin_and_keeps_what_was_committed_under_it() {
    let (scratch, _, loose) = with_garbage();
    let store = scratch.open();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let pin = store.pin().unwrap();
        let tip = commit(&store, "put under the pin");
        let collection = scope.spawn(|| {
            let report = scratch.open().gc(NOW).unwrap();
            done.store(true, Ordering::SeqCst);
            report
        });
        thread::sleep(Duration::from_millis(100));
        assert!(!done.load(Ordering::SeqCst), "it waits");
        assert_eq!(present(&store, &loose), 3);
        let _ = store.update_branch(&branch("late"), tip, Expected::Absent).unwrap();
        drop(pin);
        assert_eq!(collection.join().unwrap().deleted, 3);
        assert_history(&store, &tip);
    });
    scratch.assert_clean();
}

#[test]
fn writers_and_collections_side_by_side_lose_nothing_that_a_branch_leads_to() {
    let scratch = Scratch::new();
    thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let store = scratch.open();
                scope.spawn(move || {
                    for n in 0..50 {
                        let name = format!("w{writer}-{n}");
                        let _pin = store.pin().unwrap();
                        let tip = commit(&store, &name);
                        let _ = store.update_branch(&branch(&name), tip, Expected::Absent).unwrap();
                    }
                })
            })
            .collect();
        let mut store = scratch.open();
        while writers.iter().any(|writer| !writer.is_finished()) {
            assert_eq!(store.gc(NOW).unwrap().deleted, 0);
        }
        for writer in writers {
            writer.join().unwrap();
        }
    });
    let store = scratch.open();
    let branches = store.branches().unwrap();
    assert_eq!(branches.len(), 200);
    for (_, tip) in &branches {
        assert_history(&store, tip);
    }
    scratch.assert_clean();
}

#[test]
fn it_deletes_nothing_when_something_reachable_is_missing() {
    for lost in ["commit", "snapshot"] {
        let (scratch, tip, loose) = with_garbage();
        let mut store = scratch.open();
        let snapshot = store.read_commit(&tip).unwrap().unwrap().snapshot;
        let id = if lost == "commit" { tip } else { snapshot };
        let lost = scratch.layout().object(&id);
        fs::remove_file(&lost).unwrap();
        let error = store.gc(NOW).unwrap_err();
        assert!(matches!(&error, Error::Corrupt { path, .. } if *path == lost), "{error:?}");
        assert_eq!(present(&store, &loose), 3);
    }
}
