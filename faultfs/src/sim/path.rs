//! Finding what a path leads to, as path_resolution(7) says.

use std::collections::VecDeque;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use nix::errno::Errno;

use super::fail;
use crate::{DiskImage, Entry, FileKind, Inode};

/// Longest name of a directory entry, in bytes.
pub(super) const NAME_MAX: usize = 255;

/// Longest path, in bytes, without the NUL that a system call adds.
const PATH_MAX: usize = 4095;

/// Symbolic links followed in one resolution (path_resolution(7)).
const MAX_LINKS: u32 = 40;

/// Where a path's last component is, and what is there.
pub(super) struct Place {
    /// Its directory and name; the name is empty when the last component is none.
    pub(super) entry: Entry,
    pub(super) last: Last,
    found: Option<Inode>,
}

/// What a path ends with. Only a name can be made, removed or moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Last {
    Name,
    /// A name longer than an entry can hold: an error only when it is looked up.
    TooLong,
    Dot,
    DotDot,
    Root,
}

impl Last {
    pub(super) fn is_name(self) -> bool {
        matches!(self, Self::Name | Self::TooLong)
    }
}

impl Place {
    /// Resolves all but the last component; that one is looked up and not followed.
    pub(super) fn find(image: &DiskImage, path: &Path) -> io::Result<Self> {
        walk(image, path, false)
    }

    /// What is there, if anything.
    pub(super) fn found(&self) -> io::Result<Option<Inode>> {
        if self.last == Last::TooLong { fail(Errno::ENAMETOOLONG) } else { Ok(self.found) }
    }

    /// What is there, which must be something.
    pub(super) fn existing(&self) -> io::Result<Inode> {
        self.found()?.ok_or_else(|| Errno::ENOENT.into())
    }

    fn nameless(dir: Inode, last: Last) -> Self {
        Self { entry: Entry { dir, name: Arc::from([]) }, found: Some(dir), last }
    }
}

/// The inode that a path leads to, with all symbolic links followed.
pub(super) fn follow(image: &DiskImage, path: &Path) -> io::Result<Inode> {
    walk(image, path, true)?.existing()
}

/// The inode at a path of plain directories and a plain name, which may lie near the one before;
/// `None` for everything that needs a closer look, and for what does not exist.
pub(super) fn plain(image: &DiskImage, path: &Path, near: &mut Near) -> Option<Inode> {
    let path = path.as_os_str().as_bytes();
    let cut = path.iter().rposition(|byte| *byte == b'/')?;
    let (dir, name) = (&path[..cut], &path[cut + 1..]);
    if path.len() > PATH_MAX || !is_plain(name) {
        return None;
    }
    let inode = image.lookup(near.go_to(image, dir)?, name)?;
    (image.kind(inode) != Some(FileKind::Symlink)).then_some(inode)
}

fn is_plain(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..") && name.len() <= NAME_MAX
}

/// The directory in which something was found last, and those on the way to it: the next thing is
/// often looked for beside them. No longer true after any change of a name.
#[derive(Default)]
pub(super) struct Near {
    path: Vec<u8>,
    /// Where in the path each directory's name ends, and its inode.
    dirs: Vec<(usize, Inode)>,
}

impl Near {
    /// The directory at `path`, by way of the last directory that is above both.
    fn go_to(&mut self, image: &DiskImage, path: &[u8]) -> Option<Inode> {
        let same = self.path.iter().zip(path).take_while(|(one, other)| one == other).count();
        let is_above = |end: usize| end <= same && path.get(end).is_none_or(|byte| *byte == b'/');
        while self.dirs.pop_if(|(end, _)| !is_above(*end)).is_some() {}
        let (mut end, mut inode) = self.dirs.last().copied().unwrap_or((0, DiskImage::ROOT));
        self.path.truncate(end);
        self.path.extend_from_slice(&path[end..]);
        for name in path[end..].split(|byte| *byte == b'/') {
            if !name.is_empty() {
                // What is no directory has no entries.
                inode = image.lookup(inode, name).filter(|_| is_plain(name))?;
                self.dirs.push((end + name.len(), inode));
            }
            end += name.len() + 1;
        }
        Some(inode)
    }
}

fn walk(image: &DiskImage, path: &Path, follow_last: bool) -> io::Result<Place> {
    let path = path.as_os_str().as_bytes();
    if path.is_empty() {
        return fail(Errno::ENOENT);
    }
    if path.len() > PATH_MAX {
        return fail(Errno::ENAMETOOLONG);
    }
    let mut rest: VecDeque<Vec<u8>> = parts(path).collect();
    // A relative path starts at the root, too: this disk has no working directory.
    let mut dir = DiskImage::ROOT;
    let mut links = 0;
    while let Some(name) = rest.pop_front() {
        let last = rest.is_empty();
        match name.as_slice() {
            b"." if last => return Ok(Place::nameless(dir, Last::Dot)),
            b"." => continue,
            b".." => {
                dir = image.parent(dir).unwrap_or(DiskImage::ROOT);
                if last {
                    return Ok(Place::nameless(dir, Last::DotDot));
                }
                continue;
            }
            _ if name.len() > NAME_MAX && !last => return fail(Errno::ENAMETOOLONG),
            _ if name.len() > NAME_MAX => {
                let entry = Entry { dir, name: Arc::from(name) };
                return Ok(Place { entry, last: Last::TooLong, found: None });
            }
            _ => {}
        }
        let found = image.lookup(dir, &name);
        match found.and_then(|inode| image.kind(inode).map(|kind| (inode, kind))) {
            Some((inode, FileKind::Symlink)) if !last || follow_last => {
                links += 1;
                if links > MAX_LINKS {
                    return fail(Errno::ELOOP);
                }
                let target = image.symlink_target(inode).unwrap_or_default();
                if target.starts_with(b"/") {
                    dir = DiskImage::ROOT;
                }
                let target: Vec<_> = parts(target).collect();
                for part in target.into_iter().rev() {
                    rest.push_front(part);
                }
            }
            _ if last => {
                let entry = Entry { dir, name: Arc::from(name) };
                return Ok(Place { entry, last: Last::Name, found });
            }
            Some((inode, FileKind::Dir)) => dir = inode,
            Some(_) => return fail(Errno::ENOTDIR),
            None => return fail(Errno::ENOENT),
        }
    }
    Ok(Place::nameless(dir, Last::Root))
}

/// The components of a path. Empty ones mean nothing; so does a slash at the end, after which the
/// kernel wants a directory.
fn parts(path: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    path.split(|byte| *byte == b'/').filter(|part| !part.is_empty()).map(<[u8]>::to_vec)
}
