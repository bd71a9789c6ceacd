//! Attributes as the kernel asks for them and sets them: stat, chmod, chown, utimes, truncate, and
//! extended attributes.
//!
//! Owners are kept by the mount and are in no crash state. The time of the last access is ignored, and
//! that of the last change of the attributes is the one of the content.

use std::io;
use std::time::{Duration, SystemTime};

use fuser::{FileAttr, FileType, INodeNo, TimeOrNow};
use nix::errno::Errno;

use super::marks::Special;
use super::shared::Shared;
use crate::sim::{Disk, SetXattr};
use crate::{CallKind, FileKind, Inode, Op, PAGE};

/// How long the kernel may rely on what it was told. Everything changes through it, so: for ever.
pub(super) const FOR_EVER: Duration = Duration::from_hours(24 * 365);

/// What a listing of a directory shows as its length and its blocks of 512 bytes.
const DIR_LEN: u64 = 4096;
const DIR_BLOCKS: u64 = 8;

/// The set-user-id bit, and that for the group where the group may execute: a change of the owner
/// and a write take them away.
const SET_USER: u32 = 0o4000;
const SET_GROUP: u32 = 0o2010;

/// Extended attributes of programs; the others belong to the machine.
const XATTR_NAMESPACE: &[u8] = b"user.";

/// What setattr asks for.
#[derive(Default)]
pub(super) struct NewAttributes {
    pub(super) mode: Option<u32>,
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
    pub(super) len: Option<u64>,
    pub(super) modified: Option<TimeOrNow>,
}

pub(super) fn file_type(kind: FileKind) -> FileType {
    match kind {
        FileKind::Dir => FileType::Directory,
        FileKind::Symlink => FileType::Symlink,
        FileKind::File | FileKind::Other => FileType::RegularFile,
    }
}

impl Shared {
    /// What stat tells of an inode.
    pub(super) fn attributes(&self, disk: &Disk, inode: Inode) -> io::Result<FileAttr> {
        if let Some(special) = Special::of(inode) {
            return Ok(self.special_attributes(special));
        }
        self.has_power()?;
        let found = disk.metadata(inode)?;
        let (uid, gid) = self.owner(inode);
        let (size, blocks) = match found.kind {
            FileKind::Dir => (DIR_LEN, DIR_BLOCKS),
            FileKind::File => (found.len, (disk.image.page_count(inode) * PAGE / 512) as u64),
            _ => (found.len, 0),
        };
        Ok(FileAttr {
            ino: self.node(inode),
            size,
            blocks,
            atime: found.modified,
            mtime: found.modified,
            ctime: found.modified,
            crtime: SystemTime::UNIX_EPOCH,
            kind: file_type(found.kind),
            perm: u16::try_from(found.mode & 0o7777).unwrap_or(0),
            nlink: u32::try_from(found.links).unwrap_or(u32::MAX),
            uid,
            gid,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        })
    }

    /// What stat tells of a file for Marks: everybody may write to it.
    pub(super) fn special_attributes(&self, special: Special) -> FileAttr {
        let time = SystemTime::UNIX_EPOCH;
        let (uid, gid) = self.owner;
        FileAttr {
            ino: INodeNo(special.inode().0),
            size: self.marks.len(special),
            blocks: 0,
            atime: time,
            mtime: time,
            ctime: time,
            crtime: time,
            kind: FileType::RegularFile,
            perm: 0o666,
            nlink: 1,
            uid,
            gid,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        }
    }

    /// Sets what is asked for, each as an Op of its own.
    pub(super) fn set_attributes(
        &self,
        disk: &mut Disk,
        inode: Inode,
        new: &NewAttributes,
    ) -> io::Result<()> {
        let before = disk.metadata(inode)?;
        self.ask_attributes(disk, inode, new)?;
        if let Some(len) = new.len {
            disk.cut(inode, len)?;
        }
        if new.uid.is_some() || new.gid.is_some() {
            let (uid, gid) = self.owner(inode);
            self.set_owner(inode, (new.uid.unwrap_or(uid), new.gid.unwrap_or(gid)));
        }
        if let Some(mode) = new.mode {
            disk.make(Op::SetMode { inode, mode: mode & 0o7777 });
        }
        match new.modified {
            Some(TimeOrNow::SpecificTime(time)) => disk.make(Op::SetModified { inode, time }),
            // A change of the length sets the time already.
            Some(TimeOrNow::Now) if new.len.is_none() || new.len == Some(before.len) => {
                let time = disk.tick();
                disk.make(Op::SetModified { inode, time });
            }
            _ => {}
        }
        Ok(())
    }

