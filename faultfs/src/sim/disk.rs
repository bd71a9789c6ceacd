//! The simulated disk itself: its image, what is open and locked on it, and the record of changes.
//!
//! Not for deciding which calls there are: `sim` and `file` ask the questions in the order in which
//! the kernel does, and change the disk by [`Disk::make`] only, so that nothing goes unrecorded.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::thread::ThreadId;
use std::time::{Duration, SystemTime};

use nix::errno::Errno;

use super::errors::Errors;
use super::fail;
use super::lock::Locks;
use super::path::{self, Near, Place};
use crate::{DiskImage, Entry, Event, FileKind, Inode, Metadata, Op, Trace};

/// The clock of a new disk: 2026-01-01T00:00:00Z.
const START: Duration = Duration::from_hours(490_896);

/// How much later each call is than the one before.
const TICK: Duration = Duration::from_micros(1);

/// The disk and all that is open on it.
pub(super) struct Disk {
    pub(super) image: DiskImage,
    pub(super) trace: Trace,
    threads: Vec<ThreadId>,
    pub(super) locks: Locks,
    pub(super) errors: Errors,
    /// How many open files each inode has; without a name and without one of these it is gone.
    open: BTreeMap<Inode, u32>,
    /// How many threads wait for a lock.
    pub(super) waiting: u32,
    next_inode: u64,
    next_handle: u64,
    nonce: u64,
    clock: SystemTime,
    near: Near,
}

impl Default for Disk {
    fn default() -> Self {
        Self {
            image: DiskImage::new(),
            trace: Trace::default(),
            threads: Vec::new(),
            locks: Locks::default(),
            errors: Errors::default(),
            open: BTreeMap::new(),
            waiting: 0,
            next_inode: DiskImage::ROOT.0 + 1,
            next_handle: 0,
            nonce: 0,
            clock: SystemTime::UNIX_EPOCH + START,
            near: Near::default(),
        }
    }
}

impl Disk {
    /// A disk that holds `image`; recording begins with it.
    pub(super) fn on(image: DiskImage) -> Self {
        let next_inode = image.last_inode().0 + 1;
        let trace = Trace { start: image.clone(), events: Vec::new() };
        Self { image, trace, next_inode, ..Self::default() }
    }

    /// The clock: each look at it is later than the one before.
    pub(super) fn tick(&mut self) -> SystemTime {
        self.clock += TICK;
        self.clock
    }

    /// See [`crate::Fs::nonce`]. The upper half stands for a process id; this disk has one process.
    pub(super) fn nonce(&mut self) -> u64 {
        self.nonce += 1;
        (1 << 32) | self.nonce
    }

    /// Counts a further open file; returns its number, which is no other's.
    pub(super) fn open(&mut self, inode: Inode) -> u64 {
        *self.open.entry(inode).or_default() += 1;
        self.next_handle += 1;
        self.errors.sample(inode, self.next_handle);
        self.next_handle
    }

    /// Makes a change and writes it down.
    pub(super) fn make(&mut self, op: Op) {
        let me = std::thread::current().id();
        let known = self.threads.iter().position(|thread| *thread == me);
        let thread = known.unwrap_or_else(|| {
            self.threads.push(me);
            self.threads.len() - 1
        });
        let time = self.tick();
        op.apply(&mut self.image, time);
        if op.changes_names() {
            self.near = Near::default();
        }
        let thread = u32::try_from(thread).unwrap_or(u32::MAX);
        self.trace.events.push(Event::Op { thread, time, op });
    }

    pub(super) fn new_inode(&mut self) -> Inode {
        self.next_inode += 1;
        Inode(self.next_inode - 1)
    }

    pub(super) fn kind(&self, inode: Inode) -> FileKind {
        self.image.kind(inode).unwrap_or(FileKind::Other)
    }

    pub(super) fn metadata(&self, inode: Inode) -> io::Result<Metadata> {
        self.image.metadata(inode).ok_or_else(|| Errno::ENOENT.into())
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

    pub(super) fn is_empty(&self, dir: Inode) -> bool {
        self.image.entries(dir).next().is_none()
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path, kind: Rename) -> io::Result<()> {
        // The order of the kernel's answers: do_renameat2 in fs/namei.c.
        let from = Place::find(&self.image, from)?;
        let to = Place::find(&self.image, to)?;
        if !from.last.is_name() {
            return fail(Errno::EBUSY);
        }
        if !to.last.is_name() {
            return fail(if kind == Rename::NoReplace { Errno::EEXIST } else { Errno::EBUSY });
        }
        let (inode, target) = (from.existing()?, to.found()?);
        match (kind, target) {
            (Rename::NoReplace, Some(_)) => return fail(Errno::EEXIST),
            (Rename::Exchange, None) => return fail(Errno::ENOENT),
            _ => {}
        }
        // vfs: a directory cannot move below itself, nor replace one that it is below.
        if self.is_below(to.entry.dir, inode) {
            return fail(Errno::EINVAL);
        }
        if let Some(replaced) = target {
            if self.is_below(from.entry.dir, replaced) {
                let exchange = kind == Rename::Exchange;
                return fail(if exchange { Errno::EINVAL } else { Errno::ENOTEMPTY });
            }
            if replaced == inode {
                return Ok(());
            }
            if kind != Rename::Exchange {
                self.may_replace(inode, replaced)?;
            }
        }
        let (from, to, replaced) = (from.entry, to.entry, target);
        let exchange = kind == Rename::Exchange;
        self.make(Op::Rename { inode, from, to, replaced, exchange });
        if let Some(replaced) = replaced {
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

    /// An inode without a name lives as long as it is open.
    pub(super) fn forget_if_gone(&mut self, inode: Inode) {
        if self.image.links(inode) == 0 && !self.open.contains_key(&inode) {
            self.image.forget(inode);
            self.errors.forget(inode);
        }
    }

    pub(super) fn close(&mut self, inode: Inode, handle: u64) {
        self.locks.release(inode, handle);
        self.errors.close(handle);
        if let Some(count) = self.open.get_mut(&inode) {
            *count -= 1;
            if *count == 0 {
                self.open.remove(&inode);
            }
        }
        self.forget_if_gone(inode);
    }
}

/// The flags of renameat2(2).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rename {
    Replace,
    NoReplace,
    Exchange,
}
