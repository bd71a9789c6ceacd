//! Checking on several threads: one thread makes the states, others check them.
//!
//! What is found does not depend on the number of threads: findings are those of the states in their
//! order. Only when the run is stopped from outside does it depend on the time. Not for the checker.

use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, ScopedJoinHandle};

use faultfs::{CrashState, DiskImage, PersistOrder};

use super::{Bounds, Coverage, explore};

/// States that go to a checking thread at once.
const BATCH: usize = 64;

/// Batches that may wait, for each thread: enough to keep it busy, few enough to hold few images.
const WAITING: usize = 4;

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

/// Checks the distinct crash states within the bounds on `jobs` threads, until `stop` says so.
/// Returns what was looked at and what was found, in the order of the states.
pub fn check<R: Send>(
    order: &PersistOrder,
    bounds: Bounds,
    jobs: usize,
    stop: &dyn Fn() -> bool,
    checker: &(impl Fn(&Checked) -> Option<R> + Sync),
) -> (Coverage, Vec<Found<R>>) {
    let jobs = jobs.max(1);
    let (send, receive) = sync_channel(jobs * WAITING);
    thread::scope(|scope| {
        // Only the checkers hold it: when they are gone, sending fails.
        let receive = Arc::new(Mutex::new(receive));
        let worker = |receive: Arc<Mutex<_>>| scope.spawn(move || work(&receive, checker));
        let workers: Vec<_> = (0..jobs).map(|_| worker(Arc::clone(&receive))).collect();
        drop(receive);
        let coverage = send_states(order, bounds, stop, send);
        let found = workers.into_iter().map(ScopedJoinHandle::join);
        let mut found: Vec<Found<R>> = found
            .flat_map(|found| found.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect();
        found.sort_by_key(|found| found.number);
        (coverage, found)
    })
}

fn send_states(
    order: &PersistOrder,
    bounds: Bounds,
    stop: &dyn Fn() -> bool,
    send: SyncSender<Vec<Checked>>,
) -> Coverage {
    let mut batch = Vec::with_capacity(BATCH);
    let mut number = 0;
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
        // Nobody receives any more when the checkers panicked.
        if send.send(full).is_err() || stop() {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    let _all_gone = send.send(batch);
    // The checkers end when nothing can come any more.
    drop(send);
    coverage
}

fn work<R>(
    receive: &Mutex<Receiver<Vec<Checked>>>,
    checker: &impl Fn(&Checked) -> Option<R>,
) -> Vec<Found<R>> {
    let mut found = Vec::new();
    loop {
        let batch = receive.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(batch) = batch else { return found };
        for checked in batch {
            if let Some(what) = checker(&checked) {
                found.push(Found { number: checked.number, state: checked.state, what });
            }
        }
    }
}
