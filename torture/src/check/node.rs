//! Bytes and attributes of one node on disk: written by their differences, or compared and mended.
//!
//! Not for names.
#![expect(clippy::disallowed_methods, reason = "the trees of subjects are no files of a store")]

use std::ffi::OsStr;
use std::fs::{File, Metadata, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use faultfs::{Attributes, DiskImage, FileKind, Inode, PAGE, Xattrs};
use nix::fcntl::AT_FDCWD;
use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;

/// Bits that a write by another than root takes away.
const SET_ID: u32 = 0o6000;

/// Without these bits a file may have been opened by force.
const OPEN: u32 = 0o600;

/// Bytes compared at once.
const CHUNK: usize = 16 * PAGE;

/// How many bytes of a page a file of this length shows.
fn visible(len: u64, index: u64) -> usize {
    let left = len.saturating_sub(index.saturating_mul(PAGE as u64));
    usize::try_from(left).map_or(PAGE, |left| left.min(PAGE))
}

/// Writes one page of an image's file, as far as it is visible; a hole is written as zeros.
fn write_page(file: &File, image: &DiskImage, node: Inode, index: u64) -> io::Result<()> {
    let mut bytes = [0; PAGE];
    let offset = index.saturating_mul(PAGE as u64);
    let shown = &mut bytes[..visible(image.len(node), index)];
    image.read(node, shown, offset);
    file.write_all_at(shown, offset)
}

/// Creates a file with its bytes; only the attributes are left to write.
pub(super) fn write_new_file(image: &DiskImage, node: Inode, path: &Path) -> io::Result<()> {
    let file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    let len = image.len(node);
    for (index, _) in image.pages(node) {
        if visible(len, index) > 0 {
            write_page(&file, image, node, index)?;
        }
    }
    file.set_len(len)
}

/// Brings a file from what it is in one image to what it is in another; says whether its bytes or
/// its length are others.
pub(super) fn write_file(
    here: &DiskImage,
    there: &DiskImage,
    node: Inode,
    path: &Path,
) -> io::Result<bool> {
    let pages = here.differing_pages(there, node);
    let (before, after) = (here.len(node), there.len(node));
    if pages.is_empty() && before == after {
        return Ok(false);
    }
    let file = open_to_write(path)?;
    if after < before {
        file.set_len(after)?;
    }
    for index in pages {
        write_page(&file, there, node, index)?;
    }
    if after > before {
        file.set_len(after)?;
    }
    Ok(true)
}

/// Opens a file that its mode may protect, too; the mode is to be written afterwards.
fn open_to_write(path: &Path) -> io::Result<File> {
    let open = || File::options().read(true).write(true).open(path);
    match open() {
        Err(e) if e.kind() == ErrorKind::PermissionDenied => {
            std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
            open()
        }
        opened => opened,
    }
}

/// Writes the attributes that are others than in the first image, all of them without one, and those
/// that the writing of bytes changed, where it `touched` the file.
pub(super) fn write_attributes(
    here: Option<&DiskImage>,
    there: &DiskImage,
    node: Inode,
    path: &Path,
    touched: bool,
) -> io::Result<()> {
    let no_xattrs = Arc::default();
    let Some(after) = there.attributes(node) else { return Ok(()) };
    let before = here.and_then(|here| here.attributes(node));
    let old = before.map_or(&no_xattrs, |before| &before.xattrs);
    // First: setting them needs the write permission that the mode may deny.
    write_xattrs(old, &after.xattrs, path)?;
    let kind = there.kind(node);
    if kind == Some(FileKind::Symlink) {
        return Ok(());
    }
    let lost = touched && (after.mode & SET_ID != 0 || after.mode & OPEN != OPEN);
    if lost || before.is_none_or(|before| before.mode != after.mode) {
        std::fs::set_permissions(path, Permissions::from_mode(after.mode))?;
    }
    // Directories get new times with each name; nobody relies on those.
    let timed = touched || before.is_none_or(|before| before.modified != after.modified);
    if kind == Some(FileKind::File) && timed { set_modified(after, path) } else { Ok(()) }
}

fn set_modified(attributes: &Attributes, path: &Path) -> io::Result<()> {
    // Nothing was modified before the epoch; the clocks of recordings start later.
    let since = attributes.modified.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let times = [TimeSpec::UTIME_OMIT, TimeSpec::from_duration(since)];
    utimensat(AT_FDCWD, path, &times[0], &times[1], UtimensatFlags::NoFollowSymlink)?;
    Ok(())
}

fn write_xattrs(old: &Arc<Xattrs>, new: &Arc<Xattrs>, path: &Path) -> io::Result<()> {
    if Arc::ptr_eq(old, new) {
        return Ok(());
    }
    for name in old.keys().filter(|name| !new.contains_key(*name)) {
        xattr::remove(path, OsStr::from_bytes(name))?;
    }
    for (name, value) in new.iter().filter(|(name, value)| old.get(*name) != Some(*value)) {
        xattr::set(path, OsStr::from_bytes(name), value)?;
    }
    Ok(())
}

/// Compares a file's bytes with what they should be, and writes the pages that differ.
///
/// All of them: a store through a shared mapping of a page that was read before changes no time of a file
/// on tmpfs, so the times do not tell that nothing changed.
pub(super) fn mend_file(image: &DiskImage, node: Inode, path: &Path) -> io::Result<()> {
    let file = open_to_write(path)?;
    let len = image.len(node);
    if file.metadata()?.len() != len {
        file.set_len(len)?;
    }
    let mut buf = vec![0; CHUNK];
    let mut index = 0;
    while index * (PAGE as u64) < len {
        let offset = index * PAGE as u64;
        let count = usize::try_from(len - offset).map_or(CHUNK, |left| left.min(CHUNK));
        let found = &mut buf[..count];
        file.read_exact_at(found, offset)?;
        for found in found.chunks(PAGE) {
            if !is_right(image, node, index, found) {
                write_page(&file, image, node, index)?;
            }
            index += 1;
        }
    }
    Ok(())
}

/// Whether what was found of a page, as far as the file goes, is what it should be. Whole pages are told
/// without a copy, and by their hash where they lie in a file of the start directory.
fn is_right(image: &DiskImage, node: Inode, index: u64, found: &[u8]) -> bool {
    match (found.first_chunk(), image.page(node, index)) {
        (Some(found), Some(page)) => page.holds(found),
        (Some(found), None) => *found == [0; PAGE],
        (None, _) => {
            let mut right = [0; PAGE];
            let count = image.read(node, &mut right, index * PAGE as u64);
            right[..count] == *found
        }
    }
}

/// Puts attributes back that somebody may have changed.
pub(super) fn mend_attributes(
    image: &DiskImage,
    node: Inode,
    path: &Path,
    found: &Metadata,
) -> io::Result<()> {
    let Some(right) = image.attributes(node) else { return Ok(()) };
    if !found.is_symlink() {
        write_xattrs(&Arc::new(read_xattrs(path)?), &right.xattrs, path)?;
        if found.mode() & 0o7777 != right.mode {
            std::fs::set_permissions(path, Permissions::from_mode(right.mode))?;
        }
    }
    if found.is_file() { set_modified(right, path) } else { Ok(()) }
}

fn read_xattrs(path: &Path) -> io::Result<Xattrs> {
    let names = match xattr::list(path) {
        Err(e) if e.kind() == ErrorKind::Unsupported => return Ok(Xattrs::new()),
        names => names?,
    };
    let mut xattrs = Xattrs::new();
    for name in names.filter(|name| name.as_bytes().starts_with(b"user.")) {
        if let Some(value) = xattr::get(path, &name)? {
            xattrs.insert(name.as_bytes().to_vec(), value.into());
        }
    }
    Ok(xattrs)
}
