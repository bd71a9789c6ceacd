//! The contracts of the seam, held against the real file system.

use std::fs::File;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::{RealFile, RealFs};
use crate::{Access, Call, CallKind, FileKind, Fs, FsFile, LockMode, Watched, Watcher};

#[test]
fn create_new_refuses_an_existing_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    RealFs.create_new(&path, 0o666).unwrap();
    assert_eq!(RealFs.create_new(&path, 0o666).unwrap_err().kind(), ErrorKind::AlreadyExists);
}

#[test]
fn what_was_written_at_an_offset_is_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let file = RealFs.create_new(&dir.path().join("a"), 0o644).unwrap();
    file.write_all_at(b"hello", 3).unwrap();
    let mut buf = [9; 16];
    assert_eq!(file.read_full_at(&mut buf, 0).unwrap(), 8);
    assert_eq!(&buf[..8], b"\0\0\0hello");
    file.set_len(4).unwrap();
    assert_eq!(file.metadata().unwrap().len, 4);
}

#[test]
fn append_goes_to_the_end_whoever_wrote_before() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let file = RealFs.create_new(&path, 0o644).unwrap();
    let log = RealFs.open(&path, Access::Append).unwrap();
    log.append(b"one").unwrap();
    file.write_all_at(b"twotwo", 0).unwrap();
    log.append(b"!").unwrap();
    let mut buf = [0; 16];
    assert_eq!(file.read_full_at(&mut buf, 0).unwrap(), 7);
    assert_eq!(&buf[..7], b"twotwo!");
}

#[test]
fn rename_no_replace_keeps_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("a"), dir.path().join("b"));
    RealFs.create_new(&a, 0o644).unwrap();
    RealFs.create_new(&b, 0o644).unwrap();
    let refused = RealFs.rename_no_replace(&a, &b).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
    RealFs.rename(&a, &b).unwrap();
    assert_eq!(RealFs.metadata(&a).unwrap_err().kind(), ErrorKind::NotFound);
    RealFs.sync_dir(dir.path()).unwrap();
}

#[test]
fn a_lock_belongs_to_the_open_file_and_goes_when_it_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lock");
    let first = RealFs.create_new(&path, 0o644).unwrap();
    let second = RealFs.open(&path, Access::Read).unwrap();
    assert!(first.try_lock(LockMode::Exclusive).unwrap());
    assert!(!second.try_lock(LockMode::Shared).unwrap());
    drop(first);
    assert!(second.try_lock(LockMode::Exclusive).unwrap());
}

#[test]
fn an_unlinked_open_file_has_no_links_and_keeps_its_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("gone");
    let file = RealFs.create_new(&path, 0o644).unwrap();
    file.write_all_at(b"x", 0).unwrap();
    RealFs.unlink(&path).unwrap();
    let now = file.metadata().unwrap();
    assert_eq!((now.links, now.len, now.kind), (0, 1, FileKind::File));
}

#[test]
fn a_symbolic_link_is_seen_and_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    let link = dir.path().join("link");
    std::os::unix::fs::symlink("nowhere", &link).unwrap();
    assert_eq!(RealFs.metadata(&link).unwrap().kind, FileKind::Symlink);
    assert!(RealFs.open(&link, Access::Read).is_err());
}

#[test]
fn read_dir_is_sorted_and_names_kinds() {
    let dir = tempfile::tempdir().unwrap();
    RealFs.create_new(&dir.path().join("b"), 0o644).unwrap();
    RealFs.mkdir(&dir.path().join("a"), 0o755).unwrap();
    let entries = RealFs.read_dir(dir.path()).unwrap();
    let seen: Vec<_> = entries.iter().map(|e| (e.name.to_str().unwrap(), e.kind)).collect();
    assert_eq!(seen, [("a", FileKind::Dir), ("b", FileKind::File)]);
}

/// Refuses every rename with ENOSPC.
struct NoRename;

impl Watcher for NoRename {
    fn before(&self, call: &Call<'_>) -> std::io::Result<()> {
        match call.kind {
            CallKind::Rename => Err(std::io::Error::from_raw_os_error(28)),
            _ => Ok(()),
        }
    }
}

#[test]
fn a_watcher_may_refuse_a_call_which_is_then_not_made() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("a"), dir.path().join("b"));
    let fs = Watched::new(RealFs, Arc::new(NoRename));
    fs.create_new(&a, 0o644).unwrap();
    assert_eq!(fs.rename(&a, &b).unwrap_err().raw_os_error(), Some(28));
    assert_eq!(RealFs.metadata(&a).unwrap().kind, FileKind::File);
}

/// ext4 without a journal sent its flush too early for what a bare syncfs had written (ci/syncfs.sh shows
/// that on a disk). A pipe's file system takes a syncfs, and a pipe takes no fsync.
#[test]
fn the_barrier_of_a_file_system_ends_with_an_fsync() {
    let (reader, _writer) = std::io::pipe().unwrap();
    let pipe = RealFile(File::from(OwnedFd::from(reader)));
    nix::unistd::syncfs(&pipe.0).unwrap();
    assert_eq!(pipe.sync_fs().unwrap_err().kind(), ErrorKind::InvalidInput);
}
