//! Commits of many threads that share their barriers, on the real disk, and of several processes.
//!
//! What a power cut leaves of them is for the power cuts to tell (workload `group`), every order of the
//! core's steps for `group_core`.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Arc;

use faultfs::{CallKind, Fs};
use plugpull_store::{
    CommitRequest, Content, Durability, Error, NewFile, ObjectId, Options, Reached, Store,
};

use crate::child;
use crate::scratch::{Scratch, TIME, at_once, branch, commit};
use crate::taps::{EIO, Failing, Fault, Recorder};

/// A commit of one file on top of `parent`.
fn try_commit<F: Fs>(
    store: &Store<F>,
    name: &str,
    parent: Option<ObjectId>,
    text: &str,
) -> Result<ObjectId, Error> {
    let request = CommitRequest {
        branch: &branch(name),
        parent,
        merged: &[],
        files: vec![("file", text.as_bytes().into())],
        author: "me",
        message: text,
        time: TIME,
    };
    let put = store.commit(&request)?;
    assert_eq!(put.receipt.reached, Reached::Durable);
    Ok(put.id)
}

/// Commits on top of whatever the branch holds.
fn commit_until_done<F: Fs>(store: &Store<F>, name: &str, text: &str) -> ObjectId {
    loop {
        let parent = store.read_branch(&branch(name)).unwrap();
        match try_commit(store, name, parent, text) {
            Err(Error::RefConflict { .. }) => {}
            done => return done.unwrap(),
        }
    }
}

/// The messages of a branch, newest first.
fn history(store: &Store, name: &str) -> Vec<String> {
    let mut messages = Vec::new();
    let mut next = store.read_branch(&branch(name)).unwrap();
    while let Some(id) = next {
        let commit = store.read_commit(&id).unwrap().unwrap();
        next = commit.parents.first().copied();
        messages.push(commit.message);
    }
    messages
}

#[test]
fn a_lone_commit_waits_for_its_four_files_and_their_four_directories() {
    let scratch = Scratch::new();
    let recorder = Arc::new(Recorder::default());
    let store = scratch.watched(&recorder, Durability::Strict);
    recorder.take();
    let id = try_commit(&store, "main", None, "first").unwrap();
    let calls = recorder.take();
    let count = |kind| calls.iter().filter(|call| call.kind == kind).count();
    assert_eq!((count(CallKind::SyncAll), count(CallKind::SyncDir)), (4, 4));
    assert_eq!(store.read_branch(&branch("main")).unwrap(), Some(id));
    scratch.assert_clean();
}

#[test]
fn two_hundred_threads_commit_to_branches_of_their_own() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let name = |n: usize| format!("own/{n}");
    let ids = at_once(200, |n| try_commit(&store, &name(n), None, &name(n)).unwrap());
    for (n, id) in ids.into_iter().enumerate() {
        assert_eq!(store.read_branch(&branch(&name(n))).unwrap(), Some(id));
        assert_eq!(store.read_commit(&id).unwrap().unwrap().message, name(n));
    }
    assert_eq!(scratch.audit().counts.commits, 200);
    scratch.assert_clean();
}

#[test]
fn sixteen_threads_share_the_barriers_of_the_directory_of_branches() {
    let scratch = Scratch::new();
    let recorder = Arc::new(Recorder::default());
    let store = scratch.watched(&recorder, Durability::Strict);
    recorder.take();
    let each = 8;
    at_once(16, |n| {
        for k in 0..each {
            commit_until_done(&store, &format!("b{n}"), &k.to_string());
        }
    });
    let heads = store.layout().heads();
    let calls = recorder.take();
    let barriers = calls.iter().filter(|call| call.kind == CallKind::SyncDir && call.path == heads);
    let barriers = barriers.count();
    assert!(barriers < 16 * each / 2, "{barriers} for {} commits", 16 * each);
    scratch.assert_clean();
}

