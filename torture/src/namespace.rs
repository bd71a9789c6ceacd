//! A mount namespace of our own: what is mounted in it nobody else sees, and it goes when we end,
//! however we end.
//!
//! Not for isolation: a program in it sees and changes everything else as before.

use std::io;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getgid, getuid};

use crate::exit::Failure;

/// How far this process may mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Namespace {
    /// In a mount namespace of its own, as root.
    Root,
    /// In a mount namespace of its own, inside a user namespace of its own.
    User,
    /// Only with the help of fusermount3, where everybody sees it.
    None,
}

impl Namespace {
    /// Whether we have a mount namespace of our own.
    pub fn is_own(self) -> bool {
        self != Self::None
    }
}

/// Enters a mount namespace of its own, if the machine lets us. The process must have one thread: the
/// kernel gives no user namespace to more (`unshare(2)`).
pub fn enter() -> Result<Namespace, Failure> {
    let namespace = match unshare(CloneFlags::CLONE_NEWNS) {
        Ok(()) => Namespace::Root,
        Err(_) => match enter_user() {
            Ok(()) => Namespace::User,
            Err(_) => return Ok(Namespace::None),
        },
    };
    make_private().map_err(|e| Failure::system("make mounts private", e.into()))?;
    Ok(namespace)
}

/// A mount namespace and a working directory for the calling thread alone. Needs `CAP_SYS_ADMIN`, which
/// [`enter`] gives in a user namespace.
pub fn enter_thread() -> io::Result<()> {
    unshare(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWNS)?;
    Ok(make_private()?)
}

/// The same for a thread of a process that may go without: how far the thread may mount from now on.
pub fn of_thread() -> Namespace {
    match enter_thread() {
        Ok(()) if getuid().is_root() => Namespace::Root,
        Ok(()) => Namespace::User,
        Err(_) => Namespace::None,
    }
}

/// No mount made here reaches another namespace.
fn make_private() -> Result<(), Errno> {
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
}

/// A user namespace in which we are who we are outside: programs see their usual user, and we may
/// mount.
fn enter_user() -> io::Result<()> {
    let (uid, gid) = (getuid(), getgid());
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)?;
    // Without this the kernel refuses a map of groups to the unprivileged: user_namespaces(7).
    write("/proc/self/setgroups", "deny")?;
    write("/proc/self/uid_map", &format!("{uid} {uid} 1"))?;
    write("/proc/self/gid_map", &format!("{gid} {gid} 1"))
}

#[expect(clippy::disallowed_methods, reason = "the kernel's files, not a store's")]
fn write(path: &str, text: &str) -> io::Result<()> {
    std::fs::write(path, text)
}
