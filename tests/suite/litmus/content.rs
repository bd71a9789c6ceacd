//! Litmus pairs about bytes that are added: sizes before data, new blocks, what is read where no data
//! arrived, and metadata that overtakes it.

use faultfs::{Fill, Model};

use super::disk::{NEW, OLD};
use super::{Count, Pair, Version, pairs};

pairs! {
    prefix_append,
    size_before_bytes,
    new_block_before_bytes,
    tail_taken_for_a_record,
    new_bytes_then_name,
    name_then_new_bytes,
    emptied_then_name,
    emptied_then_zeros,
    emptied_and_written,
}

/// 2509 bytes, then 13, then 2500, which cross the end of the page.
fn appended(parts: usize) -> Vec<u8> {
    [[1; 2509].as_slice(), &[2; 13], &[3; 2500]][..parts].concat()
}

/// Pattern 6. The golden counts of Ferrite: 3 in order, 7 on ext4, 4 without delayed allocation.
fn prefix_append() -> Pair {
    Pair {
        shows: "a size inside an allocated block may persist before the bytes below it",
        start: |disk| {
            disk.new_file("log", &appended(1));
        },
        buggy: |disk| {
            disk.append("log", &[2; 13]).append("log", &[3; 2500]);
        },
        fixed: |disk| {
            disk.new_file("tmp", &appended(3)).fsync("tmp").rename("tmp", "log");
        },
        holds: |crash| {
            let found = crash.read("log").unwrap_or_default();
            found.len() >= 2509 && appended(3).starts_with(&found)
        },
        counts: "
            sequential              3/0      4/0   # golden
            posix               123/119   1283/0   # 1 + 2 + 3*2^3 + 3*2^3*2^2
            posix-split-rename  123/119   1284/0
            ext4                    7/3      5/0   # golden: 1 + 2 + 3 + 1
            ext4-bob              28/24      5/0   # 1 + 2 + 3*2^3 + 1
            ext4-writeback         12/8      9/0   # 1 + 2 + 3 + 3*2
            ext4-data-journal       4/0      5/0   # in order, page by page
            ext4-nodelalloc         4/0      5/0   # golden
            xfs                     4/0      5/0
            btrfs                   4/0      5/0
            lying-disk          123/119 2563/1279   # fixed: 1 + 2*(1 + 2^8 + 2^10)
        ",
    }
}

/// Pattern 6, within one block.
fn size_before_bytes() -> Pair {
    Pair {
        shows: "an appended sector may be there as zeros",
        start: |disk| {
            disk.new_file("log", OLD);
        },
        buggy: |disk| {
            disk.append("log", NEW);
        },
        fixed: |disk| {
            disk.new_file("tmp", &[OLD, NEW].concat()).fsync("tmp").rename("tmp", "log");
        },
        holds: |crash| crash.is("log", OLD) || crash.is("log", &[OLD, NEW].concat()),
        counts: "
            sequential              2/0      4/0
            posix                   3/1      7/0
            posix-split-rename      3/1      8/0
            ext4                    3/1      4/0   # inside a block that is there: zeros
            ext4-bob                3/1      4/0
            ext4-writeback          3/1      5/0
            ext4-data-journal       2/0      4/0
            ext4-nodelalloc         2/0      4/0
            xfs                     2/0      4/0   # the size waits
            btrfs                   2/0      4/0
            lying-disk              3/1     11/4
        ",
    }
}

/// The first block of a file: only where sizes never wait can it be there without its bytes.
fn new_block_before_bytes() -> Pair {
    Pair {
        shows: "a new file may have its size and no bytes",
        start: |_| {},
        buggy: |disk| {
            disk.new_file("f", NEW);
        },
        fixed: |disk| {
            disk.new_file("tmp", NEW).fsync("tmp").rename("tmp", "f");
        },
        holds: |crash| crash.read("f").is_none_or(|found| found.is_empty() || found == NEW),
        counts: "
            sequential              3/0      4/0
            posix                   4/1      5/0   # nothing; empty; zeros; new
            posix-split-rename      4/1      6/0
            ext4                    3/0      4/0   # a new block waits
            ext4-bob                3/0      4/0
            ext4-writeback          4/1      5/0
            ext4-data-journal       3/0      4/0
            ext4-nodelalloc         3/0      4/0
            xfs                     3/0      4/0
            btrfs                   3/0      4/0
            lying-disk              4/1      7/1
        ",
    }
}

