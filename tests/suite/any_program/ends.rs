//! Ctrl-C, SIGTERM and SIGKILL, at any moment.

use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::{CAREFUL, Case, Look};
use crate::program::{Ended, send};

/// A Ctrl-C must be answered in this time.
const SOON: Duration = Duration::from_secs(3);

/// Starts `check`, waits until a process with this in its command line runs, and interrupts.
#[track_caller]
fn interrupted(case: &Case, program: &str, checker: &str, when: &str, with: Signal) -> Ended {
    let before: Vec<Look> = case.look();
    let program = case.script("program.sh", program);
    let mut args = vec!["check", "--dir", "data", "--checker", checker, "--"];
    args.extend(program.split(' '));
    let started = case.start(case.command(&args));
    started.wait_for(when);
    thread::sleep(Duration::from_millis(100));
    send(&started.child, with);
    let begun = Instant::now();
    let ended = started.wait(Duration::from_secs(20));
    assert!(begun.elapsed() < SOON, "{:?} {ended:#?}", begun.elapsed());
    case.assert_nothing_left(&before);
    ended
}

#[test]
fn ctrl_c_while_the_program_runs_leaves_nothing() {
    let Some(case) = Case::new() else { return };
    let sleeper = case.script("sleeper.sh", "trap '' INT; while :; do echo 1 >> log; done");
    let program = format!("setsid {sleeper} & {sleeper}");
    for with in [Signal::SIGINT, Signal::SIGTERM] {
        let ended = interrupted(&case, &program, "exit:true", "sleeper.sh", with);
        ended.assert(130, &["ended by a signal", "nothing was left behind"]);
    }
}

#[test]
fn ctrl_c_while_a_checker_hangs_is_answered_at_once() {
    let Some(case) = Case::new() else { return };
    let sleeper = case.script("sleeper.sh", "while :; do sleep 0.05; done");
    // In the control, and in the search.
    for hangs in ["true", "! grep -q 'value 2' f"] {
        let checker = format!("exit:if {hangs}; then {sleeper}; fi");
        let ended = interrupted(&case, CAREFUL, &checker, "sleeper.sh", Signal::SIGINT);
        assert_eq!(ended.code, Some(130), "{ended:#?}");
    }
}

#[test]
fn ctrl_c_in_a_search_gives_a_partial_report() {
    let Some(case) = Case::new() else { return };
    let checker = case.script("checker.sh", "sleep 0.05");
    let ended = interrupted(&case, CAREFUL, &checker, "checker.sh", Signal::SIGINT);
    ended.assert(130, &[]);
}

/// What was found stays found: a script that interrupts a search must not take it for a clean one.
#[test]
fn ctrl_c_after_a_violation_was_found_ends_as_a_violation() {
    let Some(case) = Case::new() else { return };
    let sleeper = case.script("sleeper.sh", "while :; do sleep 0.05; done");
    let found = case.path("found");
    let found = found.display();
    // Hangs in the first state after one that is told as a violation.
    let text = format!(
        "test -e {found} && exec {sleeper}; grep -q 'value 2' f && exit 0; touch {found}; exit 1"
    );
    let checker = case.script("checker.sh", &text);
    let ended = interrupted(&case, CAREFUL, &checker, "sleeper.sh", Signal::SIGINT);
    assert_eq!(ended.code, Some(100), "{ended:#?}");
    assert!(ended.out.contains("violations that were not looked into"), "{}", ended.out);
    // What was recorded is kept: it need not be found by chance once more.
    assert!(ended.out.contains("look again: plugpull explore "), "{}", ended.out);
}

/// Nobody can clean up after a SIGKILL. The mount is in a namespace that only plugpull and the program are
/// in; a program that writes gets an error, and one that does not write is not ended.
#[test]
fn sigkill_while_recording_leaves_no_mount_and_no_change() {
    let Some(case) = Case::new() else { return };
    let before = case.look();
    let writer = "trap 'exit 1' PIPE; while echo more >> log; do :; done; exit 1";
    let program = case.script("writer.sh", writer);
    let mut args = vec!["check", "--dir", "data", "--checker", "exit:true", "--"];
    args.extend(program.split(' '));
    let mut started = case.start(case.command(&args));
    started.wait_for("writer.sh");
    thread::sleep(Duration::from_millis(200));
    started.child.kill().unwrap();
    started.child.wait().unwrap();
    let begun = Instant::now();
    while !case.processes().is_empty() {
        assert!(begun.elapsed() < SOON, "{:?}", case.processes());
        thread::sleep(Duration::from_millis(10));
    }
    case.assert_nothing_left(&before);
}
