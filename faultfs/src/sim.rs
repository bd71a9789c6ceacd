//! The simulated disk: a file system in memory that behaves like Linux and writes down what happens.
//!
//! Every call answers as the kernel would for a user who may do everything (root), with the same
//! errno. What changed is recorded as an [`Op`]; clones share one disk, as processes do.
//!
//! Not for deciding what a power cut leaves: this is the disk as the running programs see it. Not
//! simulated: permissions, quotas, and a full disk.

mod caller;
mod clock;
mod disk;
mod errors;
mod failed;
mod file;
#[cfg(feature = "fuse")]
mod inodes;
mod lock;
mod names;
mod path;

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use nix::errno::Errno;

use crate::{Access, DirEntry, DiskImage, Event, FileKind, Fs, Listed, Metadata, Op, Trace};
use names::Rename as RenameKind;
use path::{Last, Place};

pub(crate) use disk::Disk;
pub use file::SimFile;
#[cfg(feature = "fuse")]
pub(crate) use inodes::SetXattr;
#[cfg(feature = "fuse")]
pub(crate) use names::Rename;

/// What the umask takes from the mode of new files.
const UMASK: u32 = 0o022;

/// A simulated disk. Clones are further hands on the same disk.
#[derive(Clone, Default)]
pub struct SimFs(Arc<Shared>);

#[derive(Default)]
struct Shared {
    disk: Mutex<Disk>,
    /// Told whenever a lock is given back.
    unlocked: Condvar,
}

impl SimFs {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// A disk that holds `image`; recording begins with it.
    pub fn on(image: DiskImage) -> Self {
        let disk = Disk::on(image);
        Self(Arc::new(Shared { disk: Mutex::new(disk), unlocked: Condvar::new() }))
    }

    /// As [`Self::on`], with the machine's clock instead of its own: for programs that compare the times
    /// of files with the time of day.
    #[cfg(feature = "fuse")]
    pub fn on_machine_clock(image: DiskImage) -> Self {
        let disk = Mutex::new(Disk::on(image).with_machine_clock());
        Self(Arc::new(Shared { disk, unlocked: Condvar::new() }))
    }

    /// Writes down a promise to the outside, between the calls before and after it.
    pub fn mark(&self, text: &[u8]) {
        let disk = &mut *self.disk();
        disk.recorded += (text.len() + size_of::<Event>()) as u64;
        disk.trace.events.push(Event::Mark(text.into()));
    }

    /// The disk as programs see it now.
    pub fn image(&self) -> DiskImage {
        self.disk().image.clone()
    }

    /// What happened so far.
    pub fn trace(&self) -> Trace {
        self.disk().trace.clone()
    }

    /// Begins the record anew: what is on the disk now is its start, and durable.
    pub fn begin_anew(&self) {
        let disk = &mut *self.disk();
        disk.trace = Trace { start: disk.image.clone(), events: Vec::new() };
        disk.recorded = 0;
    }

    /// How many events are recorded so far.
    pub fn recorded_events(&self) -> usize {
        self.disk().trace.events.len()
    }

    /// Takes back all but so many events, as if whoever made them had been killed before: disk and record
    /// are as they were then. Numbers of inodes are not given a second time. Nothing may have files open.
    pub fn back_to(&self, events: usize) {
        let disk = &mut *self.disk();
        if events < disk.trace.events.len() {
            disk.image = disk.trace.image_after(events);
            disk.trace.events.truncate(events);
            disk.forget_near();
        }
    }

    /// A panic of a user's thread leaves the disk as the last finished call left it.
    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk_for(None)
    }

    /// The disk, for calls in the name of a task of the machine.
    pub(crate) fn disk_for(&self, task: Option<u32>) -> MutexGuard<'_, Disk> {
        let mut disk = self.0.disk.lock().unwrap_or_else(PoisonError::into_inner);
        disk.callers.task = task;
        disk
    }

    /// Waits until some lock was given back.
    fn wait<'d>(&self, mut disk: MutexGuard<'d, Disk>) -> MutexGuard<'d, Disk> {
        disk.waiting += 1;
        let mut disk = self.0.unlocked.wait(disk).unwrap_or_else(PoisonError::into_inner);
        disk.waiting -= 1;
        disk
    }

    /// Tells those who wait that a lock may be free; it is a system call, so only if there are any.
    fn wake(&self, disk: &Disk) {
        if disk.waiting > 0 {
            self.0.unlocked.notify_all();
        }
    }
}

