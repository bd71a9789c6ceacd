//! The stopwatch: how long each call of a burst took.
//!
//! Not for the budget of time, which `clock` keeps.
#![expect(clippy::disallowed_methods, reason = "a benchmark needs a clock")]

use std::io;
use std::time::{Duration, Instant};

use crate::signals::Stop;

/// What one burst took.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    /// Each run, in nanoseconds.
    pub runs: Vec<u64>,
    /// All of them by the clock on the wall: less than their sum when threads ran side by side.
    pub elapsed: Duration,
}

impl Samples {
    /// Takes in what another thread measured meanwhile.
    pub fn add(&mut self, other: &Self) {
        self.runs.extend_from_slice(&other.runs);
        self.elapsed = self.elapsed.max(other.elapsed);
    }
}

/// Runs `once` so many times, each time after `before`, which is not measured. Ends early when asked to.
pub fn each<S: ?Sized>(
    runs: u64,
    stop: &Stop,
    state: &mut S,
    before: impl Fn(&mut S) -> io::Result<()>,
    once: impl Fn(&mut S) -> io::Result<()>,
) -> io::Result<Samples> {
    let mut samples = Samples::default();
    for _ in 0..runs {
        if stop.asked() {
            break;
        }
        before(state)?;
        let begin = Instant::now();
        once(state)?;
        let took = begin.elapsed();
        samples.runs.push(nanoseconds(took));
        samples.elapsed += took;
    }
    Ok(samples)
}

/// How long something took.
pub fn time<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begin = Instant::now();
    let done = work();
    (done, begin.elapsed())
}

/// A time as a number; 584 years at most.
pub fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
