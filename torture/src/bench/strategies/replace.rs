//! The atomic replace: a new file is written beside the old one and renamed over it.
//!
//! Not for many at once (`batch`).

use std::fs::File;
use std::io;
use std::path::PathBuf;

use super::in_place::opened;
use crate::bench::files::{Barrier, Names, open_dir, rename};
use crate::bench::strategy::{Site, Strategy};

/// One replaced file.
pub(crate) struct Replace {
    site: Site,
    barrier: Barrier,
    sync_dir: bool,
    bytes: Vec<u8>,
    names: Names,
    target: PathBuf,
    dir: Option<File>,
}

impl Replace {
    pub(crate) fn new(site: &Site, barrier: Barrier, sync_dir: bool) -> Self {
        let (names, bytes) = (Names::new(&site.dir), site.bytes());
        let target = site.dir.join("target");
        Self { site: site.clone(), barrier, sync_dir, bytes, names, target, dir: None }
    }
}

impl Strategy for Replace {
    fn prepare(&mut self) -> io::Result<()> {
        let dir = open_dir(&self.site.dir)?;
        let old = Barrier::Fsync.open(&self.target)?;
        Barrier::Fsync.write(&old, &self.bytes, 0)?;
        dir.sync_all()?;
        self.dir = Some(dir);
        Ok(())
    }

    fn once(&mut self) -> io::Result<()> {
        let temp = self.names.fresh();
        let file = self.barrier.create(&temp)?;
        self.barrier.write(&file, &self.bytes, 0)?;
        rename(&temp, &self.target)?;
        if self.sync_dir { opened(self.dir.as_ref())?.sync_all() } else { Ok(()) }
    }

    fn settle(&mut self) -> io::Result<()> {
        Barrier::Fsync.open(&self.target)?.sync_all()?;
        opened(self.dir.as_ref())?.sync_all()
    }
}
