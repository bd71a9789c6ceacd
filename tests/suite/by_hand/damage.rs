//! Pages that are lost and files that are cut off below the programs that use them.

use super::{Desk, mounted, texts};

/// What the file shows: each page by its first byte, and the length.
#[track_caller]
fn pages(desk: &Desk, file: &str) -> String {
    let code = "bytes = open(FILE, 'rb').read(); starts = range(0, len(bytes), 4096); \
                print(''.join(chr(bytes[n] or 48) for n in starts), len(bytes))";
    desk.python(&code.replace("FILE", &format!("'{file}'"))).trim().to_owned()
}

/// Pages of `a` that are durable, and of `b` over them that are not.
const OVERWRITTEN: &str = "f = open('f', 'r+b' if os.path.exists('f') else 'w+b')\n\
    f.write(b'a' * 4096 * 4); f.flush(); os.fsync(f.fileno())\n\
    f.seek(0); f.write(b'b' * 4096 * 4); f.flush()";

fn overwrite(desk: &Desk) {
    desk.python(&format!("import os\n{OVERWRITTEN}"));
    desk.sh("sync .");
}

#[test]
fn dropped_pages_show_what_is_on_disk_and_no_sync_brings_them_back() {
    mounted(|desk| {
        overwrite(desk);
        assert_eq!(pages(desk, "f"), "bbbb 16384");
        let told = desk.told(&["drop", "f", "1,3"]);
        assert_eq!(told["pages"], serde_json::json!([1, 3]));
        assert_eq!(told["kept"], serde_json::json!([0, 2]));
        assert_eq!(pages(desk, "f"), "baba 16384");
        desk.sh("sync f");
        desk.told(&["power-cut"]);
        assert_eq!(pages(desk, "f"), "baba 16384");
        overwrite(desk);
        desk.told(&["drop", "f", "1,3"]);
        desk.told(&["power-cut"]);
        assert_eq!(pages(desk, "f"), "aaaa 16384");
    });
}

#[test]
fn without_pages_all_that_is_not_durable_is_dropped_and_the_length_stays() {
    mounted(|desk| {
        overwrite(desk);
        desk.python("open('f', 'ab').write(b'c' * 5000)");
        let told = desk.told(&["drop", "f"]);
        assert_eq!(told["pages"], serde_json::json!([0, 1, 2, 3, 4, 5]));
        // Nothing was on disk there: zeros.
        assert_eq!(pages(desk, "f"), "aaaa00 21384");
        let again = desk.ctl(&["drop", "f"]);
        again.assert(0, &[]);
        assert!(again.out.contains("nothing is dropped"), "{}", again.out);
        // What is new is told as it is: a length that has no bytes.
        let pending = desk.told(&["pending"]);
        assert_eq!(texts(&pending["files"][0]["what"]), ["truncate f to 21384"]);
    });
}

#[test]
fn a_map_shows_the_dropped_page_and_a_page_that_is_written_again_is_new() {
    mounted(|desk| {
        overwrite(desk);
        let mut steps = desk.steps(
            "fd = os.open('f', os.O_RDWR); m = mmap.mmap(fd, 16384)\n\
             def look(): return m[0:1].decode() + m[4096:4097].decode()\n\
             def store(): m[0:1] = b'c'\n\
             orders(look, store, look, look, lambda: os.pwrite(fd, b'd', 4096) and None, \
                    lambda: os.fsync(fd), look)",
        );
        assert_eq!([steps.next(), steps.next(), steps.next()], ["bb", "ok", "cb"]);
        desk.told(&["drop", "f"]);
        assert_eq!([steps.next(), steps.next(), steps.next()], ["aa", "ok", "ok"]);
        drop(steps);
        desk.told(&["power-cut"]);
        assert_eq!(pages(desk, "f"), "adaa 16384");
    });
}

#[test]
fn a_file_that_is_cut_off_is_so_for_programs_and_on_disk() {
    mounted(|desk| {
        overwrite(desk);
        let mut steps =
            desk.steps("fd = os.open('f', os.O_RDWR)\norders(lambda: os.fstat(fd).st_size)");
        let told = desk.told(&["truncate", "f", "5000"]);
        assert_eq!((&told["before"], &told["after"]), (&16384.into(), &5000.into()));
        assert_eq!(steps.next(), "5000");
        drop(steps);
        assert_eq!(pages(desk, "f"), "bb 5000");
        desk.told(&["power-cut"]);
        assert_eq!(pages(desk, "f"), "bb 5000");
        desk.ctl(&["truncate", "f", "5001"]).assert(2, &["only 5000 bytes"]);
        desk.ctl(&["truncate", "g", "0"]).assert(2, &["no file g"]);
        desk.ctl(&["drop", "."]).assert(2, &["no file"]);
    });
}

/// sqlite3 reads a page of its database that went back, and says so or shows old rows; it never shows the new one.
#[test]
fn sqlite_meets_a_database_whose_pages_went_back() {
    mounted(|desk| {
        desk.sqlite("create table t(x); insert into t values (1)");
        desk.sqlite("pragma synchronous = off; insert into t values (2)");
        assert_eq!(desk.sqlite("select count(*) from t"), "2\n");
        let path = desk.dir().join("app.db");
        desk.told(&["drop", path.to_str().unwrap()]);
        assert_eq!(desk.sqlite("select count(*) from t"), "1\n");
        desk.told(&["truncate", "app.db", "4096"]);
        let told = desk.sqlite("pragma integrity_check");
        assert!(told != "ok\n", "{told}");
    });
}
