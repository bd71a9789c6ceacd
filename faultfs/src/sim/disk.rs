//! The simulated disk itself: its image, what is open and locked on it, and the record of changes.
//!
//! Not for deciding which calls there are: `sim` and `file` ask the questions in the order in which
//! the kernel does, and change the disk by [`Disk::make`] only, so that nothing goes unrecorded.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use nix::errno::Errno;

use super::caller::Callers;
use super::clock::Clock;
use super::errors::Errors;
use super::fail;
use super::lock::Locks;
use super::names::Rename;
use super::path::{self, Near, Place};
use crate::{DiskImage, Entry, Event, FileKind, Inode, Metadata, Op, Trace};

/// Largest file, as on Linux: offsets are signed.
pub(crate) const MAX_LEN: u64 = i64::MAX as u64;

/// Whether a range ends where an offset can point: rw_verify_area in fs/read_write.c.
pub(super) fn fits(offset: u64, len: usize) -> bool {
    offset.checked_add(len as u64).is_some_and(|end| end <= MAX_LEN)
}

/// The disk and all that is open on it.
pub(crate) struct Disk {
    pub(crate) image: DiskImage,
    pub(super) trace: Trace,
    pub(super) callers: Callers,
    /// How many bytes the record takes, about.
    pub(super) recorded: u64,
    pub(super) locks: Locks,
    pub(super) errors: Errors,
    /// How many open files and others hold each inode; without a name and without one of these it is
    /// gone.
    open: BTreeMap<Inode, u32>,
    /// How many threads wait for a lock.
    pub(super) waiting: u32,
    next_inode: u64,
    next_handle: u64,
    nonce: u64,
    clock: Clock,
    near: Near,
}

impl Default for Disk {
    fn default() -> Self {
        Self {
            image: DiskImage::new(),
            trace: Trace::default(),
            callers: Callers::default(),
            recorded: 0,
            locks: Locks::default(),
            errors: Errors::default(),
            open: BTreeMap::new(),
            waiting: 0,
            next_inode: DiskImage::ROOT.0 + 1,
            next_handle: 0,
            nonce: 0,
            clock: Clock::default(),
            near: Near::default(),
        }
    }
}

impl Disk {
    /// The same disk with the machine's clock.
    #[cfg(feature = "fuse")]
    pub(super) fn with_machine_clock(self) -> Self {
        Self { clock: Clock::Machine, ..self }
    }

    /// A disk that holds `image`; recording begins with it.
    pub(super) fn on(image: DiskImage) -> Self {
        let next_inode = image.last_inode().0 + 1;
        let trace = Trace { start: image.clone(), events: Vec::new() };
        Self { image, trace, next_inode, ..Self::default() }
    }

    /// The time by the disk's clock.
    pub(crate) fn tick(&mut self) -> SystemTime {
        self.clock.look()
    }

    /// See [`crate::Fs::nonce`]. The upper half stands for a process id; this disk has one process.
    pub(super) fn nonce(&mut self) -> u64 {
        self.nonce += 1;
        (1 << 32) | self.nonce
    }

    /// Counts a further open file; returns its number, which is no other's.
    pub(crate) fn open(&mut self, inode: Inode) -> u64 {
        self.hold(inode);
        self.next_handle += 1;
        self.errors.sample(inode, self.next_handle);
        self.next_handle
    }

    /// Makes a change and writes it down.
    pub(crate) fn make(&mut self, op: Op) {
        let thread = self.callers.number();
        let time = self.tick();
        op.apply(&mut self.image, time);
        if op.changes_names() {
            self.near = Near::default();
        }
        self.recorded += op.weight();
        self.trace.events.push(Event::Op { thread, time, op });
    }

    /// The power went and came back: the disk holds `image`, all of which is durable, and nothing is open or
    /// locked. The record begins anew; what was promised stays so.
    #[cfg(feature = "fuse")]
    pub(crate) fn restart(&mut self, image: DiskImage) {
        let before = std::mem::take(&mut self.trace.events);
        let marks = before.into_iter().filter(|event| matches!(event, Event::Mark(_)));
        self.trace = Trace { start: image.clone(), events: marks.collect() };
        self.image = image;
        self.recorded = (self.trace.events.len() * size_of::<Event>()) as u64;
        self.locks = Locks::default();
        self.errors = Errors::default();
        self.open.clear();
        self.forget_near();
    }

