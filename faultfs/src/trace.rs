//! Traces: what one run did to its disk, and what it promised meanwhile.

mod check;
mod file;
mod lines;
mod record;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::time;
use crate::{DiskImage, Op};

pub use file::{Notes, TraceError, TraceReader, TraceWriter};

/// What happened, in one order for all threads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// A change of the disk, or a barrier.
    Op {
        /// Which thread made the call: threads are numbered in the order of their first call.
        thread: u32,
        /// When, by the disk's clock.
        #[serde(with = "time")]
        time: SystemTime,
        /// The call.
        op: Op,
    },
    /// A promise to the outside, such as a line on standard output.
    Mark(Arc<[u8]>),
}

/// The disk before a run, and all that happened to it.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// The disk when recording began, all of it durable.
    pub start: DiskImage,
    /// What happened since.
    pub events: Vec<Event>,
}

impl Trace {
    /// The Ops, in order, without the Marks.
    pub fn ops(&self) -> impl Iterator<Item = &Op> {
        self.events.iter().filter_map(|event| match event {
            Event::Op { op, .. } => Some(op),
            Event::Mark(_) => None,
        })
    }

    /// Equal for runs that began with the same disk and did the same, whenever they did it, and whichever
    /// of their threads did.
    pub fn digest(&self) -> u64 {
        let mut hash = Xxh3::new();
        hash.update(&self.start.hash().0.to_le_bytes());
        for event in &self.events {
            let bytes = match event {
                Event::Mark(text) => postcard::to_allocvec(&(0u8, text)),
                Event::Op { op: Op::SetModified { inode, .. }, .. } => {
                    postcard::to_allocvec(&(1u8, inode))
                }
                Event::Op { op, .. } => postcard::to_allocvec(&(2u8, op)),
            };
            // Nothing of an event cannot be told.
            hash.update(&bytes.unwrap_or_default());
        }
        hash.digest()
    }

    /// The disk after the first `count` events, when nothing is lost.
    pub fn image_after(&self, count: usize) -> DiskImage {
        let mut image = self.start.clone();
        for event in self.events.iter().take(count) {
            if let Event::Op { op, time, .. } = event {
                op.apply(&mut image, *time);
            }
        }
        image
    }
}