    /// Asks whether these attributes are to be set: a call for each, but for a time that comes with a
    /// length.
    fn ask_attributes(&self, disk: &Disk, inode: Inode, new: &NewAttributes) -> io::Result<()> {
        let calls = [
            (CallKind::SetLen, new.len.is_some()),
            (CallKind::SetMode, new.mode.is_some()),
            (CallKind::SetModified, new.modified.is_some() && new.len.is_none()),
        ];
        self.has_power()?;
        let mut asked = calls.iter().filter(|(_, is_asked)| *is_asked);
        asked.try_for_each(|(call, _)| self.ask(disk, *call, inode))
    }

    /// Takes the bits away that let a program run as somebody else: the file was written to.
    pub(super) fn drop_privileges(disk: &mut Disk, inode: Inode) {
        let Some(mode) = disk.image.attributes(inode).map(|attributes| attributes.mode) else {
            return;
        };
        let group = if mode & SET_GROUP == SET_GROUP { 0o2000 } else { 0 };
        let kept = mode & !(SET_USER | group);
        if kept != mode {
            disk.make(Op::SetMode { inode, mode: kept });
        }
    }

    /// Sets an extended attribute, with the flags of setxattr(2).
    pub(super) fn set_xattr(
        &self,
        disk: &mut Disk,
        inode: Inode,
        (name, value): (&[u8], &[u8]),
        flags: i32,
    ) -> io::Result<()> {
        self.has_xattr(inode, name)?;
        self.has_room(disk, value.len())?;
        let how = match flags {
            1 => SetXattr::Create,
            2 => SetXattr::Replace,
            _ => SetXattr::Any,
        };
        disk.set_xattr(inode, name, value, how)
    }

    /// The value of an extended attribute.
    pub(super) fn xattr(&self, disk: &Disk, inode: Inode, name: &[u8]) -> io::Result<Vec<u8>> {
        self.has_xattr(inode, name)?;
        disk.xattr(inode, name).map(<[u8]>::to_vec)
    }

    pub(super) fn remove_xattr(
        &self,
        disk: &mut Disk,
        inode: Inode,
        name: &[u8],
    ) -> io::Result<()> {
        self.has_xattr(inode, name)?;
        disk.remove_xattr(inode, name)
    }

    /// What root may do to a file: everything but run what nobody may run.
    pub(super) fn may(disk: &Disk, inode: Inode, runs: bool) -> io::Result<()> {
        let is_barred = || {
            let found = disk.metadata(inode);
            Special::of(inode).is_some()
                || found.is_ok_and(|found| found.kind == FileKind::File && found.mode & 0o111 == 0)
        };
        if runs && is_barred() { Err(Errno::EACCES.into()) } else { Ok(()) }
    }

    /// Only programs' own attributes are kept, and none of the files for Marks.
    pub(super) fn has_xattr(&self, inode: Inode, name: &[u8]) -> io::Result<()> {
        self.has_power()?;
        if name.starts_with(XATTR_NAMESPACE) && Special::of(inode).is_none() {
            return Ok(());
        }
        Err(Errno::EOPNOTSUPP.into())
    }
}

/// The names of all extended attributes, each with a NUL behind it (listxattr(2)).
pub(super) fn list_xattrs(disk: &Disk, inode: Inode) -> Vec<u8> {
    let names = disk.image.attributes(inode).into_iter().flat_map(|a| a.xattrs.keys());
    names.flat_map(|name| name.iter().copied().chain([0])).collect()
}
