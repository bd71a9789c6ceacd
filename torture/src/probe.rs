//! The probe run: which calls a commit and the errands make, before anything is killed.

use std::path::Path;
use std::sync::Arc;

use faultfs::{RealFs, Watched};
use plugpull_store::{Options, Store};

use crate::errand::Errands;
use crate::errand::perform::perform;
use crate::exit::Failure;
use crate::steps::StepWatcher;
use crate::wire::{Phase, Step};
use crate::workload::{self, SHARED, Work};

/// Commits of the probe: enough that every known blob is there and both kinds of branch are moved.
const COMMITS: u64 = 40;

/// Rounds of all errands: the first makes what the later ones find.
const ROUNDS: u64 = 3;

/// Makes a store in `dir` and some commits and errands in it. Returns the steps of the last commit on an
/// own branch, in their order (it makes every call that one on the shared branch makes, if nobody
/// interferes), and those of the last errand of each kind.
pub fn run(
    dir: &Path,
    seed: u64,
    errands: &Errands,
    options: Options,
) -> Result<Vec<Step>, Failure> {
    let desk = dir.join("desk");
    let dir = &dir.join("store");
    Store::init(dir, options)?;
    let watcher = Arc::new(StepWatcher::new(None, Box::new(|_, _| {})));
    let store = Store::open_on(Watched::new(RealFs, Arc::clone(&watcher)), dir, options)?;
    let mut steps = Vec::new();
    for n in 0..COMMITS {
        let work = Work { slot: 0, life: 0, n };
        watcher.begin();
        workload::commit(&store, seed, work, &mut |phase| watcher.enter(phase), &mut |_, _| {})?;
        watcher.before_telling();
        watcher.leave();
        if work.branch(seed) != SHARED {
            steps = watcher.steps();
        }
    }
    for errand in errands.all() {
        for n in COMMITS..COMMITS + ROUNDS {
            watcher.begin();
            watcher.enter(Phase::Errand(errand));
            perform(&store, errand, Work { slot: 0, life: 0, n }, &desk)?;
            watcher.before_telling();
            watcher.leave();
        }
        steps.extend(watcher.steps());
    }
    Ok(steps)
}
