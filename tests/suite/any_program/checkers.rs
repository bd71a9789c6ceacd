//! Checkers that are missing, broken, or do more than look.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use super::{CAREFUL, CARELESS, Case, JSON, PROMISED};

#[test]
fn a_checker_that_cannot_be_started_is_named_before_anything_runs() {
    let Some(case) = Case::new() else { return };
    let witness = case.path("ran");
    let program = format!("echo 1 > {}; {CARELESS}", witness.display());
    fs::write(case.path("plain"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(case.path("plain"), fs::Permissions::from_mode(0o644)).unwrap();
    for (checker, words) in [
        ("no-such-checker-1 -v", &["no-such-checker-1", "PATH"][..]),
        ("./no-such-checker-1", &["no-such-checker-1", "was not found"]),
        ("./plain", &["not executable", "chmod +x"]),
        ("sh -c 'unclosed", &["quote"]),
        ("lines:/etc/passwd", &["relative to the recorded directory"]),
        ("old-or-new", &["it needs an argument"]),
    ] {
        case.check(&program, checker, &[]).assert(2, words);
    }
    assert!(!witness.exists());
    // What it needs of the run is known only afterwards.
    case.check(CARELESS, "lines:nonesuch", &[]).assert(2, &["nonesuch is no file"]);
    case.check(CARELESS, "old-or-new:nonesuch", &[]).assert(2, &["nonesuch"]);
}

#[test]
fn a_checker_that_fails_where_nothing_is_lost_tells_nothing() {
    let Some(case) = Case::new() else { return };
    let fails = |checker: &str| case.check(CARELESS, checker, &[]);
    fails("exit:echo my words; exit 1").assert(102, &["fails on the finished run", "my words"]);
    fails("exit:exit 127").assert(102, &["could not be run", "127"]);
    fails("exit:no-such-program-1 f").assert(102, &["could not be run", "no-such-program-1"]);
    fails("exit:kill -SEGV $$").assert(102, &["killed by SIGSEGV"]);
    // Here only some states lead it to what it cannot start.
    fails("exit:grep -q 'value 2' f || exit 127").assert(102, &["could not be run"]);
}

#[test]
fn a_checker_that_hangs_is_a_violation_and_keeps_nobody() {
    let Some(case) = Case::new() else { return };
    let sleeper = case.script("sleeper.sh", "while :; do sleep 0.05; done");
    let checker = format!("exit:grep -q value f && exit 0; setsid {sleeper} & {sleeper}");
    let begun = Instant::now();
    let more = ["--timeout", "200ms", "--budget", "8s", "--model", "ext4"];
    let found = case.check(CARELESS, &checker, &more);
    found.assert(100, &[]);
    assert!(found.out.contains("did not end within 200ms"), "{}", found.out);
    assert!(begun.elapsed() < Duration::from_secs(25), "{:?}", begun.elapsed());
}

#[test]
fn a_slow_checker_is_held_to_the_budget() {
    let Some(case) = Case::new() else { return };
    let begun = Instant::now();
    let partial = case.check(CAREFUL, "exit:sleep 0.3", &["--budget", "1s"]);
    partial.assert(5, &[]);
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    assert!(partial.out.contains("the budget ended"), "{}", partial.out);
}

#[test]
fn a_checker_that_leaves_a_daemon_does_not_reach_the_next_state() {
    let Some(case) = Case::new() else { return };
    let writer = case.script("writer.sh", "while :; do rm -f f; sleep 0.01; done");
    let plain = case.script("checker.sh", PROMISED);
    let spoils = format!("exit:{plain} || exit 1; (setsid {writer} > /dev/null 2>&1 &)");
    let counts = |checker: &str| {
        let found = case.check(CARELESS, checker, &[&JSON[..], &["--model", "ext4"]].concat());
        found.assert(100, &[]);
        found.events("searched")[0].clone()
    };
    assert_eq!(counts(&spoils), counts(&plain));
}

#[test]
fn what_a_checker_writes_into_the_state_is_undone() {
    let Some(case) = Case::new() else { return };
    case.put("g", "first\n");
    let plain = case.script("checker.sh", PROMISED);
    let outside = case.path("outside");
    let spoils = case.script(
        "spoils.sh",
        &format!(
            "test \"$(cat g)\" = first && test ! -e new || exit 9; echo 1 >> {}; \
             ln f new; echo x >> g; chmod 000 f; rm -f f.tmp; mkdir -p a/b; mv g a; \
             touch -d 2001-01-01 .; exec {plain}",
            outside.display()
        ),
    );
    let spoils = spoils.replace("chmod 000 f; ", "");
    let counts = |checker: &str| {
        let found = case.check(CARELESS, checker, &[&JSON[..], &["--model", "ext4"]].concat());
        found.assert(100, &[]);
        found.events("searched")[0].clone()
    };
    assert_eq!(counts(&spoils), counts(&plain));
    // A namespace is no prison: what is outside of the state is written as by any program.
    assert!(fs::read(outside).unwrap().len() > 20);
}

#[test]
fn a_flood_of_words_is_cut() {
    let Some(case) = Case::new() else { return };
    let flood = "exit:grep -q value f && exit 0; head -c 100000000 /dev/zero | tr '\\0' x; \
                 echo; echo the end; exit 1";
    let more = [&JSON[..], &["--model", "ext4", "--budget", "3s"]].concat();
    let found = case.check("echo value 1 > f.tmp; mv f.tmp f; echo 1", flood, &more);
    found.assert(100, &[]);
    let finding = &found.events("finding")[0];
    assert_eq!(finding["message"], "the end");
    assert!(finding["output"].as_str().unwrap().len() <= 64 << 10);
}
