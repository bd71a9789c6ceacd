//! Counts the calls of an operation that cost something on every disk. Not for their time.

use std::io;
use std::sync::{Mutex, PoisonError};

use faultfs::{Call, CallKind, Watcher};

use crate::budget::Calls;

/// Counts what passes the seam.
#[derive(Debug, Default)]
pub struct Counter(Mutex<Calls>);

impl Counter {
    /// The calls since the last time.
    pub fn take(&self) -> Calls {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Watcher for Counter {
    fn before(&self, call: &Call<'_>) -> io::Result<()> {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match call.kind {
            CallKind::Open | CallKind::CreateNew => calls.open += 1,
            CallKind::SyncAll | CallKind::SyncData => calls.fsync += 1,
            CallKind::SyncDir => calls.fsync_dir += 1,
            CallKind::SyncFs => calls.syncfs += 1,
            CallKind::Rename | CallKind::RenameNoReplace | CallKind::Exchange => calls.rename += 1,
            _ => {}
        }
        Ok(())
    }
}
