//! `plugpull torture`: the main job, from arguments to exit code.

use faultfs::Model;
use plugpull_store::{Options as StoreOptions, Store};

use crate::campaign;
use crate::cli::TortureArgs;
use crate::exit::{Exit, Failure};
use crate::explore::{Bounds, Tier};
use crate::explore_command::default_jobs;
use crate::kill::{Outcome, Runner};
use crate::options::{Options, planted_options};
use crate::plan::Plan as KillPlan;
use crate::power_cut::{Campaign, Plan, Summary};
use crate::probe;
use crate::report::{self, End, Report, Start};
use crate::signals::Stop;
use crate::subject::{Run, Workload};
use crate::wire::Step;
use crate::workdir::Workdir;

/// Operations of each recorded run: few enough to look at every legal set of every crash point.
const POWER_CUT_SIZE: usize = 2;

/// In one of so many crash states the power goes again while the store recovers.
const RECRASH: u64 = 16;

/// Runs it.
pub fn run(args: &TortureArgs) -> Result<Exit, Failure> {
    if !args.live.command.is_empty() {
        return campaign::run(args);
    }
    let options = Options::from_args(args)?;
    let stop = Stop::listen()?;
    let mut workdir = match &options.dir {
        Some(dir) => Workdir::named(dir)?,
        None => Workdir::fresh()?,
    };
    let store_options = StoreOptions::durability(options.durability);
    // A planted mistake may leave a call out, before which nobody can be killed then.
    let planted = planted_options(store_options, options.planted.as_deref())?;
    let steps = probe::run(&workdir.probe(), options.seed, &options.errands, planted)?;
    workdir.remove_probe();
    let kills = options.kills(steps.len());
    let plan = KillPlan::draw(options.seed, kills, options.commits, &steps);
    let dir = workdir.store();
    Store::init(&dir, store_options)?;

    let mut report = report::of(options.format);
    let digest = plan.digest();
    report.start(&Start {
        options: &options,
        plan: &digest,
        kills,
        steps: steps.len(),
        dir: &dir,
    })?;
    let mut outcome = Runner::new(&options, plan, &workdir, &stop, report.as_mut())?.run()?;

    let power_cuts = cut_power(&options, planted, &stop, report.as_mut())?;
    let power_cuts = power_cuts.as_ref();
    outcome.interrupted |= stop.asked();

    let exit = judge(&options, kills, &steps, &outcome, power_cuts);
    let keep = options.keep || exit == Exit::Violation;
    if keep {
        workdir.keep();
    }
    let kept = keep.then_some(dir.as_path());
    let (options, outcome, steps) = (&options, &outcome, &steps);
    report.end(&End { options, outcome, kills, steps, power_cuts, exit, kept })?;
    Ok(exit)
}

/// The power cuts of recorded runs of the same store; none when they are not asked for.
fn cut_power(
    options: &Options,
    store: StoreOptions,
    stop: &Stop,
    report: &mut dyn Report,
) -> Result<Option<Summary>, Failure> {
    if options.power_cuts == 0 {
        return Ok(None);
    }
    let seeds = (0..options.power_cuts).map(|n| options.seed.wrapping_add(n));
    let run = |seed, workload| Run { options: store, ..Run::new(workload, seed, POWER_CUT_SIZE) };
    let runs = seeds.flat_map(|seed| Workload::SMALL.map(|workload| run(seed, workload)));
    let campaign = Campaign {
        runs: runs.collect(),
        models: Model::presets().to_vec(),
        plan: Plan { bounds: Bounds::of(Tier::T2), jobs: default_jobs(), recrash: RECRASH },
    };
    campaign.run(&|| stop.asked(), &mut |row| report.power_cut(row)).map(Some)
}

/// A run is clean only when all of it happened: a run whose kills hit nothing has shown nothing.
fn judge(
    options: &Options,
    kills: u64,
    steps: &[Step],
    outcome: &Outcome,
    power_cuts: Option<&Summary>,
) -> Exit {
    let tally = &outcome.tally;
    if !outcome.findings.is_empty() || power_cuts.is_some_and(|cuts| !cuts.findings.is_empty()) {
        return Exit::Violation;
    }
    if outcome.interrupted {
        return Exit::Interrupted;
    }
    if tally.kills_inside == 0 {
        return Exit::NothingDone;
    }
    let complete = tally.commits >= options.commits
        && tally.kills >= kills
        && tally.missed(steps).is_empty()
        && power_cuts.is_none_or(Summary::is_complete);
    if complete { Exit::Clean } else { Exit::Partial }
}
