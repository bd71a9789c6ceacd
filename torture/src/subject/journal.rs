//! What a run tells about itself while it goes on: its Marks, and every content it tried to write.
//!
//! One journal for all writers of a run. They take turns, so the order here is that of the trace.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use faultfs::SimFs;
use plugpull_store::ObjectId;

use super::marks::Mark;

/// An object that was written or tried to be.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) bytes: Arc<[u8]>,
    /// The objects it leads to.
    pub(super) leads_to: Vec<ObjectId>,
}

/// Contents by their ids.
pub(super) type Contents = BTreeMap<ObjectId, Known>;

/// The notes of one run.
pub(super) struct Journal {
    disk: SimFs,
    notes: Mutex<Notes>,
    /// The process that writes is dead: what it says is not heard.
    dead: Arc<AtomicBool>,
}

#[derive(Default)]
struct Notes {
    marks: Vec<Mark>,
    contents: Contents,
}

impl Journal {
    /// Of a run on this disk, which gets the Marks as well.
    pub(super) fn of(disk: SimFs) -> Self {
        Self { disk, notes: Mutex::default(), dead: Arc::default() }
    }

    /// Set while a process is dead.
    pub(super) fn dead(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.dead)
    }

    /// A process is gone; the next one is heard again.
    pub(super) fn killed(&self) {
        self.dead.store(false, Ordering::Relaxed);
        self.mark(Mark::Killed);
    }

    /// Puts a Mark behind all calls made so far.
    pub(super) fn mark(&self, mark: Mark) {
        if self.dead.load(Ordering::Relaxed) {
            return;
        }
        let mut notes = self.notes();
        self.disk.mark(mark.to_string().as_bytes());
        notes.marks.push(mark);
    }

    /// An object is about to be written; returns its id.
    pub(super) fn writing(&self, bytes: &[u8], leads_to: Vec<ObjectId>) -> ObjectId {
        let id = ObjectId::of(bytes);
        self.notes().contents.insert(id, Known { bytes: bytes.into(), leads_to });
        id
    }

    /// The end of the run.
    pub(super) fn close(self) -> (Vec<Mark>, Contents) {
        let notes = self.notes.into_inner().unwrap_or_else(PoisonError::into_inner);
        (notes.marks, notes.contents)
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
