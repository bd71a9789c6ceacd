//! `docs/persistence-models.md` held against the models and the litmus tests: each rule has a number
//! and names the litmus pairs that flip with it, the table of presets is the presets, examples work.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use faultfs::{Model, Rules, Tear};

use super::Version::{Buggy, Fixed};
use super::{all, changes};

fn document() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    fs::read_to_string(root.join("docs/persistence-models.md")).unwrap()
}

/// The words between backticks.
fn quoted(text: &str) -> BTreeSet<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The section of a rule, without its heading.
fn section(document: &str, number: usize, rule: &str) -> String {
    let heading = format!("\n### R{number}. {rule}\n");
    let (_, rest) = document.split_once(&heading).unwrap_or_else(|| panic!("no{heading}"));
    rest.split("\n#").next().unwrap().to_owned()
}

/// What a section says after a word at the beginning of a line, to the end of the paragraph.
fn paragraph<'t>(section: &'t str, word: &str) -> Option<&'t str> {
    let (_, rest) = section.split_once(&format!("\n{word}: "))?;
    rest.split("\n\n").next()
}

#[test]
fn each_rule_has_a_number_its_values_its_evidence_and_its_litmus_pairs() {
    let document = document();
    for (number, rule) in (1..).zip(Rules::ALL) {
        let section = section(&document, number, rule.name);
        let known = quoted(&section);
        for (value, _) in rule.values {
            assert!(known.contains(*value), "R{number} does not explain {value}");
        }
        assert!(paragraph(&section, "Evidence").is_some(), "R{number} has no evidence");
        let named = paragraph(&section, "Litmus").map(quoted).unwrap_or_default();
        let existing: BTreeSet<_> = all().map(|(name, _)| (*name).to_owned()).collect();
        assert!(
            named.is_subset(&existing),
            "R{number} names a litmus that is not there: {named:?}"
        );
        assert_eq!(named, changes::pairs_that_flip_with(rule.name), "R{number}");
    }
    let headings = document.lines().filter(|line| line.starts_with("### R"));
    assert_eq!(headings.count(), Rules::ALL.len());
}

#[test]
fn the_table_of_presets_is_the_presets() {
    let row = |first: &str, cells: Vec<String>| format!("| {first} | {} |", cells.join(" | "));
    let presets = || Model::presets().iter();
    let mut rows = vec![row("rule", presets().map(|model| model.name.clone()).collect())];
    rows.push(format!("|---|{}", "---|".repeat(presets().count())));
    for (index, rule) in Rules::ALL.iter().enumerate() {
        let values = presets().map(|model| model.rules.words()[index].1.clone());
        rows.push(row(&format!("R{} {}", index + 1, rule.name), values.collect()));
    }
    let table = rows.join("\n");
    assert!(document().contains(&format!("\n\n{table}\n\n")), "the table is now:\n{table}");
}

#[test]
fn the_models_that_are_shown_can_be_read() {
    let document = document();
    let shown: Vec<_> = document.split("```toml\n").skip(1).collect();
    assert!(!shown.is_empty());
    for text in shown {
        let model = Model::parse(text.split("```").next().unwrap()).unwrap();
        assert_eq!(model.rules.tear, Tear::Bytes(16_384));
    }
}

#[test]
fn the_golden_counts_come_out() {
    let count = |name, version, model| {
        let (_, pair) = all().find(|(known, _)| *known == name).unwrap();
        pair().count(version, Model::preset(model).unwrap()).outcomes
    };
    let golden = [
        ("create_via_rename", Buggy, ["4", "5", "-"]),
        ("create_via_rename", Fixed, ["4", "4", "-"]),
        ("prefix_append", Buggy, ["3", "7", "4"]),
    ];
    let document = document();
    for (name, version, counts) in golden {
        for (expected, model) in counts.iter().zip(["sequential", "ext4", "ext4-nodelalloc"]) {
            if *expected != "-" {
                assert_eq!(count(name, version, model).to_string(), *expected, "{name}, {model}");
            }
        }
        let version = if version == Buggy { "buggy" } else { "fixed" };
        let row = format!("| `{name}`, {version} | {} |\n", counts.join(" | "));
        assert!(document.contains(&row), "{row}");
    }
}

#[test]
fn each_litmus_pair_is_listed_with_what_it_shows() {
    let document = document();
    for (name, pair) in all() {
        let row = format!("| `{name}` | {} |\n", pair().shows);
        assert!(document.contains(&row), "missing:\n{row}");
    }
}
