//! One page of file bytes with its hash: the unit of sharing between images.
//!
//! Its bytes are in memory, or still in the file that they were found in. Not for partial pages: the
//! bytes of a page that lie beyond a file's length are the file's affair.

use std::borrow::Cow;
use std::sync::Arc;

use super::base::BaseFile;
use super::hash;

/// Bytes per page: that of the page cache on the machines whose crashes are modelled.
pub const PAGE: usize = 4096;

/// A page that knows its hash, so that putting a known page into another image hashes no byte.
#[derive(Clone)]
pub struct Page {
    bytes: Bytes,
    hash: u128,
}

#[derive(Clone)]
enum Bytes {
    Here(Box<[u8; PAGE]>),
    There(There),
}

/// A page of a file of the start directory.
#[derive(Clone)]
struct There {
    file: Arc<BaseFile>,
    index: u64,
    /// Whether the hash is that of the bytes; until they are read for it, it stands for the place.
    resolved: bool,
}

impl There {
    fn offset(&self) -> u64 {
        self.index.saturating_mul(PAGE as u64)
    }

    fn read(&self) -> [u8; PAGE] {
        let mut bytes = [0; PAGE];
        self.file.read(&mut bytes, self.offset());
        bytes
    }

    /// Whether the file ends so early that zeros begin here at the latest.
    fn ends_before(&self, at: usize) -> bool {
        self.file.len().saturating_sub(self.offset()) <= at as u64
    }
}

impl Page {
    /// A page that begins with `bytes` and goes on with zeros.
    ///
    /// # Panics
    ///
    /// If there are more than [`PAGE`] bytes.
    pub fn new(bytes: &[u8]) -> Self {
        assert!(bytes.len() <= PAGE, "{} bytes do not fit into a page", bytes.len());
        let mut page = Box::new([0; PAGE]);
        page[..bytes.len()].copy_from_slice(bytes);
        Self { hash: hash::page(&page), bytes: Bytes::Here(page) }
    }

    /// A page of a file, which is not read for it.
    pub(super) fn there(file: &Arc<BaseFile>, index: u64) -> Self {
        let (device, inode) = file.id();
        let there = There { file: Arc::clone(file), index, resolved: false };
        Self { hash: hash::placeholder(device, inode, index), bytes: Bytes::There(there) }
    }

    /// The bytes. Those of a page that is still in its file are read anew each time: the kernel's page
    /// cache is the only one (see [`DiskImage::check_base`](super::DiskImage::check_base)).
    pub fn bytes(&self) -> Cow<'_, [u8; PAGE]> {
        match &self.bytes {
            Bytes::Here(bytes) => Cow::Borrowed(bytes),
            Bytes::There(there) => Cow::Owned(there.read()),
        }
    }

    /// Whether these are its bytes. Where they are still in their file and their hash is known, they are
    /// told by that and not read.
    pub fn holds(&self, bytes: &[u8; PAGE]) -> bool {
        match &self.bytes {
            Bytes::There(there) if there.resolved => self.hash == hash::page(bytes),
            _ => *self.bytes() == *bytes,
        }
    }

    /// Copies a part of the page, which must lie inside it.
    pub(super) fn copy_to(&self, at: usize, part: &mut [u8]) {
        match &self.bytes {
            Bytes::Here(bytes) => part.copy_from_slice(&bytes[at..at + part.len()]),
            Bytes::There(there) => there.file.read(part, there.offset() + at as u64),
        }
    }

    /// Overwrites a part of the page.
    ///
    /// # Panics
    ///
    /// If the part does not lie inside the page.
    pub fn overwrite(&mut self, at: usize, bytes: &[u8]) {
        if let Bytes::There(there) = &self.bytes {
            self.bytes = Bytes::Here(Box::new(there.read()));
        }
        if let Bytes::Here(page) = &mut self.bytes {
            page[at..at + bytes.len()].copy_from_slice(bytes);
            self.hash = hash::page(page);
        }
    }

    /// Whether the bytes are in memory.
    pub(super) fn is_here(&self) -> bool {
        matches!(self.bytes, Bytes::Here(_))
    }

    /// Where the bytes are, if the hash does not know them yet.
    pub(super) fn unresolved(&self) -> Option<(&Arc<BaseFile>, u64)> {
        match &self.bytes {
            Bytes::There(there) if !there.resolved => Some((&there.file, there.index)),
            _ => None,
        }
    }

    /// The page with the hash of its bytes, which were read; `None` if these are zeros.
    pub(super) fn resolved(&self, bytes: &[u8; PAGE]) -> Option<Self> {
        let hash = hash::page(bytes);
        let mut page = Self { bytes: self.bytes.clone(), hash };
        if let Bytes::There(there) = &mut page.bytes {
            there.resolved = true;
        }
        (hash != 0).then_some(page)
    }

    /// Whether there are only zeros from `at` on. Reads a page in its file only where its length does
    /// not tell.
    pub(super) fn is_zero_from(&self, at: usize) -> bool {
        match &self.bytes {
            _ if at == PAGE => true,
            Bytes::Here(bytes) => is_zero(&bytes[at..]),
            Bytes::There(there) if there.ends_before(at) => true,
            Bytes::There(there) if there.resolved && at == 0 => self.hash == 0,
            Bytes::There(there) => is_zero(&there.read()[at..]),
        }
    }

    /// The hash of the page as if it held zeros from `visible` on.
    pub(super) fn hash_up_to(&self, visible: usize) -> u128 {
        if visible == 0 {
            0
        } else if self.is_zero_from(visible) {
            self.hash
        } else {
            Self::new(&self.bytes()[..visible]).hash
        }
    }
}

/// Whether all bytes (at most a page) are zero.
pub(super) fn is_zero(bytes: &[u8]) -> bool {
    *bytes == [0; PAGE][..bytes.len()]
}

impl From<[u8; PAGE]> for Page {
    fn from(bytes: [u8; PAGE]) -> Self {
        Self { hash: hash::page(&bytes), bytes: Bytes::Here(Box::new(bytes)) }
    }
}

/// By the bytes, which are not read where the place or the hashes tell.
impl PartialEq for Page {
    fn eq(&self, other: &Self) -> bool {
        if let (Bytes::There(a), Bytes::There(b)) = (&self.bytes, &other.bytes)
            && (Arc::ptr_eq(&a.file, &b.file) && a.index == b.index)
        {
            return true;
        }
        let known = self.unresolved().is_none() && other.unresolved().is_none();
        (!known || self.hash == other.hash) && self.bytes() == other.bytes()
    }
}

impl Eq for Page {}

impl std::fmt::Debug for Page {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Page({:032x})", self.hash)
    }
}
