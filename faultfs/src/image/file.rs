//! The bytes of files: pages, a length, and the sum of the page hashes.
//!
//! Not for attributes or names. [`DiskImage`] says what bytes beyond the length mean.

use std::collections::BTreeSet;
use std::sync::Arc;

use imbl::OrdMap;

use super::base::{BaseFile, RUN};
use super::hash;
use super::node::{Body, Node};
use super::page::{PAGE, Page};
use super::{DiskImage, Inode};

const PAGE_LEN: u64 = PAGE as u64;

/// The bytes of one file.
#[derive(Clone, Default)]
pub(super) struct Content {
    pages: OrdMap<u64, Arc<Page>>,
    len: u64,
    /// The sum of the visible pages' hashes.
    sum: u128,
}

impl Content {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// All visible bytes; the length is to be mixed in beside it, as holes at the end add nothing.
    pub(super) fn sum(&self) -> u128 {
        self.sum
    }

    pub(super) fn pages(&self) -> &OrdMap<u64, Arc<Page>> {
        &self.pages
    }

    /// How many bytes of a page lie below the length.
    pub(super) fn visible(&self, index: u64) -> usize {
        let below = self.len.saturating_sub(index.saturating_mul(PAGE_LEN));
        usize::try_from(below).map_or(PAGE, |below| below.min(PAGE))
    }

    /// Fills `buf` from `offset` as far as the file goes; absent pages read as zeros.
    pub(super) fn read(&self, buf: &mut [u8], offset: u64) -> usize {
        let left = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let count = left.min(buf.len());
        let mut rest = &mut buf[..count];
        let mut offset = offset;
        while !rest.is_empty() {
            let (index, at) = locate(offset);
            let (now, later) = rest.split_at_mut(rest.len().min(PAGE - at));
            match self.pages.get(&index) {
                Some(page) => page.copy_to(at, now),
                None => now.fill(0),
            }
            offset += now.len() as u64;
            rest = later;
        }
        count
    }

    /// Writes at `offset`, extending the length when needed; nothing to write extends nothing.
    pub(super) fn write(&mut self, bytes: &[u8], offset: u64) {
        if bytes.is_empty() {
            return;
        }
        let end = offset.checked_add(bytes.len() as u64);
        let end = end.expect("a file ends below 2^64 bytes");
        if end > self.len {
            self.set_len(end);
        }
        let mut rest = bytes;
        let mut offset = offset;
        while !rest.is_empty() {
            let (index, at) = locate(offset);
            let (now, later) = rest.split_at(rest.len().min(PAGE - at));
            self.exchange(index, |pages| match pages.get_mut(&index) {
                Some(page) if now.len() < PAGE => Arc::make_mut(page).overwrite(at, now),
                Some(page) => *page = Arc::new(Page::new(now)),
                None => {
                    let mut page = Page::new(&[]);
                    page.overwrite(at, now);
                    pages.insert(index, Arc::new(page));
                }
            });
            offset += now.len() as u64;
            rest = later;
        }
    }

    /// Puts or removes a page wherever the length is; says whether some of it is hidden.
    pub(super) fn set_page(&mut self, index: u64, page: Option<Arc<Page>>) -> bool {
        let visible = self.visible(index);
        let hides = page.as_ref().is_some_and(|page| !page.is_zero_from(visible));
        self.exchange(index, |pages| match page {
            Some(page) => drop(pages.insert(index, page)),
            None => drop(pages.remove(&index)),
        });
        hides
    }

    /// Cuts or extends; extending shows what was hidden.
    pub(super) fn set_len(&mut self, len: u64) {
        if len < self.len {
            self.sum = self.sum.wrapping_sub(self.sum_from(len / PAGE_LEN));
            self.len = len;
            self.discard_hidden();
            self.sum = self.sum.wrapping_add(self.sum_from(len / PAGE_LEN));
        } else {
            let first = self.len / PAGE_LEN;
            self.sum = self.sum.wrapping_sub(self.sum_from(first));
            self.len = len;
            self.sum = self.sum.wrapping_add(self.sum_from(first));
        }
    }

