//! The real file system: each method of the seam is its system call, and nothing else.
//!
//! Not for policy: no retries but of `EINTR`, no caching, no choice of modes. System calls that the
//! standard library offers unchanged are taken from there, the others from nix.
#![expect(
    clippy::disallowed_methods,
    reason = "this file is the one place where the seam meets std::fs and the clock"
)]

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use nix::errno::Errno;
use nix::fcntl::{
    AT_FDCWD, AtFlags, OFlag, PosixFadviseAdvice, RenameFlags, posix_fadvise, renameat2,
};
use nix::sys::stat::Mode;

use crate::{Access, DirEntry, FileKind, Fs, FsFile, LockMode, Metadata};

/// The file system of this machine. Zero-sized: a call through it costs the system call.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealFs;

/// An open file of [`RealFs`].
#[derive(Debug)]
pub struct RealFile(File);

/// Upper half of [`Fs::nonce`] is the process, lower half this counter.
static NONCE: AtomicU32 = AtomicU32::new(0);

fn open(path: &Path, flags: OFlag, mode: u32) -> io::Result<RealFile> {
    // O_NONBLOCK: opening a FIFO must not hang; it changes nothing for regular files.
    let flags = flags | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let mode = Mode::from_bits_truncate(mode);
    loop {
        match nix::fcntl::open(path, flags, mode) {
            Ok(fd) => return Ok(RealFile(File::from(fd))),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

fn rename(from: &Path, to: &Path, flags: RenameFlags) -> io::Result<()> {
    Ok(renameat2(AT_FDCWD, from, AT_FDCWD, to, flags)?)
}

fn kind_of(file_type: std::fs::FileType) -> FileKind {
    if file_type.is_file() {
        FileKind::File
    } else if file_type.is_dir() {
        FileKind::Dir
    } else if file_type.is_symlink() {
        FileKind::Symlink
    } else {
        FileKind::Other
    }
}

fn metadata_of(found: &std::fs::Metadata) -> io::Result<Metadata> {
    Ok(Metadata {
        kind: kind_of(found.file_type()),
        len: found.len(),
        mode: found.mode() & 0o7777,
        links: found.nlink(),
        inode: found.ino(),
        modified: found.modified()?,
    })
}

impl Fs for RealFs {
    type File = RealFile;

    fn create_new(&self, path: &Path, mode: u32) -> io::Result<RealFile> {
        open(path, OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL, mode)
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<RealFile> {
        let flags = match access {
            Access::Read => OFlag::O_RDONLY,
            Access::ReadWrite => OFlag::O_RDWR,
            Access::Append => OFlag::O_RDWR | OFlag::O_APPEND,
        };
        open(path, flags, 0)
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        metadata_of(&std::fs::symlink_metadata(path)?)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(path)? {
            let entry = entry?;
            let kind = kind_of(entry.file_type()?);
            entries.push(DirEntry { name: entry.file_name(), kind });
        }
        entries.sort_unstable();
        Ok(entries)
    }

    fn mkdir(&self, path: &Path, mode: u32) -> io::Result<()> {
        Ok(nix::unistd::mkdir(path, Mode::from_bits_truncate(mode))?)
    }

    fn rmdir(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_dir(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        rename(from, to, RenameFlags::empty())
    }

    fn rename_no_replace(&self, from: &Path, to: &Path) -> io::Result<()> {
        rename(from, to, RenameFlags::RENAME_NOREPLACE)
    }

    fn exchange(&self, one: &Path, other: &Path) -> io::Result<()> {
        rename(one, other, RenameFlags::RENAME_EXCHANGE)
    }

    fn symlink(&self, target: &Path, path: &Path) -> io::Result<()> {
        std::os::unix::fs::symlink(target, path)
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        std::fs::read_link(path)
    }

    fn link(&self, existing: &Path, new: &Path) -> io::Result<()> {
        Ok(nix::unistd::linkat(AT_FDCWD, existing, AT_FDCWD, new, AtFlags::empty())?)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        Ok(nix::unistd::unlink(path)?)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let dir = nix::fcntl::open(path, flags, Mode::empty())?;
        Ok(nix::unistd::fsync(&dir)?)
    }

    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn nonce(&self) -> u64 {
        let count = NONCE.fetch_add(1, Ordering::Relaxed);
        (u64::from(std::process::id()) << 32) | u64::from(count)
    }
}

impl FsFile for RealFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buf, offset)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        self.0.write_at(buf, offset)
    }

    fn append(&self, buf: &[u8]) -> io::Result<usize> {
        io::Write::write(&mut &self.0, buf)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        // std has no errno for a length beyond i64.
        let len = i64::try_from(len).map_err(|_| Errno::EINVAL)?;
        Ok(nix::unistd::ftruncate(&self.0, len)?)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.0.sync_all()
    }

    fn sync_fs(&self) -> io::Result<()> {
        // ext4 without a journal and ext2 flush the disk's cache while they still write directories:
        // sync_filesystem (fs/sync.c) waits for those when ext4_sync_fs (fs/ext4/super.c) has flushed.
        // An fsync ends with a flush of its own. `ci/syncfs.sh` shows both.
        nix::unistd::syncfs(&self.0)?;
        self.0.sync_all()
    }

    fn start_writeback(&self) {
        // On Linux this starts to write what is dirty and waits for nothing (mm/fadvise.c); it also drops
        // pages that are clean, and a new file has none. std and nix have no sync_file_range.
        let _ = posix_fadvise(&self.0, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
    }

    fn metadata(&self) -> io::Result<Metadata> {
        metadata_of(&self.0.metadata()?)
    }

    fn set_mode(&self, mode: u32) -> io::Result<()> {
        self.0.set_permissions(Permissions::from_mode(mode))
    }

    fn set_modified(&self, time: SystemTime) -> io::Result<()> {
        self.0.set_modified(time)
    }

    fn lock(&self, mode: LockMode) -> io::Result<()> {
        loop {
            let taken = match mode {
                LockMode::Shared => self.0.lock_shared(),
                LockMode::Exclusive => self.0.lock(),
            };
            match taken {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                taken => return taken,
            }
        }
    }

    fn try_lock(&self, mode: LockMode) -> io::Result<bool> {
        let taken = match mode {
            LockMode::Shared => self.0.try_lock_shared(),
            LockMode::Exclusive => self.0.try_lock(),
        };
        match taken {
            Ok(()) => Ok(true),
            Err(std::fs::TryLockError::WouldBlock) => Ok(false),
            Err(std::fs::TryLockError::Error(e)) => Err(e),
        }
    }

    fn unlock(&self) -> io::Result<()> {
        self.0.unlock()
    }
}

#[cfg(test)]
#[path = "real_tests.rs"]
mod tests;
