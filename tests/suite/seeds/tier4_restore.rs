//! Tier 4: objects restored as files of the user's.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use faultfs::CallKind;
use plugpull_store::{ObjectId, Store};

use super::{assert_failed_barriers_are_told, assert_fails_cleanly, text};
use crate::protocol::{Write, recorded};
use crate::scratch::Scratch;
use crate::taps::{EIO, ENOSPC};

const DAY: Duration = Duration::from_hours(24);

/// A store with one object, and an old file where it will be restored to.
fn with_object() -> (Scratch, ObjectId, PathBuf) {
    let scratch = Scratch::new();
    let id = scratch.open().put(b"new").unwrap().id;
    let to = scratch.beside("work/file.txt");
    fs::create_dir(scratch.beside("work")).unwrap();
    fs::write(&to, "old").unwrap();
    (scratch, id, to)
}

fn set_age(path: &std::path::Path, age: Duration) {
    let time = SystemTime::now() - age;
    File::open(path).unwrap().set_modified(time).unwrap();
}

fn modified(path: &std::path::Path) -> SystemTime {
    fs::metadata(path).unwrap().modified().unwrap()
}

fn restore(store: &Store, id: &ObjectId, to: &std::path::Path) {
    let receipt = store.restore(id, to, false).unwrap().expect("the object is there");
    assert_eq!(receipt.reached, plugpull_store::Reached::Durable);
}

#[test]
fn it_is_synced_before_it_replaces() {
    let (scratch, id, to) = with_object();
    let (recorder, store) = recorded(&scratch);
    let calls = [(); 2].map(|()| {
        assert!(store.restore(&id, &to, false).unwrap().is_some());
        recorder.take()
    });
    let writes = calls.each_ref().map(|calls| Write::of(calls, &to));
    for write in &writes {
        write.assert_temp(to.parent().unwrap(), ".restore-tmp-");
        write.assert_order();
    }
    assert_ne!(writes[0].temp, writes[1].temp);
}

#[test]
fn a_failed_barrier_is_told_or_fails_the_restore() {
    let to = |scratch: &Scratch| scratch.beside("work/file.txt");
    assert_failed_barriers_are_told(
        || with_object().0,
        |faulty| {
            let restored = faulty.store.restore(&ObjectId::of(b"new"), &to(faulty.scratch), false);
            restored.map(|receipt| receipt.expect("the object is there").reached)
        },
        |scratch, done| assert_eq!(text(&to(scratch)), if done { "new" } else { "old" }),
    );
}

/// One kind of call fails: the error is told, the old file stands.
fn assert_old_file_survives(kind: CallKind, errno: i32) {
    let (scratch, id, to) = with_object();
    // The directory is on the list already, so that the fault meets the restored file itself.
    restore(&scratch.open(), &id, &to.with_file_name("other.txt"));
    assert_fails_cleanly(&scratch, (kind, errno), |faulty| faulty.store.restore(&id, &to, false));
    assert_eq!(text(&to), "old");
}

#[test]
fn a_failed_copy_is_an_error_and_leaves_no_temp() {
    assert_old_file_survives(CallKind::CreateNew, EIO);
    assert_old_file_survives(CallKind::WriteAt, EIO);
    assert_old_file_survives(CallKind::ReadAt, EIO);
    assert_old_file_survives(CallKind::SetModified, EIO);
}

#[test]
fn a_failed_rename_is_an_error_and_leaves_no_temp() {
    assert_old_file_survives(CallKind::Rename, ENOSPC);
}

#[test]
fn no_temp_is_left_after_a_restore() {
    let (scratch, id, to) = with_object();
    restore(&scratch.open(), &id, &to);
    assert_eq!(text(&to), "new");
    scratch.assert_clean();
}

/// Editors look at the time to see whether a file changed: an object's own would hide the change.
#[test]
fn a_restored_file_has_the_time_of_its_restoring() {
    let (scratch, id, to) = with_object();
    set_age(&scratch.layout().object(&id), 2 * DAY);
    set_age(&to, DAY);
    let before = SystemTime::now();
    restore(&scratch.open(), &id, &to);
    let after = SystemTime::now();
    let time = modified(&to);
    assert!(before <= time && time <= after + Duration::from_secs(1), "{before:?} {time:?}");
    assert_eq!(text(&to), "new");
}

#[test]
fn a_restored_file_is_newer_than_the_one_it_replaces() {
    let (scratch, id, to) = with_object();
    set_age(&scratch.layout().object(&id), DAY);
    let old = modified(&to);
    restore(&scratch.open(), &id, &to);
    assert!(modified(&to) > old);

    // Also when the old file is from the future, as after a clock set back.
    let future = SystemTime::now() + DAY;
    File::open(&to).unwrap().set_modified(future).unwrap();
    restore(&scratch.open(), &id, &to);
    assert!(modified(&to) > future);
    assert_eq!(text(&to), "new");
}
