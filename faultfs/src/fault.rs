//! Planned faults: what a disk, a kernel or a signal can do to a program at a chosen call.
//!
//! A [`FaultPlan`] is data: it is printed with a finding and read back to repeat it. [`Faults`] is
//! a plan at work, and [`Faulty`] any file system under it. Every rule counts what it did, since a
//! fault that never happened shows nothing.
//!
//! Not for what a power cut may leave of calls that all went well: crash states are that. A program that
//! is not written over the seam meets the same plan through a mount (`Mount::inject`).

#[cfg(feature = "sim")]
mod crash;
mod errno;
mod glob;
mod inject;
mod pattern;
mod rng;
mod sectors;
#[cfg(test)]
#[cfg(feature = "sim")]
mod sync_tests;
#[cfg(test)]
#[cfg(feature = "sim")]
mod tests;

use serde::{Deserialize, Serialize};

use crate::{Call, CallKind, FsyncFailure, Watched};

pub use errno::Errno;
pub use inject::Faults;
pub use pattern::{Pattern, PatternError};

/// Any file system under a plan: `Faulty::new(RealFs, Arc::new(Faults::new(&plan)))`.
///
/// Calls that no rule hits are made as they were asked.
pub type Faulty<F> = Watched<F, Faults>;

/// Which faults happen, and when. None, until rules say so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultPlan {
    /// The faults. A call is shown to one after the other until one of them answers it, and those
    /// behind do not count it.
    pub rules: Vec<FaultRule>,
}

/// One fault, and which calls it happens to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// What happens.
    pub fault: Fault,
    /// To which kinds of calls; when empty, to all that it can happen to. No crash-time fault looks
    /// here.
    #[serde(default)]
    pub calls: Vec<CallKind>,
    /// To calls for which path, as it was given: `?` is one byte, `*` any number without a slash,
    /// `**` any number. Of a rename or link, one of its two paths is enough; of an open file, it is
    /// the one that it was opened by.
    #[serde(default = "any_path")]
    pub path: String,
    /// Which of these calls it hits.
    #[serde(default = "Pattern::always")]
    pub when: Pattern,
    /// Where the rule's own random numbers begin.
    #[serde(default)]
    pub seed: u64,
}

/// What happens to a call, or, from [`Fault::TornWrite`] to [`Fault::TruncatedFile`], to the files
/// of a disk whose power goes (`Faults::crash`, with the feature `sim`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Any call is not made and returns this.
    Errno(Errno),
    /// A write of two bytes or more writes only some of them, from the first on, and says so.
    ShortWrite,
    /// A sync of a file fails as on this file system. Only `SimFs` plays the personality; on any
    /// other disk no sync is made, and `EIO` returned.
    FailedSync(FsyncFailure),
    /// A changed file gets only some of its changed sectors of 512 bytes; its length stays.
    TornWrite(Torn),
    /// A changed page of 4,096 bytes is what it was before.
    DroppedPage,
    /// A file loses some of its bytes at the end, or all.
    TruncatedFile,
    /// One bit of what a read returns is another; the file is not touched.
    BitFlip,
    /// A read returns for one sector what it held before it was last overwritten through this disk.
    /// Only reads of a sector that changed count.
    StaleSector,
    /// Any call is made later.
    SlowCall {
        /// By how much, in microseconds of the machine's clock.
        micros: u64,
    },
    /// The power goes at a call that can be an Op: it is not made, and from then on every call
    /// returns `EIO` and changes nothing.
    PowerCut,
    /// The process is killed by SIGKILL before a call that can be an Op.
    Sigkill,
}

/// Which of the changed sectors of a torn write are written; never all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Torn {
    /// Some of the first ones, or none.
    Prefix,
    /// Any of them, or none.
    Subset,
}

impl FaultRule {
    /// The fault at every call that it can happen to.
    pub fn new(fault: Fault) -> Self {
        let (calls, path, when) = (Vec::new(), any_path(), Pattern::always());
        Self { fault, calls, path, when, seed: 0 }
    }

    /// Only at calls of these kinds.
    #[must_use]
    pub fn on(self, calls: &[CallKind]) -> Self {
        Self { calls: calls.to_owned(), ..self }
    }

    /// Only at calls for a path that matches.
    #[must_use]
    pub fn at(self, path: &str) -> Self {
        Self { path: path.to_owned(), ..self }
    }

    /// Only at these of the calls.
    #[must_use]
    pub fn when(self, when: Pattern) -> Self {
        Self { when, ..self }
    }

    /// With random numbers that begin here.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Whether the rule is for this call, hit or not.
    fn is_for(&self, call: &Call<'_>) -> bool {
        let one_of = self.calls.is_empty() || self.calls.contains(&call.kind);
        one_of
            && self.fault.can_happen_to(call.kind)
            && std::iter::once(call.path).chain(call.to).any(|path| glob::matches(&self.path, path))
    }
}

fn any_path() -> String {
    "**".to_owned()
}

impl Fault {
    /// Its kind, as plans spell it.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Errno(_) => "errno",
            Self::ShortWrite => "short_write",
            Self::FailedSync(_) => "failed_sync",
            Self::TornWrite(_) => "torn_write",
            Self::DroppedPage => "dropped_page",
            Self::TruncatedFile => "truncated_file",
            Self::BitFlip => "bit_flip",
            Self::StaleSector => "stale_sector",
            Self::SlowCall { .. } => "slow_call",
            Self::PowerCut => "power_cut",
            Self::Sigkill => "sigkill",
        }
    }

    fn can_happen_to(self, call: CallKind) -> bool {
        match self {
            Self::Errno(_) | Self::SlowCall { .. } => true,
            Self::ShortWrite => matches!(call, CallKind::WriteAt | CallKind::Append),
            Self::FailedSync(_) => matches!(call, CallKind::SyncData | CallKind::SyncAll),
            Self::BitFlip | Self::StaleSector => call == CallKind::ReadAt,
            Self::PowerCut | Self::Sigkill => call.can_be_op(),
            Self::TornWrite(_) | Self::DroppedPage | Self::TruncatedFile => false,
        }
    }
}
