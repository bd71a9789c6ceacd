//! A simulated disk, mounted over a directory: what any program does there is recorded, whatever it is
//! written in, with all its threads and children, and what it stores through memory maps.
//!
//! The disk is in memory, so a sync costs a message to the serving thread and nothing else. The kernel
//! keeps locks, checks permissions (see [`MountOptions::allow_other`]), and resolves paths. Owners of files are kept as programs set them,
//! but are in no crash state.
//!
//! # What it is not for
//!
//! It never sees sync(2), syncfs(2) and `sync_file_range`, which the kernel does not tell of. It does not
//! know when a program stored into a map, only when the page came (see `Op::WriteBack`). FIFOs, sockets
//! and devices cannot be made. What was refused is counted in [`Seen`].

mod answer;
mod attach;
mod attributes;
mod below;
mod content;
mod faults;
mod handles;
mod listing;
mod marks;
mod names;
mod probe;
mod seen;
mod serve;
mod shared;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use fuser::Session;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

use crate::{FaultRule, Faults, SimFs};
use attach::{Attached, attach};
use faults::Injected;
use handles::Served;
use listing::Listings;
use marks::{Output, Special};
use shared::Shared;

pub use faults::{AskedCall, Calls};
pub use probe::{Fusermount, Probe, probe};
pub use seen::Seen;

/// How long the serving thread may take to end after its mount is gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// How to mount.
#[derive(Clone, Debug)]
pub struct MountOptions {
    /// Over which directory.
    pub at: PathBuf,
    /// Where the serving thread runs; anywhere if it is not said. On the same CPU as the program it is
    /// several times faster, since no other CPU has to be woken for each call.
    pub cpu: Option<usize>,
    /// The most bytes that the record may take; after that, whatever would add bytes fails (`ENOSPC`).
    pub memory: u64,
    /// User and group to whom all belongs that the disk holds already.
    pub owner: (u32, u32),
    /// Who makes the mount.
    pub helper: MountHelper,
    /// Whether other users than the one that mounts may use it. The kernel then checks permissions; where
    /// root mounts for itself alone it does not, since root may do everything, and calls that change
    /// directories are a fifth faster.
    pub allow_other: bool,
    /// What it is called in /proc/self/mountinfo.
    pub name: String,
    /// Whether permissions are checked where root mounts, too: for a mount that others can see.
    pub check_permissions: bool,
}

impl MountOptions {
    /// What a mount is called unless there is more to say.
    pub const NAME: &str = "plugpull";
}

/// Who makes a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MountHelper {
    /// This process, by mount(2): needs the right to, which root has, and the root of a user namespace.
    Direct,
    /// The program fusermount3, where this process may not. `$FUSERMOUNT_PATH` says which.
    Fusermount,
}

/// A simulated disk, mounted over a directory; unmounted on drop.
pub struct Mount {
    at: PathBuf,
    shared: Arc<Shared>,
    end: Sender<End>,
    keeper: Option<JoinHandle<io::Result<()>>>,
}

impl Mount {
    /// Mounts in the mount namespace of the calling thread, and serves until it is closed. What programs
    /// write to [`Self::stdout_path`] goes to `output` as it comes; that must not use the mount.
    ///
    /// Files get their times from the disk's clock: `SimFs::on_machine_clock` is what programs expect.
    ///
    /// Fails where mounting does: without `/dev/fuse` (`ENOENT`, `EACCES`), without the right to
    /// (`EPERM`), or when the directory is none (`ENOENT`, `ENOTDIR`).
    pub fn open(disk: &SimFs, options: &MountOptions, output: Output) -> io::Result<Self> {
        let at = absolute(&options.at)?;
        let options = MountOptions { at, ..options.clone() };
        let notifier = Arc::new(OnceLock::new());
        let limits = (options.owner, options.memory);
        let shared = Arc::new(Shared::new(disk, limits, output, Arc::downgrade(&notifier)));
        let served = Served {
            shared: Arc::clone(&shared),
            _notifier: Arc::clone(&notifier),
            listings: Mutex::new(Listings::default()),
            direct: false,
            synced: Mutex::new(BTreeSet::new()),
        };
        let (session, attached) = attach(served, &options)?;
        // From here on only the session keeps it.
        let _ = notifier.set(session.notifier());
        drop(notifier);
        let (end, ended) = channel();
        let served_ends = end.clone();
        let (at, cpu) = (options.at.clone(), options.cpu);
        // A thread is in the mount namespace of the one that starts it, so it can unmount wherever the
        // mount is closed.
        let keeper = thread::Builder::new().name("plugpull-mount".to_owned());
        let keeper =
            keeper.spawn(move || keep(session, attached, &at, cpu, (served_ends, &ended)))?;
        let mount = Self { at: options.at, shared, end, keeper: Some(keeper) };
        mount.refuse_flushes()?;
        Ok(mount)
    }

    /// The file each of whose lines is a Mark.
    pub fn marks_path(&self) -> PathBuf {
        self.at.join(Special::Marks.name())
    }

    /// The file for a program's standard output: each line is a Mark, and all of it is handed on. To be
    /// opened for appending, as shells do for `>>`.
    pub fn stdout_path(&self) -> PathBuf {
        self.at.join(Special::Stdout.name())
    }

