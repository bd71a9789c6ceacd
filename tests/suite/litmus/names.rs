//! Litmus pairs about names: renames, links, removals, and the order between them.

use super::disk::{NEW, OLD};
use super::{Pair, pairs};

pairs! {
    create_via_rename,
    replace_via_rename,
    exchange_with_unsynced_content,
    rename_half_done,
    link_then_unlink,
    unlink_then_rename,
    symlink_switch,
    old_version_removed,
    published_directory,
    order_in_one_directory,
    order_over_two_directories,
}

/// Pattern 2. The golden counts of Ferrite: 4 in order; 5 on ext4, one of them bad; 4 with the fsync.
fn create_via_rename() -> Pair {
    Pair {
        shows: "a file that gets its name by a rename may have the name without the bytes",
        start: |_| {},
        buggy: |disk| {
            disk.new_file("tmp", NEW).rename("tmp", "name");
        },
        fixed: |disk| {
            disk.new_file("tmp", NEW).fsync("tmp").rename("tmp", "name");
        },
        holds: |crash| !crash.exists("name") || crash.is("name", NEW),
        counts: "
            sequential              4/0      4/0   # nothing; tmp empty; tmp; name
            posix                   7/2      5/0   # also tmp and name with zeros
            posix-split-rename     10/4      6/0   # also both names: empty, zeros, whole
            ext4                    5/1      4/0   # golden; also name empty: the size is late
            ext4-bob                5/1      4/0
            ext4-writeback          7/2      5/0   # as posix: the size waits for nothing
            ext4-data-journal       4/0      4/0
            ext4-nodelalloc         4/0      4/0   # the size has its place before the rename
            xfs                     5/1      4/0
            btrfs                   5/1      4/0   # over nothing: nothing is flushed
            lying-disk              7/2      7/2   # the fsync kept nothing
        ",
    }
}

/// Pattern 2, over an old file: what replace_by_rename is about.
fn replace_via_rename() -> Pair {
    Pair {
        shows: "a file that replaces another by a rename may be there without its bytes",
        start: |disk| {
            disk.new_file("name", OLD);
        },
        buggy: |disk| {
            disk.new_file("tmp", NEW).rename("tmp", "name");
        },
        fixed: |disk| {
            disk.new_file("tmp", NEW).fsync("tmp").rename("tmp", "name");
        },
        holds: |crash| crash.is("name", OLD) || crash.is("name", NEW),
        counts: "
            sequential              4/0      4/0
            posix                   7/2      5/0
            posix-split-rename     10/4      6/0
            ext4                    5/1      4/0   # as to a new name: a flush that is started
            ext4-bob                4/0      4/0   # the rename waits
            ext4-writeback          7/2      5/0
            ext4-data-journal       4/0      4/0
            ext4-nodelalloc         4/0      4/0
            xfs                     5/1      4/0   # no rescue at all
            btrfs                   4/0      4/0   # the rename waits
            lying-disk              7/2      7/2
        ",
    }
}

/// No kernel comes to the rescue of an exchange, as it does for a rename.
fn exchange_with_unsynced_content() -> Pair {
    Pair {
        shows: "an exchange is no rename: nothing is flushed for it",
        start: |disk| {
            disk.new_file("current", OLD);
        },
        buggy: |disk| {
            disk.new_file("next", NEW).exchange("next", "current");
        },
        fixed: |disk| {
            disk.new_file("next", NEW).fsync("next").exchange("next", "current");
        },
        holds: |crash| crash.is("current", OLD) || crash.is("current", NEW),
        counts: "
            sequential              4/0      4/0
            posix                   7/2      5/0
            posix-split-rename     14/6      8/0
            ext4                    5/1      4/0
            ext4-bob                5/1      4/0
            ext4-writeback          7/2      5/0
            ext4-data-journal       4/0      4/0
            ext4-nodelalloc         4/0      4/0
            xfs                     5/1      4/0
            btrfs                   5/1      4/0
            lying-disk              7/2      7/2
        ",
    }
}

