//! Tier 4: objects put from a file.

use std::fs;

use faultfs::CallKind;
use plugpull_store::{ObjectId, Outcome, Reached};

use super::{assert_failed_barriers_are_told, assert_fails_cleanly};
use crate::protocol::{Write, recorded};
use crate::scratch::{Scratch, random_bytes};
use crate::taps::{EIO, ENOSPC};

const SOURCE: &str = "source.bin";

/// A store and a file of random bytes beside it.
fn with_source() -> Scratch {
    let scratch = Scratch::new();
    fs::write(scratch.beside(SOURCE), content()).unwrap();
    scratch
}

fn content() -> Vec<u8> {
    random_bytes(2, 4096)
}

#[test]
fn it_is_synced_before_it_gets_its_name() {
    let scratch = with_source();
    let (recorder, store) = recorded(&scratch);
    let put = store.put_from_path(&scratch.beside(SOURCE)).unwrap();
    let calls = recorder.take();
    let path = scratch.layout().object(&put.id);
    let write = Write::of(&calls, &path);
    write.assert_temp(&scratch.layout().objects(), ".obj-tmp-");
    write.assert_order();
}

#[test]
fn a_failed_barrier_is_told_or_fails_the_put() {
    assert_failed_barriers_are_told(
        with_source,
        |faulty| {
            let source = faulty.scratch.beside(SOURCE);
            faulty.store.put_from_path(&source).map(|put| put.receipt.reached)
        },
        |scratch, done| {
            let expected = done.then(content);
            assert_eq!(scratch.open().get(&ObjectId::of(&content())).unwrap(), expected);
        },
    );
}

/// One kind of call fails: the error is told and the object is absent, not half there.
fn assert_nothing_is_stored(kind: CallKind, errno: i32) {
    let scratch = with_source();
    let source = scratch.beside(SOURCE);
    assert_fails_cleanly(&scratch, (kind, errno), |faulty| faulty.store.put_from_path(&source));
    assert_eq!(scratch.open().get(&ObjectId::of(&content())).unwrap(), None);
    assert_eq!(fs::read(&source).unwrap(), content(), "the source is untouched");
}

#[test]
fn a_failed_copy_is_an_error_and_leaves_no_temp() {
    assert_nothing_is_stored(CallKind::CreateNew, EIO);
    assert_nothing_is_stored(CallKind::WriteAt, EIO);
    assert_nothing_is_stored(CallKind::ReadAt, EIO);
}

#[test]
fn a_failed_rename_is_an_error_and_leaves_no_temp() {
    assert_nothing_is_stored(CallKind::RenameNoReplace, ENOSPC);
}

#[test]
fn the_content_comes_back() {
    let scratch = with_source();
    let store = scratch.open();
    let put = store.put_from_path(&scratch.beside(SOURCE)).unwrap();
    assert_eq!((put.receipt.outcome, put.receipt.reached), (Outcome::Created, Reached::Durable));
    assert_eq!(put.id, ObjectId::of(&content()));
    assert_eq!(store.get(&put.id).unwrap(), Some(content()));
}

#[test]
fn no_temp_is_left_after_a_put() {
    let scratch = with_source();
    let source = scratch.beside(SOURCE);
    let store = scratch.open();
    assert_eq!(store.put_from_path(&source).unwrap().receipt.outcome, Outcome::Created);
    assert_eq!(store.put_from_path(&source).unwrap().receipt.outcome, Outcome::AlreadyThere);
    scratch.assert_clean();
}
