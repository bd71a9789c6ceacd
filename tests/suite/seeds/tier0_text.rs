//! Tier 0: the atomic text write.

use std::path::Path;
use std::sync::Arc;

use faultfs::{CallKind, RealFs, Watched};
use plugpull_store::{Durability, write_text_atomic};

use super::{assert_failed_barriers_are_told, assert_fails_cleanly, text};
use crate::protocol::{Write, position};
use crate::scratch::{Scratch, at_once};
use crate::taps::{EIO, ENOSPC, Recorder, Seen};

fn write(path: &Path, text: &str) {
    let receipt = write_text_atomic(&RealFs, path, text, Durability::Strict).unwrap();
    assert_eq!(receipt.reached, plugpull_store::Reached::Durable);
}

/// The calls of one write.
fn recorded(path: &Path) -> Vec<Seen> {
    let recorder = Arc::new(Recorder::default());
    let fs = Watched::new(RealFs, Arc::clone(&recorder));
    let _ = write_text_atomic(&fs, path, "hello", Durability::Strict).unwrap();
    recorder.take()
}

/// A store with a file beside it that says "old".
fn with_old() -> Scratch {
    let scratch = Scratch::new();
    write(&scratch.beside("state.txt"), "old");
    scratch
}

#[test]
fn it_writes_exactly_the_text() {
    let scratch = Scratch::without_store();
    let path = scratch.beside("state.txt");
    write(&path, "hello world\n");
    assert_eq!(text(&path), "hello world\n");
}

#[test]
fn it_creates_missing_parents_and_makes_each_of_them_durable() {
    let scratch = Scratch::without_store();
    let path = scratch.beside("a/b/c/state.txt");
    let calls = recorded(&path);
    assert_eq!(text(&path), "hello");
    for made in ["a", "a/b", "a/b/c"].map(|dir| scratch.beside(dir)) {
        let at = position(&calls, CallKind::Mkdir, &made);
        position(&calls[at..], CallKind::SyncDir, made.parent().unwrap());
    }
}

#[test]
fn it_goes_through_a_temp_of_its_own_name() {
    let scratch = Scratch::without_store();
    let path = scratch.beside("state.txt");
    let [first, second] = [recorded(&path), recorded(&path)];
    let writes = [&first, &second].map(|calls| Write::of(calls, &path));
    for write in &writes {
        write.assert_temp(path.parent().unwrap(), ".state-tmp-");
    }
    assert_ne!(writes[0].temp, writes[1].temp);
}

#[test]
fn it_is_synced_before_it_replaces() {
    let scratch = Scratch::without_store();
    let path = scratch.beside("state.txt");
    Write::of(&recorded(&path), &path).assert_order();
}

#[test]
fn a_failed_barrier_is_told_or_fails_the_write() {
    assert_failed_barriers_are_told(
        with_old,
        |faulty| {
            let path = faulty.scratch.beside("state.txt");
            let durability = faulty.durability;
            write_text_atomic(&faulty.fs, &path, "new", durability).map(|r| r.reached)
        },
        |scratch, done| {
            assert_eq!(text(&scratch.beside("state.txt")), if done { "new" } else { "old" });
        },
    );
}

#[test]
fn no_temp_is_left_after_a_write() {
    let scratch = Scratch::without_store();
    write(&scratch.beside("state.txt"), "x");
    scratch.assert_no_temps();
}

/// One kind of call fails: the error is told, the old content stands.
fn assert_old_text_survives(kind: CallKind, errno: i32) {
    let scratch = with_old();
    let path = scratch.beside("state.txt");
    assert_fails_cleanly(&scratch, (kind, errno), |faulty| {
        write_text_atomic(&faulty.fs, &path, "new", Durability::Strict)
    });
    assert_eq!(text(&path), "old");
}

#[test]
fn a_failed_rename_is_an_error_and_leaves_no_temp() {
    assert_old_text_survives(CallKind::Rename, ENOSPC);
}

#[test]
fn a_failed_write_is_an_error_and_leaves_no_temp() {
    assert_old_text_survives(CallKind::WriteAt, ENOSPC);
    assert_old_text_survives(CallKind::CreateNew, EIO);
}

#[test]
fn a_later_write_replaces_an_earlier_one() {
    let scratch = with_old();
    let path = scratch.beside("state.txt");
    write(&path, "new");
    assert_eq!(text(&path), "new");
}

#[test]
fn text_is_written_as_utf8() {
    let scratch = Scratch::without_store();
    let path = scratch.beside("state.txt");
    write(&path, "caf\u{e9}");
    assert_eq!(std::fs::read(&path).unwrap(), b"caf\xc3\xa9");
}

#[test]
fn fifty_writers_of_one_path_leave_one_whole_value() {
    let scratch = Scratch::without_store();
    let path = scratch.beside("state.txt");
    let value = |n: usize| format!("value-{n:04}");
    at_once(50, |n| write(&path, &value(n)));
    let last = text(&path);
    assert!((0..50).any(|n| value(n) == last), "{last:?}");
    scratch.assert_no_temps();
}

#[test]
fn a_hundred_writers_of_a_hundred_paths_all_land() {
    let scratch = Scratch::without_store();
    let path = |n: usize| scratch.beside(&format!("files/{n:03}.txt"));
    let value = |n: usize| format!("value-{n:04}");
    at_once(100, |n| {
        write(&path(n), &value(n));
        assert_eq!(text(&path(n)), value(n), "a writer reads what it wrote");
    });
    for n in 0..100 {
        assert_eq!(text(&path(n)), value(n));
    }
    scratch.assert_no_temps();
}
