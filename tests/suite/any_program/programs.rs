//! Programs that cannot be recorded, or do what they should not.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use super::{CAREFUL, CARELESS, Case, JSON};

#[test]
fn a_program_that_cannot_be_started_is_named() {
    let Some(case) = Case::new() else { return };
    let check = |program: &str| {
        case.run(&["check", "--dir", "data", "--checker", "exit:true", "--", program])
    };
    check("no-such-program-1").assert(2, &["cannot start no-such-program-1", "PATH"]);
    check("./no/such").assert(2, &["cannot start", "no/such"]);
    fs::write(case.path("plain"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(case.path("plain"), fs::Permissions::from_mode(0o644)).unwrap();
    check("./plain").assert(2, &["plain", "chmod +x"]);
    case.run(&["check", "--dir", "data", "--checker", "exit:true"]).assert(2, &["-- PROGRAM"]);
    case.run(&["check", "--dir", "data", "--", "true"]).assert(2, &["--checker"]);
}

#[test]
fn a_program_that_fails_by_itself_is_no_finding() {
    let Some(case) = Case::new() else { return };
    let fails = |program: &str| case.check(program, "exit:true", &[]);
    fails("echo my words >&2; exit 7").assert(101, &["by itself", "exit status 7", "my words"]);
    fails("echo 1 > f; kill -SEGV $$").assert(101, &["by itself", "killed by SIGSEGV"]);
    fails("kill -KILL $$").assert(101, &["killed by SIGKILL"]);
}

#[test]
fn a_program_that_outlives_its_time_is_killed() {
    let Some(case) = Case::new() else { return };
    let sleeper = case.script("sleeper.sh", "while :; do sleep 0.05; done");
    let begun = Instant::now();
    let hangs = format!("setsid {sleeper} & {sleeper} & {sleeper}");
    let late = case.check(&hangs, "exit:true", &["--run-timeout", "300ms"]);
    late.assert(101, &["did not end within 300ms", "--run-timeout"]);
    assert!(begun.elapsed() < Duration::from_secs(5));
    let deaf = "trap '' TERM INT HUP; while :; do sleep 0.05; done";
    case.check(deaf, "exit:true", &["--run-timeout", "300ms"]).assert(101, &[]);
    let setup = ["--setup", &sleeper, "--run-timeout", "300ms"];
    case.check(CARELESS, "exit:true", &setup).assert(101, &["did not end within 300ms"]);
}

#[test]
fn what_outlives_the_program_is_killed_and_told() {
    let Some(case) = Case::new() else { return };
    let writer = case.script("writer.sh", "while :; do echo more >> log; sleep 0.01; done");
    let program = format!("(setsid {writer} &) ; sleep 0.1; {CAREFUL}");
    let warned = case.check(&program, "exit:grep -q value f", &["--budget", "200"]);
    assert!([Some(0), Some(5)].contains(&warned.code), "{warned:#?}");
    assert!(warned.out.contains("outlived the program and were killed"), "{}", warned.out);
    // Orphans that ended before are nobody's fault.
    let program = format!("(setsid true &) ; sleep 0.2; {CAREFUL}");
    let json = case.check(&program, "exit:grep -q value f", &JSON);
    json.assert(0, &[]);
    assert_eq!(json.events("start")[0]["warnings"], serde_json::json!([]));
}

#[test]
fn a_program_that_changes_nothing_here_teaches_nothing() {
    let Some(case) = Case::new() else { return };
    case.check("cat f", "exit:true", &[]).assert(4, &["nothing in", "--dir"]);
    let elsewhere = format!("echo 1 > {}", case.path("elsewhere").display());
    case.check(&elsewhere, "exit:true", &[]).assert(4, &["nothing in", "--dir"]);
    let only_words = case.check("echo 1; echo 2", "exit:true", &[]);
    only_words.assert(4, &["--dir"]);
    case.record("cat f", &[]).assert(4, &["--dir"]);
    case.record("echo promise", &[]).assert(4, &["--dir"]);
}

#[test]
fn a_program_that_writes_more_than_it_may_is_told_the_option() {
    let Some(case) = Case::new() else { return };
    let program = "head -c 3000000 /dev/urandom > big";
    let memory = ["--memory", "1M"];
    case.check(program, "exit:true", &memory).assert(96, &["1048576 bytes", "--memory"]);
    let program = format!("{program}; exit 0");
    case.check(&program, "exit:true", &memory).assert(96, &["--memory"]);
    case.check(&program, "exit:true", &["--memory", "much"]).assert(2, &["500M"]);
}

#[test]
fn words_of_a_program_are_handed_on() {
    let Some(case) = Case::new() else { return };
    let program = "echo to out; echo to err >&2; echo value 1 > f; printf 'no end'";
    let human = case.check(program, "exit:true", &[]);
    human.assert(0, &["to err"]);
    assert!(human.out.contains("to out\n") && human.out.contains("no end"), "{}", human.out);
    let json = case.check(program, "exit:true", &JSON);
    json.assert(0, &["to out", "to err"]);
    assert_eq!(json.events("start")[0]["marks"], 2);
}

#[test]
fn a_checker_that_never_fails_shows_no_teeth() {
    let Some(case) = Case::new() else { return };
    let toothless = case.check(CARELESS, "exit:true", &[]);
    toothless.assert(0, &[]);
    assert!(toothless.out.contains("shows no teeth"), "{}", toothless.out);
}
