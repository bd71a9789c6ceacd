//! Directories, recordings and tokens that are none, or not the right ones.

use std::fs;
use std::os::unix::net::UnixListener;

use super::{CARELESS, Case, JSON, PROMISED, token};

#[test]
fn a_directory_that_cannot_be_recorded_is_refused() {
    let Some(case) = Case::new() else { return };
    let check =
        |dir: &str| case.run(&["check", "--dir", dir, "--checker", "exit:true", "--", "true"]);
    check("nonesuch").assert(2, &["nonesuch", "--dir"]);
    check("data/f").assert(2, &["data/f", "it is no directory"]);
    check("/").assert(2, &["the program's own directory"]);
    for dir in ["/proc", "/sys", "/dev", "/proc/self"] {
        check(dir).assert(2, &[dir, "the program's own directory"]);
    }
}

#[test]
fn a_damaged_or_strange_recording_is_refused() {
    let Some(case) = Case::new() else { return };
    let checker = case.script("checker.sh", PROMISED);
    case.record(CARELESS, &["--checker", &checker]).assert(0, &[]);
    let good = fs::read(case.path("run.plug")).unwrap();
    let explore = |bytes: &[u8]| {
        fs::write(case.path("bad.plug"), bytes).unwrap();
        case.run(&["explore", "bad.plug", "--budget", "20"])
    };
    for cut in [0, 1, 7, good.len() / 3, good.len() / 2, good.len() - 1] {
        explore(&good[..cut]).assert(2, &["bad.plug"]);
    }
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 4;
    explore(&flipped).assert(2, &["bad.plug"]);
    explore(&[0xa5; 5000]).assert(2, &["bad.plug"]);
    explore(b"#!/bin/sh\necho I am a script\n").assert(2, &["bad.plug"]);
    // The byte behind the magic one is the version.
    let differs = |at: usize| {
        let mut newer = good.clone();
        newer[at] = newer[at].wrapping_add(1);
        explore(&newer)
    };
    let told: Vec<_> = (0..16).map(differs).collect();
    assert!(told.iter().all(|ended| ended.code == Some(2)), "{told:#?}");
    assert!(told.iter().any(|ended| ended.err.contains("version")), "{told:#?}");
    case.run(&["explore", "nonesuch.plug"]).assert(2, &["no file nonesuch.plug"]);
    case.run(&["explore", "data"]).assert(2, &["data"]);
}

#[test]
fn a_recording_that_cannot_be_written_is_told() {
    let Some(case) = Case::new() else { return };
    let more = ["--recording", "no/such/dir/run.plug"];
    case.check(CARELESS, "exit:true", &more).assert(2, &["no/such/dir/run.plug"]);
}

#[test]
fn tokens_of_nothing_or_of_something_else_are_refused() {
    let Some(case) = Case::new() else { return };
    let checker = case.script("checker.sh", PROMISED);
    let more = [&JSON[..], &["--recording", "one.plug"]].concat();
    let found = case.check(CARELESS, &checker, &more);
    found.assert(100, &[]);
    let token = token(&found);
    case.record("echo value 1 > f; echo 1; echo 2 >> f", &[]).assert(0, &[]);
    let replay = |token: &str, file: &str| case.run(&["replay", token, "--recording", file]);
    replay(&token, "run.plug").assert(2, &["of another run"]);
    // Without a file the kept ones are looked through, of which there are none.
    case.run(&["replay", &token]).assert(2, &["--recording FILE"]);
    for garbage in ["", "pp1", "pp9:ext4:0:1:", "nonsense", "pp1:ext4:zz:1:-", "../../etc/passwd"] {
        replay(garbage, "one.plug").assert(2, &["token"]);
    }
    let parts: Vec<_> = token.split(':').collect();
    let with = |at: usize, text: &str| {
        let mut parts = parts.clone();
        parts[at] = text;
        parts.join(":")
    };
    replay(&with(1, "nonesuch"), "one.plug").assert(2, &["nonesuch"]);
    replay(&with(3, "4000000"), "one.plug").assert(2, &[]);
    replay(&with(4, "-0.1.2.3.4.5.6.7.8.9.77"), "one.plug").assert(2, &[]);
    replay(&with(4, "+0.1.2.3.4.5.6.7.8.9.77"), "one.plug").assert(2, &[]);
    // Nothing was written for those that were refused.
    assert_eq!(fs::read_dir(case.path("tmp")).unwrap().count(), 0);
}

#[test]
fn a_state_is_written_to_a_new_directory_only() {
    let Some(case) = Case::new() else { return };
    let checker = case.script("checker.sh", PROMISED);
    let more = [&JSON[..], &["--recording", "one.plug"]].concat();
    let found = case.check(CARELESS, &checker, &more);
    let token = token(&found);
    let replay = ["replay", &token, "--recording", "one.plug", "--keep", "data"];
    case.run(&replay).assert(2, &["data", "--keep"]);
    let missing = ["replay", &token, "--recording", "one.plug", "--checker", "no-such-checker-1"];
    case.run(&missing).assert(2, &["no-such-checker-1"]);
    assert_eq!(fs::read_dir(case.path("tmp")).unwrap().count(), 0);
}

#[test]
fn a_socket_in_the_directory_is_left_out_and_told() {
    let Some(case) = Case::new() else { return };
    let _listener = UnixListener::bind(case.dir().join("socket")).unwrap();
    nix::unistd::mkfifo(&case.dir().join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let program = format!("test ! -e pipe && test ! -e socket || exit 3; {CARELESS}");
    let checker = case.script("checker.sh", PROMISED);
    let found = case.check(&program, &checker, &JSON);
    found.assert(100, &[]);
    let warnings = found.events("start")[0]["warnings"].to_string();
    assert!(warnings.contains("pipe") && warnings.contains("socket"), "{warnings}");
}
