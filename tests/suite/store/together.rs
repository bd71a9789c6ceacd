//! What is in progress, who works on what, and the operation log: what is refused, and what is told.
//!
//! Power cuts and failing calls are for the workloads `state`, `coordination` and `oplog`.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use faultfs::{CallKind, Fs, SimFs};
use plugpull_store::{
    Audit, Claim, Durability, Error, GcOptions, Known, MergeState, ObjectId, Options, ProblemKind,
    RebaseState, Store,
};

use crate::scratch::{Scratch, at_once, branch, commit, merge_of};
use crate::taps::Recorder;

fn merge(ours: ObjectId, theirs: ObjectId) -> MergeState {
    let (conflict_paths, other_branch) = (["a.rs".to_owned()].into(), Some(branch("topic")));
    MergeState { conflict_paths, other_branch, ..merge_of(ours, theirs) }
}

fn problems(audit: Audit) -> Vec<ProblemKind> {
    audit.problems.into_iter().map(|problem| problem.kind).collect()
}

fn damage(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let last = bytes.len() - 3;
    bytes[last] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_second_merge_and_a_stale_change_are_refused() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let [one, two] = ["one", "two"].map(|name| commit(&store, name));
    let (first, second) = (merge(one, two), merge(two, one));
    let _ = store.write_merge_state(&first, Known::Absent).unwrap();
    for known in [Known::Absent, Known::Is(&second)] {
        let error = store.write_merge_state(&second, known).unwrap_err();
        assert!(matches!(error, Error::StateConflict { .. }), "{error}");
        let error = store.clear_merge_state(known).unwrap_err();
        assert!(error.to_string().contains("read the merge state again"), "{error}");
    }
    assert_eq!(store.merge_state().unwrap().as_ref(), Some(&first));
    let _ = store.write_merge_state(&second, Known::Is(&first)).unwrap();
    assert!(store.clear_merge_state(Known::Is(&second)).unwrap().is_some());
    assert_eq!(store.clear_merge_state(Known::Absent).unwrap(), None);
}

#[test]
fn a_corrupt_state_is_not_no_state() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let one = commit(&store, "one");
    let _ = store.write_merge_state(&merge(one, one), Known::Absent).unwrap();
    damage(&scratch.layout().merge_state());
    assert!(matches!(store.merge_state(), Err(Error::Corrupt { .. })));
    let error = store.write_merge_state(&merge(one, one), Known::Absent).unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
    assert_eq!(problems(scratch.audit()), [ProblemKind::BadState]);
    let mut other = scratch.open();
    assert!(other.gc(GcOptions::default()).is_err(), "what it led to is not known");
    assert!(store.clear_merge_state(Known::Any).unwrap().is_some());
    scratch.assert_clean();
}

#[test]
fn what_is_in_progress_keeps_its_commits_and_names_only_what_is_there() {
    let scratch = Scratch::new();
    let mut store = scratch.open();
    let [one, two, three] = ["one", "two", "three"].map(|name| commit(&store, name));
    let rebase = RebaseState {
        original_branch: branch("topic"),
        original_head: one,
        onto: two,
        remaining: vec![one],
        completed: vec![three],
        squash: false,
    };
    let missing = merge(one, ObjectId::of(b"no such commit"));
    let error = store.write_merge_state(&missing, Known::Absent).unwrap_err();
    assert!(matches!(error, Error::Dangling { .. }), "{error}");
    let _ = store.write_rebase_state(&rebase, Known::Absent).unwrap();
    let no_grace = GcOptions { grace: Duration::ZERO, dry_run: false };
    assert_eq!(store.gc(no_grace).unwrap().deleted, 0);
    scratch.assert_clean();
    fs::remove_file(scratch.layout().object(&three)).unwrap();
    assert_eq!(problems(scratch.audit()), [ProblemKind::Dangling]);
    assert!(store.clear_rebase_state(Known::Is(&rebase)).unwrap().is_some());
    assert!(store.gc(no_grace).unwrap().deleted > 5);
}

fn claim(run: &str, addresses: &[&str]) -> Claim {
    Claim::new(run, branch("main"), addresses.iter().copied(), "write")
}

