//! `plugpull torture -- PROGRAM`: what a missing barrier loses is found while the program lives, a program with
//! all its barriers passes, and a seed is a campaign. Not for the reference store's torture run.

use std::path::Path;
use std::time::Duration;

use plugpull_tests::subjects::{self, Form};

use super::{CAREFUL, CARELESS, Case, JSON, PROMISED, lines, token};
use crate::machine::not_measured;
use crate::program::{Ended, PLUGPULL};

/// Counts on from what is there; the number must never go back.
const COUNTS: &str = "read word n < f; for i in 1 2 3; do n=$((n + 1)); echo value $n > f.tmp; BARRIERS echo $n; done";

/// Appends to a log; what a crash tore off at its end is cut at the start.
const APPENDS: &str = "touch log; n=$(grep -c '^line [0-9]*;$' log); grep '^line [0-9]*;$' log > log.new; \
    sync log.new; mv log.new log; sync .; \
    for i in 1 2 3; do n=$((n + 1)); echo \"line $n;\" >> log; BARRIERS echo $n; done";

/// As many lines as were promised.
const LINES: &str = "last=$(tail -n 1 $PLUGPULL_MARKS); n=$(cat log 2>/dev/null | grep -c '^line [0-9]*;$'); \
    test \"$n\" -ge \"${last:-0}\" && exit 0; echo \"$n lines of $last\"; exit 1";

#[track_caller]
fn torture(case: &Case, program: &str, checker: &str, more: &[&str]) -> Ended {
    let script = case.script("program.sh", program);
    let mut args = vec!["torture", "--dir", "data", "--checker", checker];
    args.extend(more);
    args.push("--");
    args.extend(script.split(' '));
    case.run(&args)
}

#[test]
fn a_missing_barrier_is_found_live_and_its_state_can_be_made_again() {
    let Some(case) = Case::new() else { return };
    let careless = COUNTS.replace("BARRIERS", "mv f.tmp f;");
    let appends = APPENDS.replace("BARRIERS", "");
    for (program, checker) in [(careless, PROMISED), (appends, LINES)] {
        let checker = case.script("checker.sh", checker);
        let found = torture(&case, &program, &checker, &[&JSON[..], &["--rounds", "40"]].concat());
        found.assert(100, &[]);
        let finding = &found.events("finding")[0];
        let recording = finding["recording"].as_str().unwrap();
        let args = ["replay", &token(&found), "--recording", recording];
        let again = case.run(&[&args[..], &JSON].concat());
        again.assert(100, &[]);
        assert_eq!(again.events("replayed")[0]["message"], finding["message"]);
    }
}

#[test]
fn with_all_barriers_nothing_is_found_and_a_seed_is_a_campaign() {
    let Some(case) = Case::new() else { return };
    let careful = COUNTS.replace("BARRIERS", "sync f.tmp; mv f.tmp f; sync .;");
    let appends = APPENDS.replace("BARRIERS", "sync log;");
    for (program, checker) in [(careful, PROMISED), (appends, LINES)] {
        let checker = case.script("checker.sh", checker);
        let more = [&JSON[..], &["--rounds", "25", "--seed", "7"]].concat();
        let [one, other] = [(), ()].map(|()| torture(&case, &program, &checker, &more));
        one.assert(0, &[]);
        assert_eq!(lines(&one), lines(&other));
        let end = &one.events("end")[0];
        assert_eq!((&end["rounds"], &end["violations"]), (&25.into(), &0.into()));
        assert!(end["kills"].as_u64() > Some(0) && end["losses"].as_u64() > Some(0), "{end}");
    }
}

/// Rows counted on from what is there; each is promised once its transaction has ended.
const ROWS: &str = "for i in 1 2 3; do n=$(sqlite3 app.db 'PRAGMA synchronous=SYNC; \
    INSERT INTO t SELECT count(*) + 1 FROM t; SELECT max(x) FROM t;') || exit 1; echo $n; done";

/// SQLite by its documentation: FULL may lose what was committed last, EXTRA does not.
#[test]
fn sqlite_loses_a_commit_with_full_and_none_with_extra() {
    let Some(case) = Case::new() else { return };
    if !Path::new("/usr/bin/sqlite3").exists() {
        return not_measured("there is no sqlite3").unwrap_or_default();
    }
    let rows = "last=$(tail -n 1 $PLUGPULL_MARKS); n=$(sqlite3 app.db 'SELECT count(*) FROM t'); \
        test \"$n\" -ge \"${last:-0}\" && exit 0; echo \"$n rows of $last\"; exit 1";
    let checker = case.script("checker.sh", rows);
    let setup = "sqlite3 app.db 'CREATE TABLE t(x)'";
    let more = ["--setup", setup, "--checker", "sqlite:app.db", "--rounds", "60", "--seed", "5"];
    for (synchronous, code) in [("FULL", 100), ("EXTRA", 0)] {
        let program = ROWS.replace("SYNC", synchronous);
        let ended = torture(&case, &program, &checker, &[&JSON[..], &more].concat());
        ended.assert(code, &[]);
    }
}

/// What `check` finds in the sample programs is found live as well, and nothing is where it finds nothing. All of
/// them are run by `plugpull-subjects --live=600`.
#[test]
fn the_sample_programs_are_told_apart_live() {
    let Some(case) = Case::new() else { return };
    subjects::build(&case.path("bin")).unwrap();
    let rounds = (Duration::from_secs(30), 20);
    let quick = ["03-rename-without-dirsync", "06-append", "09-commit-by-unlink", "11-ack-first"];
    let is_quick = |form: &Form| quick.iter().any(|name| form.name.starts_with(name));
    let mut found = 0;
    for form in subjects::forms().unwrap().iter().filter(|form| is_quick(form)) {
        let lived = subjects::live(Path::new(PLUGPULL), form, &case.path("bin"), rounds);
        assert_eq!(lived.wrong, Vec::<String>::new(), "{}", form.name);
        found += u32::from(lived.found_after.is_some());
        let [rounds, _, losses] = lived.clean;
        assert!(rounds == 0 || rounds == 20 && losses > 1, "{}: {lived:?}", form.name);
    }
    assert_eq!(found, 4);
}

#[test]
fn a_broken_control_and_arguments_that_do_not_fit_are_told() {
    let Some(case) = Case::new() else { return };
    torture(&case, "exit 3", "true", &[]).assert(101, &["by itself", "exit status 3"]);
    let twice = "test -e made && exit 4; touch made";
    torture(&case, twice, "true", &[]).assert(101, &["started again", "exit status 4", "--afresh"]);
    torture(&case, twice, "true", &["--afresh", "--rounds", "5"]).assert(0, &[]);
    torture(&case, CAREFUL, "false", &[]).assert(102, &["nothing was lost"]);
    torture(&case, CARELESS, "true", &["--commits", "5"]).assert(2, &["--commits"]);
    case.run(&["torture", "--rounds", "5"]).assert(2, &["COMMAND"]);
    case.run(&["torture", "--dir", "data", "--", "true"]).assert(2, &["--checker"]);
}
