//! Litmus pairs about acknowledgements: what a program said is done must be there after the crash.

use std::io;
use std::path::Path;
use std::sync::Arc;

use faultfs::{Call, CallKind, Fs, FsFile, Watched, Watcher};

use super::disk::{Disk, NEW, OLD};
use super::{Pair, pairs};

pairs! {
    ack_before_fsync,
    replaced_then_acknowledged,
    new_file_without_its_directory,
    new_parents,
    new_directory_synced_itself,
    moved_over_two_directories,
    plain_write_then_exit,
    fsync_error_ignored,
}

/// Pattern 11.
fn ack_before_fsync() -> Pair {
    Pair {
        shows: "what is acknowledged before the fsync may be lost",
        start: |disk| {
            disk.new_file("log", OLD);
        },
        buggy: |disk| {
            disk.append("log", NEW).ack().fsync("log");
        },
        fixed: |disk| {
            disk.append("log", NEW).fsync("log").ack();
        },
        holds: |crash| !crash.acked() || crash.is("log", &[OLD, NEW].concat()),
        counts: "
            sequential              4/1      3/0   # old; acked old; old+new; acked old+new
            posix                   6/2      4/0   # and zeros in place of the new, acked and not
            posix-split-rename      6/2      4/0
            ext4                    6/2      4/0
            ext4-bob                6/2      4/0
            ext4-writeback          6/2      4/0
            ext4-data-journal       4/1      3/0
            ext4-nodelalloc         4/1      3/0
            xfs                     4/1      3/0   # the size waits: no zeros
            btrfs                   4/1      3/0
            lying-disk              6/2      6/2
        ",
    }
}

/// Pattern 3.
fn replaced_then_acknowledged() -> Pair {
    Pair {
        shows: "a rename is not durable until its directory is synced",
        start: |disk| {
            disk.new_file("name", OLD);
        },
        buggy: |disk| {
            disk.new_file("tmp", NEW).fsync("tmp").rename("tmp", "name").ack();
        },
        fixed: |disk| {
            disk.new_file("tmp", NEW).fsync("tmp").rename("tmp", "name").fsync_dir("/").ack();
        },
        holds: |crash| crash.is("name", NEW) || !crash.acked() && crash.is("name", OLD),
        counts: "
            sequential              6/1      5/0
            posix                   8/2      6/0
            posix-split-rename     10/2      7/0
            ext4                    6/1      5/0
            ext4-bob                6/1      5/0
            ext4-writeback          7/1      6/0
            ext4-data-journal       6/1      5/0
            ext4-nodelalloc         6/1      5/0
            xfs                     6/1      5/0
            btrfs                   6/1      5/0
            lying-disk             14/8     14/8
        ",
    }
}

/// Pattern 4.
fn new_file_without_its_directory() -> Pair {
    Pair {
        shows: "fsync of a new file need not make its name durable",
        start: |_| {},
        buggy: |disk| {
            disk.new_file("f", NEW).fsync("f").ack();
        },
        fixed: |disk| {
            disk.new_file("f", NEW).fsync("f").fsync_dir("/").ack();
        },
        holds: |crash| !crash.acked() || crash.is("f", NEW),
        counts: "
            sequential              4/0      4/0
            posix                   6/1      5/0   # none, empty, zeros, whole; acked: none, whole
            posix-split-rename      6/1      5/0
            ext4                    4/0      4/0   # fsync commits the journal up to the file
            ext4-bob                4/0      4/0
            ext4-writeback          5/0      5/0
            ext4-data-journal       4/0      4/0
            ext4-nodelalloc         4/0      4/0
            xfs                     4/0      4/0
            btrfs                   4/0      4/0   # the log has the names of the inode
            lying-disk              8/3      8/3
        ",
    }
}

/// Pattern 4 with directories that are new as well.
fn new_parents() -> Pair {
    Pair {
        shows: "each new directory above a file needs the fsync of its own parent",
        start: |_| {},
        buggy: |disk| {
            disk.mkdir("a").mkdir("a/b").new_file("a/b/f", NEW);
            disk.fsync("a/b/f").fsync_dir("a/b").ack();
        },
        fixed: |disk| {
            disk.mkdir("a").mkdir("a/b").new_file("a/b/f", NEW);
            disk.fsync("a/b/f").fsync_dir("a/b").fsync_dir("a").fsync_dir("/").ack();
        },
        holds: |crash| !crash.acked() || crash.is("a/b/f", NEW),
        counts: "
            sequential              6/0      6/0
            posix                   9/2      7/0
            posix-split-rename      9/2      7/0
            ext4                    6/0      6/0
            ext4-bob                6/0      6/0
            ext4-writeback          7/0      7/0
            ext4-data-journal       6/0      6/0
            ext4-nodelalloc         6/0      6/0
            xfs                     6/0      6/0
            btrfs                   6/0      6/0
            lying-disk             12/5     12/5
        ",
    }
}

