//! The clock of an exploration: when its budget of time is over, and when to say that it lives.
#![expect(clippy::disallowed_methods, reason = "a budget of time needs a clock")]

use std::time::{Duration, Instant};

/// When to end, if at any time.
pub(super) struct Deadline(Option<Instant>);

impl Deadline {
    pub(super) fn after(time: Option<Duration>) -> Self {
        Self(time.and_then(|time| Instant::now().checked_add(time)))
    }

    pub(super) fn is_over(&self) -> bool {
        self.0.is_some_and(|end| Instant::now() >= end)
    }
}

/// A line on standard error every few seconds, so that nobody wonders.
pub(super) struct Heartbeat {
    next: Deadline,
    rows: u64,
}

impl Heartbeat {
    const EVERY: Duration = Duration::from_secs(3);

    pub(super) fn new() -> Self {
        Self { next: Deadline::after(Some(Self::EVERY)), rows: 0 }
    }

    pub(super) fn beat(&mut self, what: &str) {
        self.rows += 1;
        if self.next.is_over() {
            self.next = Deadline::after(Some(Self::EVERY));
            eprintln!("  {} searches done, the last {what}", self.rows);
        }
    }
}