/// A rename that is not atomic can lose both names.
fn rename_half_done() -> Pair {
    Pair {
        shows: "where a rename can be half done, the file may have no name at all",
        start: |disk| {
            disk.new_file("a", OLD);
        },
        buggy: |disk| {
            disk.rename("a", "b");
        },
        fixed: |disk| {
            disk.link("a", "b").fsync_dir("/").unlink("a");
        },
        holds: |crash| crash.is("a", OLD) || crash.is("b", OLD),
        counts: "
            sequential              2/0      3/0
            posix                   2/0      3/0
            posix-split-rename      4/1      3/0   # a; b; both; neither
            ext4                    2/0      3/0
            ext4-bob                2/0      3/0
            ext4-writeback          2/0      3/0
            ext4-data-journal       2/0      3/0
            ext4-nodelalloc         2/0      3/0
            xfs                     2/0      3/0
            btrfs                   2/0      3/0
            lying-disk              2/0      4/1   # a link and an unlink, unordered: neither
        ",
    }
}

/// Two changes of names are two, where the order of names is not kept.
fn link_then_unlink() -> Pair {
    Pair {
        shows: "a link and the removal of the old name may persist the other way round",
        start: |disk| {
            disk.new_file("a", OLD);
        },
        buggy: |disk| {
            disk.link("a", "b").unlink("a");
        },
        fixed: |disk| {
            disk.rename("a", "b");
        },
        holds: |crash| crash.is("a", OLD) || crash.is("b", OLD),
        counts: "
            sequential              3/0      2/0
            posix                   4/1      2/0   # a; a and b; b; neither
            posix-split-rename      4/1      4/1   # here the rename is no remedy
            ext4                    3/0      2/0   # neither would not be a prefix
            ext4-bob                3/0      2/0
            ext4-writeback          3/0      2/0
            ext4-data-journal       3/0      2/0
            ext4-nodelalloc         3/0      2/0
            xfs                     3/0      2/0
            btrfs                   4/1      2/0
            lying-disk              4/1      2/0
        ",
    }
}

/// Pattern 5, as `HSQLDB` had it.
fn unlink_then_rename() -> Pair {
    Pair {
        shows: "who removes the old file before the new one has its name has none in between",
        start: |disk| {
            disk.new_file("conf", OLD);
        },
        buggy: |disk| {
            disk.new_file("tmp", NEW).fsync("tmp").unlink("conf").rename("tmp", "conf");
        },
        fixed: |disk| {
            disk.new_file("tmp", NEW).fsync("tmp").rename("tmp", "conf");
        },
        holds: |crash| crash.is("conf", OLD) || crash.is("conf", NEW),
        counts: "
            sequential              5/1      4/0   # gone between two calls, in any order
            posix                   7/2      5/0
            posix-split-rename      8/2      6/0
            ext4                    5/1      4/0
            ext4-bob                5/1      4/0
            ext4-writeback          6/1      5/0
            ext4-data-journal       5/1      4/0
            ext4-nodelalloc         5/1      4/0
            xfs                     5/1      4/0
            btrfs                   5/1      4/0
            lying-disk             11/6      7/2
        ",
    }
}

/// The same with a symbolic link; its target is in its inode, so it is never without one.
fn symlink_switch() -> Pair {
    Pair {
        shows: "a symbolic link is switched by a rename, not by removing it first",
        start: |disk| {
            disk.mkdir("v1").mkdir("v2").symlink("v1", "current");
        },
        buggy: |disk| {
            disk.unlink("current").symlink("v2", "current");
        },
        fixed: |disk| {
            disk.symlink("v2", "next").rename("next", "current");
        },
        holds: |crash| crash.link_target("current").is_some_and(|to| to == "v1" || to == "v2"),
        counts: "
            sequential              3/1      3/0
            posix                   3/1      3/0
            posix-split-rename      3/1      4/0
            ext4                    3/1      3/0
            ext4-bob                3/1      3/0
            ext4-writeback          3/1      3/0
            ext4-data-journal       3/1      3/0
            ext4-nodelalloc         3/1      3/0
            xfs                     3/1      3/0
            btrfs                   3/1      3/0
            lying-disk              3/1      3/0
        ",
    }
}

