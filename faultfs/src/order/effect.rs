//! Effects: the smallest changes that can persist by themselves, as values put into an image and
//! taken out again.
//!
//! A change says what its place holds before and after. Changes of one place follow each other, so
//! the last one that survived decides, and taking the last one out shows the one before. Not for the
//! question which effects may survive together: that is the order's.

use std::fmt;
use std::ops::{Deref, DerefMut, Range};
use std::sync::Arc;

use crate::{Attributes, DiskImage, Entry, Inode, PAGE, Page};

/// The number of an effect: they are numbered in the order of their Ops.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EffectId(pub u32);

impl EffectId {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Debug for EffectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "e{}", self.0)
    }
}

/// A crash point that never comes.
pub(super) const NEVER: u32 = u32::MAX;

/// The smallest change that can persist by itself.
#[derive(Clone, Debug)]
pub struct Effect {
    /// The event of the trace that made it.
    pub event: u32,
    /// What it changes, all at once.
    pub changes: Changes,
    /// What it cannot survive without, as long as that can survive at all: bytes whose write-back
    /// failed are waited for no longer.
    pub(super) needs: Vec<EffectId>,
    /// From this crash point on it survives for certain.
    pub(super) durable_from: u32,
    /// From this crash point on it cannot survive.
    pub(super) gone_from: u32,
    /// Whether it is metadata that a journal commit takes along.
    pub(super) journaled: bool,
    /// Whether it is bytes in the page cache, which a failed fsync may lose.
    pub(super) data: bool,
}

impl Effect {
    /// From which crash point on it survives for certain; `None` if no barrier makes it durable.
    pub fn durable_from(&self) -> Option<u32> {
        (self.durable_from != NEVER).then_some(self.durable_from)
    }

    /// From which crash point on it is decided whether it survives.
    pub(super) fn settled_from(&self) -> u32 {
        match (self.durable_from, self.gone_from) {
            (NEVER, point) | (point, NEVER) => point,
            (durable, gone) => durable.max(gone),
        }
    }

    pub(super) fn names(&self, inode: Inode) -> bool {
        self.entries().any(|(_, _, after)| after == Some(inode))
    }

    /// Whether it changes the length of a file.
    pub(super) fn resizes(&self) -> bool {
        self.changes.iter().any(|change| matches!(change, Change::Len { .. }))
    }

    /// Whether it takes pages away.
    pub(super) fn cuts(&self) -> bool {
        !self.data && self.changes.iter().any(|change| matches!(change, Change::Page { .. }))
    }

    /// Whether it changes bytes of the pages that a range touches.
    pub(super) fn touches(&self, range: &Range<u64>) -> bool {
        let pages = pages_of(range.start, range.end - range.start);
        self.changes.iter().any(|change| match change {
            Change::Page { index, .. } => pages.contains(index),
            Change::Bytes { offset, .. } => pages.contains(&(offset / PAGE as u64)),
            _ => false,
        })
    }

    /// Whether it changes nothing but attributes.
    pub(super) fn is_attributes(&self) -> bool {
        self.changes.iter().all(|change| matches!(change, Change::Attributes { .. }))
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (&Entry, Option<Inode>, Option<Inode>)> {
        self.changes.iter().filter_map(|change| match change {
            Change::Name { at, before, after } => Some((at, *before, *after)),
            _ => None,
        })
    }

    pub(crate) fn apply(&self, image: &mut DiskImage) {
        for change in self.changes.iter() {
            change.put(image, Side::After);
        }
    }

    /// Takes the effect out again, where nothing that needs it is in the image.
    pub(crate) fn undo(&self, image: &mut DiskImage) {
        for change in self.changes.iter().rev() {
            change.put(image, Side::Before);
        }
    }
}

/// Some changes. Nearly all effects have one, and runs have millions of effects: it is kept in place.
#[derive(Clone, Debug)]
pub struct Changes(Few);

#[derive(Clone, Debug)]
enum Few {
    One(Change),
    Any(Vec<Change>),
}

impl From<Vec<Change>> for Changes {
    fn from(mut changes: Vec<Change>) -> Self {
        match (changes.pop(), changes.is_empty()) {
            (Some(one), true) => Self(Few::One(one)),
            (last, _) => {
                changes.extend(last);
                Self(Few::Any(changes))
            }
        }
    }
}

impl From<Change> for Changes {
    fn from(change: Change) -> Self {
        Self(Few::One(change))
    }
}

impl Changes {
    pub(super) fn push(&mut self, change: Change) {
        let mut changes = match std::mem::replace(&mut self.0, Few::Any(Vec::new())) {
            Few::One(one) => vec![one],
            Few::Any(changes) => changes,
        };
        changes.push(change);
        self.0 = Few::Any(changes);
    }
}

impl Deref for Changes {
    type Target = [Change];

