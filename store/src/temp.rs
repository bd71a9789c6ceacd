//! A file that is being written under a name of its own.
//!
//! Its owner holds an exclusive flock on it from creation until it has its real name. Whoever finds a
//! temp whose lock is free may remove it: the owner is dead, because the kernel releases the lock
//! with the process, also by SIGKILL. There is a moment between creating the file and locking it in
//! which a sweep can take it; the owner looks for that (lock refused, or no name left) and starts
//! again with a new name. So no age, no process table and no clock is needed.
//!
//! Not for deciding where a file goes or what a failed barrier means: see `atomic` and `object`.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use faultfs::{Fs, FsFile, LockMode};

use crate::barrier::Barrier;
use crate::disk::Disk;
use crate::durability::Reached;
use crate::error::{At, Error, Result};
use crate::layout::temp_name;
use crate::planted::{Bug, wrong};

/// How often a name is drawn anew when it is taken or swept: each time needs another process to hit
/// the same microsecond or name.
const ATTEMPTS: u32 = 1000;

/// A temp. Dropping it removes the file unless it got its real name.
pub(crate) struct Temp<'f, F: Fs> {
    disk: Disk<'f, F>,
    path: PathBuf,
    file: Arc<F::File>,
    mode: u32,
    written: u64,
    named: bool,
}

/// A temp that goes to another thread; dropping it leaves the file to the next sweep.
pub(crate) struct Loose<H> {
    path: PathBuf,
    file: Arc<H>,
    mode: u32,
    written: u64,
}

impl<H: FsFile> Loose<H> {
    /// Closes it, which gives its lock back: whoever does that keeps sweeps away in another way.
    pub(crate) fn into_path(self) -> PathBuf {
        self.path
    }

    /// Takes it over.
    pub(crate) fn take<F: Fs<File = H>>(self, disk: Disk<'_, F>) -> Temp<'_, F> {
        let Self { path, file, mode, written } = self;
        Temp { disk, path, file, mode, written, named: true }
    }
}

impl<'f, F: Fs> Temp<'f, F> {
    /// Creates an empty temp in `dir` and locks it.
    pub(crate) fn create(disk: Disk<'f, F>, dir: &Path, prefix: &str, mode: u32) -> Result<Self> {
        if disk.has(Bug::FixedTempName) {
            let path = dir.join(temp_name(prefix, 0));
            let file = Arc::new(wrong::open_or_create(disk.fs, &path)?);
            return Ok(Self { disk, path, file, mode: 0, written: 0, named: true });
        }
        for _ in 0..ATTEMPTS {
            let path = dir.join(temp_name(prefix, disk.fs.nonce()));
            let file = match disk.fs.create_new(&path, mode) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => continue,
                created => created.at("create", &path)?,
            };
            let file = Arc::new(file);
            let mut temp = Self { disk, path, file, mode, written: 0, named: true };
            if temp.take_ownership()? {
                return Ok(temp);
            }
        }
        let problem = "every temp name was taken or swept away";
        Err(Error::Contended { path: dir.to_owned(), attempts: ATTEMPTS, problem })
    }

    /// Locks the file; false when a sweep came first.
    fn take_ownership(&mut self) -> Result<bool> {
        if !self.file.try_lock(LockMode::Exclusive).at("lock", &self.path)? {
            return Ok(false);
        }
        let metadata = self.file.metadata().at("stat", &self.path)?;
        self.mode = metadata.mode;
        Ok(metadata.links > 0)
    }

    /// Writes behind what is already there.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if self.disk.has(Bug::ShortWriteIgnored) {
            self.file.write_at(bytes, self.written).at("write", &self.path)?;
        } else {
            self.file.write_all_at(bytes, self.written).at("write", &self.path)?;
        }
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Sets the permission bits exactly; the umask may have taken some at creation.
    pub(crate) fn set_mode(&mut self, mode: u32) -> Result<()> {
        if self.mode != mode {
            self.file.set_mode(mode).at("set the mode of", &self.path)?;
            self.mode = mode;
        }
        Ok(())
    }

    /// The barrier of the file: after it nothing of the file may change but its name.
    ///
    /// Where a failed one is let pass, the file must still hold what was written. btrfs takes it back,
    /// and ext4 and XFS show it and will not write it; so who has all bytes at hand has them written
    /// `again`, and for who has not, a file that became shorter is an error.
    pub(crate) fn sync(&self, barrier: Barrier, again: Option<&[u8]>) -> Result<Reached> {
        let reached = self.disk.sync_file(barrier, &self.file, &self.path)?;
        if reached != Reached::Degraded {
            return Ok(reached);
        }
        if let Some(bytes) = again {
            self.file.write_all_at(bytes, 0).at("write", &self.path)?;
        } else if self.file.metadata().at("stat", &self.path)?.len < self.written {
            let lost = io::Error::other("the failed sync took back what was written");
            return Err(lost).at("sync", &self.path);
        }
        Ok(reached)
    }

    /// Gives it its real name, replacing what is there. The entry is volatile.
    pub(crate) fn rename(&mut self, to: &Path) -> Result<()> {
        self.disk.fs.rename(&self.path, to).at("rename a temp to", to)?;
        self.named = false;
        Ok(())
    }

    /// Gives it its real name unless that is taken; says whether it did. The entry is volatile.
    pub(crate) fn rename_if_free(&mut self, to: &Path) -> Result<bool> {
        let fs = self.disk.fs;
        let renamed = match fs.rename_no_replace(&self.path, to) {
            // Some file systems know no RENAME_NOREPLACE; a link never replaces either.
            Err(e) if e.kind() == io::ErrorKind::InvalidInput => {
                fs.link(&self.path, to).and_then(|()| fs.unlink(&self.path))
            }
            renamed => renamed,
        };
        match renamed {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            renamed => {
                renamed.at("rename a temp to", to)?;
                self.named = false;
                Ok(true)
            }
        }
    }

    /// Gives it to another thread.
    pub(crate) fn let_go(mut self) -> Loose<F::File> {
        self.named = false;
        let (path, file) = (std::mem::take(&mut self.path), Arc::clone(&self.file));
        Loose { path, file, mode: self.mode, written: self.written }
    }

    /// A hint that its barrier comes soon.
    pub(crate) fn start_writeback(&self) {
        self.file.start_writeback();
    }

    /// Its name until it gets its real one.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The open file, whatever its name is now.
    pub(crate) fn file(&self) -> &F::File {
        &self.file
    }

    /// The open file, to be kept longer than the temp.
    pub(crate) fn shared_file(&self) -> Arc<F::File> {
        Arc::clone(&self.file)
    }
}

impl<F: Fs> Drop for Temp<'_, F> {
    fn drop(&mut self) {
        if self.named && !self.disk.has(Bug::TempLeftBehind) {
            // A failure to clean up must not hide the error that led here; the next open sweeps.
            let _ = self.disk.fs.unlink(&self.path);
        }
    }
}
