//! What a mount saw, counted for the report. Not for what was recorded: that is the Trace.

use std::collections::BTreeMap;

/// What the mount saw and could not play.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Requests of the kernel, all in all.
    pub calls: u64,
    /// Writes of pages that programs stored to through memory maps: when they were stored is not known.
    pub mapped_writes: u64,
    /// Whether files bypass the page cache and can be mapped all the same (Linux 6.6,
    /// `FUSE_DIRECT_IO_ALLOW_MMAP`). Each write call is then recorded as it was made, if its bytes lie in at
    /// most 256 pages of the program's memory (1 MiB); larger ones come in adjacent pieces.
    pub direct_mmap: bool,
    /// Whether one write call may have been recorded as several adjacent ones, as the page cache cuts it.
    pub split_writes_possible: bool,
    /// Calls that were refused because a disk image cannot hold what they make, or the mount cannot do
    /// them: what, and how often.
    pub refused: BTreeMap<&'static str, u64>,
    /// Whether something was refused (`ENOSPC`) because the record had reached its most bytes.
    pub out_of_memory: bool,
}

impl Seen {
    /// Counts a call that is refused.
    pub(super) fn refuse(&mut self, what: &'static str) {
        *self.refused.entry(what).or_default() += 1;
    }
}
