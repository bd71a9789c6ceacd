//! Power cuts of the reference store: recorded runs, explored under persistence models, every crash
//! state recovered and checked.
//!
//! Not for recording and checking (`subject`) or for the choice of states (`explore`): this brings
//! them together, cuts the power a second time while the store recovers, and counts.

mod campaign;
mod describe;
mod recrash;

use std::sync::atomic::{AtomicU64, Ordering};

use faultfs::{Model, PersistOrder};

use crate::explore::{self, Bounds, Checked, Coverage, Found, Until};
use crate::subject::{Recorded, Run, check, check_further};

pub use campaign::{Campaign, Finding, Row, Summary, Tally};
pub use describe::{Lost, losses};

/// A search ends when so many states are found in which something is wrong: more tell nothing new.
const MOST_FOUND: u64 = 100;

/// How a run is explored.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Which crash states are looked at.
    pub bounds: Bounds,
    /// Threads that check.
    pub jobs: usize,
    /// In one of so many states the power goes again while the store recovers, and the recovered store
    /// is used; 1 is in all of them, 0 in none.
    pub recrash: u64,
}

/// A violation in one crash state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// What is wrong there.
    pub what: Vec<String>,
    /// The token of the second crash, during the recovery of the first one.
    pub again: Option<String>,
}

/// What exploring one run under one model showed.
#[derive(Debug)]
pub struct Outcome {
    /// What was looked at.
    pub coverage: Coverage,
    /// Crash states of recoveries that were looked at.
    pub recrashed: u64,
    /// States in which something was wrong, in the order of the search.
    pub found: Vec<Found<Violation>>,
}

/// Explores a recorded run under a model, until `stop` says so.
pub fn explore(recorded: &Recorded, model: &Model, plan: Plan, stop: &dyn Fn() -> bool) -> Outcome {
    let order = PersistOrder::new(&recorded.trace, model);
    let recrashed = AtomicU64::new(0);
    let checker = |state: &Checked| {
        let again = plan.recrash > 0 && state.number.is_multiple_of(plan.recrash);
        check_state(recorded, model, state, again.then_some(&recrashed))
    };
    let until = Until { found: MOST_FOUND, stop };
    let (coverage, found) = explore::check(&order, plan.bounds, plan.jobs, until, &checker);
    Outcome { coverage, recrashed: recrashed.into_inner(), found }
}

/// What is wrong in one state; with `recrashed`, also after a second crash and further use.
fn check_state(
    recorded: &Recorded,
    model: &Model,
    state: &Checked,
    recrashed: Option<&AtomicU64>,
) -> Option<Violation> {
    let expected = &recorded.expected;
    let marks = state.marks as usize;
    let checked = check(expected, &state.image, marks);
    if !checked.violations.is_empty() {
        return Some(Violation { what: checked.violations, again: None });
    }
    let counter = recrashed?;
    let what = check_further(expected, &checked.recovered());
    if !what.is_empty() {
        return Some(Violation { what, again: None });
    }
    let (looked_at, found) = recrash::check(expected, &checked.recovery, model, marks);
    counter.fetch_add(looked_at, Ordering::Relaxed);
    found
}

/// The name of a run in reports, as `plugpull explore --store` takes it.
pub fn label(run: &Run) -> String {
    format!("{} seed {} size {}", run.workload.name(), run.seed, run.size)
}
