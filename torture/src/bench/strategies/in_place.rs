//! Writes to a file that is there: over old bytes, at the growing end, or into allocated room.
//!
//! Not for new names (`new_file`, `replace`).

use std::fs::File;
use std::io;

use crate::bench::files::{Barrier, allocate, fill};
use crate::bench::strategy::{Site, Strategy};

/// Room of a file that grows, or whose room is allocated, before it begins anew.
pub(crate) const LOG: u64 = 16 << 20;

/// Items that are written over, one after the other.
const ITEMS: u64 = 64;

/// Bounds of the bytes that are written over.
const OVER: std::ops::RangeInclusive<u64> = 256 << 10..=8 << 20;

/// Where in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Over bytes that are there.
    Over,
    /// At the end, which grows.
    End,
    /// Into room that fallocate(2) made.
    Allocated,
}

/// One write and its barrier.
pub(crate) struct InPlace {
    site: Site,
    place: Place,
    barrier: Barrier,
    bytes: Vec<u8>,
    file: Option<File>,
    at: u64,
}

impl InPlace {
    pub(crate) fn new(site: &Site, place: Place, barrier: Barrier) -> Self {
        Self { site: site.clone(), place, barrier, bytes: site.bytes(), file: None, at: 0 }
    }

    fn room(&self) -> u64 {
        room(self.place, self.site.step())
    }

    fn begin_anew(&mut self) -> io::Result<()> {
        self.at = 0;
        let file = opened(self.file.as_ref())?;
        empty(file, self.place, self.room())
    }
}

/// Bytes of the file before it begins anew: whole items.
pub(crate) fn room(place: Place, step: u64) -> u64 {
    let bytes = match place {
        Place::Over => (step * ITEMS).clamp(*OVER.start(), *OVER.end()),
        Place::End | Place::Allocated => LOG,
    };
    (bytes / step.max(1)).max(1) * step
}

/// A file as it is before the first write.
pub(crate) fn empty(file: &File, place: Place, room: u64) -> io::Result<()> {
    match place {
        Place::Over => Ok(()),
        Place::End => allocate(file, 0),
        Place::Allocated => allocate(file, room),
    }
}

/// The file that `prepare` opened.
pub(crate) fn opened(file: Option<&File>) -> io::Result<&File> {
    file.ok_or_else(|| io::Error::other("the strategy was not prepared"))
}

impl Strategy for InPlace {
    fn prepare(&mut self) -> io::Result<()> {
        let file = self.barrier.open(&self.site.dir.join("file"))?;
        if self.place == Place::Over {
            fill(&file, self.room())?;
        }
        self.file = Some(file);
        self.begin_anew()?;
        crate::bench::files::open_dir(&self.site.dir)?.sync_all()
    }

    fn before(&mut self) -> io::Result<()> {
        if self.at + self.site.step() > self.room() { self.begin_anew() } else { Ok(()) }
    }

    fn once(&mut self) -> io::Result<()> {
        self.barrier.write(opened(self.file.as_ref())?, &self.bytes, self.at)?;
        self.at += self.site.step();
        Ok(())
    }

    fn settle(&mut self) -> io::Result<()> {
        opened(self.file.as_ref())?.sync_all()
    }
}
