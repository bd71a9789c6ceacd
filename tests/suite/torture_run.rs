//! The torture run as a user starts it: clean on the store, honest about what it did not do, and gone
//! without a trace when it is told to end.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use faultfs::Call;
use nix::sys::signal::Signal;
use plugpull::errand::Errand;
use plugpull::errand::perform::perform;
use plugpull::errand::seen::seen;
use plugpull::workload::Work;
use plugpull_store::Durability;
use tempfile::TempDir;

use crate::program::{Ended, command, plugpull, send};
use crate::scratch::Scratch;
use crate::taps::Hook;

/// Arguments of a run that hits every call of a commit.
const SMALL: [&str; 13] = [
    "torture",
    "--errands",
    "none",
    "--power-cuts",
    "0",
    "--commits",
    "600",
    "--kills",
    "80",
    "--message-format",
    "json-lines",
    "--seed",
    "7",
];

#[test]
fn a_run_hits_every_call_of_a_commit_and_finds_nothing() {
    let ended = plugpull(SMALL);
    ended.assert(0, &[]);
    let end = &ended.events("end")[0];
    assert_eq!(end["findings"], 0);
    assert!(end["tally"]["commits"].as_u64().unwrap() >= 600);
    assert_eq!(end["tally"]["kills"], 80);
    assert_eq!(end["tally"]["audits"], 80);
    assert!(end["tally"]["kills_inside"].as_u64().unwrap() >= 40);
    assert!(end["tally"]["orphans"].as_u64().unwrap() > 0, "no kill left a temp: {end}");
    assert!(end["tally"]["collections"].as_u64().unwrap() > 0);
    assert_eq!(end["calls_missed"].as_array().unwrap().len(), 0);
    assert_eq!(end["calls_hit"], ended.events("start")[0]["calls"]);
    assert_eq!(end["store"]["problems"], 0);
    assert!(end["store"]["commits"].as_u64() >= end["tally"]["commits"].as_u64());
    assert_eq!(end["kept"], serde_json::Value::Null);
}

#[test]
fn a_run_with_all_errands_hits_every_call_of_each_and_finds_nothing() {
    let ended = plugpull([
        "torture",
        "--power-cuts",
        "0",
        "--commits",
        "300",
        "--errands",
        "all",
        "--seed",
        "3",
        "--message-format",
        "json-lines",
    ]);
    let end = &ended.assert(0, &[]).events("end")[0];
    assert_eq!(end["findings"], 0);
    assert_eq!(end["calls_missed"].as_array().unwrap().len(), 0);
    assert!(end["tally"]["errands"].as_u64().unwrap() > 0);
    for errand in Errand::ALL {
        let kills = &end["tally"]["by_phase"][errand.name()];
        assert!(kills["at_call"].as_u64().unwrap() > 0, "{}: {end}", errand.name());
    }
}

/// The calls at which a run killed its writers, as a sorted list.
fn kill_points(ended: &Ended) -> Vec<String> {
    let mut points: Vec<_> = ended
        .events("kill")
        .iter()
        .filter(|kill| !kill["call"].is_null())
        .map(|kill| format!("{} {} {}", kill["phase"], kill["call"], kill["nth"]))
        .collect();
    points.sort_unstable();
    points
}

#[test]
fn the_same_seed_sweeps_the_same_kill_points_again() {
    let [first, second] = [plugpull(SMALL), plugpull(SMALL)];
    assert_eq!(first.events("start")[0]["plan"], second.events("start")[0]["plan"]);
    let calls = first.events("start")[0]["calls"].as_u64().unwrap();
    let [first, second] = [kill_points(&first), kill_points(&second)];
    assert_eq!(first.len(), 40);
    let distinct = |mut points: Vec<String>| {
        points.dedup();
        points
    };
    let first = distinct(first);
    assert_eq!(first, distinct(second));
    assert_eq!(first.len() as u64, calls);
}

