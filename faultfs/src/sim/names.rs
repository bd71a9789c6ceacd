//! Changes of names, once it is known which directory, name and inode are meant.
//!
//! Shared by the calls that come with paths and by those that come with inodes. Not for finding
//! anything: `path` and `inodes` do that.

use std::io;

use nix::errno::Errno;

use super::disk::Disk;
use super::fail;
use crate::{Entry, FileKind, Inode, Op};

/// The flags of renameat2(2).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rename {
    /// What has the new name is replaced.
    Replace,
    /// `RENAME_NOREPLACE`.
    NoReplace,
    /// `RENAME_EXCHANGE`.
    Exchange,
}

impl Disk {
    /// A new file with a name that is free.
    pub(crate) fn create(&mut self, at: Entry, mode: u32) -> Inode {
        let inode = self.new_inode();
        self.make(Op::Create { at, inode, mode });
        inode
    }

    /// A new directory with a name that is free.
    pub(crate) fn mkdir(&mut self, at: Entry, mode: u32) -> Inode {
        let inode = self.new_inode();
        self.make(Op::Mkdir { at, inode, mode });
        inode
    }

    /// A new symbolic link with a name that is free.
    pub(crate) fn symlink(&mut self, at: Entry, target: &[u8]) -> io::Result<Inode> {
        if target.is_empty() {
            return fail(Errno::ENOENT);
        }
        let inode = self.new_inode();
        self.make(Op::Symlink { at, inode, target: target.into() });
        Ok(inode)
    }

    /// Gives an inode a further name, which is free.
    pub(crate) fn link(&mut self, inode: Inode, at: Entry) -> io::Result<()> {
        if self.kind(inode) == FileKind::Dir {
            return fail(Errno::EPERM);
        }
        self.make(Op::Link { inode, at });
        Ok(())
    }

    /// Takes away the name of `inode`, which is no directory.
    pub(crate) fn unlink(&mut self, at: Entry, inode: Inode) -> io::Result<()> {
        if self.kind(inode) == FileKind::Dir {
            return fail(Errno::EISDIR);
        }
        self.make(Op::Unlink { at, inode });
        self.forget_if_gone(inode);
        Ok(())
    }

    /// Removes `inode`, an empty directory.
    pub(crate) fn rmdir(&mut self, at: Entry, inode: Inode) -> io::Result<()> {
        match self.kind(inode) {
            FileKind::Dir if !self.is_empty(inode) => fail(Errno::ENOTEMPTY),
            FileKind::Dir => {
                self.make(Op::Rmdir { at, inode });
                self.forget_if_gone(inode);
                Ok(())
            }
            _ => fail(Errno::ENOTDIR),
        }
    }

    /// Gives `inode`, whose name is `from`, the name `to`, which `target` may have.
    pub(crate) fn rename(
        &mut self,
        inode: Inode,
        (from, to): (Entry, Entry),
        target: Option<Inode>,
        kind: Rename,
    ) -> io::Result<()> {
        // The order of the kernel's answers: do_renameat2 in fs/namei.c.
        match (kind, target) {
            (Rename::NoReplace, Some(_)) => return fail(Errno::EEXIST),
            (Rename::Exchange, None) => return fail(Errno::ENOENT),
            _ => {}
        }
        // vfs: a directory cannot move below itself, nor replace one that it is below.
        if self.is_below(to.dir, inode) {
            return fail(Errno::EINVAL);
        }
        let exchange = kind == Rename::Exchange;
        if let Some(replaced) = target {
            if self.is_below(from.dir, replaced) {
                return fail(if exchange { Errno::EINVAL } else { Errno::ENOTEMPTY });
            }
            if replaced == inode {
                return Ok(());
            }
            if !exchange {
                self.may_replace(inode, replaced)?;
            }
        }
        self.make(Op::Rename { inode, from, to, replaced: target, exchange });
        if let Some(replaced) = target {
            self.forget_if_gone(replaced);
        }
        Ok(())
    }

    fn may_replace(&self, inode: Inode, replaced: Inode) -> io::Result<()> {
        match (self.kind(inode), self.kind(replaced)) {
            (FileKind::Dir, FileKind::Dir) if !self.is_empty(replaced) => fail(Errno::ENOTEMPTY),
            (FileKind::Dir, FileKind::Dir) => Ok(()),
            (FileKind::Dir, _) => fail(Errno::ENOTDIR),
            (_, FileKind::Dir) => fail(Errno::EISDIR),
            _ => Ok(()),
        }
    }

    /// Whether `dir` is `above` or somewhere below it.
    fn is_below(&self, dir: Inode, above: Inode) -> bool {
        let mut next = Some(dir);
        while let Some(dir) = next {
            if dir == above {
                return true;
            }
            next = self.image.parent(dir);
        }
        false
    }

    fn is_empty(&self, dir: Inode) -> bool {
        self.image.entries(dir).next().is_none()
    }
}