    /// What happened so far.
    #[cfg(feature = "fuse")]
    pub(crate) fn trace(&self) -> &Trace {
        &self.trace
    }

    /// The number of the file that was opened last.
    #[cfg(feature = "fuse")]
    pub(crate) fn last_handle(&self) -> u64 {
        self.next_handle
    }

    /// The files that programs have open, one hold of each being the kernel's.
    #[cfg(feature = "fuse")]
    pub(crate) fn open_files(&self) -> Vec<Inode> {
        let open = self.open.iter().filter(|(_, holds)| **holds > 1).map(|(inode, _)| *inode);
        open.filter(|inode| self.kind(*inode) == FileKind::File).collect()
    }

    /// What was found last may be elsewhere now.
    pub(super) fn forget_near(&mut self) {
        self.near = Near::default();
    }

    pub(super) fn new_inode(&mut self) -> Inode {
        self.next_inode += 1;
        Inode(self.next_inode - 1)
    }

    pub(crate) fn kind(&self, inode: Inode) -> FileKind {
        self.image.kind(inode).unwrap_or(FileKind::Other)
    }

    pub(crate) fn metadata(&self, inode: Inode) -> io::Result<Metadata> {
        self.image.metadata(inode).ok_or_else(|| Errno::ENOENT.into())
    }

    /// Writes bytes at `offset`, or at the end where it is `None`; no bytes change nothing.
    pub(crate) fn write(&mut self, to: Inode, buf: &[u8], offset: Option<u64>) -> io::Result<()> {
        if !buf.is_empty() {
            let offset = offset.unwrap_or_else(|| self.image.len(to));
            if !fits(offset, buf.len()) {
                return fail(Errno::EINVAL);
            }
            self.make(Op::Write { inode: to, offset, bytes: buf.into() });
        }
        Ok(())
    }

    /// The inode at `path`, which must exist; the last component is not followed.
    pub(super) fn existing(&mut self, path: &Path) -> io::Result<Inode> {
        match path::plain(&self.image, path, &mut self.near) {
            Some(inode) => Ok(inode),
            None => Place::find(&self.image, path)?.existing(),
        }
    }

    /// A free name for something new.
    pub(super) fn free(&self, path: &Path) -> io::Result<Entry> {
        let place = Place::find(&self.image, path)?;
        match place.found()? {
            Some(_) => fail(Errno::EEXIST),
            None => Ok(place.entry),
        }
    }

    /// The directory that `path` leads to, symbolic links followed.
    pub(super) fn dir(&mut self, path: &Path) -> io::Result<Inode> {
        let inode = match path::plain(&self.image, path, &mut self.near) {
            Some(inode) => inode,
            None => path::follow(&self.image, path)?,
        };
        match self.kind(inode) {
            FileKind::Dir => Ok(inode),
            _ => fail(Errno::ENOTDIR),
        }
    }

    /// Finds both paths of a rename and makes it.
    pub(super) fn rename_paths(&mut self, from: &Path, to: &Path, kind: Rename) -> io::Result<()> {
        let from = Place::find(&self.image, from)?;
        let to = Place::find(&self.image, to)?;
        if !from.last.is_name() {
            return fail(Errno::EBUSY);
        }
        if !to.last.is_name() {
            return fail(if kind == Rename::NoReplace { Errno::EEXIST } else { Errno::EBUSY });
        }
        let (inode, target) = (from.existing()?, to.found()?);
        self.rename(inode, (from.entry, to.entry), target, kind)
    }

    /// An inode without a name lives as long as it is open.
    pub(super) fn forget_if_gone(&mut self, inode: Inode) {
        let is_there = self.image.kind(inode).is_some();
        if is_there && self.image.links(inode) == 0 && !self.open.contains_key(&inode) {
            self.image.forget(inode);
            self.errors.forget(inode);
        }
    }

    pub(crate) fn close(&mut self, inode: Inode, handle: u64) {
        self.locks.release(inode, handle);
        self.errors.close(handle);
        self.let_go(inode);
    }

    /// Keeps an inode, also without a name, until it is let go.
    pub(crate) fn hold(&mut self, inode: Inode) {
        *self.open.entry(inode).or_default() += 1;
    }

    /// Takes back one [`Self::hold`].
    pub(crate) fn let_go(&mut self, inode: Inode) {
        if let Some(count) = self.open.get_mut(&inode) {
            *count -= 1;
            if *count == 0 {
                self.open.remove(&inode);
            }
        }
        self.forget_if_gone(inode);
    }
}