    fn deref(&self) -> &[Change] {
        match &self.0 {
            Few::One(one) => std::slice::from_ref(one),
            Few::Any(changes) => changes,
        }
    }
}

impl DerefMut for Changes {
    fn deref_mut(&mut self) -> &mut [Change] {
        match &mut self.0 {
            Few::One(one) => std::slice::from_mut(one),
            Few::Any(changes) => changes,
        }
    }
}

/// What one place of the disk holds before and after.
#[derive(Clone, Debug)]
pub enum Change {
    /// What a name leads to.
    Name {
        /// The name.
        at: Entry,
        /// Before.
        before: Option<Inode>,
        /// After.
        after: Option<Inode>,
    },
    /// A page of a file; `None` is a hole.
    Page {
        /// The file.
        inode: Inode,
        /// Which page.
        index: u64,
        /// Before.
        before: Option<Arc<Page>>,
        /// After.
        after: Option<Arc<Page>>,
    },
    /// Some bytes of one page of a file. Whole pages that have them are kept, as these are in memory
    /// anyway: such changes are the smallest and by far the most.
    Bytes {
        /// The file.
        inode: Inode,
        /// Where they begin.
        offset: u64,
        /// How many they are.
        len: u32,
        /// A page with the bytes before; `None` has zeros.
        before: Option<Arc<Page>>,
        /// A page with the bytes after.
        after: Option<Arc<Page>>,
    },
    /// The length of a file in bytes.
    Len {
        /// The file.
        inode: Inode,
        /// Before.
        before: u64,
        /// After.
        after: u64,
    },
    /// Mode, modification time and extended attributes.
    Attributes {
        /// The file or directory.
        inode: Inode,
        /// Before.
        before: Box<Attributes>,
        /// After.
        after: Box<Attributes>,
    },
}

#[derive(Clone, Copy)]
enum Side {
    Before,
    After,
}

impl Side {
    fn of<'v, T: ?Sized>(self, before: &'v T, after: &'v T) -> &'v T {
        match self {
            Self::Before => before,
            Self::After => after,
        }
    }
}

impl Change {
    fn put(&self, image: &mut DiskImage, side: Side) {
        match self {
            Self::Name { at, before, after } => {
                image.set_entry(at.dir, &at.name, *side.of(before, after));
            }
            Self::Page { inode, index, before, after } => {
                image.set_page(*inode, *index, side.of(before, after).clone());
            }
            Self::Bytes { inode, offset, len, before, after } => {
                put_part(image, *inode, *offset, *len, side.of(before, after).as_ref());
            }
            Self::Len { inode, before, after } => {
                put_len(image, *inode, *side.of(before, after));
            }
            Self::Attributes { inode, before, after } => {
                image.set_attributes(*inode, (**side.of(before, after)).clone());
            }
        }
    }

