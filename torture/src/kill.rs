//! The runner: starts writers, kills them as planned, restarts them, and lets the oracle look.
//!
//! A single loop over what the writers say. Nothing here judges the store: that is the oracle's; and
//! nothing prints: that is the report's.
#![expect(clippy::disallowed_methods, reason = "killing at a random time needs a clock")]

mod audits;
mod silence;

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use faultfs::{Fs, RealFs};
use plugpull_store::{AuditCounts, Layout, Options as StoreOptions, PackKey, Store};

use crate::errand::Errand;
use crate::errand::promises::Promises;
use crate::exit::Failure;
use crate::options::Options;
use crate::oracle::{Finding, Oracle};
use crate::plan::{Fate, Plan};
use crate::process::{Event, News, Writer, was_killed};
use crate::report::{Progress, Report};
use crate::signals::Stop;
use crate::tally::Tally;
use crate::timing::table::Timing;
use crate::wire::{Part, Phase, Say};
use crate::workdir::Workdir;
use crate::workload::Work;
use silence::Silence;

/// How long no writer may say anything before the run counts as stuck.
const STALL: Duration = Duration::from_mins(1);

/// How long the loop sleeps at most before it looks at the clock and at Ctrl-C.
const TICK: Duration = Duration::from_millis(50);

/// Events that may wait to be heard; a writer with more to say waits.
const EVENTS: usize = 16;

/// First guess of a commit's time, until one was seen.
const FIRST_GUESS: Duration = Duration::from_millis(2);

/// How a run ended.
#[derive(Debug)]
pub struct Outcome {
    /// What was counted.
    pub tally: Tally,
    /// Where the time of the commits went, if that was asked.
    pub timing: Timing,
    /// What was found.
    pub findings: Vec<Finding>,
    /// The full audit at the end.
    pub audit: AuditCounts,
    /// Whether the user ended it.
    pub interrupted: bool,
}

/// One torture run.
pub struct Runner<'a> {
    options: &'a Options,
    stop: &'a Stop,
    report: &'a mut dyn Report,
    dir: PathBuf,
    desks: PathBuf,
    store: Store,
    oracle: Oracle,
    promises: Promises,
    fates: VecDeque<Fate>,
    writers: BTreeMap<u32, Writer>,
    lives: BTreeMap<u32, u32>,
    /// Temps that a killed writer left; gone when its successor is ready.
    left: BTreeMap<u32, PathBuf>,
    /// When a writer began its last commit.
    begun: BTreeMap<u32, Instant>,
    mean_commit: Duration,
    tally: Tally,
    timing: Timing,
    findings: Vec<Finding>,
    /// The garbage collection under way, or the last one.
    collection: Option<JoinHandle<()>>,
    sender: SyncSender<Event>,
    events: Receiver<Event>,
    started: Instant,
    silence: Silence,
}

impl<'a> Runner<'a> {
    /// A run in the store of `workdir`, which was made by the caller.
    pub fn new(
        options: &'a Options,
        plan: Plan,
        workdir: &Workdir,
        stop: &'a Stop,
        report: &'a mut dyn Report,
    ) -> Result<Self, Failure> {
        let dir = workdir.store();
        let store = Store::open(&dir, StoreOptions::durability(options.durability))?;
        let (sender, events) = sync_channel(EVENTS);
        let now = Instant::now();
        Ok(Self {
            options,
            stop,
            report,
            dir,
            desks: workdir.desks(),
            store,
            oracle: Oracle::new(options.seed, options.writers),
            promises: Promises::default(),
            fates: plan.fates.into(),
            writers: BTreeMap::new(),
            lives: BTreeMap::new(),
            left: BTreeMap::new(),
            begun: BTreeMap::new(),
            mean_commit: FIRST_GUESS,
            tally: Tally::default(),
            timing: Timing::default(),
            findings: Vec::new(),
            collection: None,
            sender,
            events,
            started: now,
            silence: Silence::default(),
        })
    }

    /// Runs until the commits are acknowledged and the kills are made, something is found, the time
    /// is over, or the user ends it; then looks at everything once more.
    pub fn run(mut self) -> Result<Outcome, Failure> {
        for slot in 0..self.options.writers {
            self.start(slot)?;
        }
        let mut interrupted = false;
        while !self.is_done() {
            if self.stop.asked() {
                interrupted = true;
                break;
            }
            self.hear_one()?;
            self.kill_due()?;
            self.collect_if_due()?;
            self.check_stall();
            self.show_progress();
        }
        self.end_writers()?;
        self.tally.elapsed = self.started.elapsed();
        self.final_audit(interrupted)
    }

