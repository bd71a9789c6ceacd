//! `plugpull check`: record, explore, check, report; and `plugpull explore RECORDING`, which leaves the
//! recording to an earlier run.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use faultfs::{Event, Model};

use crate::check::{Checker, CheckerError, Pool, Setup};
use crate::cli::{CheckArgs, ExploreArgs, JudgeArgs, SearchArgs};
use crate::clock::Heartbeat;
use crate::examine::{Examined, Plan, examine};
use crate::exit::{Exit, Failure};
use crate::explore::{Bounds, Tier};
use crate::explore_command::{Budget, default_jobs};
use crate::memory;
use crate::models_command::load;
use crate::namespace;
use crate::options::seed_of;
use crate::record::{Recording, record};
use crate::record_command::{has_directory, program, tell_unchanged};
use crate::report::check::{self as report, Told};
use crate::signals::Stop;

/// The models that are looked at unless told otherwise, and those of them that fail a run.
const MODELS: [&str; 4] = ["ext4", "xfs", "btrfs", "posix"];
const FAIL_ON: [&str; 3] = ["ext4", "xfs", "btrfs"];

/// Most legal sets of one crash point that are gone through: each is a run of the checker.
const WINDOW: u64 = 4096;

/// How long to search unless told otherwise.
const TIME: Duration = Duration::from_mins(1);

/// `plugpull check`.
pub fn run(args: &CheckArgs) -> Result<Exit, Failure> {
    if args.judge.checker.is_empty() {
        let text = "say what a state must pass: --checker COMMAND, or one of those that are built in \
                    (plugpull check --help)";
        return Err(Failure::Usage(text.to_owned()));
    }
    let plan = plan(&args.judge, &args.search)?;
    let program = program(&args.program, args.search.message_format)?;
    // What is wrong with a checker is to be known before anything runs.
    for checker in checkers(&args.judge.checker)? {
        checker.find_program().map_err(usage)?;
    }
    if let Some(path) = &args.recording {
        has_directory(path)?;
    }
    let namespace = namespace::enter()?;
    let stop = Stop::listen()?;
    let mut recording = record(&program, namespace, &stop)?;
    recording.about.checkers.clone_from(&args.judge.checker);
    if let Some(path) = &args.recording {
        recording.save(path)?;
    }
    let command = Command { judge: &args.judge, search: &args.search, plan, stop };
    command.examine(&recording, args.recording.as_deref())
}

/// `plugpull explore RECORDING`.
pub(crate) fn explore(path: &Path, args: &ExploreArgs) -> Result<Exit, Failure> {
    let plan = plan(&args.judge, &args.search)?;
    let mut recording = Recording::load(path)?;
    if !args.judge.checker.is_empty() {
        recording.about.checkers.clone_from(&args.judge.checker);
    }
    if recording.about.checkers.is_empty() {
        let text = "the recording names no checker; name one with --checker";
        return Err(Failure::Usage(text.to_owned()));
    }
    namespace::enter()?;
    let stop = Stop::listen()?;
    let command = Command { judge: &args.judge, search: &args.search, plan, stop };
    command.examine(&recording, Some(path))
}

/// What the arguments say, as both commands have them.
struct Command<'a> {
    judge: &'a JudgeArgs,
    search: &'a SearchArgs,
    plan: Plan,
    stop: Stop,
}

impl Command<'_> {
    fn examine(&self, recording: &Recording, saved: Option<&Path>) -> Result<Exit, Failure> {
        let mut out = io::stdout().lock();
        let format = self.search.message_format;
        let asked = self.search.jobs.unwrap_or_else(default_jobs).max(1);
        let jobs = memory::affordable(asked, tree_size(recording));
        if jobs < asked {
            eprintln!(
                "plugpull: {jobs} instead of {asked} checks at the same time: each keeps a copy of the \
                 directory in memory, and half of what is free is enough for no more"
            );
        }
        let told = Told { recording, plan: &self.plan, jobs };
        report::start(&mut out, format, &told)?;
        if recording.ops() == 0 {
            tell_unchanged(recording);
            return Ok(Exit::NothingDone);
        }
        let mut pool = start_pool(recording, self.judge.timeout, jobs, &self.stop)?;
        let mut heartbeat = Heartbeat::new();
        let examined =
            examine(recording, &self.plan, &mut pool, &self.stop, &mut |searched, _| {
                heartbeat.beat(|_| {
                    let (states, model) = (searched.judged(), &searched.model.name);
                    format!("{states} states under {model}, {} violated", searched.violated.len())
                });
            })?;
        drop(pool);
        let found = !examined.findings.list.is_empty();
        let path = match saved {
            Some(path) => Some(path.to_owned()),
            None if found => Some(recording.keep()?),
            None => None,
        };
        let kept = self.keep_states(&examined)?;
        report::end(&mut out, format, &told, &examined, path.as_deref(), &kept)?;
        out.flush()?;
        Ok(examined.exit)
    }

    /// Writes the state of each finding to a directory of its own.
    #[expect(clippy::disallowed_methods, reason = "directories of the user's")]
    fn keep_states(&self, examined: &Examined) -> Result<Vec<PathBuf>, Failure> {
        let Some(dir) = &self.judge.keep_states else { return Ok(Vec::new()) };
        let mut kept = Vec::new();
        for finding in &examined.findings.list {
            let path = dir.join(&finding.id);
            let what = || format!("write a state to {}", path.display());
            std::fs::create_dir_all(&path).map_err(|e| Failure::system(what(), e))?;
            let order = examined.orders.iter().find(|o| o.model().name == finding.state.model());
            let Some(order) = order else { continue };
            let image = finding.state.image(order);
            let image = image.map_err(|e| Failure::Usage(e.to_string()))?;
            image.write_out(&path).map_err(|e| Failure::system(what(), e))?;
            kept.push(path);
        }
        Ok(kept)
    }
}

