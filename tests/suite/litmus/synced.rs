//! Litmus pairs about barriers: what exactly an fsync or fdatasync takes along.

use super::disk::{NEW, OLD};
use super::{Pair, pairs};

pairs! {
    new_file_with_fdatasync,
    linked_name,
    name_of_another_file,
    name_before_an_overwrite,
    earlier_in_another_directory,
    later_in_another_directory,
    chmod_after_fsync,
    chmod_with_fdatasync,
}

/// fdatasync takes a new file's name along only where it commits the journal.
fn new_file_with_fdatasync() -> Pair {
    Pair {
        shows: "fdatasync of a new file need not make its name durable",
        start: |_| {},
        buggy: |disk| {
            disk.new_file("f", NEW).fdatasync("f").ack();
        },
        fixed: |disk| {
            disk.new_file("f", NEW).fdatasync("f").fsync_dir("/").ack();
        },
        holds: |crash| !crash.acked() || crash.is("f", NEW),
        counts: "
            sequential              4/0      4/0
            posix                   6/1      5/0
            posix-split-rename      6/1      5/0
            ext4                    4/0      4/0
            ext4-bob                4/0      4/0
            ext4-writeback          5/0      5/0
            ext4-data-journal       4/0      4/0
            ext4-nodelalloc         4/0      4/0
            xfs                     4/0      4/0
            btrfs                   4/0      4/0
            lying-disk              8/3      8/3
        ",
    }
}

/// A further name of a file that was there before: not the one it was created with.
fn linked_name() -> Pair {
    Pair {
        shows: "fsync of a file need not make a further name of it durable",
        start: |disk| {
            disk.new_file("a", OLD);
        },
        buggy: |disk| {
            disk.link("a", "b").fsync("b").ack();
        },
        fixed: |disk| {
            disk.link("a", "b").fsync_dir("/").ack();
        },
        holds: |crash| !crash.acked() || crash.is("b", OLD),
        counts: "
            sequential              3/0      3/0
            posix                   4/1      3/0
            posix-split-rename      4/1      3/0
            ext4                    3/0      3/0   # the link changed the inode: committed
            ext4-bob                3/0      3/0
            ext4-writeback          3/0      3/0
            ext4-data-journal       3/0      3/0
            ext4-nodelalloc         3/0      3/0
            xfs                     3/0      3/0
            btrfs                   3/0      3/0   # all names of the inode are logged
            lying-disk              4/1      4/1
        ",
    }
}

/// Only a journal takes along what happened before to others.
fn name_of_another_file() -> Pair {
    Pair {
        shows: "fsync of one file need not make an earlier name of another one durable",
        start: |_| {},
        buggy: |disk| {
            disk.create("a").new_file("b", NEW).fsync("b").ack();
        },
        fixed: |disk| {
            disk.create("a").new_file("b", NEW).fsync("b").fsync_dir("/").ack();
        },
        holds: |crash| !crash.acked() || crash.exists("a") && crash.is("b", NEW),
        counts: "
            sequential              5/0      5/0
            posix                  12/3      9/0
            posix-split-rename     12/3      9/0
            ext4                    5/0      5/0
            ext4-bob                5/0      5/0
            ext4-writeback          6/0      6/0
            ext4-data-journal       5/0      5/0
            ext4-nodelalloc         5/0      5/0
            xfs                     5/0      5/0
            btrfs                   8/1      7/0
            lying-disk             16/7     16/7
        ",
    }
}

/// fsync of an overwrite commits nothing, as the inode is in no transaction of the journal.
fn name_before_an_overwrite() -> Pair {
    Pair {
        shows: "fsync of overwritten bytes commits no journal, so an earlier rename may be lost",
        start: |disk| {
            disk.new_file("a", OLD).new_file("data", OLD);
        },
        buggy: |disk| {
            disk.rename("a", "b").write("data", 0, NEW).fsync("data").ack();
        },
        fixed: |disk| {
            disk.rename("a", "b").write("data", 0, NEW).fsync("data").fsync_dir("/").ack();
        },
        holds: |crash| !crash.acked() || crash.exists("b") && crash.is("data", NEW),
        counts: "
            sequential              4/0      4/0
            posix                   6/1      5/0
            posix-split-rename     12/2      9/0
            ext4                    6/1      5/0   # 2 names, 2 contents; acked: 2 names
            ext4-bob                6/1      5/0
            ext4-writeback          6/1      5/0
            ext4-data-journal       4/0      4/0   # overwritten bytes are in the journal
            ext4-nodelalloc         6/1      5/0
            xfs                     6/1      5/0
            btrfs                   6/1      5/0
            lying-disk              8/3      8/3
        ",
    }
}

