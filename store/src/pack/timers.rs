//! When packs are swept in a process that lives long: one heap of times, driven by a clock of the caller's.
//!
//! Times are waited for on a clock that is never set; the wall clock only says how far away a time is when
//! its lease is first seen. So a wall clock that is set while the process runs deletes nothing early and
//! keeps nothing longer. Leases are the truth: what a process forgets by ending, the next one finds.
//!
//! Not for threads: who has one calls [`PackTimers::run`] on it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::{Duration, SystemTime};

use faultfs::Fs;

use crate::error::Result;
use crate::open::Store;
use crate::pack::{LeaseState, PackBackend, PackKey, PackSweep, SweptPacks, ttl};

/// How often leases of other processes are looked for.
const LOOK: Duration = Duration::from_mins(1);

/// How soon a lease is tried again that somebody else works with.
const BUSY: Duration = Duration::from_secs(1);

/// The two clocks of a machine.
pub trait TimerClock {
    /// The time of day, which may be set.
    fn now(&self) -> SystemTime;

    /// The time since some moment, which only goes on.
    fn elapsed(&self) -> Duration;
}

/// The times of all leases of one place.
pub struct PackTimers<'s, F: Fs, B: ?Sized> {
    store: &'s Store<F>,
    backend: &'s B,
    at_once: usize,
    heap: BinaryHeap<Reverse<(Duration, PackKey)>>,
    /// When each lease that is waited for is due by the wall clock.
    waited_for: BTreeMap<PackKey, u64>,
    next_look: Duration,
}

impl<'s, F: Fs, B: PackBackend + ?Sized> PackTimers<'s, F, B> {
    /// Deletes at most so many packs at the same time.
    pub fn new(store: &'s Store<F>, backend: &'s B, at_once: usize) -> Self {
        let (heap, waited_for) = Default::default();
        Self { store, backend, at_once, heap, waited_for, next_look: Duration::ZERO }
    }

    /// How many leases are waited for.
    pub fn len(&self) -> usize {
        self.waited_for.len()
    }

    /// Whether no lease is waited for.
    pub fn is_empty(&self) -> bool {
        self.waited_for.is_empty()
    }

    /// Does what is due, and says what it did and how long there is nothing to do. A new lease of
    /// another thread or process is seen within a minute, which is less than any is kept.
    pub fn step(&mut self, clock: &impl TimerClock) -> Result<(SweptPacks, Duration)> {
        let (now, elapsed) = (clock.now(), clock.elapsed());
        if elapsed >= self.next_look {
            self.look(now, elapsed)?;
            self.next_look = elapsed + LOOK;
        }
        let (keys, time) = self.due(now, elapsed);
        let mut swept = SweptPacks::default();
        if !keys.is_empty() {
            let sweep = PackSweep { at_once: self.at_once, ..PackSweep::at(time) };
            swept = match self.store.sweep_these(self.backend, sweep, &keys) {
                Ok(swept) => swept,
                Err(error) => {
                    // The leases are still there; the next look finds them.
                    self.next_look = elapsed + BUSY;
                    return Err(error);
                }
            };
        }
        for (key, until) in &swept.kept {
            self.wait_for(*key, *until, time, elapsed);
        }
        for key in &swept.busy {
            self.wait_for(*key, ttl::millis(time + BUSY), time, elapsed);
        }
        let next = self.heap.peek().map_or(self.next_look, |Reverse((at, _))| *at);
        Ok((swept, next.min(self.next_look).saturating_sub(elapsed)))
    }

    /// Goes on until `wait` says to end: it is told how long there is nothing to do, and returns false to
    /// end. What a step did, or why it failed, is handed to `told`. Nothing is lost by ending at any
    /// time.
    pub fn run(
        &mut self,
        clock: &impl TimerClock,
        wait: &mut dyn FnMut(Duration) -> bool,
        told: &mut dyn FnMut(Result<SweptPacks>),
    ) {
        loop {
            let pause = match self.step(clock) {
                Ok((swept, pause)) => {
                    told(Ok(swept));
                    pause
                }
                Err(error) => {
                    told(Err(error));
                    BUSY
                }
            };
            if !wait(pause) {
                return;
            }
        }
    }

    /// Finds the leases that are not waited for yet.
    fn look(&mut self, now: SystemTime, elapsed: Duration) -> Result<()> {
        for entry in self.store.leases()? {
            let until = match &entry.lease {
                Ok(lease) if lease.backend != self.backend.name() => continue,
                Ok(lease) => match lease.state {
                    LeaseState::Live => lease.due,
                    LeaseState::Deleting => lease.retry,
                    LeaseState::Dead => continue,
                },
                // A sweep mends it.
                Err(_) => ttl::millis(now),
            };
            if !self.waited_for.contains_key(&entry.key) {
                self.wait_for(entry.key, until, now, elapsed);
            }
        }
        Ok(())
    }

    fn wait_for(&mut self, key: PackKey, until: u64, now: SystemTime, elapsed: Duration) {
        let left = Duration::from_millis(until.saturating_sub(ttl::millis(now)));
        self.waited_for.insert(key, until);
        self.heap.push(Reverse((elapsed + left, key)));
    }

    /// Takes what is due from the heap. For the sweep it is at least as late as each of them was to wait
    /// for by the wall clock, whatever that says now.
    fn due(&mut self, now: SystemTime, elapsed: Duration) -> (Vec<PackKey>, SystemTime) {
        let (mut keys, mut time) = (Vec::new(), now);
        while let Some(Reverse((at, key))) = self.heap.peek().copied()
            && at <= elapsed
        {
            self.heap.pop();
            let until = Duration::from_millis(self.waited_for.remove(&key).unwrap_or_default());
            time = time.max(SystemTime::UNIX_EPOCH.checked_add(until).unwrap_or(now));
            keys.push(key);
        }
        (keys, time)
    }
}
