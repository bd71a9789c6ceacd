//! The seam: everything a durable program asks of a disk, as two small traits.
//!
//! Each method has one contract line: what holds when it returns `Ok`. "Volatile" means that the
//! change is visible to every process at once but may be lost when the power goes; which barrier
//! makes it durable is said beside it.
//!
//! Not for: reading whole trees, or anything a durable program does not need. Errors are [`io::Error`]s that carry the errno of the system call.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use nix::errno::Errno;

use crate::FsyncFailure;

/// Names: creating, finding, renaming and removing files and directories.
///
/// A path's last component is never followed when it is a symbolic link, except by
/// [`Fs::read_dir`] and [`Fs::sync_dir`], which take the directory it leads to.
pub trait Fs: Send + Sync {
    /// An open file; closed on drop, which gives no durability.
    type File: FsFile;

    /// Creates `path` for reading and writing, or fails with `AlreadyExists`; the entry is
    /// volatile until [`Fs::sync_dir`] of the parent. The umask takes its share of `mode`.
    fn create_new(&self, path: &Path, mode: u32) -> io::Result<Self::File>;

    /// Opens an existing file; never blocks on a FIFO, fails on a symbolic link (`ELOOP`).
    fn open(&self, path: &Path, access: Access) -> io::Result<Self::File>;

    /// What `path` itself is; a symbolic link is not followed (lstat).
    fn metadata(&self, path: &Path) -> io::Result<Metadata>;

    /// All entries but `.` and `..`, sorted by name, so that no caller depends on disk order.
    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>>;

    /// Each entry of a directory, sorted by name, with what [`Fs::read_dir`] tells of it when it is a
    /// directory itself and with nothing when it is not. They are listed one by one, as they are
    /// asked for.
    fn read_dirs(&self, path: &Path) -> io::Result<impl Iterator<Item = Listed>> {
        let below = |entry: DirEntry| match entry.kind {
            FileKind::Dir => {
                let below = self.read_dir(&path.join(&entry.name));
                (entry, below)
            }
            _ => (entry, Ok(Vec::new())),
        };
        Ok(self.read_dir(path)?.into_iter().map(below))
    }

    /// Creates one directory; volatile until [`Fs::sync_dir`] of its parent.
    fn mkdir(&self, path: &Path, mode: u32) -> io::Result<()>;

    /// Removes one empty directory; volatile until [`Fs::sync_dir`] of its parent.
    fn rmdir(&self, path: &Path) -> io::Result<()>;

    /// Gives `from` the name `to`, replacing what was there, as one step for every observer;
    /// volatile until [`Fs::sync_dir`] of the parent of `to` (and of `from`, where it differs).
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// As [`Fs::rename`], but fails with `AlreadyExists` when `to` exists (`RENAME_NOREPLACE`).
    fn rename_no_replace(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Makes two existing names change places in one step (`RENAME_EXCHANGE`); volatile until
    /// [`Fs::sync_dir`] of both parents.
    fn exchange(&self, one: &Path, other: &Path) -> io::Result<()>;

    /// Creates a symbolic link at `path`; volatile until [`Fs::sync_dir`] of its parent.
    fn symlink(&self, target: &Path, path: &Path) -> io::Result<()>;

    /// Where a symbolic link leads, as it was given.
    fn read_link(&self, path: &Path) -> io::Result<PathBuf>;

    /// Gives the file a further name; volatile until [`Fs::sync_dir`] of the parent of `new`.
    fn link(&self, existing: &Path, new: &Path) -> io::Result<()>;

    /// Removes a name; volatile until [`Fs::sync_dir`] of its parent, so the file may come back.
    fn unlink(&self, path: &Path) -> io::Result<()>;

    /// Barrier: all changes of entries made in this directory before the call are durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// The disk's clock. A simulated disk has its own, so that runs replay.
    fn now(&self) -> SystemTime;

    /// A number nobody else is likely to use in a file name now; only `create_new` decides.
    /// Over the real disk its upper 32 bits are the process id.
    fn nonce(&self) -> u64;

    /// How the threads on this disk take turns; `None` where they run freely. Where they do, nobody may
    /// sleep until another thread has done something: who would, passes the turn and looks again.
    fn turns(&self) -> Option<&dyn PassTurn> {
        None
    }
}

/// Threads that take turns.
pub trait PassTurn {
    /// Lets another thread go on, and returns when it is one's own turn again.
    fn pass(&self);
}

/// One open file. Offsets and lengths are bytes.
pub trait FsFile: Send + Sync {
    /// Reads at most `buf.len()` bytes; 0 means end of file. May return fewer than asked.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes at most `buf.len()` bytes, extending the file when needed; volatile until a barrier
    /// on this file. May write fewer than asked.
    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize>;

