//! Images and real directories: writing a tree out for a program to look at, and reading one in.
//!
//! Not for speed at any price (a crash state that differs little from the one before is brought
//! about by its differences elsewhere), and not durable: nothing is synced.
#![expect(clippy::disallowed_methods, reason = "the trees of subjects are no files of a store")]

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata, Permissions};
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag};
use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::{Whence, lseek};

use super::base::{BaseFile, RUN, read_at};
use super::page::{Page, is_zero};
use super::{Attributes, DiskImage, Inode, PAGE, Xattrs};
use crate::FileKind;

/// Where a program keeps its own attributes. The others (`security`, `system`, `trusted`) belong to
/// the machine, and an unprivileged user could not write them back.
const XATTR_NAMESPACE: &[u8] = b"user.";

impl DiskImage {
    /// Writes the tree into an existing empty directory, which gets the root's attributes.
    ///
    /// Files keep their holes, and pages of zeros become holes; hard links are links; symbolic
    /// links, modes, times and extended attributes are as in the image. Owners are whoever runs
    /// this. Hidden bytes and nodes without a path are not written. Where the directory's file
    /// system cannot hold something of it, for example extended attributes (tmpfs before Linux
    /// 6.6), that is an error, as the tree would be another state than the one asked for. After an
    /// error the directory holds a part of the tree. Bytes that were left on disk are read on the way,
    /// with an error as of [`Self::check_base`] if they changed.
    pub fn write_out(&self, dir: &Path) -> io::Result<()> {
        if std::fs::read_dir(dir).map_err(at(dir))?.next().is_some() {
            return Err(at(dir)(ErrorKind::DirectoryNotEmpty.into()));
        }
        let mut written = BTreeMap::new();
        let mut dirs = vec![(Self::ROOT, dir.to_owned())];
        let mut next = 0;
        while let Some((inode, path)) = dirs.get(next).cloned() {
            next += 1;
            for (name, child) in self.entries(inode) {
                let path = path.join(OsStr::from_bytes(name));
                if self.kind(child) == Some(FileKind::Dir) {
                    std::fs::create_dir(&path).map_err(at(&path))?;
                    dirs.push((child, path));
                } else if let Some(first) = written.get(&child) {
                    std::fs::hard_link(first, &path).map_err(at(&path))?;
                } else {
                    self.write_node(child, &path).map_err(at(&path))?;
                    written.insert(child, path);
                }
            }
        }
        // From below, after all entries are made: these would change the times, and a mode without
        // write permission would forbid them.
        for (inode, path) in dirs.iter().rev() {
            self.write_attributes(*inode, path).map_err(at(path))?;
        }
        self.check_base()
    }

    fn write_node(&self, inode: Inode, path: &Path) -> io::Result<()> {
        match self.symlink_target(inode) {
            Some(target) => std::os::unix::fs::symlink(OsStr::from_bytes(target), path)?,
            None => self.write_file(inode, path)?,
        }
        self.write_attributes(inode, path)
    }

    fn write_file(&self, inode: Inode, path: &Path) -> io::Result<()> {
        let file = File::create_new(path)?;
        let len = self.len(inode);
        for (index, page) in self.pages(inode) {
            let offset = index.saturating_mul(PAGE as u64);
            let visible = usize::try_from(len.saturating_sub(offset)).unwrap_or(PAGE).min(PAGE);
            let bytes = page.bytes();
            let bytes = &bytes[..visible];
            if !is_zero(bytes) {
                file.write_all_at(bytes, offset)?;
            }
        }
        file.set_len(len)
    }

    /// Extended attributes first: setting them needs write permission, which the mode may deny.
    fn write_attributes(&self, inode: Inode, path: &Path) -> io::Result<()> {
        let Some(attributes) = self.attributes(inode) else {
            return Err(ErrorKind::NotFound.into());
        };
        for (name, value) in attributes.xattrs.iter() {
            xattr::set(path, OsStr::from_bytes(name), value)?;
        }
        if self.kind(inode) != Some(FileKind::Symlink) {
            std::fs::set_permissions(path, Permissions::from_mode(attributes.mode))?;
        }
        let time = time_spec(attributes.modified)?;
        let how = UtimensatFlags::NoFollowSymlink;
        Ok(utimensat(AT_FDCWD, path, &TimeSpec::UTIME_OMIT, &time, how)?)
    }

