//! A file that has no name until it is whole: `O_TMPFILE`, fsync, linkat.
//!
//! Nothing is left behind by a crash before the link. Not for names that are there already: linkat replaces none.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::unistd::linkat;

use super::in_place::opened;
use crate::bench::files::{Barrier, Names, clear, nameless, open_dir};
use crate::bench::strategy::{Site, Strategy};

/// One file that is linked when it is durable.
pub(crate) struct Nameless {
    site: Site,
    sync_dir: bool,
    bytes: Vec<u8>,
    names: Names,
    dir: Option<File>,
}

impl Nameless {
    pub(crate) fn new(site: &Site, sync_dir: bool) -> Self {
        let (names, bytes) = (Names::new(&site.dir), site.bytes());
        Self { site: site.clone(), sync_dir, bytes, names, dir: None }
    }
}

impl Strategy for Nameless {
    fn prepare(&mut self) -> io::Result<()> {
        self.dir = Some(open_dir(&self.site.dir)?);
        Ok(())
    }

    fn once(&mut self) -> io::Result<()> {
        let file = nameless(&self.site.dir)?;
        Barrier::Fsync.write(&file, &self.bytes, 0)?;
        let unnamed = format!("/proc/self/fd/{}", file.as_raw_fd());
        let name = self.names.fresh();
        linkat(AT_FDCWD, unnamed.as_str(), AT_FDCWD, &name, AtFlags::AT_SYMLINK_FOLLOW)?;
        if self.sync_dir { opened(self.dir.as_ref())?.sync_all() } else { Ok(()) }
    }

    fn settle(&mut self) -> io::Result<()> {
        clear(&self.site.dir)
    }
}
