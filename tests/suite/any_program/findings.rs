//! What is found is found again: by its token, from a recording, with any number of workers.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::Value;

use super::{CAREFUL, CARELESS, Case, JSON, PROMISED, lines, token};
use crate::machine::not_measured;
use crate::program::Ended;

/// Enough for every finding here, and the same amount each time.
const BUDGET: [&str; 2] = ["--budget", "400"];

fn options<'a>(parts: &[&[&'a str]]) -> Vec<&'a str> {
    parts.concat()
}

/// What two runs must have in common: all but times, paths, and numbers of workers.
fn essence(ended: &Ended) -> Vec<Value> {
    let mut lines = lines(ended);
    lines.retain(|line| line["event"] != "start");
    for line in &mut lines {
        let line = line.as_object_mut().unwrap();
        for name in ["recording", "replay", "kept"] {
            line.remove(name);
        }
    }
    lines
}

#[test]
fn a_missing_barrier_is_found_told_and_found_again() {
    let Some(case) = Case::new() else { return };
    let checker = case.script("checker.sh", PROMISED);
    let more = options(&[&JSON, &["--recording", "run.plug"]]);
    let found = case.check(CARELESS, &checker, &more);
    found.assert(100, &[]);
    let all = lines(&found);
    let end = all.last().unwrap();
    assert_eq!((&end["event"], &end["exit"]), (&"end".into(), &100.into()));
    assert_eq!(found.events("start")[0]["operations"].as_u64().unwrap(), 6);
    assert_eq!(found.events("start")[0]["marks"], 2);
    let token = token(&found);
    let replay = options(&[&["replay", &token, "--recording", "run.plug"], &JSON]);
    let again = case.run(&replay);
    again.assert(100, &[]);
    let told = &again.events("replayed")[0];
    assert_eq!(told["message"], found.events("finding")[0]["message"]);
    assert!(told["tale"].as_array().is_some_and(|tale| !tale.is_empty()));
    let holds = fs::read_to_string(format!("{}/f", told["kept"].as_str().unwrap())).unwrap();
    let message = told["message"].as_str().unwrap();
    let words = format!("f holds '{}', promised", holds.trim_end());
    assert!(message.starts_with(&words), "{message} {holds}");
    // On another machine the directory may not be there.
    fs::remove_dir_all(case.dir()).unwrap();
    let elsewhere = case.run(&replay);
    elsewhere.assert(100, &["do not find the state"]);
    assert_eq!(elsewhere.events("replayed")[0]["message"], told["message"]);
}

#[test]
fn people_are_told_the_missing_barrier_and_the_line_that_shows_it_again() {
    let Some(case) = Case::new() else { return };
    let checker = case.script("checker.sh", PROMISED);
    let found = case.check(CARELESS, &checker, &[]);
    found.assert(100, &[]);
    for part in ["FINDING", "missing: fsync", "--- power cut ---", "again: plugpull replay pp1:"] {
        assert!(found.out.contains(part), "{part}: {}", found.out);
    }
    // The kept recording is found by the token alone, and by the line as it is printed.
    let again = found.out.lines().find_map(|line| line.trim().strip_prefix("again: plugpull "));
    let words: Vec<_> = again.unwrap().split(' ').collect();
    case.run(&words).assert(100, &[]);
    let by_token = case.run(&words[..2]);
    by_token.assert(100, &[]);
    assert!(by_token.out.contains("VIOLATION f holds"), "{by_token:#?}");
    let healthy = case.run(&[words[0], words[1], "--checker", "exit:true"]);
    healthy.assert(0, &[]);
}

#[test]
fn a_program_without_the_mistake_passes() {
    let Some(case) = Case::new() else { return };
    let checker = case.script("checker.sh", PROMISED);
    let passed = case.check(CAREFUL, &checker, &[]);
    passed.assert(0, &[]);
    assert!(passed.out.contains("no violation"), "{}", passed.out);
    assert!(passed.out.contains("with no barrier at all the checker fails"), "{}", passed.out);
    assert!(!case.path("tmp/plugpull-recordings").exists());
}

