//! A collection must not build on a change of a branch that is not durable yet.
//!
//! A writer that was killed between the unlink of a branch and the barrier of its directory leaves no
//! pin. A collection sees no branch; if it deletes the history durably, a power cut can bring the branch
//! back, and it leads to nothing. Found when the subject of power cuts was written.

use std::path::Path;
use std::time::Duration;

use faultfs::{Fs, Op, SimFs};
use plugpull_store::{Branch, Commit, Expected, GcOptions, Options, Snapshot, Store};

use super::find;

const STORE: &str = "/store";

#[test]
fn a_deletion_is_durable_before_a_collection_relies_on_it() {
    let disk = SimFs::new();
    let mut store = Store::init_on(disk.clone(), Path::new(STORE), Options::default()).unwrap();
    let topic = Branch::new("topic").unwrap();
    let blob = store.put(b"text").unwrap().id;
    let snapshot = store.put_snapshot(&Snapshot::of([("file", blob)]).unwrap()).unwrap().id;
    let commit = store.put_commit(&Commit::new([], snapshot, "me", "why", 0)).unwrap().id;
    let _receipt = store.update_branch(&topic, commit, Expected::Absent).unwrap();
    // What a writer that is killed in the middle of a deletion leaves.
    disk.unlink(&store.layout().branch(&topic)).unwrap();
    let report = store.gc(GcOptions { grace: Duration::ZERO, dry_run: false }).unwrap();
    assert_eq!(report.deleted, 3);

    let trace = disk.trace();
    let heads = find(&disk.image(), "/store/refs/heads").unwrap();
    let ops: Vec<_> = trace.ops().collect();
    let unlinks = |op: &&&Op, name: &[u8]| matches!(op, Op::Unlink { at, .. } if *at.name == *name);
    let deleted = ops.iter().position(|op| unlinks(&op, b"topic")).unwrap();
    let hex = blob.hex();
    let collected = ops.iter().position(|op| unlinks(&op, &hex.as_bytes()[2..])).unwrap();
    let synced = ops[deleted..collected].iter().any(|op| **op == Op::SyncAll { inode: heads });
    assert!(synced, "a power cut before the barrier may leave the branch without its history");
}
