//! What was done by hand is a recording: explored, replayed, and taken along as files.

use std::fs;
use std::process::Command;

use super::{Desk, at_a_desk};

/// What a checker says when `f` holds something else than an old or a new value in full.
const WHOLE: &str =
    "exit:test \"$(cat f)\" = one || test \"$(cat f)\" = two || { echo f is torn; exit 1; }";

/// Whether two directories hold the same.
#[track_caller]
fn assert_same(desk: &Desk, one: &str, other: &str) {
    let compared = Command::new("diff").arg("-r").args([desk.path(one), desk.path(other)]).output();
    let compared = compared.unwrap();
    assert!(compared.status.success(), "{}", String::from_utf8_lossy(&compared.stdout));
}

#[test]
fn the_recordings_of_a_session_are_explored_and_its_power_cuts_replayed() {
    at_a_desk(|desk| {
        fs::write(desk.dir().join("f"), "one").unwrap();
        let kept = desk.mount(&["--record", "run.plug"]);
        // Truncated and written in place: torn in between.
        desk.sh("echo promised >> .plugpull-marks; printf two > f");
        assert_eq!(desk.told(&["mark", "by hand"])["marks"], 2);
        let cut = desk.told(&["power-cut", "--keep", "random", "--seed", "3"]);
        desk.told(&["save", desk.path("saved").to_str().unwrap()]);
        desk.sh("printf two > f.tmp; sync f.tmp; mv f.tmp f; sync .");
        let ended = desk.told(&["unmount"]);
        kept.wait().assert(0, &[]);
        desk.assert_nothing_left();
        assert_eq!(fs::read_to_string(desk.dir().join("f")).unwrap(), "one");

        let [before, after] = [&cut["recording"], &ended["recording"]];
        let [before, after] = [before, after].map(|path| path.as_str().unwrap());
        assert!(
            before.ends_with("/run-cut1.plug") && after.ends_with("/run.plug"),
            "{before} {after}"
        );
        let token = cut["token"].as_str().unwrap();
        desk.run(&["replay", token, "--recording", before, "--keep", "again"]).assert(0, &[]);
        assert_same(&desk, "saved", "again");
        let found = desk.run(&["explore", before, "--checker", WHOLE, "--model", "ext4"]);
        found.assert(100, &[]);
        assert!(found.out.contains("f is torn"), "{}", found.out);
        let clean = "exit:grep -qx 'one\\|two\\|' f && grep -q promised $PLUGPULL_MARKS && grep -q hand $PLUGPULL_MARKS";
        let later = desk.run(&["explore", after, "--checker", clean, "--model", "ext4"]);
        assert!(later.code != Some(2) && later.code != Some(96), "{later:#?}");
    });
}

#[test]
fn without_a_name_a_power_cut_can_be_replayed_by_its_token_alone() {
    at_a_desk(|desk| {
        let kept = desk.mount(&[]);
        desk.sh("echo 1 > a; echo 2 > b; mkdir c; sync a; mv b c/b");
        let told = desk.ctl(&["power-cut", "--model", "posix", "--keep", "random", "--seed", "5"]);
        told.assert(0, &[]);
        desk.told(&["save", desk.path("saved").to_str().unwrap()]);
        desk.told(&["unmount"]);
        kept.wait().assert(0, &[]);
        let again = told.out.lines().find_map(|line| line.trim().strip_prefix("again: plugpull "));
        let again: Vec<_> = again.unwrap().split(' ').collect();
        desk.run(&[&again[..2], &["--keep", "again"]].concat()).assert(0, &[]);
        assert_same(&desk, "saved", "again");
    });
}

#[test]
fn a_fault_that_hit_is_told_with_the_recording() {
    at_a_desk(|desk| {
        let kept = desk.mount(&["--record", "run.plug"]);
        desk.told(&["fail", "fsync", "--as", "xfs"]);
        desk.sh("echo 1 > a; ! sync a 2> /dev/null");
        let cut = desk.told(&["power-cut"]);
        desk.sh("echo 2 > a; sync a");
        desk.told(&["unmount"]);
        kept.wait().assert(0, &[]);
        let token = cut["token"].as_str().unwrap();
        let args = ["replay", token, "--recording", "run-cut1.plug", "--keep", "again"];
        let replayed = desk.run(&args);
        assert!(replayed.out.contains("with a fault: by hand: fsync failed"), "{}", replayed.out);
        assert!(!replayed.out.contains("a..b"));
    });
}

#[test]
fn what_is_saved_is_what_programs_see_with_files_of_the_directory() {
    at_a_desk(|desk| {
        fs::write(desk.dir().join("large"), vec![b'x'; 3 << 20]).unwrap();
        fs::write(desk.dir().join("f"), "was").unwrap();
        let kept = desk.mount(&[]);
        desk.sh("printf is > f; mkdir d; ln -s ../f d/l; printf y | dd of=large bs=1 seek=5000 conv=notrunc 2> /dev/null");
        let told = desk.told(&["save", desk.path("saved").to_str().unwrap()]);
        assert_eq!(told["files"], 2);
        let seen = desk.sh(&format!("diff -r . {} && cat f", desk.path("saved").display()));
        assert_eq!(seen, "is");
        let inside = desk.dir().join("copy");
        desk.ctl(&["save", inside.to_str().unwrap()]).assert(2, &["on the simulated disk itself"]);
        desk.ctl(&["save", "saved"]).assert(2, &["exists"]);
        desk.told(&["unmount"]);
        kept.wait().assert(0, &[]);
        assert_eq!(fs::read(desk.dir().join("large")).unwrap()[5000], b'x');
    });
}
