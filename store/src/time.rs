//! Times in files: whole milliseconds since 1970-01-01T00:00:00Z.
//!
//! Not a clock: what time it is tells the file system's [`faultfs::Fs::now`].

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

/// A moment, as it stands in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(u64);

impl Time {
    /// The last whole millisecond before `time`; 1970 for anything earlier.
    pub fn of(time: SystemTime) -> Self {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    /// So much later, rounded up to a whole millisecond; `None` beyond the end of all times.
    pub fn after(self, duration: Duration) -> Option<Self> {
        let millis = duration.as_nanos().div_ceil(1_000_000);
        u64::try_from(millis).ok().and_then(|millis| self.0.checked_add(millis)).map(Self)
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub fn millis(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_rounded_down_and_a_duration_up() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_micros(1_999);
        assert_eq!(Time::of(time).millis(), 1);
        assert_eq!(Time::of(time).after(Duration::from_nanos(1)), Some(Time(2)));
        assert_eq!(Time::of(SystemTime::UNIX_EPOCH - Duration::from_secs(1)).millis(), 0);
        assert_eq!(Time(1).after(Duration::MAX), None);
    }
}
