//! The clocks of a search and of a watch: when a budget of time is over, when to say that it lives, and how
//! late it is.
#![expect(clippy::disallowed_methods, reason = "a budget of time needs a clock")]

use std::time::{Duration, Instant, SystemTime};

use plugpull_store::TimerClock;

/// When to end, if at any time.
#[derive(Clone, Copy)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    pub(crate) fn after(time: Option<Duration>) -> Self {
        Self(time.and_then(|time| Instant::now().checked_add(time)))
    }

    /// The end of the first of so many equal parts of what is left.
    pub(crate) fn share(self, parts: u32) -> Self {
        let left = self.0.map(|end| end.saturating_duration_since(Instant::now()));
        Self::after(left.map(|left| left / parts.max(1)))
    }

    pub(crate) fn is_over(self) -> bool {
        self.0.is_some_and(|end| Instant::now() >= end)
    }
}

/// A line on standard error every few seconds, so that nobody wonders.
pub(crate) struct Heartbeat {
    next: Deadline,
    rows: u64,
}

impl Heartbeat {
    const EVERY: Duration = Duration::from_secs(3);

    pub(crate) fn new() -> Self {
        Self { next: Deadline::after(Some(Self::EVERY)), rows: 0 }
    }

    /// Says how it goes, if it is time to; `tell` is told how often this was called.
    pub(crate) fn beat(&mut self, tell: impl FnOnce(u64) -> String) {
        self.rows += 1;
        if self.next.is_over() {
            self.next = Deadline::after(Some(Self::EVERY));
            eprintln!("  {}", tell(self.rows));
        }
    }
}

/// The two clocks of this machine, the second one from now on.
pub(crate) struct MachineClock(Instant);

impl MachineClock {
    pub(crate) fn new() -> Self {
        Self(Instant::now())
    }
}

impl TimerClock for MachineClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
