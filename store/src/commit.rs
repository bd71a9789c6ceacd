//! Commits: a snapshot, where it came from, who made it, when and why.

use faultfs::Fs;
use serde::{Deserialize, Serialize};

use crate::barrier::Barrier;
use crate::canonical::{Canonical, encode};
use crate::error::{Error, Result};
use crate::id::ObjectId;
use crate::object::Put;
use crate::open::Store;
use crate::planted::{Bug, wrong};
use crate::snapshot::Snapshot;

/// One step of a history. Stored as canonical JSON; its id is the hash of that text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commit {
    /// Who made it.
    pub author: String,
    kind: Kind,
    /// Why.
    pub message: String,
    /// The commits it follows; none for the first of a history, the first is the branch's own.
    pub parents: Vec<ObjectId>,
    /// The files.
    pub snapshot: ObjectId,
    /// When, in whole seconds since 1970-01-01T00:00:00Z.
    pub time: i64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Kind {
    #[default]
    #[serde(rename = "commit")]
    Commit,
}

impl Commit {
    /// A commit of `snapshot`; `time` is whole seconds since 1970-01-01T00:00:00Z.
    pub fn new(
        parents: impl IntoIterator<Item = ObjectId>,
        snapshot: ObjectId,
        author: impl Into<String>,
        message: impl Into<String>,
        time: i64,
    ) -> Self {
        Self {
            author: author.into(),
            kind: Kind::Commit,
            message: message.into(),
            parents: parents.into_iter().collect(),
            snapshot,
            time,
        }
    }
}

impl Canonical for Commit {
    const KIND: &'static str = "commit";
    const START: &'static [u8] = br#"{"author":""#;

    fn check(&self) -> std::result::Result<(), String> {
        let repeated =
            self.parents.iter().enumerate().find(|(n, id)| self.parents[..*n].contains(id));
        repeated.map_or(Ok(()), |(_, id)| Err(format!("parent {id} is named twice")))
    }
}

impl<F: Fs> Store<F> {
    /// Stores a commit; its snapshot and its parents must be in the store.
    pub fn put_commit(&self, commit: &Commit) -> Result<Put> {
        let _pin = self.pin()?;
        let from = || "the commit".to_owned();
        let mut reached =
            self.require::<Snapshot>(&commit.snapshot, Barrier::SnapshotOfCommit, &from)?;
        for parent in &commit.parents {
            let parent = self.require::<Commit>(parent, Barrier::ParentOfCommit, &from)?;
            reached = reached.max(parent);
        }
        if self.has(Bug::CommitInPlace) {
            return self.put_in_place(commit);
        }
        Ok(self.put_canonical(commit)?.after(reached))
    }

    /// The planted mistake [`Bug::CommitInPlace`].
    fn put_in_place(&self, commit: &Commit) -> Result<Put> {
        let text =
            encode(commit).map_err(|problem| Error::BadValue { kind: Commit::KIND, problem })?;
        let id = ObjectId::of(&text);
        let receipt = wrong::cut_and_write(self.fs(), &self.layout().object(&id), &text)?;
        Ok(Put { id, receipt })
    }

    /// Reads a commit; `None` when there is no such object.
    pub fn read_commit(&self, id: &ObjectId) -> Result<Option<Commit>> {
        self.read_canonical(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canonical::{decode, encode};
    use proptest::prelude::*;

    /// The test vector of docs/formats.md.
    #[test]
    fn the_id_of_a_known_commit_does_not_change() {
        let commit = Commit::new([], ObjectId::of(b""), "tester", "first\n", 1_767_225_600);
        let text = encode(&commit).unwrap();
        let expected = concat!(
            r#"{"author":"tester","kind":"commit","message":"first\n","parents":[],"snapshot":"#,
            r#""sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","#,
            r#""time":1767225600}"#
        );
        assert_eq!(String::from_utf8(text.clone()).unwrap(), expected);
        assert_eq!(
            ObjectId::of(&text).to_string(),
            "sha256:c0e2c7cbda9b27678606c7dd31c2d7609fc45053e9f473c0f062dc5a2b44eda1"
        );
    }

    #[test]
    fn a_parent_named_twice_is_refused() {
        let id = ObjectId::of(b"p");
        assert!(encode(&Commit::new([id, id], id, "", "", 0)).is_err());
    }

    proptest! {
        #[test]
        fn every_commit_is_read_back(author: String, message: String, time: i64, parents in 0u8..4) {
            let parents = (0..parents).map(|n| ObjectId::of(&[n]));
            let commit = Commit::new(parents, ObjectId::of(b"s"), author, message, time);
            let text = encode(&commit).unwrap();
            prop_assert_eq!(decode::<Commit>(&text).unwrap(), commit);
        }

        #[test]
        fn no_text_makes_the_reader_panic(bytes: Vec<u8>, cut in 0usize..200) {
            let _ = decode::<Commit>(&bytes);
            let mut text = encode(&Commit::new([], ObjectId::of(b""), "a", "b", 1)).unwrap();
            text.truncate(cut);
            if cut < text.capacity() { let _ = decode::<Commit>(&text); }
        }
    }
}