/// About how many bytes the largest state of a recording takes.
fn tree_size(recording: &Recording) -> u64 {
    let trace = &recording.trace;
    trace.start.size().max(trace.image_after(trace.events.len()).size())
}

/// The checkers of these specifications.
fn checkers(specifications: &[String]) -> Result<Vec<Checker>, Failure> {
    specifications.iter().map(|text| text.parse().map_err(usage)).collect()
}

#[expect(clippy::needless_pass_by_value, reason = "it is a function for map_err")]
fn usage(error: CheckerError) -> Failure {
    Failure::Usage(error.to_string())
}

/// Workers with the checkers of a recording.
pub(crate) fn start_pool(
    recording: &Recording,
    timeout: Duration,
    jobs: usize,
    stop: &Stop,
) -> Result<Pool, Failure> {
    let prepare = |checker: Checker| checker.prepare(&recording.trace).map_err(usage);
    let checkers = checkers(&recording.about.checkers)?;
    let marks = recording.trace.events.iter().filter_map(|event| match event {
        Event::Mark(text) => Some(Arc::clone(text)),
        Event::Op { .. } => None,
    });
    let setup = Setup {
        dir: recording.about.dir.clone(),
        checkers: checkers.into_iter().map(prepare).collect::<Result<_, _>>()?,
        marks: marks.collect(),
        timeout,
        jobs,
        stop: stop.clone(),
    };
    let pool = Pool::start(setup);
    let pool = pool.map_err(|e| Failure::system("start the checkers' workers", e))?;
    if let Some(why) = pool.elsewhere() {
        let dir = recording.about.dir.display();
        eprintln!("plugpull: checkers do not find the states in {dir}, but elsewhere: {why}");
    }
    Ok(pool)
}

fn plan(judge: &JudgeArgs, search: &SearchArgs) -> Result<Plan, Failure> {
    let names: Vec<&str> = match search.model.as_slice() {
        [] => MODELS.to_vec(),
        names => names.iter().map(String::as_str).collect(),
    };
    let models: Vec<Model> = names.iter().map(|name| load(name)).collect::<Result<_, _>>()?;
    let fail_on = fail_on(&judge.fail_on, &models)?;
    if let Some(dir) = &judge.keep_states {
        is_free(dir)?;
    }
    let (budget, time) = match search.budget {
        Some(Budget::States(states)) => (states, None),
        Some(Budget::Time(time)) => (u64::MAX, Some(time)),
        None => (u64::MAX, Some(TIME)),
    };
    let tier = Tier::ALL[usize::from(search.tier)];
    let window = search.window.unwrap_or(WINDOW);
    let bounds = Bounds { budget, window, seed: seed_of(&search.seed), ..Bounds::of(tier) };
    Ok(Plan { models, fail_on, bounds, time })
}

/// States of an earlier run are not mixed with those of this one.
#[expect(clippy::disallowed_methods, reason = "a directory of the user's")]
fn is_free(dir: &Path) -> Result<(), Failure> {
    let refused = |why: &str| {
        let dir = dir.display();
        Err(Failure::Usage(format!("{dir} {why}; --keep-states names a new or empty directory")))
    };
    match std::fs::read_dir(dir) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => refused("is not empty"),
        },
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => refused(&format!("cannot be used: {e}")),
    }
}

/// The models to fail on; all of one's own choice if none of the default ones is among them.
fn fail_on(named: &[String], models: &[Model]) -> Result<Vec<String>, Failure> {
    let looked_at = |name: &str| models.iter().any(|model| model.name == name);
    match named {
        [] => {
            let default: Vec<_> = FAIL_ON.iter().filter(|name| looked_at(name)).collect();
            if default.is_empty() {
                return Ok(models.iter().map(|model| model.name.clone()).collect());
            }
            Ok(default.into_iter().map(|name| (*name).to_owned()).collect())
        }
        [none] if none == "none" => Ok(Vec::new()),
        all => match all.iter().find(|name| !looked_at(name)) {
            Some(name) => Err(Failure::Usage(format!(
                "--fail-on {name}, but that model is not looked at; add --model {name}"
            ))),
            None => Ok(all.to_vec()),
        },
    }
}
