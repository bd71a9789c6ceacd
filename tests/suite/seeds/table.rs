//! Holds `table.tsv` to what it says: every seed test has a counterpart, and the counterpart exists.
//!
//! Whether a counterpart tests the right thing is for a reader to judge.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const TABLE: &str = include_str!("table.tsv");

/// All 87 tests of the first seed, and the 3 of the second.
const SEED_TESTS: usize = 90;

fn rows() -> Vec<(&'static str, &'static str)> {
    TABLE.lines().map(|line| line.split_once('\t').expect("two columns")).collect()
}

#[test]
fn every_seed_test_has_one_row() {
    let names: BTreeSet<_> = rows().iter().map(|(seed, _)| *seed).collect();
    assert_eq!(names.len(), rows().len(), "a seed test is named twice");
    assert_eq!(names.len(), SEED_TESTS);
    let well_formed = |name: &&str| name.split_once("::test_").is_some();
    assert!(names.iter().all(well_formed), "{names:?}");
}

#[test]
fn every_counterpart_exists() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let benches = fs::read_to_string(package.join("../ci/latency-budget.toml")).unwrap();
    let missing: Vec<_> = rows()
        .into_iter()
        .filter(|(_, ours)| match ours.strip_prefix("bench:") {
            Some(id) => !benches.contains(&format!("\n[{id}]\nmedian_us = 5000\n")),
            None => !is_test(&package.join("suite/seeds"), ours),
        })
        .collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

/// Whether `module::name` is a function right below `#[test]` in that module's file.
fn is_test(seeds: &Path, ours: &str) -> bool {
    let (module, name) = ours.split_once("::").expect("module::test");
    let source = fs::read_to_string(seeds.join(format!("{module}.rs"))).unwrap();
    source.contains(&format!("#[test]\nfn {name}() {{"))
}