/// fsync of a directory as a commit of all that came before.
fn earlier_in_another_directory() -> Pair {
    Pair {
        shows: "fsync of one directory need not make an earlier name in another one durable",
        start: |disk| {
            disk.mkdir("x").mkdir("y");
        },
        buggy: |disk| {
            disk.create("x/a").create("y/b").fsync_dir("y").ack();
        },
        fixed: |disk| {
            disk.create("x/a").create("y/b").fsync_dir("y").fsync_dir("x").ack();
        },
        holds: |crash| !crash.acked() || crash.exists("x/a") && crash.exists("y/b"),
        counts: "
            sequential              4/0      4/0
            posix                   6/1      5/0
            posix-split-rename      6/1      5/0
            ext4                    4/0      4/0
            ext4-bob                4/0      4/0
            ext4-writeback          4/0      4/0
            ext4-data-journal       4/0      4/0
            ext4-nodelalloc         4/0      4/0
            xfs                     4/0      4/0
            btrfs                   6/1      5/0
            lying-disk              8/3      8/3
        ",
    }
}

/// fsync of a directory as a checkpoint of everything.
fn later_in_another_directory() -> Pair {
    Pair {
        shows: "fsync of one directory need not make a later name in another one durable",
        start: |disk| {
            disk.mkdir("x").mkdir("y");
        },
        buggy: |disk| {
            disk.create("y/b").create("x/a").fsync_dir("y").ack();
        },
        fixed: |disk| {
            disk.create("y/b").create("x/a").fsync_dir("y").fsync_dir("x").ack();
        },
        holds: |crash| !crash.acked() || crash.exists("x/a") && crash.exists("y/b"),
        counts: "
            sequential              5/1      4/0
            posix                   6/1      5/0
            posix-split-rename      6/1      5/0
            ext4                    5/1      4/0   # the commit ends with y/b
            ext4-bob                5/1      4/0
            ext4-writeback          5/1      4/0
            ext4-data-journal       5/1      4/0
            ext4-nodelalloc         5/1      4/0
            xfs                     5/1      4/0
            btrfs                   6/1      5/0
            lying-disk              8/3      8/3
        ",
    }
}

/// Attributes are content of their inode: the directory's fsync is not about them.
fn chmod_after_fsync() -> Pair {
    Pair {
        shows: "a mode that is set after the file's fsync may be lost",
        start: |_| {},
        buggy: |disk| {
            disk.new_file("f", NEW).fsync("f").chmod("f", 0o444).fsync_dir("/").ack();
        },
        fixed: |disk| {
            disk.new_file("f", NEW).chmod("f", 0o444).fsync("f").fsync_dir("/").ack();
        },
        holds: |crash| !crash.acked() || crash.is("f", NEW) && crash.mode("f") == Some(0o444),
        counts: "
            sequential              6/1      5/0
            posix                   7/1      8/0
            posix-split-rename      7/1      8/0
            ext4                    6/1      6/0   # a commit up to the last name ends before
            ext4-bob                6/1      6/0
            ext4-writeback          7/1      8/0
            ext4-data-journal       6/1      5/0
            ext4-nodelalloc         6/1      5/0
            xfs                     6/1      6/0
            btrfs                   6/1      6/0
            lying-disk             14/6     14/6
        ",
    }
}

/// fdatasync is about what reading the bytes needs.
fn chmod_with_fdatasync() -> Pair {
    Pair {
        shows: "fdatasync does not make a mode durable",
        start: |disk| {
            disk.new_file("f", OLD);
        },
        buggy: |disk| {
            disk.chmod("f", 0o444).fdatasync("f").ack();
        },
        fixed: |disk| {
            disk.chmod("f", 0o444).fsync("f").ack();
        },
        holds: |crash| !crash.acked() || crash.mode("f") == Some(0o444),
        counts: "
            sequential              4/1      3/0
            posix                   4/1      3/0
            posix-split-rename      4/1      3/0
            ext4                    4/1      3/0
            ext4-bob                4/1      3/0
            ext4-writeback          4/1      3/0
            ext4-data-journal       4/1      3/0
            ext4-nodelalloc         4/1      3/0
            xfs                     4/1      3/0
            btrfs                   4/1      3/0
            lying-disk              4/1      4/1
        ",
    }
}
