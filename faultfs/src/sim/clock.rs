//! The clock of a disk: its own, so that runs replay, or the machine's, for programs that compare the
//! times of files with the time of day.
//!
//! Not for measuring how long something takes.

use std::time::{Duration, SystemTime};

/// When a new disk's own clock starts: 2026-01-01T00:00:00Z.
const START: Duration = Duration::from_hours(490_896);

/// How much later each look at it is than the one before.
const TICK: Duration = Duration::from_micros(1);

/// What tells the time.
pub(super) enum Clock {
    /// A clock that goes on with each look at it.
    Own(SystemTime),
    /// The time of day.
    #[cfg_attr(not(feature = "fuse"), expect(dead_code, reason = "only mounts use it"))]
    Machine,
}

impl Default for Clock {
    fn default() -> Self {
        Self::Own(SystemTime::UNIX_EPOCH + START)
    }
}

impl Clock {
    /// The time now.
    pub(super) fn look(&mut self) -> SystemTime {
        match self {
            Self::Own(time) => {
                *time += TICK;
                *time
            }
            Self::Machine => time_of_day(),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "programs compare the times of files with it")]
fn time_of_day() -> SystemTime {
    SystemTime::now()
}
