//! Litmus pairs about commits: journals, logs and manifests, where one file speaks of another.

use super::disk::{Crash, NEW, OLD};
use super::{Pair, pairs};

pairs! {
    log_switch,
    commit_by_unlink,
    journal_removed_early,
    name_in_a_manifest,
    recovery_interrupted,
}

/// Pattern 7, as LevelDB had it.
fn log_switch() -> Pair {
    Pair {
        shows: "a synced record in a new log does not bring an unsynced one of the old log along",
        start: |disk| {
            disk.create("log1");
        },
        buggy: |disk| {
            disk.append("log1", OLD);
            disk.new_file("log2", NEW).fsync("log2").fsync_dir("/").ack();
        },
        fixed: |disk| {
            disk.append("log1", OLD).fsync("log1");
            disk.new_file("log2", NEW).fsync("log2").fsync_dir("/").ack();
        },
        holds: |crash| !crash.acked() || crash.is("log1", OLD) && crash.is("log2", NEW),
        counts: "
            sequential              5/0      5/0
            posix                  15/2      7/0   # 3 of log1, 4 of log2; acked: 3 of log1
            posix-split-rename     15/2      7/0
            ext4                    8/1      5/0   # 2 of log1, 3 of log2; acked: 2
            ext4-bob                8/1      5/0
            ext4-writeback         15/2      7/0
            ext4-data-journal       5/0      5/0
            ext4-nodelalloc         5/0      5/0   # the size of log1 is journaled before log2
            xfs                     8/1      5/0
            btrfs                   8/1      5/0
            lying-disk            24/11    24/11
        ",
    }
}

/// What recovery makes of a database with an undo journal: a whole journal is played back.
fn rolled_back(crash: &Crash) -> Vec<u8> {
    let journal = crash.read("journal").filter(|bytes| bytes == OLD);
    journal.or(crash.read("db")).unwrap_or_default()
}

/// Pattern 9, as `SQLite` has it without its directory's fsync.
fn commit_by_unlink() -> Pair {
    Pair {
        shows: "a commit that is the removal of the journal needs the fsync of the directory",
        start: |disk| {
            disk.new_file("db", OLD);
        },
        buggy: |disk| {
            disk.new_file("journal", OLD).fsync("journal").fsync_dir("/");
            disk.write("db", 0, NEW).fsync("db").unlink("journal").ack();
        },
        fixed: |disk| {
            disk.new_file("journal", OLD).fsync("journal").fsync_dir("/");
            disk.write("db", 0, NEW).fsync("db").unlink("journal").fsync_dir("/").ack();
        },
        holds: |crash| {
            let found = rolled_back(crash);
            found == NEW || !crash.acked() && found == OLD
        },
        counts: "
            sequential              7/1      6/0   # one for each call; acked: the last two
            posix                   8/1      7/0
            posix-split-rename      8/1      7/0
            ext4                    7/1      6/0
            ext4-bob                7/1      6/0
            ext4-writeback          8/1      7/0
            ext4-data-journal       7/1      6/0
            ext4-nodelalloc         7/1      6/0
            xfs                     7/1      6/0
            btrfs                   7/1      6/0
            lying-disk             16/5     16/5
        ",
    }
}

/// Pattern 14: the journal holds what was acknowledged, until the database does.
fn journal_removed_early() -> Pair {
    Pair {
        shows: "a journal goes only when what it holds is durable elsewhere",
        start: |disk| {
            disk.new_file("db", OLD);
        },
        buggy: |disk| {
            disk.new_file("redo", NEW).fsync("redo").fsync_dir("/").ack();
            disk.write("db", 0, NEW).unlink("redo").fsync_dir("/");
        },
        fixed: |disk| {
            disk.new_file("redo", NEW).fsync("redo").fsync_dir("/").ack();
            disk.write("db", 0, NEW).fsync("db").unlink("redo").fsync_dir("/");
        },
        holds: |crash| !crash.acked() || crash.is("redo", NEW) || crash.is("db", NEW),
        counts: "
            sequential              6/0      6/0
            posix                   8/1      7/0
            posix-split-rename      8/1      7/0
            ext4                    7/1      6/0   # an overwrite is not ordered before the removal
            ext4-bob                7/1      6/0
            ext4-writeback          8/1      7/0
            ext4-data-journal       6/0      6/0   # here it is
            ext4-nodelalloc         7/1      6/0
            xfs                     7/1      6/0
            btrfs                   7/1      6/0
            lying-disk             12/3     12/3
        ",
    }
}

/// Pattern 10, as `RocksDB` had it.
fn name_in_a_manifest() -> Pair {
    Pair {
        shows: "a manifest may name a file whose own name is not durable",
        start: |disk| {
            disk.create("manifest");
        },
        buggy: |disk| {
            disk.new_file("data", OLD).fsync("data");
            disk.append("manifest", NEW).fsync("manifest");
        },
        fixed: |disk| {
            disk.new_file("data", OLD).fsync("data").fsync_dir("/");
            disk.append("manifest", NEW).fsync("manifest");
        },
        holds: |crash| !crash.is("manifest", NEW) || crash.is("data", OLD),
        counts: "
            sequential              4/0      4/0
            posix                   8/1      6/0
            posix-split-rename      8/1      6/0
            ext4                    4/0      4/0
            ext4-bob                4/0      4/0
            ext4-writeback          6/0      6/0
            ext4-data-journal       4/0      4/0
            ext4-nodelalloc         4/0      4/0
            xfs                     4/0      4/0
            btrfs                   4/0      4/0
            lying-disk             12/3     12/3
        ",
    }
}

/// Pattern 15: the program is the recovery from a crash, and it crashes too. As long as the journal
/// is there the next recovery starts again.
fn recovery_interrupted() -> Pair {
    Pair {
        shows: "a recovery that removes the journal before its own writes are durable cannot start again",
        start: |disk| {
            disk.new_file("db", &[b't'; 512]).new_file("journal", OLD);
        },
        buggy: |disk| {
            disk.write("db", 0, OLD).unlink("journal").fsync("db").fsync_dir("/");
        },
        fixed: |disk| {
            disk.write("db", 0, OLD).fsync("db").unlink("journal").fsync_dir("/");
        },
        holds: |crash| rolled_back(crash) == OLD,
        counts: "
            sequential              3/0      3/0
            posix                   4/1      3/0
            posix-split-rename      4/1      3/0
            ext4                    4/1      3/0
            ext4-bob                4/1      3/0
            ext4-writeback          4/1      3/0
            ext4-data-journal       3/0      3/0
            ext4-nodelalloc         4/1      3/0
            xfs                     4/1      3/0
            btrfs                   4/1      3/0
            lying-disk              4/1      4/1
        ",
    }
}
