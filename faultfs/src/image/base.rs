//! Files of the start directory whose bytes stay on disk, so that a program may sit on gigabytes.
//!
//! They are read when somebody asks, and nothing here keeps what was read. That is sound only as long
//! as nobody changes them, which nothing prevents; [`DiskImage::check_base`] tells. Not for finding
//! them: `directory.rs`.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::directory::at;
use super::{DiskImage, Inode, PAGE};

/// Most bytes that are read at once.
pub(super) const RUN: usize = 1 << 20;

/// A file of the start directory. It is open, as its path may lead elsewhere once something is mounted
/// over the directory.
pub(super) struct BaseFile {
    file: File,
    path: PathBuf,
    found: Stamp,
    /// Whether a read ever gave less than there was when the file was found.
    failed: AtomicBool,
}

/// What changes when a file does: its bytes cannot change without the times, as finely as the file
/// system's clock ticks.
#[derive(PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    len: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn new(found: &Metadata) -> Self {
        Self {
            device: found.dev(),
            inode: found.ino(),
            len: found.len(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }
}

impl BaseFile {
    pub(super) fn new(file: File, found: &Metadata, path: &Path) -> Self {
        let found = Stamp::new(found);
        Self { file, path: path.to_owned(), found, failed: AtomicBool::new(false) }
    }

    /// Its length when it was found.
    pub(super) fn len(&self) -> u64 {
        self.found.len
    }

    /// Device and inode number.
    pub(super) fn id(&self) -> (u64, u64) {
        (self.found.device, self.found.inode)
    }

    /// Reads at an offset; zeros behind the end, and for what cannot be read, which is remembered.
    pub(super) fn read(&self, buf: &mut [u8], offset: u64) {
        let left = usize::try_from(self.len().saturating_sub(offset)).unwrap_or(usize::MAX);
        let (bytes, beyond) = buf.split_at_mut(left.min(buf.len()));
        beyond.fill(0);
        let count = read_at(&self.file, bytes, offset).unwrap_or(0);
        if count < bytes.len() {
            bytes[count..].fill(0);
            self.failed.store(true, Ordering::Relaxed);
        }
    }

    fn check(&self) -> io::Result<()> {
        let path = self.path.display();
        if Stamp::new(&self.file.metadata().map_err(at(&self.path))?) != self.found {
            let why = format!("{path} changed while it was being recorded");
            return Err(io::Error::other(why));
        }
        if self.failed.load(Ordering::Relaxed) {
            let why = format!("{path} could not be read while it was being recorded");
            return Err(io::Error::other(why));
        }
        Ok(())
    }
}

/// Fills a buffer as far as the file goes, and says how far that was.
pub(super) fn read_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buf.len() {
        match file.read_at(&mut buf[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}

impl DiskImage {
    /// Reads each page once that [`Self::read_in_lazily`] left on disk, so that the hash is the one that
    /// [`Self::read_in`] gives, on every machine; pages of zeros become holes. The bytes stay on disk.
    /// An error as of [`Self::check_base`] leaves the image usable and its hash meaningless.
    ///
    /// Clones made before are not resolved with it. Whatever is derived from an image (an order, its
    /// digest, crash states) is to be derived after this.
    pub fn resolve(&mut self) -> io::Result<()> {
        self.check_base()?;
        let unresolved = |inode: &Inode| self.pages(*inode).any(|(_, p)| p.unresolved().is_some());
        let inodes: Vec<_> = self.nodes().keys().copied().filter(unresolved).collect();
        if inodes.is_empty() {
            return Ok(());
        }
        let mut buf = vec![0; RUN];
        for inode in inodes {
            self.change(inode, |node| node.content().resolve(&mut buf));
        }
        self.check_base()
    }

    /// Whether the files that [`Self::read_in_lazily`] left on disk are as they were then: one whose
    /// length or times changed, or that could not be read once, is an error that names it. Looks at each
    /// file, not at its bytes. An image without such files has nothing to check.
    ///
    /// A change within the tick of the file system's clock (some milliseconds) in which the file had been
    /// changed before it was found is not noticed if the length stays.
    pub fn check_base(&self) -> io::Result<()> {
        self.base.iter().try_for_each(|file| file.check())
    }

    /// How many bytes of pages are in memory for this image. Costs a walk over all pages, and counts those
    /// that are shared with other images. What is known of each page takes some 130 bytes more, also where
    /// its bytes are on disk.
    pub fn bytes_here(&self) -> u64 {
        let pages = self.nodes().keys().flat_map(|inode| self.pages(*inode));
        pages.filter(|(_, page)| page.is_here()).count() as u64 * PAGE as u64
    }

    /// The bytes of all files that a path leads to, without holes: about what a copy takes. Costs a walk
    /// over all pages, and counts pages that are not resolved as if they were not zeros.
    pub fn size(&self) -> u64 {
        let named = self.nodes().keys().filter(|inode| self.place(**inode).is_some());
        let files = named.filter_map(|inode| self.file(*inode));
        let sizes = files.flat_map(|file| file.pages().keys().map(|page| file.visible(*page)));
        sizes.map(|visible| visible as u64).sum()
    }
}

#[cfg(test)]
#[path = "base_tests.rs"]
mod tests;
