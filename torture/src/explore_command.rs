//! `plugpull explore`: power cuts of a recorded program, or, with `--store`, of the reference store, as
//! deep as asked for; and one crash state of the store again, by its token.

mod replay;

use std::io::{self, Write};
use std::thread;
use std::time::Duration;

use faultfs::Model;
use plugpull_store::Options as StoreOptions;
use serde_json::json;

use crate::check_command;
use crate::cli::{ExploreArgs, MessageFormat};
use crate::clock::{Deadline, Heartbeat};
use crate::exit::{Exit, Failure};
use crate::explore::{Bounds, Tier};
use crate::models_command::load;
use crate::options::{planted_options, seed_of};
use crate::power_cut::{Campaign, Plan, Summary, label};
use crate::report::power_cut::{bound, finding, findings, row, table, tallies};
use crate::request::{SEED, TIER};
use crate::signals::Stop;
use crate::subject::{Run, Workload};

/// What an exploration cannot see; said by every report.
const NOT_LOOKED_AT: &str = "disks that fail or lie, calls that fail, more than one machine, and \
    what the simulated disk does not have (docs/limits.md)";

/// Most legal sets of one crash point of the store that are gone through.
const STORE_WINDOW: u64 = 1 << 22;

/// In one of so many states of a store the power is cut again.
const STORE_RECRASH: u64 = 16;

/// Runs it.
pub fn run(args: &ExploreArgs) -> Result<Exit, Failure> {
    if let Some(recording) = &args.recording {
        return check_command::explore(recording, args);
    }
    if !args.store {
        let text = "say what to explore: a recording (plugpull record makes one), or --store";
        return Err(Failure::Usage(text.to_owned()));
    }
    if args.report.names_any() {
        let text = "reports are of a recording; --store is told by --message-format json-lines";
        return Err(Failure::Usage(text.to_owned()));
    }
    if args.results.results.is_some() || args.results.partition.is_some() {
        let text = "--results and --partition are for recordings, not for --store";
        return Err(Failure::Usage(text.to_owned()));
    }
    let store = planted_options(StoreOptions::default(), args.planted())?;
    if let Some(token) = &args.replay {
        return replay::run(args, store, token);
    }
    let campaign = campaign(args, store)?;
    let stop = Stop::listen()?;
    let deadline = Deadline::after(args.search.budget.and_then(Budget::time));
    let mut out = io::stdout().lock();
    start(&mut out, args, &campaign)?;
    let mut heartbeat = Heartbeat::new();
    let summary = campaign.run(&|| stop.asked() || deadline.is_over(), &mut |done| match args
        .search
        .message_format
    {
        MessageFormat::JsonLines => writeln!(out, "{}", row(done)).map_err(Failure::from),
        MessageFormat::Human => {
            heartbeat.beat(|rows| {
                let (run, model) = (label(done.run), &done.model.name);
                format!("{rows} searches done, the last {run} under {model}")
            });
            Ok(())
        }
    })?;
    let exit = judge(&summary, &stop);
    match args.search.message_format {
        MessageFormat::Human => human(&mut out, &summary, exit)?,
        MessageFormat::JsonLines => json_lines(&mut out, &summary, exit)?,
    }
    Ok(exit)
}

/// How long to look: so many states of each run and model, or so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    /// Distinct states for each run and model.
    States(u64),
    /// Time for everything.
    Time(Duration),
}

impl Budget {
    /// A number of states, or a time such as `10m`.
    pub fn parse(text: &str) -> Result<Self, String> {
        match (text.parse(), humantime::parse_duration(text)) {
            (Ok(0), _) => Err("a budget of 0 states looks at nothing".to_owned()),
            (Ok(states), _) => Ok(Self::States(states)),
            (_, Ok(time)) => Ok(Self::Time(time)),
            _ => Err("say a number of states, such as 100000, or a time, such as 10m".to_owned()),
        }
    }

    /// The time, if it is one.
    pub fn time(self) -> Option<Duration> {
        match self {
            Self::Time(time) => Some(time),
            Self::States(_) => None,
        }
    }
}

