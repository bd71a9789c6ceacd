//! The control: the runs of all mistakes, made by the store without any.

use std::collections::BTreeMap;

use plugpull::subject::{STORIES, Workload};
use plugpull_store::Options;

use super::search::{Checks, PRESETS, answers, cut, killed};
use super::{Mistake, Try, in_parallel, runs};

/// What the control showed.
#[derive(Clone, Debug, Default)]
pub struct Control {
    /// Runs that were made.
    pub runs: u64,
    /// Crash states of all presets but `lying-disk`.
    pub states: u64,
    /// What was wrong in them; there should be nothing.
    pub violations: Vec<String>,
    /// Runs that a lying disk spoils; there should be many, or the check sees nothing.
    pub spoiled: u64,
}

/// Every run of the matrix and some of each workload, by their names.
pub fn all_runs() -> Vec<Try> {
    let of_mistakes = Mistake::all().into_iter().flat_map(runs);
    let mut all: BTreeMap<String, Try> = of_mistakes.map(|run| (run.name(), run)).collect();
    for workload in Workload::ALL {
        let seeds = if workload == Workload::AfterKill { 0..4 * STORIES } else { 1..3 };
        for seed in seeds {
            let run = Try { workload, seed, size: 2, fault: None };
            all.insert(run.name(), run);
        }
    }
    all.into_values().collect()
}

/// Makes these runs with the clean store.
pub fn control(all: &[Try], jobs: usize) -> Control {
    let parts = in_parallel(all, jobs, &one);
    parts.into_iter().fold(Control::default(), |mut sum, part| {
        sum.runs += part.runs;
        sum.states += part.states;
        sum.violations.extend(part.violations);
        sum.spoiled += part.spoiled;
        sum
    })
}

fn one(run: &Try) -> Control {
    let Some(recorded) = run.record(Options::default()) else { return Control::default() };
    let mut checks = Checks::new();
    let mut control = Control { runs: 1, ..Control::default() };
    let mut enter = |place: &str, (states, what): (u64, Option<String>)| {
        control.states += states;
        control.violations.extend(what.map(|what| format!("{}, {place}: {what}", run.name())));
    };
    enter("own answer", (0, answers(&recorded, run.fault.is_some())));
    enter("kill", killed(&recorded, &mut checks));
    for preset in PRESETS {
        enter(preset, cut(&recorded, preset, run.bounds(), &mut checks));
    }
    control.spoiled =
        u64::from(cut(&recorded, "lying-disk", run.bounds(), &mut checks).1.is_some());
    control
}
