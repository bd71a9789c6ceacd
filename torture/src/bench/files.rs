//! The calls that strategies are made of: opening, syncing, renaming, on the real file system.
//!
//! They go past the seam of faultfs, since it is the system calls that are measured. Not for time.
#![expect(clippy::disallowed_methods, reason = "the bare system calls are what is measured")]

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{FallocateFlags, OFlag, fallocate};

/// How what was written is made durable, if at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Barrier {
    /// Not at all.
    None,
    /// fdatasync(2).
    Fdatasync,
    /// fsync(2).
    Fsync,
    /// The file is opened with `O_DSYNC`: every write carries its barrier.
    Dsync,
    /// sync_file_range(2), which is not durable.
    Range,
}

impl Barrier {
    fn flags(self) -> OFlag {
        if self == Self::Dsync { OFlag::O_DSYNC } else { OFlag::empty() }
    }

    /// Opens a file of one's own, which is made when it is missing.
    pub fn open(self, path: &Path) -> io::Result<File> {
        options().custom_flags(self.flags().bits()).open(path)
    }

    /// Makes a new file, which must not exist.
    pub fn create(self, path: &Path) -> io::Result<File> {
        let flags = (self.flags() | OFlag::O_EXCL).bits();
        options().custom_flags(flags).open(path)
    }

    /// Writes, then makes it durable.
    pub fn write(self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        file.write_all_at(bytes, offset)?;
        match self {
            Self::None | Self::Dsync => Ok(()),
            Self::Fdatasync => file.sync_data(),
            Self::Fsync => file.sync_all(),
            Self::Range => {
                let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                faultfs::sync_file_range(file, offset, len)
            }
        }
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options
}

/// A file without a name in this directory.
pub fn nameless(dir: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600).custom_flags(OFlag::O_TMPFILE.bits()).open(dir)
}

/// Opens a directory, to sync it.
pub fn open_dir(dir: &Path) -> io::Result<File> {
    File::open(dir)
}

/// Fills a file with so many bytes, and makes them durable.
pub fn fill(file: &File, len: u64) -> io::Result<()> {
    const PIECE: usize = 1 << 20;
    let piece = vec![0xa5; PIECE];
    let mut at = 0;
    while at < len {
        let rest = usize::try_from(len - at).unwrap_or(PIECE).min(PIECE);
        file.write_all_at(&piece[..rest], at)?;
        at += u64::try_from(rest).unwrap_or(u64::MAX);
    }
    file.sync_all()
}

/// Empties a file and gives it so many allocated bytes, durable.
pub fn allocate(file: &File, len: u64) -> io::Result<()> {
    file.set_len(0)?;
    let len = i64::try_from(len).map_err(|_| io::ErrorKind::InvalidInput)?;
    if len > 0 {
        fallocate(file, FallocateFlags::empty(), 0, len)?;
    }
    file.sync_all()
}

/// rename(2).
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

/// Removes all files of a directory, and makes that durable.
pub fn clear(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        fs::remove_file(entry?.path())?;
    }
    open_dir(dir)?.sync_all()
}

/// Names for new files, none of them twice.
#[derive(Debug)]
pub struct Names {
    dir: PathBuf,
    next: u64,
}

impl Names {
    /// Of this directory.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), next: 0 }
    }

    /// Another one.
    pub fn fresh(&mut self) -> PathBuf {
        self.next += 1;
        self.dir.join(format!("f{}", self.next))
    }
}
