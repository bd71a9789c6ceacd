//! The core of the group commit: who waits, who leads, and who is told what.
//!
//! Each writer brings an item. The first one that finds nobody leading becomes the leader: it takes all
//! items that are there, runs them as one batch, and hands each writer the result of its own item. Who
//! comes meanwhile waits for the next batch. A leader waits for writers that are known to be on their
//! way, no longer than [`MAX_DELAY`]; nobody is on the way of a lone writer, so it does not wait at all.
//!
//! Small and free of I/O, so that the model checker can look at every order of its steps
//! (tests/suite/group_core). Not for what a batch does: see `batch`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::sync::{Condvar, Mutex, MutexGuard, PoisonError, wait_at_most};

/// The longest that a leader waits for writers who are on their way.
pub(crate) const MAX_DELAY: Duration = Duration::from_millis(2);

/// The same where threads take turns and no time passes: so often it gives its turn away.
const MAX_TURNS: u32 = 200;

/// Items of one batch at most; each of them keeps some files open.
pub(crate) const MAX_BATCH: usize = 64;

/// Gives the turn to another thread, where threads take turns; without it, who waits sleeps.
pub(crate) type Pass<'p> = Option<&'p dyn Fn()>;

/// A mistake in the core, to show that the model checker finds it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mistake {
    /// There is none.
    #[default]
    None,
    /// Only one of those who wait is woken at the end of a batch.
    WakesOne,
    /// Nobody is woken.
    WakesNobody,
    /// A leader does not say that it leads, so that there are two at once.
    LeadsInSecret,
    /// A leader that panics tells nobody.
    DiesInSilence,
    /// The results of a batch go to its writers in the wrong order.
    SwapsResults,
    /// Who waits looks whether it is done, and then sleeps without looking again.
    SleepsTooLate,
    /// A leader waits for all who are on their way, and is not told of those who give up.
    WaitsForDeserters,
}

/// The meeting place of the writers of one process.
pub(crate) struct Group<T, R> {
    queue: Mutex<Queue<T, R>>,
    changed: Condvar,
    mistake: Mistake,
}

struct Queue<T, R> {
    /// Number of the next item.
    next: u64,
    waiting: Vec<(u64, T)>,
    /// Results nobody has fetched yet; `None` when the leader panicked.
    done: BTreeMap<u64, Option<R>>,
    leading: bool,
    /// Writers that will bring an item soon.
    coming: usize,
}

/// A writer on its way; dropped when it gives up.
pub(crate) struct Coming<'g, T, R> {
    group: &'g Group<T, R>,
    arrived: bool,
}

impl<T, R> Group<T, R> {
    pub(crate) fn new(mistake: Mistake) -> Self {
        let (waiting, done) = (Vec::new(), BTreeMap::new());
        let queue = Queue { next: 0, waiting, done, leading: false, coming: 0 };
        Self { queue: Mutex::new(queue), changed: Condvar::new(), mistake }
    }

    /// Announces an item, so that a leader waits for it.
    pub(crate) fn announce(&self) -> Coming<'_, T, R> {
        self.queue().coming += 1;
        Coming { group: self, arrived: false }
    }

    /// The queue is right whenever its lock is free, so a panic elsewhere does not spoil it.
    fn queue(&self) -> MutexGuard<'_, Queue<T, R>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until something changes; the caller looks again.
    fn wait<'g>(&'g self, queue: MutexGuard<'g, Queue<T, R>>, pass: Pass<'_>) -> Guard<'g, T, R> {
        if let Some(pass) = pass {
            drop(queue);
            pass();
            return self.queue();
        }
        let queue = if self.mistake == Mistake::SleepsTooLate {
            drop(queue);
            self.queue()
        } else {
            queue
        };
        self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for those who are on their way.
    fn gather<'g>(
        &'g self,
        mut queue: MutexGuard<'g, Queue<T, R>>,
        pass: Pass<'_>,
    ) -> Guard<'g, T, R> {
        let Some(pass) = pass else {
            return wait_at_most(&self.changed, queue, MAX_DELAY, |queue| queue.is_worth_waiting());
        };
        for _ in 0..MAX_TURNS {
            if !queue.is_worth_waiting() {
                break;
            }
            drop(queue);
            pass();
            queue = self.queue();
        }
        queue
    }

    /// Runs one batch; the caller has the queue, and nobody leads.
    fn lead(
        &self,
        mut queue: MutexGuard<'_, Queue<T, R>>,
        pass: Pass<'_>,
        run: &mut dyn FnMut(Vec<T>) -> Vec<R>,
    ) {
        queue.leading = self.mistake != Mistake::LeadsInSecret;
        let mut queue = self.gather(queue, pass);
        let count = queue.waiting.len().min(MAX_BATCH);
        let (numbers, items): (Vec<_>, Vec<_>) = queue.waiting.drain(..count).unzip();
        drop(queue);
        let mut handover = Handover { group: self, numbers, results: Vec::new() };
        handover.results = run(items);
    }

    fn wake(&self) {
        match self.mistake {
            Mistake::WakesNobody => {}
            Mistake::WakesOne => self.changed.notify_one(),
            _ => self.changed.notify_all(),
        }
    }
}

type Guard<'g, T, R> = MutexGuard<'g, Queue<T, R>>;

impl<T, R> Coming<'_, T, R> {
    /// Brings the item and waits for its result. Whoever leads makes `run` of a batch: it returns a
    /// result for each item, in their order. `None` says that the leader panicked in the middle.
    pub(crate) fn submit(
        mut self,
        item: T,
        pass: Pass<'_>,
        run: &mut dyn FnMut(Vec<T>) -> Vec<R>,
    ) -> Option<R> {
        let group = self.group;
        let mut queue = group.queue();
        let number = queue.next;
        queue.next += 1;
        queue.coming -= 1;
        self.arrived = true;
        queue.waiting.push((number, item));
        // A leader may be waiting for this item.
        group.changed.notify_all();
        loop {
            if let Some(result) = queue.done.remove(&number) {
                return result;
            }
            if queue.leading {
                queue = group.wait(queue, pass);
            } else {
                group.lead(queue, pass, run);
                queue = group.queue();
            }
        }
    }
}

impl<T, R> Drop for Coming<'_, T, R> {
    fn drop(&mut self) {
        if !self.arrived {
            self.group.queue().coming -= 1;
            if self.group.mistake != Mistake::WaitsForDeserters {
                self.group.changed.notify_all();
            }
        }
    }
}

impl<T, R> Queue<T, R> {
    fn is_worth_waiting(&self) -> bool {
        self.coming > 0 && self.waiting.len() < MAX_BATCH
    }
}

/// The end of a batch: its results go to their writers, also when the leader panics on the way.
struct Handover<'g, T, R> {
    group: &'g Group<T, R>,
    numbers: Vec<u64>,
    results: Vec<R>,
}

impl<T, R> Drop for Handover<'_, T, R> {
    fn drop(&mut self) {
        let mistake = self.group.mistake;
        if mistake == Mistake::DiesInSilence && std::thread::panicking() {
            return;
        }
        if mistake == Mistake::SwapsResults {
            self.results.reverse();
        }
        let mut queue = self.group.queue();
        let mut results = self.results.drain(..);
        for number in self.numbers.drain(..) {
            queue.done.insert(number, results.next());
        }
        queue.leading = false;
        drop(queue);
        self.group.wake();
    }
}
