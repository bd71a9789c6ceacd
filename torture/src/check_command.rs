//! `plugpull check`: record, explore, check, report; and `plugpull explore RECORDING`, which leaves the
//! recording to an earlier run.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use faultfs::Event;

use crate::check::{Checker, Pool, Setup};
use crate::cli::{CheckArgs, ExploreArgs, MessageFormat};
use crate::clock::Heartbeat;
use crate::examine::{Examined, examine};
use crate::exit::{Exit, Failure};
use crate::explore_command::default_jobs;
use crate::memory;
use crate::namespace::{self, Namespace};
use crate::outcome::{Outcome, told};
use crate::record::{Recording, record};
use crate::record_command::tell_unchanged;
use crate::report::check::{self as report, Report};
use crate::request::{Look, Request, checkers, usage};
use crate::signals::Stop;

/// `plugpull check`.
pub fn run(args: &CheckArgs) -> Result<Exit, Failure> {
    let requests = Request::all(args)?;
    let namespace = namespace::enter()?;
    let run = Run { format: args.search.message_format, stop: Stop::listen()? };
    let outcomes = requests.iter().map(|request| run.check(request, namespace));
    finish(outcomes.collect::<Result<_, _>>()?)
}

/// `plugpull explore RECORDING`.
pub(crate) fn explore(path: &Path, args: &ExploreArgs) -> Result<Exit, Failure> {
    let mut recording = Recording::load(path)?;
    let look = Look::from_args(recording.about.subject.clone(), &args.judge, &args.search)?;
    if !look.checkers.is_empty() {
        recording.about.checkers.clone_from(&look.checkers);
    }
    if recording.about.checkers.is_empty() {
        let text = "the recording names no checker; name one with --checker";
        return Err(Failure::Usage(text.to_owned()));
    }
    namespace::enter()?;
    let run = Run { format: args.search.message_format, stop: Stop::listen()? };
    let outcome = run.look(&look, &recording, Some(path));
    finish(vec![run.tell(&look, outcome)?])
}

/// What all checks of a command have in common.
struct Run {
    format: MessageFormat,
    stop: Stop,
}

impl Run {
    /// Records a program and looks at it.
    fn check(&self, request: &Request, namespace: Namespace) -> Result<Outcome, Failure> {
        let recorded = record(&request.program, namespace, &self.stop);
        let outcome = recorded.and_then(|mut recording| {
            recording.about.checkers.clone_from(&request.look.checkers);
            recording.about.subject.clone_from(&request.look.subject);
            if let Some(path) = &request.recording {
                recording.save(path)?;
            }
            self.look(&request.look, &recording, request.recording.as_deref())
        });
        self.tell(&request.look, outcome)
    }

    /// What came of it, or why nothing did.
    fn tell(&self, look: &Look, outcome: Result<Outcome, Failure>) -> Result<Outcome, Failure> {
        let failed = |failure: Failure| {
            let (exit, error) = (failure.exit(), failure.to_string());
            eprintln!("plugpull: {error}");
            let subject = look.subject.clone();
            Outcome { subject, exit, error: Some(error), ..Outcome::default() }
        };
        match outcome {
            // Nobody listens any more.
            Err(Failure::Output(e)) => Err(Failure::Output(e)),
            outcome => {
                let outcome = outcome.unwrap_or_else(failed);
                report::end(&mut io::stdout().lock(), self.format, &outcome)?;
                Ok(outcome)
            }
        }
    }

    /// Looks at a recorded run.
    fn look(
        &self,
        look: &Look,
        recording: &Recording,
        saved: Option<&Path>,
    ) -> Result<Outcome, Failure> {
        let jobs = jobs(look, recording);
        let mut outcome = told(&look.subject, recording, &look.plan, jobs);
        report::start(&mut io::stdout().lock(), self.format, &outcome)?;
        if recording.ops() == 0 {
            tell_unchanged(recording);
            return Ok(Outcome { exit: Exit::NothingDone, ..outcome });
        }
        let mut pool = start_pool(recording, look.timeout, jobs, &self.stop)?;
        let mut heartbeat = Heartbeat::new();
        let examined =
            examine(recording, &look.plan, &mut pool, &self.stop, &mut |searched, _| {
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
        let kept = keep_states(look, &examined)?;
        outcome.add(recording, &look.plan, &examined, (path.as_deref(), &kept));
        Ok(outcome)
    }
}

/// All programs were looked at.
fn finish(outcomes: Vec<Outcome>) -> Result<Exit, Failure> {
    let report = Report::of(outcomes);
    io::stdout().lock().flush()?;
    Ok(report.exit)
}

/// How many checks there is memory for.
fn jobs(look: &Look, recording: &Recording) -> usize {
    let asked = look.jobs.unwrap_or_else(default_jobs).max(1);
    let jobs = memory::affordable(asked, tree_size(recording));
    if jobs < asked {
        eprintln!(
            "plugpull: {jobs} instead of {asked} checks at the same time: each keeps a copy of the \
             directory in memory, and half of what is free is enough for no more"
        );
    }
    jobs
}

/// Writes the state of each finding to a directory of its own.
#[expect(clippy::disallowed_methods, reason = "directories of the user's")]
fn keep_states(look: &Look, examined: &Examined) -> Result<Vec<PathBuf>, Failure> {
    let Some(dir) = &look.keep_states else { return Ok(Vec::new()) };
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

/// About how many bytes the largest state of a recording takes.
fn tree_size(recording: &Recording) -> u64 {
    let trace = &recording.trace;
    trace.start.size().max(trace.image_after(trace.events.len()).size())
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