/// Pattern 5, as LevelDB's CURRENT had it.
fn old_version_removed() -> Pair {
    Pair {
        shows: "the old version goes only when the name that led to it is durably another",
        start: |disk| {
            disk.new_file("1", OLD).new_file("current", b"1");
        },
        buggy: |disk| {
            disk.new_file("2", NEW).fsync("2").new_file("tmp", b"2").fsync("tmp").fsync_dir("/");
            disk.rename("tmp", "current").unlink("1");
        },
        fixed: |disk| {
            disk.new_file("2", NEW).fsync("2").new_file("tmp", b"2").fsync("tmp").fsync_dir("/");
            disk.rename("tmp", "current").fsync_dir("/").unlink("1");
        },
        holds: |crash| {
            crash.is("current", b"1") && crash.is("1", OLD)
                || crash.is("current", b"2") && crash.is("2", NEW)
        },
        counts: "
            sequential              7/0      7/0
            posix                  13/1     12/0
            posix-split-rename     16/2     13/0
            ext4                    7/0      7/0   # the journal keeps their order
            ext4-bob                7/0      7/0
            ext4-writeback          9/0      9/0
            ext4-data-journal       7/0      7/0
            ext4-nodelalloc         7/0      7/0
            xfs                     7/0      7/0
            btrfs                   8/1      7/0   # the removal overtakes the rename
            lying-disk            56/38    56/38
        ",
    }
}

/// A directory that is made ready under another name.
fn published_directory() -> Pair {
    Pair {
        shows: "a directory that gets its name when it is ready may have the name before its entries",
        start: |_| {},
        buggy: |disk| {
            disk.mkdir("new").new_file("new/f", NEW).fsync("new/f").rename("new", "live");
        },
        fixed: |disk| {
            disk.mkdir("new").new_file("new/f", NEW).fsync("new/f").fsync_dir("new");
            disk.rename("new", "live");
        },
        holds: |crash| !crash.exists("live") || crash.is("live/f", NEW),
        counts: "
            sequential              5/0      5/0
            posix                   7/1      6/0
            posix-split-rename      7/1      6/0
            ext4                    5/0      5/0
            ext4-bob                5/0      5/0
            ext4-writeback          6/0      6/0
            ext4-data-journal       5/0      5/0
            ext4-nodelalloc         5/0      5/0
            xfs                     5/0      5/0
            btrfs                   5/0      5/0   # fsync logs the name and new parents
            lying-disk              9/3      9/3
        ",
    }
}

/// The order of names within one directory.
fn order_in_one_directory() -> Pair {
    Pair {
        shows: "two names in one directory may persist the other way round",
        start: |_| {},
        buggy: |disk| {
            disk.create("a").create("b");
        },
        fixed: |disk| {
            disk.create("a").fsync_dir("/").create("b");
        },
        holds: |crash| !crash.exists("b") || crash.exists("a"),
        counts: "
            sequential              3/0      3/0
            posix                   4/1      3/0
            posix-split-rename      4/1      3/0
            ext4                    3/0      3/0
            ext4-bob                3/0      3/0
            ext4-writeback          3/0      3/0
            ext4-data-journal       3/0      3/0
            ext4-nodelalloc         3/0      3/0
            xfs                     3/0      3/0
            btrfs                   4/1      3/0
            lying-disk              4/1      4/1
        ",
    }
}

/// The order of names over two directories.
fn order_over_two_directories() -> Pair {
    Pair {
        shows: "two names in two directories may persist the other way round",
        start: |disk| {
            disk.mkdir("x").mkdir("y");
        },
        buggy: |disk| {
            disk.create("x/a").create("y/b");
        },
        fixed: |disk| {
            disk.create("x/a").fsync_dir("x").create("y/b");
        },
        holds: |crash| !crash.exists("y/b") || crash.exists("x/a"),
        counts: "
            sequential              3/0      3/0
            posix                   4/1      3/0
            posix-split-rename      4/1      3/0
            ext4                    3/0      3/0
            ext4-bob                3/0      3/0
            ext4-writeback          3/0      3/0
            ext4-data-journal       3/0      3/0
            ext4-nodelalloc         3/0      3/0
            xfs                     3/0      3/0
            btrfs                   4/1      3/0
            lying-disk              4/1      4/1
        ",
    }
}
