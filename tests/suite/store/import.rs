//! Bulk import: what it makes, how many barriers it takes, and what is left when one of them fails.
//!
//! What a power cut leaves of it is for the power cuts to tell (workload `import`).

use std::num::NonZeroUsize;
use std::sync::Arc;

use faultfs::{CallKind, Fs};
use plugpull_store::{Change, Durability, Error, ImportReport, Imported, Result, Store};

use crate::scratch::{Scratch, TIME, branch, commit};
use crate::taps::{EIO, ENOSYS, Failing, Fault, Recorder, Seen};

fn imported(name: &str, n: usize, changes: &[(&str, Option<&str>)]) -> Imported {
    let change = |text: Option<&str>| match text {
        Some(text) => Change::Set { executable: false, bytes: text.as_bytes().to_vec() },
        None => Change::Removed,
    };
    Imported {
        branch: branch(name),
        changes: changes.iter().map(|(path, text)| ((*path).to_owned(), change(*text))).collect(),
        author: "me".to_owned(),
        message: format!("commit {n}"),
        time: TIME,
    }
}

/// Commits that change one file each.
fn many(name: &str, count: usize) -> Vec<Imported> {
    let one = |n| imported(name, n, &[("file", Some(&format!("{name} {n}")))]);
    (0..count).map(one).collect()
}

fn import<F: Fs>(
    store: &mut Store<F>,
    commits: Vec<Imported>,
    batch: usize,
) -> Result<ImportReport> {
    let batch = NonZeroUsize::new(batch).unwrap();
    store.import_commits(commits.into_iter().map(Ok), batch, &mut |_| ())
}

fn barriers(calls: &[Seen]) -> [usize; 3] {
    let kinds = [CallKind::SyncFs, CallKind::SyncDir, CallKind::SyncAll];
    kinds.map(|kind| calls.iter().filter(|call| call.kind == kind).count())
}

#[test]
fn every_commit_is_there_with_the_files_of_its_time() {
    let scratch = Scratch::new();
    let mut store = scratch.open();
    let first = [("a", Some("1")), ("d/b", Some("2"))];
    let changes: [&[_]; 3] = [&first, &[("a", None)], &[("d/c", Some("3"))]];
    let commits = changes.iter().enumerate().map(|(n, changes)| imported("main", n, changes));
    let report = import(&mut store, commits.collect(), 2).unwrap();
    assert_eq!((report.commits, report.batches, report.each_synced), (3, 2, false));
    let mut next = store.read_branch(&branch("main")).unwrap();
    assert_eq!(report.tips[&branch("main")], next.unwrap());
    let mut seen = Vec::new();
    while let Some(id) = next {
        let commit = store.read_commit(&id).unwrap().unwrap();
        let snapshot = store.read_snapshot(&commit.snapshot).unwrap().unwrap();
        let paths = snapshot.files().map(|(path, _)| path).collect::<Vec<_>>().join(" ");
        seen.push(format!("{}: {paths}", commit.message));
        next = commit.parents.first().copied();
    }
    assert_eq!(seen, ["commit 2: d/b d/c", "commit 1: d/b", "commit 0: a d/b"]);
    scratch.assert_clean();
}

#[test]
fn a_batch_waits_five_times_however_many_commits_are_in_it() {
    for count in [1, 10, 200] {
        let scratch = Scratch::new();
        let recorder = Arc::new(Recorder::default());
        let mut store = scratch.watched(&recorder, Durability::Strict);
        recorder.take();
        import(&mut store, many("main", count), 1000).unwrap();
        assert_eq!(barriers(&recorder.take()), [2, 3, 0], "{count} commits");
        scratch.assert_clean();
    }
}

#[test]
fn an_import_goes_on_where_the_branch_is_and_stores_nothing_twice() {
    let scratch = Scratch::new();
    let mut store = scratch.open();
    let first = import(&mut store, many("main", 4), 4).unwrap();
    assert_eq!(first.objects, 12);
    let again = import(&mut store, many("main", 4), 4).unwrap();
    assert_eq!(again.objects, 4, "only the commits are new: their parents are others");
    assert_eq!(scratch.audit().counts.commits, 8);
    scratch.assert_clean();
}

#[test]
fn without_a_barrier_of_the_file_system_each_file_is_synced_and_that_is_told() {
    let scratch = Scratch::new();
    let failing = Arc::new(Failing::default());
    let mut store = scratch.watched(&failing, Durability::Strict);
    failing.set(Fault::with(ENOSYS).on(&[CallKind::SyncFs]));
    let report = import(&mut store, many("main", 3), 3).unwrap();
    assert_eq!(failing.clear(), 2);
    assert!(report.each_synced);
    assert_eq!(report.reached, Some(plugpull_store::Reached::Durable));
    scratch.assert_clean();
}

#[test]
fn a_barrier_that_fails_fails_its_batch_and_keeps_those_before() {
    // The first batch takes two; the second one's first is that of its files, the other that of its names.
    for (n, left) in [(2, "files"), (3, "names")] {
        let scratch = Scratch::new();
        let failing = Arc::new(Failing::default());
        let mut store = scratch.watched(&failing, Durability::Strict);
        failing.set(Fault::with(EIO).on(&[CallKind::SyncFs]).nth(n));
        let failed = import(&mut store, many("main", 6), 3);
        assert!(matches!(failed, Err(Error::Io { .. })), "{left}: {failed:?}");
        assert_eq!(failing.clear(), 1);
        assert_eq!(scratch.audit().counts.commits, 3, "{left}");
        scratch.assert_clean();
        import(&mut store, many("main", 3), 3).unwrap();
        assert_eq!(scratch.audit().counts.commits, 6, "{left}");
        scratch.assert_clean();
    }
}

#[test]
fn a_branch_that_somebody_moved_ends_the_import() {
    let scratch = Scratch::new();
    let mut store = scratch.open();
    let other = scratch.open();
    let moved = commit(&other, "elsewhere");
    let batch = NonZeroUsize::new(2).unwrap();
    let ended = store.import_commits(many("main", 4).into_iter().map(Ok), batch, &mut |report| {
        let at = report.tips[&branch("main")];
        let expected = plugpull_store::Expected::At(at);
        let _ = other.update_branch(&branch("main"), moved, expected).unwrap();
    });
    assert!(matches!(ended, Err(Error::RefConflict { .. })), "{ended:?}");
    assert_eq!(scratch.open().read_branch(&branch("main")).unwrap(), Some(moved));
    scratch.assert_clean();
}
