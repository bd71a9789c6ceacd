//! `plugpull inject`: the n-th call of a program fails, for each n, kind and error; what the program does, and
//! what becomes of its data.

use std::io::{self, Write};
use std::time::Duration;

use faultfs::Model;

use crate::checking::{pool_of, tell_elsewhere, tree_size};
use crate::cli::{InjectArgs, MessageFormat};
use crate::clock::Heartbeat;
use crate::exit::{Exit, Failure};
use crate::explore_command::default_jobs;
use crate::inject::{Baseline, Campaign, Kind, Lane, lanes};
use crate::memory;
use crate::models_command::load;
use crate::namespace;
use crate::record::{Prints, Program, record_counting};
use crate::record_command::{program, tell_unchanged};
use crate::report::inject::{self as report, Told};
use crate::request::{checkers, usage};
use crate::signals::Stop;

/// The models of the power cuts unless told otherwise; the last for syncs that fail as there.
const MODELS: [&str; 4] = ["ext4", "xfs", "btrfs", "ext4-data-journal"];

/// A run with a fault may take so many times as long as the one without, and at least so long.
const SLOWER: u32 = 20;
const LEAST: Duration = Duration::from_secs(10);

/// Runs it.
pub fn run(args: &InjectArgs) -> Result<Exit, Failure> {
    if args.checker.is_empty() {
        let text = "say what must be true after a call failed: --checker COMMAND, or one of those that are \
                    built in (plugpull check --help)";
        return Err(Failure::Usage(text.to_owned()));
    }
    let (models, lanes) = chosen(args)?;
    let program = program(&args.program, args.message_format)?;
    // What is wrong with a checker is to be known before anything runs.
    for checker in checkers(&args.checker)? {
        checker.find_program().map_err(usage)?;
    }
    let namespace = namespace::enter()?;
    let stop = Stop::listen()?;
    let mut probe = record_counting(&program, namespace, &stop)?;
    probe.recording.about.checkers.clone_from(&args.checker);
    let mut out = io::stdout().lock();
    if probe.recording.ops() == 0 {
        tell_unchanged(&probe.recording);
        return Ok(Exit::NothingDone);
    }
    let asked = args.jobs.unwrap_or_else(default_jobs).max(1);
    let jobs = memory::affordable(asked, tree_size(&probe.recording));
    let baseline = {
        let mut pool = pool_of(&probe.recording, args.timeout, jobs, &stop)?;
        tell_elsewhere(&probe.recording, &pool);
        Baseline::of(&probe.recording, &models, &mut pool, &|| stop.asked())?
    };
    let timeout = args.program.run_timeout.unwrap_or_else(|| LEAST.max(probe.took * SLOWER));
    let campaign = Campaign {
        program: Program { timeout, prints: Prints::Nowhere, ..program },
        namespace,
        start: &probe.recording.trace.start,
        calls: &probe.calls,
        lanes: &lanes,
        checkers: &args.checker,
        baseline: &baseline,
        timeout: args.timeout,
        jobs,
        budget: Some(args.budget),
        stop: &stop,
    };
    let told = Told { recording: &probe.recording, campaign: &campaign, models: &models };
    report::start(&mut out, args.message_format, &told)?;
    let mut heartbeat = Heartbeat::new();
    let summary = campaign.run(&mut |injected| {
        if args.message_format == MessageFormat::JsonLines {
            writeln!(out, "{}", report::injected(injected))?;
        } else {
            let words = injected.attempt.words();
            heartbeat.beat(|runs| format!("{runs} faults tried, the last: {words}"));
        }
        Ok(())
    })?;
    let exit = summary.exit(&stop);
    report::end(&mut out, args.message_format, &told, &summary, exit)?;
    out.flush()?;
    Ok(exit)
}

/// The models, and what is to fail.
fn chosen(args: &InjectArgs) -> Result<(Vec<Model>, Vec<Lane>), Failure> {
    let names: Vec<&str> = match args.model.as_slice() {
        [] => MODELS.to_vec(),
        names => names.iter().map(String::as_str).collect(),
    };
    let models: Vec<Model> = names.iter().map(|name| load(name)).collect::<Result<_, _>>()?;
    let kinds = if args.call.is_empty() { Kind::DEFAULT.to_vec() } else { args.call.clone() };
    let lanes = lanes(&kinds, &args.error, &models, !args.model.is_empty());
    if lanes.is_empty() {
        let text = "no call that was named can fail with an error that was named: short_write is for write, \
                    and the file systems are for fsync and fdatasync";
        return Err(Failure::Usage(text.to_owned()));
    }
    Ok((models, lanes))
}
