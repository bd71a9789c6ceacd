//! The disk as the kernel asks for it: by inodes and names, when it has resolved the paths itself.
//!
//! What the calls do is what they do for `SimFs`: only the look-up differs. Not for permissions and
//! owners, which the disk does not know.

use std::io;

use nix::errno::Errno;

use super::disk::{Disk, MAX_LEN, fits};
use super::fail;
use super::names::Rename;
use super::path::NAME_MAX;
use crate::{Entry, FileKind, Inode, Op, PAGE};

/// The most bytes that one Op writes when a range is made zeros.
const ZEROS: u64 = 1 << 20;

/// What must be true of an extended attribute for it to be set (setxattr(2)).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum SetXattr {
    /// Nothing.
    Any,
    /// There is none of the name (`XATTR_CREATE`).
    Create,
    /// There is one of the name (`XATTR_REPLACE`).
    Replace,
}

impl Disk {
    /// How many bytes the record takes so far, about.
    pub(crate) fn recorded(&self) -> u64 {
        self.recorded
    }

    /// How many events were recorded so far.
    pub(crate) fn events(&self) -> usize {
        self.trace.events.len()
    }

    /// What a name in a directory leads to, if anything.
    pub(crate) fn look_up(&self, dir: Inode, name: &[u8]) -> io::Result<Option<Inode>> {
        match self.kind(dir) {
            FileKind::Dir if name.len() > NAME_MAX => fail(Errno::ENAMETOOLONG),
            FileKind::Dir => Ok(self.image.lookup(dir, name)),
            _ => fail(Errno::ENOTDIR),
        }
    }

    /// What a name in a directory leads to, which must be something.
    pub(crate) fn existing_in(&self, dir: Inode, name: &[u8]) -> io::Result<(Entry, Inode)> {
        let inode = self.look_up(dir, name)?.ok_or(Errno::ENOENT)?;
        Ok((Entry { dir, name: name.into() }, inode))
    }

    /// A free name for something new; a directory that was removed takes nothing in.
    pub(crate) fn free_in(&self, dir: Inode, name: &[u8]) -> io::Result<Entry> {
        match self.look_up(dir, name)? {
            Some(_) => fail(Errno::EEXIST),
            None if self.image.links(dir) == 0 => fail(Errno::ENOENT),
            None => Ok(Entry { dir, name: name.into() }),
        }
    }

    /// Gives what has one name in a directory another one.
    pub(crate) fn rename_in(
        &mut self,
        (from, name): (Inode, &[u8]),
        (to, new): (Inode, &[u8]),
        kind: Rename,
    ) -> io::Result<()> {
        let (old, inode) = self.existing_in(from, name)?;
        let target = self.look_up(to, new)?;
        if self.image.links(to) == 0 {
            return fail(Errno::ENOENT);
        }
        self.rename(inode, (old, Entry { dir: to, name: new.into() }), target, kind)
    }

    /// Bytes that were stored through a memory map come to the file system. They never extend a file:
    /// what lies behind its end was cut off meanwhile.
    pub(crate) fn write_back(&mut self, inode: Inode, buf: &[u8], offset: u64) {
        let room = usize::try_from(self.image.len(inode).saturating_sub(offset));
        let bytes = &buf[..room.unwrap_or(usize::MAX).min(buf.len())];
        if !bytes.is_empty() {
            self.make(Op::WriteBack { inode, offset, bytes: bytes.into() });
        }
    }

    /// Cuts or extends a file. Its old length changes nothing but the time.
    pub(crate) fn cut(&mut self, inode: Inode, len: u64) -> io::Result<()> {
        if len > MAX_LEN {
            return fail(Errno::EFBIG);
        }
        let op = if self.image.len(inode) == len {
            Op::SetModified { inode, time: self.tick() }
        } else {
            Op::SetLen { inode, len }
        };
        self.make(op);
        Ok(())
    }

    /// Makes a range read as zeros, as far as the file goes and holds anything else.
    pub(crate) fn zero(&mut self, inode: Inode, offset: u64, len: u64) -> io::Result<()> {
        if !fits(offset, usize::try_from(len).unwrap_or(usize::MAX)) {
            return fail(Errno::EFBIG);
        }
        let page = PAGE as u64;
        let end = (offset + len).min(self.image.len(inode));
        let held = self.image.pages_from(inode, offset / page).map(|(index, _)| index * page);
        let held: Vec<u64> = held.take_while(|start| *start < end).collect();
        for run in held.chunk_by(|one, next| one + page == *next) {
            let mut from = run[0].max(offset);
            let until = (run[0] + run.len() as u64 * page).min(end);
            while from < until {
                let zeros = vec![0; usize::try_from((until - from).min(ZEROS)).unwrap_or(0)];
                self.write(inode, &zeros, Some(from))?;
                from += zeros.len() as u64;
            }
        }
        Ok(())
    }

    /// Sets an extended attribute.
    pub(crate) fn set_xattr(
        &mut self,
        inode: Inode,
        name: &[u8],
        value: &[u8],
        how: SetXattr,
    ) -> io::Result<()> {
        let is_there = self.xattr(inode, name).is_ok();
        match how {
            SetXattr::Create if is_there => fail(Errno::EEXIST),
            SetXattr::Replace if !is_there => fail(Errno::ENODATA),
            _ => {
                self.make(Op::SetXattr { inode, name: name.into(), value: Some(value.into()) });
                Ok(())
            }
        }
    }

    /// Removes an extended attribute, which must be there.
    pub(crate) fn remove_xattr(&mut self, inode: Inode, name: &[u8]) -> io::Result<()> {
        self.xattr(inode, name)?;
        self.make(Op::SetXattr { inode, name: name.into(), value: None });
        Ok(())
    }

    /// The value of an extended attribute.
    pub(crate) fn xattr(&self, inode: Inode, name: &[u8]) -> io::Result<&[u8]> {
        let attributes = self.image.attributes(inode).ok_or(Errno::ENOENT)?;
        Ok(attributes.xattrs.get(name).ok_or(Errno::ENODATA)?)
    }
}
