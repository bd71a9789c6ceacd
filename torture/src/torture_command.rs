//! `plugpull torture`: the main job, from arguments to exit code.

use plugpull_store::{Options as StoreOptions, Store};

use crate::cli::TortureArgs;
use crate::exit::{Exit, Failure};
use crate::kill::{Outcome, Runner};
use crate::options::Options;
use crate::plan::Plan;
use crate::probe;
use crate::report::{self, End, Start};
use crate::signals::Stop;
use crate::wire::Step;
use crate::workdir::Workdir;

/// Runs it.
pub fn run(args: &TortureArgs) -> Result<Exit, Failure> {
    let options = Options::from_args(args)?;
    let stop = Stop::listen()?;
    let mut workdir = match &options.dir {
        Some(dir) => Workdir::named(dir)?,
        None => Workdir::fresh()?,
    };
    let store_options = StoreOptions::durability(options.durability);
    let steps = probe::run(&workdir.probe(), options.seed, store_options)?;
    workdir.remove_probe();
    let plan = Plan::draw(options.seed, options.kills, options.commits, &steps);
    let dir = workdir.store();
    Store::init(&dir, store_options)?;

    let mut report = report::of(options.format);
    let digest = plan.digest();
    report.start(&Start { options: &options, plan: &digest, steps: steps.len(), dir: &dir })?;
    let outcome = Runner::new(&options, plan, dir.clone(), &stop, report.as_mut())?.run()?;

    let exit = judge(&options, &steps, &outcome);
    let keep = options.keep || exit == Exit::Violation;
    if keep {
        workdir.keep();
    }
    let kept = keep.then_some(dir.as_path());
    report.end(&End { options: &options, outcome: &outcome, steps: &steps, exit, kept })?;
    Ok(exit)
}

/// A run is clean only when all of it happened: a run whose kills hit nothing has shown nothing.
fn judge(options: &Options, steps: &[Step], outcome: &Outcome) -> Exit {
    let tally = &outcome.tally;
    if !outcome.findings.is_empty() {
        return Exit::Violation;
    }
    if outcome.interrupted {
        return Exit::Interrupted;
    }
    if tally.kills_inside == 0 {
        return Exit::NothingDone;
    }
    let complete = tally.commits >= options.commits
        && tally.kills >= options.kills
        && tally.missed(steps).is_empty();
    if complete { Exit::Clean } else { Exit::Partial }
}