    /// Reads a directory and all below it, which nobody may be changing meanwhile.
    ///
    /// Inode numbers follow a sorted walk from the root's, so that equal trees get equal numbers.
    /// Names that lead to one file (by device and inode number) do so in the image. Holes and
    /// pages of zeros are holes. Of the extended attributes those of programs (`user.`) are taken;
    /// owners are not. A FIFO, socket or device is an error, as a disk image cannot hold it.
    pub fn read_in(dir: &Path) -> io::Result<Self> {
        let (image, special) = ReadIn::new(u64::MAX, 0).read(dir)?;
        match special.first() {
            None => Ok(image),
            Some(path) => {
                let why = "neither a file, nor a directory, nor a symbolic link";
                Err(at(path)(io::Error::new(ErrorKind::Unsupported, why)))
            }
        }
    }

    /// As [`Self::read_in`], but the bytes of files larger than 256 KiB stay where they are: nothing is
    /// read of them but where their holes are, and one descriptor each is kept open, so that they are
    /// found when something is mounted over the directory. The first 256 such files are left; any
    /// further ones are read, as descriptors are few ([`Self::bytes_here`] tells what is in memory).
    ///
    /// The files must not change as long as this image, or any made from it, is used
    /// ([`Self::check_base`]); [`Self::resolve`] gives the image the hash that it has everywhere.
    ///
    /// FIFOs, sockets and devices are left out; returns where they are, too.
    pub fn read_in_lazily(dir: &Path) -> io::Result<(Self, Vec<PathBuf>)> {
        ReadIn::new(LAZY_ABOVE, MOST_OPEN).read(dir)
    }
}

/// A file larger than this may stay on disk.
const LAZY_ABOVE: u64 = 256 << 10;

/// Most files that stay on disk. Each takes a descriptor, of which a process often may have 1,024.
const MOST_OPEN: usize = 256;

/// A directory that is being read in.
pub(super) struct ReadIn {
    image: DiskImage,
    /// The length above which files stay on disk.
    above: u64,
    /// How many of them do at most.
    most: usize,
    /// The nodes read so far, by device and inode number.
    known: BTreeMap<(u64, u64), Inode>,
    /// What an image cannot hold.
    special: Vec<PathBuf>,
    buf: Vec<u8>,
}

impl ReadIn {
    pub(super) fn new(above: u64, most: usize) -> Self {
        let (image, known) = (DiskImage::new(), BTreeMap::new());
        Self { image, above, most, known, special: Vec::new(), buf: vec![0; RUN] }
    }

    pub(super) fn read(mut self, dir: &Path) -> io::Result<(DiskImage, Vec<PathBuf>)> {
        let root = std::fs::metadata(dir).map_err(at(dir))?;
        let attributes = read_attributes(dir, &root).map_err(at(dir))?;
        self.image.set_attributes(DiskImage::ROOT, attributes);
        let mut next = vec![(DiskImage::ROOT, OsString::new(), dir.to_owned())];
        while let Some((parent, name, path)) = next.pop() {
            let inode = if name.is_empty() {
                parent
            } else {
                let Some(inode) = self.node(&path).map_err(at(&path))? else {
                    self.special.push(path);
                    continue;
                };
                self.image.set_entry(parent, name.as_bytes(), Some(inode));
                inode
            };
            if self.image.kind(inode) == Some(FileKind::Dir) {
                let mut names = list(&path).map_err(at(&path))?;
                // A stack takes the last first, and the walk is to be sorted.
                names.sort_unstable_by(|a, b| b.cmp(a));
                next.extend(names.into_iter().map(|name| (inode, name.clone(), path.join(name))));
            }
        }
        Ok((self.image, self.special))
    }

    /// Adds what a path leads to, unless another path led there before; `None` if an image cannot hold it.
    fn node(&mut self, path: &Path) -> io::Result<Option<Inode>> {
        let found = std::fs::symlink_metadata(path)?;
        if let Some(inode) = self.known.get(&(found.dev(), found.ino())) {
            return Ok(Some(*inode));
        }
        let inode = Inode(self.image.last_inode().0 + 1);
        let attributes = read_attributes(path, &found)?;
        if found.is_dir() {
            self.image.insert_dir(inode, attributes);
        } else if found.is_symlink() {
            let target = std::fs::read_link(path)?.into_os_string().into_vec();
            self.image.insert_symlink(inode, target, attributes);
        } else if found.is_file() {
            self.image.insert_file(inode, attributes);
            self.file(inode, path)?;
        } else {
            return Ok(None);
        }
        self.known.insert((found.dev(), found.ino()), inode);
        Ok(Some(inode))
    }