#[test]
fn who_holds_an_address_is_told_and_shared_claims_exclude_only_exclusive_ones() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let shared = |run| Claim { exclusive: false, ..claim(run, &["a", "b"]) };
    let held = ["one", "two"].map(|run| store.reserve(&shared(run)).unwrap().0);
    let error = store.reserve(&claim("three", &["b", "c"])).unwrap_err();
    assert!(error.to_string().contains("\"b\" is held by"), "{error}");
    let holders = store.holders("b").unwrap();
    assert_eq!(holders.len(), 2);
    assert!(store.holders("c").unwrap().is_empty());
    for reservation in &held {
        assert!(store.release(&reservation.reservation_id).unwrap().is_some());
    }
    assert_eq!(store.release(&held[0].reservation_id).unwrap(), None);
    let _ = store.reserve(&claim("three", &["b", "c"])).unwrap();
    scratch.assert_clean();
}

#[test]
fn an_expired_reservation_holds_nothing_and_is_swept_with_its_intents() {
    // The clock of this disk goes on by a microsecond with each look at it.
    let disk = SimFs::new();
    let root = Path::new("/store");
    let store = Store::init_on(disk.clone(), root, Options::default()).unwrap();
    let short = Claim { ttl: Duration::from_millis(30), ..claim("one", &["a"]) };
    let (reservation, _) = store.reserve(&short).unwrap();
    let id = reservation.reservation_id;
    let _ = store.intend(&id, ["a"], "write", "").unwrap();
    assert!(matches!(store.intend(&id, ["b"], "write", ""), Err(Error::BadValue { .. })));
    assert_eq!(store.holders("a").unwrap().len(), 1);
    assert!(store.sweep_reservations().unwrap().is_empty());
    for _ in 0..30_000 {
        let _ = disk.now();
    }
    assert!(store.holders("a").unwrap().is_empty());
    assert!(matches!(store.intend(&id, ["a"], "write", ""), Err(Error::NoReservation { .. })));
    assert_eq!(store.sweep_reservations().unwrap().len(), 1);
    assert_eq!((store.reservations().unwrap(), store.intents().unwrap()), (vec![], vec![]));
    assert_eq!(Audit::run(&disk, root).unwrap().problems, []);
}

/// Found by the workload `pairs`: somebody was killed between the removal of a reservation and its barrier; who
/// had the store open saw none, and did not make that durable before it went on.
#[test]
fn that_nobody_holds_an_address_is_made_durable_before_it_is_relied_on() {
    let scratch = Scratch::new();
    let recorder = Arc::new(Recorder::default());
    let store = scratch.watched(&recorder, Durability::Strict);
    let dir = scratch.layout().reservations();
    let calls = || -> Vec<_> {
        let mut calls = recorder.take();
        calls.retain(|call| {
            let names = call.kind == CallKind::Rename || call.kind == CallKind::SyncDir;
            names && call.path.starts_with(&dir)
        });
        calls.into_iter().map(|call| call.kind).collect()
    };
    assert!(store.sweep_reservations().unwrap().is_empty());
    assert_eq!(calls(), [CallKind::SyncDir]);
    let _ = store.reserve(&claim("one", &["a"])).unwrap();
    assert_eq!(calls(), [CallKind::SyncDir, CallKind::Rename, CallKind::SyncDir]);
    scratch.assert_clean();
}

#[test]
fn a_damaged_or_foreign_reservation_is_told_and_can_be_released() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let (reservation, _) = store.reserve(&claim("one", &["a"])).unwrap();
    let id = reservation.reservation_id;
    damage(&scratch.layout().reservations().join(format!("{id}.json")));
    assert!(matches!(store.reserve(&claim("two", &["b"])), Err(Error::Corrupt { .. })));
    assert_eq!(problems(scratch.audit()), [ProblemKind::BadReservation]);
    assert!(store.release(&id).unwrap().is_some());
    fs::write(scratch.layout().intents().join("notes"), "mine").unwrap();
    assert_eq!(problems(scratch.audit()), [ProblemKind::BadReservation]);
}

