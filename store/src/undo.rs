//! Undo: a strict write whose last barrier failed puts back what was there.
//!
//! Else an error would be told while the new value is seen. Old bytes are written anew, by the protocol
//! of every write; what was not there goes again. When that succeeds, the old value is on the disk
//! whether or not the failed barrier had let anything through: either the entry never changed, or it
//! changed twice. When it fails as well, the error says that the value is not known.
//!
//! What was appended is undone in the same way: the bytes before it are written anew, on another inode,
//! since an fsync of this one has failed.
//!
//! The caller holds the lock of what it writes. Where there is none (texts of others), a value that
//! somebody else has written meanwhile is left alone.

use std::io;
use std::path::Path;

use faultfs::{Access, FileKind, Fs, FsFile};

use crate::atomic::{parent, temp_beside};
use crate::barrier::Barrier;
use crate::disk::Disk;
use crate::durability::Reached;
use crate::error::{At, ELOOP, Error, Result, found};
use crate::planted::Bug;

/// What stood at a path before it was changed.
pub(crate) struct Undo<'f, F: Fs> {
    disk: Disk<'f, F>,
    path: &'f Path,
    old: Old<F::File>,
    /// So many bytes of it are kept; all, unless the change is an append.
    keep: u64,
}

enum Old<H> {
    Absent,
    /// Open, so that its bytes outlive its name.
    Open(H),
    /// A symbolic link, or a file that may be replaced and not read.
    Unreadable(io::Error),
}

impl<'f, F: Fs> Undo<'f, F> {
    /// Takes hold of what is there; before the change.
    pub(crate) fn before(disk: Disk<'f, F>, path: &'f Path) -> Result<Self> {
        let old = match found(disk.fs.open(path, Access::Read)) {
            Err(e) if is_unreadable(&e) => Old::Unreadable(e),
            opened => opened.at("open", path)?.map_or(Old::Absent, Old::Open),
        };
        Ok(Self { disk, path, old, keep: u64::MAX })
    }

    /// Of a file that is appended to: these are the bytes that it had.
    pub(crate) fn keeping(self, bytes: u64) -> Self {
        Self { keep: bytes, ..self }
    }

    /// Hands on what the last barrier of the change reached. If it failed, first puts the old state
    /// back; `new` is the file that the change put there, if it did not only remove one.
    pub(crate) fn unless(self, passed: Result<Reached>, new: Option<&F::File>) -> Result<Reached> {
        let Err(failed) = passed else {
            return passed;
        };
        if self.disk.has(Bug::NoUndo) {
            return Err(failed);
        }
        match self.put_back(new) {
            Ok(_) => Err(failed),
            Err(undo) => {
                let [failed, undo] = [failed, undo].map(Box::new);
                Err(Error::Undecided { path: self.path.to_owned(), failed, undo })
            }
        }
    }

    fn put_back(&self, new: Option<&F::File>) -> Result<Reached> {
        let new = new.map(FsFile::metadata).transpose().at("stat", self.path)?;
        let there = found(self.disk.fs.metadata(self.path)).at("stat", self.path)?;
        if there.map(|m| m.inode) != new.map(|m| m.inode) {
            return Ok(Reached::Durable);
        }
        match &self.old {
            Old::Absent => self.disk.fs.unlink(self.path).at("remove", self.path)?,
            Old::Open(old) => self.rewrite(old)?,
            Old::Unreadable(e) => {
                let unreadable = io::Error::new(e.kind(), "it could not be read before");
                return Err(unreadable).at("put back", self.path);
            }
        }
        self.disk.sync_dir(Barrier::UndoDir, parent(self.path))
    }

    fn rewrite(&self, old: &F::File) -> Result<()> {
        let metadata = old.metadata().at("stat", self.path)?;
        if metadata.kind != FileKind::File {
            return Err(io::Error::from(io::ErrorKind::InvalidInput)).at("put back", self.path);
        }
        let len = metadata.len.min(self.keep);
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
        let n = old.read_full_at(&mut bytes, 0).at("read", self.path)?;
        let mut temp = temp_beside(self.disk, self.path)?;
        temp.write(bytes.get(..n).unwrap_or_default())?;
        temp.set_mode(metadata.mode)?;
        temp.sync(Barrier::UndoFile, None)?;
        temp.rename(self.path)
    }
}

/// Nothing of this keeps a rename from replacing it.
fn is_unreadable(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied || error.raw_os_error() == Some(ELOOP)
}
