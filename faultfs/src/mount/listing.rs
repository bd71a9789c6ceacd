//! Listings of directories: taken whole when a program starts to read, so that what is made or removed
//! meanwhile moves nothing.
//!
//! Reading again from the beginning (rewinddir) takes a new one.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use fuser::{FileType, ReplyDirectory};

use super::attributes::file_type;
use super::shared::Shared;
use crate::sim::Disk;
use crate::{DiskImage, Inode};

/// The listings of all directories that are open.
#[derive(Default)]
pub(super) struct Listings(BTreeMap<u64, Vec<Listed>>);

type Listed = (Inode, FileType, OsString);

impl Listings {
    /// Adds to `reply` what comes behind the first `offset` entries, as much as it takes.
    pub(super) fn read(
        &mut self,
        (shared, disk, dir): (&Shared, &Disk, Inode),
        handle: u64,
        offset: u64,
        reply: &mut ReplyDirectory,
    ) {
        let listing = self.0.entry(handle).or_default();
        if offset == 0 {
            *listing = take(disk, dir);
        }
        let skip = usize::try_from(offset).unwrap_or(usize::MAX);
        for (n, (inode, kind, name)) in listing.iter().enumerate().skip(skip) {
            if reply.add(shared.node(*inode), n as u64 + 1, *kind, name) {
                return;
            }
        }
    }

    pub(super) fn close(&mut self, handle: u64) {
        self.0.remove(&handle);
    }
}

fn take(disk: &Disk, dir: Inode) -> Vec<Listed> {
    let above = disk.image.parent(dir).unwrap_or(DiskImage::ROOT);
    let dots = [(dir, "."), (above, "..")];
    let dots = dots.map(|(inode, name)| (inode, FileType::Directory, OsString::from(name)));
    let entries = disk.image.entries(dir).map(|(name, inode)| {
        let kind = file_type(disk.kind(inode));
        (inode, kind, OsStr::from_bytes(name).to_owned())
    });
    dots.into_iter().chain(entries).collect()
}
