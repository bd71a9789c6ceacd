//! Checking: a program is recorded, or was, and is looked at; what all commands that do this share.
//!
//! Not for arguments (`request`), and not for what an examination consists of (`examine`).

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use faultfs::Trace;

use crate::baseline::Ratchet;
use crate::check::{Checker, Pool, Setup, Verdict};
use crate::cli::MessageFormat;
use crate::clock::Heartbeat;
use crate::examine::{Examined, examine};
use crate::exit::{Exit, Failure};
use crate::explore_command::default_jobs;
use crate::keep::write_findings;
use crate::memory;
use crate::namespace::Namespace;
use crate::orphans::Orphans;
use crate::outcome::{Outcome, told};
use crate::record::{Recording, marks_of, record};
use crate::record_command::tell_unchanged;
use crate::recrash::{Recoveries, Recrash, Recrashed, recrash};
use crate::report::check::{self as report, Report, Reports};
use crate::request::{Look, Request, checkers, usage};
use crate::results::Results;
use crate::search::{Book, Keeper, Key, Partition, Share};
use crate::signals::Stop;
use crate::verdicts::Keeping;

/// What all checks of a command have in common.
pub(crate) struct Checking {
    /// How it is told.
    pub(crate) format: MessageFormat,
    /// Where recordings and verdicts are kept, if anywhere.
    pub(crate) results: Option<Results>,
    /// Which part of the states is judged.
    pub(crate) partition: Option<Partition>,
    /// Whether nothing is judged yet.
    pub(crate) record_only: bool,
    /// Reports beside what is printed.
    pub(crate) reports: Reports,
    /// What is known already.
    pub(crate) ratchet: Ratchet,
    /// Whether there are several programs.
    pub(crate) several: bool,
}

/// What is known of the states before they are looked at.
#[derive(Default)]
pub(crate) struct Known {
    /// Verdicts.
    pub(crate) verdicts: BTreeMap<Key, Verdict>,
    /// Where new ones are kept.
    pub(crate) keeping: Option<Keeping>,
    /// Which states are judged.
    pub(crate) share: Share,
    /// The recoveries that were recorded, for second crashes.
    pub(crate) recoveries: Recoveries,
}

impl Checking {
    /// One program, of which nothing is known, and nothing kept or written.
    pub(crate) fn new(format: MessageFormat) -> Self {
        Self {
            format,
            results: None,
            partition: None,
            record_only: false,
            reports: Reports::default(),
            ratchet: Ratchet::default(),
            several: false,
        }
    }

    /// Records a program, unless its recording is there, and looks at it.
    pub(crate) fn check(
        &self,
        request: &Request,
        namespace: Namespace,
        stop: &Stop,
    ) -> Result<Outcome, Failure> {
        if stop.asked() {
            return self.tell(&request.look, Err(Failure::Interrupted), stop);
        }
        let recorded = self.recorded(request, namespace, stop);
        let outcome = recorded.and_then(|(recording, saved)| {
            self.explored(&request.look, &recording, saved.as_deref(), stop)
        });
        self.tell(&request.look, outcome, stop)
    }

    /// The recording of a program, and where it was saved.
    fn recorded(
        &self,
        request: &Request,
        namespace: Namespace,
        stop: &Stop,
    ) -> Result<(Recording, Option<PathBuf>), Failure> {
        let subject = &request.look.subject;
        let results = self.results.as_ref();
        let kept = results.map(|results| results.recording(subject));
        if let Some(mut recording) = results.map_or(Ok(None), |r| r.recorded(subject))? {
            recording.about.checkers.clone_from(&request.look.checkers);
            return Ok((recording, kept));
        }
        let mut recording = record(&request.program, namespace, stop)?;
        recording.about.checkers.clone_from(&request.look.checkers);
        recording.about.subject.clone_from(subject);
        for path in kept.iter().chain(&request.recording) {
            recording.save(path)?;
        }
        Ok((recording, request.recording.clone().or(kept)))
    }

    /// Looks at a run that was recorded earlier.
    pub(crate) fn explore(
        &self,
        look: &Look,
        recording: &Recording,
        path: &Path,
        stop: &Stop,
    ) -> Result<Outcome, Failure> {
        if let Some(results) = &self.results {
            // So that the directory is all that it takes to go on.
            results.take_in(recording)?;
        }
        self.explored(look, recording, Some(path), stop)
    }