#[test]
fn one_recording_gives_the_same_findings_whoever_looks() {
    let Some(case) = Case::new() else { return };
    let checker = case.script("checker.sh", PROMISED);
    let more = options(&[&JSON, &BUDGET, &["--recording", "run.plug", "--jobs", "1"]]);
    let found = case.check(CARELESS, &checker, &more);
    found.assert(100, &[]);
    let explore = |more: &[&str]| {
        let explored = case.run(&options(&[&["explore", "run.plug"], &JSON, &BUDGET, more]));
        explored.assert(100, &[]);
        essence(&explored)
    };
    // The recording knows its checker.
    assert_eq!(explore(&["--jobs", "2"]), essence(&found));
    assert_eq!(explore(&["--jobs", "1", "--checker", &checker]), essence(&found));
    let sampled = ["--tier", "3", "--window", "2", "--seed", "any text"];
    assert_eq!(explore(&sampled), explore(&sampled));
}

#[test]
fn recorded_now_and_explored_later_is_the_same_as_checked() {
    let Some(case) = Case::new() else { return };
    let checker = case.script("checker.sh", PROMISED);
    let recorded = case.record(CARELESS, &JSON);
    recorded.assert(0, &[]);
    assert_eq!(recorded.events("recorded")[0]["operations"], 6);
    case.run(&["explore", "run.plug"]).assert(2, &["--checker"]);
    let more = options(&[&JSON, &BUDGET, &["--checker", &checker]]);
    let explored = case.run(&options(&[&["explore", "run.plug"], &more]));
    explored.assert(100, &[]);
    let found = case.check(CARELESS, &checker, &options(&[&JSON, &BUDGET]));
    let ids = |ended: &Ended| -> Vec<_> {
        let findings = ended.events("finding").into_iter();
        findings.map(|finding| (finding["id"].clone(), finding["message"].clone())).collect()
    };
    assert_eq!(ids(&explored), ids(&found));
    assert!(!ids(&found).is_empty());
}

/// Whether a program is installed.
#[track_caller]
fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    found || not_measured::<()>(&format!("{program} is not installed")).is_some()
}

/// Runs a program again and again, with other seeds and numbers of workers: each time the same causes must
/// be found, under the same ids.
#[track_caller]
fn same_ids(case: &Case, checker: &str, program: fn(u32) -> String) -> BTreeSet<String> {
    let ids = |round: u32| {
        let [seed, jobs] = [format!("seed {round}"), (1 + round % 2).to_string()];
        let more = ["--model", "ext4", "--window", "64", "--seed", &seed, "--jobs", &jobs];
        let found = case.check(&program(round), checker, &options(&[&more, &JSON]));
        found.assert(100, &[]);
        let ids: Vec<_> = found.events("finding").iter().map(|it| it["id"].to_string()).collect();
        let set: BTreeSet<_> = ids.iter().cloned().collect();
        assert_eq!(set.len(), ids.len(), "two findings have one id: {ids:?}");
        (set, found.out)
    };
    let (first, told) = ids(0);
    for round in 1..3 {
        let (other, again) = ids(round);
        assert_eq!(first, other, "{told}\n{again}");
    }
    first
}

#[test]
fn a_finding_has_one_id_whatever_random_names_the_program_draws() {
    let Some(case) = Case::new() else { return };
    let sed = same_ids(&case, "old-or-new:f", |_| "sed -i s/0/1/ f".to_owned());
    let python = has("python3").then(|| {
        same_ids(&case, "old-or-new:f", |_| {
            "python3 -c '\nimport os, tempfile\nfile, path = tempfile.mkstemp(dir=\".\")\n\
             os.write(file, b\"value 1\\n\")\nos.replace(path, \"f\")'"
                .to_owned()
        })
    });
    // The same barrier is missing in both.
    assert!(python.is_none_or(|python| !python.is_disjoint(&sed)));
    let log = same_ids(&case, "old-or-new:f", |_| "echo value 1 >> f; echo done".to_owned());
    assert!(log.is_disjoint(&sed), "{log:?} {sed:?}");
}

#[test]
fn a_finding_has_one_id_whatever_the_names_of_objects_are() {
    let Some(case) = Case::new() else { return };
    if !has("git") {
        return;
    }
    let made = Command::new("git").args(["init", "-q"]).current_dir(case.dir()).status();
    assert!(made.unwrap().success());
    same_ids(&case, "git", |round| {
        // Objects are named by a hash over the time as well.
        let time = 1_800_000_000 + round;
        format!(
            "export GIT_AUTHOR_DATE='@{time} +0000' GIT_COMMITTER_DATE='@{time} +0000'; git add f; \
             git -c user.name=t -c user.email=t@e commit -q -m 'round {round}' && echo committed"
        )
    });
}
