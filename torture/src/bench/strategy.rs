//! What a strategy is: one way of writing something down, from the first call to the return of the last.
//!
//! Each one is a small file in `strategies`. Not for choosing among them (`plan`).

use std::io;
use std::path::PathBuf;

use super::stopwatch::{Samples, each};
use crate::signals::Stop;

/// One way of writing, at one size, in a directory of its own.
pub trait Strategy {
    /// Makes what the runs need; not measured.
    fn prepare(&mut self) -> io::Result<()>;

    /// Makes room for the next run; not measured.
    fn before(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// One run, which is measured: when it returns, what was written has what the strategy gives.
    fn once(&mut self) -> io::Result<()>;

    /// Leaves nothing behind that the next strategy would have to pay for; not measured.
    fn settle(&mut self) -> io::Result<()>;

    /// So many runs, one after the other unless the strategy says otherwise.
    fn burst(&mut self, runs: u64, stop: &Stop) -> io::Result<Samples> {
        each(runs, stop, self, Self::before, Self::once)
    }
}

/// Where a strategy works, and with how much.
#[derive(Clone, Debug)]
pub struct Site {
    /// A directory of its own, which is there and durable.
    pub dir: PathBuf,
    /// Bytes of one item.
    pub size: usize,
    /// Items of a batch.
    pub batch: u32,
    /// Threads of a group.
    pub threads: u32,
}

impl Site {
    /// The bytes that are written: such that no file system and no disk can make them smaller.
    pub fn bytes(&self) -> Vec<u8> {
        let mut rng = fastrand::Rng::with_seed(u64::try_from(self.size).unwrap_or_default());
        std::iter::repeat_with(|| rng.u8(..)).take(self.size).collect()
    }

    /// The size as an offset.
    pub fn step(&self) -> u64 {
        u64::try_from(self.size).unwrap_or(u64::MAX)
    }
}
