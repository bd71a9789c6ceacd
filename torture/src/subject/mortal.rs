//! A process that is killed at a chosen call: from then on nothing it does reaches the disk, and
//! nobody hears of it.
//!
//! The disk goes on without it: unlike a power cut, a kill loses nothing that is pending. Not for a
//! kill at the end of a run, which is a crash point with everything kept.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use faultfs::{Call, Watcher};

/// The life of one process, counted in calls that can change the disk or wait for it.
pub(super) struct Mortal {
    lives_for: u64,
    made: AtomicU64,
    dead: Arc<AtomicBool>,
}

impl Mortal {
    /// It dies when it is about to make one more than so many calls; `dead` is set then.
    pub(super) fn new(lives_for: u64, dead: Arc<AtomicBool>) -> Self {
        Self { lives_for, made: AtomicU64::new(0), dead }
    }

    /// How many calls it has made.
    pub(super) fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }
}

impl Watcher for Mortal {
    fn before(&self, call: &Call<'_>) -> io::Result<()> {
        if call.kind.can_be_op() && !self.dead.load(Ordering::Relaxed) {
            if self.made() == self.lives_for {
                self.dead.store(true, Ordering::Relaxed);
            } else {
                self.made.fetch_add(1, Ordering::Relaxed);
            }
        }
        let dead = self.dead.load(Ordering::Relaxed);
        if dead { Err(io::Error::other("the process is dead")) } else { Ok(()) }
    }
}
