//! What this machine allows of mounting, found by trying.
//!
//! Not for mending it, and the trial leaves nothing behind: it is made in a mount namespace of its own.
#![expect(clippy::disallowed_methods, reason = "looks at the machine, not at a store")]

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::thread;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getgid, getuid};

use super::{Mount, MountHelper, MountOptions};
use crate::SimFs;

/// Where fusermount is looked for: a distribution's own first, since others may lack its rights.
const FUSERMOUNTS: [&str; 5] = [
    "/usr/bin/fusermount3",
    "/bin/fusermount3",
    "/usr/local/bin/fusermount3",
    "/usr/bin/fusermount",
    "/bin/fusermount",
];

/// The set-user-id bit.
const SET_USER: u32 = 0o4000;

/// What was found.
#[derive(Debug)]
pub struct Probe {
    /// Whether `/dev/fuse` can be opened, and if not, why.
    pub dev_fuse: io::Result<()>,
    /// The program that mounts for those who may not.
    pub fusermount: Option<Fusermount>,
    /// Whether mounting worked, and then, whether each write call can be recorded as it was made (see
    /// `Seen::direct_mmap`).
    pub direct_mmap: io::Result<bool>,
    /// The release of the kernel, as `uname -r` tells it.
    pub kernel: String,
}

/// A program that mounts for those who may not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fusermount {
    /// Where it is.
    pub path: PathBuf,
    /// Whether it has root's rights, without which it is of no use.
    pub setuid: bool,
}

/// Tries what this machine allows.
pub fn probe() -> Probe {
    let dev_fuse = fs::File::options().read(true).write(true).open("/dev/fuse");
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let trial = thread::spawn(trial).join();
    Probe {
        dev_fuse: dev_fuse.map(drop),
        fusermount: fusermount(),
        direct_mmap: trial.unwrap_or_else(|_| Err(io::Error::other("the trial mount panicked"))),
        kernel: kernel.trim().to_owned(),
    }
}

fn fusermount() -> Option<Fusermount> {
    FUSERMOUNTS.iter().find_map(|path| {
        let found = fs::metadata(path).ok()?;
        let setuid = found.permissions().mode() & SET_USER != 0;
        Some(Fusermount { path: path.into(), setuid })
    })
}

/// Mounts an empty disk in a namespace of the running thread's own.
fn trial() -> io::Result<bool> {
    unshare(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWNS)?;
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>)?;
    let at = std::env::temp_dir().join(format!(".plugpull-probe-{}", std::process::id()));
    fs::create_dir(&at)?;
    let options = MountOptions {
        at: at.clone(),
        cpu: None,
        memory: 0,
        owner: (getuid().as_raw(), getgid().as_raw()),
        helper: MountHelper::Direct,
        allow_other: false,
        name: MountOptions::NAME.to_owned(),
        check_permissions: false,
    };
    let seen = Mount::open(&SimFs::new(), &options, Box::new(|_| {})).and_then(Mount::close);
    fs::remove_dir(&at)?;
    Ok(seen?.direct_mmap)
}
