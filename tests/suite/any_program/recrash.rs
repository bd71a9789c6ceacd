//! Crash during recovery, `--recrash N`: mistakes that take two power cuts are found, and told apart from the
//! others.
//!
//! The programs are those of `tests/subjects/15-recovery`, whose checker recovers first. Not for the
//! reference store (`power_cut`).

use std::path::Path;

use nix::sys::signal::Signal;
use plugpull_tests::subjects;
use serde_json::Value;

use super::{CAREFUL, Case, JSON, LIMIT, PROMISED, lines, token};
use crate::program::{Ended, send};

/// Runs `check` on a form of the program.
#[track_caller]
fn check(case: &Case, form: &str, more: &[&str]) -> Ended {
    let script = |name: &str| {
        let path = subjects::directory().join("15-recovery").join(form).join(name);
        path.to_str().unwrap().to_owned()
    };
    let (setup, checker, run) = (script("setup"), script("check"), script("run"));
    let mut args = vec!["check", "--dir", "data", "--setup", &setup, "--checker", &checker];
    args.extend(more);
    args.extend(["--", &run]);
    case.run(&args)
}

fn recrash(ended: &Ended) -> Value {
    ended.events("end")[0]["recrash"].clone()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value}"))
}

#[test]
fn a_recovery_that_cannot_start_again_is_found_and_made_again() {
    let Some(case) = Case::new() else { return };
    let found = check(&case, "buggy", &["--recrash", "1", "--message-format", "json-lines"]);
    found.assert(100, &[]);
    for searched in found.events("searched") {
        assert_eq!(searched["violated"], 0, "one power cut is not enough: {searched}");
    }
    let finding = &found.events("finding")[0];
    let second = &finding["recrash"];
    assert_eq!(finding["gate"], true);
    assert!(text(&finding["message"]).starts_with("TORN"), "{finding}");
    assert!(text(&finding["message"]).contains("after a second power cut"), "{finding}");
    assert!(text(&second["first"]).starts_with("pp1:"), "{finding}");
    let tale = second["tale"].to_string();
    assert!(tale.contains("write db") && tale.contains("LOST"), "{tale}");
    let barrier = text(&finding["remedy"]["found"]["barrier"]);
    assert!(barrier.contains("(db)") && barrier.contains("unlink journal"), "{barrier}");
    // The token is of the recovery's own recording, and the state fails again.
    let recording = text(&second["recording"]);
    let again = case.run(&["replay", &token(&found), "--recording", recording]);
    again.assert(100, &[]);
    assert!(
        again.out.contains("VIOLATION TORN") && again.out.contains("unlink journal"),
        "{again:#?}"
    );
    // The first state is one of the run's, and fine.
    let path = text(&found.events("end")[0]["recording"]).to_owned();
    case.run(&["replay", text(&second["first"]), "--recording", &path]).assert(0, &[]);
    let explored = case.run(&["explore", &path, "--recrash", "1"]);
    explored.assert(100, &[]);
    let told = ["second power cut after its operation", "replay pp1:", "(1 in 1)"];
    assert!(told.iter().all(|text| explored.out.contains(text)), "{explored:#?}");
    // Without --recrash it is not looked at, which is said.
    let without = case.run(&["explore", &path]);
    without.assert(0, &[]);
    assert!(without.out.contains("a second power cut during recovery"), "{without:#?}");
}

#[test]
fn a_recovery_by_the_book_is_recorded_and_survives() {
    let Some(case) = Case::new() else { return };
    let ended = check(&case, "fixed", &["--recrash", "1", "--message-format", "json-lines"]);
    ended.assert(0, &[]);
    let told = recrash(&ended);
    let count = |field: &str| told[field].as_u64().unwrap_or_else(|| panic!("{told}"));
    assert!(count("recoveries") > 10 && count("judged") > count("recoveries"), "{told}");
    assert_eq!(count("recorded"), count("survived"), "{told}");
    assert_eq!((count("violated"), count("unsteady"), count("not_measured")), (0, 0, 0), "{told}");
    // A sample is smaller, and the same in every run.
    let sample =
        || recrash(&check(&case, "fixed", &["--recrash", "4", "--message-format", "json-lines"]));
    let first = sample();
    let recorded = first["recorded"].as_u64().unwrap();
    assert!((1..count("recorded")).contains(&recorded), "{first}");
    assert_eq!(first, sample());
}

