//! Branches: compare-and-swap, names and folders, and what is corrupt.

use std::fs;

use faultfs::CallKind;
use plugpull_store::{Branch, Commit, Error, Expected, ObjectId, Store};

use crate::protocol::{position, recorded};
use crate::scratch::{Scratch, TIME, at_once, branch, commit, one_file};

/// A store with two commits.
fn with_commits() -> (Scratch, Store, [ObjectId; 2]) {
    let scratch = Scratch::new();
    let store = scratch.open();
    let ids = ["one", "two"].map(|name| commit(&store, name));
    (scratch, store, ids)
}

fn update(store: &Store, name: &str, id: ObjectId, expected: Expected) -> Option<Error> {
    store.update_branch(&branch(name), id, expected).err()
}

fn read(store: &Store, name: &str) -> Option<ObjectId> {
    store.read_branch(&branch(name)).unwrap()
}

#[track_caller]
fn assert_conflict(error: Option<Error>, wanted: Option<ObjectId>, is: Option<ObjectId>) {
    match error {
        Some(Error::RefConflict { expected, current, .. }) => {
            assert_eq!((expected, current), (wanted, is));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_branch_moves_only_from_where_the_caller_expects_it() {
    let (scratch, store, [one, two]) = with_commits();
    assert_conflict(update(&store, "b", one, Expected::At(two)), Some(two), None);
    assert_eq!(read(&store, "b"), None);
    assert!(update(&store, "b", one, Expected::Absent).is_none());
    assert_conflict(update(&store, "b", two, Expected::Absent), None, Some(one));
    assert_conflict(update(&store, "b", two, Expected::At(two)), Some(two), Some(one));
    assert_eq!(read(&store, "b"), Some(one));
    assert!(update(&store, "b", two, Expected::At(one)).is_none());
    assert!(update(&store, "b", one, Expected::Force).is_none());
    assert_eq!(read(&store, "b"), Some(one));
    scratch.assert_clean();
}

#[test]
fn a_branch_points_only_at_a_commit_that_is_there() {
    let (_scratch, store, _) = with_commits();
    let none = ObjectId::of(b"none");
    let error = update(&store, "b", none, Expected::Force);
    assert!(matches!(error, Some(Error::Dangling { .. })), "{error:?}");
    let blob = store.put(b"no commit").unwrap().id;
    let error = update(&store, "b", blob, Expected::Force);
    assert!(matches!(error, Some(Error::WrongKind { .. })), "{error:?}");
    assert_eq!(read(&store, "b"), None);
}

#[test]
fn a_delete_is_a_compare_and_swap_too() {
    let (_scratch, store, [one, two]) = with_commits();
    let delete = |expected| store.delete_branch(&branch("b"), expected);
    assert!(update(&store, "b", one, Expected::Absent).is_none());
    assert_conflict(delete(Expected::At(two)).err(), Some(two), Some(one));
    assert_conflict(delete(Expected::Absent).err(), None, Some(one));
    assert_eq!(read(&store, "b"), Some(one));
    assert!(delete(Expected::At(one)).unwrap().is_some());
    assert_eq!(read(&store, "b"), None);
    assert_conflict(delete(Expected::At(one)).err(), Some(one), None);
    assert_eq!(delete(Expected::Absent).unwrap(), None);
    assert_eq!(delete(Expected::Force).unwrap(), None);
}

#[test]
fn a_branch_and_a_folder_cannot_have_one_name() {
    let (scratch, store, [one, _]) = with_commits();
    assert!(update(&store, "a", one, Expected::Absent).is_none());
    let error = update(&store, "a/b", one, Expected::Absent);
    assert!(matches!(error, Some(Error::NameConflict { .. })), "{error:?}");
    assert_eq!((read(&store, "a"), read(&store, "a/b")), (Some(one), None));

    assert!(update(&store, "c/d", one, Expected::Absent).is_none());
    let error = update(&store, "c", one, Expected::Absent);
    assert!(matches!(error, Some(Error::NameConflict { .. })), "{error:?}");
    assert_eq!((read(&store, "c"), read(&store, "c/d")), (None, Some(one)));
    scratch.assert_clean();
}

#[test]
fn deleting_what_is_not_there_says_so_whatever_stands_there() {
    let (scratch, store, [one, _]) = with_commits();
    for name in ["file", "folder/x"] {
        assert!(update(&store, name, one, Expected::Absent).is_none());
    }
    for name in ["file/below", "folder", "folder/y", "nowhere/z", "a/b/c"] {
        for expected in [Expected::Absent, Expected::Force] {
            let deleted = store.delete_branch(&branch(name), expected);
            assert!(matches!(deleted, Ok(None)), "{name}: {deleted:?}");
        }
    }
    assert_eq!((read(&store, "file"), read(&store, "folder/x")), (Some(one), Some(one)));
    scratch.assert_clean();
}

#[test]
fn deleting_a_nested_branch_frees_the_name_of_its_folder() {
    let (scratch, store, [one, two]) = with_commits();
    for name in ["a/b/c", "a/d"] {
        assert!(update(&store, name, one, Expected::Absent).is_none());
    }
    assert!(store.delete_branch(&branch("a/b/c"), Expected::At(one)).unwrap().is_some());
    assert!(!scratch.layout().heads().join("a/b").exists());
    assert_eq!(read(&store, "a/d"), Some(one));
    assert!(store.delete_branch(&branch("a/d"), Expected::At(one)).unwrap().is_some());
    assert!(update(&store, "a", two, Expected::Absent).is_none());
    assert_eq!(store.branches().unwrap(), [(branch("a"), two)]);
    scratch.assert_clean();
}

#[test]
fn a_delete_is_durable_and_so_is_the_removal_of_its_folders() {
    let scratch = Scratch::new();
    let (recorder, store) = recorded(&scratch);
    let tip = commit(&store, "tip");
    let _ = store.update_branch(&branch("a/b"), tip, Expected::Absent).unwrap();
    recorder.take();
    assert!(store.delete_branch(&branch("a/b"), Expected::At(tip)).unwrap().is_some());
    let calls = recorder.take();
    let heads = scratch.layout().heads();
    let removed = position(&calls, CallKind::Unlink, &heads.join("a/b"));
    let synced = position(&calls, CallKind::SyncDir, &heads.join("a"));
    // The folder may come back, empty: nobody is told that it is gone, and it is in nobody's way.
    let pruned = position(&calls, CallKind::Rmdir, &heads.join("a"));
    assert!(removed < synced && synced < pruned, "{calls:?}");
}

#[test]
fn an_empty_folder_left_by_a_killed_delete_is_in_nobodys_way() {
    let (scratch, store, [one, _]) = with_commits();
    fs::create_dir_all(scratch.layout().heads().join("a/b")).unwrap();
    assert_eq!(read(&store, "a"), None);
    assert!(update(&store, "a", one, Expected::Absent).is_none());
    assert_eq!(read(&store, "a"), Some(one));
    scratch.assert_clean();
}

#[test]
fn branches_are_listed_in_the_order_of_their_names() {
    let (_scratch, store, [one, _]) = with_commits();
    for name in ["z", "a/b", "a-b", "m"] {
        assert!(update(&store, name, one, Expected::Absent).is_none());
    }
    let names: Vec<_> = store.branches().unwrap().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["a-b", "a/b", "m", "z"].map(branch));
}

#[test]
fn a_file_that_is_no_id_is_corrupt_and_never_absent() {
    let (scratch, store, [one, two]) = with_commits();
    let path = scratch.layout().branch(&branch("b"));
    let with_tail = format!("{one} and more");
    let long = "sha256:".repeat(1000);
    for bad in ["", "\n", "garbage", "\0\0\0\0", &with_tail, &long] {
        fs::write(&path, bad).unwrap();
        for expected in [Expected::Absent, Expected::At(one)] {
            let error = update(&store, "b", two, expected);
            assert!(matches!(error, Some(Error::Corrupt { .. })), "{bad:?}: {error:?}");
        }
        let error = store.read_branch(&branch("b")).unwrap_err();
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        assert!(store.branches().is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), bad, "nothing was changed");
        assert!(update(&store, "b", two, Expected::Force).is_none());
        assert_eq!(read(&store, "b"), Some(two));
    }
    fs::write(&path, "garbage").unwrap();
    assert!(store.delete_branch(&branch("b"), Expected::Force).unwrap().is_some());
    scratch.assert_clean();
}

#[test]
fn an_id_with_a_newline_is_read() {
    let (scratch, store, [one, _]) = with_commits();
    fs::write(scratch.layout().branch(&branch("b")), format!("{one}\n")).unwrap();
    assert_eq!(read(&store, "b"), Some(one));
}

/// Adds one commit on top of `name`, again and again until nobody was faster.
fn increment(store: &Store, name: &Branch, snapshot: ObjectId, message: &str) {
    loop {
        let tip = store.read_branch(name).unwrap();
        let next = Commit::new(tip, snapshot, "tester", message, TIME);
        let next = store.put_commit(&next).unwrap().id;
        match store.update_branch(name, next, tip.map_or(Expected::Absent, Expected::At)) {
            Ok(_) => return,
            Err(Error::RefConflict { .. }) => {}
            Err(e) => panic!("{e}"),
        }
    }
}

#[test]
fn two_threads_that_add_five_hundred_commits_each_lose_none() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let snapshot = one_file(&store, b"x");
    let main = branch("main");
    at_once(2, |thread| {
        // Each with a store of its own, as two processes would have.
        let store = scratch.open();
        for n in 0..500 {
            increment(&store, &main, snapshot, &format!("{thread}-{n}"));
        }
    });
    let mut messages = Vec::new();
    let mut tip = store.read_branch(&main).unwrap();
    while let Some(id) = tip {
        let commit = store.read_commit(&id).unwrap().unwrap();
        messages.push(commit.message);
        tip = commit.parents.first().copied();
    }
    messages.sort_unstable();
    let mut expected: Vec<_> = (0..1000).map(|n| format!("{}-{}", n / 500, n % 500)).collect();
    expected.sort_unstable();
    assert_eq!(messages, expected);
    scratch.assert_clean();
}
