//! What a write promises, and what it says it reached.
//!
//! Every write returns a [`Receipt`]. The rule for a failed fsync is here and nowhere else: an error
//! that says "not supported here" (EINVAL, ENOSYS, EOPNOTSUPP) completes the write and is told; any
//! other (EIO, ENOSPC, EDQUOT, ...) means that bytes may be lost, and fails the write unless the
//! caller chose [`Durability::BestEffort`]. No fsync is tried again on the same file: the kernel may
//! have marked the lost pages clean, and a second call would succeed without writing them
//! (fsync(2); Rebello et al., "Can Applications Recover from fsync Failures?", USENIX ATC 2020).

use std::io;

/// What the caller wants when a barrier fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// The write fails; the file keeps its old state.
    #[default]
    Strict,
    /// The write completes, and its receipt says [`Reached::Degraded`].
    BestEffort,
}

/// What a write reached. Ordered: the worst of several writes is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reached {
    /// Every barrier succeeded: a power cut cannot undo it, if the disk keeps its promise.
    Durable,
    /// The file system knows no such barrier; it is as durable as this file system can make it.
    Unsupported,
    /// A barrier failed: visible now, perhaps gone after a power cut.
    Degraded,
}

/// What a write did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is new, or its content changed.
    Created,
    /// The same content was there, and is now known to be durable.
    AlreadyThere,
    /// Something unusable was there under this name and has been replaced.
    Repaired,
}

/// The answer of every write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a receipt may say that the write is not durable"]
pub struct Receipt {
    /// What was done.
    pub outcome: Outcome,
    /// How durable it is.
    pub reached: Reached,
}

impl Receipt {
    /// The receipt of something new.
    pub(crate) fn created(reached: Reached) -> Self {
        Self { outcome: Outcome::Created, reached }
    }

    /// The receipt of a write that builds on others, which reached this much.
    pub(crate) fn after(self, reached: Reached) -> Self {
        Self { reached: self.reached.max(reached), ..self }
    }
}

impl Durability {
    /// Judges the result of a barrier: what it reached, or the error that fails the write.
    pub(crate) fn judge(self, result: io::Result<()>) -> io::Result<Reached> {
        match result {
            Ok(()) => Ok(Reached::Durable),
            Err(e) if is_unsupported(&e) => Ok(Reached::Unsupported),
            Err(_) if self == Self::BestEffort => Ok(Reached::Degraded),
            Err(e) => Err(e),
        }
    }
}

/// EINVAL, EOPNOTSUPP and ENOSYS: what fsync answers for a file that has no barrier.
fn is_unsupported(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EIO: i32 = 5;
    const EINVAL: i32 = 22;
    const ENOSPC: i32 = 28;
    const ENOSYS: i32 = 38;
    const EOPNOTSUPP: i32 = 95;
    const EDQUOT: i32 = 122;

    fn judge(durability: Durability, errno: i32) -> io::Result<Reached> {
        durability.judge(Err(io::Error::from_raw_os_error(errno)))
    }

    #[test]
    fn an_unsupported_barrier_completes_the_write_and_is_told() {
        for errno in [EINVAL, ENOSYS, EOPNOTSUPP] {
            assert_eq!(judge(Durability::Strict, errno).unwrap(), Reached::Unsupported);
            assert_eq!(judge(Durability::BestEffort, errno).unwrap(), Reached::Unsupported);
        }
    }

    #[test]
    fn a_failed_barrier_fails_a_strict_write_and_degrades_the_other() {
        for errno in [EIO, ENOSPC, EDQUOT] {
            assert_eq!(judge(Durability::Strict, errno).unwrap_err().raw_os_error(), Some(errno));
            assert_eq!(judge(Durability::BestEffort, errno).unwrap(), Reached::Degraded);
        }
    }
}
