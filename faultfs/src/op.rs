//! Ops: the calls that can change the disk, with everything needed to make them again.
//!
//! An Op speaks of inodes, never of paths or open files: a path may lead elsewhere by the time the
//! change reaches the disk. Only calls that succeeded are Ops, and syncs that failed: what these drop no
//! later barrier makes durable. Not for reads, locks and look-ups.

use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::time;
use crate::{Attributes, DiskImage, Inode, Page};

/// A place for a name: the directory and the name in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Entry {
    /// The directory.
    pub dir: Inode,
    /// The name, without slashes.
    pub name: Arc<[u8]>,
}

/// One change, or one barrier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op {
    /// A new regular file with a name.
    Create {
        /// Its name.
        at: Entry,
        /// The new file.
        inode: Inode,
        /// Its permission bits.
        mode: u32,
    },
    /// A new directory.
    Mkdir {
        /// Its name.
        at: Entry,
        /// The new directory.
        inode: Inode,
        /// Its permission bits.
        mode: u32,
    },
    /// A new symbolic link.
    Symlink {
        /// Its name.
        at: Entry,
        /// The new link.
        inode: Inode,
        /// Where it leads, as it was given.
        target: Arc<[u8]>,
    },
    /// A further name of a file.
    Link {
        /// The file.
        inode: Inode,
        /// Its new name.
        at: Entry,
    },
    /// A name of a file is gone.
    Unlink {
        /// The name.
        at: Entry,
        /// The file that had it.
        inode: Inode,
    },
    /// An empty directory is gone.
    Rmdir {
        /// Its name.
        at: Entry,
        /// The directory.
        inode: Inode,
    },
    /// A file or directory has another name.
    Rename {
        /// The file or directory.
        inode: Inode,
        /// Its old name.
        from: Entry,
        /// Its new name.
        to: Entry,
        /// What had the new name before: gone, or exchanged to the old name.
        replaced: Option<Inode>,
        /// Whether the two changed places (`RENAME_EXCHANGE`).
        exchange: bool,
    },
    /// Bytes were written.
    Write {
        /// The file.
        inode: Inode,
        /// Where, in bytes from its start.
        offset: u64,
        /// What.
        bytes: Arc<[u8]>,
    },
    /// A file was cut or extended.
    SetLen {
        /// The file.
        inode: Inode,
        /// Its new length in bytes.
        len: u64,
    },
    /// Permission bits were set.
    SetMode {
        /// The file.
        inode: Inode,
        /// The bits.
        mode: u32,
    },
    /// The modification time was set.
    SetModified {
        /// The file.
        inode: Inode,
        /// The time.
        #[serde(with = "time")]
        time: SystemTime,
    },
    /// Barrier of a file's content and size (fdatasync).
    SyncData {
        /// The file.
        inode: Inode,
    },
    /// Barrier of a file with its attributes, or of a directory's entries (fsync).
    SyncAll {
        /// The file or directory.
        inode: Inode,
    },
    /// A sync that made nothing durable (see `FsyncFailure`). The caller was told, or, on ext4 with
    /// journaled data, will be by its next sync.
    SyncFailed {
        /// The file.
        inode: Inode,
        /// Whether the bytes written to the file since its last barrier will not reach the disk by any
        /// later one. A page that is written again goes there as a whole, with what it held.
        drops: bool,
        /// What the file shows from now on, where the failure took changes back.
        reverted: Option<Reverted>,
    },
    /// An extended attribute was set or removed.
    SetXattr {
        /// The file or directory.
        inode: Inode,
        /// Its full name (`user.color`).
        name: Arc<[u8]>,
        /// Its value; none if it is gone.
        value: Option<Arc<[u8]>>,
    },
    /// Bytes that a program stored through a memory map reached the file system. When it stored them is
    /// not known: at some time since the last barrier of the file, in any order among each other.
    WriteBack {
        /// The file.
        inode: Inode,
        /// Where, in bytes from its start.
        offset: u64,
        /// What.
        bytes: Arc<[u8]>,
    },
    /// Barrier of a part of a file: what a write with `O_DSYNC` or `O_SYNC` does after it (open(2)).
    SyncRange {
        /// The file.
        inode: Inode,
        /// Where the part begins.
        offset: u64,
        /// How long it is.
        len: u64,
        /// Whether the attributes are durable as well (`O_SYNC`).
        all: bool,
    },
    /// Barrier of everything that was changed before it, by whomever (syncfs).
    SyncFs,
}

/// A file that went back to what was synced last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reverted {
    /// Its length in bytes.
    pub len: u64,
    /// The pages below that length which changed: index, and bytes without the zeros at the end.
    pub pages: Vec<(u64, Arc<[u8]>)>,
}

