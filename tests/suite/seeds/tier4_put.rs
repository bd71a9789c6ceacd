//! Tier 4: objects put from memory.

use faultfs::CallKind;
use plugpull_store::{ObjectId, Outcome, Reached};

use super::{assert_failed_barriers_are_told, assert_fails_cleanly, assert_temps_of_their_own};
use crate::protocol::{Write, position, recorded};
use crate::scratch::{Scratch, random_bytes};
use crate::taps::{EIO, ENOSPC};

#[test]
fn it_is_synced_before_it_gets_its_name() {
    let scratch = Scratch::new();
    let (recorder, store) = recorded(&scratch);
    let bytes = random_bytes(1, 4096);
    let put = store.put(&bytes).unwrap();
    assert_eq!((put.receipt.outcome, put.receipt.reached), (Outcome::Created, Reached::Durable));
    Write::of(&recorder.take(), &scratch.layout().object(&put.id)).assert_order();
    assert_eq!(store.get(&put.id).unwrap(), Some(bytes));
}

#[test]
fn a_failed_barrier_is_told_or_fails_the_put() {
    assert_failed_barriers_are_told(
        Scratch::new,
        |faulty| faulty.store.put(b"content").map(|put| put.receipt.reached),
        |scratch, done| {
            let expected = done.then(|| b"content".to_vec());
            assert_eq!(scratch.open().get(&ObjectId::of(b"content")).unwrap(), expected);
        },
    );
}

#[test]
fn it_goes_through_a_temp_of_its_own_name() {
    let scratch = Scratch::new();
    let (recorder, store) = recorded(&scratch);
    assert_temps_of_their_own(&recorder, ".obj-tmp-", |text| {
        scratch.layout().object(&store.put(text.as_bytes()).unwrap().id)
    });
}

#[test]
fn no_temp_is_left_after_a_put_nor_after_a_second_one() {
    let scratch = Scratch::new();
    let store = scratch.open();
    assert_eq!(store.put(b"x").unwrap().receipt.outcome, Outcome::Created);
    assert_eq!(store.put(b"x").unwrap().receipt.outcome, Outcome::AlreadyThere);
    scratch.assert_clean();
}

/// Its first writer may have been killed before its barriers.
#[test]
fn a_second_put_syncs_the_object_and_its_directory_again() {
    let scratch = Scratch::new();
    let (recorder, store) = recorded(&scratch);
    let path = scratch.layout().object(&store.put(b"x").unwrap().id);
    recorder.take();
    let _ = store.put(b"x").unwrap();
    let calls = recorder.take();
    let synced = position(&calls, CallKind::SyncAll, &path);
    position(&calls[synced..], CallKind::SyncDir, path.parent().unwrap());
    assert!(calls.iter().all(|call| call.kind != CallKind::CreateNew), "nothing is written");
}

/// One kind of call fails: the error is told and the object is absent, not half there.
fn assert_nothing_is_stored(kind: CallKind, errno: i32) {
    let scratch = Scratch::new();
    assert_fails_cleanly(&scratch, (kind, errno), |faulty| faulty.store.put(b"content"));
    assert_eq!(scratch.open().get(&ObjectId::of(b"content")).unwrap(), None);
    assert_eq!(scratch.object_files(), [] as [std::path::PathBuf; 0]);
}

#[test]
fn a_failed_rename_is_an_error_and_leaves_no_temp() {
    assert_nothing_is_stored(CallKind::RenameNoReplace, ENOSPC);
}

#[test]
fn a_failed_write_is_an_error_and_leaves_no_temp() {
    assert_nothing_is_stored(CallKind::WriteAt, ENOSPC);
    assert_nothing_is_stored(CallKind::CreateNew, EIO);
}
