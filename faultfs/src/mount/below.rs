//! What is done to the disk of a mount from below, while programs use it: the power goes, or files change
//! that nobody wrote to.
//!
//! The kernel is told what is not so any more. Not for deciding what a power cut leaves (`crash`), nor what
//! changes.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;

use fuser::{INodeNo, Notifier};

use super::Mount;
use super::shared::Shared;
use crate::{DiskImage, Inode, Op, Trace};

impl Mount {
    /// The power goes and comes back. `leave` says what the disk holds then, from all that happened; the
    /// record begins anew with that, and keeps the Marks.
    ///
    /// Whatever programs have open or mapped, or stand in as their directory, answers `EIO` from now on, but
    /// for the root of the mount as a directory to stand in. Pages that are stored through maps and were not
    /// written back come to the record first. While `leave` runs every call waits: it must not use the mount
    /// or its disk. If it fails nothing happens, and its error is the inner one.
    ///
    /// Fails where the kernel cannot be told, or the mount is gone.
    pub fn power_cut<T, E>(
        &self,
        leave: impl FnOnce(&Trace) -> Result<(DiskImage, T), E>,
    ) -> io::Result<Result<T, E>> {
        let kernel = self.shared.kernel()?;
        self.shared.write_maps_back(&kernel)?;
        let (told, names) = {
            let disk = &mut *self.shared.disk.disk_for(None);
            let (image, told) = match leave(disk.trace()) {
                Ok(left) => left,
                Err(e) => return Ok(Err(e)),
            };
            let mut names = names_in_root(&disk.image);
            names.extend(names_in_root(&image));
            disk.restart(image);
            self.shared.lose_power(disk);
            (told, names)
        };
        // Without the lock, since whoever changes the root waits for an answer and keeps the kernel waiting.
        for name in names {
            kernel.inval_entry(INodeNo(DiskImage::ROOT.0), &name)?;
        }
        kernel.inval_inode(self.shared.node(DiskImage::ROOT), -1, 0)?;
        Ok(Ok(told))
    }

    /// Makes changes that `decide` chooses from all that happened. They are recorded, and programs see them
    /// when they look next, through maps as well. While `decide` runs every call waits, as in
    /// [`Self::power_cut`]; the same things fail.
    pub fn change_below<T, E>(
        &self,
        decide: impl FnOnce(&Trace, &DiskImage) -> Result<(Vec<Op>, T), E>,
    ) -> io::Result<Result<T, E>> {
        let kernel = self.shared.kernel()?;
        self.shared.write_maps_back(&kernel)?;
        let (told, changed) = {
            let disk = &mut *self.shared.disk.disk_for(None);
            let (ops, told) = match decide(disk.trace(), &disk.image) {
                Ok(decided) => decided,
                Err(e) => return Ok(Err(e)),
            };
            let changed: BTreeSet<Inode> = ops.iter().filter_map(changed_by).collect();
            for op in ops {
                disk.make(op);
            }
            (told, changed)
        };
        for inode in changed {
            kernel.inval_inode(self.shared.node(inode), 0, 0)?;
        }
        Ok(Ok(told))
    }
}

impl Shared {
    /// By which the kernel is told things; `NotConnected` once nobody serves it any more.
    fn kernel(&self) -> io::Result<Notifier> {
        let gone = || io::Error::new(io::ErrorKind::NotConnected, "the mount is gone");
        self.notifier.upgrade().and_then(|notifier| notifier.get().cloned()).ok_or_else(gone)
    }

    /// Lets the kernel write back what programs stored through maps, and forget those pages. It asks us for
    /// that, so the disk must not be locked.
    fn write_maps_back(&self, kernel: &Notifier) -> io::Result<()> {
        let open = self.disk.disk_for(None).open_files();
        open.into_iter().try_for_each(|inode| kernel.inval_inode(self.node(inode), 0, 0))
    }
}

/// The file whose bytes or length a change is about.
fn changed_by(op: &Op) -> Option<Inode> {
    match op {
        Op::Write { inode, .. }
        | Op::WriteBack { inode, .. }
        | Op::SetLen { inode, .. }
        | Op::SyncFailed { inode, .. } => Some(*inode),
        _ => None,
    }
}

/// The names through which everything is found; the kernel may remember each of them.
fn names_in_root(image: &DiskImage) -> BTreeSet<OsString> {
    image.entries(DiskImage::ROOT).map(|(name, _)| OsString::from_vec(name.to_vec())).collect()
}
