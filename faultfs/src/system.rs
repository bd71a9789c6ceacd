//! Two calls of Linux that neither std nor nix offers: `sync_file_range`, and a write linked to its
//! fdatasync in `io_uring`. `plugpull bench` measures them.
//!
//! The one file with unsafe code. Not part of the seam: the store makes neither of them, and no
//! simulated disk knows them.
#![expect(unsafe_code, reason = "neither std nor nix offers these two calls")]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use io_uring::types::{Fd, FsyncFlags};
use io_uring::{IoUring, opcode, squeue};
use nix::errno::Errno;
use nix::libc;

/// Entries of the queue; a chain has two.
const ENTRIES: u32 = 2;

/// Writes a range of a file back and waits for it: sync_file_range(2) with all three flags.
///
/// Not durable: neither the size nor the allocation is written, and the disk is not told to empty its cache.
pub fn sync_file_range(file: &File, offset: u64, len: u64) -> io::Result<()> {
    let range = (i64::try_from(offset), i64::try_from(len));
    let (Ok(offset), Ok(len)) = range else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let flags = libc::SYNC_FILE_RANGE_WAIT_BEFORE
        | libc::SYNC_FILE_RANGE_WRITE
        | libc::SYNC_FILE_RANGE_WAIT_AFTER;
    // SAFETY: the call takes no pointers, and the descriptor is open as long as `file` is borrowed.
    let done = unsafe { libc::sync_file_range(file.as_raw_fd(), offset, len, flags) };
    Errno::result(done).map(drop).map_err(io::Error::from)
}

/// The same bytes, written to a file and made durable again and again: each time one chain of
/// `io_uring`, a write and the fdatasync that follows it, submitted and awaited by one system call.
pub struct Chain {
    ring: IoUring,
    file: File,
    bytes: Vec<u8>,
    broken: bool,
}

impl Chain {
    /// Fails where the kernel has no `io_uring` or does not let us use it.
    pub fn new(file: File, bytes: Vec<u8>) -> io::Result<Self> {
        u32::try_from(bytes.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        Ok(Self { ring: IoUring::new(ENTRIES)?, file, bytes, broken: false })
    }

    /// The file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Writes the bytes at this offset, then fdatasync; both are done when this returns.
    pub fn write_and_sync(&mut self, offset: u64) -> io::Result<()> {
        if self.broken {
            return Err(io::Error::other("an earlier chain of io_uring was not completed"));
        }
        let done = self.push(offset).and_then(|()| self.wait());
        let [written, synced] = done.inspect_err(|_| self.give_up())?;
        if count_of(written)? != self.bytes.len() {
            return Err(io::ErrorKind::WriteZero.into());
        }
        count_of(synced).map(drop)
    }

    fn push(&mut self, offset: u64) -> io::Result<()> {
        let fd = Fd(self.file.as_raw_fd());
        let len = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        let write = opcode::Write::new(fd, self.bytes.as_ptr(), len).offset(offset).build();
        let write = write.flags(squeue::Flags::IO_LINK).user_data(0);
        let sync = opcode::Fsync::new(fd).flags(FsyncFlags::DATASYNC).build().user_data(1);
        // SAFETY: file and bytes belong to `self`, and neither is changed, moved in memory or freed
        // before both completions were seen: `write_and_sync` returns only then, or gives the bytes up.
        let pushed = unsafe { self.ring.submission().push_multiple(&[write, sync]) };
        pushed.map_err(|_| io::Error::other("the queue of io_uring is full"))
    }

    /// The results of both, as the kernel says them: bytes, or a negative error number.
    fn wait(&mut self) -> io::Result<[i32; 2]> {
        let mut results = [None; 2];
        loop {
            match self.ring.submit_and_wait(1) {
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
            for done in self.ring.completion() {
                let which = usize::try_from(done.user_data()).ok();
                if let Some(result) = which.and_then(|which| results.get_mut(which)) {
                    *result = Some(done.result());
                }
            }
            if let [Some(written), Some(synced)] = results {
                return Ok([written, synced]);
            }
        }
    }

    /// The kernel may still read the bytes: they are never freed, and the queue is not used again.
    fn give_up(&mut self) {
        self.broken = true;
        std::mem::forget(std::mem::take(&mut self.bytes));
    }
}

/// What a completion says: a count, or a negative error number.
fn count_of(result: i32) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(result.saturating_neg()))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests need a file that cannot be written")]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_chain_writes_and_syncs() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let bytes = vec![7; 600];
        let Ok(mut chain) = Chain::new(file.reopen().unwrap(), bytes.clone()) else { return };
        for at in [0, 600] {
            chain.write_and_sync(at).unwrap();
        }
        let mut read = Vec::new();
        file.reopen().unwrap().read_to_end(&mut read).unwrap();
        assert_eq!(read, [bytes.clone(), bytes].concat());
    }

    #[test]
    fn a_failed_write_is_told_and_the_next_chain_goes_on() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let unwritable = File::open(file.path()).unwrap();
        let Ok(mut chain) = Chain::new(unwritable, vec![7; 600]) else { return };
        for _ in 0..2 {
            let failed = chain.write_and_sync(0).unwrap_err();
            assert_eq!(failed.raw_os_error(), Some(libc::EBADF));
        }
    }

    #[test]
    fn a_range_is_written_back() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(8192).unwrap();
        sync_file_range(&file, 0, 4096).unwrap();
    }
}
