//! Taking a lock file: it is held until the open file is dropped, or its process dies.
//!
//! Not for which lock guards what, nor for pins, whose locks are shared by all threads of a store.

use std::path::Path;

use faultfs::{Access, Fs, FsFile, LockMode};

use crate::error::{At, Result};

/// Waits for the lock of this file, which every store has.
pub(crate) fn lock<F: Fs>(fs: &F, path: &Path, mode: LockMode) -> Result<F::File> {
    let lock = fs.open(path, Access::Read).at("open", path)?;
    lock.lock(mode).at("lock", path)?;
    Ok(lock)
}