/// Pattern 6 with a reader that takes zeros for the end of the log, which is not enough where old
/// bytes of the disk show through. The remedy writes into a log that was filled with zeros before.
fn tail_taken_for_a_record() -> Pair {
    Pair {
        shows: "an appended range may read as what the disk held there before",
        start: |disk| {
            disk.new_file("secret", &[b's'; 4096]).new_file("log", &[b'o'; 4096]);
            disk.new_file("filled", &[[b'o'; 4096], [0; 4096]].concat());
        },
        buggy: |disk| {
            disk.unlink("secret").append("log", NEW);
        },
        fixed: |disk| {
            disk.unlink("secret").write("filled", 4096, NEW);
        },
        holds: |crash| {
            let tails = ["log", "filled"].map(|name| crash.read(name).unwrap().split_off(4096));
            let is_record = |tail: &Vec<u8>| tail.starts_with(NEW) || tail.iter().all(|b| *b == 0);
            tails.iter().all(is_record)
        },
        counts: "
            sequential              3/0      3/0
            posix                   6/0      4/0   # zeros are the end of the log
            posix-split-rename      6/0      4/0
            ext4                    3/0      4/0   # the size comes behind the removal
            ext4-bob                3/0      4/0
            ext4-writeback          4/1      4/0   # none; secret gone and none, its bytes, new
            ext4-data-journal       3/0      3/0
            ext4-nodelalloc         3/0      4/0
            xfs                     3/0      4/0
            btrfs                   4/0      4/0
            lying-disk              6/0      4/0
        ",
    }
}

/// Delayed allocation lets later metadata overtake a size.
fn new_bytes_then_name() -> Pair {
    Pair {
        shows: "a later name may persist before the bytes of an earlier file",
        start: |_| {},
        buggy: |disk| {
            disk.new_file("data", NEW).create("done");
        },
        fixed: |disk| {
            disk.new_file("data", NEW).fsync("data").fsync_dir("/").create("done");
        },
        holds: |crash| !crash.exists("done") || crash.is("data", NEW),
        counts: "
            sequential              4/0      4/0
            posix                   8/3      5/0   # none, empty, zeros, new; each +- done
            posix-split-rename      8/3      5/0
            ext4                    5/1      4/0   # done and an empty file: the size is late
            ext4-bob                5/1      4/0
            ext4-writeback          7/2      5/0
            ext4-data-journal       4/0      4/0
            ext4-nodelalloc         4/0      4/0
            xfs                     5/1      4/0
            btrfs                   6/2      4/0   # done and no file; done and an empty one
            lying-disk              8/3      8/3
        ",
    }
}

/// The other way round a size overtakes nothing: written back late, it is in the journal behind all
/// metadata from before the write.
fn name_then_new_bytes() -> Pair {
    Pair {
        shows: "a rename may be lost while bytes survive that another file got after it",
        start: |disk| {
            disk.new_file("conf", OLD).new_file("tmp", NEW).new_file("log", &[b'o'; 4096]);
        },
        buggy: |disk| {
            disk.rename("tmp", "conf").append("log", NEW);
        },
        fixed: |disk| {
            disk.rename("tmp", "conf").fsync_dir("/").append("log", NEW);
        },
        holds: |crash| crash.is("conf", NEW) || crash.is("log", &[b'o'; 4096]),
        counts: "
            sequential              3/0      3/0   # none, the rename, both
            posix                   6/2      4/0   # old, zeros, new; each +- the rename
            posix-split-rename     12/4      6/0
            ext4                    3/0      3/0   # the size is late, and never before the rename
            ext4-bob                3/0      3/0
            ext4-writeback          4/0      4/0
            ext4-data-journal       3/0      3/0
            ext4-nodelalloc         3/0      3/0
            xfs                     3/0      3/0
            btrfs                   4/1      3/0   # the bytes and the old name
            lying-disk              6/2      6/2
        ",
    }
}

