//! `--timing`: where the time of a command and of torture's commits goes.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use faultfs::{Call, CallKind, SimFs, Watched, Watcher};
use nix::fcntl::{Flock, FlockArg};
use plugpull::timing::Spent;
use plugpull::timing::stopwatch::Stopwatch;
use plugpull_store::{Options, Store};
use tempfile::TempDir;

use crate::program::{Ended, command, plugpull};

/// The rows of the table, by name: calls, and the longest in milliseconds.
fn rows(text: &str) -> BTreeMap<String, (u64, f64)> {
    let mut rows = BTreeMap::new();
    for line in text.lines().filter(|line| line.ends_with('%') && !line.contains("the rest")) {
        let (name, figures) = line.trim().split_at(10);
        let words: Vec<_> = figures.split_whitespace().collect();
        // calls, p50, p90, p99, max, total, share; a time is two words, a missing one is one.
        let longest = words.len() - 5;
        let unit = match words[longest + 1] {
            "s" => 1e3,
            "ms" => 1.0,
            "us" => 1e-3,
            _ => 1e-6,
        };
        let longest = words[longest].parse::<f64>().unwrap() * unit;
        rows.insert(name.trim().to_owned(), (words[0].parse().unwrap(), longest));
    }
    rows
}

fn store_with_a_file() -> TempDir {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("file"), "bytes").unwrap();
    run(&dir, &["store", "init", "store"]).assert(0, &[]);
    dir
}

fn run(dir: &TempDir, args: &[&str]) -> Ended {
    command(args).current_dir(dir.path()).output().unwrap().into()
}

#[test]
fn a_put_is_a_barrier_of_its_file_and_one_of_its_directory() {
    let dir = store_with_a_file();
    let timed = run(&dir, &["store", "put", "store", "file", "--timing"]);
    let rows = rows(&timed.assert(0, &["how long the calls take"]).err);
    for (step, calls) in [("fsync", 1), ("dir fsync", 1), ("rename", 1), ("whole", 1)] {
        assert_eq!(rows[step].0, calls, "{step} in {}", timed.err);
    }
    assert_eq!(timed.out.lines().count(), 1, "only the id: {timed:?}");
    let silent = run(&dir, &["store", "put", "store", "file"]);
    assert_eq!((&*silent.err, silent.out), ("", timed.out));
}

/// Whether the process waits for a flock, as /proc/locks says.
fn waits_for_a_lock(pid: u32) -> bool {
    let locks = fs::read_to_string("/proc/locks").unwrap();
    let mut waiting = locks.lines().filter(|line| line.contains("-> FLOCK"));
    waiting.any(|line| line.split_whitespace().any(|word| word == pid.to_string()))
}

#[test]
fn who_waits_for_another_process_sees_it_as_a_wait_for_a_lock() {
    const HELD: Duration = Duration::from_millis(30);
    let dir = store_with_a_file();
    // The lock of `main`, docs/formats.md.
    let lock = fs::File::open(dir.path().join("store/locks/ref-13")).unwrap();
    let lock = Flock::lock(lock, FlockArg::LockExclusive).unwrap();
    let commit = ["store", "--timing", "commit", "store", "-m", "one", "file"];
    let child = command(commit).current_dir(dir.path()).spawn().unwrap();
    while !waits_for_a_lock(child.id()) {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(HELD);
    drop(lock);
    let ended = Ended::from(child.wait_with_output().unwrap());
    let rows = rows(&ended.assert(0, &[]).err);
    assert!(rows["lock wait"].1 >= 30.0, "{}", ended.err);
    assert_eq!((rows["fsync"].0, rows["rename"].0), (4, 4), "{}", ended.err);
}

/// A disk whose barriers of files are slow.
struct Slow;

const SLOW: Duration = Duration::from_millis(20);

impl Watcher for Slow {
    fn before(&self, call: &Call<'_>) -> io::Result<()> {
        if call.kind == CallKind::SyncAll {
            std::thread::sleep(SLOW);
        }
        Ok(())
    }
}

#[test]
fn a_slow_barrier_is_seen_where_it_is() {
    let stopwatch = Arc::new(Stopwatch::new(true));
    let disk = Watched::new(SimFs::new(), Arc::new(Slow));
    let disk = Watched::new(disk, Arc::clone(&stopwatch));
    let store = Store::init_on(disk, Path::new("/store"), Options::default()).unwrap();
    stopwatch.begin();
    let _ = store.put(b"bytes").unwrap();
    let times = stopwatch.end().unwrap();
    let slow = u64::try_from(SLOW.as_nanos()).unwrap();
    let longest = |spent: &Spent| times.calls[spent].iter().copied().max().unwrap();
    assert_eq!(times.calls[&Spent::Fsync].len(), 1);
    assert!(longest(&Spent::Fsync) >= slow && times.whole >= slow, "{times:?}");
    let slowest = times.calls.keys().max_by_key(|spent| longest(spent));
    assert_eq!(slowest, Some(&Spent::Fsync), "{times:?}");
    assert_eq!(Stopwatch::new(false).end(), None);
}

/// Arguments of a short run.
const SHORT: [&str; 9] =
    ["torture", "--power-cuts", "0", "--commits", "100", "--kills", "10", "--errands", "none"];

#[test]
fn torture_times_the_commits_that_were_acknowledged() {
    let json = ["--timing", "--message-format", "json-lines"];
    let ended = plugpull(SHORT.into_iter().chain(json));
    let end = &ended.events("end")[0];
    let number = |value: &serde_json::Value| value.as_u64().unwrap();
    let (timing, commits) = (&end["timing"], number(&end["tally"]["commits"]));
    let timed = number(&timing["operations"]);
    // Who is killed between two lines has told of one commit too little.
    assert!(timed <= commits && timed + 20 >= commits, "{timed} of {commits}");
    assert!(number(&timing["calls"]["fsync"]["calls"]) >= timed, "{timing}");
    assert_eq!(number(&timing["whole"]["calls"]), timed);
    let human = plugpull(SHORT.into_iter().chain(["--timing"]));
    assert!(rows(&human.out)["whole"].0 > 0, "{human:?}");
}

#[test]
fn torture_reads_no_clock_for_commits_unless_it_is_asked_to() {
    let ended = plugpull(SHORT.into_iter().chain(["--message-format", "json-lines"]));
    assert_eq!(ended.events("end")[0]["timing"], serde_json::Value::Null);
    plugpull(["torture", "--timing", "--", "true"]).assert(2, &["--timing"]);
}