    /// Writes at the end, wherever that is at the moment of the write; needs [`Access::Append`].
    /// Volatile until a barrier on this file. May write fewer than asked.
    fn append(&self, buf: &[u8]) -> io::Result<usize>;

    /// Cuts or extends (with zeros) to `len`; volatile until a barrier on this file.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Barrier: content and size are durable; mode and times need not be (fdatasync(2)).
    fn sync_data(&self) -> io::Result<()>;

    /// Barrier: content, size, mode and times are durable; the file's name is not (fsync(2)).
    /// After an error nothing is known about any earlier write, and a second call tells nothing.
    fn sync_all(&self) -> io::Result<()>;

    /// Barrier: whatever anybody changed on this file's file system before the call is durable
    /// (syncfs(2), and an fsync(2) of this file behind it, see `RealFile`). It tells of failures since
    /// this file was opened, also of other files', and on Linux before 5.8 of none.
    fn sync_fs(&self) -> io::Result<()>;

    /// A hint that a barrier of this file comes soon: the disk may begin to write its
    /// bytes. It promises nothing and waits for nothing.
    fn start_writeback(&self) {}

    /// Lets a sync fail, for injected faults; no program calls it. A disk that cannot play the
    /// personality (all but the simulated one) makes no sync and returns `EIO`.
    fn fail_sync(&self, _how: FsyncFailure) -> io::Result<()> {
        Err(Errno::EIO.into())
    }

    /// What the open file is now, also after it lost its last name (fstat).
    fn metadata(&self) -> io::Result<Metadata>;

    /// Sets the permission bits exactly, whatever the umask; volatile until [`FsFile::sync_all`].
    fn set_mode(&self, mode: u32) -> io::Result<()>;

    /// Sets the modification time; volatile until [`FsFile::sync_all`].
    fn set_modified(&self, time: SystemTime) -> io::Result<()>;

    /// Waits for an advisory lock (flock); it goes with the open file, also by SIGKILL.
    fn lock(&self, mode: LockMode) -> io::Result<()>;

    /// Takes the lock if nobody holds a conflicting one; says whether it did.
    fn try_lock(&self, mode: LockMode) -> io::Result<bool>;

    /// Gives the lock back before the file is closed.
    fn unlock(&self) -> io::Result<()>;

    /// Writes all of `buf` at `offset`: goes on after short writes and `EINTR`.
    fn write_all_at(&self, mut buf: &[u8], mut offset: u64) -> io::Result<()> {
        while !buf.is_empty() {
            match self.write_at(buf, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    buf = buf.get(n..).unwrap_or_default();
                    offset += n as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Fills as much of `buf` as the file has from `offset`; a result below `buf.len()` means that
    /// the file ends there. Goes on after short reads and `EINTR`.
    fn read_full_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(rest) = buf.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.read_at(rest, offset + filled as u64) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(filled)
    }
}

/// An entry of a directory, and the entries of that one.
pub type Listed = (DirEntry, io::Result<Vec<DirEntry>>);

/// What an existing file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading only.
    Read,
    /// Reading and writing at offsets.
    ReadWrite,
    /// Reading, and writing at the end only.
    Append,
}

/// Strength of an advisory lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockMode {
    /// Any number of holders, none of them exclusive.
    Shared,
    /// One holder.
    Exclusive,
}

/// What a name leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link, not followed.
    Symlink,
    /// A FIFO, socket or device.
    Other,
}

/// What stat tells about an inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// What it is.
    pub kind: FileKind,
    /// Length in bytes.
    pub len: u64,
    /// Permission bits (the lower 12 bits of `st_mode`).
    pub mode: u32,
    /// How many names it has; 0 for an open file that lost its last one.
    pub links: u64,
    /// Inode number: the identity of a file, which paths and handles are not.
    pub inode: u64,
    /// When the content last changed.
    pub modified: SystemTime,
}

/// One entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DirEntry {
    /// The name, without the directory.
    pub name: OsString,
    /// What it leads to.
    pub kind: FileKind,
}
