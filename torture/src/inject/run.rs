//! The campaign: one run for each fault, the first call of every kind before the second, until the kinds
//! have no further call, the budget ends, or somebody stops it.
//!
//! Not for which faults there are (`plan`), nor for what a run means (`judge`, `states`).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use faultfs::{Calls, DiskImage};

use super::{Attempt, Baseline, Data, Did, Injected, Kind, Lane, look};
use crate::check::Pool;
use crate::checking::pool_of;
use crate::clock::Deadline;
use crate::exit::{Exit, Failure};
use crate::namespace::Namespace;
use crate::record::{MadeFault, Program, Ran, record_failing};
use crate::signals::Stop;

/// A lane in which the program hung so often is left: each time costs the whole time that a run may take.
const MOST_HUNG: u32 = 2;

/// Most recordings that are kept: one for each cause that is told.
const MOST_KEPT: usize = 50;

/// What runs of one cause have in common.
type Cause = (Kind, &'static str, bool, String, bool);

/// What is known of a program, and how it is looked at.
pub struct Campaign<'c> {
    /// The program; its setup was run already.
    pub program: Program,
    /// How the machine lets us mount.
    pub namespace: Namespace,
    /// The disk that each run begins with.
    pub start: &'c DiskImage,
    /// The calls of a run without a fault.
    pub calls: &'c Calls,
    /// What fails.
    pub lanes: &'c [Lane],
    /// The checkers, as they were given.
    pub checkers: &'c [String],
    /// What is wrong without a fault, too.
    pub baseline: &'c Baseline,
    /// How long one checker may take.
    pub timeout: Duration,
    /// Checks at the same time.
    pub jobs: usize,
    /// How long to go on.
    pub budget: Option<Duration>,
    /// Whether to end early.
    pub stop: &'c Stop,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Summary {
    /// The runs, in the order in which they were made.
    pub runs: Vec<Injected>,
    /// Runs that were not made before the budget ended or somebody stopped it, about.
    pub not_run: u64,
    /// Runs that were not made since the program hung in those before.
    pub left_out: u64,
}

