//! Programs that do much at once, on the mounted disk and beside it: both must come to the same.
//!
//! With `PLUGPULL_LONG=1`, which the nightly run sets, also what takes minutes. Not for what a crash
//! leaves of them: see `check`.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::{Mounted, mounted};
use crate::machine::not_measured;

/// Makes a repository of some commits in the directory `source`.
const REPOSITORY: &str = "git init -q source && cd source && for n in 1 2 3 4 5 6 7 8 9; do \
    mkdir -p d$n && seq $n 2000 > d$n/file && echo $n >> all && git add . && \
    git -c user.name=n -c user.email=e@x commit -q -m $n || exit 1; done";

/// Clones it, packs what came, and tells what is there then. What nothing leads to does not come along: the
/// order in which git tells of that hangs on the directory.
const CLONE: &str = "git clone -q \"file://$1\" copy && cd copy && \
    git -c maintenance.auto=false -c user.name=n -c user.email=e@x commit -q --allow-empty -m more --date=@0 && \
    git gc -q && git fsck --full --strict --no-progress && git log --format='%T %s' && \
    git ls-files -s && git count-objects -v | grep -v size && git status --porcelain";

/// What a line of the shell prints, run in a directory.
#[track_caller]
fn shell(dir: &Path, line: &str, args: &[&str]) -> String {
    let mut command = Command::new("sh");
    // No setting of the user's may change what comes out, and nothing of it runs on behind.
    command.args(["-c", line, "sh"]).args(args).current_dir(dir);
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    command.env("CARGO_TARGET_DIR", "target").env("CARGO_NET_OFFLINE", "true");
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// The same on the mounted disk and beside it.
#[track_caller]
fn assert_same(here: &Mounted, line: &str, args: &[&str]) {
    let beside = TempDir::new().unwrap();
    let right = shell(beside.path(), line, args);
    assert_eq!(shell(here.dir.path(), line, args), right);
    assert!(!right.is_empty());
    here.assert_recorded();
}

fn is_long() -> bool {
    std::env::var_os("PLUGPULL_LONG").is_some_and(|long| long == "1")
}

fn is_there(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

#[test]
fn two_writers_of_one_database_lose_nothing() {
    if !is_there("sqlite3") {
        let _: Option<()> = not_measured("there is no sqlite3");
        return;
    }
    mounted(|here| {
        let line = "sqlite3 a.db 'pragma journal_mode = wal; create table t(w, n)' > /dev/null\n\
            writer() {\n\
            \x20 { echo .timeout 60000; seq 300 | sed \"s/.*/insert into t values('$1', &);/\"; } |\n\
            \x20   sqlite3 -batch -bail a.db || echo \"writer $1 failed\"\n\
            }\n\
            writer a & writer b & wait\n\
            sqlite3 a.db 'select w, count(*), sum(n) from t group by w; pragma integrity_check'";
        assert_same(&here, line, &[]);
    });
}

#[test]
fn a_clone_is_packed_as_beside_the_mount() {
    if !is_there("git") {
        let _: Option<()> = not_measured("there is no git");
        return;
    }
    let source = TempDir::new().unwrap();
    shell(source.path(), REPOSITORY, &[]);
    mounted(move |here| {
        let path = source.path().join("source");
        assert_same(&here, CLONE, &[path.to_str().unwrap()]);
    });
}

#[test]
fn this_repository_is_cloned_and_packed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    if !is_long() || !root.join(".git").exists() {
        eprintln!("left out: PLUGPULL_LONG=1 in a git repository");
        return;
    }
    mounted(|here| assert_same(&here, CLONE, &[root.to_str().unwrap()]));
}

#[test]
fn a_crate_is_built_and_tested() {
    if !is_long() {
        eprintln!("left out: PLUGPULL_LONG=1");
        return;
    }
    mounted(|here| {
        let line = "cargo new --quiet --vcs none tiny && cd tiny && cargo build --quiet && \
            cargo run --quiet && cargo test --quiet > /dev/null && touch src/main.rs && \
            cargo build --quiet && cargo build --quiet --release && target/release/tiny";
        assert_same(&here, line, &[]);
    });
}
