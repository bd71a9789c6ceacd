//! What the writers write: for each commit, contents that follow from the seed alone.
//!
//! The auditor makes the same contents again and compares, so that nothing that was never written
//! can pass. A commit says in its message which one it is.

use faultfs::Fs;
use plugpull_store::{
    Branch, Commit, Error, Expected, FileEntry, ObjectId, Result, Snapshot, Store,
};

use crate::wire::Phase;

/// Largest new blob; sizes are spread evenly below it, so that some are smaller than a page.
const MAX_BLOB: usize = 12 * 1024;

/// How many blobs all writers have in common.
const KNOWN_BLOBS: u64 = 8;

/// Time of the first commit of every life: contents must not depend on a clock.
const START: i64 = 1_767_225_600;

/// The branch that all writers move.
pub const SHARED: &str = "shared";

/// How often a writer starts again because another one moved the shared branch first.
const ATTEMPTS: u32 = 100_000;

/// One commit of the workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Work {
    /// The writer.
    pub slot: u32,
    /// How often that writer had been restarted.
    pub life: u32,
    /// Number of the commit in that life, from 0.
    pub n: u64,
}

impl Work {
    /// The commit's message, by which it is known again.
    pub fn message(self) -> String {
        format!("writer {} life {} commit {}", self.slot, self.life, self.n)
    }

    /// Reads a message of [`Work::message`].
    pub fn parse(message: &str) -> Option<Self> {
        let mut words = message.split(' ');
        let mut field = |name| words.next().filter(|word| *word == name).and_then(|_| words.next());
        let slot = field("writer")?.parse().ok()?;
        let life = field("life")?.parse().ok()?;
        let n = field("commit")?.parse().ok()?;
        Some(Self { slot, life, n }).filter(|work| work.message() == message)
    }

    /// The branch it goes to: the writer's own or the shared one.
    pub fn branch(self, seed: u64) -> String {
        if self.rng(seed).bool() { SHARED.to_owned() } else { own_branch(self.slot) }
    }

    /// Bytes that no other commit has: they start with the message.
    pub fn new_blob(self, seed: u64) -> Vec<u8> {
        let mut rng = self.rng(seed);
        let mut bytes = self.message().into_bytes();
        let len = rng.usize(bytes.len()..MAX_BLOB);
        bytes.resize_with(len, || rng.u8(..));
        bytes
    }

    /// Bytes that many commits have.
    pub fn known_blob(self, seed: u64) -> Vec<u8> {
        let mut rng = fastrand::Rng::with_seed(seed ^ (self.n % KNOWN_BLOBS));
        let len = rng.usize(..MAX_BLOB);
        std::iter::repeat_with(|| rng.u8(..)).take(len).collect()
    }

    /// The snapshot with the two blobs.
    pub fn snapshot(self, new: ObjectId, known: ObjectId) -> Result<Snapshot> {
        let mut snapshot = Snapshot::of([("known", known)])?;
        snapshot.set(
            format!("new/{}", self.slot),
            FileEntry { executable: self.n % 2 == 1, id: new },
        )?;
        Ok(snapshot)
    }

    pub(crate) fn rng(self, seed: u64) -> fastrand::Rng {
        let key = (u64::from(self.slot) << 48) ^ (u64::from(self.life) << 24) ^ self.n;
        fastrand::Rng::with_seed(seed.rotate_left(32) ^ key)
    }
}

/// The branch of one writer.
pub fn own_branch(slot: u32) -> String {
    format!("writer/{slot}")
}

/// Carries out one commit by the store's protocol; `phase` is told what begins, and `written` the
/// commit's id just before the branch is moved to it. Returns the id when it is acknowledged.
pub fn commit<F: Fs>(
    store: &Store<F>,
    seed: u64,
    work: Work,
    phase: &mut dyn FnMut(Phase),
    written: &mut dyn FnMut(&Branch, ObjectId),
) -> Result<(Branch, ObjectId)> {
    phase(Phase::Begin);
    let pin = store.pin()?;
    let branch = Branch::new(&work.branch(seed))?;
    phase(Phase::NewBlob);
    let new = store.put(&work.new_blob(seed))?.id;
    phase(Phase::KnownBlob);
    let known = store.put(&work.known_blob(seed))?.id;
    phase(Phase::Snapshot);
    let snapshot = store.put_snapshot(&work.snapshot(new, known)?)?.id;
    for _ in 0..ATTEMPTS {
        phase(Phase::Commit);
        let parent = store.read_branch(&branch)?;
        let time = START + i64::try_from(work.n).unwrap_or(0);
        let author = format!("writer {}", work.slot);
        let commit = Commit::new(parent, snapshot, author, work.message(), time);
        let id = store.put_commit(&commit)?.id;
        written(&branch, id);
        phase(Phase::Branch);
        let expected = parent.map_or(Expected::Absent, Expected::At);
        match store.update_branch(&branch, id, expected) {
            // Somebody was faster: the same work on top of theirs.
            Err(Error::RefConflict { .. }) => {}
            updated => {
                let _receipt = updated?;
                phase(Phase::Acknowledge);
                drop(pin);
                return Ok((branch, id));
            }
        }
    }
    let problem = "another writer always moves the branch first";
    Err(Error::Contended { path: store.layout().branch(&branch), attempts: ATTEMPTS, problem })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_tells_which_commit_it_is() {
        let work = Work { slot: 3, life: 12, n: 45 };
        assert_eq!(Work::parse(&work.message()), Some(work));
        for other in ["", "writer 3 life 12", "writer 3 life 12 commit 045", "x"] {
            assert_eq!(Work::parse(other), None, "{other:?}");
        }
    }

    #[test]
    fn contents_follow_from_the_seed_alone() {
        let work = Work { slot: 1, life: 0, n: 2 };
        assert_eq!(work.new_blob(7), work.new_blob(7));
        assert_ne!(work.new_blob(7), work.new_blob(8));
        assert_ne!(work.new_blob(7), Work { n: 3, ..work }.new_blob(7));
        assert_eq!(work.known_blob(7), Work { n: 2 + KNOWN_BLOBS, slot: 0, ..work }.known_blob(7));
    }
}
