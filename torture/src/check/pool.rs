//! Judging many states on several threads, with results in the order of the states.
//!
//! Neighbouring states go to one worker, because they differ little. Few wait, as each holds an image. When
//! the run is stopped, the states that still wait are told as not measured. Not for choosing states.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use faultfs::DiskImage;

use super::checkers::Prepared;
use super::judge::Verdict;
use super::tree::TreeCounts;
use super::worker::Worker;
use crate::search::{Asked, Judge as Ask};
use crate::signals::Stop;

/// Neighbouring states that go to a worker at once.
const BATCH: usize = 16;

/// Batches that may wait, for each worker.
const WAITING: usize = 16;

/// Batches that each worker gets of states that are asked for at once: the more, the less it waits for
/// the others at the end; the fewer, the closer its states.
const ROUNDS: usize = 8;

/// How often it is looked whether to stop while checkers are at work.
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// What a pool is to do.
pub struct Setup {
    /// The recorded directory, where checkers find the states.
    pub dir: PathBuf,
    /// Asked in this order; the first that is not content decides.
    pub checkers: Vec<Prepared>,
    /// All Marks of the run.
    pub marks: Arc<[Arc<[u8]>]>,
    /// How long one program may take.
    pub timeout: Duration,
    /// Threads; one for each core is best.
    pub jobs: usize,
    /// Whether to end early.
    pub stop: Stop,
}

/// A state on its way to the checkers.
pub struct Job {
    /// Its place in the order of the search.
    pub number: u64,
    /// Its disk, as the kernel finds it after the crash.
    pub image: DiskImage,
    /// The number of Marks before the crash.
    pub marks: u32,
}

/// A state that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Its place in the order of the search.
    pub number: u64,
    /// What the checkers said.
    pub verdict: Verdict,
}

/// Neighbouring states, and their place in the order in which they were sent.
struct Batch {
    place: u64,
    jobs: Vec<Job>,
}

type Answer = (u64, Vec<Judged>);

/// Workers that judge states.
pub struct Pool {
    /// States that are not enough for a worker yet.
    filling: Vec<Job>,
    /// `None` when nothing more is to come.
    batches: Option<SyncSender<Batch>>,
    answers: Receiver<Answer>,
    workers: Vec<JoinHandle<TreeCounts>>,
    /// The numbers of the states of each batch that was sent and is not handed on.
    sent: VecDeque<Vec<u64>>,
    /// Batches that others, sent earlier, keep waiting.
    done: BTreeMap<u64, Vec<Judged>>,
    /// Batches that were handed on.
    handed: u64,
    elsewhere: Option<String>,
    abandoned: Arc<AtomicBool>,
}

impl Pool {
    /// Starts the workers and waits until each has its tree.
    pub fn start(setup: Setup) -> io::Result<Self> {
        // A symbolic link cannot be mounted over, and programs see the path behind it.
        let dir = canonical(&setup.dir);
        let jobs = setup.jobs.max(1);
        let setup = Arc::new(Setup { dir, ..setup });
        let (batches, waiting) = sync_channel(jobs * WAITING);
        let waiting = Arc::new(Mutex::new(waiting));
        let (answer, answers) = channel();
        let (ready, started) = channel();
        let abandoned = Arc::new(AtomicBool::new(false));
        let mut workers = Vec::with_capacity(jobs);
        for number in 0..jobs {
            let (setup, waiting) = (Arc::clone(&setup), Arc::clone(&waiting));
            let (answer, ready) = (answer.clone(), ready.clone());
            let abandoned = Arc::clone(&abandoned);
            let work = move || work(setup, &waiting, &answer, ready, &abandoned);
            workers.push(Builder::new().name(format!("check-{number}")).spawn(work)?);
        }
        drop(ready);
        let mut pool = Self {
            filling: Vec::with_capacity(BATCH),
            batches: Some(batches),
            answers,
            workers,
            sent: VecDeque::new(),
            done: BTreeMap::new(),
            handed: 0,
            elsewhere: None,
            abandoned,
        };
        for _ in 0..jobs {
            let worker = started.recv();
            let gone = |_| io::Error::other("a checker's worker panicked at its start");
            pool.elsewhere = worker.map_err(gone)??.or(pool.elsewhere.take());
        }
        Ok(pool)
    }

    /// Why checkers do not find the states at the recorded path; `None` when they do.
    pub fn elsewhere(&self) -> Option<&str> {
        self.elsewhere.as_deref()
    }

    /// Hands a state to the workers; waits while too many wait already.
    pub fn send(&mut self, job: Job) {
        self.filling.push(job);
        if self.filling.len() == BATCH {
            self.send_batch();
        }
    }

    fn send_batch(&mut self) {
        let jobs = std::mem::replace(&mut self.filling, Vec::with_capacity(BATCH));
        let place = self.handed + self.sent.len() as u64;
        self.sent.push_back(jobs.iter().map(|job| job.number).collect());
        // Without a worker left it is missing among the answers, and told as such.
        let _ = self.batches.as_ref().map(|batches| batches.send(Batch { place, jobs }));
    }

