//! `plugpull merge`: the results of several shards, told as if one machine had judged all states.
//!
//! The states are made again from the recording, and each takes the verdict that a shard brought. What
//! nobody judged is counted as such. Only to look into causes are checkers asked.

use std::io;

use faultfs::Model;

use crate::baseline::Ratchet;
use crate::checking::{Checking, Known, jobs, look_at};
use crate::cli::MergeArgs;
use crate::examine::Plan;
use crate::exit::{Exit, Failure};
use crate::explore::{Bounds, Tier};
use crate::models_command::load;
use crate::namespace;
use crate::outcome::{Bound, Outcome, told};
use crate::recrash::Recoveries;
use crate::report::check::{self as report, Reports};
use crate::request::Look;
use crate::results::{Gathered, gather};
use crate::search::Share;
use crate::signals::Stop;

/// Runs it.
pub fn run(args: &MergeArgs) -> Result<Exit, Failure> {
    let (all, missing) = gather(&args.results)?;
    for part in &missing {
        eprintln!("plugpull: {part}");
    }
    let own: Vec<Model> = args.model.iter().map(|file| load(file)).collect::<Result<_, _>>()?;
    let looks: Vec<_> =
        all.iter().map(|gathered| look(args, gathered, &own)).collect::<Result<_, _>>()?;
    namespace::enter()?;
    let stop = Stop::listen()?;
    let checking = Checking {
        reports: Reports::from_args(&args.report, args.message_format)?,
        ratchet: Ratchet::reading(args.baseline.as_deref())?,
        several: all.len() > 1,
        ..Checking::new(args.message_format)
    };
    let outcomes = all.into_iter().zip(&looks).map(|(gathered, look)| {
        let outcome = merge(&checking, gathered, look, &stop);
        checking.tell(look, outcome, &stop)
    });
    checking.finish(outcomes.collect::<Result<_, _>>()?, &stop)
}

fn merge(
    checking: &Checking,
    gathered: Gathered,
    look: &Look,
    stop: &Stop,
) -> Result<Outcome, Failure> {
    let recording = &gathered.recording;
    let outcome = told(&look.subject, recording, &look.plan, jobs(look, recording));
    report::start(&mut io::stdout().lock(), checking.format, &outcome)?;
    let recoveries = Recoveries::Brought(gathered.recoveries);
    let (verdicts, share) = (gathered.known, Share::Known);
    let known = Known { verdicts, keeping: None, share, recoveries };
    look_at(look, (recording, Some(&gathered.path)), (outcome, known), stop)
}

/// The states that the shards looked at.
fn look(args: &MergeArgs, gathered: &Gathered, own: &[Model]) -> Result<Look, Failure> {
    let Bound { models, fail_on, tier, window, budget, seed, recrash, .. } = gathered.bound.clone();
    let model = |name: &String| match own.iter().find(|model| model.name == *name) {
        Some(model) => Ok(model.clone()),
        None => load(name),
    };
    let known = Tier::ALL.into_iter().find(|known| known.to_string() == tier);
    let tier = known.ok_or_else(|| Failure::Usage(format!("no tier {tier:?}")))?;
    let plan = Plan {
        models: models.iter().map(model).collect::<Result<_, _>>()?,
        fail_on,
        bounds: Bounds { tier, budget, window, seed },
        time: Some(args.budget),
    };
    Ok(Look {
        subject: gathered.recording.about.subject.clone(),
        checkers: gathered.recording.about.checkers.clone(),
        plan,
        timeout: args.timeout,
        jobs: args.jobs,
        recrash,
        keep_states: args.keep_states.clone(),
    })
}