#[test]
fn a_checker_that_writes_nothing_costs_no_second_states() {
    let Some(case) = Case::new() else { return };
    let checker = format!("sh -c '{}'", PROMISED.replace('\'', "'\\''"));
    let more = [&JSON[..], &["--recrash", "1"]].concat();
    let ended = case.check(CAREFUL, &checker, &more);
    ended.assert(0, &[]);
    let told = recrash(&ended);
    assert_eq!((&told["recoveries"], &told["judged"]), (&0.into(), &0.into()), "{told}");
    assert!(told["recorded"].as_u64().unwrap() > 0, "{told}");
    assert!(lines(&ended).iter().all(|line| line["event"] != "finding"));
}

#[test]
fn sqlite_may_be_interrupted_while_it_rolls_back() {
    let Some(case) = Case::new() else { return };
    if !Path::new("/usr/bin/sqlite3").exists() {
        return;
    }
    let sql = |text: &str| format!("sqlite3 app.db 'PRAGMA synchronous=EXTRA; {text}' > /dev/null");
    let setup = sql("CREATE TABLE t(x); INSERT INTO t VALUES(1);");
    let program = format!("{}; echo 2", sql("INSERT INTO t VALUES(2); UPDATE t SET x = 3;"));
    let more = ["--setup", &setup, "--model", "ext4", "--recrash", "1"];
    let ended = case.check(&program, "sqlite:app.db", &[&JSON[..], &more].concat());
    let told = recrash(&ended);
    ended.assert(0, &[]);
    assert!(told["recoveries"].as_u64().unwrap() > 0, "{told}");
    assert_eq!(told["violated"], 0, "{told}");
}

#[test]
fn a_budget_that_ends_among_second_crashes_is_told() {
    let Some(case) = Case::new() else { return };
    let more = ["--model", "ext4", "--recrash", "1", "--message-format", "json-lines"];
    let whole = check(&case, "fixed", &more);
    whole.assert(0, &[]);
    let searched = &whole.events("searched")[0];
    let states = searched["survived"].as_u64().unwrap() + 2;
    assert!(recrash(&whole)["judged"].as_u64().unwrap() > states, "{whole:#?}");
    let budget = states.to_string();
    let part = check(&case, "fixed", &[&more[..], &["--budget", &budget]].concat());
    part.assert(5, &[]);
    assert_eq!(recrash(&part)["complete"], false);
}

/// The recorded checker knows that it is: its directory is another kind of file system.
#[test]
fn an_interrupt_during_a_recovery_ends_all() {
    let Some(case) = Case::new() else { return };
    let sleeper = case.script("sleeper.sh", "sleep 30");
    let text = format!("test $(stat -f -c %T .) = tmpfs || {{ echo x > x; {sleeper}; }}");
    let checker = case.script("checker.sh", &text);
    let program = case.script("program.sh", CAREFUL);
    let before = case.look();
    let mut args = vec!["check", "--dir", "data", "--recrash", "1", "--checker", &checker, "--"];
    args.extend(program.split(' '));
    let started = case.start(case.command(&args));
    started.wait_for("sleeper.sh");
    send(&started.child, Signal::SIGINT);
    let ended = started.wait(LIMIT);
    case.assert_nothing_left(&before);
    ended.assert(130, &[]);
}

/// What differs between judging and recording is no violation.
#[test]
fn a_checker_that_looks_at_more_than_the_state_is_unsteady() {
    let Some(case) = Case::new() else { return };
    let checker = case.script("checker.sh", "test $(stat -f -c %T .) = tmpfs || exit 1");
    let ended = case.check(CAREFUL, &checker, &[&JSON[..], &["--recrash", "1"]].concat());
    ended.assert(0, &[]);
    let told = recrash(&ended);
    assert!(told["unsteady"].as_u64().unwrap() > 0 && told["violated"] == 0, "{told}");
}
