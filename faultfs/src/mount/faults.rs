//! Calls through a mount that fail as a plan says: which request of the kernel is which call, and what the
//! program asked for once a fault had hit.
//!
//! A call that only the kernel answers meets no fault: look-ups and attributes, which it keeps, locks, and
//! what is known to fail before it comes to us. Nor do writes of pages that were stored through maps: an
//! error there is one of the next sync, and a rule for syncs makes it. Not for what a fault does (`fault`).

use std::collections::BTreeMap;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::marks::Special;
use super::names::At;
use super::shared::{Shared, lock};
use crate::sim::Disk;
use crate::{
    Call, CallKind, DiskImage, Errno, Fault, FaultRule, Faults, FsyncFailure, Inode, Watcher,
};

/// How many calls are kept from the first one on that a fault hit.
const MOST_KEPT: usize = 4096;

/// How many bytes of a write are kept; all of them of the first one that a fault hit.
const MOST_BYTES: usize = 4096;

/// The calls that a program made through a mount while a plan was at work there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// How many there were of each kind.
    pub counts: BTreeMap<CallKind, u64>,
    /// From the first one on that a fault hit, those that can be an Op; no more than 4,096.
    pub since_fault: Vec<AskedCall>,
}

/// A call that a program asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedCall {
    /// Which method.
    pub kind: CallKind,
    /// The file or directory, if the call was for one that is open or known.
    pub inode: Option<Inode>,
    /// Its path from the root of the mount, which is `/`; empty for a file without a name.
    pub path: PathBuf,
    /// The new name, for renames and links.
    pub to: Option<PathBuf>,
    /// Of a write: where.
    pub offset: u64,
    /// Of a write: what, or how that begins.
    pub bytes: Arc<[u8]>,
    /// How many bytes a write that a fault cut short did write.
    pub written: usize,
    /// The number of events of the Trace before it.
    pub event: usize,
    /// Whether a fault hit it.
    pub hit: bool,
}

/// A plan at work in a mount.
pub(super) struct Injected {
    faults: Arc<Faults>,
    calls: Mutex<Calls>,
}

impl Injected {
    /// Refuses what no mount can play.
    pub(super) fn new(faults: Arc<Faults>) -> io::Result<Self> {
        faults.rules().iter().try_for_each(|rule| can_play(rule.fault))?;
        Ok(Self { faults, calls: Mutex::default() })
    }

    /// One rule more.
    pub(super) fn add(&self, rule: FaultRule) -> io::Result<()> {
        can_play(rule.fault)?;
        self.faults.add(rule);
        Ok(())
    }

    pub(super) fn calls(&self) -> Calls {
        lock(&self.calls).clone()
    }

    /// Shows a call to the plan; `rest` is what else is to be asked of it, and says whether a fault hit.
    fn show<T>(
        &self,
        mut asked: AskedCall,
        rest: impl FnOnce(&Faults, &Call<'_>, &mut AskedCall) -> (T, bool),
    ) -> io::Result<T> {
        if self.faults.power_is_off() {
            return Err(Errno::Eio.into());
        }
        let (path, to) = (asked.path.clone(), asked.to.clone());
        let call = Call { kind: asked.kind, path: &path, to: to.as_deref() };
        let answer = self.faults.before(&call).map(|()| rest(&self.faults, &call, &mut asked));
        asked.hit = !matches!(answer, Ok((_, false)));
        lock(&self.calls).note(asked);
        answer.map(|(answer, _)| answer)
    }
}

impl Calls {
    fn note(&mut self, mut asked: AskedCall) {
        *self.counts.entry(asked.kind).or_default() += 1;
        let begun = !self.since_fault.is_empty();
        if (asked.hit || begun) && asked.kind.can_be_op() && self.since_fault.len() < MOST_KEPT {
            if begun && asked.bytes.len() > MOST_BYTES {
                asked.bytes = asked.bytes[..MOST_BYTES].into();
            }
            self.since_fault.push(asked);
        }
    }
}

/// Whether a mount can play a fault.
fn can_play(fault: Fault) -> io::Result<()> {
    let refused = refused(fault).map(|why| io::Error::new(io::ErrorKind::InvalidInput, why));
    refused.map_or(Ok(()), Err)
}

/// Why a mount cannot play a fault.
fn refused(fault: Fault) -> Option<&'static str> {
    match fault {
        Fault::Sigkill => {
            Some("no mount can play the fault sigkill: it would kill the process that serves it")
        }
        Fault::Errno(Errno::Enosys) => {
            Some("no mount can return ENOSYS: the kernel would never ask for that call again")
        }
        Fault::StaleSector => Some("no mount can play the fault stale_sector"),
        _ => None,
    }
}

