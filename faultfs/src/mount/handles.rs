//! What serves the kernel, and the files and directories that programs have open.
//!
//! Not for what is done with them (`serve`).

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, OnceLock};

use fuser::{FopenFlags, INodeNo, Notifier, Request};

use super::listing::Listings;
use super::marks::Special;
use super::shared::Shared;
use crate::{CallKind, FileKind, Inode};

/// What serves the kernel.
pub(super) struct Served {
    pub(super) shared: Arc<Shared>,
    pub(super) listings: Mutex<Listings>,
    /// Whether files bypass the page cache.
    pub(super) direct: bool,
    /// Open files whose next sync is a part of a write that was recorded with it already.
    pub(super) synced: Mutex<BTreeSet<u64>>,
    /// Kept here for `shared`.
    pub(super) _notifier: Arc<OnceLock<Notifier>>,
}

impl Served {
    /// Counts a request.
    pub(super) fn shared(&self) -> &Shared {
        self.shared.seen().calls += 1;
        &self.shared
    }

    pub(super) fn how_opened(&self) -> FopenFlags {
        if self.direct { FopenFlags::FOPEN_DIRECT_IO } else { FopenFlags::empty() }
    }

    /// Opens what exists. For a directory that is no call: what is done there is.
    pub(super) fn open_inode(&self, req: &Request, node: INodeNo) -> io::Result<u64> {
        let shared = self.shared();
        let disk = &mut *shared.disk_for(req.pid());
        shared.has_power()?;
        let inode = shared.inode(disk, node)?;
        if disk.metadata(inode)?.kind == FileKind::File {
            shared.ask(disk, CallKind::Open, inode)?;
        }
        Ok(disk.open(inode))
    }

    /// What was open when the power went is closed already.
    pub(super) fn close(&self, req: &Request, node: INodeNo, handle: u64) {
        let shared = self.shared();
        if Special::of(Inode(node.0)).is_none() {
            let disk = &mut *shared.disk_for(req.pid());
            if let Ok(inode) = shared.opened(disk, node, handle) {
                disk.close(inode, handle);
            }
        }
    }
}
