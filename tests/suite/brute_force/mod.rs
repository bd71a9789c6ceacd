//! A brute force beside the enumerator: every subset of the effects of a tiny run, kept if the
//! definition says that it is legal, must give the images that the exhaustive tier visits.
//!
//! The two share the definition and no code. Held against each other are the legal sets, their
//! images (by walking them, and by their hashes), their numbers, what is lost and kept with an
//! effect, and the tokens. Sampled over runs and models, exhaustive over the sets of each.
//! `PLUGPULL_CASES` sets the number of runs.

mod barrier;
mod cases;
mod compare;
mod definition;
mod picture;

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};

use definition::Definition;

fn config(cases: u32) -> Config {
    let wish = std::env::var("PLUGPULL_CASES").ok();
    let cases = wish.map_or(cases, |text| text.parse().expect("PLUGPULL_CASES is a number"));
    Config { max_shrink_iters: 20_000, ..Config::with_cases(cases) }
}

/// Runs in which nothing happens would agree as well.
#[test]
fn the_runs_hold_every_kind_of_op_and_many_pending_effects() {
    let mut runner = TestRunner::deterministic();
    let (mut kinds, mut crowded): (BTreeMap<String, u32>, u32) = Default::default();
    for _ in 0..1000 {
        let case = cases::case(4).new_tree(&mut runner).unwrap().current();
        let trace = cases::run(&case);
        for op in trace.ops() {
            let kind = format!("{op:?}").split(' ').next().unwrap().to_owned();
            *kinds.entry(kind).or_default() += 1;
        }
        let definition = Definition::of(&trace, &case.model.rules);
        let pending = (0..=trace.events.len()).map(|point| definition.pending(point).len());
        crowded += u32::from(pending.max() >= Some(8));
    }
    assert!(kinds.len() == 13 && kinds.values().all(|count| *count >= 8), "{kinds:?}");
    assert!(crowded >= 60, "{crowded} of 1000 runs have eight pending effects");
}

proptest! {
    #![proptest_config(config(1500))]

    #[test]
    fn every_preset_leaves_what_the_definition_says(case in cases::case(0)) {
        compare::compare(&cases::run(&case), &case.model);
    }
}

proptest! {
    #![proptest_config(config(2500))]

    #[test]
    fn every_mix_of_rules_leaves_what_the_definition_says(case in cases::case(4)) {
        compare::compare(&cases::run(&case), &case.model);
    }
}
