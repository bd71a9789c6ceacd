//! The audit: every kind of problem, provoked and found; and what is no problem.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use faultfs::RealFs;
use plugpull_store::{Audit, Commit, Expected, Head, ObjectId, ProblemKind};

use crate::scratch::{Scratch, TIME, branch, commit, corrupt};

/// A store with a branch `main`, its commit, snapshot and blob.
fn with_history() -> (Scratch, ObjectId) {
    let scratch = Scratch::new();
    let store = scratch.open();
    let tip = commit(&store, "first");
    let _ = store.update_branch(&branch("main"), tip, Expected::Absent).unwrap();
    (scratch, tip)
}

/// The damage is done to a good store; the audit finds exactly this, at the path it says.
#[track_caller]
fn assert_found(kind: ProblemKind, damage: impl FnOnce(&Scratch, &ObjectId) -> PathBuf) {
    let (scratch, tip) = with_history();
    let path = damage(&scratch, &tip);
    let audit = scratch.audit();
    let found: Vec<_> = audit.problems.iter().map(|p| (p.kind, p.path.as_path())).collect();
    assert_eq!(found, [(kind, path.as_path())], "{:?}", audit.problems);
    assert_eq!(audit.counts.problems, 1);
    assert!(!audit.problems[0].detail.is_empty());
}

fn remove(path: &Path) {
    fs::remove_file(path).unwrap();
}

#[test]
fn a_good_store_has_no_problem_and_everything_is_counted() {
    let (scratch, _) = with_history();
    let audit = scratch.audit();
    assert_eq!(audit.problems, []);
    let counts = audit.counts;
    assert_eq!((counts.objects, counts.commits, counts.snapshots, counts.branches), (3, 1, 1, 1));
    let on_disk = scratch.object_files().into_iter();
    let on_disk = on_disk.map(|path| fs::metadata(path).unwrap().len());
    assert_eq!(counts.bytes, on_disk.sum::<u64>());
    assert_eq!((counts.unsettled, counts.quarantined, counts.condemned), (0, 0, 0));
}

#[test]
fn an_object_with_other_bytes_is_found() {
    let blob = ObjectId::of(b"first");
    assert_found(ProblemKind::CorruptObject, |scratch, _| {
        let path = scratch.layout().object(&blob);
        corrupt(&path, b"First");
        path
    });
    assert_found(ProblemKind::CorruptObject, |scratch, _| {
        let path = scratch.layout().object(&ObjectId::of(b"large"));
        corrupt_large(&path);
        path
    });
}

/// Larger than any buffer of the audit.
fn corrupt_large(path: &Path) {
    fs::write(path, vec![7; 1 << 20]).unwrap();
}

#[test]
fn something_else_in_the_place_of_an_object_is_found() {
    assert_found(ProblemKind::CorruptObject, |scratch, _| {
        let path = scratch.layout().object(&ObjectId::of(b"first"));
        remove(&path);
        fs::write(scratch.beside("elsewhere"), "first").unwrap();
        symlink(scratch.beside("elsewhere"), &path).unwrap();
        path
    });
    assert_found(ProblemKind::CorruptObject, |scratch, _| {
        let path = scratch.layout().object(&ObjectId::of(b"a directory"));
        fs::create_dir(&path).unwrap();
        path
    });
}

#[test]
fn a_reference_into_nothing_is_found_where_it_comes_from() {
    assert_found(ProblemKind::Dangling, |scratch, tip| {
        remove(&scratch.layout().object(tip));
        scratch.layout().branch(&branch("main"))
    });
    assert_found(ProblemKind::Dangling, |scratch, tip| {
        let snapshot = scratch.open().read_commit(tip).unwrap().unwrap().snapshot;
        remove(&scratch.layout().object(&snapshot));
        scratch.layout().object(tip)
    });
    assert_found(ProblemKind::Dangling, |scratch, tip| {
        let snapshot = scratch.open().read_commit(tip).unwrap().unwrap().snapshot;
        remove(&scratch.layout().object(&ObjectId::of(b"first")));
        scratch.layout().object(&snapshot)
    });
    assert_found(ProblemKind::Dangling, |scratch, _| {
        fs::write(scratch.layout().head(), format!("commit: {}\n", ObjectId::of(b"no"))).unwrap();
        scratch.layout().head()
    });
    // A blob in the place of a commit.
    assert_found(ProblemKind::Dangling, |scratch, _| {
        let path = scratch.layout().branch(&branch("main"));
        fs::write(&path, ObjectId::of(b"first").to_string()).unwrap();
        path
    });
}

