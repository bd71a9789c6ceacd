//! Ctrl-C, at any moment.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::{case, is_empty, result};
use crate::program::{Ended, command, send};

/// A Ctrl-C must be answered in this time, on a disk that others use, too.
const SOON: Duration = Duration::from_secs(10);

/// Starts a long run on a directory, waits until it works there, and so long more; then interrupts it.
fn interrupted(dir: &Path, args: &[&str], with: Signal, later: Duration) -> Ended {
    let mut bench = command(["bench", "--budget=10m"]);
    let child = bench.args(args).arg(dir).stdout(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    while is_empty(dir) {
        assert!(begun.elapsed() < SOON, "it never began");
        thread::sleep(Duration::from_millis(2));
    }
    thread::sleep(later);
    send(&child, with);
    let asked = Instant::now();
    let ended = child.wait_with_output().unwrap().into();
    assert!(asked.elapsed() < SOON, "{:?} {ended:#?}", asked.elapsed());
    ended
}

#[test]
fn ctrl_c_prints_a_partial_table_and_leaves_no_files() {
    for with in [Signal::SIGINT, Signal::SIGTERM] {
        let dir = TempDir::new().unwrap();
        let few = ["--only=append/*", "--size=4K"];
        // Within the first round, which takes a minute, at least one has had their turn.
        let ended = interrupted(dir.path(), &few, with, Duration::from_secs(3));
        ended.assert(130, &[]);
        assert!(ended.out.contains("PARTIAL: ended by a signal"), "{ended:#?}");
        assert!(ended.out.contains("  append/"), "{ended:#?}");
        assert!(is_empty(dir.path()), "{:?}", fs::read_dir(dir.path()).unwrap().next());
    }
}

#[test]
fn ctrl_c_before_anything_was_measured_leaves_no_files() {
    for later in [0, 5, 20, 100] {
        let dir = TempDir::new().unwrap();
        let kept = TempDir::new().unwrap();
        let file = kept.path().join("a.json");
        let args = ["--json", file.to_str().unwrap(), "--message-format=json-lines"];
        let ended = interrupted(dir.path(), &args, Signal::SIGINT, Duration::from_millis(later));
        let told = result(ended.assert(130, &[]));
        assert_eq!(told["ended"], "ended by a signal");
        assert!(file.exists() && is_empty(dir.path()));
    }
}

#[test]
fn what_was_measured_until_then_is_in_the_result() {
    let dir = TempDir::new().unwrap();
    let args = ["--only=overwrite/none", "--size=4K", "--message-format=json-lines"];
    let ended = interrupted(dir.path(), &args, Signal::SIGINT, Duration::from_secs(1));
    // One strategy that may run only so often is done long before.
    let told = result(&ended);
    assert!(case(&told, "overwrite/none")["runs"].as_u64().unwrap() > 0, "{told:#}");
}
