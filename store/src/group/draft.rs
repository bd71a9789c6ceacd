//! A commit before its barriers: what one writer writes by itself, beside the others.
//!
//! All temps are there, with their bytes and modes, and these are waited for here. Names and their barriers
//! are missing; not for those: see `objects` and `batch`.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use faultfs::{Fs, FsFile};

use super::{CommitRequest, Content};
use crate::atomic::temp_beside;
use crate::barrier::Barrier;
use crate::canonical::{Canonical, encode};
use crate::commit::Commit;
use crate::disk::Disk;
use crate::durability::Reached;
use crate::error::{Error, Result};
use crate::id::ObjectId;
use crate::name::Branch;
use crate::object::Written;
use crate::open::Store;
use crate::refs::ATTEMPTS;
use crate::snapshot::{FileEntry, Snapshot};
use crate::temp::{Loose, Temp};

/// The order in which the objects of a commit get their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Blobs,
    Snapshots,
    Commits,
}

/// One object of a commit.
pub(super) struct Part<'f, F: Fs> {
    pub(super) stage: Stage,
    pub(super) id: ObjectId,
    pub(super) path: PathBuf,
    pub(super) body: Body<'f, F>,
}

pub(super) enum Body<'f, F: Fs> {
    /// It lacks its name.
    New(Temp<'f, F>),
    /// It has it, but perhaps not durably.
    Named(Arc<F::File>),
}

/// The end of a commit: the move of its branch. `T` is the branch file that is to be, in one's own hands or on the way to
/// the thread that leads.
pub(crate) struct Tip<T> {
    pub(super) branch: Branch,
    pub(super) parent: Option<ObjectId>,
    pub(super) commit: ObjectId,
    pub(super) file: T,
    /// What the barriers of the commit reached so far.
    pub(super) reached: Reached,
}

/// A whole commit, in the hands of its writer.
pub(super) struct Draft<'f, F: Fs> {
    pub(super) parts: Vec<Part<'f, F>>,
    pub(super) tip: Tip<Temp<'f, F>>,
}

impl<F: Fs> Draft<'_, F> {
    /// The barriers of the bytes of all its files.
    pub(super) fn sync(&mut self, store: &Store<F>) -> Result<()> {
        for part in &self.parts {
            self.tip.reached = self.tip.reached.max(part.sync(store)?);
        }
        let tip = self.tip.file.sync(Barrier::GroupTipFile, None)?;
        self.tip.reached = self.tip.reached.max(tip);
        Ok(())
    }
}

impl<T> Tip<T> {
    fn map<U>(self, with: impl FnOnce(T) -> U) -> Tip<U> {
        let Self { branch, parent, commit, file, reached } = self;
        Tip { branch, parent, commit, file: with(file), reached }
    }
}

impl<F: Fs> Tip<Temp<'_, F>> {
    /// To another thread. From here on, nobody but the one that takes it removes the temp.
    pub(super) fn let_go(self) -> Tip<Loose<F::File>> {
        self.map(Temp::let_go)
    }
}

impl<H: FsFile> Tip<Loose<H>> {
    /// Into one's own hands.
    pub(super) fn take<F: Fs<File = H>>(self, disk: Disk<'_, F>) -> Tip<Temp<'_, F>> {
        self.map(|loose| loose.take(disk))
    }
}

impl<F: Fs> Part<'_, F> {
    fn sync(&self, store: &Store<F>) -> Result<Reached> {
        match &self.body {
            Body::New(temp) => {
                // After a failure that is let pass, the mode says so.
                let passed = temp.sync(Barrier::GroupFile, None);
                store.settle(temp.file(), passed)
            }
            Body::Named(file) => {
                let passed = store.disk().sync_file(Barrier::KnownFile, file, &self.path);
                store.settle(file, passed)
            }
        }
    }
}

impl<F: Fs> Store<F> {
    /// Writes all temps of a commit.
    pub(super) fn draft(&self, request: &CommitRequest<'_>) -> Result<Draft<'_, F>> {
        let CommitRequest { branch, parent, merged, files, author, message, time } = request;
        // Only an early answer: the branch is looked at again under its lock.
        let current = self.read_branch(branch)?;
        if current != *parent {
            let branch = branch.to_string();
            return Err(Error::RefConflict { branch, expected: *parent, current });
        }
        let mut reached = Reached::Durable;
        for merged in *merged {
            let from = || "the commit".to_owned();
            let merged = self.require::<Commit>(merged, Barrier::ParentOfCommit, &from)?;
            reached = reached.max(merged);
        }
        let mut parts = Vec::with_capacity(files.len() + 2);
        let mut snapshot = Snapshot::default();
        for (path, file) in files {
            let id = match file.content {
                Content::Bytes(bytes) => self.part(Stage::Blobs, bytes, &mut parts)?,
                Content::Object(id) => {
                    let from = || format!("the snapshot's {path:?}");
                    let blob = self.require_any(&id, "blob", Barrier::BlobOfSnapshot, &from)?;
                    reached = reached.max(blob);
                    id
                }
            };
            snapshot.set(*path, FileEntry { executable: file.executable, id })?;
        }
        let snapshot = self.text_part(Stage::Snapshots, &snapshot, &mut parts)?;
        let parents = parent.iter().chain(*merged).copied();
        let commit = Commit::new(parents, snapshot, *author, *message, *time);
        let commit = self.text_part(Stage::Commits, &commit, &mut parts)?;
        let (file, folders) = self.tip(branch, &commit)?;
        let reached = reached.max(folders);
        let branch = Branch::clone(branch);
        Ok(Draft { parts, tip: Tip { branch, parent: *parent, commit, file, reached } })
    }

    /// The temp of a branch file, and what the barriers of its folders reached.
    fn tip(&self, branch: &Branch, commit: &ObjectId) -> Result<(Temp<'_, F>, Reached)> {
        let path = self.layout().branch(branch);
        for _ in 0..ATTEMPTS {
            let folders = self.make_folders(branch)?;
            let mut tip = match temp_beside(self.disk(), &path) {
                // Another process removed the folder as empty before our temp was in it.
                Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                    continue;
                }
                tip => tip?,
            };
            tip.write(commit.to_string().as_bytes())?;
            tip.start_writeback();
            return Ok((tip, folders));
        }
        let problem = "its folder vanishes again and again";
        Err(Error::Contended { path, attempts: ATTEMPTS, problem })
    }

    fn text_part<'s, T: Canonical>(
        &'s self,
        stage: Stage,
        value: &T,
        parts: &mut Vec<Part<'s, F>>,
    ) -> Result<ObjectId> {
        let text = encode(value).map_err(|problem| Error::BadValue { kind: T::KIND, problem })?;
        self.part(stage, &text, parts)
    }

    /// One object, unless the same commit has it already.
    fn part<'s>(
        &'s self,
        stage: Stage,
        bytes: &[u8],
        parts: &mut Vec<Part<'s, F>>,
    ) -> Result<ObjectId> {
        let id = ObjectId::of(bytes);
        if parts.iter().any(|part| part.id == id) {
            return Ok(id);
        }
        let body = match self.written(&id, bytes)? {
            Written::Before(file) => Body::Named(Arc::new(file)),
            Written::Now(temp) => {
                temp.start_writeback();
                Body::New(temp)
            }
        };
        parts.push(Part { stage, id, path: self.layout().object(&id), body });
        Ok(id)
    }
}
