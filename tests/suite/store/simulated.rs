//! The store on the simulated disk: it behaves there as on the real one, and the record of what it did
//! shows the order of its barriers, by inode and not by name.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use faultfs::{Entry, Event, Inode, Op, SimFs, Trace};
use plugpull_store::{
    Audit, Branch, Commit, Expected, GcOptions, Head, Layout, ObjectId, Options, Snapshot, Store,
};

const ROOT: &str = "/store";

fn store(disk: &SimFs) -> Store<SimFs> {
    Store::init_on(disk.clone(), Path::new(ROOT), Options::default()).unwrap()
}

/// One commit of one file on `branch`, marked when it was acknowledged.
fn commit(disk: &SimFs, store: &Store<SimFs>, branch: &Branch, text: &str) -> ObjectId {
    let _pin = store.pin().unwrap();
    let tip = store.read_branch(branch).unwrap();
    let blob = store.put(text.as_bytes()).unwrap().id;
    let snapshot = store.put_snapshot(&Snapshot::of([("file", blob)]).unwrap()).unwrap().id;
    let id = store.put_commit(&Commit::new(tip, snapshot, "me", text, 0)).unwrap().id;
    let expected = tip.map_or(Expected::Absent, Expected::At);
    let _receipt = store.update_branch(branch, id, expected).unwrap();
    disk.mark(text.as_bytes());
    id
}

fn audit(disk: &SimFs) -> Audit {
    Audit::run(disk, Path::new(ROOT)).unwrap()
}

#[test]
fn every_operation_works_on_the_simulated_disk() {
    let disk = SimFs::new();
    let mut store = store(&disk);
    let main = Branch::new("main").unwrap();
    let topic = Branch::new("topic/x").unwrap();
    let first = commit(&disk, &store, &main, "first");
    let second = commit(&disk, &store, &main, "second");
    commit(&disk, &store, &topic, "aside");
    let _receipt = store.set_head(&Head::Detached(second)).unwrap();
    let _receipt = store.restore(&ObjectId::of(b"first"), Path::new("/work/file"), true).unwrap();
    store.put(b"garbage").map(|_| ()).unwrap();
    assert!(store.delete_branch(&topic, Expected::Force).unwrap().is_some());
    let report = store.gc(GcOptions { grace: std::time::Duration::ZERO, dry_run: false }).unwrap();
    assert_eq!(report.deleted, 4);
    let again = Store::open_on(disk.clone(), Path::new(ROOT), Options::default()).unwrap();
    assert_eq!(again.read_commit(&second).unwrap().unwrap().parents, [first]);
    assert_eq!(audit(&disk).problems, []);
}

#[test]
fn writers_on_many_threads_share_the_simulated_disk() {
    let disk = SimFs::new();
    let store = store(&disk);
    crate::scratch::at_once(8, |n| {
        let branch = Branch::new(&format!("writer/{n}")).unwrap();
        for round in 0..20 {
            commit(&disk, &store, &branch, &format!("{n} {round}"));
        }
    });
    assert_eq!(audit(&disk).problems, []);
    assert_eq!(audit(&disk).counts.commits, 160);
    let marks = disk.trace().events.iter().filter(|e| matches!(e, Event::Mark(_))).count();
    assert_eq!(marks, 160);
}

fn is_temp(entry: &Entry) -> bool {
    Layout::is_temp(Path::new(OsStr::from_bytes(&entry.name)))
}

/// For each mark, what was changed and not synced since: the inodes of files whose bytes and of
/// directories whose entries are not durable by any barrier of their own.
fn unsynced_at_marks(trace: &Trace) -> Vec<Vec<Inode>> {
    let mut dirty: Vec<Inode> = Vec::new();
    let mut found = Vec::new();
    for event in &trace.events {
        match event {
            Event::Mark(_) => found.push(dirty.clone()),
            Event::Op { op, .. } => match op {
                // A file that nothing was written to is durable with its name.
                Op::Create { at, .. }
                | Op::Mkdir { at, .. }
                | Op::Symlink { at, .. }
                | Op::Link { at, .. }
                | Op::Unlink { at, .. }
                | Op::Rmdir { at, .. } => dirty.push(at.dir),
                // Nobody waits for the name of a temp: an open removes it where it comes back.
                Op::Rename { from, to, .. } if is_temp(from) => {
                    if let Some(create) = dirty.iter().rposition(|dirty| *dirty == from.dir) {
                        dirty.remove(create);
                    }
                    dirty.push(to.dir);
                }
                Op::Rename { from, to, .. } => dirty.extend([from.dir, to.dir]),
                Op::Write { inode, .. }
                | Op::WriteBack { inode, .. }
                | Op::SetXattr { inode, .. }
                | Op::SetLen { inode, .. }
                | Op::SetMode { inode, .. }
                | Op::SetModified { inode, .. } => dirty.push(*inode),
                Op::SyncFs => dirty.clear(),
                Op::SyncAll { inode } => dirty.retain(|dirty| dirty != inode),
                Op::SyncData { .. } | Op::SyncRange { .. } | Op::SyncFailed { .. } => {}
            },
        }
    }
    found
}

#[test]
fn nothing_of_a_commit_is_unsynced_when_it_is_acknowledged() {
    let disk = SimFs::new();
    let store = store(&disk);
    let main = Branch::new("deep/er/main").unwrap();
    for n in 0..5 {
        commit(&disk, &store, &main, &format!("commit {n}"));
        // The same bytes again: found there, and made durable again.
        commit(&disk, &store, &main, "known");
    }
    let unsynced = unsynced_at_marks(&disk.trace());
    assert_eq!(unsynced.len(), 10);
    assert!(unsynced.iter().all(Vec::is_empty), "{unsynced:?}");
}

#[test]
fn the_check_sees_a_write_without_its_barrier() {
    // The control of the test above.
    let disk = SimFs::new();
    let store = store(&disk);
    let file = faultfs::Fs::create_new(&disk, Path::new("/plain"), 0o644).unwrap();
    faultfs::FsFile::write_all_at(&file, b"x", 0).unwrap();
    commit(&disk, &store, &Branch::new("main").unwrap(), "one");
    assert_eq!(unsynced_at_marks(&disk.trace())[0].len(), 2);
}

#[test]
fn a_recorded_run_can_be_made_again() {
    let disk = SimFs::new();
    let store = store(&disk);
    commit(&disk, &store, &Branch::new("main").unwrap(), "one");
    let trace = disk.trace();
    let image = trace.image_after(trace.events.len());
    assert_eq!(image.hash(), disk.image().hash());
    assert_eq!(trace.image_after(0).hash(), trace.start.hash());
    // What the record leads to is a store, and can be opened, gone on with and recorded in its turn.
    let next = SimFs::on(image);
    let again = Store::open_on(next.clone(), Path::new(ROOT), Options::default()).unwrap();
    commit(&next, &again, &Branch::new("main").unwrap(), "two");
    assert_eq!(audit(&next).problems, []);
    let bytes: Arc<[u8]> = Arc::from(*b"two");
    assert!(next.trace().events.contains(&Event::Mark(bytes)));
}
