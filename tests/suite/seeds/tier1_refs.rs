//! Tier 1: branch refs.

use faultfs::CallKind;
use plugpull_store::{Branch, Error, Expected, ObjectId};

use super::{assert_failed_barriers_are_told, assert_fails_cleanly, text};
use crate::protocol::{Write, position, recorded};
use crate::scratch::{Scratch, at_once, branch, commit};
use crate::taps::ENOSPC;

#[test]
fn the_file_holds_exactly_the_id() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let id = commit(&store, "first");
    let _ = store.update_branch(&branch("main"), id, Expected::Absent).unwrap();
    assert_eq!(text(&scratch.root().join("refs/heads/main")), id.to_string());
    assert_eq!(store.read_branch(&branch("main")).unwrap(), Some(id));
}

/// A branch is moved twice and both are recorded.
fn two_updates(check: impl Fn(&Scratch, [Write<'_>; 2])) {
    let scratch = Scratch::new();
    let (recorder, store) = recorded(&scratch);
    let id = commit(&store, "first");
    let path = scratch.layout().branch(&branch("main"));
    let calls = [(); 2].map(|()| {
        recorder.take();
        let _ = store.update_branch(&branch("main"), id, Expected::Force).unwrap();
        recorder.take()
    });
    check(&scratch, calls.each_ref().map(|calls| Write::of(calls, &path)));
}

#[test]
fn it_goes_through_a_temp_of_its_own_name() {
    two_updates(|scratch, writes| {
        for write in &writes {
            write.assert_temp(&scratch.layout().heads(), ".state-tmp-");
        }
        assert_ne!(writes[0].temp, writes[1].temp);
    });
}

#[test]
fn it_is_synced_before_it_replaces() {
    two_updates(|_, writes| writes.iter().for_each(Write::assert_order));
}

#[test]
fn a_failed_barrier_is_told_or_fails_the_update() {
    let ids = |scratch: &Scratch| ["old", "new"].map(|name| commit(&scratch.open(), name));
    assert_failed_barriers_are_told(
        || {
            let scratch = Scratch::new();
            let [old, _] = ids(&scratch);
            let _ = scratch.open().update_branch(&branch("b"), old, Expected::Absent).unwrap();
            scratch
        },
        |faulty| {
            let [old, new] = ids(faulty.scratch);
            let expected = Expected::At(old);
            faulty.store.update_branch(&branch("b"), new, expected).map(|r| r.reached)
        },
        |scratch, done| {
            let [old, new] = ids(scratch);
            let at = scratch.open().read_branch(&branch("b")).unwrap();
            assert_eq!(at, Some(if done { new } else { old }));
        },
    );
}

#[test]
fn a_name_that_leaves_the_folder_is_refused() {
    assert!(matches!(Branch::new("../escape"), Err(Error::BadBranch { .. })));
}

#[test]
fn an_id_that_is_not_hex_is_refused() {
    let error = "z".repeat(64).parse::<ObjectId>().unwrap_err();
    assert!(matches!(error, Error::BadId { .. }), "{error}");
}

#[test]
fn a_short_id_is_refused() {
    assert!(matches!("abc123".parse::<ObjectId>(), Err(Error::BadId { .. })));
}

#[test]
fn no_temp_is_left_after_an_update() {
    two_updates(|scratch, _| scratch.assert_clean());
}

#[test]
fn a_failed_rename_is_an_error_leaves_no_temp_and_the_old_value() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let [old, new] = ["old", "new"].map(|name| commit(&store, name));
    let _ = store.update_branch(&branch("main"), old, Expected::Absent).unwrap();
    assert_fails_cleanly(&scratch, (CallKind::Rename, ENOSPC), |faulty| {
        faulty.store.update_branch(&branch("main"), new, Expected::At(old))
    });
    assert_eq!(store.read_branch(&branch("main")).unwrap(), Some(old));
}

#[test]
fn a_nested_branch_makes_its_folder_durable() {
    let scratch = Scratch::new();
    let (recorder, store) = recorded(&scratch);
    let id = commit(&store, "first");
    recorder.take();
    let _ = store.update_branch(&branch("feat/my-thing"), id, Expected::Absent).unwrap();
    let heads = scratch.layout().heads();
    assert_eq!(text(&heads.join("feat/my-thing")), id.to_string());
    let calls = recorder.take();
    let made = position(&calls, CallKind::Mkdir, &heads.join("feat"));
    position(&calls[made..], CallKind::SyncDir, &heads);
    Write::of(&calls, &heads.join("feat/my-thing")).assert_order();

    // Also a folder that was there: who made it may have been killed before its barrier.
    let _ = store.update_branch(&branch("feat/other"), id, Expected::Absent).unwrap();
    position(&recorder.take(), CallKind::SyncDir, &heads);
}

#[test]
fn fifty_writers_of_fifty_branches_all_land() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let name = |n: usize| branch(&format!("agent-{n:04}"));
    let ids = at_once(50, |n| {
        let id = commit(&store, &format!("commit {n}"));
        let _ = store.update_branch(&name(n), id, Expected::Absent).unwrap();
        id
    });
    for (n, id) in ids.into_iter().enumerate() {
        assert_eq!(store.read_branch(&name(n)).unwrap(), Some(id));
    }
    assert_eq!(store.branches().unwrap().len(), 50);
    scratch.assert_clean();
}

#[test]
fn of_fifty_forcing_writers_of_one_branch_one_wins() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let ids: Vec<_> = (0..50).map(|n| commit(&store, &format!("commit {n}"))).collect();
    at_once(50, |n| {
        let _ = store.update_branch(&branch("main"), ids[n], Expected::Force).unwrap();
        let seen = store.read_branch(&branch("main")).unwrap().unwrap();
        assert!(ids.contains(&seen), "{seen}");
    });
    let last = store.read_branch(&branch("main")).unwrap().unwrap();
    assert!(ids.contains(&last), "{last}");
    scratch.assert_clean();
}
