//! The probe run: which calls a commit makes, before anything is killed.

use std::path::Path;
use std::sync::Arc;

use faultfs::{RealFs, Watched};
use plugpull_store::{Options, Store};

use crate::exit::Failure;
use crate::steps::StepWatcher;
use crate::wire::Step;
use crate::workload::{self, SHARED, Work};

/// Commits of the probe: enough that every known blob is there and both kinds of branch are moved.
const COMMITS: u64 = 40;

/// Makes a store in `dir` and some commits in it. Returns the steps of the last one on an own branch,
/// in their order: it makes every call that one on the shared branch makes, if nobody interferes.
pub fn run(dir: &Path, seed: u64, options: Options) -> Result<Vec<Step>, Failure> {
    Store::init(dir, options)?;
    let watcher = Arc::new(StepWatcher::new(None, Box::new(|_, _| {})));
    let store = Store::open_on(Watched::new(RealFs, Arc::clone(&watcher)), dir, options)?;
    let mut steps = Vec::new();
    for n in 0..COMMITS {
        let work = Work { slot: 0, life: 0, n };
        workload::commit(&store, seed, work, &mut |phase| watcher.enter(phase), &mut |_, _| {})?;
        watcher.before_telling();
        watcher.leave();
        if work.branch(seed) != SHARED {
            steps = watcher.steps();
        }
    }
    Ok(steps)
}
