//! How long the URL of a pack is valid, and how much longer the pack is there.

use std::time::{Duration, SystemTime};

use crate::error::{Error, Result};

/// How long a URL is valid: whole seconds, 30 to 3,600. Presigned URLs know no shorter unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ttl(Duration);

impl Ttl {
    /// The shortest.
    pub const SHORTEST: Self = Self(Duration::from_secs(30));

    /// The longest.
    pub const LONGEST: Self = Self(Duration::from_hours(1));

    /// Fails with [`Error::BadTtl`] for anything but whole seconds within the bounds.
    pub fn new(given: Duration) -> Result<Self> {
        let bounds = Self::SHORTEST.0..=Self::LONGEST.0;
        if !bounds.contains(&given) || given.subsec_nanos() != 0 {
            return Err(Error::BadTtl { given });
        }
        Ok(Self(given))
    }

    /// As a duration.
    pub const fn get(self) -> Duration {
        self.0
    }

    /// How long the pack is kept: as long again as its URL is valid. Who begins to read at the last
    /// moment has that much time to finish, and the clocks of two machines may differ by that much. So a
    /// pack is there at once the TTL, and gone, if somebody sweeps, at three times the TTL.
    pub(crate) fn kept_for(self) -> Duration {
        self.0 * 2
    }
}

impl Default for Ttl {
    /// Five minutes.
    fn default() -> Self {
        Self(Duration::from_mins(5))
    }
}

/// Milliseconds since 1970, as leases hold times; 0 for what is before.
pub(crate) fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    of(since)
}

/// A duration in milliseconds.
pub(crate) fn of(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ttl_is_whole_seconds_within_the_bounds() {
        for good in [30, 31, 300, 3600] {
            assert_eq!(Ttl::new(Duration::from_secs(good)).unwrap().get().as_secs(), good);
        }
        let bad = [0, 1, 29_999, 30_500, 3_600_001, u64::MAX];
        for bad in bad.map(Duration::from_millis).into_iter().chain([Duration::MAX]) {
            let error = Ttl::new(bad).unwrap_err();
            assert!(matches!(error, Error::BadTtl { given } if given == bad), "{error}");
            assert!(error.to_string().contains("30 to 3600"), "{error}");
        }
    }
}
