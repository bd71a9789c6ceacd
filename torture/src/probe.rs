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
const ROUNDS: usize = 3;

/// Makes a store in `dir` and some commits and errands in it. Returns the steps of the last commit on an
/// own branch, in their order (it makes every call that one on the shared branch makes, if nobody
/// interferes), and those of the last errand of each kind.
///
/// No work has two errands, as in a writer's life: the second would find the objects of the first there,
/// and make calls that no writer makes.
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
    let mut numbers = COMMITS..;
    for errand in errands.all() {
        for n in numbers.by_ref().take(ROUNDS) {
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use plugpull_store::Durability;

    use super::*;
    use crate::errand::Errand;

    /// Commits in which every errand is to come often: each is drawn for every seventh one.
    const LIFE: u64 = 150;

    /// The probe gave every errand the same works. What one errand had stored the next one found there, so
    /// that the plan waited for calls which no writer makes, and a run did not end.
    #[test]
    fn a_writer_makes_every_call_that_the_probe_made() {
        let temp = tempfile::tempdir().unwrap();
        let errands = Errands::of(Errand::ALL);
        let options = Options::durability(Durability::BestEffort);
        let learnt = run(&temp.path().join("probe"), 1, &errands, options).unwrap();
        let (dir, desk) = (temp.path().join("store"), temp.path().join("desk"));
        Store::init(&dir, options).unwrap();
        let watcher = Arc::new(StepWatcher::new(None, Box::new(|_, _| {})));
        let fs = Watched::new(RealFs, Arc::clone(&watcher));
        let store = Store::open_on(fs, &dir, options).unwrap();
        let mut made = BTreeSet::new();
        for n in 0..LIFE {
            let work = Work { slot: 1, life: 0, n };
            watcher.begin();
            if let Some(errand) = errands.before(1, work) {
                watcher.enter(Phase::Errand(errand));
                perform(&store, errand, work, &desk).unwrap();
                watcher.before_telling();
                watcher.leave();
            }
            let mut enter = |phase| watcher.enter(phase);
            workload::commit(&store, 1, work, &mut enter, &mut |_, _| {}).unwrap();
            watcher.before_telling();
            watcher.leave();
            made.extend(watcher.steps());
        }
        let never: Vec<_> = learnt.iter().filter(|step| !made.contains(*step)).collect();
        assert!(never.is_empty(), "{never:?}");
    }
}
