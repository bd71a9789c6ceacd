//! The stopwatch: a watcher that times each call of the file system. Not for adding up: see `table`.
#![expect(clippy::disallowed_methods, reason = "a stopwatch needs a clock; nothing replays by it")]

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use faultfs::{Call, CallKind, Watcher};

use super::{Spent, Times};
use crate::bench::stopwatch::nanoseconds;

/// Times calls, if it is to.
#[derive(Debug)]
pub struct Stopwatch(Option<Running>);

#[derive(Debug)]
struct Running {
    /// What its clock counts from.
    zero: Instant,
    now: Mutex<Lap>,
}

/// The operation under way.
#[derive(Debug, Default)]
struct Lap {
    begun: u64,
    times: Times,
}

impl Stopwatch {
    /// One that runs, or one that never looks at a clock.
    pub fn new(runs: bool) -> Self {
        let running = || Running { zero: Instant::now(), now: Mutex::default() };
        Self(runs.then(running))
    }

    /// An operation begins; what came before is forgotten.
    pub fn begin(&self) {
        if let Some(running) = &self.0 {
            let begun = running.clock();
            *running.lap() = Lap { begun, ..Lap::default() };
        }
    }

    /// What the operation took that began last; `None` if nothing is timed.
    pub fn end(&self) -> Option<Times> {
        let running = self.0.as_ref()?;
        let end = running.clock();
        let Lap { begun, mut times } = std::mem::take(&mut *running.lap());
        times.whole = end.saturating_sub(begun);
        Some(times)
    }
}

impl Running {
    fn clock(&self) -> u64 {
        nanoseconds(self.zero.elapsed())
    }

    fn lap(&self) -> MutexGuard<'_, Lap> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watcher for Stopwatch {
    fn before(&self, _call: &Call<'_>) -> io::Result<()> {
        Ok(())
    }

    fn clock(&self) -> u64 {
        self.0.as_ref().map_or(0, Running::clock)
    }

    fn after(&self, kind: CallKind, begun: u64) {
        if let Some(running) = &self.0 {
            let took = running.clock().saturating_sub(begun);
            running.lap().times.calls.entry(Spent::of(kind)).or_default().push(took);
        }
    }
}
