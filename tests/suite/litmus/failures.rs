//! Litmus pairs of syncs that fail, each in the way of its preset.
//!
//! What is in the cache and who is told is tested in faultfs (`fault/sync_tests.rs`).

use std::path::Path;

use faultfs::{Fs, FsFile, SimFile};

use super::disk::{Disk, NEW, OLD};
use super::{Pair, pairs};

pairs! {
    fsync_retried,
}

/// Pattern 13.
fn fsync_retried() -> Pair {
    Pair {
        shows: "an fsync that failed and is tried again may say yes to bytes that are lost",
        start: |disk| {
            disk.new_file("name", OLD);
        },
        buggy: |disk| {
            let tmp = written(disk, "tmp");
            if tmp.fail_sync(disk.failure()).is_err() {
                tmp.sync_all().unwrap();
            }
            disk.rename("tmp", "name").fsync_dir("/").ack();
        },
        fixed: |disk| {
            let tmp = written(disk, "tmp");
            if tmp.fail_sync(disk.failure()).is_ok() {
                disk.rename("tmp", "name").fsync_dir("/").ack();
                return;
            }
            written(disk, "again").sync_all().unwrap();
            disk.unlink("tmp").rename("again", "name").fsync_dir("/").ack();
        },
        holds: |crash| crash.is("name", NEW) || !crash.acked() && crash.is("name", OLD),
        counts: "
            sequential              5/0      8/0   # redirty: the second try writes
            posix                   6/2     17/0
            posix-split-rename      7/3     20/0
            ext4                    6/2     11/0   # old; tmp empty, new, zeros; name zeros, acked too
            ext4-bob                6/2     11/0
            ext4-writeback          6/2     13/0
            ext4-data-journal       6/2      6/2   # the failing fsync says yes: nothing helps
            ext4-nodelalloc         6/2      9/0
            xfs                     6/2     11/0
            btrfs                   5/2     10/0   # the size goes back, too: empty instead of zeros
            lying-disk             11/7    43/24
        ",
    }
}

fn written(disk: &Disk, name: &str) -> SimFile {
    let file = disk.fs().create_new(Path::new(name), 0o644).unwrap();
    file.write_all_at(NEW, 0).unwrap();
    file
}
