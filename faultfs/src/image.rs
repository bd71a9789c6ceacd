//! The file tree a disk holds at one moment: the value that a simulated disk changes and that each
//! crash state yields.
//!
//! A [`DiskImage`] is cheap to copy (both copies share everything until one is changed), knows its
//! hash at any time, and tells by paths in what it differs from another. Thousands of neighbouring
//! crash states therefore cost their differences, and equal ones are recognised without a look at
//! their files.
//!
//! # What it is not for
//!
//! No permissions, no POSIX rules, no errno, no handles, no clock: the caller decides what a call
//! means and makes raw changes here. Two rules only hold always, because without them there is no
//! tree: a directory has at most one name, and a node is inserted before it is used. Breaking a
//! caller's duty of that kind (an unknown inode, bytes of a directory) panics, and is a bug of
//! ours.

mod base;
mod changes;
mod diff;
mod directory;
mod file;
mod hash;
mod node;
mod page;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use imbl::{OrdMap, OrdSet};

pub use changes::ChangedEntry;
pub use diff::{Difference, Differs};
pub use hash::ImageHash;
pub use page::{PAGE, Page};

/// The identity of a node, which paths and handles are not. Chosen by the caller, never reused by
/// the image itself.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize,
)]
pub struct Inode(pub u64);

/// Extended attributes: full names (`user.color`) and their values.
pub type Xattrs = BTreeMap<Vec<u8>, Arc<[u8]>>;

/// What a node carries beside its content.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attributes {
    /// Permission bits (the lower 12 bits of `st_mode`). Linux has none for symbolic links, so
    /// theirs neither counts nor is written out.
    pub mode: u32,
    /// When the content last changed. Kept for the program, but no part of an image's identity.
    pub modified: SystemTime,
    /// Shared, because most changes of attributes leave them alone.
    pub xattrs: Arc<Xattrs>,
}

impl Attributes {
    /// These permission bits, last changed at the epoch, without extended attributes.
    pub fn new(mode: u32) -> Self {
        Self { mode, modified: SystemTime::UNIX_EPOCH, xattrs: Arc::default() }
    }
}

/// The file tree of a disk: a value, whose clone is O(1) and unaffected by later changes.
///
/// # Identity
///
/// Nodes are addressed by [`Inode`], as a disk does, but two images are equal when a program that
/// walks them cannot tell them apart: by names, kinds, bytes, lengths, modes, extended attributes,
/// link targets, and by which names lead to one file. Inode numbers, the order of the changes,
/// nodes that no name leads to, and whether zeros are stored or are a hole do not count.
///
/// Modification times do not count either. Every crash point has other times, so states that
/// recovery treats alike would all look new; a recovery that decides by times is out of scope.
///
/// # Bytes that stay on disk
///
/// Those of large files need not be in memory: [`Self::read_in_lazily`] leaves them in their files,
/// which must not change as long as the image or one made from it is used ([`Self::check_base`]). Until
/// [`Self::resolve`] has read them, such an image's hash tells it from others but is not its identity.
///
/// # Bytes beyond the length
///
/// A disk may hold data that its file's size does not cover yet, because data and size persist
/// separately. [`Self::set_page`] therefore stores a page wherever it is put. What lies at or
/// beyond the length is *hidden*: no read, hash, comparison or write-out sees it. When the length
/// grows, by whatever call, the hidden bytes it then covers appear; so a data effect and a size
/// effect give the same file in either order. When the length shrinks, bytes beyond the new one are
/// gone for good. A kernel never shows hidden bytes again once it has the file after the crash, so
/// [`Self::discard_hidden`] ends the application of a crash state.
#[derive(Clone)]
pub struct DiskImage {
    nodes: OrdMap<Inode, node::NodeRef>,
    /// The sum of the terms of all nodes that a path leads to.
    sum: u128,
    /// Files that may hold bytes beyond their length; one without is looked at in vain, no more.
    hidden: OrdSet<Inode>,
    /// The files in which pages may still lie.
    base: Arc<Vec<Arc<base::BaseFile>>>,
}

impl Default for DiskImage {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for DiskImage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DiskImage({}, {} nodes)", self.hash(), self.nodes.len())
    }
}
