//! Being visible is not being durable: what a reference needs before it is written, and what is
//! remembered of that.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use faultfs::{CallKind, RealFs, Watched};
use plugpull_store::{
    Commit, Durability, Error, Expected, GcOptions, Head, ObjectId, Options, ProblemKind, Reached,
    Snapshot, Store,
};

use crate::scratch::{Scratch, TIME, branch, commit, one_file};
use crate::taps::{EIO, Failing, Fault, Recorder};

/// A store in which the put of `bytes` reached a name, but the barrier of that name failed.
fn with_unsettled(bytes: &[u8]) -> (Scratch, ObjectId) {
    let scratch = Scratch::new();
    let failing = Arc::new(Failing::default());
    let store = scratch.watched(&failing, Durability::Strict);
    failing.set(Fault::with(EIO).on(&[CallKind::SyncDir]));
    store.put(bytes).unwrap_err();
    assert_eq!(failing.clear(), 1);
    (scratch, ObjectId::of(bytes))
}

#[test]
fn nothing_refers_to_an_object_whose_barrier_failed() {
    let (scratch, blob) = with_unsettled(b"perhaps lost");
    let snapshot = Snapshot::of([("a", blob)]).unwrap();
    let store = scratch.open();
    assert_eq!(store.get(&blob).unwrap().unwrap(), b"perhaps lost");
    let refused = store.put_snapshot(&snapshot).unwrap_err();
    assert!(matches!(&refused, Error::NotDurable { id, .. } if *id == blob), "{refused}");
    assert!(refused.to_string().contains("put it again"));
    // Best effort goes on and says so.
    let careless =
        Store::open(&scratch.root(), Options::durability(Durability::BestEffort)).unwrap();
    let put = careless.put_snapshot(&snapshot).unwrap();
    assert_eq!(put.receipt.reached, Reached::Degraded);
    // The remedy of the message works.
    assert_eq!(store.put(b"perhaps lost").unwrap().receipt.reached, Reached::Durable);
    assert_eq!(store.put_snapshot(&snapshot).unwrap().receipt.reached, Reached::Durable);
    scratch.assert_clean();
}

/// The directories synced since the last look.
fn synced(recorder: &Recorder) -> Vec<PathBuf> {
    let seen = recorder.take().into_iter();
    seen.filter(|call| call.kind == CallKind::SyncDir).map(|call| call.path).collect()
}

fn shard(scratch: &Scratch, id: &ObjectId) -> PathBuf {
    scratch.layout().object(id).parent().unwrap().to_owned()
}

#[test]
fn what_a_reference_leads_to_is_made_durable_first() {
    // Put by a writer that may have been killed between its rename and its barrier.
    let scratch = Scratch::new();
    let other = scratch.open();
    let blob = other.put(b"by another").unwrap().id;
    let tip = commit(&other, "by another");
    let recorder = Arc::new(Recorder::default());
    let store = scratch.watched(&recorder, Durability::Strict);
    recorder.take();

    let _put = store.put_snapshot(&Snapshot::of([("a", blob)]).unwrap()).unwrap();
    assert_eq!(synced(&recorder)[0], shard(&scratch, &blob));
    let _receipt = store.update_branch(&branch("b"), tip, Expected::Absent).unwrap();
    assert_eq!(synced(&recorder), [shard(&scratch, &tip), scratch.layout().heads()]);
    let _receipt = store.set_head(&Head::Detached(tip)).unwrap();
    assert_eq!(synced(&recorder), [shard(&scratch, &tip), scratch.root()]);
}

#[test]
fn a_failed_barrier_of_what_is_referred_to_fails_the_reference() {
    let scratch = Scratch::new();
    let tip = commit(&scratch.open(), "first");
    let failing = Arc::new(Failing::default());
    let store = scratch.watched(&failing, Durability::Strict);
    let dir = shard(&scratch, &tip);
    failing.set(Fault::with(EIO).on(&[CallKind::SyncDir]).at(move |path| path == dir));
    store.update_branch(&branch("b"), tip, Expected::Absent).unwrap_err();
    assert_eq!(failing.clear(), 1);
    assert_eq!(store.read_branch(&branch("b")).unwrap(), None);
    scratch.assert_clean();
}

