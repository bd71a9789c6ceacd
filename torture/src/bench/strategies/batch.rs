//! Many files replaced together: their bytes made durable by one syncfs (with one fsync behind it, which
//! flushes the disk's cache where syncfs does it too early, see docs/findings.md 7) or an fsync each, then
//! all renamed, then one sync of the directory.
//!
//! Each file is replaced whole; the batch as such is not all or nothing.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use nix::unistd::syncfs;

use super::in_place::opened;
use crate::bench::files::{Barrier, open_dir, rename};
use crate::bench::strategy::{Site, Strategy};

/// What makes the bytes of all files durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Together {
    /// One syncfs(2), for all that the file system has.
    Syncfs,
    /// When all are written, an fsync for each.
    FsyncEach,
}

/// A batch of replaced files.
pub(crate) struct Batch {
    site: Site,
    together: Together,
    bytes: Vec<u8>,
    pairs: Vec<(PathBuf, PathBuf)>,
    dir: Option<File>,
}

impl Batch {
    pub(crate) fn new(site: &Site, together: Together) -> Self {
        let pair = |n| (site.dir.join(format!("t{n}")), site.dir.join(format!("f{n}")));
        let pairs = (0..site.batch).map(pair).collect();
        Self { site: site.clone(), together, bytes: site.bytes(), pairs, dir: None }
    }

    fn write(&self) -> io::Result<Vec<File>> {
        let write = |(temp, _): &(PathBuf, PathBuf)| {
            let file = Barrier::None.create(temp)?;
            Barrier::None.write(&file, &self.bytes, 0)?;
            Ok(file)
        };
        self.pairs.iter().map(write).collect()
    }
}

impl Strategy for Batch {
    fn prepare(&mut self) -> io::Result<()> {
        self.dir = Some(open_dir(&self.site.dir)?);
        // From the second run on names are replaced; the first one makes them.
        self.once()
    }

    fn once(&mut self) -> io::Result<()> {
        let dir = opened(self.dir.as_ref())?;
        let files = self.write()?;
        match self.together {
            Together::Syncfs => {
                syncfs(dir)?;
                dir.sync_all()?;
            }
            Together::FsyncEach => files.iter().try_for_each(File::sync_all)?,
        }
        self.pairs.iter().try_for_each(|(temp, name)| rename(temp, name))?;
        dir.sync_all()
    }

    fn settle(&mut self) -> io::Result<()> {
        Ok(())
    }
}
