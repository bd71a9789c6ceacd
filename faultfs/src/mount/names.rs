//! Requests that change names: what each does to the disk, and what the kernel is told.
//!
//! Not for finding out who may: the kernel checks permissions (`default_permissions`).

use std::io;

use fuser::{FileAttr, RenameFlags};
use nix::errno::Errno;

use super::marks::Special;
use super::shared::{Owner, Shared};
use crate::sim::{Disk, Rename};
use crate::{CallKind, FileKind, Inode};

/// The bits of a mode that say what it is (inode(7)).
const KIND: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;

/// A directory and a name in it.
pub(super) type At<'a> = (Inode, &'a [u8]);

impl Shared {
    /// What a name leads to; `None` if there is nothing.
    pub(super) fn look_up(&self, disk: &mut Disk, at: At) -> io::Result<Option<FileAttr>> {
        self.has_power()?;
        if let Some(special) = Special::at(at.0, at.1) {
            return Ok(Some(self.special_attributes(special)));
        }
        match disk.look_up(at.0, at.1)? {
            Some(inode) => self.entry(disk, inode).map(Some),
            None => Ok(None),
        }
    }

    /// Tells the kernel of an inode.
    fn entry(&self, disk: &mut Disk, inode: Inode) -> io::Result<FileAttr> {
        let attributes = self.attributes(disk, inode)?;
        self.remember(disk, inode);
        Ok(attributes)
    }

    /// A new file or directory.
    pub(super) fn make_node(
        &self,
        disk: &mut Disk,
        at: At,
        (maker, kind, mode): (Owner, FileKind, u32),
    ) -> io::Result<FileAttr> {
        is_of_the_disk(at)?;
        let call = if kind == FileKind::Dir { CallKind::Mkdir } else { CallKind::CreateNew };
        self.ask_at(disk, call, at, None)?;
        self.has_room(disk, at.1.len())?;
        let free = disk.free_in(at.0, at.1)?;
        let (owner, mode) = self.inherit(disk, at.0, (maker, kind, mode & 0o7777));
        let inode = match kind {
            FileKind::Dir => disk.mkdir(free, mode),
            _ => disk.create(free, mode),
        };
        self.set_owner(inode, owner);
        self.entry(disk, inode)
    }

    /// A new file, and its number as an open one.
    pub(super) fn make_open(
        &self,
        disk: &mut Disk,
        at: At,
        new: (Owner, FileKind, u32),
    ) -> io::Result<(FileAttr, u64)> {
        let file = self.make_node(disk, at, new)?;
        let handle = disk.open(self.inode(disk, file.ino)?);
        Ok((file, handle))
    }

    /// A new file by mknod(2). A disk image holds no FIFO, socket or device.
    pub(super) fn mknod(
        &self,
        disk: &mut Disk,
        at: At,
        (maker, mode): (Owner, u32),
    ) -> io::Result<FileAttr> {
        if mode & KIND == REGULAR || mode & KIND == 0 {
            return self.make_node(disk, at, (maker, FileKind::File, mode));
        }
        self.seen().refuse(match mode & KIND {
            0o010_000 => "mknod of a FIFO",
            0o140_000 => "mknod of a socket",
            _ => "mknod of a device",
        });
        Err(Errno::EPERM.into())
    }

    pub(super) fn symlink(
        &self,
        disk: &mut Disk,
        at: At,
        (maker, target): (Owner, &[u8]),
    ) -> io::Result<FileAttr> {
        is_of_the_disk(at)?;
        self.ask_at(disk, CallKind::Symlink, at, None)?;
        self.has_room(disk, target.len())?;
        let free = disk.free_in(at.0, at.1)?;
        let (owner, _) = self.inherit(disk, at.0, (maker, FileKind::Symlink, 0));
        let inode = disk.symlink(free, target)?;
        self.set_owner(inode, owner);
        self.entry(disk, inode)
    }

    /// Where a symbolic link leads.
    pub(super) fn read_link(&self, disk: &Disk, inode: Inode) -> io::Result<Vec<u8>> {
        self.ask(disk, CallKind::ReadLink, inode)?;
        let target = disk.image.symlink_target(inode).ok_or(Errno::EINVAL)?;
        Ok(target.to_vec())
    }

    pub(super) fn link(&self, disk: &mut Disk, inode: Inode, at: At) -> io::Result<FileAttr> {
        is_of_the_disk(at)?;
        if Special::of(inode).is_some() {
            return Err(Errno::EPERM.into());
        }
        self.ask_link(disk, inode, at)?;
        let free = disk.free_in(at.0, at.1)?;
        // A file without a name cannot get one again (linkat(2)); no file here has O_TMPFILE's right to.
        if disk.metadata(inode)?.links == 0 {
            return Err(Errno::ENOENT.into());
        }
        disk.link(inode, free)?;
        self.entry(disk, inode)
    }

    /// unlink(2), or rmdir(2).
    pub(super) fn remove(&self, disk: &mut Disk, at: At, dir: bool) -> io::Result<()> {
        is_of_the_disk(at)?;
        let call = if dir { CallKind::Rmdir } else { CallKind::Unlink };
        self.ask_at(disk, call, at, None)?;
        let (entry, inode) = disk.existing_in(at.0, at.1)?;
        if dir { disk.rmdir(entry, inode) } else { disk.unlink(entry, inode) }
    }

    pub(super) fn rename(
        &self,
        disk: &mut Disk,
        (from, to): (At, At),
        flags: RenameFlags,
    ) -> io::Result<()> {
        is_of_the_disk(from)?;
        is_of_the_disk(to)?;
        let (kind, call) = match flags {
            RenameFlags::RENAME_NOREPLACE => (Rename::NoReplace, CallKind::RenameNoReplace),
            RenameFlags::RENAME_EXCHANGE => (Rename::Exchange, CallKind::Exchange),
            _ if flags.is_empty() => (Rename::Replace, CallKind::Rename),
            _ => {
                self.seen().refuse("rename with RENAME_WHITEOUT");
                return Err(Errno::EINVAL.into());
            }
        };
        self.ask_at(disk, call, from, Some(to))?;
        disk.rename_in(from, to, kind)
    }
}

/// `EPERM` for the names of the files for Marks.
fn is_of_the_disk((dir, name): At) -> io::Result<()> {
    match Special::at(dir, name) {
        Some(_) => Err(Errno::EPERM.into()),
        None => Ok(()),
    }
}