impl Fs for SimFs {
    type File = SimFile;

    fn create_new(&self, path: &Path, mode: u32) -> io::Result<SimFile> {
        let disk = &mut *self.disk();
        let at = disk.free(path)?;
        let inode = disk.create(at, mode & !UMASK);
        Ok(SimFile::open(self, disk, inode, Access::ReadWrite))
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<SimFile> {
        let disk = &mut *self.disk();
        let inode = disk.existing(path)?;
        match disk.kind(inode) {
            FileKind::Symlink => fail(Errno::ELOOP),
            FileKind::Dir if access != Access::Read => fail(Errno::EISDIR),
            _ => Ok(SimFile::open(self, disk, inode, access)),
        }
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        let disk = &mut *self.disk();
        let inode = disk.existing(path)?;
        disk.metadata(inode)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let disk = &mut *self.disk();
        let dir = disk.dir(path)?;
        Ok(disk.image.list(dir))
    }

    /// All at one moment, since that is faster than to look for each directory by its path.
    fn read_dirs(&self, path: &Path) -> io::Result<impl Iterator<Item = Listed>> {
        let disk = &mut *self.disk();
        let dir = disk.dir(path)?;
        let listed = disk.image.list_twice(dir).into_iter();
        Ok(listed.map(|(entry, below)| (entry, Ok(below))))
    }

    fn mkdir(&self, path: &Path, mode: u32) -> io::Result<()> {
        let disk = &mut *self.disk();
        let at = disk.free(path)?;
        disk.mkdir(at, mode & !UMASK);
        Ok(())
    }

    fn rmdir(&self, path: &Path) -> io::Result<()> {
        let disk = &mut *self.disk();
        let place = Place::find(&disk.image, path)?;
        match place.last {
            Last::Name | Last::TooLong => {}
            Last::Dot => return fail(Errno::EINVAL),
            Last::DotDot => return fail(Errno::ENOTEMPTY),
            Last::Root => return fail(Errno::EBUSY),
        }
        let inode = place.existing()?;
        disk.rmdir(place.entry, inode)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk().rename_paths(from, to, RenameKind::Replace)
    }

    fn rename_no_replace(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk().rename_paths(from, to, RenameKind::NoReplace)
    }

    fn exchange(&self, one: &Path, other: &Path) -> io::Result<()> {
        self.disk().rename_paths(one, other, RenameKind::Exchange)
    }

    fn link(&self, existing: &Path, new: &Path) -> io::Result<()> {
        let disk = &mut *self.disk();
        let inode = disk.existing(existing)?;
        let at = disk.free(new)?;
        disk.link(inode, at)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        let disk = &mut *self.disk();
        let place = Place::find(&disk.image, path)?;
        let inode = place.existing()?;
        disk.unlink(place.entry, inode)
    }

    fn symlink(&self, target: &Path, path: &Path) -> io::Result<()> {
        let target = target.as_os_str().as_bytes();
        if target.is_empty() {
            return fail(Errno::ENOENT);
        }
        let disk = &mut *self.disk();
        let at = disk.free(path)?;
        disk.symlink(at, target).map(drop)
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        let disk = &mut *self.disk();
        let inode = disk.existing(path)?;
        match disk.image.symlink_target(inode) {
            Some(target) => Ok(OsStr::from_bytes(target).into()),
            None => fail(Errno::EINVAL),
        }
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let disk = &mut *self.disk();
        let inode = disk.dir(path)?;
        disk.make(Op::SyncAll { inode });
        Ok(())
    }

    fn now(&self) -> SystemTime {
        self.disk().tick()
    }

    fn nonce(&self) -> u64 {
        self.disk().nonce()
    }
}

fn fail<T>(errno: Errno) -> io::Result<T> {
    Err(errno.into())
}