/// On tmpfs four writers made 36,000 commits before 2,000 were heard, and their kills came late.
#[test]
fn writers_are_not_far_ahead_of_what_the_runner_has_heard() {
    let dir = TempDir::new_in("/dev/shm").unwrap_or_else(|_| TempDir::new().unwrap());
    let here = dir.path().join("run");
    let ended = plugpull(SMALL.into_iter().chain(["--dir", here.to_str().unwrap()]));
    let end = &ended.assert(0, &[]).events("end")[0];
    // Each of the 40 kills at a random time may come as many commits late as a pipe holds.
    let in_store = end["store"]["commits"].as_u64().unwrap();
    assert!(in_store < 600 + 40 * 20, "{in_store} commits for 600 that were asked for");
}

#[test]
fn a_run_without_kills_is_no_pass() {
    let ended = plugpull(["torture", "--commits", "20", "--kills", "0", "--power-cuts", "0"]);
    ended.assert(4, &[]);
    assert!(ended.out.contains("nothing was tested"), "{ended:#?}");
}

#[test]
fn a_run_that_cannot_hit_every_call_says_so() {
    let ended = plugpull(["torture", "--commits", "50", "--kills", "10"]);
    ended.assert(5, &[]);
    assert!(ended.out.contains("not everything was looked at"), "{ended:#?}");
    assert!(ended.out.contains("not hit:"), "{ended:#?}");
}

#[test]
fn a_limit_of_time_ends_the_run_with_what_was_seen() {
    let ended =
        plugpull(["torture", "--commits", "100000000", "--duration", "4s", "--power-cuts", "0"]);
    ended.assert(5, &[]);
    assert!(ended.out.contains("not everything was looked at"), "{ended:#?}");
}

#[test]
fn the_store_is_kept_on_request_and_is_a_good_store() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("here");
    let here = path.to_str().unwrap();
    let run = ["torture", "--commits", "60", "--keep", "--dir", here];
    plugpull(run).assert(0, &[]);
    let store = path.join("store");
    plugpull(["audit", store.to_str().unwrap()]).assert(0, &[]);
    // What is there is not overwritten by another run.
    plugpull(run).assert(2, &["is not empty", "name a new or an empty directory"]);
}

#[test]
fn a_directory_that_was_there_stays_and_is_empty_again() {
    let dir = TempDir::new().unwrap();
    let here = dir.path().to_str().unwrap();
    plugpull(["torture", "--commits", "60", "--dir", here]).assert(0, &[]);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

/// Starts an endless run in `dir` and waits until its first writers have been killed.
fn endless(dir: &Path) -> Child {
    let mut child = command(["torture", "--commits", "100000000"])
        .args(["--message-format", "json-lines", "--dir"])
        .arg(dir)
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    let seen = lines.map(Result::unwrap).any(|line| line.contains("\"event\":\"kill\""));
    assert!(seen, "the run ended before its first kill");
    child
}

/// Processes that work on this directory.
fn writers_of(dir: &Path) -> usize {
    let dir = dir.to_str().unwrap();
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let command_lines = processes.filter_map(|p| std::fs::read(p.path().join("cmdline")).ok());
    command_lines
        .filter(|line| {
            let line = String::from_utf8_lossy(line);
            line.contains("torture-writer") && line.contains(dir)
        })
        .count()
}

/// Waits until no writer is left; a kill needs a moment to take effect.
fn assert_no_writers(dir: &Path) {
    let gone = (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        writers_of(dir) == 0
    });
    assert!(gone, "{} writers are left", writers_of(dir));
}

#[test]
fn ctrl_c_ends_with_a_partial_report_and_leaves_nothing_behind() {
    let parent = TempDir::new().unwrap();
    let dir = parent.path().join("run");
    let mut child = endless(&dir);
    send(&child, Signal::SIGINT);
    let mut rest = String::new();
    std::io::Read::read_to_string(child.stdout.as_mut().unwrap(), &mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(rest.contains("\"event\":\"end\""), "no report: {rest}");
    assert_no_writers(&dir);
    assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);
}

