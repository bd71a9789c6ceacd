//! Times in records: seconds since 1970 and nanoseconds behind them, also before 1970.

use std::time::{Duration, SystemTime};

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const NANOS: u32 = 1_000_000_000;

pub(crate) fn serialize<S: Serializer>(time: &SystemTime, to: S) -> Result<S::Ok, S::Error> {
    to_parts(*time).serialize(to)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SystemTime, D::Error> {
    let (seconds, nanos) = Deserialize::deserialize(from)?;
    from_parts(seconds, nanos).ok_or_else(|| D::Error::custom("a time that cannot be"))
}

/// The time as whole seconds, rounded down, and nanoseconds.
pub(crate) fn to_parts(time: SystemTime) -> (i64, u32) {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => (i64::try_from(since.as_secs()).unwrap_or(i64::MAX), since.subsec_nanos()),
        Err(before) => {
            let before = before.duration();
            let seconds = i64::try_from(before.as_secs()).map_or(i64::MIN, |s| -s);
            match before.subsec_nanos() {
                0 => (seconds, 0),
                nanos => (seconds.saturating_sub(1), NANOS - nanos),
            }
        }
    }
}

fn from_parts(seconds: i64, nanos: u32) -> Option<SystemTime> {
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let epoch = SystemTime::UNIX_EPOCH;
    let time = if seconds < 0 { epoch.checked_sub(whole) } else { epoch.checked_add(whole) };
    time.filter(|_| nanos < NANOS)?.checked_add(Duration::from_nanos(u64::from(nanos)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_time_is_read_back(seconds in -4_000_000_000i64..40_000_000_000, nanos in 0..NANOS) {
            let time = from_parts(seconds, nanos).unwrap();
            prop_assert_eq!(to_parts(time), (seconds, nanos));
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        assert_eq!(from_parts(0, NANOS), None);
        assert_eq!(from_parts(i64::MIN, u32::MAX), None);
    }
}