    /// Forgets all bytes beyond the length; nothing visible changes.
    pub(super) fn discard_hidden(&mut self) {
        let (last, visible) = locate(self.len);
        let first_gone = if visible == 0 { last } else { last + 1 };
        if first_gone == 0 {
            self.pages = OrdMap::new();
            return;
        }
        let gone: Vec<u64> = self.pages.range(first_gone..).map(|(index, _)| *index).collect();
        for index in gone {
            self.pages.remove(&index);
        }
        if visible > 0
            && let Some(page) = self.pages.get(&last)
            && !page.is_zero_from(visible)
        {
            let cut = Arc::new(Page::new(&page.bytes()[..visible]));
            self.pages.insert(last, cut);
        }
    }

    /// Gives all pages the hashes of their bytes, reading those that were not read yet into `buf`, which
    /// has [`RUN`] bytes.
    pub(super) fn resolve(&mut self, buf: &mut [u8]) {
        let mut next = 0;
        while let Some(run) = self.unresolved(next) {
            let (bytes, _) = buf.split_at_mut(run.pages * PAGE);
            run.file.read(bytes, run.at.saturating_mul(PAGE_LEN));
            for (index, bytes) in (run.first..).zip(bytes.as_chunks().0) {
                let page = self.pages.get(&index).and_then(|page| page.resolved(bytes));
                self.set_page(index, page.map(Arc::new));
            }
            next = run.first.saturating_add(run.pages as u64);
        }
    }

    /// The next pages from `from` on that lie in one file, one behind the other, and were not read yet.
    fn unresolved(&self, from: u64) -> Option<Run> {
        let mut found: Option<Run> = None;
        for (index, page) in self.pages.range(from..) {
            match (&mut found, page.unresolved()) {
                (None, None) => {}
                (None, Some((file, at))) => {
                    found = Some(Run { first: *index, file: Arc::clone(file), at, pages: 1 });
                }
                (Some(run), Some((file, at))) if run.goes_on(*index, file, at) => run.pages += 1,
                (Some(_), _) => break,
            }
        }
        found
    }

    /// Changes one page and keeps the sum.
    fn exchange(&mut self, index: u64, change: impl FnOnce(&mut OrdMap<u64, Arc<Page>>)) {
        let before = self.page_term(index);
        change(&mut self.pages);
        self.sum = self.sum.wrapping_sub(before).wrapping_add(self.page_term(index));
    }

    fn page_term(&self, index: u64) -> u128 {
        self.pages.get(&index).map_or(0, |page| self.term(index, page))
    }

    fn term(&self, index: u64, page: &Page) -> u128 {
        hash::page_at(index, page.hash_up_to(self.visible(index)))
    }

    /// The sum of the pages from `first` to the length.
    fn sum_from(&self, first: u64) -> u128 {
        let pages = self.pages.range(first..=self.len / PAGE_LEN);
        pages.map(|(index, page)| self.term(*index, page)).fold(0, u128::wrapping_add)
    }

    /// The sum made anew, by reading.
    #[cfg(test)]
    pub(super) fn rehash(&self) -> u128 {
        let mut sum = 0u128;
        for index in 0..self.len.div_ceil(PAGE_LEN) {
            let mut page = [0; PAGE];
            self.read(&mut page, index * PAGE_LEN);
            sum = sum.wrapping_add(hash::page_at(index, hash::page(&page)));
        }
        sum
    }
}

/// Pages that can be read at once.
struct Run {
    /// The index of the first one.
    first: u64,
    file: Arc<BaseFile>,
    /// The index of the first one in the file it lies in.
    at: u64,
    pages: usize,
}

impl Run {
    fn goes_on(&self, index: u64, file: &Arc<BaseFile>, at: u64) -> bool {
        let pages = self.pages as u64;
        let behind = index == self.first + pages && at == self.at + pages;
        behind && Arc::ptr_eq(file, &self.file) && self.pages < RUN / PAGE
    }
}

