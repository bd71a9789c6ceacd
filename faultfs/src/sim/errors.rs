//! Which open files are still to be told that data could not be written, as Linux keeps it.
//!
//! The three steps are those of `errseq_t` (lib/errseq.c): an error is set on a file, an open file
//! samples what it knows when it is opened, and a sync checks and advances. Not for what happened
//! to the data: `failed` decides that.

use std::collections::BTreeMap;
use std::io;

use nix::errno::Errno;

use super::fail;
use crate::Inode;

/// The errors of all files; empty until the first one.
#[derive(Default)]
pub(super) struct Errors {
    files: BTreeMap<Inode, Last>,
    /// The number of the last error that an open file knows of; it knows of none if it is not here.
    known: BTreeMap<u64, u64>,
}

/// The last error of a file.
#[derive(Default)]
struct Last {
    number: u64,
    /// Whether anybody was told. An error that nobody was told of is kept for who comes later.
    seen: bool,
}

impl Errors {
    /// An open file knows of the last error if anybody does.
    pub(super) fn sample(&mut self, inode: Inode, handle: u64) {
        if let Some(Last { number, seen: true }) = self.files.get(&inode) {
            self.known.insert(handle, *number);
        }
    }

    /// Data of the file could not be written.
    pub(super) fn set(&mut self, inode: Inode) {
        let last = self.files.entry(inode).or_default();
        if last.number == 0 || last.seen {
            *last = Last { number: last.number + 1, seen: false };
        }
    }

    /// Tells the open file of an error that it does not know of.
    pub(super) fn check(&mut self, inode: Inode, handle: u64) -> io::Result<()> {
        let Some(last) = self.files.get_mut(&inode) else { return Ok(()) };
        if self.known.insert(handle, last.number) == Some(last.number) {
            return Ok(());
        }
        last.seen = true;
        fail(Errno::EIO)
    }

    pub(super) fn close(&mut self, handle: u64) {
        self.known.remove(&handle);
    }

    pub(super) fn forget(&mut self, inode: Inode) {
        self.files.remove(&inode);
    }
}