    fn file(&mut self, inode: Inode, path: &Path) -> io::Result<()> {
        let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
        let file = File::options().read(true).custom_flags(flags.bits()).open(path)?;
        let found = file.metadata()?;
        self.image.set_len(inode, found.len());
        if found.len() <= self.above || self.image.base.len() >= self.most {
            return self.bytes(inode, &file);
        }
        let mut extents = Vec::new();
        while let Some(extent) = next_extent(&file, extents.last())? {
            extents.push(extent);
        }
        let file = Arc::new(BaseFile::new(file, &found, path));
        Arc::make_mut(&mut self.image.base).push(Arc::clone(&file));
        self.image.change(inode, |node| {
            for index in extents.into_iter().flatten() {
                node.content().set_page(index, Some(Arc::new(Page::there(&file, index))));
            }
        });
        Ok(())
    }

    /// Reads all bytes of a file.
    fn bytes(&mut self, inode: Inode, file: &File) -> io::Result<()> {
        let mut last = None;
        while let Some(extent) = next_extent(file, last.as_ref())? {
            for index in extent.clone().step_by(RUN / PAGE) {
                let pages = usize::try_from(extent.end - index).unwrap_or(usize::MAX);
                let buf = &mut self.buf[..pages.min(RUN / PAGE) * PAGE];
                let count = read_at(file, buf, index * PAGE as u64)?;
                buf[count..].fill(0);
                for (index, page) in (index..).zip(buf.as_chunks::<PAGE>().0) {
                    if !is_zero(page) {
                        self.image.set_page(inode, index, Some(Arc::new(Page::from(*page))));
                    }
                }
            }
            last = Some(extent);
        }
        Ok(())
    }
}

/// The pages behind the last extent of a file that have bytes on disk, up to the next hole; `None` if
/// there are no more.
fn next_extent(file: &File, last: Option<&Range<u64>>) -> io::Result<Option<Range<u64>>> {
    const LEN: u64 = PAGE as u64;
    let from = last.map_or(0, |last| last.end).checked_mul(LEN);
    let from = from.and_then(|from| i64::try_from(from).ok()).ok_or(ErrorKind::FileTooLarge)?;
    let start = match lseek(file, from, Whence::SeekData) {
        Err(Errno::ENXIO) => return Ok(None),
        start => start?,
    };
    let end = lseek(file, start, Whence::SeekHole)?;
    let [start, end] = [start, end].map(i64::cast_unsigned);
    Ok(Some(start / LEN..end.div_ceil(LEN)))
}

fn list(dir: &Path) -> io::Result<Vec<OsString>> {
    std::fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name())).collect()
}

fn read_attributes(path: &Path, found: &Metadata) -> io::Result<Attributes> {
    let mode = found.mode() & 0o7777;
    let xattrs = Arc::new(read_xattrs(path)?);
    Ok(Attributes { mode, modified: found.modified()?, xattrs })
}

fn read_xattrs(path: &Path) -> io::Result<Xattrs> {
    let names = match xattr::list(path) {
        Err(e) if e.kind() == ErrorKind::Unsupported => return Ok(Xattrs::new()),
        names => names?,
    };
    let mut xattrs = Xattrs::new();
    for name in names.filter(|name| name.as_bytes().starts_with(XATTR_NAMESPACE)) {
        if let Some(value) = xattr::get(path, &name)? {
            xattrs.insert(name.into_vec(), value.into());
        }
    }
    Ok(xattrs)
}

/// A time as the kernel takes it: nanoseconds count forward, also before the epoch.
fn time_spec(time: SystemTime) -> io::Result<TimeSpec> {
    let (seconds, nanos) = match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => (i64::try_from(after.as_secs()), after.subsec_nanos()),
        Err(before) => {
            let before = before.duration();
            let up = Duration::from_secs(u64::from(before.subsec_nanos() > 0));
            let seconds = before.as_secs() + up.as_secs();
            (
                i64::try_from(seconds).map(|s| -s),
                (1_000_000_000 - before.subsec_nanos()) % 1_000_000_000,
            )
        }
    };
    let seconds = seconds.map_err(|_| ErrorKind::InvalidInput)?;
    Ok(TimeSpec::new(seconds, i64::from(nanos)))
}

/// Adds the path to an error, which system calls leave out.
pub(super) fn at(path: &Path) -> impl Fn(io::Error) -> io::Error {
    let path: PathBuf = path.to_owned();
    move |e| io::Error::new(e.kind(), format!("{}: {e}", path.display()))
}

#[cfg(test)]
#[path = "directory_tests.rs"]
mod tests;