    fn is_done(&self) -> bool {
        let reached = self.tally.commits >= self.options.commits && self.planned_kills_made();
        let over = self.options.duration.is_some_and(|limit| self.started.elapsed() >= limit);
        reached || over || !self.findings.is_empty()
    }

    fn planned_kills_made(&self) -> bool {
        self.fates.is_empty() && self.writers.values().all(|writer| writer.fate.is_none())
    }

    fn start(&mut self, slot: u32) -> Result<(), Failure> {
        let fate = self.fates.pop_front();
        let life = *self.lives.entry(slot).and_modify(|life| *life += 1).or_insert(0);
        let part = Part {
            dir: self.dir.clone(),
            desk: self.desk(slot),
            seed: self.options.seed,
            slot,
            life,
            best_effort: self.options.durability == plugpull_store::Durability::BestEffort,
            runner: std::process::id(),
            die: match &fate {
                Some(Fate::AtCall(die)) => Some(die.clone()),
                _ => None,
            },
            errands: self.options.errands.clone(),
            timing: self.options.timing,
            planted: self.options.planted.clone(),
        };
        let writer = Writer::start(&part, fate, self.sender.clone())?;
        self.writers.insert(slot, writer);
        Ok(())
    }

    /// A writer's own directory outside the store.
    fn desk(&self, slot: u32) -> PathBuf {
        self.desks.join(slot.to_string())
    }

    /// Takes one event, or none if none comes before something is due.
    fn hear_one(&mut self) -> Result<(), Failure> {
        let due = self.writers.values().filter_map(|writer| writer.deadline).min();
        let wait = due.map_or(TICK, |due| due.saturating_duration_since(Instant::now()).min(TICK));
        self.silence.listen(&self.events, wait).map_or(Ok(()), |event| self.hear(event))
    }

    fn hear(&mut self, event: Event) -> Result<(), Failure> {
        match event {
            Event::Writer { slot, news } => self.hear_writer(slot, news),
            Event::Collected(result) => self.collected(result),
        }
    }

    fn hear_writer(&mut self, slot: u32, news: News) -> Result<(), Failure> {
        match news {
            News::Ended => return self.bury(slot),
            News::Gibberish(line) => {
                let detail = format!("writer {slot} said {line:?}");
                self.found(Finding::new("harness", detail));
            }
            News::Said(Say::Ready { orphans, condemned }) => self.ready(slot, orphans, condemned),
            News::Said(Say::Phase { phase }) => self.enter(slot, phase),
            News::Said(Say::Ack { branch, id }) => {
                if let Err(finding) = self.oracle.promise(&branch, id) {
                    self.found(finding);
                }
                self.acknowledged(slot);
            }
            News::Said(Say::Took { times }) => self.timing.add(&times),
            News::Said(Say::Done { errand, pack }) => {
                let pack = pack.and_then(|key| key.parse().ok());
                self.done(slot, errand, pack);
            }
            News::Said(Say::Dying { step, path }) => {
                self.with(slot, |writer| writer.dying = Some((step, path)));
            }
            News::Said(Say::Failed { message, environment }) => {
                self.with(slot, |writer| writer.failed = Some((message, environment)));
            }
        }
        Ok(())
    }

    fn with(&mut self, slot: u32, change: impl FnOnce(&mut Writer)) {
        if let Some(writer) = self.writers.get_mut(&slot) {
            change(writer);
        }
    }

    /// A successor is at work: what its predecessor left must be gone.
    fn ready(&mut self, slot: u32, orphans: u64, condemned: u64) {
        self.tally.orphans += orphans;
        self.tally.condemned += condemned;
        if let Some(path) = self.left.remove(&slot)
            && RealFs.metadata(&path).is_ok()
        {
            let path = path.display();
            let detail = format!("{path}: its writer was killed, and the next open left it there");
            self.found(Finding::new("orphan-stays", detail));
        }
        self.set_deadline(slot);
    }

    fn enter(&mut self, slot: u32, phase: Phase) {
        match phase {
            Phase::Begin => drop(self.begun.insert(slot, Instant::now())),
            Phase::Errand(errand) => self.promises.begun(errand, self.under_way(slot)),
            _ => {}
        }
        self.with(slot, |writer| writer.phase = Some(phase));
    }

    fn done(&mut self, slot: u32, errand: Errand, pack: Option<PackKey>) {
        self.promises.kept(errand, self.under_way(slot), pack);
        self.tally.errands = self.promises.acknowledged();
        self.with(slot, |writer| writer.phase = None);
    }

