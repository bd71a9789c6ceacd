//! What the options of `check` do: where states go, what fails a run, how far it looks, who judges.

use std::fs;

use super::{CAREFUL, CARELESS, Case, JSON, PROMISED, lines};

#[test]
fn wrong_states_are_kept_where_the_user_says() {
    let Some(case) = Case::new() else { return };
    let checker = case.script("checker.sh", PROMISED);
    let found = case.check(CARELESS, &checker, &[&JSON[..], &["--keep-states", "kept"]].concat());
    found.assert(100, &[]);
    let findings = found.events("finding");
    let kept = fs::read_dir(case.path("kept")).unwrap().count();
    assert_eq!(kept, findings.len());
    let dir = findings[0]["kept"].as_str().unwrap();
    let message = findings[0]["message"].as_str().unwrap();
    let holds = fs::read_to_string(case.path(dir).join("f")).unwrap();
    assert!(message.starts_with(&format!("f holds '{}'", holds.trim_end())), "{message} {holds}");
    // What is there already is not mixed with anything.
    let again = case.check(CARELESS, &checker, &["--keep-states", "kept"]);
    again.assert(2, &["kept", "--keep-states"]);
}

#[test]
fn what_the_setup_leaves_is_durable_and_no_promise() {
    let Some(case) = Case::new() else { return };
    let checker = case.script("checker.sh", "test \"$(cat made/by/setup)\" = old || exit 1");
    let setup = "mkdir -p made/by; echo old > made/by/setup; echo a promise, were it not the setup";
    let more = [&JSON[..], &["--setup", setup]].concat();
    let passed = case.check("echo value 1 > f", &checker, &more);
    passed.assert(0, &[]);
    assert_eq!(passed.events("start")[0]["marks"], 0);
    let failed = case.check(CARELESS, &checker, &["--setup", "echo words >&2; exit 3"]);
    failed.assert(101, &["the setup failed: exit status 3", "words"]);
}

#[test]
fn the_models_that_fail_a_run_are_the_users_choice() {
    let Some(case) = Case::new() else { return };
    let checker = case.script("checker.sh", PROMISED);
    let fails = |models: &[&str]| case.check(CARELESS, &checker, models);
    fails(&["--fail-on", "posix"]).assert(100, &[]);
    let warned = fails(&["--fail-on", "none"]);
    warned.assert(0, &[]);
    assert!(warned.out.contains("WARNING") && !warned.out.contains("FINDING"), "{}", warned.out);
    fails(&["--fail-on", "nonesuch"]).assert(2, &["--fail-on nonesuch"]);
    fails(&["--fail-on", "xfs", "--model", "ext4"]).assert(2, &["add --model xfs"]);
    fails(&["--model", "nonesuch"]).assert(2, &["nonesuch", "ext4"]);
}

#[test]
fn a_model_of_ones_own_is_looked_at_and_its_findings_replay() {
    let Some(case) = Case::new() else { return };
    let checker = case.script("checker.sh", PROMISED);
    let text = "name = 'mine'\nabout = 'x'\nextends = 'xfs'\n[rules]\ntear = 'bytes(16384)'\n";
    fs::write(case.path("mine.toml"), text).unwrap();
    let more = [&JSON[..], &["--model", "mine.toml", "--recording", "run.plug"]].concat();
    let found = case.check(CARELESS, &checker, &more);
    found.assert(100, &[]);
    let token = super::token(&found);
    let replay = ["replay", &token, "--recording", "run.plug", "--model", "mine.toml"];
    case.run(&replay).assert(100, &[]);
    assert_eq!(found.events("searched")[0]["model"], "mine");
    case.run(&replay[..4]).assert(2, &["no model `mine`", "mine.toml"]);
}