    /// The states that were judged since the last call, in the order in which they were sent, as far as
    /// all before them were judged.
    pub fn ready(&mut self) -> Vec<Judged> {
        self.done.extend(self.answers.try_iter());
        let mut ready = Vec::new();
        while let Some(judged) = self.done.remove(&self.handed) {
            self.handed += 1;
            self.sent.pop_front();
            ready.extend(judged);
        }
        ready
    }

    /// Hands over what was sent so far and waits for it; in the order in which it was sent.
    pub fn settle(&mut self) -> Vec<Judged> {
        if !self.filling.is_empty() {
            self.send_batch();
        }
        let mut ready = self.ready();
        while !self.sent.is_empty() {
            // Without a worker left, `finish` tells what is missing.
            let Ok((place, judged)) = self.answers.recv() else { break };
            self.done.insert(place, judged);
            ready.extend(self.ready());
        }
        ready
    }

    /// Waits for all states that are left; says what the trees did, too.
    pub fn finish(mut self) -> (Vec<Judged>, TreeCounts) {
        if !self.filling.is_empty() {
            self.send_batch();
        }
        let counts = self.join();
        let mut judged = self.ready();
        // A worker that is gone takes its batch with it.
        while let Some(numbers) = self.sent.pop_front() {
            let lost = |number| {
                let why = "the checker's worker ended unexpectedly".to_owned();
                Judged { number, verdict: Verdict::HarnessBroken(why) }
            };
            judged.extend(
                self.done
                    .remove(&self.handed)
                    .unwrap_or_else(|| numbers.into_iter().map(lost).collect()),
            );
            self.handed += 1;
        }
        (judged, counts)
    }

    fn join(&mut self) -> TreeCounts {
        self.batches = None;
        let counts = self.workers.drain(..).filter_map(|worker| worker.join().ok());
        counts.fold(TreeCounts::default(), |sum, counts| TreeCounts {
            shown: sum.shown + counts.shown,
            mended: sum.mended + counts.mended,
            rebuilt: sum.rebuilt + counts.rebuilt,
        })
    }
}

impl Ask for Pool {
    fn judge(&mut self, states: Vec<Asked>, stop: &dyn Fn() -> bool) -> Vec<Verdict> {
        let total = states.len();
        let size = (total / (self.workers.len().max(1) * ROUNDS)).clamp(1, BATCH / 2);
        for (number, Asked { image, marks }) in (0..).zip(states) {
            self.filling.push(Job { number, image, marks });
            if self.filling.len() == size {
                self.send_batch();
            }
        }
        if !self.filling.is_empty() {
            self.send_batch();
        }
        let mut verdicts = Vec::with_capacity(total);
        while verdicts.len() < total {
            self.abandoned.store(stop(), Ordering::Relaxed);
            match self.answers.recv_timeout(ASK_AGAIN) {
                Ok((place, judged)) => drop(self.done.insert(place, judged)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            verdicts.extend(self.ready().into_iter().map(|judged| judged.verdict));
        }
        self.abandoned.store(false, Ordering::Relaxed);
        let gone = || Verdict::HarnessBroken("the checker's workers ended unexpectedly".to_owned());
        verdicts.resize_with(total, gone);
        verdicts
    }
}

impl Drop for Pool {
    /// Ends the workers without looking at what still waits: with them go their mounts.
    fn drop(&mut self) {
        self.abandoned.store(true, Ordering::Relaxed);
        self.join();
    }
}

#[expect(clippy::disallowed_methods, reason = "the directory of the subject is none of a store")]
fn canonical(dir: &std::path::Path) -> PathBuf {
    // Where there is no such directory, the states are elsewhere, which the workers find out.
    std::fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned())
}

fn work(
    setup: Arc<Setup>,
    waiting: &Mutex<Receiver<Batch>>,
    answer: &Sender<Answer>,
    ready: Sender<io::Result<Option<String>>>,
    abandoned: &AtomicBool,
) -> TreeCounts {
    let mut worker = match Worker::new(setup) {
        Ok(worker) => worker,
        Err(e) => {
            let _ = ready.send(Err(e));
            return TreeCounts::default();
        }
    };
    let _ = ready.send(Ok(worker.elsewhere()));
    drop(ready);
    loop {
        let batch = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Batch { place, jobs }) = batch else { break };
        let judge = |job: Job| {
            let skipped = || Verdict::NotMeasured("the check was given up".to_owned());
            let abandoned = abandoned.load(Ordering::Relaxed);
            let verdict = if abandoned { skipped() } else { worker.judge(&job) };
            Judged { number: job.number, verdict }
        };
        // Nobody listens any more when the pool was dropped.
        let _ = answer.send((place, jobs.into_iter().map(judge).collect()));
    }
    worker.counts()
}
