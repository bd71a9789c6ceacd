//! A new file for each item: made, written, and made durable, with its name or without.
//!
//! Not for names that are there (`replace`), nor for files that get theirs last (`nameless`).

use std::fs::File;
use std::io;

use super::in_place::opened;
use crate::bench::files::{Barrier, Names, clear, open_dir};
use crate::bench::strategy::{Site, Strategy};

/// One new file.
pub(crate) struct NewFile {
    site: Site,
    barrier: Barrier,
    sync_dir: bool,
    bytes: Vec<u8>,
    names: Names,
    dir: Option<File>,
}

impl NewFile {
    pub(crate) fn new(site: &Site, barrier: Barrier, sync_dir: bool) -> Self {
        let (names, bytes) = (Names::new(&site.dir), site.bytes());
        Self { site: site.clone(), barrier, sync_dir, bytes, names, dir: None }
    }
}

impl Strategy for NewFile {
    fn prepare(&mut self) -> io::Result<()> {
        self.dir = Some(open_dir(&self.site.dir)?);
        Ok(())
    }

    fn once(&mut self) -> io::Result<()> {
        let file = self.barrier.create(&self.names.fresh())?;
        self.barrier.write(&file, &self.bytes, 0)?;
        if self.sync_dir { opened(self.dir.as_ref())?.sync_all() } else { Ok(()) }
    }

    fn settle(&mut self) -> io::Result<()> {
        clear(&self.site.dir)
    }
}