    fn explored(
        &self,
        look: &Look,
        recording: &Recording,
        saved: Option<&Path>,
        stop: &Stop,
    ) -> Result<Outcome, Failure> {
        let mut outcome = told(&look.subject, recording, &look.plan, jobs(look, recording));
        outcome.bound.partition = self.partition.map(|part| part.to_string());
        outcome.bound.recrash = look.recrash;
        report::start(&mut io::stdout().lock(), self.format, &outcome)?;
        if recording.ops() == 0 {
            tell_unchanged(recording);
            return Ok(Outcome { exit: Exit::NothingDone, ..outcome });
        }
        if self.record_only {
            return Ok(outcome);
        }
        let share = self.partition.map_or(Share::All, Share::Of);
        let known = match &self.results {
            None => Known { share, ..Known::default() },
            Some(results) => {
                let (verdicts, keeping) = results.open(recording, &outcome.bound)?;
                let recoveries = Recoveries::In(results.recoveries(&look.subject));
                Known { verdicts, keeping: Some(keeping), share, recoveries }
            }
        };
        let outcome = look_at(look, (recording, saved), (outcome, known), stop)?;
        if self.results.is_some() && matches!(outcome.exit, Exit::Interrupted | Exit::Partial) {
            eprintln!("plugpull: what was judged is kept; --resume goes on from there");
        }
        Ok(outcome)
    }

    /// Tells what came of it, or why nothing did.
    pub(crate) fn tell(
        &self,
        look: &Look,
        outcome: Result<Outcome, Failure>,
        stop: &Stop,
    ) -> Result<Outcome, Failure> {
        let failed = |failure: Failure| {
            let (exit, error) = (failure.exit(), failure.to_string());
            let subject = look.subject.clone();
            let whose = if self.several { format!("{subject}: ") } else { String::new() };
            eprintln!("plugpull: {whose}{error}");
            Outcome { subject, exit, error: Some(error), ..Outcome::default() }
        };
        match outcome {
            // Nobody listens any more.
            Err(Failure::Output(e)) => Err(Failure::Output(e)),
            outcome => {
                let mut outcome = outcome.unwrap_or_else(failed);
                self.ratchet.mark(&mut outcome, stop.asked());
                report::end(&mut io::stdout().lock(), self.format, &outcome)?;
                Ok(outcome)
            }
        }
    }

    /// All programs were looked at.
    pub(crate) fn finish(&self, outcomes: Vec<Outcome>, stop: &Stop) -> Result<Exit, Failure> {
        let mut out = io::stdout().lock();
        let mut report = Report::of(outcomes);
        // A part of the states is less than what the baseline says by itself.
        let is_whole = self.partition.is_none() && !self.record_only;
        let saved = if is_whole { self.ratchet.finish(&mut report, stop.asked())? } else { None };
        let told = report::summary(&mut out, self.format, &report.outcomes);
        let told = told.and_then(|()| match &report.baseline {
            Some(compared) => report::baseline(&mut out, self.format, compared, saved.as_ref()),
            None => Ok(()),
        });
        let told = told.and_then(|()| out.flush());
        // Also where nobody listens any more.
        self.reports.write(&report)?;
        told?;
        Ok(report.exit)
    }
}