#[test]
fn threads_that_move_one_branch_lose_no_commit() {
    let scratch = Scratch::new();
    let store = scratch.open();
    at_once(16, |n| commit_until_done(&store, "main", &format!("commit {n}")));
    let messages = history(&store, "main");
    assert_eq!(messages.len(), 16);
    assert_eq!(BTreeSet::from_iter(messages).len(), 16, "each is there once");
    scratch.assert_clean();
}

#[test]
fn a_branch_that_moved_is_told_and_nothing_is_left() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let first = try_commit(&store, "main", None, "first").unwrap();
    let told = try_commit(&store, "main", None, "late");
    assert!(matches!(told, Err(Error::RefConflict { current: Some(id), .. }) if id == first));
    assert_eq!(history(&store, "main"), ["first"]);
    scratch.assert_clean();
}

#[test]
fn files_that_are_in_the_store_are_taken_by_their_ids_and_others_are_told() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let merged = commit(&store, "elsewhere");
    let blob = store.put(b"there before").unwrap().id;
    let main = branch("main");
    let request = |id| CommitRequest {
        branch: &main,
        parent: None,
        merged: std::slice::from_ref(&merged),
        files: vec![("a/tool", NewFile { executable: true, content: Content::Object(id) })],
        author: "me",
        message: "by id",
        time: TIME,
    };
    let dangling = store.commit(&request(ObjectId::of(b"nowhere")));
    assert!(matches!(dangling, Err(Error::Dangling { .. })), "{dangling:?}");
    let made = store.commit(&request(blob)).unwrap().id;
    let made = store.read_commit(&made).unwrap().unwrap();
    assert_eq!(made.parents, [merged]);
    let snapshot = store.read_snapshot(&made.snapshot).unwrap().unwrap();
    let (path, entry) = snapshot.files().next().unwrap();
    assert_eq!((path, entry.executable, entry.id), ("a/tool", true, blob));
    scratch.assert_clean();
}

#[test]
fn an_error_of_one_commit_is_not_told_to_the_others_of_its_batch() {
    let scratch = Scratch::new();
    let failing = Arc::new(Failing::default());
    let store = scratch.watched(&failing, Durability::Strict);
    // One file of one of them.
    failing.set(Fault::with(EIO).on(&[CallKind::SyncAll]).nth(10));
    let done = at_once(16, |n| {
        let name = format!("b{n}");
        (try_commit(&store, &name, None, &name).is_ok(), name)
    });
    assert_eq!(failing.clear(), 1);
    assert_eq!(done.iter().filter(|(ok, _)| !ok).count(), 1);
    for (ok, name) in done {
        assert_eq!(store.read_branch(&branch(&name)).unwrap().is_some(), ok, "{name}");
    }
    scratch.assert_clean();
}

const PROCESSES: usize = 8;
const EACH: usize = 6;

#[test]
fn eight_processes_commit_to_one_branch_and_lose_nothing() {
    if let Some(root) = child::role() {
        let store = Store::open(&root, Options::default()).unwrap();
        let me = std::process::id();
        let all = |thread| {
            (0..EACH / 2).for_each(|n| {
                commit_until_done(&store, "main", &format!("{me} {thread} {n}"));
            });
        };
        at_once(2, all);
        return;
    }
    let scratch = Scratch::new();
    let test = "store::group::eight_processes_commit_to_one_branch_and_lose_nothing";
    let commands = (0..PROCESSES).map(|_| child::command(test, &scratch.root()));
    let children: Vec<_> = commands.map(|mut command: Command| command.spawn().unwrap()).collect();
    for child in children {
        let ended = child.wait_with_output().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
    }
    let messages = history(&scratch.open(), "main");
    assert_eq!(messages.len(), PROCESSES * EACH);
    assert_eq!(BTreeSet::from_iter(messages).len(), PROCESSES * EACH, "each is there once");
    scratch.assert_clean();
}
