//! Shards judge each their part and are put together, and an interrupted run goes on: both come to what
//! one run comes to.

use std::fs;

use plugpull_tests::subjects;
use serde_json::Value;

use super::{CAREFUL, CARELESS, Case, JSON, PROMISED, lines};
use crate::program::Ended;

/// What is told at the end: all but times, places and how many checks ran at a time.
fn told(ended: &Ended) -> Vec<Value> {
    let mut told = lines(ended);
    told.retain(|line| line["event"] != "start");
    for line in &mut told {
        let line = line.as_object_mut().unwrap();
        for name in ["recording", "replay", "kept"] {
            line.remove(name);
        }
    }
    told
}

/// The words of a command line with a program at its end.
fn check<'a>(checker: &'a str, program: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut args = vec!["check", "--dir", "data", "--checker", checker];
    args.extend(JSON);
    args.extend(more);
    args.push("--");
    args.extend(program.split(' '));
    args
}

fn copy(case: &Case, from: &str, to: &str) {
    fs::create_dir(case.path(to)).unwrap();
    for entry in fs::read_dir(case.path(from)).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), case.path(to).join(entry.file_name())).unwrap();
    }
}

#[test]
fn shards_put_together_are_the_single_run() {
    for (script, exit) in [(CARELESS, 100), (CAREFUL, 0)] {
        let Some(case) = Case::new() else { return };
        let checker = case.script("checker.sh", PROMISED);
        let program = case.script("program.sh", script);
        let base = check(&checker, &program, &["--results", "base", "--record-only"]);
        case.run(&base).assert(0, &[]);
        let single = case.run(&["explore", "base/sh.plug", "--message-format", "json-lines"]);
        single.assert(exit, &[]);
        let mut judged = Vec::new();
        for kind in ["hash", "slice"] {
            let mut shards = Vec::new();
            for m in 1..=4 {
                let dir = format!("{kind}-{m}");
                copy(&case, "base", &dir);
                let part = format!("{kind}:{m}/4");
                let more = ["--results", &dir, "--resume", "--partition", &part];
                let shard = case.run(&check(&checker, &program, &more));
                assert!([0, 100].contains(&shard.code.unwrap()), "{shard:#?}");
                let survived = |line: &Value| {
                    line["survived"].as_u64().unwrap() + line["violated"].as_u64().unwrap()
                };
                judged.push(shard.events("searched").iter().map(survived).sum::<u64>());
                shards.push(dir);
            }
            let shards: Vec<_> = shards.iter().map(String::as_str).collect();
            let merge = [&["merge"][..], &shards, &JSON].concat();
            let merged = case.run(&merge);
            merged.assert(exit, &[]);
            assert_eq!(told(&merged), told(&single), "{kind}");
            // Without one of them nothing is taken for looked at that was not.
            let merged = case.run(&[&["merge"][..], &shards[..3], &JSON].concat());
            let end = if exit == 0 { 5 } else { exit };
            merged.assert(end, &[&format!("nobody brought {kind}:4/4")]);
            let missing = merged.events("searched");
            assert!(missing.iter().any(|line| line["not_measured"].as_u64() > Some(0)));
        }
        // Each had something to do, and none had everything.
        let all = told(&single).iter().filter_map(|line| line["survived"].as_u64()).sum::<u64>();
        assert!(judged.iter().all(|n| *n > 0), "{judged:?} of {all}");
    }
}

/// The same without the tokens of recoveries, which whoever records one runs anew.
fn told_twice(ended: &Ended) -> Vec<Value> {
    let mut told = told(ended);
    for line in told.iter_mut().filter(|line| line["event"] == "finding") {
        line["token"] = Value::Null;
    }
    told
}

