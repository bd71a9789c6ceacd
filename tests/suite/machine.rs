//! What only some machines allow: mounting, and being somebody else.
//!
//! A test that needs more than it has says "not measured" and ends; with `PLUGPULL_REQUIRE_ALL=1`,
//! which CI sets, it fails instead, so that nothing is skipped unseen.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use tempfile::TempDir;

/// The user that owns nothing.
pub(crate) const NOBODY: u32 = 65_534;

/// The device that FUSE is: misc, and its number there (devices.txt of the kernel's documentation).
const FUSE: (u64, u64) = (10, 229);

/// Says that something was not measured, or fails where everything must be.
#[track_caller]
pub(crate) fn not_measured<T>(why: &str) -> Option<T> {
    assert!(
        std::env::var_os("PLUGPULL_REQUIRE_ALL").is_none_or(|all| all != "1"),
        "not measured, and PLUGPULL_REQUIRE_ALL=1: {why}"
    );
    eprintln!("not measured: {why}");
    None
}

/// Whether a simulated disk can be mounted here.
#[track_caller]
pub(crate) fn may_mount() -> bool {
    let may = is_root() && Path::new("/dev/fuse").exists();
    may || not_measured::<()>("mounting needs root and /dev/fuse").is_some()
}

pub(crate) fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Puts a `/dev/fuse` with this mode, made at this path, in the place of the machine's, for the calling thread and
/// what it starts.
pub(crate) fn bring_fuse(node: &Path, mode: u32) {
    unshare(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWNS).unwrap();
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
    mknod(node, SFlag::S_IFCHR, Mode::empty(), makedev(FUSE.0, FUSE.1)).unwrap();
    set_mode(node, mode);
    mount(Some(node), "/dev/fuse", None::<&str>, MsFlags::MS_BIND, None::<&str>).unwrap();
}

/// A small tmpfs of its own; unmounted on drop.
pub(crate) struct Tmpfs(TempDir);

impl Tmpfs {
    /// Mounts one with these options (tmpfs(5)); `None` when this machine does not let us.
    #[track_caller]
    pub(crate) fn mount(options: &str) -> Option<Self> {
        let dir = TempDir::new().unwrap();
        let mounted =
            mount(Some("tmpfs"), dir.path(), Some("tmpfs"), MsFlags::empty(), Some(options));
        match mounted {
            Ok(()) => Some(Self(dir)),
            Err(errno) => not_measured(&format!("mounting a tmpfs needs root: {errno}")),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = umount2(self.0.path(), MntFlags::MNT_DETACH);
    }
}

/// The program where another user can start it, and that user.
pub(crate) struct Nobody {
    dir: TempDir,
}

impl Nobody {
    /// `None` when this process cannot become somebody else.
    #[track_caller]
    pub(crate) fn new() -> Option<Self> {
        if !is_root() {
            return not_measured("becoming another user needs root");
        }
        let dir = TempDir::new().unwrap();
        let nobody = Self { dir };
        std::fs::copy(crate::program::PLUGPULL, nobody.program()).unwrap();
        open_to_all(nobody.dir.path());
        open_to_all(&nobody.program());
        Some(nobody)
    }

    fn program(&self) -> PathBuf {
        self.dir.path().join("plugpull")
    }

    /// The program, started as that user.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(self.program());
        command.uid(NOBODY).gid(NOBODY);
        command
    }
}

/// Lets everybody read, list and execute.
pub(crate) fn open_to_all(path: &Path) {
    set_mode(path, 0o755);
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}
