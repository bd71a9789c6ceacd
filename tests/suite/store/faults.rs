//! Each operation with its n-th call failing, for every n and several errors.
//!
//! The operation fails and nothing is left of it but a valid state, or it succeeds; in both cases the
//! next open finds no temp and an audit finds nothing. Calls fail one at a time, so the clean-up
//! itself works; that a failed clean-up is made good by the next open is in `temps`.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use faultfs::{RealFs, Watched};
use plugpull_store::{
    Commit, Durability, Expected, GcOptions, Head, ObjectId, Result, Snapshot, write_text_atomic,
};

use crate::scratch::{Scratch, TIME, WatchedStore, branch, commit};
use crate::taps::{EDQUOT, EIO, EMFILE, ENOSPC, EROFS, Failing, Fault};

/// One operation with one call failing.
struct Trial<'s> {
    scratch: &'s Scratch,
    store: &'s mut WatchedStore<Failing>,
    fs: &'s Watched<RealFs, Failing>,
    /// Different in each trial, so that a trial does not find the work of the one before.
    name: String,
}

/// Runs `prepare` without and `operation` with a fault, for every call of it. `check` is told whether
/// the operation said that it succeeded.
fn at_every_call<P>(
    prepare: impl Fn(&mut Trial<'_>) -> P,
    operation: impl Fn(&mut Trial<'_>, &P) -> Result<()>,
    check: impl Fn(&Scratch, &str, &P, bool),
) {
    let scratch = Scratch::new();
    let failing = Arc::new(Failing::default());
    let fs = Watched::new(RealFs, Arc::clone(&failing));
    for errno in [EIO, ENOSPC, EMFILE, EROFS, EDQUOT] {
        let mut store = scratch.watched(&failing, Durability::Strict);
        let name = format!("probe-{errno}");
        let mut probe = Trial { scratch: &scratch, store: &mut store, fs: &fs, name };
        let prepared = prepare(&mut probe);
        let calls = failing.probe(|| operation(&mut probe, &prepared).unwrap());
        let mut failures = 0;
        for n in calls {
            let mut store = scratch.watched(&failing, Durability::Strict);
            let name = format!("trial-{errno}-{n}");
            let mut trial = Trial { scratch: &scratch, store: &mut store, fs: &fs, name };
            let prepared = prepare(&mut trial);
            failing.set(Fault::with(errno).nth(n));
            let done = operation(&mut trial, &prepared);
            assert_eq!(failing.clear(), 1, "call {n} failed: {done:?}");
            failures += u64::from(done.is_err());
            let name = trial.name;
            drop(store);
            drop(scratch.open());
            scratch.assert_clean();
            check(&scratch, &name, &prepared, done.is_ok());
        }
        assert!(failures >= 5, "errno {errno}: {failures} calls failed the operation");
    }
}

#[test]
fn a_put_survives_the_failure_of_any_call() {
    at_every_call(
        |_| (),
        |trial, ()| trial.store.put(trial.name.as_bytes()).map(|_| ()),
        |scratch, name, (), done| assert_object(scratch, name, done),
    );
}

/// What was acknowledged is there, and what is there is right.
fn assert_object(scratch: &Scratch, content: &str, acknowledged: bool) {
    let found = scratch.open().get(&ObjectId::of(content.as_bytes())).unwrap();
    assert!(found.is_some() || !acknowledged, "{content} was acknowledged");
    assert!(found.is_none_or(|bytes| bytes == content.as_bytes()));
}

#[test]
fn a_put_of_an_object_that_is_there_survives_the_failure_of_any_call() {
    at_every_call(
        |trial| trial.store.put(trial.name.as_bytes()).unwrap().id,
        |trial, _| trial.store.put(trial.name.as_bytes()).map(|_| ()),
        |scratch, name, _, _| assert_object(scratch, name, true),
    );
}

#[test]
fn a_put_from_a_file_survives_the_failure_of_any_call() {
    at_every_call(
        |trial| fs::write(trial.scratch.beside("source"), &trial.name).unwrap(),
        |trial, ()| trial.store.put_from_path(&trial.scratch.beside("source")).map(|_| ()),
        |scratch, name, (), done| assert_object(scratch, name, done),
    );
}

#[test]
fn a_restore_survives_the_failure_of_any_call() {
    at_every_call(
        |trial| {
            let to = trial.scratch.beside(&trial.name);
            fs::create_dir(&to).unwrap();
            fs::write(to.join("file"), "old").unwrap();
            trial.store.put(b"new").unwrap().id
        },
        |trial, id| {
            let to = trial.scratch.beside(&trial.name).join("file");
            trial.store.restore(id, &to, false).map(|receipt| assert!(receipt.is_some()))
        },
        |scratch, name, _, done| {
            let found = fs::read_to_string(scratch.beside(name).join("file")).unwrap();
            assert!(found == "new" || (!done && found == "old"), "{name}: {found:?}");
        },
    );
}

#[test]
fn a_restore_into_new_directories_survives_the_failure_of_any_call() {
    at_every_call(
        |trial| trial.store.put(b"new").unwrap().id,
        |trial, id| {
            let to = trial.scratch.beside(&trial.name).join("a/b/file");
            trial.store.restore(id, &to, true).map(|receipt| assert!(receipt.is_some()))
        },
        |scratch, name, _, done| {
            let found = fs::read(scratch.beside(name).join("a/b/file")).ok();
            assert!(found.as_deref() == Some(b"new") || (!done && found.is_none()), "{found:?}");
        },
    );
}

#[test]
fn a_commit_on_a_branch_survives_the_failure_of_any_call() {
    at_every_call(
        |trial| {
            let old = commit(trial.store, "old");
            let name = branch(&format!("b/{}", trial.name));
            let _ = trial.store.update_branch(&name, old, Expected::Absent).unwrap();
            old
        },
        |trial, old| {
            let store = &trial.store;
            let blob = store.put(trial.name.as_bytes())?.id;
            let snapshot = store.put_snapshot(&Snapshot::of([("file", blob)])?)?.id;
            let next = Commit::new([*old], snapshot, "tester", trial.name.as_str(), TIME);
            let next = store.put_commit(&next)?.id;
            let name = branch(&format!("b/{}", trial.name));
            store.update_branch(&name, next, Expected::At(*old)).map(|_| ())
        },
        |scratch, name, old, done| {
            let store = scratch.open();
            let tip = store.read_branch(&branch(&format!("b/{name}"))).unwrap().unwrap();
            let message = store.read_commit(&tip).unwrap().unwrap().message;
            assert!(message == name || (!done && tip == *old), "{name}: {message}");
        },
    );
}

#[test]
fn setting_head_survives_the_failure_of_any_call() {
    at_every_call(
        |trial| trial.store.head().unwrap().unwrap(),
        |trial, _| trial.store.set_head(&Head::Branch(branch(&trial.name))).map(|_| ()),
        |scratch, name, old, done| {
            let head = scratch.open().head().unwrap().unwrap();
            assert!(head == Head::Branch(branch(name)) || (!done && head == *old), "{head:?}");
        },
    );
}

#[test]
fn writing_a_text_survives_the_failure_of_any_call() {
    at_every_call(
        |_| (),
        |trial, ()| {
            let path = trial.scratch.beside(&trial.name).join("a/state.txt");
            write_text_atomic(trial.fs, &path, "text", Durability::Strict).map(|_| ())
        },
        |scratch, name, (), done| {
            let found = fs::read(scratch.beside(name).join("a/state.txt")).ok();
            assert!(found.as_deref() == Some(b"text") || (!done && found.is_none()), "{found:?}");
        },
    );
}

#[test]
fn deleting_a_branch_survives_the_failure_of_any_call() {
    let name = |trial: &str| branch(&format!("folder-{trial}/a/b"));
    at_every_call(
        |trial| {
            let tip = commit(trial.store, "tip");
            let _ = trial.store.update_branch(&name(&trial.name), tip, Expected::Absent).unwrap();
            tip
        },
        |trial, tip| {
            let name = name(&trial.name);
            trial.store.delete_branch(&name, Expected::At(*tip)).map(|was| assert!(was.is_some()))
        },
        |scratch, trial, tip, done| {
            let store = scratch.open();
            let found = store.read_branch(&name(trial)).unwrap();
            assert!(found.is_none() || (!done && found == Some(*tip)), "{trial}: {found:?}");
            // Whatever the failed delete left, a second one ends it, and the names are free.
            let _ = store.delete_branch(&name(trial), Expected::Force).unwrap();
            let folder = branch(&format!("folder-{trial}"));
            let _ = store.update_branch(&folder, *tip, Expected::Absent).unwrap();
        },
    );
}

#[test]
fn a_collection_survives_the_failure_of_any_call() {
    let now = GcOptions { grace: Duration::ZERO, dry_run: false };
    at_every_call(
        |trial| {
            let tip = commit(trial.store, "tip");
            let _ = trial.store.update_branch(&branch("main"), tip, Expected::Force).unwrap();
            for n in 0..4 {
                let _ = trial.store.put(format!("garbage {n}").as_bytes()).unwrap();
            }
        },
        |trial, ()| trial.store.gc(now).map(|report| assert_eq!(report.deleted, 4)),
        |scratch, name, (), done| {
            let objects = scratch.object_files().len();
            assert!(objects == 3 || (!done && objects == 7), "{name}: {objects} objects");
        },
    );
}