#[test]
fn a_killed_runner_takes_its_writers_with_it() {
    let parent = TempDir::new().unwrap();
    let dir = parent.path().join("run");
    let mut child = endless(&dir);
    assert!(writers_of(&dir) > 0);
    send(&child, Signal::SIGKILL);
    child.wait().unwrap();
    assert_no_writers(&dir);
    // What it left is a good store, once opened.
    let store = dir.join("store");
    plugpull(["store", "log", store.to_str().unwrap(), "shared"]);
    plugpull(["audit", store.to_str().unwrap()]).assert(0, &[]);
}

#[test]
fn a_writer_is_not_for_people() {
    let part = r#"{"dir":"/","seed":1,"slot":0,"life":0,"best_effort":false,"runner":1,"die":null,"desk":"/","errands":{"weights":[]},"timing":false,"planted":null}"#;
    plugpull(["torture-writer", part]).assert(2, &["started by `plugpull torture`"]);
}

#[test]
fn the_power_is_cut_after_the_kills() {
    let run = ["torture", "--commits", "60", "--message-format", "json-lines"];
    let ended = plugpull(run);
    ended.assert(0, &[]);
    let end = &ended.events("end")[0];
    let models = end["power_cuts"].as_array().unwrap();
    assert_eq!(models.len(), 11);
    for model in models {
        let control = model["control"].as_bool().unwrap();
        assert_eq!(model["runs"], plugpull::subject::Workload::SMALL.len());
        assert_eq!(model["violations"].as_u64().unwrap() > 0, control, "{model}");
    }
    let runs = models.len() * plugpull::subject::Workload::SMALL.len();
    assert_eq!(ended.events("power-cut").len(), runs);
    assert!(!end["not_looked_at"].as_str().unwrap().contains("SIGKILL keeps the page cache"));
}

#[test]
fn a_missing_barrier_is_found_by_the_power_cuts_and_not_by_the_kills() {
    let run = ["torture", "--commits", "200", "--planted", "ref-not-synced"];
    let ended = plugpull(run.into_iter().chain(["--message-format", "json-lines"]));
    ended.assert(100, &[]);
    assert_eq!(ended.events("finding").len(), 0);
    let found = ended.events("power-cut-finding");
    assert!(found.iter().any(|finding| finding["model"] == "ext4"), "{found:?}");
    let ended = plugpull(run.into_iter().chain(["--power-cuts", "0"]));
    ended.assert(0, &[]);
    assert!(ended.out.contains("SIGKILL keeps the page cache"), "{}", ended.out);
}

/// A torture run once told of a lost log record that the store had not lost: a writer folded a summary that was
/// older than the compaction of another one into its own checkpoint.
#[test]
fn a_checkpoint_of_a_writer_keeps_what_another_one_compacted_meanwhile() {
    let scratch = Scratch::new();
    let desk = scratch.beside("desk");
    let log = |n: u64, slot| Work { slot, life: 0, n };
    let other = scratch.open();
    let (ready, armed) = (AtomicBool::new(false), AtomicBool::new(false));
    let meanwhile = Arc::new(Hook(|call: &Call<'_>| {
        if call.path.ends_with("checkpoint.json") {
            armed.store(ready.load(Ordering::Relaxed), Ordering::Relaxed);
        } else if call.path.ends_with("locks/oplog") && armed.swap(false, Ordering::Relaxed) {
            ready.store(false, Ordering::Relaxed);
            // Number 16 of a life writes a checkpoint and compacts.
            for work in [log(1, 2), log(16, 1), log(17, 1)] {
                perform(&other, Errand::Log, work, &desk).unwrap();
            }
        }
    }));
    let store = scratch.watched(&meanwhile, Durability::Strict);
    ready.store(true, Ordering::Relaxed);
    perform(&store, Errand::Log, log(16, 0), &desk).unwrap();
    assert!(other.log(0).unwrap().base > 0, "nothing was compacted");
    for (slot, n) in [(0, 16), (1, 17), (2, 1)] {
        let seen = seen(&other, Errand::Log, slot, &desk).unwrap();
        assert_eq!(seen, Ok(Some(log(n, slot))));
    }
}
