//! A commit before its barriers: what one writer writes by itself, beside the others.
//!
//! All temps are there, with their bytes and modes, and these are waited for here. Names and their barriers
//! are missing; not for those: see `batch`.

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
pub(crate) enum Stage {
    Blobs,
    Snapshots,
    Commits,
}

impl Stage {
    pub(super) const ALL: [Self; 3] = [Self::Blobs, Self::Snapshots, Self::Commits];
}

/// One object of a commit; `T` is its temp, in one's own hands or on the way to another thread.
pub(crate) struct Part<T, H> {
    pub(super) stage: Stage,
    pub(super) id: ObjectId,
    pub(super) path: PathBuf,
    pub(super) body: Body<T, H>,
}

pub(crate) enum Body<T, H> {
    /// It lacks its name.
    New(T),
    /// It has it, but perhaps not durably.
    Named(Arc<H>),
}

/// A whole commit.
pub(crate) struct Draft<T, H> {
    pub(super) branch: Branch,
    pub(super) parent: Option<ObjectId>,
    pub(super) commit: ObjectId,
    pub(super) parts: Vec<Part<T, H>>,
    /// The branch file that is to be.
    pub(super) tip: T,
    /// What its parts that were there before reached.
    pub(super) reached: Reached,
}

/// A draft on its way to the thread that leads.
pub(crate) type Loosed<F> = Draft<Loose<<F as Fs>::File>, <F as Fs>::File>;

/// A draft in one's own hands.
pub(super) type Own<'f, F> = Draft<Temp<'f, F>, <F as Fs>::File>;

impl<T, H> Draft<T, H> {
    fn map<U>(self, mut with: impl FnMut(T) -> U) -> Draft<U, H> {
        let Self { branch, parent, commit, parts, tip, reached } = self;
        let part = |part: Part<T, H>| {
            let Part { stage, id, path, body } = part;
            let body = match body {
                Body::New(temp) => Body::New(with(temp)),
                Body::Named(file) => Body::Named(file),
            };
            Part { stage, id, path, body }
        };
        let parts = parts.into_iter().map(part).collect();
        Draft { branch, parent, commit, parts, tip: with(tip), reached }
    }
}

impl<F: Fs> Draft<Temp<'_, F>, F::File> {
    /// To another thread. From here on, nobody but the one that takes it removes the temps.
    pub(super) fn let_go(self) -> Loosed<F> {
        self.map(Temp::let_go)
    }

    /// The barriers of the bytes of all its files.
    pub(super) fn sync(&mut self, store: &Store<F>) -> Result<()> {
        for part in &self.parts {
            self.reached = self.reached.max(part.sync(store)?);
        }
        let tip = self.tip.sync(Barrier::GroupTipFile, None)?;
        self.reached = self.reached.max(tip);
        Ok(())
    }
}

impl<F: Fs> Part<Temp<'_, F>, F::File> {
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

impl<H: FsFile> Draft<Loose<H>, H> {
    /// Into one's own hands.
    pub(super) fn take<F: Fs<File = H>>(self, disk: Disk<'_, F>) -> Own<'_, F> {
        self.map(|loose| loose.take(disk))
    }
}

impl<F: Fs> Store<F> {
    /// Writes all temps of a commit.
    pub(super) fn draft(&self, request: &CommitRequest<'_>) -> Result<Own<'_, F>> {
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
        let (tip, folders) = self.tip(branch, &commit)?;
        let reached = reached.max(folders);
        let branch = Branch::clone(branch);
        Ok(Draft { branch, parent: *parent, commit, parts, tip, reached })
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
        parts: &mut Vec<Part<Temp<'s, F>, F::File>>,
    ) -> Result<ObjectId> {
        let text = encode(value).map_err(|problem| Error::BadValue { kind: T::KIND, problem })?;
        self.part(stage, &text, parts)
    }

    /// One object, unless the same commit has it already.
    fn part<'s>(
        &'s self,
        stage: Stage,
        bytes: &[u8],
        parts: &mut Vec<Part<Temp<'s, F>, F::File>>,
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
