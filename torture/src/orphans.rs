//! Processes whose parent has ended: whose children they become, and so who waits for them.
//!
//! Not for finding or ending them (`record`, `check`).

use nix::errno::Errno;
use nix::sys::prctl::set_child_subreaper;

/// Whose the orphans among this process's descendants are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Orphans {
    /// Ours: this process exists for its runs and checks alone, as the command `plugpull` does. It becomes the
    /// parent of all that detaches itself from them (`PR_SET_CHILD_SUBREAPER`, prctl(2)).
    Ours,
    /// Those of init, as always: this process has other children, as a test binary may, and nothing about
    /// them is to change.
    OfInit,
}

impl Orphans {
    /// Makes it so for this process.
    pub(crate) fn settle(self) -> Result<(), Errno> {
        match self {
            Self::Ours => set_child_subreaper(true),
            Self::OfInit => Ok(()),
        }
    }
}
