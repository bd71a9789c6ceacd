//! Making a mount and taking it away, also when processes still use it.
//!
//! Not for serving it. Mounts belong to the mount namespace of the thread that makes them, so the one
//! that made it, or a child of that, must take it away.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::thread;
use std::time::Duration;

use fuser::{Config, MountOption, Session, SessionACL, SessionUnmounter};
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{getgid, getuid};

use super::handles::Served;
use super::{MountHelper, MountOptions};

/// How often a mount that is busy is tried again: programs that ended may be closing their files.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(5);

/// Who takes the mount away.
pub(super) enum Attached {
    /// We, as we made it.
    Direct,
    /// A program, where only that may.
    Helped(SessionUnmounter),
}

/// Makes the mount and agrees with the kernel how to talk.
pub(super) fn attach(
    served: Served,
    options: &MountOptions,
) -> io::Result<(Session<Served>, Attached)> {
    match options.helper {
        MountHelper::Direct => {
            let device = direct(options)?;
            let config = Config::default();
            let session = Session::from_fd(served, device, SessionACL::All, config);
            match session {
                Ok(session) => Ok((session, Attached::Direct)),
                Err(e) => {
                    let _ = umount2(&options.at, MntFlags::MNT_DETACH);
                    Err(e)
                }
            }
        }
        MountHelper::Fusermount => {
            let acl = if options.allow_other { SessionACL::All } else { SessionACL::Owner };
            let mount_options = vec![
                MountOption::FSName(options.name.clone()),
                MountOption::Subtype(MountOptions::NAME.to_owned()),
                MountOption::DefaultPermissions,
            ];
            let mut config = Config::default();
            config.mount_options = mount_options;
            config.acl = acl;
            let mut session = Session::new(served, &options.at, &config)?;
            let unmounter = session.unmount_callable();
            Ok((session, Attached::Helped(unmounter)))
        }
    }
}

/// The mount(2) of FUSE (fuse.rst of the kernel's documentation, "Mount options").
#[expect(clippy::disallowed_methods, reason = "the device is no file of a store")]
fn direct(options: &MountOptions) -> io::Result<OwnedFd> {
    let device = File::options().read(true).write(true).open("/dev/fuse")?;
    let mut data = format!(
        "fd={},rootmode=40000,user_id={},group_id={}",
        device.as_raw_fd(),
        getuid(),
        getgid()
    );
    if options.allow_other {
        data.push_str(",allow_other");
    }
    // Root may do everything, and the checks cost a request for each change of a directory; so where
    // root mounts for itself, other users are not held to permissions either.
    if options.check_permissions || !getuid().is_root() {
        data.push_str(",default_permissions");
    }
    let flags = MsFlags::MS_NODEV | MsFlags::MS_NOSUID;
    mount(
        Some(options.name.as_str()),
        &options.at,
        Some("fuse.plugpull"),
        flags,
        Some(data.as_str()),
    )?;
    Ok(device.into())
}

impl Attached {
    /// Takes the mount away. What uses it still gets errors from now on.
    pub(super) fn detach(self, at: &Path, is_served: bool) -> io::Result<()> {
        let connection = connection(at);
        match self {
            // Nobody would answer the questions of an orderly unmount.
            Self::Direct if !is_served => force(at)?,
            Self::Direct => unmount(at)?,
            Self::Helped(mut unmounter) => unmounter.unmount()?,
        }
        connection.map_or(Ok(()), abort)
    }
}

/// Ends a connection that could only be taken out of sight. There is none any more as a rule.
#[expect(clippy::disallowed_methods, reason = "what is in /sys is no file of a store")]
fn abort(connection: u32) -> io::Result<()> {
    let file = format!("/sys/fs/fuse/connections/{connection}/abort");
    match File::options().write(true).open(file) {
        Ok(mut file) => file.write_all(b"1"),
        Err(_) => Ok(()),
    }
}

fn unmount(at: &Path) -> io::Result<()> {
    for _ in 0..TRIES {
        match umount2(at, MntFlags::UMOUNT_NOFOLLOW) {
            Err(Errno::EBUSY) => thread::sleep(PAUSE),
            // Somebody else unmounted it.
            Err(Errno::EINVAL) => return Ok(()),
            done => return Ok(done?),
        }
    }
    force(at)
}

/// Aborts the connection (umount(2): `MNT_FORCE`), then takes the mount out of sight.
fn force(at: &Path) -> io::Result<()> {
    match umount2(at, MntFlags::MNT_FORCE | MntFlags::MNT_DETACH) {
        Err(Errno::EPERM) => Ok(umount2(at, MntFlags::MNT_DETACH)?),
        // Somebody else unmounted it.
        Err(Errno::EINVAL) => Ok(()),
        done => Ok(done?),
    }
}

/// The number of the connection: the minor device number of what is mounted there last (proc(5)).
fn connection(at: &Path) -> Option<u32> {
    let at = at.to_str()?;
    let mounts = mounts().ok()?;
    let here = mounts.lines().rfind(|line| line.split(' ').nth(4) == Some(at))?;
    here.split(' ').nth(2)?.strip_prefix("0:")?.parse().ok()
}

#[expect(clippy::disallowed_methods, reason = "what is in /proc is no file of a store")]
fn mounts() -> io::Result<String> {
    match fs::read_to_string("/proc/thread-self/mountinfo") {
        Err(e) if e.kind() == ErrorKind::NotFound => fs::read_to_string("/proc/self/mountinfo"),
        mounts => mounts,
    }
}
