//! Syncs that fail, as the file systems of [`FsyncFailure`] do it.
//!
//! Nothing is kept for it while all goes well: what was synced last is found in the trace. Not
//! simulated: a failed sync of a directory drops nothing, and a file is not known to be synced by a
//! barrier of another one. A write that is a barrier itself (`O_SYNC`) comes through a mount only, as a
//! write and a sync behind it.

use std::io;
use std::sync::Arc;

use nix::errno::Errno;

use super::disk::Disk;
use super::fail;
use crate::{Attributes, DiskImage, Event, FileKind, FsyncFailure, Inode, Op, PAGE, Reverted};

impl Disk {
    /// A barrier, unless the open file is still to be told of an earlier error.
    pub(crate) fn sync(&mut self, inode: Inode, handle: u64, barrier: Op) -> io::Result<()> {
        let told = self.errors.check(inode, handle);
        self.make(match told {
            Ok(()) => barrier,
            Err(_) => Op::SyncFailed { inode, drops: false, reverted: None },
        });
        told
    }

    /// A sync that cannot write.
    pub(crate) fn fail_sync(
        &mut self,
        inode: Inode,
        handle: u64,
        how: FsyncFailure,
    ) -> io::Result<()> {
        let is_file = self.kind(inode) == FileKind::File;
        let late = how == FsyncFailure::Ext4Data;
        // Where errors come late, one that waits is what this sync fails with.
        let waits = if late { self.errors.check(inode, handle) } else { Ok(()) };
        let drops = is_file && how != FsyncFailure::Redirty && waits.is_ok();
        let reverted = (drops && how == FsyncFailure::Btrfs).then(|| self.revert(inode));
        self.make(Op::SyncFailed { inode, drops, reverted });
        if !drops {
            return fail(Errno::EIO);
        }
        self.errors.set(inode);
        if late { Ok(()) } else { self.errors.check(inode, handle) }
    }

    /// What it takes to make the file what it was when it was synced last.
    fn revert(&mut self, inode: Inode) -> Reverted {
        let synced = self.last_synced(inode);
        let len = synced.len(inode);
        let page = |index: u64| {
            let mut bytes = [0; PAGE];
            let n = synced.read(inode, &mut bytes, index * PAGE as u64);
            let used = bytes[..n].iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            (index, Arc::from(&bytes[..used]))
        };
        let changed = self.image.changed_pages(&synced, inode);
        let visible = changed.into_iter().filter(|index| *index < len.div_ceil(PAGE as u64));
        Reverted { len, pages: visible.map(page).collect() }
    }

    /// An image in which the file is what its last barrier made durable: empty without one, unless
    /// the disk began with it.
    fn last_synced(&self, inode: Inode) -> DiskImage {
        let events = &self.trace.events;
        let barrier = events.iter().rposition(|event| match event {
            Event::Op { op: Op::SyncData { inode: of } | Op::SyncAll { inode: of }, .. } => {
                *of == inode
            }
            Event::Op { op: Op::SyncFs, .. } => true,
            _ => false,
        });
        let mut image = self.trace.start.clone();
        if image.kind(inode).is_none() {
            image.insert_file(inode, Attributes::new(0));
        }
        for event in &events[..barrier.unwrap_or(0)] {
            let Event::Op { op, time, .. } = event else { continue };
            match op {
                Op::Write { inode: of, .. }
                | Op::WriteBack { inode: of, .. }
                | Op::SetLen { inode: of, .. }
                | Op::SyncFailed { inode: of, .. }
                    if *of == inode =>
                {
                    op.apply(&mut image, *time);
                }
                _ => {}
            }
        }
        image
    }
}
