//! Open files of the simulated disk.

use std::io;
use std::time::SystemTime;

use nix::errno::Errno;

use super::disk::Disk;
use super::disk::{MAX_LEN, fits};
use super::{SimFs, fail};
use crate::{Access, FileKind, FsFile, FsyncFailure, Inode, LockMode, Metadata, Op};

/// An open file of a [`SimFs`].
pub struct SimFile {
    fs: SimFs,
    inode: Inode,
    handle: u64,
    access: Access,
}

impl SimFile {
    pub(super) fn open(fs: &SimFs, disk: &mut Disk, inode: Inode, access: Access) -> Self {
        Self { fs: fs.clone(), inode, handle: disk.open(inode), access }
    }

    /// Writes at `offset`, or at the end where it is `None`.
    fn write(&self, buf: &[u8], offset: Option<u64>) -> io::Result<usize> {
        let disk = &mut *self.fs.disk();
        if self.access == Access::Read {
            return fail(Errno::EBADF);
        }
        disk.write(self.inode, buf, offset)?;
        Ok(buf.len())
    }

    fn make(&self, op: Op) {
        self.fs.disk().make(op);
    }
}

impl FsFile for SimFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let disk = self.fs.disk();
        match disk.kind(self.inode) {
            _ if !fits(offset, buf.len()) => fail(Errno::EINVAL),
            FileKind::Dir => fail(Errno::EISDIR),
            _ => Ok(disk.image.read(self.inode, buf, offset)),
        }
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        if offset > MAX_LEN {
            return fail(Errno::EINVAL);
        }
        // pwrite(2), BUGS: on Linux a file opened with O_APPEND is appended to, whatever the offset.
        self.write(buf, (self.access != Access::Append).then_some(offset))
    }

    fn append(&self, buf: &[u8]) -> io::Result<usize> {
        self.write(buf, None)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if self.access == Access::Read || len > MAX_LEN {
            return fail(Errno::EINVAL);
        }
        self.make(Op::SetLen { inode: self.inode, len });
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.fs.disk().sync(self.inode, self.handle, Op::SyncData { inode: self.inode })
    }

    fn sync_all(&self) -> io::Result<()> {
        self.fs.disk().sync(self.inode, self.handle, Op::SyncAll { inode: self.inode })
    }

    fn sync_fs(&self) -> io::Result<()> {
        self.make(Op::SyncFs);
        Ok(())
    }

    fn fail_sync(&self, how: FsyncFailure) -> io::Result<()> {
        self.fs.disk().fail_sync(self.inode, self.handle, how)
    }

    fn metadata(&self) -> io::Result<Metadata> {
        self.fs.disk().metadata(self.inode)
    }

    fn set_mode(&self, mode: u32) -> io::Result<()> {
        self.make(Op::SetMode { inode: self.inode, mode: mode & 0o7777 });
        Ok(())
    }

    fn set_modified(&self, time: SystemTime) -> io::Result<()> {
        self.make(Op::SetModified { inode: self.inode, time });
        Ok(())
    }

    fn lock(&self, mode: LockMode) -> io::Result<()> {
        let mut disk = self.fs.disk();
        while !disk.locks.take(self.inode, self.handle, mode) {
            disk = self.fs.wait(disk);
        }
        // An exclusive lock that became a shared one lets others in.
        self.fs.wake(&disk);
        Ok(())
    }

    fn try_lock(&self, mode: LockMode) -> io::Result<bool> {
        let mut disk = self.fs.disk();
        let taken = disk.locks.take(self.inode, self.handle, mode);
        self.fs.wake(&disk);
        Ok(taken)
    }

    fn unlock(&self) -> io::Result<()> {
        let mut disk = self.fs.disk();
        disk.locks.release(self.inode, self.handle);
        self.fs.wake(&disk);
        Ok(())
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        let mut disk = self.fs.disk();
        disk.close(self.inode, self.handle);
        self.fs.wake(&disk);
    }
}
