//! What a file system does with data that it could not write: the personalities of a failed fsync.
//!
//! Not for deciding when a sync fails: a `FaultPlan` does that. What ext4, XFS and btrfs do was
//! measured by Rebello et al., "Can Applications Recover from fsync Failures?" (USENIX ATC 2020),
//! whose CuttleFS plays them, too; FreeBSD's way is what others tell of it. Who is told is
//! `lib/errseq.c` of Linux.

/// What becomes of the data that was written to a file and not synced when its sync fails.
///
/// Everywhere but on [`Redirty`](Self::Redirty), a sync that is tried again returns `Ok` and writes
/// nothing of it. Every open file is told once (`EIO`); an error that none was told of yet waits for
/// those that are opened later. Names, sizes (but on btrfs) and attributes go on to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "fault",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum FsyncFailure {
    /// ext4 with ordered data, its default: the pages are marked clean. Reads show the new data,
    /// the disk keeps the old, and only a page that is written again goes to the disk.
    Ext4Ordered,
    /// ext4 with journaled data: as [`Ext4Ordered`](Self::Ext4Ordered), but this sync returns `Ok`.
    /// The next one returns `EIO` and makes nothing durable.
    Ext4Data,
    /// XFS: as [`Ext4Ordered`](Self::Ext4Ordered).
    Xfs,
    /// btrfs: content and size in memory go back to what was synced last. Who goes on writing where
    /// it was makes a hole, which reads as zeros; an append (`O_APPEND`) goes to the end that went
    /// back.
    Btrfs,
    /// FreeBSD: the pages stay dirty, and another sync really tries again. Only the caller is told.
    Redirty,
}
