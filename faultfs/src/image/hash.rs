//! How an image is hashed: what counts, and how it is mixed.
//!
//! An image's hash is a sum (modulo 2^128) of one well-mixed term for each node that a path leads
//! to. A sum does not depend on order, and a change subtracts the old term and adds the new one, so
//! the hash is kept up to date in O(changed). A term mixes the node's kind, content and attributes
//! with its *place*: the sum of the hashes of all its paths. Two names of one file give one term
//! with two paths, two equal files give two terms, so that hard links count without a word about
//! inodes. In the same way a file's content is a sum over its pages, each mixed with its index.
//!
//! Not for adversaries: XXH3 and sums can be made to collide on purpose. By chance, among n states,
//! it happens with a probability of about n^2 / 2^129.

use std::fmt;

use xxhash_rust::xxh3::{xxh3_128, xxh3_128_with_seed};

use super::Xattrs;
use super::page::{PAGE, is_zero};

/// The identity of an image; see the module for what counts. The same on every machine and in every
/// version that does not say otherwise in the changelog, as the XXH3 algorithm is frozen.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ImageHash(pub u128);

impl fmt::Display for ImageHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// The place of the root: any fixed number will do.
pub(super) const ROOT_PLACE: u128 = 0x706c_7567_7075_6c6c;

/// What a mix is about, so that no two sorts of things can have the same one.
#[derive(Clone, Copy)]
pub(super) enum Domain {
    Page = 1,
    Path,
    Xattr,
    File,
    Dir,
    Symlink,
    There,
}

/// Mixes numbers in their order.
pub(super) fn mix<const N: usize>(domain: Domain, parts: [u128; N]) -> u128 {
    xxh3_128_with_seed(parts.map(u128::to_le_bytes).as_flattened(), domain as u64)
}

/// Any bytes.
pub(super) fn bytes(bytes: &[u8]) -> u128 {
    xxh3_128(bytes)
}

/// A page's bytes; 0 for zeros, as they must count like a hole.
pub(super) fn page(bytes: &[u8; PAGE]) -> u128 {
    if is_zero(bytes) { 0 } else { xxh3_128(bytes) }
}

/// Stands for a page that was not read yet: where it is, on this machine.
pub(super) fn placeholder(device: u64, inode: u64, index: u64) -> u128 {
    mix(Domain::There, [device, inode, index].map(u128::from))
}

/// A page's share of its file's sum.
pub(super) fn page_at(index: u64, page: u128) -> u128 {
    if page == 0 { 0 } else { mix(Domain::Page, [u128::from(index), page]) }
}

/// A name in the directory at `place`.
pub(super) fn path(place: u128, name: &[u8]) -> u128 {
    mix(Domain::Path, [place, bytes(name)])
}

/// All extended attributes of a node; 0 for none.
pub(super) fn xattrs(xattrs: &Xattrs) -> u128 {
    let terms = xattrs.iter().map(|(name, value)| mix(Domain::Xattr, [bytes(name), bytes(value)]));
    terms.fold(0, u128::wrapping_add)
}
