//! Requests that read and change bytes, and those that sync.
//!
//! Not for when stores through memory maps were made: the kernel sends their pages when it writes them
//! back, and they are recorded as such.

use std::io;

use nix::errno::Errno;
use nix::fcntl::OFlag;

use super::marks::Special;
use super::shared::Shared;
use crate::sim::Disk;
use crate::{CallKind, FileKind, FsyncFailure, Inode, Op};

/// Modes of fallocate(2).
const KEEP_SIZE: i32 = 1;
const PUNCH_HOLE: i32 = 2;
const ZERO_RANGE: i32 = 16;

/// A write as the kernel asks for it.
pub(super) struct Write<'a> {
    pub(super) offset: u64,
    pub(super) bytes: &'a [u8],
    /// Flags of the open file, and of the call (`RWF_DSYNC`, `RWF_SYNC`).
    pub(super) flags: i32,
    /// Pages of a memory map that are written back.
    pub(super) mapped: bool,
    /// Whether the bits go that let the file run as somebody else.
    pub(super) drop_privileges: bool,
}

impl Shared {
    pub(super) fn read(
        &self,
        disk: &Disk,
        inode: Inode,
        offset: u64,
        size: u32,
    ) -> io::Result<Vec<u8>> {
        let there = disk.image.len(inode).saturating_sub(offset).min(u64::from(size));
        let mut bytes = vec![0; usize::try_from(there).unwrap_or(0)];
        disk.image.read(inode, &mut bytes, offset);
        self.ask_read(disk, inode, bytes)
    }

    /// Writes, and says how much. With `O_DSYNC` or `O_SYNC` the write is a barrier of its part of the file
    /// as well; the kernel leaves that to us when files bypass the page cache.
    pub(super) fn write(
        &self,
        disk: &mut Disk,
        (inode, handle): (Inode, u64),
        write: &Write,
    ) -> io::Result<usize> {
        let &Write { mut offset, bytes, flags, mapped, drop_privileges } = write;
        self.has_room(disk, bytes.len())?;
        if mapped {
            self.has_power()?;
            disk.write_back(inode, bytes, offset);
            self.seen().mapped_writes += 1;
            return Ok(bytes.len());
        }
        let appends = flags & OFlag::O_APPEND.bits() != 0;
        if appends && self.injected.get().is_some() {
            // A failed sync may have taken the end back, of which the kernel knows only when it asks.
            offset = disk.image.len(inode);
        }
        let call = if appends { CallKind::Append } else { CallKind::WriteAt };
        let len = self.ask_write(disk, inode, (call, offset), bytes)?;
        let bytes = bytes.get(..len).unwrap_or(bytes);
        disk.write(inode, bytes, Some(offset))?;
        if drop_privileges {
            Self::drop_privileges(disk, inode);
        }
        if is_barrier(flags) {
            let all = flags & OFlag::O_SYNC.bits() == OFlag::O_SYNC.bits();
            let barrier = Op::SyncRange { inode, offset, len: bytes.len() as u64, all };
            let call = if all { CallKind::SyncAll } else { CallKind::SyncData };
            self.sync_as(disk, (call, barrier), inode, handle)?;
        }
        Ok(bytes.len())
    }

    /// Writes to a file for Marks.
    pub(super) fn write_special(&self, special: Special, write: &Write) -> io::Result<usize> {
        self.has_power()?;
        self.has_room(&self.disk.disk_for(None), write.bytes.len())?;
        self.marks.write(special, write.offset, write.bytes, &self.disk);
        Ok(write.bytes.len())
    }

    /// fsync and fdatasync. Those of a directory are the same (ext4, xfs and btrfs alike).
    pub(super) fn sync(
        &self,
        disk: &mut Disk,
        inode: Inode,
        handle: u64,
        data_only: bool,
    ) -> io::Result<()> {
        let call = match disk.kind(inode) {
            FileKind::Dir => (CallKind::SyncDir, Op::SyncAll { inode }),
            FileKind::File if data_only => (CallKind::SyncData, Op::SyncData { inode }),
            _ => (CallKind::SyncAll, Op::SyncAll { inode }),
        };
        self.sync_as(disk, call, inode, handle)
    }

    fn sync_as(
        &self,
        disk: &mut Disk,
        (call, barrier): (CallKind, Op),
        inode: Inode,
        handle: u64,
    ) -> io::Result<()> {
        let Some(how) = self.ask_sync(disk, call, inode)? else {
            return disk.sync(inode, handle, barrier);
        };
        let synced = disk.fail_sync(inode, handle, how);
        if how == FsyncFailure::Btrfs {
            self.tell_reverted(inode);
        }
        synced
    }

    /// fallocate(2). Space is never short, so giving some to a file changes no more than its length.
    pub(super) fn allocate(
        &self,
        disk: &mut Disk,
        inode: Inode,
        (offset, len): (u64, u64),
        mode: i32,
    ) -> io::Result<()> {
        self.ask(disk, CallKind::SetLen, inode)?;
        let end = offset.checked_add(len).ok_or(Errno::EFBIG)?;
        match mode & !KEEP_SIZE {
            0 => {}
            PUNCH_HOLE | ZERO_RANGE => {
                let held = len.min(disk.image.page_count(inode) as u64 * 4096);
                self.has_room(disk, usize::try_from(held).unwrap_or(usize::MAX))?;
                disk.zero(inode, offset, len)?;
            }
            _ => {
                self.seen().refuse("fallocate that moves bytes");
                return Err(Errno::EOPNOTSUPP.into());
            }
        }
        if mode & KEEP_SIZE == 0 && end > disk.image.len(inode) {
            disk.cut(inode, end)?;
        }
        Ok(())
    }
}

/// Whether a write with these flags is durable when it returns.
pub(super) fn is_barrier(flags: i32) -> bool {
    flags & OFlag::O_DSYNC.bits() != 0
}