    /// The commit that a writer is about, or the errand before it.
    fn under_way(&self, slot: u32) -> Work {
        let life = self.lives.get(&slot).copied().unwrap_or(0);
        let n = self.writers.get(&slot).map_or(0, |writer| writer.acks);
        Work { slot, life, n }
    }

    fn acknowledged(&mut self, slot: u32) {
        self.tally.commits = self.oracle.promises();
        if let Some(begun) = self.begun.remove(&slot) {
            // A running mean that forgets: one eighth of the new value.
            self.mean_commit = (self.mean_commit * 7 + begun.elapsed()) / 8;
        }
        self.with(slot, |writer| {
            writer.acks += 1;
            writer.phase = None;
        });
        self.set_deadline(slot);
    }

    /// Sets the time of a kill by the runner once the commits before it are acknowledged.
    fn set_deadline(&mut self, slot: u32) {
        let mean = self.mean_commit;
        self.with(slot, |writer| {
            if writer.deadline.is_none()
                && let Some(delay) = writer.fate.as_ref().and_then(|fate| fate.due(writer.acks))
            {
                writer.deadline = Some(Instant::now() + mean.mul_f64(delay));
            }
        });
    }

    fn kill_due(&mut self) -> Result<(), Failure> {
        let now = Instant::now();
        for writer in self.writers.values_mut() {
            if writer.deadline.is_some_and(|due| due <= now) {
                writer.kill()?;
            }
        }
        Ok(())
    }

    /// A writer is dead: counts its kill, lets the oracle look, and starts its successor.
    fn bury(&mut self, slot: u32) -> Result<(), Failure> {
        let unfinished = self.under_way(slot);
        let Some(mut writer) = self.writers.remove(&slot) else {
            return Ok(());
        };
        let status = writer.wait()?;
        if let Some((message, environment)) = writer.failed.take() {
            if environment {
                return Err(Failure::Machine(message));
            }
            self.let_down(slot, &message);
            return Ok(());
        }
        let killed = was_killed(status);
        match writer.dying.take() {
            Some((step, path)) if killed => {
                if Layout::is_temp(&path) {
                    self.left.insert(slot, path);
                }
                self.report.kill(slot, Some(&step), Some(step.phase));
                self.tally.kill_at_call(step);
            }
            _ if killed && writer.killed => {
                self.report.kill(slot, None, writer.phase);
                self.tally.kill_at_time(writer.phase);
            }
            _ => {
                let detail = format!("writer {slot} ended by itself: {status}");
                self.found(Finding::new("writer-failed", detail));
                return Ok(());
            }
        }
        self.audit(unfinished)?;
        self.start(slot)
    }

    fn let_down(&mut self, slot: u32, message: &str) {
        self.found(Finding::new("writer-failed", format!("writer {slot}: {message}")));
    }

    fn check_stall(&mut self) {
        if self.silence.lasts() > STALL {
            let beside = if self.collects() {
                "a garbage collection is"
            } else {
                "no garbage collection is"
            };
            let detail = format!(
                "no writer said anything for {STALL:?}: a lock may be stuck; {beside} under way, {}",
                self.writers_are_at()
            );
            self.found(Finding::new("stuck", detail));
        }
    }

    /// Whether a garbage collection is under way.
    fn collects(&self) -> bool {
        self.collection.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// What each writer said last that it is at.
    fn writers_are_at(&self) -> String {
        let at = |(slot, writer): (&u32, &Writer)| {
            let phase = writer.phase.map_or("nothing that it told", Phase::name);
            format!("writer {slot} is at {phase}")
        };
        self.writers.iter().map(at).collect::<Vec<_>>().join(", ")
    }

    fn show_progress(&mut self) {
        let progress = Progress {
            commits: self.tally.commits,
            of: self.options.commits,
            kills: self.tally.kills,
            elapsed: self.started.elapsed(),
        };
        self.report.progress(&progress);
    }

    /// Kills all writers that are left and hears out what they had said.
    fn end_writers(&mut self) -> Result<(), Failure> {
        for writer in self.writers.values_mut() {
            writer.kill()?;
        }
        while !self.writers.is_empty() {
            match self.events.recv_timeout(STALL) {
                Err(_) => break,
                Ok(Event::Writer { slot, news: News::Ended }) => {
                    if let Some(mut writer) = self.writers.remove(&slot) {
                        writer.wait()?;
                        if let Some((message, false)) = &writer.failed {
                            self.let_down(slot, message);
                        }
                    }
                }
                Ok(event) => self.hear(event)?,
            }
        }
        // A collection under way no longer waits for anybody.
        while self.collects() {
            self.hear_one()?;
        }
        Ok(())
    }
}
