//! Removing the temps of dead writers, and never a live one's.
//!
//! A temp is its owner's while the owner holds its lock (see `temp`). A sweep takes the lock before
//! it removes the name, so a writer that comes to its lock later finds that the file was taken.
//!
//! Whoever tries the locks of temps holds `locks/sweep`. Else a sweep would take a temp for owned that
//! another sweep is just trying, and leave it there when that one is killed before it removes it.

use std::io;
use std::path::{Path, PathBuf};

use faultfs::{Access, FileKind, Fs, FsFile, LockMode};

use crate::atomic::parent;
use crate::barrier::Barrier;
use crate::error::{At, Result, found};
use crate::layout::{Layout, RESTORE_TEMP, STATE_TEMP, is_temp};
use crate::lock::lock;
use crate::open::Store;
use crate::planted::Bug;
use crate::restore::restore_records;

/// Whether a temp's owner lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Alive,
    Dead,
    /// The temp is gone meanwhile.
    Gone,
}

impl<F: Fs> Store<F> {
    /// Removes every temp whose owner is dead; returns their paths. Those of objects were found
    /// by a look at the shards.
    pub(crate) fn sweep(&self, among_objects: Vec<PathBuf>) -> Result<Vec<PathBuf>> {
        let lock = || lock_temps(self.fs(), self.layout(), LockMode::Exclusive);
        let _lock = if self.has(Bug::SweepsAtOnce) { None } else { Some(lock()?) };
        let mut removed = Vec::new();
        let temps = temps(self.fs(), self.layout(), among_objects)?;
        for neighbours in temps.chunk_by(|one, other| parent(one) == parent(other)) {
            let before = removed.len();
            for path in neighbours {
                if self.remove_if_dead(path)? {
                    removed.push(path.clone());
                }
            }
            if removed.len() > before {
                self.disk().sync_dir(Barrier::SweptTemps, parent(&neighbours[0]))?;
            }
        }
        Ok(removed)
    }

    fn remove_if_dead(&self, path: &Path) -> Result<bool> {
        let Some(file) = found(self.fs().open(path, Access::Read)).at("open", path)? else {
            return Ok(false);
        };
        let dead =
            self.has(Bug::SweepLiveTemps) || file.try_lock(LockMode::Exclusive).at("lock", path)?;
        // The lock stays until the name is gone: see `temp`.
        Ok(dead && found(self.fs().unlink(path)).at("remove", path)?.is_some())
    }
}

/// The lock to hold while the locks of temps are tried: exclusive to remove them, shared to look.
pub(crate) fn lock_temps<F: Fs>(fs: &F, layout: &Layout, mode: LockMode) -> Result<F::File> {
    lock(fs, &layout.sweep_lock(), mode)
}

/// Whether the owner of a temp lives; does not remove it. Under [`lock_temps`].
pub(crate) fn owner<F: Fs>(fs: &F, path: &Path) -> Result<Owner> {
    let Some(file) = found(fs.open(path, Access::Read)).at("open", path)? else {
        return Ok(Owner::Gone);
    };
    let free = file.try_lock(LockMode::Shared).at("lock", path)?;
    Ok(if free { Owner::Dead } else { Owner::Alive })
}

/// All temps of a store; those `among_objects` come from a look at the shards.
pub(crate) fn temps<F: Fs>(
    fs: &F,
    layout: &Layout,
    among_objects: Vec<PathBuf>,
) -> Result<Vec<PathBuf>> {
    let mut temps = Vec::new();
    for dir in layout.state_dirs() {
        temps.extend(temps_in(fs, &dir, STATE_TEMP)?);
    }
    temps.extend(among_objects);
    for dir in dirs_below(fs, layout.heads())? {
        temps.extend(temps_in(fs, &dir, STATE_TEMP)?);
    }
    for dir in restore_records(fs, layout)?.into_iter().filter_map(|(_, dir)| dir) {
        temps.extend(temps_in(fs, &dir, RESTORE_TEMP)?);
    }
    Ok(temps)
}

/// `top` and all directories below it; symbolic links are not followed.
pub(crate) fn dirs_below<F: Fs>(fs: &F, top: PathBuf) -> Result<Vec<PathBuf>> {
    let mut all = vec![top];
    let mut next = 0;
    while let Some(dir) = all.get(next).cloned() {
        next += 1;
        for entry in list(fs, &dir)? {
            if entry.kind == FileKind::Dir {
                all.push(dir.join(entry.name));
            }
        }
    }
    Ok(all)
}

/// The temps with this prefix in one directory; none when it is gone.
pub(crate) fn temps_in<F: Fs>(fs: &F, dir: &Path, prefix: &str) -> Result<Vec<PathBuf>> {
    let entries = list(fs, dir)?.into_iter();
    let temps = entries.filter(|e| e.kind == FileKind::File && is_temp(&e.name, prefix));
    Ok(temps.map(|entry| dir.join(entry.name)).collect())
}

/// The entries of a directory; none when it is gone (a branch folder, a work tree).
fn list<F: Fs>(fs: &F, dir: &Path) -> Result<Vec<faultfs::DirEntry>> {
    match fs.read_dir(dir) {
        Err(e) if is_gone(&e) => Ok(Vec::new()),
        listed => listed.at("list", dir),
    }
}

/// Whether a directory that was there once is not there any more.
pub(crate) fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
