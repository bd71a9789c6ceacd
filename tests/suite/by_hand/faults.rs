//! Calls that fail by hand: exactly those that were named, as often as was said, and counted.

use super::mounted;

const SYNCS: &str = "fd = os.open('f', os.O_CREAT | os.O_RDWR); d = os.open('.', os.O_RDONLY)\n\
    sync = lambda: os.fsync(fd)\n\
    orders(sync, sync, lambda: os.fdatasync(fd), lambda: os.fsync(d), sync, sync, sync)";

#[test]
fn the_next_fsync_fails_once_and_is_counted() {
    mounted(|desk| {
        let mut steps = desk.steps(SYNCS);
        assert_eq!(desk.told(&["fail", "fsync"])["fault"]["error"], "ext4_ordered");
        assert_eq!([steps.next(), steps.next(), steps.next()], ["EIO", "ok", "ok"]);
        let told = desk.told(&["faults"]);
        assert_eq!(told["faults"][0]["fired"], 1);
        desk.told(&["fail", "fdatasync,fsync_dir", "--errno", "enospc", "--times", "2"]);
        assert_eq!([steps.next(), steps.next()], ["ENOSPC", "ok"]);
        desk.told(&["fail", "fsync", "--times", "always", "--path", "f*"]);
        assert_eq!(steps.next(), "EIO");
        let fired: Vec<_> = desk.told(&["faults"])["faults"]
            .as_array()
            .unwrap()
            .iter()
            .map(|fault| fault["fired"].as_u64().unwrap())
            .collect();
        assert_eq!(fired, [1, 1, 1]);
        let people = desk.ctl(&["faults"]);
        assert!(people.out.contains("the next fsync: EIO, ext4_ordered"), "{}", people.out);
        assert!(people.out.contains("every fsync of /f*"), "{}", people.out);
        let healed = desk.told(&["heal"]);
        assert_eq!((&healed["healed"], &healed["fired"]), (&3.into(), &3.into()));
        assert_eq!(steps.next(), "ok");
        assert_eq!(desk.told(&["status"])["fired"], 0);
    });
}

/// The same call, and what each file system leaves of it in memory and on disk.
#[test]
fn an_fsync_fails_as_on_the_file_system_that_is_named() {
    for (like, shown, on_disk) in [
        ("ext4", "new", "old"),
        ("xfs", "new", "old"),
        ("btrfs", "old", "old"),
        ("freebsd", "new", "new"),
    ] {
        mounted(move |desk| {
            desk.sh("printf old > f; sync f; sync .");
            let mut steps = desk.steps(
                "fd = os.open('f', os.O_RDWR)\nsync = lambda: os.fsync(fd)\n\
                 orders(lambda: os.pwrite(fd, b'new', 0) and None, sync, sync)",
            );
            desk.told(&["fail", "fsync", "--as", like]);
            assert_eq!([steps.next(), steps.next(), steps.next()], ["ok", "EIO", "ok"], "{like}");
            assert_eq!(desk.sh("cat f"), shown, "{like}");
            drop(steps);
            desk.told(&["power-cut"]);
            assert_eq!(desk.sh("cat f"), on_disk, "{like}");
        });
    }
}

#[test]
fn sqlite_says_that_its_disk_fails_and_keeps_what_it_had() {
    mounted(|desk| {
        desk.sqlite("create table t(x); insert into t values (1)");
        desk.told(&["fail", "fsync,fdatasync"]);
        let told = desk.sqlite("insert into t values (2)");
        assert!(told.contains("disk I/O error"), "{told}");
        assert_eq!(desk.told(&["faults"])["faults"][0]["fired"], 1);
        assert_eq!(desk.sqlite("select count(*) from t; pragma integrity_check"), "1\nok\n");
    });
}

#[test]
fn a_full_disk_and_a_fault_that_does_not_fit_are_told() {
    mounted(|desk| {
        desk.told(&[
            "fail", "write", "--errno", "ENOSPC", "--path", "full/**", "--times", "always",
        ]);
        desk.sh("mkdir full; echo 1 > beside; ! echo 1 > full/f 2> /dev/null");
        desk.ctl(&["fail", "rename", "--as", "xfs"]).assert(2, &["rename", "fsync and fdatasync"]);
        desk.ctl(&["fail", "fsync", "--errno", "short_write"]).assert(2, &["for write"]);
        desk.ctl(&["fail", "sneeze"]).assert(2, &["sneeze"]);
        desk.ctl(&["fail", "fsync", "--times", "0"]).assert(2, &["from 1 on, or always"]);
        desk.ctl(&["fail"]).assert(2, &["CALL"]);
        assert_eq!(desk.told(&["faults"])["faults"].as_array().unwrap().len(), 1);
    });
}
