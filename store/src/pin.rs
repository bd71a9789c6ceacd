//! Pins: while one is held, no garbage collection deletes an object.
//!
//! Every put holds a pin for itself. Who puts several objects and then a ref that leads to them holds
//! one over all of it. Pins of all processes share one flock; a collection takes it alone, only for
//! deleting. A killed process drops its pin with its life.

use std::sync::{Mutex, MutexGuard, PoisonError};

use faultfs::{Access, Fs, FsFile, LockMode};

use crate::error::{At, Result, found};
use crate::layout::Layout;
use crate::open::Store;

/// Keeps garbage collections away until it is dropped.
#[must_use = "a pin keeps garbage collections away only while it is held"]
pub struct Pin<'s, F: Fs> {
    store: &'s Store<F>,
}

/// The lock file of one open store, shared by all its threads.
pub(crate) struct Pins<H> {
    file: H,
    held: Mutex<usize>,
}

impl<H: FsFile> Pins<H> {
    pub(crate) fn open<F: Fs<File = H>>(fs: &F, layout: &Layout) -> Result<Self> {
        let path = layout.pin_lock();
        let file = fs.open(&path, Access::Read).at("open", &path)?;
        Ok(Self { file, held: Mutex::new(0) })
    }

    /// The count is right whenever the mutex is free, so a panic elsewhere does not spoil it.
    fn held(&self) -> MutexGuard<'_, usize> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F: Fs> Store<F> {
    /// Takes a pin; waits while a garbage collection is deleting. If one was killed while it was
    /// deleting, finishes its work first, so that nothing half deleted is built upon.
    pub fn pin(&self) -> Result<Pin<'_, F>> {
        let pins = self.pins();
        let mut held = pins.held();
        if *held == 0 {
            let path = self.layout().pin_lock();
            loop {
                pins.file.lock(LockMode::Shared).at("lock", &path)?;
                let condemned = self.layout().condemned();
                if found(self.fs().metadata(&condemned)).at("stat", &condemned)?.is_none() {
                    break;
                }
                pins.file.unlock().at("unlock", &path)?;
                self.finish_condemned()?;
            }
        }
        *held += 1;
        Ok(Pin { store: self })
    }
}

impl<F: Fs> Drop for Pin<'_, F> {
    fn drop(&mut self) {
        let pins = self.store.pins();
        let mut held = pins.held();
        *held -= 1;
        if *held == 0 {
            // Failing to unlock keeps a collection waiting until this process ends, no more.
            let _ = pins.file.unlock();
        }
    }
}