impl DiskImage {
    /// The length of a file, or of a symbolic link's target; 0 for everything else.
    pub fn len(&self, inode: Inode) -> u64 {
        self.node(inode).map_or(0, Node::len)
    }

    /// Fills `buf` from `offset` as far as the file goes, and says how far that was. Holes read as
    /// zeros; what is no file has no bytes.
    pub fn read(&self, inode: Inode, buf: &mut [u8], offset: u64) -> usize {
        self.file(inode).map_or(0, |content| content.read(buf, offset))
    }

    /// Writes all bytes at `offset`. Extends the length when needed; the times stay.
    #[track_caller]
    pub fn write(&mut self, inode: Inode, bytes: &[u8], offset: u64) {
        self.change(inode, |node| node.content().write(bytes, offset));
    }

    /// A page of a file, as it was put, hidden or not; `None` for a hole.
    pub fn page(&self, inode: Inode, index: u64) -> Option<&Arc<Page>> {
        self.file(inode)?.pages().get(&index)
    }

    /// All pages of a file that are no holes, also hidden ones, by index.
    pub fn pages(&self, inode: Inode) -> impl Iterator<Item = (u64, &Arc<Page>)> {
        let pages = self.file(inode).into_iter().flat_map(|content| content.pages().iter());
        pages.map(|(index, page)| (*index, page))
    }

    /// How many pages a file has that are no holes.
    #[cfg(feature = "fuse")]
    pub(crate) fn page_count(&self, inode: Inode) -> usize {
        self.file(inode).map_or(0, |content| content.pages().len())
    }

    /// The pages in which a file differs from what it is in `other`; also pages that only one of the two
    /// has, and hidden ones. Lengths do not count.
    pub(crate) fn changed_pages(&self, other: &Self, inode: Inode) -> BTreeSet<u64> {
        let either = self.pages(inode).chain(other.pages(inode)).map(|(index, _)| index);
        either.filter(|index| self.page(inode, *index) != other.page(inode, *index)).collect()
    }

    /// Those of a page and all behind it.
    pub(crate) fn pages_from(
        &self,
        inode: Inode,
        first: u64,
    ) -> impl Iterator<Item = (u64, &Arc<Page>)> {
        let pages = self.file(inode).map(|content| content.pages().range(first..));
        pages.into_iter().flatten().map(|(index, page)| (*index, page))
    }

    /// Puts or removes one page and leaves the length: what lies beyond it is hidden until the
    /// length grows over it (see [`DiskImage`]).
    #[track_caller]
    pub fn set_page(&mut self, inode: Inode, index: u64, page: Option<Arc<Page>>) {
        if self.change(inode, |node| node.content().set_page(index, page)) {
            self.hidden.insert(inode);
        }
    }

    /// Cuts or extends a file. Bytes beyond a smaller length are gone, hidden ones included; a
    /// larger one shows what was hidden below it, and zeros; the same one changes nothing.
    #[track_caller]
    pub fn set_len(&mut self, inode: Inode, len: u64) {
        self.change(inode, |node| node.content().set_len(len));
    }

    /// Forgets the hidden bytes of all files: what a kernel does with them when it has the disk
    /// again after a crash. The hash stays.
    pub fn discard_hidden(&mut self) {
        for inode in std::mem::take(&mut self.hidden) {
            self.change(inode, |node| node.content().discard_hidden());
        }
    }

    pub(super) fn file(&self, inode: Inode) -> Option<&Content> {
        match &self.node(inode)?.body {
            Body::File(content) => Some(content),
            _ => None,
        }
    }
}

/// The page an offset lies in, and where in it.
fn locate(offset: u64) -> (u64, usize) {
    let at = usize::try_from(offset % PAGE_LEN).expect("less than a page");
    (offset / PAGE_LEN, at)
}