#[test]
fn a_pin_remembers_what_it_saw_to_be_durable_and_no_longer() {
    let scratch = Scratch::new();
    let recorder = Arc::new(Recorder::default());
    let store = scratch.watched(&recorder, Durability::Strict);
    let pin = store.pin().unwrap();
    let snapshot = one_file(&store, b"x");
    recorder.take();
    let first = store.put_commit(&Commit::new([], snapshot, "me", "first", TIME)).unwrap().id;
    assert_eq!(synced(&recorder), [shard(&scratch, &first)]);
    let _receipt = store.update_branch(&branch("b"), first, Expected::Absent).unwrap();
    assert_eq!(synced(&recorder), [scratch.layout().heads()]);
    drop(pin);
    // A branch that can be seen leads to what was durable before it: read under a pin, that holds.
    let pin = store.pin().unwrap();
    let tip = store.read_branch(&branch("b")).unwrap().unwrap();
    let snapshot = one_file(&store, b"y");
    recorder.take();
    let next = store.put_commit(&Commit::new([tip], snapshot, "me", "next", TIME)).unwrap().id;
    assert_eq!(synced(&recorder), [shard(&scratch, &next)]);
    drop(pin);
    // Without a pin nothing is remembered: a collection might have come between.
    let commit = Commit::new([next], snapshot, "me", "last", TIME);
    recorder.take();
    let last = store.put_commit(&commit).unwrap().id;
    let expected = [&snapshot, &next, &last].map(|id| shard(&scratch, id));
    assert_eq!(synced(&recorder), expected);
}

fn records(scratch: &Scratch) -> usize {
    fs::read_dir(scratch.layout().restores()).unwrap().count()
}

fn collect(scratch: &Scratch) {
    scratch.open().gc(GcOptions::default()).unwrap();
}

#[test]
fn the_list_of_restores_is_pruned_where_no_temp_is_left() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let blob = store.put(b"x").unwrap().id;
    for name in ["one/x", "two/x"] {
        let _receipt = store.restore(&blob, &scratch.beside(name), false).unwrap().unwrap();
    }
    assert_eq!(records(&scratch), 2);
    // A live restorer's temp keeps its record.
    let temp = scratch.beside("one/.restore-tmp-1-1");
    let file = fs::File::create(&temp).unwrap();
    file.lock().unwrap();
    collect(&scratch);
    assert_eq!(records(&scratch), 1);
    drop(file);
    assert_eq!(scratch.open().recovery().orphans, [temp]);
    collect(&scratch);
    assert_eq!(records(&scratch), 0);
    // The same open store restores there again and enters it again.
    let _receipt = store.restore(&blob, &scratch.beside("one/x"), false).unwrap().unwrap();
    assert_eq!(records(&scratch), 1);
}

#[test]
fn a_damaged_record_of_restores_is_reported_and_keeps_nobody_out() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let blob = store.put(b"x").unwrap().id;
    let _receipt = store.restore(&blob, &scratch.beside("one/x"), false).unwrap().unwrap();
    let dir = scratch.layout().restores();
    let record = fs::read_dir(&dir).unwrap().next().unwrap().unwrap().path();
    for damage in [vec![b'/'; 5000], b"/elsewhere".to_vec(), Vec::new()] {
        fs::write(&record, damage).unwrap();
        drop(scratch.open());
        let problems = scratch.audit().problems;
        assert_eq!(problems.len(), 1);
        assert_eq!((problems[0].kind, &problems[0].path), (ProblemKind::BadList, &record));
    }
    collect(&scratch);
    scratch.assert_clean();
}

#[test]
fn an_init_makes_its_own_entry_durable_also_when_the_directory_is_there() {
    // An earlier init may have been killed between mkdir and the barrier of the directory above.
    let scratch = Scratch::without_store();
    fs::create_dir(scratch.root()).unwrap();
    let recorder = Arc::new(Recorder::default());
    let fs = Watched::new(RealFs, Arc::clone(&recorder));
    Store::init_on(fs, &scratch.root(), Options::default()).unwrap();
    let root = scratch.root();
    let above = root.parent().unwrap();
    assert!(synced(&recorder).iter().any(|dir| dir == above));
}

#[test]
fn an_init_puts_back_a_missing_head_and_replaces_none() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let _receipt = store.set_head(&Head::Branch(branch("other"))).unwrap();
    Store::init(&scratch.root(), Options::default()).unwrap();
    assert_eq!(store.head().unwrap(), Some(Head::Branch(branch("other"))));
    fs::remove_file(scratch.layout().head()).unwrap();
    Store::init(&scratch.root(), Options::default()).unwrap();
    assert_eq!(store.head().unwrap(), Some(Head::Branch(branch("main"))));
    scratch.assert_clean();
}
