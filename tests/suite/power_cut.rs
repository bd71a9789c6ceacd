//! Power cuts of the store as a user explores them: nothing found in the store, every planted loss
//! found, and each found state there again by its line.

use plugpull::subject::Workload;
use tempfile::TempDir;

use crate::program::{Ended, plugpull};

/// Workloads that are looked at exhaustively.
const SMALL: usize = Workload::SMALL.len();

fn explore(args: &[&str]) -> Ended {
    plugpull(["explore", "--store", "--message-format", "json-lines"].iter().chain(args))
}

#[test]
fn nothing_is_found_in_the_store_and_every_control_shows_teeth() {
    let ended = explore(&[]);
    ended.assert(0, &[]);
    let rows = ended.events("power-cut");
    assert_eq!(rows.len(), SMALL * 11);
    let end = &ended.events("end")[0];
    assert_eq!(end["findings"], 0);
    assert_eq!(end["toothless"].as_array().unwrap().len(), 0);
    for model in end["models"].as_array().unwrap() {
        let control = model["model"] == "lying-disk";
        assert_eq!(model["control"], control);
        assert_eq!(model["runs"], SMALL, "{model}");
        assert!(model["states"].as_u64().unwrap() > 100, "{model}");
        assert_eq!(model["violations"].as_u64().unwrap() > 0, control, "{model}");
        assert!(control || model["exhaustive_runs"] == SMALL, "{model}");
        assert!(control || model["recrashed"].as_u64().unwrap() > 0, "{model}");
    }
    assert!(rows.iter().all(|row| row["events"].as_u64().unwrap() <= 100), "a run is small");
}

#[test]
fn what_is_found_does_not_depend_on_the_number_of_threads() {
    let with = |jobs| {
        let args = ["--planted", "ref-not-synced", "--workload", "commit", "--jobs", jobs];
        let ended = explore(&args);
        ended.assert(100, &[]);
        let lines: Vec<_> = ended.out.lines().skip(1).map(str::to_owned).collect();
        assert!(lines.len() > 11);
        lines
    };
    assert_eq!(with("1"), with("3"));
}

#[test]
fn a_found_state_is_there_again_by_its_line() {
    let planted = ["--planted", "object-not-synced"];
    let ended = explore(&[&planted[..], &["--workload", "put", "--model", "ext4"]].concat());
    ended.assert(100, &[]);
    let finding = &ended.events("power-cut-finding")[0];
    assert_eq!(finding["model"], "ext4");
    assert!(finding["pending"].as_array().unwrap().iter().any(|effect| effect["lost"] == true));
    let line = finding["replay"].as_str().unwrap();
    let line: Vec<_> = line.split(' ').collect();
    let dir = TempDir::new().unwrap();
    let kept = dir.path().join("state");
    let keep = ["--keep", kept.to_str().unwrap()];
    let again = explore(&[&line[..], &planted, &keep].concat());
    again.assert(100, &[]);
    let replay = &again.events("replay")[0];
    assert_eq!(replay["violations"], finding["violations"]);
    assert_eq!(replay["pending"], finding["pending"]);
    assert_eq!(replay["point"], finding["point"]);
    // The disk of that state, for a look by hand: the store's own audit fails on it, too.
    let store = kept.join("store");
    plugpull(["audit", store.to_str().unwrap()]).assert(100, &[]);
    // Without the mistake it is another run.
    explore(&line).assert(2, &["the token is of another run"]);
}

#[test]
fn people_get_a_table_and_the_line_that_makes_a_finding_again() {
    let ended =
        plugpull(["explore", "--store", "--workload", "put", "--planted", "object-not-synced"]);
    ended.assert(100, &[]);
    let told =
        ["power cuts under", "(control: no barrier holds)", "VIOLATION in put seed 1 size 2"];
    let told = told.iter().chain(&["lost  ", "again: plugpull explore --store --workload put"]);
    for text in told.chain(&["not looked at: "]) {
        assert!(ended.out.contains(text), "{text:?} is not in {}", ended.out);
    }
}

#[test]
fn a_search_that_did_not_come_to_its_end_says_so() {
    let ended = explore(&["--workload", "mixed", "--size", "8", "--budget", "20"]);
    ended.assert(5, &[]);
    assert!(ended.events("end")[0]["models"][1]["complete"] == false);
    let ended = explore(&["--workload", "cas-race", "--window", "4", "--model", "posix"]);
    ended.assert(5, &[]);
    assert!(!ended.events("power-cut")[0]["too_large"].as_array().unwrap().is_empty());
    // A time that is over at once looks at nothing.
    explore(&["--budget", "1us"]).assert(4, &[]);
}

#[test]
fn wrong_arguments_are_told_with_their_remedy() {
    plugpull(["explore"]).assert(2, &["--store"]);
    explore(&["--workload", "puts"]).assert(2, &["no workload \"puts\"", "put-from-path"]);
    explore(&["--model", "ext5"]).assert(2, &["no model `ext5`"]);
    explore(&["--budget", "much"]).assert(2, &["a number of states"]);
    explore(&["--tier", "4"]).assert(2, &["0..=3"]);
    explore(&["--replay", "x", "--workload", "put"]).assert(2, &["is no replay token"]);
    explore(&["--replay", "pp1:ext4:1:2:-"]).assert(2, &["needs the --workload"]);
    explore(&["--keep", "/tmp/x"]).assert(2, &["--replay"]);
    explore(&["--planted", "no-such"]).assert(2, &["no planted mistake"]);
}