/// A directory's fsync is about the names in it, not about its own.
fn new_directory_synced_itself() -> Pair {
    Pair {
        shows: "fsync of a new directory need not make its own name durable",
        start: |_| {},
        buggy: |disk| {
            disk.mkdir("a").fsync_dir("a").ack();
        },
        fixed: |disk| {
            disk.mkdir("a").fsync_dir("/").ack();
        },
        holds: |crash| !crash.acked() || crash.exists("a"),
        counts: "
            sequential              3/0      3/0
            posix                   4/1      3/0   # fsync of a directory is about the names in it
            posix-split-rename      4/1      3/0
            ext4                    3/0      3/0   # its creation changed its inode: committed
            ext4-bob                3/0      3/0
            ext4-writeback          3/0      3/0
            ext4-data-journal       3/0      3/0
            ext4-nodelalloc         3/0      3/0
            xfs                     3/0      3/0
            btrfs                   3/0      3/0
            lying-disk              4/1      4/1
        ",
    }
}

/// The two halves of a rename lie in two directories.
fn moved_over_two_directories() -> Pair {
    Pair {
        shows: "where a rename can be half done, both directories need their fsync",
        start: |disk| {
            disk.mkdir("x").mkdir("y").new_file("x/f", OLD);
        },
        buggy: |disk| {
            disk.rename("x/f", "y/f").fsync_dir("y").ack();
        },
        fixed: |disk| {
            disk.rename("x/f", "y/f").fsync_dir("y").fsync_dir("x").ack();
        },
        holds: |crash| !crash.acked() || crash.is("y/f", OLD) && !crash.exists("x/f"),
        counts: "
            sequential              3/0      3/0
            posix                   3/0      3/0
            posix-split-rename      6/1      5/0   # x; y; both; neither; acked: both, y
            ext4                    3/0      3/0
            ext4-bob                3/0      3/0
            ext4-writeback          3/0      3/0
            ext4-data-journal       3/0      3/0
            ext4-nodelalloc         3/0      3/0
            xfs                     3/0      3/0
            btrfs                   3/0      3/0
            lying-disk              4/1      4/1
        ",
    }
}

/// Pattern 12: a clean exit is no barrier.
fn plain_write_then_exit() -> Pair {
    Pair {
        shows: "a setting that is cut, written and closed may be lost long after the exit",
        start: |disk| {
            disk.new_file("conf", OLD);
        },
        buggy: |disk| {
            disk.set_len("conf", 0).write("conf", 0, NEW).ack();
        },
        fixed: |disk| {
            disk.new_file("tmp", NEW).fsync("tmp").rename("tmp", "conf").fsync_dir("/").ack();
        },
        holds: |crash| crash.is("conf", NEW) || !crash.acked() && crash.is("conf", OLD),
        counts: "
            sequential              6/3      5/0
            posix                   8/5      6/0
            posix-split-rename      8/5      7/0
            ext4                    6/3      5/0   # old, empty, new; each acked or not
            ext4-bob                6/3      5/0
            ext4-writeback          6/3      6/0
            ext4-data-journal       6/3      5/0
            ext4-nodelalloc         6/3      5/0
            xfs                     6/3      5/0
            btrfs                   6/3      5/0
            lying-disk              8/5     14/8
        ",
    }
}

/// Pattern 13, as far as it goes without what a failed fsync does to the cache: it kept no promise.
fn fsync_error_ignored() -> Pair {
    Pair {
        shows: "an fsync that failed made nothing durable, so nothing can be acknowledged",
        start: |disk| {
            disk.new_file("name", OLD);
        },
        buggy: |disk| save_while_fsync_fails(disk, |_failed| true),
        fixed: |disk| save_while_fsync_fails(disk, |failed| !failed),
        holds: |crash| crash.is("name", NEW) || !crash.acked() && crash.is("name", OLD),
        counts: "
            sequential              5/0      3/0   # the bytes go with the journal of the directory
            posix                  10/4      4/0   # 7 of replace_via_rename; acked: 3 more
            posix-split-rename     13/6      4/0
            ext4                    7/2      3/0
            ext4-bob                5/0      3/0   # waits for bytes, which may yet come
            ext4-writeback         10/4      4/0
            ext4-data-journal       5/0      3/0
            ext4-nodelalloc         5/0      3/0
            xfs                     7/2      3/0
            btrfs                   5/0      3/0
            lying-disk             14/8      4/0
        ",
    }
}

/// Saves the file by the book, on a disk where fsync fails; `goes_on` is told.
fn save_while_fsync_fails(disk: &Disk, goes_on: fn(bool) -> bool) {
    let fs = Watched::new(disk.fs().clone(), Arc::new(FsyncFails));
    let tmp = fs.create_new(Path::new("tmp"), 0o644).unwrap();
    tmp.write_all_at(NEW, 0).unwrap();
    if goes_on(tmp.sync_all().is_err()) {
        fs.rename(Path::new("tmp"), Path::new("name")).unwrap();
        fs.sync_dir(Path::new("/")).unwrap();
        disk.ack();
    } else {
        fs.unlink(Path::new("tmp")).unwrap();
    }
}

/// Lets each fsync of a file fail.
struct FsyncFails;

impl Watcher for FsyncFails {
    fn before(&self, call: &Call<'_>) -> io::Result<()> {
        match call.kind {
            CallKind::SyncAll => Err(io::ErrorKind::Other.into()),
            _ => Ok(()),
        }
    }
}