/// Looks at a recorded run.
pub(crate) fn look_at(
    look: &Look,
    (recording, saved): (&Recording, Option<&Path>),
    (mut outcome, mut known): (Outcome, Known),
    stop: &Stop,
) -> Result<Outcome, Failure> {
    let mut pool = start_pool(recording, look.timeout, outcome.bound.jobs, stop)?;
    let mut keep = known.keeping.as_mut().map(|k| |key, verdict: &Verdict| k.keep(key, verdict));
    let keeper = keep.as_mut().map(|keep| keep as Keeper<'_>);
    let mut book = Book::new(&mut pool).with(known.verdicts, keeper).sharing(known.share);
    let mut heartbeat = Heartbeat::new();
    let examined = examine(recording, &look.plan, &mut book, stop, &mut |searched, _| {
        heartbeat.beat(|_| {
            let (states, model) = (searched.judged(), &searched.model.name);
            format!("{states} states under {model}, {} violated", searched.violated.len())
        });
    });
    let second = match &examined {
        Ok(examined) if look.recrash > 0 => {
            let known = (&known.recoveries, &mut book);
            Some(second_crashes(look, recording, (examined, known), stop)?)
        }
        _ => None,
    };
    drop(pool);
    if let Some(keeping) = &mut known.keeping {
        keeping.finish()?;
    }
    let examined = examined?;
    let found = examined.searched.iter().any(|searched| !searched.violated.is_empty())
        || second.as_ref().is_some_and(|second| !second.findings.is_empty());
    let path = match saved {
        Some(path) => Some(path.to_owned()),
        None if found => Some(recording.keep()?),
        None => None,
    };
    let dir = look.keep_states.as_deref();
    let kept = dir.map_or(Ok(Vec::new()), |dir| write_findings(&examined, dir))?;
    let path = path.as_deref();
    outcome.add(recording, &look.plan, &examined, (path, &kept));
    if let Some(second) = second {
        second.add_to(&mut outcome, (recording, &examined), (path, dir), stop)?;
    }
    Ok(outcome)
}

/// The power is cut again, while the checkers write.
fn second_crashes(
    look: &Look,
    recording: &Recording,
    (examined, (recoveries, book)): (&Examined, (&Recoveries, &mut Book<'_>)),
    stop: &Stop,
) -> Result<Recrashed, Failure> {
    let setup = setup(recording, look.timeout, 1, stop)?;
    let (trace, plan, one_in) = (&recording.trace, &look.plan, look.recrash);
    let what = Recrash { trace, plan, one_in, recoveries, setup: &setup, stop };
    let mut heartbeat = Heartbeat::new();
    Ok(recrash(&what, examined, book, &mut |found| {
        heartbeat.beat(|_| {
            let (recoveries, states) = (found.recoveries, found.judged);
            format!("{recoveries} recoveries, {states} states after a second power cut")
        });
    }))
}

/// How many checks there is memory for.
pub(crate) fn jobs(look: &Look, recording: &Recording) -> usize {
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

/// About how many bytes the largest state of a recording takes.
pub(crate) fn tree_size(recording: &Recording) -> u64 {
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
    let pool = pool_of(recording, timeout, jobs, stop)?;
    tell_elsewhere(recording, &pool);
    Ok(pool)
}

/// Says where checkers find the states, if that is not where they were recorded.
pub(crate) fn tell_elsewhere(recording: &Recording, pool: &Pool) {
    if let Some(why) = pool.elsewhere() {
        let dir = recording.about.dir.display();
        eprintln!("plugpull: checkers do not find the states in {dir}, but elsewhere: {why}");
    }
}

/// The same without a word.
pub(crate) fn pool_of(
    recording: &Recording,
    timeout: Duration,
    jobs: usize,
    stop: &Stop,
) -> Result<Pool, Failure> {
    let pool = Pool::start(setup(recording, timeout, jobs, stop)?);
    pool.map_err(|e| Failure::system("start the checkers' workers", e))
}

/// What the workers are to do.
fn setup(
    recording: &Recording,
    timeout: Duration,
    jobs: usize,
    stop: &Stop,
) -> Result<Setup, Failure> {
    let first = first_run(recording);
    let run = first.as_ref().unwrap_or(&recording.trace);
    let prepare = |checker: Checker| checker.prepare(run).map_err(usage);
    let checkers = checkers(&recording.about.checkers)?;
    Ok(Setup {
        dir: recording.about.dir.clone(),
        checkers: checkers.into_iter().map(prepare).collect::<Result<_, _>>()?,
        marks: marks_of(recording).into(),
        timeout,
        jobs,
        orphans: Orphans::Ours,
        stop: stop.clone(),
    })
}

/// The run that a recovery was after: it has the versions that checkers compare with.
fn first_run(recording: &Recording) -> Option<Trace> {
    let path = recording.about.recovery_of.as_deref()?;
    match Recording::load(path) {
        Ok(first) => Some(first.trace),
        Err(e) => {
            eprintln!(
                "plugpull: without the recording of the first crash ({e}), checkers that know \
                       what the program wrote take the state after it for the start"
            );
            None
        }
    }
}
