//! What single calls leave in the Trace, exactly.
//!
//! Calls that std and nix do not have are made by python in `programs`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt, symlink};

use faultfs::{Access, DiskImage, Fs, FsFile, Inode, Op, RealFs};
use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, OFlag, fallocate};

use super::{mounted, mounted_with};

/// What an Op does to bytes and their durability, without the bytes.
fn shape(op: &Op) -> String {
    match op {
        Op::Create { .. } => "create".to_owned(),
        Op::Write { offset, bytes, .. } => format!("write {}+{}", offset, bytes.len()),
        Op::SetLen { len, .. } => format!("length {len}"),
        Op::SetModified { .. } => "time".to_owned(),
        Op::SetMode { mode, .. } => format!("mode {mode:o}"),
        Op::SyncData { .. } => "data".to_owned(),
        Op::SyncAll { inode: DiskImage::ROOT } => "root".to_owned(),
        Op::SyncAll { .. } => "all".to_owned(),
        Op::SyncRange { offset, len, all, .. } => format!("range {offset}+{len} {all}"),
        other => format!("{other:?}"),
    }
}

fn shapes(ops: &[Op]) -> Vec<String> {
    ops.iter().map(shape).collect()
}

#[test]
fn writes_are_recorded_as_they_were_made() {
    mounted(|here| {
        let file = File::create(here.path("a")).unwrap();
        file.write_all_at(&[1; 5000], 100).unwrap();
        file.write_all_at(&[2; 4096], 56).unwrap();
        let mut end = OpenOptions::new().append(true).open(here.path("a")).unwrap();
        end.write_all(&[3; 5000]).unwrap();
        file.sync_data().unwrap();
        file.sync_all().unwrap();
        File::open(here.dir.path()).unwrap().sync_data().unwrap();
        let written = ["create", "write 100+5000", "write 56+4096", "write 5100+5000"];
        let expected = [&written[..], &["data", "all", "root"]].concat();
        if here.mount.seen().direct_mmap {
            assert_eq!(shapes(&here.ops()), expected);
        }
        here.assert_recorded();
    });
}

#[test]
fn large_writes_come_in_pieces_of_a_megabyte_at_most() {
    mounted(|here| {
        let file = File::create(here.path("a")).unwrap();
        file.write_all_at(&vec![4; 3 << 20], 7).unwrap();
        let mut end = 7;
        for op in here.ops() {
            if let Op::Write { offset, bytes, .. } = op {
                assert_eq!(offset, end);
                assert!(bytes.len() <= 1 << 20);
                end += bytes.len() as u64;
            }
        }
        assert_eq!(end, 7 + (3 << 20));
        assert!(here.ops().len() <= 5, "{:?}", shapes(&here.ops()));
        here.assert_recorded();
    });
}

#[test]
fn synchronous_writes_are_barriers_of_what_they_wrote() {
    mounted(|here| {
        for (name, flag) in [("d", OFlag::O_DSYNC), ("s", OFlag::O_SYNC)] {
            let mut options = OpenOptions::new();
            options.create(true).truncate(false).write(true).custom_flags(flag.bits());
            options.open(here.path(name)).unwrap().write_all_at(&[1; 10], 5).unwrap();
        }
        let expected = ["create", "write 5+10", "range 5+10 false"];
        let expected = expected.into_iter().chain(["create", "write 5+10", "range 5+10 true"]);
        assert_eq!(shapes(&here.ops()), expected.collect::<Vec<_>>());
    });
}

#[test]
fn only_what_changes_something_is_recorded() {
    mounted(|here| {
        let file = File::create(here.path("a")).unwrap();
        file.write_all_at(&[1; 10], 0).unwrap();
        drop(File::create(here.path("a")).unwrap());
        drop(File::create(here.path("a")).unwrap());
        assert!(File::create_new(here.path("a")).is_err());
        assert!(fs::remove_dir(here.path("a")).is_err());
        assert!(fs::rename(here.path("b"), here.path("a")).is_err());
        file.set_permissions(PermissionsExt::from_mode(0o640)).unwrap();
        let expected = ["create", "write 0+10", "length 0", "time", "mode 640"];
        assert_eq!(shapes(&here.ops()), expected);
    });
}

