//! Failed syncs, held against what was measured on each file system: what is in the cache, what is
//! on the disk, who is told, and what another try says. [`FsyncFailure`] names the sources.

use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::{
    Access, DiskImage, Event, FileKind, Fs, FsFile, Inode, Op, PAGE, Reverted, SimFile, SimFs,
    Trace,
};

/// What happens when a sync fails whose file had one page overwritten and ten bytes appended, while
/// another open file exists.
struct Golden {
    how: FsyncFailure,
    /// What syncs say: the one that fails, a second and a third try; two of the other open file;
    /// one of a file opened afterwards. `!` is `EIO`.
    told: &'static str,
    /// First byte and length of what reads show after the failure.
    cache: (u8, u64),
    /// First byte, first appended byte and length of what is on the disk after the second try.
    disk: (u8, u8, u64),
    /// Of each sync that failed in the trace, in order: whether it drops what was written.
    drops: &'static [bool],
    /// The bytes from the old end on, after one more was written where the program was.
    tail: &'static [u8],
}

const GOLDEN: [Golden; 5] = [
    Golden {
        how: FsyncFailure::Ext4Ordered,
        told: "!.. !. .",
        cache: (b'n', LONG),
        disk: (b'o', 0, LONG),
        drops: &[true, false],
        tail: b"aaaaaaaaaa+",
    },
    Golden {
        how: FsyncFailure::Ext4Data,
        told: ".!. !. .",
        cache: (b'n', LONG),
        // The second try made nothing durable: not even the size is known to be there.
        disk: (b'o', 0, SHORT),
        drops: &[true, false, false],
        tail: b"aaaaaaaaaa+",
    },
    Golden {
        how: FsyncFailure::Xfs,
        told: "!.. !. .",
        cache: (b'n', LONG),
        disk: (b'o', 0, LONG),
        drops: &[true, false],
        tail: b"aaaaaaaaaa+",
    },
    Golden {
        how: FsyncFailure::Btrfs,
        told: "!.. !. .",
        cache: (b'o', SHORT),
        disk: (b'o', 0, SHORT),
        drops: &[true, false],
        tail: b"\0\0\0\0\0\0\0\0\0\0+",
    },
    Golden {
        how: FsyncFailure::Redirty,
        told: "!.. .. .",
        cache: (b'n', LONG),
        disk: (b'n', b'a', LONG),
        drops: &[false],
        tail: b"aaaaaaaaaa+",
    },
];

const SHORT: u64 = 2 * PAGE as u64;
const LONG: u64 = SHORT + 10;

type File = crate::WatchedFile<SimFile, Faults>;

/// A disk whose first `sync_all` fails, and a file of two synced pages of `o` on it.
fn disk(how: FsyncFailure) -> (SimFs, Faulty<SimFs>, File) {
    let rule =
        FaultRule::new(Fault::FailedSync(how)).on(&[CallKind::SyncAll]).when(Pattern::nth(1));
    let sim = SimFs::new();
    let faults = Arc::new(Faults::new(&FaultPlan { rules: vec![rule] }));
    let disk = Faulty::new(sim.clone(), faults);
    let file = disk.create_new(Path::new("/f"), 0o644).unwrap();
    file.write_all_at(&[b'o'; 2 * PAGE], 0).unwrap();
    file.sync_data().unwrap();
    (sim, disk, file)
}

fn open(disk: &Faulty<SimFs>) -> File {
    disk.open(Path::new("/f"), Access::Append).unwrap()
}

fn sync(file: &File) -> char {
    match file.sync_all() {
        Ok(()) => '.',
        Err(error) => {
            assert_eq!(error.raw_os_error(), Some(5));
            '!'
        }
    }
}

fn byte(file: &File, offset: u64) -> u8 {
    let mut byte = [0];
    file.read_full_at(&mut byte, offset).unwrap();
    byte[0]
}

