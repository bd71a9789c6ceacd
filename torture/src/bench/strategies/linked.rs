//! A write and its fdatasync as one linked chain of `io_uring`: one system call instead of two.
//!
//! Not there where the kernel has no `io_uring`, or a container does not let it through.

use std::io;

use faultfs::Chain;

use super::in_place::{Place, empty, room};
use crate::bench::files::{Barrier, fill, open_dir};
use crate::bench::strategy::{Site, Strategy};

/// One chain.
pub(crate) struct Linked {
    site: Site,
    place: Place,
    chain: Option<Chain>,
    at: u64,
}

impl Linked {
    pub(crate) fn new(site: &Site, place: Place) -> Self {
        Self { site: site.clone(), place, chain: None, at: 0 }
    }

    fn room(&self) -> u64 {
        room(self.place, self.site.step())
    }

    fn chain(&mut self) -> io::Result<&mut Chain> {
        self.chain.as_mut().ok_or_else(|| io::Error::other("the strategy was not prepared"))
    }
}

impl Strategy for Linked {
    fn prepare(&mut self) -> io::Result<()> {
        let file = Barrier::None.open(&self.site.dir.join("file"))?;
        let room = self.room();
        if self.place == Place::Over {
            fill(&file, room)?;
        }
        empty(&file, self.place, room)?;
        self.chain = Some(Chain::new(file, self.site.bytes())?);
        open_dir(&self.site.dir)?.sync_all()
    }

    fn before(&mut self) -> io::Result<()> {
        if self.at + self.site.step() <= self.room() {
            return Ok(());
        }
        self.at = 0;
        let (place, room) = (self.place, self.room());
        empty(self.chain()?.file(), place, room)
    }

    fn once(&mut self) -> io::Result<()> {
        let at = self.at;
        self.chain()?.write_and_sync(at)?;
        self.at += self.site.step();
        Ok(())
    }

    fn settle(&mut self) -> io::Result<()> {
        self.chain()?.file().sync_all()
    }
}
