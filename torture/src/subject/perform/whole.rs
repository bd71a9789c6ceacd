//! Steps that are one call of the store: a commit that shares its barriers, and an import.
//!
//! What is about to be written is noted before the call, since the store tells nothing on the way.

use std::num::NonZeroUsize;

use faultfs::Fs;
use plugpull_store::{
    Branch, Change, Commit, CommitRequest, Error, FileEntry, Imported, ObjectId, Reached, Result,
    Snapshot,
};

use super::super::marks::Mark;
use super::super::plan::Bytes;
use super::{ATTEMPTS, TIME, Writer, settle, text_of};

impl<F: Fs> Writer<'_, F> {
    /// A commit in one call, which shares its barriers with other threads.
    pub(super) fn group_commit(&self, branch: &Branch, files: &[(&str, Bytes)]) -> Result<()> {
        let message = format!("{} step {}", self.name, self.steps);
        for _ in 0..ATTEMPTS {
            let parent = self.store.read_branch(branch)?;
            let mut snapshot = Snapshot::default();
            for (path, bytes) in files {
                let id = self.journal.writing(bytes, Vec::new());
                snapshot.set(*path, FileEntry { executable: false, id })?;
            }
            let to = self.will_write(&snapshot, parent, &message);
            let (name, to) = (branch.to_string(), Some(to));
            self.journal.mark(Mark::Moving { branch: name.clone(), from: parent, to });
            let request = CommitRequest {
                branch,
                parent,
                merged: &[],
                files: files.iter().map(|(path, bytes)| (*path, (&**bytes).into())).collect(),
                author: "writer",
                message: &message,
                time: TIME,
            };
            match self.store.commit(&request) {
                Ok(put) => {
                    self.settle(put.receipt.reached, Mark::Ref { branch: name, at: Some(put.id) });
                    return Ok(());
                }
                Err(Error::RefConflict { .. }) => {
                    self.journal.mark(Mark::Refused { branch: name, to });
                }
                Err(error) => return self.not_moved(name, to, error),
            }
        }
        self.journal.mark(Mark::Failed(format!("group commit: {branch} moved again and again")));
        Ok(())
    }

    /// An update that fails leaves what was there, unless it says otherwise.
    fn not_moved(&self, branch: String, to: Option<ObjectId>, error: Error) -> Result<()> {
        if !matches!(error, Error::Undecided { .. }) {
            self.journal.mark(Mark::Refused { branch, to });
        }
        Err(error)
    }

    /// Notes the objects of a commit that is about to be written; returns its id.
    fn will_write(&self, snapshot: &Snapshot, parent: Option<ObjectId>, message: &str) -> ObjectId {
        let ids = snapshot.files().map(|(_, entry)| entry.id).collect();
        let snapshot = self.journal.writing(&text_of(snapshot), ids);
        let commit = Commit::new(parent, snapshot, "writer", message, TIME);
        let leads_to = parent.into_iter().chain([snapshot]).collect();
        self.journal.writing(&text_of(&commit), leads_to)
    }

    /// Imports commits of one file each, on top of what the branch holds.
    pub(super) fn import_commits(
        &mut self,
        branch: &Branch,
        files: &[(&str, Bytes)],
        batch: usize,
    ) -> Result<()> {
        let before = self.store.read_branch(branch)?;
        let (commits, tips) = self.to_import(branch, before, files)?;
        // Where the branch is after each batch.
        let tips: Vec<_> = tips.chunks(batch).filter_map(|batch| batch.last().copied()).collect();
        let name = branch.to_string();
        let journal = self.journal;
        let announce = |from, to: Option<&ObjectId>| {
            if let Some(to) = to.copied() {
                journal.mark(Mark::Moving { branch: name.clone(), from, to: Some(to) });
            }
        };
        announce(before, tips.first());
        let mut made = 0;
        let size = NonZeroUsize::new(batch).unwrap_or(NonZeroUsize::MIN);
        let imported =
            self.alone()?.import_commits(commits.into_iter().map(Ok), size, &mut |report| {
                let at = report.tips.get(branch).copied();
                made += 1;
                settle(
                    journal,
                    report.reached.unwrap_or(Reached::Durable),
                    Mark::Ref { branch: name.clone(), at },
                );
                announce(at, tips.get(made));
            });
        match imported {
            Ok(_) => Ok(()),
            Err(error) => self.not_moved(name.clone(), tips.get(made).copied(), error),
        }
    }

    /// The commits of an import, and what each will be called.
    fn to_import(
        &self,
        branch: &Branch,
        before: Option<ObjectId>,
        files: &[(&str, Bytes)],
    ) -> Result<(Vec<Imported>, Vec<ObjectId>)> {
        let mut snapshot = Snapshot::default();
        if let Some(tip) = before
            && let Some(commit) = self.store.read_commit(&tip)?
        {
            snapshot = self.store.read_snapshot(&commit.snapshot)?.unwrap_or_default();
        }
        let mut parent = before;
        let (mut commits, mut tips) = (Vec::new(), Vec::new());
        for (n, (path, bytes)) in files.iter().enumerate() {
            let message = format!("{} step {}, import {n}", self.name, self.steps);
            let id = self.journal.writing(bytes, Vec::new());
            snapshot.set(*path, FileEntry { executable: false, id })?;
            let tip = self.will_write(&snapshot, parent, &message);
            parent = Some(tip);
            tips.push(tip);
            let change = Change::Set { executable: false, bytes: bytes.to_vec() };
            commits.push(Imported {
                branch: Branch::clone(branch),
                changes: [((*path).to_owned(), change)].into(),
                author: "writer".to_owned(),
                message,
                time: TIME,
            });
        }
        Ok((commits, tips))
    }
}