/// What is surely on the disk at the end of a trace: what barriers found pending. Failed syncs take
/// data from that, and leave the size.
fn on_disk(trace: &Trace) -> DiskImage {
    let (mut cache, mut disk) = (trace.start.clone(), trace.start.clone());
    let mut pending = Vec::new();
    for event in &trace.events {
        let Event::Op { op, time, .. } = event else { continue };
        op.apply(&mut cache, *time);
        match op {
            Op::SyncFailed { drops: false, .. } => {}
            Op::SyncFailed { inode, .. } => {
                pending.clear();
                pending.push((Op::SetLen { inode: *inode, len: cache.len(*inode) }, *time));
            }
            Op::SyncData { .. } | Op::SyncAll { .. } => {
                for (op, time) in pending.drain(..) {
                    op.apply(&mut disk, time);
                }
            }
            _ => pending.push((op.clone(), *time)),
        }
    }
    disk
}

fn failed_syncs(trace: &Trace) -> Vec<(bool, Option<Reverted>)> {
    let failed = trace.ops().filter_map(|op| match op {
        Op::SyncFailed { drops, reverted, .. } => Some((*drops, reverted.clone())),
        _ => None,
    });
    failed.collect()
}

#[test]
fn a_failed_sync_is_what_was_measured_on_each_file_system() {
    for golden in GOLDEN {
        let how = golden.how;
        let (sim, disk, file) = disk(how);
        let other = open(&disk);
        file.write_all_at(&[b'n'; PAGE], 0).unwrap();
        assert_eq!(other.append(&[b'a'; 10]).unwrap(), 10);

        let first = sync(&file);
        let cache = (byte(&file, 0), file.metadata().unwrap().len);
        assert_eq!(cache, golden.cache, "{how:?}");
        let second = sync(&file);
        let image = on_disk(&sim.trace());
        let inode = Inode(file.metadata().unwrap().inode);
        let (mut head, mut tail) = ([0], [0]);
        image.read(inode, &mut head, 0);
        image.read(inode, &mut tail, SHORT);
        assert_eq!((head[0], tail[0], image.len(inode)), golden.disk, "{how:?}");

        let third = sync(&file);
        let others = [sync(&other), sync(&other)].map(String::from).concat();
        let later = sync(&open(&disk));
        let told = format!("{first}{second}{third} {others} {later}");
        assert_eq!(told, golden.told, "{how:?}");

        let failed = failed_syncs(&sim.trace());
        let drops: Vec<bool> = failed.iter().map(|(drops, _)| *drops).collect();
        assert_eq!(drops, golden.drops, "{how:?}");

        assert_eq!(file.write_at(b"+", LONG).unwrap(), 1);
        let mut tail = vec![0; 20];
        let n = file.read_full_at(&mut tail, SHORT).unwrap();
        assert_eq!(tail[..n], *golden.tail, "{how:?}");

        let trace = sim.trace();
        assert_eq!(trace.image_after(trace.events.len()).hash(), sim.image().hash());
    }
}

#[test]
fn a_page_that_is_written_again_goes_to_the_disk() {
    for golden in GOLDEN {
        let (sim, _disk, file) = disk(golden.how);
        file.write_all_at(b"new", 0).unwrap();
        while sync(&file) == '!' {}
        file.write_all_at(b"again", 0).unwrap();
        while sync(&file) == '!' {}
        let inode = Inode(file.metadata().unwrap().inode);
        let mut bytes = [0; 6];
        on_disk(&sim.trace()).read(inode, &mut bytes, 0);
        assert_eq!(&bytes, b"againo", "{:?}", golden.how);
    }
}

#[test]
fn an_error_that_nobody_was_told_waits_for_who_comes_later() {
    let (_, disk, file) = disk(FsyncFailure::Ext4Data);
    assert_eq!(sync(&file), '.');
    drop(file);
    let [one, other] = [open(&disk), open(&disk)];
    assert_eq!([sync(&one), sync(&one)], ['!', '.']);
    // This one was open when the first was told; the next one was not.
    assert_eq!(sync(&other), '!');
    assert_eq!(sync(&open(&disk)), '.');
}