fn texts(store: &Store, since: u64) -> Vec<String> {
    store.log(since).unwrap().records.into_iter().map(|record| record.text).collect()
}

#[test]
fn a_log_is_read_from_its_checkpoint_on_and_compacted_up_to_it() {
    let scratch = Scratch::new();
    let store = scratch.open();
    for text in ["one", "two", "three"] {
        let _ = store.append_log("run", text).unwrap();
    }
    assert!(store.checkpoint_log(4, "").is_err(), "there is no record 4");
    let (checkpoint, _) = store.checkpoint_log(2, "two of them").unwrap();
    assert_eq!(store.log(0).unwrap().checkpoint.as_ref(), Some(&checkpoint));
    assert_eq!(store.log_checkpoint().unwrap(), Some(checkpoint));
    assert_eq!(texts(&store, 2), ["three"]);
    assert_eq!(texts(&store, 0).len(), 3);
    assert_eq!(store.compact_log().unwrap(), 2);
    assert_eq!(store.compact_log().unwrap(), 0);
    assert_eq!((store.log(0).unwrap().base, texts(&store, 0)), (2, vec!["three".to_owned()]));
    assert_eq!(scratch.open().append_log("other", "four").unwrap().0.seq, 4);
    assert_eq!(store.append_log("run", "five").unwrap().0.seq, 5);
    assert_eq!(texts(&store, 3), ["four", "five"]);
    let _ = store.checkpoint_log(5, "").unwrap();
    assert_eq!((store.compact_log().unwrap(), texts(&store, 0).len()), (3, 0));
    assert_eq!(scratch.open().append_log("run", "six").unwrap().0.seq, 6);
    scratch.assert_clean();
}

#[test]
fn ten_writers_of_a_log_lose_nothing() {
    let scratch = Scratch::new();
    let store = scratch.open();
    at_once(10, |n| {
        let own = scratch.open();
        for round in 0..4 {
            // Half of them through one open store, half through stores of their own.
            let store = if round % 2 == 0 { &store } else { &own };
            let _ = store.append_log(&format!("run {n}"), &format!("{n} {round}")).unwrap();
        }
    });
    let mut found = texts(&store, 0);
    found.sort();
    let mut expected: Vec<_> =
        (0..10).flat_map(|n| (0..4).map(move |round| format!("{n} {round}"))).collect();
    expected.sort();
    assert_eq!(found, expected);
    scratch.assert_clean();
    assert_eq!(scratch.audit().counts.logged, 40);
}

#[test]
fn a_torn_record_is_cut_off_at_open_and_told() {
    let scratch = Scratch::new();
    let store = scratch.open();
    for text in ["one", "two"] {
        let _ = store.append_log("run", text).unwrap();
    }
    let path = scratch.layout().log();
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 5]).unwrap();
    assert_eq!(problems(scratch.audit()), [ProblemKind::BadLog]);
    let torn = scratch.open();
    assert!(torn.recovery().log_cut > 20, "{:?}", torn.recovery());
    assert_eq!(texts(&torn, 0), ["one"]);
    assert_eq!(scratch.open().recovery().log_cut, 0);
    // The store that was open all the time learns it as well.
    assert_eq!(store.append_log("run", "three").unwrap().0.seq, 2);
    assert_eq!(texts(&store, 0), ["one", "three"]);
    scratch.assert_clean();
}

#[test]
fn damage_before_the_last_record_is_an_error_and_nothing_is_cut() {
    let scratch = Scratch::new();
    let store = scratch.open();
    for text in ["one", "two", "three"] {
        let _ = store.append_log("run", text).unwrap();
    }
    let path = scratch.layout().log();
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(3).position(|bytes| bytes == b"two").unwrap();
    bytes[at] ^= 1;
    fs::write(&path, &bytes).unwrap();
    assert!(matches!(store.log(0), Err(Error::Corrupt { .. })));
    assert_eq!(problems(scratch.audit()), [ProblemKind::BadLog]);
    drop(scratch.open());
    assert_eq!(fs::read(&path).unwrap(), bytes);
}
