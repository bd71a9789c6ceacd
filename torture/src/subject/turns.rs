//! A file system whose every call waits for the turn of its thread; see `interleave`.
//!
//! Each call is passed on as it is, but one: waiting for a lock becomes trying for it, turn by turn,
//! because a thread that sleeps inside the disk would keep its turn.

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use faultfs::{Access, DirEntry, Fs, FsFile, LockMode, Metadata, PassTurn};

use super::interleave::{Seat, my_seat};

/// One listing in so many is a turn. A walk through the 256 shards would else take so many turns that
/// the others are done before it is.
const LISTINGS: u32 = 64;

/// A disk for threads that take turns; each call is in the turn of the thread that makes it. Threads may
/// share one. Whoever has no seat needs no turn: what is prepared before the others start.
pub struct Turns<F> {
    inner: F,
}

/// An open file of [`Turns`].
pub struct TurnsFile<H> {
    /// Taken on drop, so that the file is closed before the others hear of it.
    inner: Option<H>,
    path: PathBuf,
}

impl<F: Fs> Turns<F> {
    pub(super) fn new(inner: F) -> Self {
        Self { inner }
    }

    /// The disk, in turn.
    fn turn(&self) -> &F {
        with_seat(Seat::next_turn);
        &self.inner
    }
}

/// Does this with the seat of the present thread, if it has one.
fn with_seat(with: impl FnOnce(&Seat)) {
    if let Some(seat) = my_seat() {
        with(&seat);
    }
}

/// Passing the turn while nothing is asked of the disk.
struct Passing;

impl PassTurn for Passing {
    fn pass(&self) {
        with_seat(Seat::next_turn);
    }
}

impl<F: Fs> Fs for Turns<F> {
    type File = TurnsFile<F::File>;

    fn create_new(&self, path: &Path, mode: u32) -> io::Result<Self::File> {
        Ok(TurnsFile::of(self.turn().create_new(path, mode)?, path))
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Self::File> {
        Ok(TurnsFile::of(self.turn().open(path, access)?, path))
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        self.turn().metadata(path)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        with_seat(|seat| seat.next_turn_once_in(LISTINGS));
        self.inner.read_dir(path)
    }

    fn mkdir(&self, path: &Path, mode: u32) -> io::Result<()> {
        self.turn().mkdir(path, mode)
    }

    fn rmdir(&self, path: &Path) -> io::Result<()> {
        self.turn().rmdir(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.turn().rename(from, to)
    }

    fn rename_no_replace(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.turn().rename_no_replace(from, to)
    }

    fn exchange(&self, one: &Path, other: &Path) -> io::Result<()> {
        self.turn().exchange(one, other)
    }

    fn symlink(&self, target: &Path, path: &Path) -> io::Result<()> {
        self.turn().symlink(target, path)
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        self.turn().read_link(path)
    }

    fn link(&self, existing: &Path, new: &Path) -> io::Result<()> {
        self.turn().link(existing, new)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.turn().unlink(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.turn().sync_dir(path)
    }

    fn now(&self) -> SystemTime {
        self.turn().now()
    }

    fn nonce(&self) -> u64 {
        self.turn().nonce()
    }

    fn turns(&self) -> Option<&dyn PassTurn> {
        Some(&Passing)
    }
}

impl<H: FsFile> TurnsFile<H> {
    fn of(file: H, path: &Path) -> Self {
        Self { inner: Some(file), path: path.to_owned() }
    }

    fn turn(&self) -> io::Result<&H> {
        with_seat(Seat::next_turn);
        self.inner.as_ref().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl<H: FsFile> FsFile for TurnsFile<H> {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.turn()?.read_at(buf, offset)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        self.turn()?.write_at(buf, offset)
    }

    fn append(&self, buf: &[u8]) -> io::Result<usize> {
        self.turn()?.append(buf)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.turn()?.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.turn()?.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.turn()?.sync_all()
    }

    fn sync_fs(&self) -> io::Result<()> {
        self.turn()?.sync_fs()
    }

    fn metadata(&self) -> io::Result<Metadata> {
        self.turn()?.metadata()
    }

    fn set_mode(&self, mode: u32) -> io::Result<()> {
        self.turn()?.set_mode(mode)
    }

    fn set_modified(&self, time: SystemTime) -> io::Result<()> {
        self.turn()?.set_modified(time)
    }

    fn lock(&self, mode: LockMode) -> io::Result<()> {
        while !self.turn()?.try_lock(mode)? {
            with_seat(|seat| seat.wait_for_lock(&self.path));
        }
        Ok(())
    }

    fn try_lock(&self, mode: LockMode) -> io::Result<bool> {
        self.turn()?.try_lock(mode)
    }

    fn unlock(&self) -> io::Result<()> {
        let unlocked = self.turn()?.unlock();
        with_seat(Seat::lock_given_back);
        unlocked
    }
}

impl<H> Drop for TurnsFile<H> {
    fn drop(&mut self) {
        drop(self.inner.take());
        with_seat(Seat::lock_given_back);
    }
}
