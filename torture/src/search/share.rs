//! Shards: which of the states one machine judges, so that several need not talk to each other.
//!
//! Every shard makes all states, which is cheap, and judges its own. Not for putting verdicts together
//! (`verdicts`, `merge_command`).

use std::fmt;
use std::str::FromStr;

use super::Key;

/// Most parts.
const MOST: u64 = 10_000;

/// Which part of the states, `m` of `n`, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Partition {
    /// By the state: a state is always the same shard's, whatever else is looked at.
    Hash {
        /// Which part.
        m: u64,
        /// Of how many.
        n: u64,
    },
    /// Every n-th state in the order of the search: parts of equal size.
    Slice {
        /// Which part.
        m: u64,
        /// Of how many.
        n: u64,
    },
}

impl Partition {
    /// All parts of the whole that it is a part of.
    pub fn siblings(self) -> Vec<Self> {
        match self {
            Self::Hash { n, .. } => (1..=n).map(|m| Self::Hash { m, n }).collect(),
            Self::Slice { n, .. } => (1..=n).map(|m| Self::Slice { m, n }).collect(),
        }
    }
}

/// Which states are judged in a search.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Share {
    /// All.
    #[default]
    All,
    /// Those of one part.
    Of(Partition),
    /// None: only verdicts that are known already count.
    Known,
}

/// Who judges a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// We do.
    Ours,
    /// Another shard.
    Elsewhere,
    /// Nobody any more.
    Nobody,
}

impl Share {
    /// Who judges the `nth` of the distinct states.
    pub(super) fn whose(self, key: Key, nth: u64) -> Whose {
        let ours = match self {
            Self::All => true,
            Self::Known => return Whose::Nobody,
            Self::Of(Partition::Hash { m, n }) => part_of(key, n) == m - 1,
            Self::Of(Partition::Slice { m, n }) => nth % n == m - 1,
        };
        if ours { Whose::Ours } else { Whose::Elsewhere }
    }
}

/// The hash is as good as random; the Marks are mixed in, as many states of a run have one image.
fn part_of((marks, image): Key, n: u64) -> u64 {
    let mixed = image.0 ^ u128::from(marks).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    u64::try_from((mixed >> 64) % u128::from(n)).unwrap_or(0)
}

impl FromStr for Partition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no part; say hash:1/4, or slice:1/4, up to 4/4");
        let (kind, part) = text.split_once(':').ok_or_else(wrong)?;
        let (m, n) = part.split_once('/').ok_or_else(wrong)?;
        let (m, n): (u64, u64) = (m.parse().map_err(|_| wrong())?, n.parse().map_err(|_| wrong())?);
        match kind {
            _ if m == 0 || m > n || n > MOST => Err(wrong()),
            "hash" => Ok(Self::Hash { m, n }),
            "slice" => Ok(Self::Slice { m, n }),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hash { m, n } => write!(f, "hash:{m}/{n}"),
            Self::Slice { m, n } => write!(f, "slice:{m}/{n}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use faultfs::ImageHash;

    #[test]
    fn a_part_is_one_of_several() {
        for good in ["hash:1/1", "hash:3/4", "slice:4/4"] {
            assert_eq!(good.parse::<Partition>().unwrap().to_string(), good);
        }
        for bad in
            ["", "hash", "hash:0/4", "hash:5/4", "count:1/4", "hash:1", "hash:a/b", "hash:1/0"]
        {
            assert!(bad.parse::<Partition>().is_err(), "{bad}");
        }
    }

    #[test]
    fn each_state_is_in_one_part_of_each_kind() {
        for nth in 0..200u64 {
            let hash = u128::from(nth).wrapping_mul(0x1234_5678_9abc_def0_0fed_cba9_8765_4321);
            let key = (u32::try_from(nth % 3).unwrap(), ImageHash(hash));
            let parts = |kind: &str| {
                let part = |m: u64| format!("{kind}:{m}/5").parse().unwrap();
                let ours = |m: &u64| Share::Of(part(*m)).whose(key, nth) == Whose::Ours;
                (1..=5).filter(ours).count()
            };
            assert_eq!((parts("hash"), parts("slice")), (1, 1));
        }
    }
}