/// What replace_by_truncate is about; that the file is empty in between is not held against it.
fn emptied_then_name() -> Pair {
    Pair {
        shows: "a later name may persist before the bytes of a file that was cut and written again",
        start: |disk| {
            disk.new_file("data", OLD);
        },
        buggy: |disk| {
            disk.set_len("data", 0).write("data", 0, NEW).create("done");
        },
        fixed: |disk| {
            disk.set_len("data", 0).write("data", 0, NEW).fsync("data").create("done");
        },
        holds: |crash| !crash.exists("done") || crash.is("data", NEW),
        counts: "
            sequential              4/0      4/0
            posix                   8/3      5/0
            posix-split-rename      8/3      5/0
            ext4                    5/1      4/0   # old; empty; new; done and empty; done and new
            ext4-bob                5/1      4/0
            ext4-writeback          6/2      4/0   # its block still has the old bytes
            ext4-data-journal       4/0      4/0
            ext4-nodelalloc         4/0      4/0
            xfs                     5/1      4/0
            btrfs                   6/2      4/0   # old, empty, new; each +- done
            lying-disk              8/3      8/3
        ",
    }
}

/// The other half of replace_by_truncate: the new size waits for its bytes.
fn emptied_then_zeros() -> Pair {
    Pair {
        shows: "a file that was cut and written again may have its size and no bytes",
        start: |disk| {
            disk.new_file("data", OLD);
        },
        buggy: |disk| {
            disk.set_len("data", 0).write("data", 0, NEW);
        },
        fixed: |disk| {
            disk.new_file("tmp", NEW).fsync("tmp").rename("tmp", "data");
        },
        holds: |crash| ["".as_bytes(), OLD, NEW].iter().any(|bytes| crash.is("data", bytes)),
        counts: "
            sequential              3/0      4/0
            posix                   4/1      5/0
            posix-split-rename      4/1      6/0
            ext4                    3/0      4/0
            ext4-bob                3/0      4/0
            ext4-writeback          3/0      5/0   # the block still has the old bytes
            ext4-data-journal       3/0      4/0
            ext4-nodelalloc         3/0      4/0
            xfs                     3/0      4/0
            btrfs                   3/0      4/0
            lying-disk              4/1      7/1
        ",
    }
}

/// Pattern 12 with an fsync, which does not help: the old bytes go first.
fn emptied_and_written() -> Pair {
    Pair {
        shows: "who cuts a file before he writes it has neither old nor new bytes in between",
        start: |disk| {
            disk.new_file("conf", OLD);
        },
        buggy: |disk| {
            disk.set_len("conf", 0).write("conf", 0, NEW).fsync("conf");
        },
        fixed: |disk| {
            disk.new_file("tmp", NEW).fsync("tmp").rename("tmp", "conf");
        },
        holds: |crash| crash.is("conf", OLD) || crash.is("conf", NEW),
        counts: "
            sequential              3/1      4/0
            posix                   4/2      5/0
            posix-split-rename      4/2      6/0
            ext4                    3/1      4/0
            ext4-bob                3/1      4/0
            ext4-writeback          3/1      5/0
            ext4-data-journal       3/1      4/0
            ext4-nodelalloc         3/1      4/0
            xfs                     3/1      4/0
            btrfs                   3/1      4/0
            lying-disk              4/2      7/2
        ",
    }
}

/// What the disk held in a block shows behind a cut that survived, and never before it.
#[test]
fn the_fill_of_a_block_shows_only_once_the_cut_is_on_disk() {
    let writeback = Model::preset("ext4-writeback").unwrap();
    let garbage = writeback.with(|rules| rules.fill = Fill::Garbage);
    // The old bytes, nothing, garbage, the new bytes.
    let found = emptied_then_zeros().count(Version::Buggy, &garbage);
    assert_eq!(found, Count { outcomes: 4, violations: 1 });
}