/// Second power cuts: each shard records the recoveries in its own states.
#[test]
fn second_power_cuts_of_shards_put_together_are_the_single_run() {
    let script = |form: &str, name: &str| {
        let path = subjects::directory().join("15-recovery").join(form).join(name);
        path.to_str().unwrap().to_owned()
    };
    for (form, exit) in [("buggy", 100), ("fixed", 0)] {
        let Some(case) = Case::new() else { return };
        let [setup, checker, run] = ["setup", "check", "run"].map(|name| script(form, name));
        let recrash = ["--setup", &setup, "--model", "xfs", "--recrash", "1"];
        let base = [&recrash[..], &["--results", "base", "--record-only"]].concat();
        case.run(&check(&checker, &run, &base)).assert(0, &[]);
        let explore = ["explore", "base/run.plug", "--model", "xfs", "--recrash", "1"];
        let single = case.run(&[&explore[..], &JSON].concat());
        single.assert(exit, &[]);
        let mut recorded = Vec::new();
        for m in 1..=2 {
            let (dir, part) = (format!("part-{m}"), format!("hash:{m}/2"));
            copy(&case, "base", &dir);
            let more = ["--results", &dir, "--resume", "--partition", &part];
            let shard = case.run(&check(&checker, &run, &[&recrash[..], &more].concat()));
            assert!([0, 100].contains(&shard.code.unwrap()), "{shard:#?}");
            recorded.push(shard.events("end")[0]["recrash"]["recorded"].as_u64().unwrap());
        }
        let merged = case.run(&[&["merge", "part-1", "part-2"][..], &JSON].concat());
        merged.assert(exit, &[]);
        assert_eq!(told_twice(&merged), told_twice(&single));
        let all = single.events("end")[0]["recrash"]["recorded"].as_u64().unwrap();
        assert!(recorded.iter().all(|n| (1..all).contains(n)), "{recorded:?} of {all}");
        // The recoveries of a shard that is gone are missed.
        fs::remove_dir_all(case.path("part-2/run.recoveries")).unwrap();
        let lacking = case.run(&[&["merge", "part-1", "part-2"][..], &JSON].concat());
        assert_eq!(lacking.code, Some(if exit == 0 { 5 } else { exit }), "{lacking:#?}");
        let told = &lacking.events("end")[0]["recrash"];
        assert!(told["not_measured"].as_u64() > Some(0), "{told}");
        assert!(told["hindered"].as_str().unwrap().contains("no shard"), "{told}");
    }
}

#[test]
fn an_interrupted_run_goes_on_to_the_same_result() {
    let Some(case) = Case::new() else { return };
    let checker = case.script("checker.sh", PROMISED);
    let program = case.script("program.sh", CARELESS);
    let whole = case.run(&check(&checker, &program, &["--results", "whole"]));
    whole.assert(100, &[]);
    // As SIGKILL leaves it: some verdicts, and half a line.
    copy(&case, "whole", "part");
    let verdicts = fs::read_to_string(case.path("part/sh.verdicts")).unwrap();
    let all = verdicts.lines().count();
    fs::write(case.path("part/sh.verdicts"), &verdicts[..verdicts.len() / 2 + 7]).unwrap();
    // The program is not run again: it could not be.
    fs::write(case.path("program.sh"), "exit 1\n").unwrap();
    let more = ["--results", "part", "--resume"];
    let resumed = case.run(&check(&checker, &program, &more));
    resumed.assert(100, &[]);
    assert_eq!(told(&resumed), told(&whole));
    let verdicts = fs::read_to_string(case.path("part/sh.verdicts")).unwrap();
    assert_eq!(verdicts.lines().count(), all);
    // With everything known no state is judged again, whatever the checker would say now.
    fs::write(case.path("checker.sh"), "exit 0\n").unwrap();
    let explored = ["explore", "part/sh.plug", "--results", "part", "--resume"];
    let known = case.run(&[&explored[..], &JSON].concat());
    known.assert(100, &[]);
}

#[test]
fn results_of_something_else_are_refused() {
    let Some(case) = Case::new() else { return };
    let checker = case.script("checker.sh", PROMISED);
    let program = case.script("program.sh", CARELESS);
    case.run(&check(&checker, &program, &["--results", "a"])).assert(100, &[]);
    case.run(&check(&checker, &program, &["--results", "a"])).assert(2, &["--resume"]);
    case.run(&check(&checker, &program, &["--resume"])).assert(2, &["--results"]);
    let wrong = ["--results", "b", "--partition", "hash:5/4"];
    case.run(&check(&checker, &program, &wrong)).assert(2, &["hash:1/4"]);
    let more = ["--results", "a", "--resume", "--partition", "hash:1/2"];
    case.run(&check(&checker, &program, &more)).assert(2, &["same --partition"]);
    let more = ["--results", "a", "--resume"];
    case.run(&check("exit:true", &program, &more)).assert(2, &["other checkers"]);
    let other = case.script("program.sh", CAREFUL);
    case.run(&check(&checker, &other, &["--results", "c"])).assert(0, &[]);
    case.run(&["merge", "a", "c"]).assert(2, &["runs that differ", "--record-only"]);
    case.run(&["merge", "data"]).assert(2, &["no results"]);
    case.run(&["merge", "nowhere"]).assert(2, &["nowhere"]);
    case.run(&["explore", "--store", "--results", "d"]).assert(2, &["recordings"]);
}
