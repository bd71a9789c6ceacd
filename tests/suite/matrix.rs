//! docs/findings.md is true: each finding of its tables is found again in the run that it names.
//!
//! Not for the search, the counts, or the whole control: `plugpull-matrix --check` makes them again.

use std::path::Path;

use plugpull::subject::Workload;
use plugpull_tests::matrix::{self, Mistake, Try};

const RENEW: &str = "to renew docs/findings.md, put between its two marker lines what this prints: \
     cargo run --release -p plugpull-tests --bin plugpull-matrix";

const JOBS: usize = 2;

/// The rows of the two tables: their columns.
fn rows() -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(matrix::document()).unwrap();
    let kept = matrix::kept(&text).expect("the two marker lines").to_owned();
    let lines = kept.lines().filter(|line| line.starts_with("| "));
    let columns = |line: &str| {
        let line = line.trim_start_matches("| ").trim_end_matches(" |");
        line.split(" | ").map(|column| column.trim().to_owned()).collect()
    };
    let is_row = |row: &Vec<String>| !["barrier", "mistake"].contains(&&*row[0]);
    lines.map(columns).filter(is_row).collect()
}

#[test]
fn every_barrier_and_every_mistake_has_its_row() {
    let found: Vec<String> = rows().into_iter().map(|row| row[0].clone()).collect();
    let all: Vec<_> = Mistake::all().into_iter().map(Mistake::name).collect();
    assert_eq!(found, all, "{RENEW}");
    assert!(all.len() >= 60, "{}", all.len());
}

#[test]
fn every_finding_is_found_again_in_its_run() {
    let rows: Vec<_> = Mistake::all().into_iter().zip(rows()).collect();
    let wrong = matrix::in_parallel(&rows, JOBS, &|(mistake, row)| {
        if let Some(litmus) = mistake.litmus() {
            return (!row.iter().any(|column| column.contains(litmus))).then(|| row[0].clone());
        }
        let [_, _, _, place, run, _, what] = row.as_slice() else {
            return Some(format!("{}: not found, or not a row of 7 columns", row[0]));
        };
        let again = matrix::reproduce(*mistake, run, place);
        (again.as_deref() != Some(what)).then(|| format!("{}: {again:?}, not {what:?}", row[0]))
    });
    let wrong: Vec<_> = wrong.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{wrong:#?}\n{RENEW}");
}

#[test]
fn a_litmus_test_that_is_named_is_there() {
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("suite");
    let sources: Vec<_> = crate::scratch::files_below(&suite)
        .into_iter()
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    for litmus in Mistake::all().into_iter().filter_map(Mistake::litmus) {
        let named = format!("fn {litmus}()");
        assert!(sources.iter().any(|text| text.contains(&named)), "{litmus}");
    }
}

#[test]
fn the_store_without_a_mistake_is_not_flagged() {
    let run = |(workload, seed)| Try { workload, seed, size: 2, fault: None };
    let runs = [
        (Workload::Put, 1),
        (Workload::Commit, 1),
        (Workload::Repair, 1),
        (Workload::Text, 1),
        (Workload::OpenRace, 1),
        (Workload::AfterKill, 18),
        (Workload::AfterKill, 22),
        (Workload::AfterKill, 46),
    ];
    let control = matrix::control(&runs.map(run), JOBS);
    assert_eq!(control.violations, [""; 0]);
    assert!(control.states > 1000 && control.spoiled == control.runs, "{control:?}");
}
