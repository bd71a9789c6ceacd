//! Checking on several threads: one thread makes the states, others check them.
//!
//! What is found does not depend on the number of threads: findings are those of the states in their
//! order, and the search looks at its findings after a fixed number of states only. When the run is
//! stopped from outside it does depend on the time. Not for the checker.

use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ScopedJoinHandle};

use faultfs::{CrashState, DiskImage, PersistOrder};

use super::{Bounds, Coverage, explore};

/// States that go to a checking thread at once.
const BATCH: usize = 64;

/// Batches that may wait, for each thread: enough to keep it busy, few enough to hold few images.
const WAITING: usize = 4;

/// Batches after which the search waits for the checkers and counts what they found.
const ROUND: u64 = 16;

/// A state on its way to the checker.
pub struct Checked {
    /// Its place in the order of the search.
    pub number: u64,
    /// Which state it is.
    pub state: CrashState,
    /// Its disk, as the kernel finds it after the crash.
    pub image: DiskImage,
    /// The number of Marks before the crash.
    pub marks: u32,
}

/// What a checker found in a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<R> {
    /// The state's place in the order of the search.
    pub number: u64,
    /// The state.
    pub state: CrashState,
    /// What was found there.
    pub what: R,
}

/// When a check ends before its bounds.
#[derive(Clone, Copy)]
pub struct Until<'s> {
    /// So much was found, or a little more.
    pub found: u64,
    /// Somebody asks for it.
    pub stop: &'s dyn Fn() -> bool,
}

/// Checks the distinct crash states within the bounds on `jobs` threads. Returns what was looked at
/// and what was found, in the order of the states.
pub fn check<R: Send>(
    order: &PersistOrder,
    bounds: Bounds,
    jobs: usize,
    until: Until<'_>,
    checker: &(impl Fn(&Checked) -> Option<R> + Sync),
) -> (Coverage, Vec<Found<R>>) {
    let jobs = jobs.max(1);
    let (send, receive) = sync_channel(jobs * WAITING);
    let done = Done::default();
    thread::scope(|scope| {
        // Only the checkers hold it: when they are gone, sending fails.
        let receive = Arc::new(Mutex::new(receive));
        let done = &done;
        let worker = |receive: Arc<_>| scope.spawn(move || work(&receive, done, checker));
        let workers: Vec<_> = (0..jobs).map(|_| worker(Arc::clone(&receive))).collect();
        drop(receive);
        let coverage = send_states(order, bounds, until, done, send);
        let found = workers.into_iter().map(ScopedJoinHandle::join);
        let mut found: Vec<Found<R>> = found
            .flat_map(|found| found.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect();
        found.sort_by_key(|found| found.number);
        (coverage, found)
    })
}

/// How far the checkers are.
#[derive(Default)]
struct Done {
    counts: Mutex<Counts>,
    changed: Condvar,
}

#[derive(Default)]
struct Counts {
    batches: u64,
    found: u64,
    panicked: bool,
}

impl Done {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.counts());
        self.changed.notify_all();
    }

    /// Waits until so many batches are checked; says how much was found.
    fn wait(&self, batches: u64) -> u64 {
        let waits = |counts: &mut Counts| counts.batches < batches && !counts.panicked;
        let counts = self.changed.wait_while(self.counts(), waits);
        counts.unwrap_or_else(PoisonError::into_inner).found
    }
}

fn send_states(
    order: &PersistOrder,
    bounds: Bounds,
    until: Until<'_>,
    done: &Done,
    send: SyncSender<Vec<Checked>>,
) -> Coverage {
    let mut batch = Vec::with_capacity(BATCH);
    let (mut number, mut batches) = (0, 0);
    let coverage = explore(order, bounds, &mut |found| {
        let mut image = found.image.clone();
        image.discard_hidden();
        let state = CrashState::new(found.window, found.survives);
        batch.push(Checked { number, state, image, marks: found.window.marks() });
        number += 1;
        if batch.len() < BATCH {
            return ControlFlow::Continue(());
        }
        let full = std::mem::replace(&mut batch, Vec::with_capacity(BATCH));
        batches += 1;
        // Nobody receives any more when the checkers panicked.
        let ends = send.send(full).is_err()
            || (until.stop)()
            || batches % ROUND == 0 && done.wait(batches) >= until.found;
        if ends { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let _all_gone = send.send(batch);
    // The checkers end when nothing can come any more.
    drop(send);
    coverage
}

fn work<R>(
    receive: &Mutex<Receiver<Vec<Checked>>>,
    done: &Done,
    checker: &impl Fn(&Checked) -> Option<R>,
) -> Vec<Found<R>> {
    let _gone = Gone(done);
    let mut found = Vec::new();
    loop {
        let batch = receive.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(batch) = batch else { return found };
        let before = found.len();
        for checked in batch {
            if let Some(what) = checker(&checked) {
                found.push(Found { number: checked.number, state: checked.state, what });
            }
        }
        let more = (found.len() - before) as u64;
        done.add(|counts| {
            counts.batches += 1;
            counts.found += more;
        });
    }
}

/// Tells on a panic that its batch will never be done.
struct Gone<'d>(&'d Done);

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        self.0.add(|counts| counts.panicked |= thread::panicking());
    }
}
