//! What all requests of a mount share: the disk, the owners, what the kernel knows, and the counts.
//!
//! Not for the protocol (`serve`), and nothing here is part of a crash state: owners and what is open
//! do not outlive a power cut in a disk image.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use fuser::{INodeNo, Notifier};
use nix::errno::Errno;

use super::faults::Injected;
use super::marks::{Marks, Output, Special};
use super::seen::Seen;
use crate::sim::Disk;
use crate::{DiskImage, FileKind, Inode, SimFs};

/// The set-group-id bit: what is made in a directory with it belongs to the directory's group.
const SET_GROUP: u32 = 0o2000;

/// Where the number of power cuts begins in the numbers by which the kernel knows inodes; no disk has so
/// many.
const POWER_CUTS: u32 = 40;

/// Takes a lock; a panic of another holder leaves what it protects as it was.
pub(super) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// User and group.
pub(super) type Owner = (u32, u32);

/// The state of a mount.
pub(super) struct Shared {
    pub(super) disk: SimFs,
    pub(super) marks: Marks,
    seen: Mutex<Seen>,
    inodes: Mutex<Inodes>,
    /// To whom belongs what the disk began with.
    pub(super) owner: Owner,
    /// The most bytes that the record may take.
    pub(super) memory: u64,
    /// The plan by which calls fail, once there is one.
    pub(super) injected: OnceLock<Injected>,
    /// By which the kernel is told things. It goes with the serving thread: while it is there, so is the
    /// device, and programs would wait for answers for ever.
    pub(super) notifier: Weak<OnceLock<Notifier>>,
    /// How often the power went. Changed with the disk locked only, and so is the next.
    power_cuts: AtomicU64,
    /// The last open file that the last power cut closed.
    closed: AtomicU64,
}

#[derive(Default)]
struct Inodes {
    /// How many times the kernel was told of each: it forgets as many, and till then may ask.
    known: BTreeMap<Inode, u64>,
    /// Those that do not belong to the owner of the rest.
    owners: BTreeMap<Inode, Owner>,
}

impl Shared {
    pub(super) fn new(
        disk: &SimFs,
        (owner, memory): (Owner, u64),
        output: Output,
        notifier: Weak<OnceLock<Notifier>>,
    ) -> Self {
        Self {
            disk: disk.clone(),
            marks: Marks::new(output),
            seen: Mutex::default(),
            inodes: Mutex::default(),
            owner,
            memory,
            injected: OnceLock::new(),
            notifier,
            power_cuts: AtomicU64::new(0),
            closed: AtomicU64::new(0),
        }
    }

    /// By which number the kernel knows an inode: after each power cut another one, so that what was open
    /// or known before it cannot be taken for what is there now. The root has one number only.
    pub(super) fn node(&self, inode: Inode) -> INodeNo {
        if inode == DiskImage::ROOT || Special::of(inode).is_some() {
            return INodeNo(inode.0);
        }
        INodeNo(self.power_cuts.load(Ordering::Relaxed) << POWER_CUTS | inode.0)
    }

    /// The inode that the kernel knows by this number; `EIO` if that was before a power cut. The disk is
    /// locked, so that none comes meanwhile.
    pub(super) fn inode(&self, _: &Disk, node: INodeNo) -> io::Result<Inode> {
        let inode = Inode(node.0);
        if inode == DiskImage::ROOT || Special::of(inode).is_some() {
            return Ok(inode);
        }
        if node.0 >> POWER_CUTS != self.power_cuts.load(Ordering::Relaxed) {
            return Err(Errno::EIO.into());
        }
        Ok(Inode(node.0 & ((1 << POWER_CUTS) - 1)))
    }

    /// The same for two.
    pub(super) fn inodes(&self, disk: &Disk, nodes: [INodeNo; 2]) -> io::Result<[Inode; 2]> {
        Ok([self.inode(disk, nodes[0])?, self.inode(disk, nodes[1])?])
    }

    /// The same for one that is open.
    pub(super) fn opened(&self, disk: &Disk, node: INodeNo, handle: u64) -> io::Result<Inode> {
        if handle <= self.closed.load(Ordering::Relaxed) {
            return Err(Errno::EIO.into());
        }
        self.inode(disk, node)
    }

    /// The power went: whatever the kernel knows it knows from before, and all that was open is closed.
    pub(super) fn lose_power(&self, disk: &Disk) {
        self.power_cuts.fetch_add(1, Ordering::Relaxed);
        self.closed.store(disk.last_handle(), Ordering::Relaxed);
        let inodes = &mut *lock(&self.inodes);
        inodes.known.clear();
        inodes.owners.retain(|inode, _| disk.image.kind(*inode).is_some());
    }

    /// The disk, for a request of this task.
    pub(super) fn disk_for(&self, task: u32) -> MutexGuard<'_, Disk> {
        self.disk.disk_for(Some(task))
    }

    pub(super) fn seen(&self) -> MutexGuard<'_, Seen> {
        lock(&self.seen)
    }

    /// `ENOSPC` when `more` bytes would be too many for the record.
    pub(super) fn has_room(&self, disk: &Disk, more: usize) -> io::Result<()> {
        if disk.recorded().saturating_add(more as u64) <= self.memory {
            return Ok(());
        }
        self.seen().out_of_memory = true;
        Err(Errno::ENOSPC.into())
    }

    /// The kernel is told of an inode once more.
    pub(super) fn remember(&self, disk: &mut Disk, inode: Inode) {
        let count = &mut *lock(&self.inodes);
        let count = count.known.entry(inode).or_default();
        if *count == 0 {
            disk.hold(inode);
        }
        *count += 1;
    }

    /// The kernel forgets an inode as often as it was told of it: it will not ask for it any more.
    pub(super) fn forget(&self, disk: &mut Disk, inode: Inode, times: u64) {
        let inodes = &mut *lock(&self.inodes);
        let Some(count) = inodes.known.get_mut(&inode) else { return };
        *count = count.saturating_sub(times);
        if *count == 0 {
            inodes.known.remove(&inode);
            disk.let_go(inode);
            if disk.image.kind(inode).is_none() {
                inodes.owners.remove(&inode);
            }
        }
    }

    /// To whom an inode belongs.
    pub(super) fn owner(&self, inode: Inode) -> Owner {
        lock(&self.inodes).owners.get(&inode).copied().unwrap_or(self.owner)
    }

    pub(super) fn set_owner(&self, inode: Inode, owner: Owner) {
        let owners = &mut lock(&self.inodes).owners;
        if owner == self.owner {
            owners.remove(&inode);
        } else {
            owners.insert(inode, owner);
        }
    }

    /// To whom something new in a directory belongs, and its mode (inode(7): the set-group-ID bit).
    pub(super) fn inherit(
        &self,
        disk: &Disk,
        dir: Inode,
        (maker, kind, mode): (Owner, FileKind, u32),
    ) -> (Owner, u32) {
        let above = disk.image.attributes(dir).map_or(0, |attributes| attributes.mode);
        match above & SET_GROUP {
            0 => (maker, mode),
            bit => {
                let bit = if kind == FileKind::Dir { bit } else { 0 };
                ((maker.0, self.owner(dir).1), mode | bit)
            }
        }
    }
}
