//! Litmus pairs about bytes that are written over others: what is torn, and what overtakes what.

use super::disk::{Crash, NEW, OLD};
use super::{Pair, pairs};

pairs! {
    record_over_two_sectors,
    record_over_two_pages,
    page_overwritten,
    count_before_its_record,
    overwrite_then_name,
}

/// Whether a range of the file is all old or all new.
fn is_whole(crash: &Crash, range: std::ops::Range<usize>) -> bool {
    let bytes = crash.read("f").unwrap_or_default();
    bytes.get(range).is_some_and(|record| record.windows(2).all(|pair| pair[0] == pair[1]))
}

/// Pattern 8.
fn record_over_two_sectors() -> Pair {
    Pair {
        shows: "a record that lies over two sectors may be torn, one in a sector is not",
        start: |disk| {
            disk.new_file("f", &[b'o'; 2048]);
        },
        buggy: |disk| {
            disk.write("f", 256, NEW);
        },
        fixed: |disk| {
            disk.write("f", 1024, NEW);
        },
        holds: |crash| is_whole(crash, 256..768) && is_whole(crash, 1024..1536),
        counts: "
            sequential              2/0      2/0
            posix                   4/2      2/0
            posix-split-rename      4/2      2/0
            ext4                    2/0      2/0   # one page
            ext4-bob                4/2      2/0
            ext4-writeback          2/0      2/0
            ext4-data-journal       2/0      2/0
            ext4-nodelalloc         2/0      2/0
            xfs                     4/2      2/0   # two sectors
            btrfs                   2/0      2/0
            lying-disk              4/2      2/0
        ",
    }
}

/// Pattern 1, over the end of a page: whole under the control only.
fn record_over_two_pages() -> Pair {
    Pair {
        shows: "a record that lies over two pages may be torn on every disk",
        start: |disk| {
            disk.new_file("f", &[b'o'; 4608]);
        },
        buggy: |disk| {
            disk.write("f", 3840, NEW);
        },
        fixed: |disk| {
            let mut bytes = vec![b'o'; 4608];
            bytes[3840..4352].copy_from_slice(NEW);
            disk.new_file("tmp", &bytes).fsync("tmp").rename("tmp", "f");
        },
        holds: |crash| is_whole(crash, 3840..4352),
        counts: "
            sequential              2/0      4/0
            posix                   4/2    771/0   # fixed: none, empty, 2^8, 2^9, f
            posix-split-rename      4/2    772/0
            ext4                    4/2      5/0
            ext4-bob                4/2      5/0
            ext4-writeback          4/2      9/0
            ext4-data-journal       3/1      5/0   # first the one page, then the other
            ext4-nodelalloc         4/2      5/0
            xfs                     4/2      5/0
            btrfs                   4/2      5/0
            lying-disk              4/2 1539/513
        ",
    }
}

/// Pattern 1 with a whole page: eight sectors, so 2^8 outcomes where sectors are torn.
fn page_overwritten() -> Pair {
    Pair {
        shows: "a page that is written in place may be half old and half new",
        start: |disk| {
            disk.new_file("f", &[b'o'; 4096]);
        },
        buggy: |disk| {
            disk.write("f", 0, &[b'n'; 4096]);
        },
        fixed: |disk| {
            disk.new_file("tmp", &[b'n'; 4096]).fsync("tmp").rename("tmp", "f");
        },
        holds: |crash| is_whole(crash, 0..4096),
        counts: "
            sequential              2/0      4/0
            posix               256/254    259/0   # 2^8; fixed: none, empty, 2^8 behind the size, f
            posix-split-rename  256/254    260/0
            ext4                    2/0      4/0   # a page is whole
            ext4-bob            256/254      4/0
            ext4-writeback          2/0      5/0
            ext4-data-journal       2/0      4/0
            ext4-nodelalloc         2/0      4/0
            xfs                 256/254      4/0
            btrfs                   2/0      4/0
            lying-disk          256/254  515/255
        ",
    }
}

/// A count in the first page says how many records are valid.
fn count_before_its_record() -> Pair {
    Pair {
        shows: "bytes in two pages may persist the other way round",
        start: |disk| {
            disk.new_file("log", &[0; 8192]);
        },
        buggy: |disk| {
            disk.write("log", 4096, NEW).write("log", 0, &[1]).fsync("log");
        },
        fixed: |disk| {
            disk.write("log", 4096, NEW).fsync("log").write("log", 0, &[1]).fsync("log");
        },
        holds: |crash| {
            let log = crash.read("log").unwrap_or_default();
            log[0] == 0 || log[4096..4608] == *NEW
        },
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

/// Overwritten bytes have no place in the order of the metadata, unless they are journaled.
fn overwrite_then_name() -> Pair {
    Pair {
        shows: "a later name may persist before earlier overwritten bytes",
        start: |disk| {
            disk.new_file("data", OLD);
        },
        buggy: |disk| {
            disk.write("data", 0, NEW).create("done");
        },
        fixed: |disk| {
            disk.write("data", 0, NEW).fsync("data").create("done");
        },
        holds: |crash| !crash.exists("done") || crash.is("data", NEW),
        counts: "
            sequential              3/0      3/0
            posix                   4/1      3/0
            posix-split-rename      4/1      3/0
            ext4                    4/1      3/0   # overwritten bytes have no place in the journal
            ext4-bob                4/1      3/0
            ext4-writeback          4/1      3/0
            ext4-data-journal       3/0      3/0   # here they have
            ext4-nodelalloc         4/1      3/0
            xfs                     4/1      3/0
            btrfs                   4/1      3/0
            lying-disk              4/1      4/1
        ",
    }
}