impl Campaign<'_> {
    /// How many calls of a kind a run without a fault makes.
    pub fn made(&self, kind: Kind) -> u64 {
        made(self.calls, kind)
    }

    /// Makes all runs.
    pub fn run(
        &self,
        tell: &mut dyn FnMut(&Injected) -> Result<(), Failure>,
    ) -> Result<Summary, Failure> {
        let mut summary = Summary::default();
        let deadline = Deadline::after(self.budget);
        let ends = || self.stop.asked() || deadline.is_over();
        let mut kept = BTreeSet::new();
        let mut hung: BTreeMap<usize, u32> = BTreeMap::new();
        // The kinds of which a run had no further call, or the one without a fault none at all.
        let kinds = self.lanes.iter().map(|lane| lane.kind);
        let mut over: BTreeSet<_> = kinds.filter(|kind| self.made(*kind) == 0).collect();
        for nth in 1.. {
            let left = |over: &BTreeSet<Kind>| {
                let lanes = self.lanes.iter().enumerate();
                lanes
                    .filter(|(_, lane)| !over.contains(&lane.kind))
                    .map(|(n, _)| n)
                    .collect::<Vec<_>>()
            };
            let lanes = left(&over);
            if lanes.is_empty() {
                break;
            }
            for number in lanes {
                let lane = &self.lanes[number];
                if over.contains(&lane.kind) {
                    continue;
                }
                let hangs = hung.get(&number).is_some_and(|times| *times >= MOST_HUNG);
                if hangs || ends() {
                    let known = u64::from(nth <= self.made(lane.kind));
                    *(if hangs { &mut summary.left_out } else { &mut summary.not_run }) +=
                        2 * known;
                    if known == 0 {
                        over.insert(lane.kind);
                    }
                    continue;
                }
                let attempt = Attempt { kind: lane.kind, error: lane.error, nth, for_ever: false };
                let Some((once, further)) = self.one(&attempt, lane, &mut kept)? else {
                    summary.not_run += 2 * u64::from(nth <= self.made(lane.kind));
                    continue;
                };
                if once.did == Did::DidNotFire && nth > self.made(lane.kind) {
                    over.insert(lane.kind);
                    continue;
                }
                let ever = Attempt { for_ever: true, ..attempt };
                let ever = if further == 0 && once.did != Did::DidNotFire {
                    Some(Injected { attempt: ever, told_by_once: true, states: 0, ..once.clone() })
                } else {
                    self.one(&ever, lane, &mut kept)?.map(|(injected, _)| injected)
                };
                if ever.is_none() {
                    summary.not_run += 1;
                }
                for injected in std::iter::once(once).chain(ever) {
                    *hung.entry(number).or_default() += u32::from(injected.did == Did::Hung);
                    tell(&injected)?;
                    summary.runs.push(injected);
                }
            }
        }
        Ok(summary)
    }

    /// One run with its fault, and how many calls of the kind came after the one that failed; nothing when
    /// it was stopped.
    fn one(
        &self,
        attempt: &Attempt,
        lane: &Lane,
        kept: &mut BTreeSet<Cause>,
    ) -> Result<Option<(Injected, u64)>, Failure> {
        let plan = attempt.plan();
        let ran =
            record_failing(&self.program, self.namespace, (self.start.clone(), &plan), self.stop);
        let mut ran = match ran {
            Err(Failure::Interrupted) => return Ok(None),
            ran => ran?,
        };
        let about = &mut ran.recording.about;
        about.checkers = self.checkers.to_vec();
        about.fault = Some(MadeFault { what: attempt.words(), plan });
        let mut injected = Self::judge(attempt, &ran);
        let fault = ran.calls.since_fault.first().map_or(0, |call| call.event);
        if injected.did != Did::DidNotFire {
            let mut pool = self.pool(&ran)?;
            let stop = || self.stop.asked();
            let judge = (&mut pool as &mut dyn crate::search::Judge, self.baseline);
            let looked = look(&ran.recording, fault, &lane.models, judge, &stop)?;
            if self.stop.asked() {
                return Ok(None);
            }
            injected.data = looked.data;
            (injected.states, injected.not_measured) = (looked.states, looked.not_measured);
        }
        Self::keep(&mut injected, &ran, kept)?;
        let further = made(&ran.calls, attempt.kind).saturating_sub(attempt.nth);
        Ok(Some((injected, further)))
    }

    fn judge(attempt: &Attempt, ran: &Ran) -> Injected {
        let path = ran.calls.since_fault.first().map(|call| {
            let relative = call.path.strip_prefix("/").unwrap_or(&call.path);
            let path = relative.display().to_string();
            if path.is_empty() { ".".to_owned() } else { path }
        });
        Injected {
            attempt: *attempt,
            did: Did::of(attempt, ran),
            path: path.unwrap_or_default(),
            fired: ran.fired,
            last_words: ran.last_words.clone(),
            data: Data::NotLookedAt,
            recording: None,
            told_by_once: false,
            states: 0,
            not_measured: 0,
            seconds: ran.took.as_secs_f64(),
        }
    }

    fn pool(&self, ran: &Ran) -> Result<Pool, Failure> {
        pool_of(&ran.recording, self.timeout, self.jobs, self.stop)
    }

    /// Keeps the recording of the first run of each cause that is told.
    fn keep(injected: &mut Injected, ran: &Ran, kept: &mut BTreeSet<Cause>) -> Result<(), Failure> {
        let is_told = injected.is_violation() || injected.is_warning();
        if is_told && kept.len() < MOST_KEPT && kept.insert(injected.cause()) {
            let name = injected.attempt.file_name();
            injected.recording = Some(ran.recording.keep_as(&format!("-{name}"))?);
        }
        Ok(())
    }
}

impl Summary {
    /// How plugpull ends.
    pub fn exit(&self, stop: &Stop) -> Exit {
        let fired = |injected: &&Injected| injected.did != Did::DidNotFire;
        let incomplete = self.not_run > 0 || self.runs.iter().any(|run| run.not_measured > 0);
        match () {
            () if self.runs.iter().any(Injected::is_violation) => Exit::Violation,
            () if stop.asked() => Exit::Interrupted,
            () if self.runs.iter().find(fired).is_none() => Exit::NothingDone,
            () if incomplete => Exit::Partial,
            () => Exit::Clean,
        }
    }
}

fn made(calls: &Calls, kind: Kind) -> u64 {
    kind.calls().iter().filter_map(|call| calls.counts.get(call)).sum()
}