impl AskedCall {
    fn new(disk: &Disk, kind: CallKind, inode: Option<Inode>, path: PathBuf) -> Self {
        let event = disk.events();
        let bytes = Arc::default();
        Self { kind, inode, path, to: None, offset: 0, bytes, written: 0, event, hit: false }
    }

    fn on(disk: &Disk, kind: CallKind, inode: Inode) -> Self {
        Self::new(disk, kind, Some(inode), path(&disk.image, inode).unwrap_or_default())
    }
}

impl Shared {
    /// `EIO` once a planned power cut has come.
    pub(super) fn has_power(&self) -> io::Result<()> {
        match self.injected.get() {
            Some(injected) if injected.faults.power_is_off() => Err(Errno::Eio.into()),
            _ => Ok(()),
        }
    }

    /// Asks whether a call for a file or directory is to be made.
    pub(super) fn ask(&self, disk: &Disk, kind: CallKind, inode: Inode) -> io::Result<()> {
        match self.asks(inode) {
            Some(injected) => {
                injected.show(AskedCall::on(disk, kind, inode), |_, _, _| ((), false))
            }
            None => Ok(()),
        }
    }

    /// Asks whether a call for a name, or two, is to be made.
    pub(super) fn ask_at(
        &self,
        disk: &Disk,
        kind: CallKind,
        at: At<'_>,
        to: Option<At<'_>>,
    ) -> io::Result<()> {
        let Some(injected) = self.injected.get() else { return Ok(()) };
        let there = |(dir, name): At<'_>| {
            let name = std::ffi::OsStr::from_bytes(name);
            path(&disk.image, dir).unwrap_or_default().join(name)
        };
        let asked = AskedCall::new(disk, kind, None, there(at));
        injected.show(AskedCall { to: to.map(there), ..asked }, |_, _, _| ((), false))
    }

    /// Asks whether a file is to get a further name.
    pub(super) fn ask_link(&self, disk: &Disk, inode: Inode, at: At<'_>) -> io::Result<()> {
        let Some(injected) = self.injected.get() else { return Ok(()) };
        let new = path(&disk.image, at.0).unwrap_or_default();
        let new = new.join(std::ffi::OsStr::from_bytes(at.1));
        let asked = AskedCall::on(disk, CallKind::Link, inode);
        injected.show(AskedCall { to: Some(new), ..asked }, |_, _, _| ((), false))
    }

    /// Asks how many of these bytes are to be written.
    pub(super) fn ask_write(
        &self,
        disk: &Disk,
        inode: Inode,
        (kind, offset): (CallKind, u64),
        bytes: &[u8],
    ) -> io::Result<usize> {
        let Some(injected) = self.asks(inode) else { return Ok(bytes.len()) };
        let asked = AskedCall::on(disk, kind, inode);
        injected.show(AskedCall { offset, bytes: bytes.into(), ..asked }, |faults, call, asked| {
            asked.written = faults.shorten(call, bytes.len());
            (asked.written, asked.written < bytes.len())
        })
    }

    /// Asks whether a sync is to be made, and how it is to fail on its way.
    pub(super) fn ask_sync(
        &self,
        disk: &Disk,
        kind: CallKind,
        inode: Inode,
    ) -> io::Result<Option<FsyncFailure>> {
        let Some(injected) = self.asks(inode) else { return Ok(None) };
        injected.show(AskedCall::on(disk, kind, inode), |faults, call, _| {
            let how = faults.sync_failure(call);
            (how, how.is_some())
        })
    }

    /// Asks whether a read is to be made, and changes what it returns as the plan says.
    pub(super) fn ask_read(
        &self,
        disk: &Disk,
        inode: Inode,
        mut read: Vec<u8>,
    ) -> io::Result<Vec<u8>> {
        let Some(injected) = self.asks(inode) else { return Ok(read) };
        let asked = AskedCall::on(disk, CallKind::ReadAt, inode);
        injected.show(asked, |faults, call, _| {
            let hit = faults.flip_bits(call, &mut read);
            (read, hit)
        })
    }

    /// The plan that is asked of calls for this inode: none is for the files for Marks.
    fn asks(&self, inode: Inode) -> Option<&Injected> {
        self.injected.get().filter(|_| Special::of(inode).is_none())
    }

    /// Whether a file shows something else than the kernel was told, as a failed sync took changes back.
    /// Without the kernel's pages, which only maps show: it would ask us for them, who wait for it.
    pub(super) fn tell_reverted(&self, inode: Inode) {
        let notifier = self.notifier.upgrade();
        if let Some(notifier) = notifier.as_ref().and_then(|notifier| notifier.get()) {
            // An old kernel keeps the length that it knows.
            let _ = notifier.inval_inode(self.node(inode), -1, 0);
        }
    }
}

/// A path from the root of the mount, which is `/`.
fn path(image: &DiskImage, inode: Inode) -> Option<PathBuf> {
    Some(Path::new("/").join(image.path(inode)?))
}