fn campaign(args: &ExploreArgs, store: StoreOptions) -> Result<Campaign, Failure> {
    let search = &args.search;
    let models = match search.model.as_slice() {
        [] => Model::presets().to_vec(),
        names => names.iter().map(|name| load(name)).collect::<Result<_, _>>()?,
    };
    let workloads = workloads(args)?;
    let first = seed_of(search.seed.as_deref().unwrap_or(SEED));
    let seeds = (0..args.runs).map(|n| first.wrapping_add(n));
    let runs = seeds.flat_map(|seed| {
        let run =
            move |workload: &Workload| Run { options: store, ..run_of(*workload, seed, args) };
        workloads.iter().map(run).collect::<Vec<_>>()
    });
    let tier = Tier::ALL[usize::from(search.tier.unwrap_or(TIER))];
    let budget = match search.budget {
        Some(Budget::States(states)) => states,
        _ => u64::MAX,
    };
    let window = search.window.unwrap_or(STORE_WINDOW);
    let bounds = Bounds { budget, window, seed: first, ..Bounds::of(tier) };
    let jobs = search.jobs.unwrap_or_else(default_jobs);
    let plan = Plan { bounds, jobs, recrash: search.recrash.unwrap_or(STORE_RECRASH) };
    Ok(Campaign { runs: runs.collect(), models, plan })
}

fn run_of(workload: Workload, seed: u64, args: &ExploreArgs) -> Run {
    Run::new(workload, seed, args.size)
}

fn workloads(args: &ExploreArgs) -> Result<Vec<Workload>, Failure> {
    let parse = |name: &String| {
        Workload::parse(name).ok_or_else(|| {
            let known: Vec<_> = Workload::ALL.iter().map(|workload| workload.name()).collect();
            Failure::Usage(format!("no workload {name:?}; there are {}", known.join(", ")))
        })
    };
    match args.workload.as_slice() {
        [] => Ok(Workload::SMALL.to_vec()),
        names => names.iter().map(parse).collect(),
    }
}

/// A thread for each core.
pub(crate) fn default_jobs() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

fn start(out: &mut impl Write, args: &ExploreArgs, campaign: &Campaign) -> Result<(), Failure> {
    let models: Vec<_> = campaign.models.iter().map(|model| model.name.as_str()).collect();
    let plan = campaign.plan;
    if args.search.message_format == MessageFormat::JsonLines {
        let start = json!({
            "event": "start",
            "version": 1,
            "plugpull": env!("CARGO_PKG_VERSION"),
            "runs": campaign.runs.len(),
            "models": models,
            "tier": plan.bounds.tier.to_string(),
            "seed": plan.bounds.seed,
            "jobs": plan.jobs,
            "recrash": plan.recrash,
        });
        return Ok(writeln!(out, "{start}")?);
    }
    writeln!(
        out,
        "plugpull {} explore: the reference store, {} runs under {} models, up to tier {}, seed {}, \
         {} threads",
        env!("CARGO_PKG_VERSION"),
        campaign.runs.len(),
        models.len(),
        plan.bounds.tier,
        plan.bounds.seed,
        plan.jobs
    )?;
    Ok(writeln!(out)?)
}

fn judge(summary: &Summary, stop: &Stop) -> Exit {
    let looked = summary.models.iter().any(|tally| tally.states > 0);
    match () {
        () if !summary.findings.is_empty() => Exit::Violation,
        () if stop.asked() => Exit::Interrupted,
        () if !looked => Exit::NothingDone,
        () if !summary.is_complete() => Exit::Partial,
        () => Exit::Clean,
    }
}

fn human(out: &mut impl Write, summary: &Summary, exit: Exit) -> Result<(), Failure> {
    table(out, summary)?;
    writeln!(out)?;
    findings(out, summary)?;
    let bound = bound(summary);
    let line = match exit {
        Exit::Violation => format!("violations in {} searches; {bound}", summary.findings.len()),
        Exit::Interrupted => format!("ended early; looked at {bound}"),
        Exit::NothingDone => "no state was looked at".to_owned(),
        Exit::Partial => format!("no violation, but the search did not come to its end: {bound}"),
        _ => format!("no violation in {bound}"),
    };
    writeln!(out, "  {line}")?;
    Ok(writeln!(out, "  not looked at: {NOT_LOOKED_AT}")?)
}

fn json_lines(out: &mut impl Write, summary: &Summary, exit: Exit) -> Result<(), Failure> {
    for found in &summary.findings {
        writeln!(out, "{}", finding(found))?;
    }
    let end = json!({
        "event": "end",
        "exit": exit as u8,
        "findings": summary.findings.len(),
        "states": summary.states(),
        "models": tallies(summary),
        "toothless": summary.toothless,
        "not_looked_at": NOT_LOOKED_AT,
    });
    Ok(writeln!(out, "{end}")?)
}
