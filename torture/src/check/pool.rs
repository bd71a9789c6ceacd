//! Judging many states on several threads, with verdicts in the order of the states.
//!
//! Neighbouring states go to one worker, because they differ little. When the run is stopped, the states
//! that still wait are told as not measured. Not for choosing states.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use super::checkers::Prepared;
use super::judge::Verdict;
use super::tree::TreeCounts;
use super::worker::Worker;
use crate::orphans::Orphans;
use crate::search::{Asked, Judge};
use crate::signals::Stop;

/// Most neighbouring states that go to a worker at once.
const BATCH: usize = 8;

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
    /// Whose the processes are that checkers leave behind.
    pub orphans: Orphans,
    /// Whether to end early.
    pub stop: Stop,
}

/// Neighbouring states, and the place of the first among all that were asked for.
struct Batch {
    place: usize,
    states: Vec<Asked>,
}

type Answer = (usize, Vec<Verdict>);

/// Workers that judge states.
pub struct Pool {
    /// `None` when nothing more is to come.
    batches: Option<Sender<Batch>>,
    answers: Receiver<Answer>,
    workers: Vec<JoinHandle<TreeCounts>>,
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
        let (batches, waiting) = channel();
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
        let batches = Some(batches);
        let mut pool = Self { batches, answers, workers, elsewhere: None, abandoned };
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

    /// Ends the workers, and says what their trees did.
    pub fn end(mut self) -> TreeCounts {
        self.join()
    }

    /// Hands states to the workers. Returns how many batches they make.
    fn send(&self, states: Vec<Asked>) -> usize {
        let total = states.len();
        let size = (total / (self.workers.len().max(1) * ROUNDS)).clamp(1, BATCH);
        let mut states = states.into_iter();
        for place in (0..total).step_by(size) {
            let states = states.by_ref().take(size).collect();
            // Without a worker left it is missing among the answers, and told as such.
            let _ = self.batches.as_ref().map(|batches| batches.send(Batch { place, states }));
        }
        total.div_ceil(size)
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

impl Judge for Pool {
    fn judge(&mut self, states: Vec<Asked>, stop: &dyn Fn() -> bool) -> Vec<Verdict> {
        let mut verdicts = vec![None; states.len()];
        let mut waiting = self.send(states);
        while waiting > 0 {
            self.abandoned.store(stop(), Ordering::Relaxed);
            match self.answers.recv_timeout(ASK_AGAIN) {
                Ok((place, judged)) => {
                    waiting -= 1;
                    for (verdict, judged) in verdicts.iter_mut().skip(place).zip(judged) {
                        *verdict = Some(judged);
                    }
                }
                // A worker that is gone takes its batch with it.
                Err(RecvTimeoutError::Timeout)
                    if self.workers.iter().any(JoinHandle::is_finished) =>
                {
                    break;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.abandoned.store(false, Ordering::Relaxed);
        let gone = || Verdict::HarnessBroken("the checker's workers ended unexpectedly".to_owned());
        verdicts.into_iter().map(|verdict| verdict.unwrap_or_else(gone)).collect()
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
pub(super) fn canonical(dir: &std::path::Path) -> PathBuf {
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
        let Ok(Batch { place, states }) = batch else { break };
        let judge = |state: Asked| {
            if abandoned.load(Ordering::Relaxed) {
                Verdict::given_up()
            } else {
                worker.judge(&state)
            }
        };
        // Nobody listens any more when the pool was dropped.
        let _ = answer.send((place, states.into_iter().map(judge).collect()));
    }
    worker.counts()
}
