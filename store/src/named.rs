//! What an object leads to: read from its bytes, for those who follow references without being told the
//! kind of what they find (audit and garbage collection).

use crate::canonical::{Canonical, decode};
use crate::commit::Commit;
use crate::id::ObjectId;
use crate::snapshot::Snapshot;

/// An object that names others.
pub(crate) enum Named {
    ByCommit(Commit),
    BySnapshot(Snapshot),
}

impl Named {
    /// Whether bytes start as those of an object that names others; most blobs end here.
    pub(crate) fn may_be(start: &[u8]) -> bool {
        start.starts_with(Commit::START) || start.starts_with(Snapshot::START)
    }

    /// Reads the bytes of a commit or snapshot; any other bytes name nothing.
    pub(crate) fn by(text: &[u8]) -> Option<Self> {
        let commit = decode(text).map(Self::ByCommit);
        commit.or_else(|_| decode(text).map(Self::BySnapshot)).ok()
    }

    /// The objects named.
    pub(crate) fn ids(&self) -> Vec<ObjectId> {
        match self {
            Self::ByCommit(commit) => {
                commit.parents.iter().copied().chain([commit.snapshot]).collect()
            }
            Self::BySnapshot(snapshot) => snapshot.files().map(|(_, entry)| entry.id).collect(),
        }
    }
}