    /// Puts bytes that the disk held anyway into what it holds before and after.
    pub(super) fn fill(&mut self, at: u64, fill: &[u8]) {
        match self {
            Self::Page { index, before, after, .. } => {
                let start = *index * PAGE as u64;
                for page in [before, after] {
                    fill_part(page, start..start.saturating_add(PAGE as u64), at, fill);
                }
            }
            Self::Bytes { offset, len, before, after, .. } => {
                for page in [before, after] {
                    fill_part(page, *offset..*offset + u64::from(*len), at, fill);
                }
            }
            _ => {}
        }
    }
}

/// Sets a length and leaves the bytes beyond it: what takes them away is a change of its own, and they
/// are seen again when the length is put back or taken out.
fn put_len(image: &mut DiskImage, inode: Inode, len: u64) {
    if len >= image.len(inode) {
        image.set_len(inode, len);
        return;
    }
    let beyond = image.pages_from(inode, len / PAGE as u64);
    let beyond: Vec<_> = beyond.map(|(index, page)| (index, page.clone())).collect();
    image.set_len(inode, len);
    for (index, page) in beyond {
        image.set_page(inode, index, Some(page));
    }
}

/// Copies what of `fill`, which begins at `at`, lies in a part of one page. The page may be shared, and is
/// made anew only where that changes it.
fn fill_part(page: &mut Option<Arc<Page>>, part: Range<u64>, at: u64, fill: &[u8]) {
    let start = part.start.max(at);
    let end = part.end.min(at + fill.len() as u64);
    if start >= end {
        return;
    }
    let fill = &fill[usize_of(start - at)..usize_of(end - at)];
    let in_page = usize_of(start % PAGE as u64);
    let is_there = |page: &Arc<Page>| page.bytes()[in_page..in_page + fill.len()] == *fill;
    if !page.as_ref().is_some_and(is_there) {
        fill_page(page, start - start % PAGE as u64, start, fill);
    }
}

fn fill_page(page: &mut Option<Arc<Page>>, start: u64, at: u64, fill: &[u8]) {
    let mut bytes = page.as_ref().map_or([0; PAGE], |page| page.bytes().into_owned());
    overlay(&mut bytes, start, at, fill);
    *page = Some(Arc::new(Page::from(bytes)));
}

/// Copies the part of `from`, which begins at `from_start`, that lies in `to`, which begins at
/// `to_start`.
pub(super) fn overlay(to: &mut [u8], to_start: u64, from_start: u64, from: &[u8]) {
    let start = to_start.max(from_start);
    let end = (to_start + to.len() as u64).min(from_start + from.len() as u64);
    if start < end {
        let count = usize_of(end - start);
        let (to_at, from_at) = (usize_of(start - to_start), usize_of(start - from_start));
        to[to_at..to_at + count].copy_from_slice(&from[from_at..from_at + count]);
    }
}

/// Puts bytes wherever the file's length is; beyond it they are hidden.
pub(super) fn put_bytes(image: &mut DiskImage, inode: Inode, offset: u64, bytes: &[u8]) {
    for index in pages_of(offset, bytes.len() as u64) {
        let mut page = image.page(inode, index).cloned();
        fill_page(&mut page, index * PAGE as u64, offset, bytes);
        image.set_page(inode, index, page);
    }
}

/// Puts some bytes of a page, hidden or not. Where the page becomes the one that they are from, it is
/// that one: pages that a program wrote are then in memory once, whatever is put together from them.
fn put_part(image: &mut DiskImage, inode: Inode, offset: u64, len: u32, from: Option<&Arc<Page>>) {
    let (index, at) = (offset / PAGE as u64, usize_of(offset % PAGE as u64));
    let there = image.page(inode, index);
    if let (Some(there), Some(from)) = (there, from)
        && Arc::ptr_eq(there, from)
    {
        return;
    }
    let mut bytes = there.map_or([0; PAGE], |page| page.bytes().into_owned());
    let part = &mut bytes[at..at + len as usize];
    match from {
        Some(page) => part.copy_from_slice(&page.bytes()[at..at + len as usize]),
        None => part.fill(0),
    }
    let page = Page::from(bytes);
    let page = from.filter(|from| ***from == page).cloned().unwrap_or_else(|| Arc::new(page));
    image.set_page(inode, index, Some(page));
}

/// Whether two pages have the same bytes in a part of theirs.
pub(super) fn same_part(
    one: Option<&Arc<Page>>,
    other: Option<&Arc<Page>>,
    part: Range<usize>,
) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(page), None) | (None, Some(page)) => page.bytes()[part].iter().all(|byte| *byte == 0),
        (Some(one), Some(other)) => {
            Arc::ptr_eq(one, other) || one.bytes()[part.clone()] == other.bytes()[part]
        }
    }
}

/// A range, cut at the ends of its pages.
pub(super) fn parts_of(range: Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let pages = pages_of(range.start, range.end - range.start);
    pages.map(move |index| {
        let start = index * PAGE as u64;
        start.max(range.start)..start.saturating_add(PAGE as u64).min(range.end)
    })
}

/// The pages that a range touches.
pub(super) fn pages_of(offset: u64, len: u64) -> Range<u64> {
    let page = PAGE as u64;
    if len == 0 { 0..0 } else { offset / page..(offset + len).div_ceil(page) }
}

/// Lengths of what lies in memory.
pub(super) fn usize_of(len: u64) -> usize {
    usize::try_from(len).expect("what is in memory has a length that fits")
}

#[cfg(test)]
#[path = "effect_tests.rs"]
mod tests;