#[test]
fn the_temp_of_a_dead_writer_is_found() {
    assert_found(ProblemKind::OrphanTemp, |scratch, _| {
        let path = scratch.layout().shard(3).join(".obj-tmp-1-1");
        fs::write(&path, "torn").unwrap();
        path
    });
}

#[test]
fn the_temp_of_a_live_writer_is_counted_and_no_problem() {
    let (scratch, _) = with_history();
    let path = scratch.layout().shard(3).join(".obj-tmp-1-1");
    let file = fs::File::create_new(&path).unwrap();
    file.lock().unwrap();
    let audit = scratch.audit();
    assert_eq!((audit.counts.live_temps, audit.problems), (1, Vec::new()));
    assert!(path.exists(), "an audit changes nothing");
}

#[test]
fn a_branch_file_that_is_no_branch_is_found() {
    for bad in ["", "garbage"] {
        assert_found(ProblemKind::BadRef, |scratch, _| {
            let path = scratch.layout().heads().join("bad");
            fs::write(&path, bad).unwrap();
            path
        });
    }
    assert_found(ProblemKind::BadRef, |scratch, tip| {
        let path = scratch.layout().heads().join("a name");
        fs::write(&path, tip.to_string()).unwrap();
        path
    });
}

#[test]
fn a_bad_or_missing_head_is_found() {
    for bad in ["", "main", "ref: refs/heads/main", "ref: refs/heads/../x\n", "commit: 12\n"] {
        assert_found(ProblemKind::BadHead, |scratch, _| {
            fs::write(scratch.layout().head(), bad).unwrap();
            scratch.layout().head()
        });
    }
    assert_found(ProblemKind::BadHead, |scratch, _| {
        remove(&scratch.layout().head());
        scratch.layout().head()
    });
}

#[test]
fn a_missing_part_of_the_skeleton_is_found() {
    assert_found(ProblemKind::BadSkeleton, |scratch, _| {
        fs::remove_dir(scratch.layout().quarantine()).unwrap();
        scratch.layout().quarantine()
    });
    assert_found(ProblemKind::BadSkeleton, |scratch, _| {
        let empty = (0..=255).map(|byte| scratch.layout().shard(byte));
        empty.into_iter().find(|shard| fs::remove_dir(shard).is_ok()).unwrap()
    });
    assert_found(ProblemKind::BadSkeleton, |scratch, _| {
        remove(&scratch.layout().pin_lock());
        scratch.layout().pin_lock()
    });
}

#[test]
fn a_file_that_the_store_did_not_write_is_found() {
    assert_found(ProblemKind::Foreign, |scratch, _| {
        let path = scratch.layout().shard(9).join("notes.txt");
        fs::write(&path, "mine").unwrap();
        path
    });
}

#[test]
fn an_unreadable_list_of_a_collection_is_found() {
    assert_found(ProblemKind::BadList, |scratch, _| {
        fs::write(scratch.layout().condemned(), "garbage\n").unwrap();
        scratch.layout().condemned()
    });
}

#[test]
fn all_of_many_problems_are_found() {
    let (scratch, tip) = with_history();
    corrupt(&scratch.layout().object(&ObjectId::of(b"first")), b"x");
    remove(&scratch.layout().head());
    fs::write(scratch.layout().heads().join("bad"), "garbage").unwrap();
    let kinds: Vec<_> = scratch.audit().problems.iter().map(|p| p.kind).collect();
    let expected = [ProblemKind::CorruptObject, ProblemKind::BadRef, ProblemKind::BadHead];
    assert_eq!(kinds, expected);
    assert!(scratch.layout().object(&tip).exists());
}

#[test]
fn bytes_that_only_look_like_a_commit_are_no_problem_until_a_ref_leads_there() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let [parent, snapshot] = [&b"no parent"[..], b"no snapshot"].map(ObjectId::of);
    let commit = Commit::new([parent], snapshot, "somebody", "a file about commits", TIME);
    let id = store.put(&serde_json::to_vec(&commit).unwrap()).unwrap().id;
    assert_eq!(scratch.audit().problems, []);
    let _ = store.set_head(&Head::Detached(id)).unwrap();
    let kinds: Vec<_> = scratch.audit().problems.iter().map(|p| p.kind).collect();
    assert_eq!(kinds, [ProblemKind::Dangling; 2]);
}

#[test]
fn what_is_no_store_cannot_be_audited() {
    let scratch = Scratch::without_store();
    assert!(Audit::run(&RealFs, &scratch.root()).is_err());
}
