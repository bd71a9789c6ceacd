//! Where the time of an operation goes: how long its calls of the file system take, by kind.
//!
//! [`stopwatch`] stands before the disk while the store works, and [`table`] tells what it saw. Only shown, and
//! only when asked for: without `--timing` no clock is read. Not for what fsync costs on a disk, which is
//! `bench`, nor for limits, which are the package `benches`.

pub mod stopwatch;
pub mod table;

use std::collections::BTreeMap;

use faultfs::CallKind;
use serde::{Deserialize, Serialize};

/// What a call's time is spent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spent {
    /// Making and opening files.
    Open,
    /// Reading and looking at files and directories.
    Read,
    /// Writing, cutting, and setting modes and times.
    Write,
    /// The barrier of a file, or of a file system.
    Fsync,
    /// Giving names and taking them away.
    Rename,
    /// The barrier of a directory.
    DirFsync,
    /// Waiting for a lock of another process, flock(2), and giving it back.
    LockWait,
}

impl Spent {
    /// All of them, in the order in which a write comes to them.
    pub const ALL: [Self; 7] = [
        Self::LockWait,
        Self::Read,
        Self::Open,
        Self::Write,
        Self::Fsync,
        Self::Rename,
        Self::DirFsync,
    ];

    /// What a call of this kind is.
    pub fn of(kind: CallKind) -> Self {
        match kind {
            CallKind::CreateNew | CallKind::Open => Self::Open,
            CallKind::Metadata
            | CallKind::ReadDir
            | CallKind::ReadLink
            | CallKind::ReadAt
            | CallKind::FileMetadata => Self::Read,
            CallKind::WriteAt
            | CallKind::Append
            | CallKind::SetLen
            | CallKind::SetMode
            | CallKind::SetModified => Self::Write,
            CallKind::SyncData | CallKind::SyncAll | CallKind::SyncFs => Self::Fsync,
            CallKind::Mkdir
            | CallKind::Rmdir
            | CallKind::Rename
            | CallKind::RenameNoReplace
            | CallKind::Exchange
            | CallKind::Symlink
            | CallKind::Link
            | CallKind::Unlink => Self::Rename,
            CallKind::SyncDir => Self::DirFsync,
            CallKind::Lock | CallKind::TryLock | CallKind::Unlock => Self::LockWait,
        }
    }

    /// The name that reports print.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Read => "read",
            Self::Write => "write",
            Self::Fsync => "fsync",
            Self::Rename => "rename",
            Self::DirFsync => "dir fsync",
            Self::LockWait => "lock wait",
        }
    }
}

/// What one operation took.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// Each call, in nanoseconds. Those of several threads stand side by side.
    pub calls: BTreeMap<Spent, Vec<u64>>,
    /// The whole of it, by the clock on the wall.
    pub whole: u64,
}
