//! A file system together with what the caller wants of it: the one place that waits for a disk.
//!
//! Every barrier of the store is passed here, under its name, and judged by the caller's
//! [`Durability`](crate::Durability). Not for deciding which barriers a write needs.

use std::io;
use std::path::Path;

use faultfs::{Fs, FsFile};

use crate::barrier::Barrier;
use crate::durability::{Durability, Reached};
use crate::error::{At, Result, found};
use crate::open::Options;
use crate::planted::Bug;

/// What every write is handed.
pub(crate) struct Disk<'f, F> {
    pub(crate) fs: &'f F,
    options: Options,
}

impl<F> Clone for Disk<'_, F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F> Copy for Disk<'_, F> {}

impl<'f, F: Fs> Disk<'f, F> {
    pub(crate) fn new(fs: &'f F, options: Options) -> Self {
        Self { fs, options }
    }

    pub(crate) fn durability(self) -> Durability {
        self.options.durability
    }

    /// The barrier of a file's bytes, mode and times.
    pub(crate) fn sync_file(
        self,
        barrier: Barrier,
        file: &F::File,
        path: &Path,
    ) -> Result<Reached> {
        self.pass(barrier, || file.sync_all()).at("sync", path)
    }

    /// The barrier of a directory's entries.
    pub(crate) fn sync_dir(self, barrier: Barrier, dir: &Path) -> Result<Reached> {
        self.pass(barrier, || self.fs.sync_dir(dir)).at("sync directory", dir)
    }

    /// The barrier of all that was changed on a file's file system.
    pub(crate) fn sync_fs(self, barrier: Barrier, file: &F::File, path: &Path) -> Result<Reached> {
        self.pass(barrier, || file.sync_fs()).at("sync the file system of", path)
    }

    /// Waits once: an fsync that failed is never tried again, see `durability`.
    fn pass(self, barrier: Barrier, sync: impl Fn() -> io::Result<()>) -> io::Result<Reached> {
        if self.options.planted.leaves_out(barrier) {
            return Ok(Reached::Durable);
        }
        let mut synced = sync();
        if synced.is_err() && self.has(Bug::SyncRetried) {
            synced = sync();
        }
        if self.has(Bug::SyncErrorSwallowed) {
            synced = Ok(());
        }
        self.options.durability.judge(synced)
    }

    /// Whether a deliberate mistake is switched on.
    pub(crate) fn has(self, bug: Bug) -> bool {
        self.options.planted.has(bug)
    }
}

/// Whether there is anything at a path.
pub(crate) fn is_there<F: Fs>(fs: &F, path: &Path) -> Result<bool> {
    Ok(found(fs.metadata(path)).at("stat", path)?.is_some())
}