#[test]
fn space_is_given_and_punched() {
    mounted(|here| {
        let file = File::create(here.path("a")).unwrap();
        fallocate(&file, FallocateFlags::empty(), 0, 10_000).unwrap();
        fallocate(&file, FallocateFlags::FALLOC_FL_KEEP_SIZE, 0, 20_000).unwrap();
        file.write_all_at(&[1; 5000], 4000).unwrap();
        let punch = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
        fallocate(&file, punch, 4090, 100).unwrap();
        fallocate(&file, FallocateFlags::FALLOC_FL_ZERO_RANGE, 8190, 100_000).unwrap();
        let collapse = fallocate(&file, FallocateFlags::FALLOC_FL_COLLAPSE_RANGE, 0, 4096);
        assert_eq!(collapse, Err(Errno::EOPNOTSUPP));
        let expected = ["create", "length 10000", "write 4000+5000", "write 4090+100"];
        let expected = expected.into_iter().chain(["write 8190+1810", "length 108190"]);
        assert_eq!(shapes(&here.ops()), expected.collect::<Vec<_>>());
        here.assert_recorded();
    });
}

#[test]
fn a_copied_range_comes_as_writes() {
    mounted(|here| {
        fs::write(here.path("a"), [7; 9000]).unwrap();
        let (from, to) =
            (File::open(here.path("a")).unwrap(), File::create(here.path("b")).unwrap());
        // By copy_file_range where the kernel has it.
        assert_eq!(io::copy(&mut &from, &mut &to).unwrap(), 9000);
        assert_eq!(fs::read(here.path("b")).unwrap(), [7; 9000]);
        here.assert_recorded();
    });
}

#[test]
fn an_open_file_lives_without_a_name_and_under_another() {
    mounted(|here| {
        let file = RealFs.create_new(&here.path("a"), 0o644).unwrap();
        fs::rename(here.path("a"), here.path("b")).unwrap();
        file.write_all_at(b"one", 0).unwrap();
        assert_eq!(fs::read(here.path("b")).unwrap(), b"one");
        fs::hard_link(here.path("b"), here.path("c")).unwrap();
        assert_eq!(file.metadata().unwrap().links, 2);
        fs::remove_file(here.path("b")).unwrap();
        assert_eq!(file.metadata().unwrap().links, 1);
        fs::remove_file(here.path("c")).unwrap();
        assert_eq!(file.metadata().unwrap().links, 0);
        file.write_all_at(b"two", 3).unwrap();
        let mut bytes = [0; 6];
        assert_eq!(file.read_full_at(&mut bytes, 0).unwrap(), 6);
        assert_eq!(&bytes, b"onetwo");
        drop(file);
        assert_eq!(
            RealFs.open(&here.path("b"), Access::Read).err().unwrap().kind(),
            ErrorKind::NotFound
        );
        here.assert_recorded();
    });
}

#[test]
fn numbers_of_links_blocks_and_inodes_are_right_at_once() {
    mounted(|here| {
        fs::create_dir(here.path("d")).unwrap();
        let links = |name: &str| fs::metadata(here.path(name)).unwrap().nlink();
        let before = fs::metadata(here.path("d")).unwrap().mtime_nsec();
        assert_eq!(links("d"), 2);
        fs::create_dir(here.path("d/e")).unwrap();
        assert_eq!(links("d"), 3);
        assert_ne!(fs::metadata(here.path("d")).unwrap().mtime_nsec(), before);
        fs::rename(here.path("d/e"), here.path("e")).unwrap();
        assert_eq!((links("d"), links("")), (2, 4));
        fs::remove_dir(here.path("e")).unwrap();
        assert_eq!(links(""), 3);
        fs::write(here.path("f"), [1; 5000]).unwrap();
        let found = fs::metadata(here.path("f")).unwrap();
        assert_eq!((found.blocks(), found.blksize(), found.len()), (16, 4096, 5000));
        let inode = here.disk.metadata(std::path::Path::new("/f")).unwrap().inode;
        assert_eq!(Inode(found.ino()), Inode(inode));
        symlink("f", here.path("l")).unwrap();
        assert_eq!(fs::symlink_metadata(here.path("l")).unwrap().len(), 1);
        here.assert_recorded();
    });
}

#[test]
fn a_full_record_is_a_full_disk() {
    mounted_with(
        |options| options.memory = 100_000,
        |here| {
            fs::write(here.path("a"), vec![1; 50_000]).unwrap();
            assert!(!here.mount.seen().out_of_memory);
            let full = fs::write(here.path("a"), vec![1; 50_000]).unwrap_err();
            assert_eq!(full.kind(), ErrorKind::StorageFull);
            assert!(here.mount.seen().out_of_memory);
            fs::remove_file(here.path("a")).unwrap();
        },
    );
}
