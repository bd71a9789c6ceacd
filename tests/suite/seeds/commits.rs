//! Commits: the same protocol as every object, contrary to what the seeds say of them.

use std::ffi::OsStr;

use faultfs::CallKind;
use plugpull_store::{Commit, ObjectId, Reached};

use super::{assert_failed_barriers_are_told, assert_fails_cleanly, assert_temps_of_their_own};
use crate::protocol::{Write, recorded};
use crate::scratch::{Scratch, TIME, commit, files_below, one_file};
use crate::taps::EIO;

/// The commit all these tests write.
fn first(snapshot: ObjectId) -> Commit {
    Commit::new([], snapshot, "tester", "first", TIME)
}

#[test]
fn it_is_synced_before_it_gets_its_name() {
    let scratch = Scratch::new();
    let (recorder, store) = recorded(&scratch);
    let value = first(one_file(&store, b"x"));
    recorder.take();
    let put = store.put_commit(&value).unwrap();
    assert_eq!(put.receipt.reached, Reached::Durable);
    Write::of(&recorder.take(), &scratch.layout().object(&put.id)).assert_order();
    assert_eq!(store.read_commit(&put.id).unwrap(), Some(value));
}

#[test]
fn a_failed_barrier_is_told_or_fails_the_commit() {
    let snapshot = |scratch: &Scratch| one_file(&scratch.open(), b"x");
    assert_failed_barriers_are_told(
        Scratch::new,
        |faulty| {
            // What the commit leads to is there before the fault.
            let value = first(snapshot(faulty.scratch));
            faulty.store.put_commit(&value).map(|put| put.receipt.reached)
        },
        |scratch, done| {
            let value = first(snapshot(scratch));
            let id = ObjectId::of(&serde_json::to_vec(&value).unwrap());
            assert_eq!(scratch.open().read_commit(&id).unwrap(), done.then_some(value));
        },
    );
}

#[test]
fn it_goes_through_a_temp_of_its_own_name() {
    let scratch = Scratch::new();
    let (recorder, store) = recorded(&scratch);
    assert_temps_of_their_own(&recorder, ".obj-tmp-", |message| {
        scratch.layout().object(&commit(&store, message))
    });
}

#[test]
fn no_file_of_the_store_has_a_fixed_temp_name() {
    let scratch = Scratch::new();
    let (recorder, store) = recorded(&scratch);
    commit(&store, "first");
    let seen = recorder.take().into_iter().flat_map(|call| [Some(call.path), call.to]).flatten();
    let all: Vec<_> = files_below(&scratch.root()).into_iter().chain(seen).collect();
    assert!(all.len() > 20, "something was looked at");
    assert!(all.iter().all(|path| path.extension() != Some(OsStr::new("tmp"))), "{all:?}");
}

#[test]
fn no_temp_is_left_after_a_commit() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let id = commit(&store, "first");
    assert_eq!(store.read_commit(&id).unwrap().unwrap().message, "first");
    scratch.assert_clean();
}

#[test]
fn no_temp_is_left_after_a_commit_that_failed_at_any_step() {
    let scratch = Scratch::new();
    let value = first(one_file(&scratch.open(), b"x"));
    let create = [CallKind::CreateNew, CallKind::TryLock, CallKind::WriteAt];
    for kind in create.into_iter().chain([CallKind::SyncAll, CallKind::RenameNoReplace]) {
        assert_fails_cleanly(&scratch, (kind, EIO), |faulty| faulty.store.put_commit(&value));
    }
    scratch.assert_clean();
    assert_eq!(scratch.audit().counts.commits, 0);
}
