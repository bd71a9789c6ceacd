//! Long sequences of commits.

use std::sync::Arc;

use faultfs::{CallKind, Fs};
use plugpull_store::{Commit, Durability, ObjectId, Outcome, Reached, Store};

use crate::scratch::{Scratch, TIME, mode, one_file};
use crate::taps::{EIO, Failing, Fault};

/// A history of `count` commits of one snapshot, each following the one before.
fn history<F: Fs>(store: &Store<F>, count: u32) -> Vec<(ObjectId, Reached)> {
    let _pin = store.pin().unwrap();
    let snapshot = one_file(store, b"the same in every commit");
    let mut parent = None;
    let mut all = Vec::new();
    for n in 0..count {
        let value = Commit::new(parent, snapshot, "tester", format!("commit {n}"), TIME);
        let put = store.put_commit(&value).unwrap();
        assert_eq!(put.receipt.outcome, Outcome::Created, "commit {n}");
        parent = Some(put.id);
        all.push((put.id, put.receipt.reached));
    }
    all
}

fn assert_all_readable(scratch: &Scratch, history: &[(ObjectId, Reached)]) {
    let store = scratch.open();
    let mut parent = None;
    for (n, (id, _)) in history.iter().enumerate() {
        let read = store.read_commit(id).unwrap().unwrap();
        assert_eq!((read.message, read.parents), (format!("commit {n}"), Vec::from_iter(parent)));
        parent = Some(*id);
    }
    scratch.assert_clean();
    assert_eq!(scratch.audit().counts.commits, history.len() as u64);
}

#[test]
fn ten_thousand_commits_are_all_readable() {
    let scratch = Scratch::new();
    let history = history(&scratch.open(), 10_000);
    assert!(history.iter().all(|(_, reached)| *reached == Reached::Durable));
    assert_all_readable(&scratch, &history);
}

#[test]
fn of_a_thousand_commits_with_failing_barriers_all_are_readable_and_told() {
    let scratch = Scratch::new();
    let failing = Arc::new(Failing::default());
    let store = scratch.watched(&failing, Durability::BestEffort);
    let barriers = [CallKind::SyncAll, CallKind::SyncDir];
    failing.set(Fault::with(EIO).on(&barriers).percent(20, 42));
    let history = history(&store, 1000);
    let fired = failing.clear();
    // Two barriers each, of which a fifth fails: about 400 faults in about 360 commits.
    assert!((300..500).contains(&fired), "{fired} faults fired");
    assert_all_readable(&scratch, &history);
    // What its own barriers may have lost is marked on disk, and every such commit was told.
    let unsettled = |id: &ObjectId| mode(&scratch.layout().object(id)) == 0o440;
    let lost = history.iter().filter(|(id, _)| unsettled(id)).count();
    assert!((270..450).contains(&lost), "{lost} commits may be lost");
    let told = |reached: Reached| reached == Reached::Degraded;
    assert!(history.iter().all(|(id, reached)| told(*reached) || !unsettled(id)));
    assert_ne!(history.iter().filter(|(_, reached)| told(*reached)).count(), history.len());
}