    /// From now on calls fail as this plan says. A rule's path begins with `/`, the root of the mount.
    ///
    /// A write with `O_DSYNC` or `O_SYNC` is two calls, `WriteAt` or `Append`, and then `SyncData` or
    /// `SyncAll`: when only that fails, the bytes are written and the program gets the error. A call for
    /// more than a megabyte comes as several. Truncating, also when a file is opened, and fallocate(2) are
    /// `SetLen`. One thread serves, so a slow call holds up all others. After a planned power cut all calls
    /// return `EIO`, and neither they nor Marks are recorded.
    ///
    /// Fails (`InvalidInput`) when a rule's fault cannot happen to calls through a mount: SIGKILL would hit
    /// this process, the kernel takes `ENOSYS` for good, and old sectors are not kept. Fails
    /// (`AlreadyExists`) when there is a plan already.
    pub fn inject(&self, faults: Arc<Faults>) -> io::Result<()> {
        let injected = Injected::new(faults)?;
        let set = self.shared.injected.set(injected);
        set.map_err(|_| {
            io::Error::new(io::ErrorKind::AlreadyExists, "the mount has a plan already")
        })
    }

    /// One rule more for the plan, which there must be; else `NotFound`. Fails as [`Self::inject`] does.
    pub fn add_fault(&self, rule: FaultRule) -> io::Result<()> {
        match self.shared.injected.get() {
            Some(injected) => injected.add(rule),
            None => Err(io::Error::new(io::ErrorKind::NotFound, "the mount has no plan")),
        }
    }

    /// What programs asked for since there is a plan; one without rules only counts.
    pub fn calls(&self) -> Calls {
        self.shared.injected.get().map(Injected::calls).unwrap_or_default()
    }

    /// What the mount saw so far.
    pub fn seen(&self) -> Seen {
        self.shared.seen().clone()
    }

    /// Unmounts; a line without an end becomes a Mark. Programs that use the mount still get errors
    /// from now on, and what they do is not recorded. Fails when unmounting or serving did, for example
    /// with a panic of `output`.
    pub fn close(mut self) -> io::Result<Seen> {
        self.finish()?;
        Ok(self.seen())
    }

    /// Lets the kernel learn that no close is told of (`FUSE_FLUSH`), as long as somebody answers: it
    /// waits for that answer where no signal reaches, so that a process with a copy of our device would
    /// wait for ever for its own once the serving thread is gone.
    #[expect(clippy::disallowed_methods, reason = "a file of the mount, which no store is over")]
    fn refuse_flushes(&self) -> io::Result<()> {
        std::fs::File::options().append(true).open(self.marks_path()).map(drop)
    }

    fn finish(&mut self) -> io::Result<()> {
        let Some(keeper) = self.keeper.take() else { return Ok(()) };
        // If nobody listens, the keeper has ended already.
        let _ = self.end.send(End::Asked);
        let kept = keeper.join().unwrap_or_else(|_| Err(io::Error::other("the mount panicked")));
        if self.shared.has_power().is_ok() {
            self.shared.marks.finish(&self.shared.disk);
        }
        kept
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = self.finish();
    }
}

/// Why a mount ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It is to be closed.
    Asked,
    /// The serving thread has ended, in order or not.
    Served,
}

/// Tells when it goes that the serving thread has ended, also when it panics.
struct TellsEnd(Sender<End>);

impl Drop for TellsEnd {
    fn drop(&mut self) {
        // The keeper may have ended before.
        let _ = self.0.send(End::Served);
    }
}

/// Runs the serving thread until it is to end, then takes the mount away.
fn keep(
    session: Session<Served>,
    attached: Attached,
    at: &Path,
    cpu: Option<usize>,
    (ends, end): (Sender<End>, &Receiver<End>),
) -> io::Result<()> {
    let (tell, served) = channel();
    let serve = move || {
        let _tells = TellsEnd(ends);
        let pinned = cpu.map_or(Ok(()), pin);
        // When it panics the device is closed, and all who wait for an answer get an error.
        let _ = tell.send(pinned.and_then(|()| session.run()));
    };
    let thread = thread::Builder::new().name("plugpull-serve".to_owned()).spawn(serve);
    let mut is_served = thread.is_ok();
    // Ends as well when the mount is dropped without a word. While nobody serves it any more it stays in
    // its place: programs get errors there, and not the directory below it.
    while thread.is_ok() && end.recv() == Ok(End::Served) {
        is_served = false;
    }
    attached.detach(at, is_served)?;
    thread?;
    match served.recv_timeout(PATIENCE) {
        Ok(ended) => ended,
        Err(RecvTimeoutError::Disconnected) => Err(io::Error::other("the serving thread panicked")),
        Err(RecvTimeoutError::Timeout) => {
            Err(io::Error::new(io::ErrorKind::TimedOut, "the serving thread does not end"))
        }
    }
}

/// Lets the calling thread, and those it starts, run on one CPU only.
fn pin(cpu: usize) -> io::Result<()> {
    let mut cpus = CpuSet::new();
    cpus.set(cpu)?;
    Ok(sched_setaffinity(Pid::from_raw(0), &cpus)?)
}

#[expect(clippy::disallowed_methods, reason = "a mount point is no file of a store")]
fn absolute(path: &Path) -> io::Result<PathBuf> {
    std::fs::canonicalize(path)
}