impl Op {
    /// Makes the change on an image, with nothing lost. `time` becomes the modification time of what is
    /// changed. The image must be the one the Op was recorded on, or have the same inodes.
    pub fn apply(&self, image: &mut DiskImage, time: SystemTime) {
        match self {
            Self::Create { at, inode, mode } => {
                image.insert_file(*inode, new_attributes(*mode, time));
                enter(image, at, *inode, time);
            }
            Self::Mkdir { at, inode, mode } => {
                image.insert_dir(*inode, new_attributes(*mode, time));
                enter(image, at, *inode, time);
            }
            Self::Symlink { at, inode, target } => {
                image.insert_symlink(*inode, target.to_vec(), new_attributes(LINK_MODE, time));
                enter(image, at, *inode, time);
            }
            Self::Link { inode, at } => enter(image, at, *inode, time),
            Self::Unlink { at, .. } | Self::Rmdir { at, .. } => leave(image, at, time),
            Self::Rename { inode, from, to, replaced, exchange } => {
                match replaced.filter(|_| *exchange) {
                    Some(other) => enter(image, from, other, time),
                    None => leave(image, from, time),
                }
                enter(image, to, *inode, time);
            }
            Self::Write { inode, offset, bytes } | Self::WriteBack { inode, offset, bytes } => {
                image.write(*inode, bytes, *offset);
                touch(image, *inode, time);
            }
            Self::SetLen { inode, len } => {
                image.set_len(*inode, *len);
                touch(image, *inode, time);
            }
            Self::SetMode { inode, mode } => change(image, *inode, |a| a.mode = *mode),
            Self::SetXattr { inode, name, value } => change(image, *inode, |attributes| {
                let xattrs = Arc::make_mut(&mut attributes.xattrs);
                match value {
                    Some(value) => drop(xattrs.insert(name.to_vec(), Arc::clone(value))),
                    None => drop(xattrs.remove(&**name)),
                }
            }),
            Self::SetModified { inode, time } => touch(image, *inode, *time),
            Self::SyncFailed { inode, reverted: Some(reverted), .. } => {
                image.set_len(*inode, reverted.len);
                for (index, bytes) in &reverted.pages {
                    let page = (!bytes.is_empty()).then(|| Arc::new(Page::new(bytes)));
                    image.set_page(*inode, *index, page);
                }
            }
            Self::SyncData { .. }
            | Self::SyncAll { .. }
            | Self::SyncRange { .. }
            | Self::SyncFs
            | Self::SyncFailed { .. } => {}
        }
    }

    /// How many bytes it takes to keep, about.
    pub(crate) fn weight(&self) -> u64 {
        let bytes = match self {
            Self::Write { bytes, .. } | Self::WriteBack { bytes, .. } => bytes.len(),
            Self::Symlink { target, .. } => target.len(),
            Self::SetXattr { name, value, .. } => {
                name.len() + value.as_ref().map_or(0, |v| v.len())
            }
            _ => 0,
        };
        bytes as u64 + size_of::<Self>() as u64
    }

    /// Whether paths may lead elsewhere after it.
    pub fn changes_names(&self) -> bool {
        matches!(
            self,
            Self::Create { .. }
                | Self::Mkdir { .. }
                | Self::Symlink { .. }
                | Self::Link { .. }
                | Self::Unlink { .. }
                | Self::Rmdir { .. }
                | Self::Rename { .. }
        )
    }

    /// Whether it makes others durable instead of changing something.
    pub fn is_barrier(&self) -> bool {
        matches!(
            self,
            Self::SyncData { .. } | Self::SyncAll { .. } | Self::SyncRange { .. } | Self::SyncFs
        )
    }
}

/// What stat shows as the mode of a symbolic link.
const LINK_MODE: u32 = 0o777;

fn new_attributes(mode: u32, modified: SystemTime) -> Attributes {
    Attributes { modified, ..Attributes::new(mode) }
}

fn enter(image: &mut DiskImage, at: &Entry, inode: Inode, time: SystemTime) {
    image.set_entry(at.dir, &at.name, Some(inode));
    touch(image, at.dir, time);
}

fn leave(image: &mut DiskImage, at: &Entry, time: SystemTime) {
    image.set_entry(at.dir, &at.name, None);
    touch(image, at.dir, time);
}

fn touch(image: &mut DiskImage, inode: Inode, time: SystemTime) {
    change(image, inode, |attributes| attributes.modified = time);
}

fn change(image: &mut DiskImage, inode: Inode, change: impl FnOnce(&mut Attributes)) {
    if let Some(mut attributes) = image.attributes(inode).cloned() {
        change(&mut attributes);
        image.set_attributes(inode, attributes);
    }
}
