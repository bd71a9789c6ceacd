//! Objects that are not what they should be, made good by putting them again; and the modes that tell.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use faultfs::CallKind;
use nix::sys::stat::{Mode, umask};
use plugpull_store::{Durability, ObjectId, Options, Outcome, Reached, Store};

use crate::child;
use crate::scratch::{Scratch, corrupt, mode};
use crate::taps::{EIO, Failing, Fault};

fn inode(path: &Path) -> u64 {
    fs::metadata(path).unwrap().ino()
}

#[test]
fn a_corrupt_object_is_repaired_by_its_good_bytes_and_the_bad_ones_are_kept() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let id = store.put(b"the good bytes").unwrap().id;
    let path = scratch.layout().object(&id);
    for (count, bad) in [&b"the bad bytes!"[..], b"", b"worse"].into_iter().enumerate() {
        corrupt(&path, bad);
        assert!(store.get(&id).is_err());
        assert_eq!(store.put(b"the good bytes").unwrap().receipt.outcome, Outcome::Repaired);
        assert_eq!(store.get(&id).unwrap().unwrap(), b"the good bytes");
        assert_eq!(mode(&path), 0o444);
        let kept = scratch.layout().quarantine().join(format!("{}.{count}", id.hex()));
        assert_eq!(fs::read(kept).unwrap(), bad);
    }
    assert_eq!(scratch.audit().counts.quarantined, 3);
    scratch.assert_clean();
}

#[test]
fn a_corrupt_object_is_repaired_by_a_put_from_a_file_too() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let source = scratch.beside("source");
    fs::write(&source, "content").unwrap();
    let id = store.put_from_path(&source).unwrap().id;
    corrupt(&scratch.layout().object(&id), b"CONTENT");
    assert_eq!(store.put_from_path(&source).unwrap().receipt.outcome, Outcome::Repaired);
    assert_eq!(store.get(&id).unwrap().unwrap(), b"content");
    scratch.assert_clean();
}

#[test]
fn bad_bytes_that_cannot_be_kept_stay_where_they_are() {
    let scratch = Scratch::new();
    let failing = Arc::new(Failing::default());
    let store = scratch.watched(&failing, Durability::Strict);
    let id = store.put(b"the good bytes").unwrap().id;
    let path = scratch.layout().object(&id);
    corrupt(&path, b"bad");
    let quarantine = |path: &Path| path.ends_with("quarantine");
    failing.set(Fault::with(EIO).on(&[CallKind::SyncDir]).at(quarantine));
    assert!(store.put(b"the good bytes").is_err());
    assert_eq!(failing.clear(), 1);
    assert_eq!(fs::read(&path).unwrap(), b"bad");
    scratch.assert_no_temps();
    assert_eq!(store.put(b"the good bytes").unwrap().receipt.outcome, Outcome::Repaired);
    scratch.assert_clean();
}

/// After `break_it` the object is there, but unsettled; the next put writes it on a new inode.
fn assert_written_anew(break_it: impl Fn(&Scratch, &Arc<Failing>)) {
    let scratch = Scratch::new();
    let failing = Arc::new(Failing::default());
    break_it(&scratch, &failing);
    assert_eq!(failing.clear(), 1);
    let id = ObjectId::of(b"content");
    let path = scratch.layout().object(&id);
    assert_eq!(mode(&path), 0o440);
    assert_eq!(scratch.audit().counts.unsettled, 1);
    let before = inode(&path);
    // Held, so that its inode number cannot be given to the next file.
    let _held = fs::File::open(&path).unwrap();

    let store = scratch.open();
    assert_eq!(store.get(&id).unwrap().unwrap(), b"content", "it can be read");
    let put = store.put(b"content").unwrap();
    assert_eq!((put.receipt.outcome, put.receipt.reached), (Outcome::Repaired, Reached::Durable));
    assert_ne!(inode(&path), before);
    assert_eq!(mode(&path), 0o444);
    assert_eq!(store.put(b"content").unwrap().receipt.outcome, Outcome::AlreadyThere);
    assert_eq!(scratch.audit().counts.unsettled, 0);
    scratch.assert_clean();
}

#[test]
fn an_object_whose_directory_was_not_synced_is_written_anew() {
    assert_written_anew(|scratch, failing| {
        let store = scratch.watched(failing, Durability::Strict);
        failing.set(Fault::with(EIO).on(&[CallKind::SyncDir]));
        assert!(store.put(b"content").is_err());
    });
}

#[test]
fn an_object_that_was_not_synced_is_written_anew() {
    assert_written_anew(|scratch, failing| {
        let store = scratch.watched(failing, Durability::BestEffort);
        failing.set(Fault::with(EIO).on(&[CallKind::SyncAll]));
        assert_eq!(store.put(b"content").unwrap().receipt.reached, Reached::Degraded);
    });
}

#[test]
fn an_object_that_was_there_and_could_not_be_synced_is_written_anew() {
    assert_written_anew(|scratch, failing| {
        let store = scratch.watched(failing, Durability::Strict);
        let _ = store.put(b"content").unwrap();
        failing.set(Fault::with(EIO).on(&[CallKind::SyncAll]));
        assert!(store.put(b"content").is_err());
    });
}

/// The umask belongs to the process, so a child does the work.
#[test]
fn objects_are_exactly_0444_and_other_files_follow_the_umask() {
    if let Some(dir) = child::role() {
        write_under_umasks(&dir);
        return;
    }
    let scratch = Scratch::without_store();
    let test = "store::repair::objects_are_exactly_0444_and_other_files_follow_the_umask";
    let output = child::command(test, &scratch.beside("")).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("1 passed"), "{told}");
}

fn write_under_umasks(dir: &Path) {
    for (mask, plain, executable) in [(0o077, 0o600, 0o700), (0o022, 0o644, 0o755)] {
        umask(Mode::from_bits_truncate(mask));
        let dir = dir.join(format!("{mask:o}"));
        let store = Store::init(&dir, Options::default()).unwrap();
        let source = dir.join("../source");
        fs::write(&source, "from a file").unwrap();
        let ids = [store.put(b"bytes").unwrap().id, store.put_from_path(&source).unwrap().id];
        for id in ids {
            assert_eq!(mode(&store.layout().object(&id)), 0o444, "umask {mask:o}");
            for (is_executable, expected) in [(false, plain), (true, executable)] {
                let to = dir.join(format!("../restored-{is_executable}"));
                assert!(store.restore(&id, &to, is_executable).unwrap().is_some());
                assert_eq!(mode(&to), expected, "umask {mask:o}");
            }
        }
        for state in [store.layout().head(), store.layout().format()] {
            assert_eq!(mode(&state), plain, "umask {mask:o}");
        }
        drop(Store::open(&dir, Options::default()).unwrap());
    }
}
