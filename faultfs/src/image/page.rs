//! One page of file bytes with its hash: the unit of sharing between images.
//!
//! Not for partial pages: the bytes of a page that lie beyond a file's length are the file's
//! affair.

use std::ops::Deref;

use super::hash;

/// Bytes per page: that of the page cache on the machines whose crashes are modelled.
pub const PAGE: usize = 4096;

/// A page that knows its hash, so that putting a known page into another image hashes no byte.
#[derive(Clone)]
pub struct Page {
    bytes: [u8; PAGE],
    hash: u128,
}

impl Page {
    /// A page that begins with `bytes` and goes on with zeros.
    ///
    /// # Panics
    ///
    /// If there are more than [`PAGE`] bytes.
    pub fn new(bytes: &[u8]) -> Self {
        assert!(bytes.len() <= PAGE, "{} bytes do not fit into a page", bytes.len());
        let mut page = [0; PAGE];
        page[..bytes.len()].copy_from_slice(bytes);
        Self::from(page)
    }

    /// Overwrites a part of the page.
    ///
    /// # Panics
    ///
    /// If the part does not lie inside the page.
    pub fn overwrite(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        self.hash = hash::page(&self.bytes);
    }

    /// The hash of the page as if it held zeros from `visible` on.
    pub(super) fn hash_up_to(&self, visible: usize) -> u128 {
        let (seen, rest) = self.bytes.split_at(visible);
        if seen.is_empty() {
            0
        } else if is_zero(rest) {
            self.hash
        } else {
            Self::new(seen).hash
        }
    }
}

/// Whether all bytes (at most a page) are zero.
pub(super) fn is_zero(bytes: &[u8]) -> bool {
    *bytes == [0; PAGE][..bytes.len()]
}

impl From<[u8; PAGE]> for Page {
    fn from(bytes: [u8; PAGE]) -> Self {
        Self { hash: hash::page(&bytes), bytes }
    }
}

impl Deref for Page {
    type Target = [u8; PAGE];

    fn deref(&self) -> &[u8; PAGE] {
        &self.bytes
    }
}

impl PartialEq for Page {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Page {}

impl std::fmt::Debug for Page {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Page({:032x})", self.hash)
    }
}