#[test]
fn data_written_after_a_late_error_is_durable_by_the_sync_behind_it() {
    let (sim, _disk, file) = disk(FsyncFailure::Ext4Data);
    let inode = Inode(file.metadata().unwrap().inode);
    assert_eq!(sync(&file), '.');
    file.write_all_at(b"later", 0).unwrap();
    let durable = || {
        let mut first = [0];
        on_disk(&sim.trace()).read(inode, &mut first, 0);
        first[0]
    };
    assert_eq!((sync(&file), durable()), ('!', b'o'));
    assert_eq!((sync(&file), durable()), ('.', b'l'));
}

#[test]
fn a_second_failure_is_told_again() {
    let sim = SimFs::new();
    let file = sim.create_new(Path::new("/f"), 0o644).unwrap();
    let other = sim.open(Path::new("/f"), Access::Read).unwrap();
    for _ in 0..2 {
        file.fail_sync(FsyncFailure::Xfs).unwrap_err();
        other.sync_all().unwrap_err();
        other.sync_all().unwrap();
        file.sync_all().unwrap();
    }
}

/// What a file that is changed and not synced goes back to on btrfs.
#[track_caller]
fn assert_goes_back(change: impl Fn(&SimFile), len: u64, pages: &[(u64, &[u8])]) {
    let disk = SimFs::new();
    let file = disk.create_new(Path::new("/f"), 0o644).unwrap();
    file.write_all_at(&[b'o'; PAGE + 5], 0).unwrap();
    // What a disk begins with is synced.
    let disk = SimFs::on(disk.image());
    let file = disk.open(Path::new("/f"), Access::ReadWrite).unwrap();
    let before = disk.image();
    change(&file);
    file.fail_sync(FsyncFailure::Btrfs).unwrap_err();
    let pages = pages.iter().map(|(index, bytes)| (*index, Arc::from(*bytes))).collect();
    assert_eq!(failed_syncs(&disk.trace()), [(true, Some(Reverted { len, pages }))]);
    assert_eq!(disk.image().hash(), before.hash());
}

#[test]
fn on_btrfs_a_file_goes_back_to_what_was_synced() {
    let len = PAGE as u64 + 5;
    let (first, last) = (&[b'o'; PAGE][..], &b"ooooo"[..]);
    assert_goes_back(|_| {}, len, &[]);
    assert_goes_back(|file| file.write_all_at(b"n", 7).unwrap(), len, &[(0, first)]);
    assert_goes_back(|file| file.write_all_at(b"n", len).unwrap(), len, &[(1, last)]);
    assert_goes_back(|file| file.write_all_at(b"n", 3 * len).unwrap(), len, &[]);
    assert_goes_back(|file| file.set_len(0).unwrap(), len, &[(0, first), (1, last)]);
    assert_goes_back(|file| file.set_len(9000).unwrap(), len, &[]);
}

#[test]
fn on_btrfs_a_file_that_was_never_synced_is_empty() {
    let disk = SimFs::new();
    let file = disk.create_new(Path::new("/f"), 0o644).unwrap();
    file.write_all_at(b"lost", 0).unwrap();
    file.fail_sync(FsyncFailure::Btrfs).unwrap_err();
    assert_eq!(file.metadata().unwrap().len, 0);
    // Whoever goes on at the old offset makes a hole.
    file.write_all_at(b"more", 4).unwrap();
    let mut bytes = [9; 10];
    assert_eq!(file.read_full_at(&mut bytes, 0).unwrap(), 8);
    assert_eq!(&bytes[..8], b"\0\0\0\0more");
}

#[test]
fn a_failed_sync_of_a_directory_drops_nothing() {
    let disk = SimFs::new();
    disk.mkdir(Path::new("/d"), 0o755).unwrap();
    let dir = disk.open(Path::new("/d"), Access::Read).unwrap();
    assert_eq!(dir.metadata().unwrap().kind, FileKind::Dir);
    dir.fail_sync(FsyncFailure::Btrfs).unwrap_err();
    assert_eq!(failed_syncs(&disk.trace()), [(false, None)]);
    dir.sync_all().unwrap();
}
