//! Which disks are mounted where others can see them, and where their control sockets are: the kernel's own
//! list has both, so that nothing else can be out of date.
//!
//! Not for mounts that nobody else sees (`namespace`).
#![expect(
    clippy::disallowed_methods,
    reason = "the kernel's files and mount points, not a store's"
)]

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use crate::exit::Failure;

/// What mounts of ours are called, up to the path of their socket.
const PREFIX: &str = "plugpull:";

/// The file system's type, as the kernel lists it.
const KIND: &str = "fuse.plugpull";

/// A disk that somebody can talk to, or could.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Over which directory.
    pub(crate) at: PathBuf,
    /// Where its control socket is.
    pub(crate) socket: PathBuf,
}

/// What is at a directory.
pub(crate) enum Place {
    /// Nothing of ours.
    Free,
    /// A disk whose plugpull runs.
    Kept(Listed),
    /// A disk whose plugpull was killed: whoever uses it gets errors.
    LeftBehind(Listed),
}

impl Listed {
    /// What a mount with this socket is called.
    pub(crate) fn name(socket: &Path) -> String {
        format!("{PREFIX}{}", socket.display())
    }

    /// Whether its plugpull is gone. It is looked at only if nobody listens: one that is stopped would not
    /// answer either.
    fn is_left_behind(&self) -> bool {
        let deaf = UnixStream::connect(&self.socket).err().map(|e| e.kind());
        let is_deaf =
            matches!(deaf, Some(io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound));
        // The attributes the kernel knows by itself; a listing it has to ask for.
        let listed = || fs::read_dir(&self.at).err().and_then(|e| e.raw_os_error());
        is_deaf
            && listed().is_some_and(|e| {
                matches!(Errno::from_raw(e), Errno::ENOTCONN | Errno::ECONNABORTED)
            })
    }

    /// How to get rid of it.
    pub(crate) fn mend(&self) -> String {
        let at = self.at.display();
        if nix::unistd::geteuid().is_root() {
            format!("umount -l {at}")
        } else {
            format!("fusermount3 -uz {at} (or sudo umount -l {at})")
        }
    }

    /// The refusal to use a directory that has one.
    pub(crate) fn left_behind(&self) -> Failure {
        Failure::Machine(format!(
            "the disk over {} was left behind by a plugpull that was killed; {}, then mount it again",
            self.at.display(),
            self.mend()
        ))
    }
}

/// All disks whose plugpull was killed.
pub(crate) fn left_behind() -> Vec<Listed> {
    let listed = listed().unwrap_or_default();
    listed.into_iter().filter(Listed::is_left_behind).collect()
}

/// What is at a directory, and its path.
pub(crate) fn place_of(dir: &Path) -> Result<(PathBuf, Place), Failure> {
    let system = |e| Failure::system(format!("find out what is mounted at {}", dir.display()), e);
    let at = absolute(dir).map_err(system)?;
    // What was mounted last is what is seen.
    let found = listed().map_err(system)?.into_iter().rfind(|listed| listed.at == at);
    let place = match found {
        None => Place::Free,
        Some(listed) if listed.is_left_behind() => Place::LeftBehind(listed),
        Some(listed) => Place::Kept(listed),
    };
    Ok((at, place))
}

/// A path without symbolic links. The last name stays as it is where it cannot be looked at, as at the place of
/// a disk that was left behind.
fn absolute(dir: &Path) -> io::Result<PathBuf> {
    let whole = std::path::absolute(dir)?;
    if let Ok(found) = fs::canonicalize(&whole) {
        return Ok(found);
    }
    match (whole.parent().map(fs::canonicalize), whole.file_name()) {
        (Some(Ok(above)), Some(name)) => Ok(above.join(name)),
        _ => Ok(whole),
    }
}

fn listed() -> io::Result<Vec<Listed>> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    Ok(mounts.lines().filter_map(parse).collect())
}

/// A line of the list (proc(5)): `36 35 0:98 / /mnt rw - fuse.plugpull plugpull:/tmp/socket rw`.
fn parse(line: &str) -> Option<Listed> {
    let (mount, system) = line.split_once(" - ")?;
    let at = unescape(mount.split(' ').nth(4)?);
    let mut system = system.split(' ');
    if system.next() != Some(KIND) {
        return None;
    }
    let socket = unescape(system.next()?.strip_prefix(PREFIX)?);
    Some(Listed { at, socket })
}

/// Spaces and the like are three octal digits behind a backslash.
fn unescape(text: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.map(|digits| u8::from_str_radix(digits, 8)) {
            Some(Ok(byte)) if *first == b'\\' => {
                bytes.push(byte);
                rest = &after[3..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    OsString::from_vec(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_of_ours_is_found_in_the_kernels_list() {
        let line = "99 26 0:50 / /tmp/my\\040data rw,nosuid shared:1 - fuse.plugpull \
                    plugpull:/run/a\\040b.sock rw,user_id=0";
        let listed = Listed { at: "/tmp/my data".into(), socket: "/run/a b.sock".into() };
        assert_eq!(parse(line), Some(listed));
        for other in [
            "26 1 8:1 / / rw - ext4 /dev/vda rw",
            "99 26 0:50 / /tmp/data rw - fuse.plugpull plugpull rw",
            "99 26 0:50 / /tmp/data rw - fuse.sshfs plugpull:/run/a rw",
            "",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