#[test]
fn a_budget_that_ends_too_soon_is_told() {
    let Some(case) = Case::new() else { return };
    let checker = case.script("checker.sh", PROMISED);
    let partial = case.check(CAREFUL, &checker, &["--budget", "3"]);
    partial.assert(5, &[]);
    assert!(partial.out.contains("the budget ended"), "{}", partial.out);
    let json = case.check(CAREFUL, &checker, &[&JSON[..], &["--budget", "3"]].concat());
    assert_eq!(lines(&json).last().unwrap()["exit"], 5);
    case.check(CAREFUL, &checker, &["--budget", "soon"]).assert(2, &["--budget"]);
}

/// A checker that is built in, a program that it finds fault with, and one that it does not.
fn built_in(checker: &str, setup: &str, bad: &str, good: &str) {
    let Some(case) = Case::new() else { return };
    let more = ["--setup", setup, "--tier", "1", "--model", "ext4", "--budget"];
    case.check(bad, checker, &[&more[..], &["200"]].concat()).assert(100, &[]);
    case.check(good, checker, &[&more[..], &["20s"]].concat()).assert(0, &[]);
}

#[test]
fn exit_and_old_or_new_judge_a_saved_file() {
    built_in("exit:grep -q value f", "true", CARELESS, CAREFUL);
    built_in("old-or-new:f", "true", CARELESS, CAREFUL);
}

#[test]
fn lines_judges_a_log() {
    let append = "for n in 1 2 3; do echo line $n >> log; echo $n; done";
    // An append alone may leave a hole under ext4, whatever follows.
    let replace = "for n in 1 2 3; do cp log t; echo line $n >> t; sync t; mv t log; sync .; \
                   echo $n; done";
    built_in("lines:log", ": > log", append, replace);
}

#[test]
fn sqlite_judges_a_database() {
    if std::process::Command::new("sqlite3").arg("-version").output().is_err() {
        return crate::machine::not_measured("sqlite3 is not installed").unwrap_or_default();
    }
    let insert = |synchronous: &str| {
        let pragma = format!("pragma synchronous = {synchronous}; pragma cache_size = 1");
        let rows = "insert into t select value, hex(randomblob(600)) from generate_series(1, 3)";
        format!("sqlite3 x.db '{pragma}; {rows}; update t set b = 1'; echo done")
    };
    let setup = "sqlite3 x.db 'create table t(a, b); create index i on t(b)'";
    built_in("sqlite:x.db", setup, &insert("off"), &insert("full"));
}

#[test]
fn git_judges_a_repository() {
    if std::process::Command::new("git").arg("--version").output().is_err() {
        return crate::machine::not_measured("git is not installed").unwrap_or_default();
    }
    let setup = "git init -q; git config user.name t; git config user.email t@e; \
                 git config gc.auto 0; echo 1 > f; git add f; git commit -q -m one";
    let commit = |fsync: &str| {
        let options = format!("-c core.fsync={fsync} -c core.fsyncMethod=fsync");
        format!("echo 2 > f; git {options} add f; git {options} commit -q -m two; echo done")
    };
    let Some(case) = Case::new() else { return };
    let more = ["--setup", setup, "--budget", "60", "--model", "ext4"];
    case.check(&commit("none"), "git", &more).assert(100, &[]);
    let safe = case.check(&commit("all"), "git", &more);
    assert!([Some(0), Some(5), Some(100)].contains(&safe.code), "{safe:#?}");
}

#[test]
fn store_judges_the_reference_store() {
    let Some(case) = Case::new() else { return };
    let plugpull = crate::program::PLUGPULL;
    let setup = format!("{plugpull} store init s");
    let good = format!("{plugpull} store put s f; echo done");
    let bad = "o=$(find s -type f | head -n 1); cp $o t; mv t $o; echo done";
    let bad = format!("{good}; {bad}");
    let more = ["--setup", &setup, "--budget", "10s"];
    case.check(&good, "store:s", &more).assert(0, &[]);
    case.check(&bad, "store:s", &more).assert(100, &[]);
}
