//! Bytes and lengths: what a crash may keep of writes, cuts and extensions.
//!
//! A write gives one effect for each unit that the model tears into, and one for each page that the
//! length passes, as the kernel copies page by page. What is not on disk yet when the length covers
//! it reads as the model's `fill`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use super::build::{Builder, Place};
use super::effect::{
    Change, EffectId, overlay, pages_of, parts_of, put_bytes, same_part, usize_of,
};
use crate::{Allocation, Append, DataOrder, DiskImage, Fill, Inode, PAGE, Page, Tear, Truncated};

const PAGE_LEN: u64 = PAGE as u64;

/// What no program wrote.
const GARBAGE: [u8; 4] = [0xde, 0xad, 0xbe, 0xef];

/// What is known of files' content beside the images.
#[derive(Default)]
pub(super) struct State {
    /// Bytes of a file that no length waits for yet.
    unwaited: BTreeMap<Inode, Vec<EffectId>>,
    /// The length that allocated a block. Blocks of the start image have none.
    allocated: BTreeMap<(Inode, u64), EffectId>,
    /// Files that were cut to nothing.
    emptied: BTreeSet<Inode>,
    /// What a cut took away, by file and page.
    cut: BTreeMap<(Inode, u64), Arc<Page>>,
    /// The cuts of a file and where they are, without those that a later one at the same place or
    /// before it makes needless.
    cuts: BTreeMap<Inode, Vec<(EffectId, u64)>>,
    /// The last cut of a file, and the zeros it wrote behind the end.
    last_cut: BTreeMap<Inode, (EffectId, u64, Option<EffectId>)>,
    /// A page of some other file, as the disk has it in a free block.
    freed: Option<Arc<Page>>,
}

impl State {
    /// No length waits any more for bytes that are durable, or lost.
    pub(super) fn synced(&mut self, inode: Inode) {
        self.unwaited.remove(&inode);
        self.emptied.remove(&inode);
    }

    /// The same of every file.
    pub(super) fn all_synced(&mut self) {
        self.unwaited.clear();
        self.emptied.clear();
    }
}

impl Builder {
    /// A write of `len` bytes that `cache` has already; `before` is the cache without it.
    pub(super) fn write(&mut self, before: &DiskImage, inode: Inode, offset: u64, len: u64) {
        let old_len = before.len(inode);
        let end = offset + len;
        if end > old_len {
            self.fill(inode, offset.max(old_len)..end);
        }
        let Some(unit) = self.rules.tear.unit() else {
            self.write_whole(inode, offset..end);
            return;
        };
        let mut next = offset / unit;
        for page in pages_of(offset, len) {
            let page_end = (page + 1).saturating_mul(PAGE_LEN);
            while next.saturating_mul(unit) < page_end.min(end) {
                self.write_unit(before, inode, next, unit);
                next += 1;
            }
            let reached = page_end.min(end);
            if reached > self.full.len(inode) {
                let allocates = before.page(inode, page).is_none();
                self.grow(inode, reached, allocates);
            }
        }
    }

    /// A write with its length, as one effect.
    fn write_whole(&mut self, inode: Inode, range: Range<u64>) {
        let pages = pages_of(range.start, range.end - range.start);
        let mut changes = self.page_changes(inode, pages.clone());
        let mut places: Vec<_> = pages.map(|page| Place::Data(inode, page)).collect();
        let before = self.full.len(inode);
        if range.end > before {
            changes.push(Change::Len { inode, before, after: range.end });
            places.push(Place::Len(inode));
        }
        let id = self.add(changes, &places);
        self.behind_cut(id, inode, range.end.div_ceil(PAGE_LEN).saturating_mul(PAGE_LEN));
        if range.end > before {
            self.behind_zeros(id, inode);
        }
        self.bytes(id);
        if range.end > before && !self.effect(id).journaled {
            self.behind_journal(id);
        }
    }

    /// Bytes that were stored through a map: each unit by itself, in no order that a journal keeps.
    pub(super) fn write_back(&mut self, before: &DiskImage, inode: Inode, offset: u64, len: u64) {
        let unit = self.rules.tear.unit().unwrap_or(PAGE_LEN);
        for index in offset / unit..(offset + len).div_ceil(unit) {
            let id = self.unit(before, inode, index, unit);
            self.effect(id).data = true;
        }
    }

    fn write_unit(&mut self, before: &DiskImage, inode: Inode, index: u64, unit: u64) {
        let id = self.unit(before, inode, index, unit);
        self.bytes(id);
        self.content.unwaited.entry(inode).or_default().push(id);
    }

    /// What a unit of a file holds since a write; `before` is the cache without it.
    fn unit(&mut self, before: &DiskImage, inode: Inode, index: u64, unit: u64) -> EffectId {
        let range = index * unit..(index + 1).saturating_mul(unit);
        let len = range.end - range.start;
        let changes: Vec<_> = if unit.is_multiple_of(PAGE_LEN) {
            let touched = pages_of(range.start, len);
            let changed = touched.filter(|page| {
                let (cached, full) = (self.cache.page(inode, *page), self.full.page(inode, *page));
                cached.map(Arc::as_ptr) != full.map(Arc::as_ptr)
            });
            let changed: Vec<_> = changed.collect();
            changed.into_iter().flat_map(|page| self.page_changes(inode, page..page + 1)).collect()
        } else {
            parts_of(range.clone()).map(|part| self.part_change(before, inode, &part)).collect()
        };
        let id = self.add(changes, &[Place::Data(inode, index)]);
        self.behind_cut(id, inode, range.end);
        id
    }

    /// Bytes take their place in the order that the model keeps.
    fn bytes(&mut self, id: EffectId) {
        self.effect(id).data = true;
        if self.rules.data_order == DataOrder::Journal {
            self.journal(id);
        }
    }

    fn page_changes(&self, inode: Inode, pages: Range<u64>) -> Vec<Change> {
        let change = |index| {
            let before = self.full.page(inode, index).cloned();
            let after = self.cache.page(inode, index).cloned();
            Change::Page { inode, index, before, after }
        };
        pages.map(change).collect()
    }

    /// What a part of a page holds since a write.
    fn part_change(&self, before: &DiskImage, inode: Inode, part: &Range<u64>) -> Change {
        let (index, len) = (part.start / PAGE_LEN, part.end - part.start);
        let at = usize_of(part.start % PAGE_LEN);
        // The page as the program saw it is in memory; the disk's has some units of this write already.
        let (seen, full) = (before.page(inode, index), self.full.page(inode, index));
        let before = if same_part(seen, full, at..at + usize_of(len)) { seen } else { full };
        let (before, after) = (before.cloned(), self.cache.page(inode, index).cloned());
        Change::Bytes { inode, offset: part.start, len: len_of(len), before, after }
    }

    /// Bytes that reach behind a cut cannot be on disk before it.
    fn behind_cut(&mut self, id: EffectId, inode: Inode, end: u64) {
        let cuts = self.content.cuts.get(&inode).into_iter().flatten();
        if let Some((cut, _)) = cuts.rev().find(|(_, at)| end > *at) {
            let cut = *cut;
            self.need(id, cut);
        }
    }

    /// The length grows over bytes that were written.
    fn grow(&mut self, inode: Inode, len: u64, allocates: bool) {
        let block = (len - 1) / PAGE_LEN;
        let in_allocated_block = !allocates && self.is_allocated(inode, block);
        let change = Change::Len { inode, before: self.full.len(inode), after: len };
        let id = self.add(change, &[Place::Len(inode)]);
        if allocates {
            self.content.allocated.insert((inode, block), id);
        }
        self.behind_zeros(id, inode);
        let flushed = self.content.emptied.contains(&inode)
            && self.rules.replace_by_truncate == Truncated::FlushWaited;
        let waits = match self.rules.append {
            Append::Free => flushed,
            Append::InBlockFree => flushed || allocates,
            Append::DataFirst => true,
        };
        if waits {
            let unwaited = self.content.unwaited.remove(&inode).unwrap_or_default();
            self.effect(id).needs.extend(unwaited);
        }
        let late = self.rules.allocation == Allocation::Delayed
            && self.rules.data_order == DataOrder::Free
            && !flushed
            && (waits || !in_allocated_block);
        if late {
            self.behind_journal(id);
        } else {
            self.journal(id);
        }
    }

    /// Whether a block that has bytes has its place on disk already.
    fn is_allocated(&self, inode: Inode, block: u64) -> bool {
        let by = self.content.allocated.get(&(inode, block));
        by.is_none_or(|id| self.effects[id.index()].durable_from < self.point())
    }

    /// A length that grows again shows zeros behind the last cut, not what was there before.
    fn behind_zeros(&mut self, id: EffectId, inode: Inode) {
        if let Some((_, _, Some(zeros))) = self.content.last_cut.get(&inode) {
            let zeros = *zeros;
            self.need(id, zeros);
        }
    }

    /// The length grows over a hole, or stays.
    pub(super) fn extend(&mut self, inode: Inode, len: u64) {
        let before = self.full.len(inode);
        if before == len {
            return;
        }
        let id = self.add(Change::Len { inode, before, after: len }, &[Place::Len(inode)]);
        self.behind_zeros(id, inode);
        self.journal(id);
    }

    /// The file is cut: its length and all pages behind it at once, then zeros in the last page.
    pub(super) fn cut(&mut self, inode: Inode, len: u64) {
        let first_gone = len.div_ceil(PAGE_LEN);
        let mut changes = Vec::new();
        for (index, page) in self.full.pages_from(inode, first_gone) {
            self.content.freed = Some(page.clone());
            self.content.cut.insert((inode, index), page.clone());
            changes.push(Change::Page { inode, index, before: Some(page.clone()), after: None });
        }
        changes.push(Change::Len { inode, before: self.full.len(inode), after: len });
        let last = len / PAGE_LEN;
        // A unit of many pages may have put zeros on disk where the cache has a hole.
        let has_tail = !len.is_multiple_of(PAGE_LEN) && self.cache.page(inode, last).is_some();
        let tail = self.full.page(inode, last).filter(|_| has_tail).cloned();
        let id = self.add(changes, &[Place::Len(inode)]);
        self.journal(id);
        self.cut_places(id, inode, first_gone.saturating_mul(PAGE_LEN));
        self.behind_tail(id, inode, len);
        let zeros = tail.map(|tail| self.zeros(id, inode, len, &tail));
        self.content.last_cut.insert(inode, (id, len, zeros));
        let cuts = self.content.cuts.entry(inode).or_default();
        cuts.retain(|(_, at)| *at < len);
        cuts.push((id, len));
        if len == 0 {
            self.content.emptied.insert(inode);
        }
        let gone = (inode, first_gone)..=(inode, u64::MAX);
        let blocks: Vec<_> = self.content.allocated.range(gone).map(|(key, _)| *key).collect();
        for block in blocks {
            self.content.allocated.remove(&block);
        }
    }

    /// A cut follows all bytes that it takes away, and those of a unit that it takes a part of.
    fn cut_places(&mut self, id: EffectId, inode: Inode, from: u64) {
        let unit = self.rules.tear.unit().unwrap_or(PAGE_LEN);
        let first = Place::Data(inode, from / unit);
        let places = first..=Place::Data(inode, u64::MAX);
        // Many, so it is not looked for each whether it is needed already.
        let mut needs: BTreeSet<_> = self.effect(id).needs.iter().copied().collect();
        needs.extend(self.last.range(places.clone()).map(|(_, last)| *last));
        needs.remove(&id);
        for (_, last) in self.last.range_mut(places) {
            *last = id;
        }
        self.effect(id).needs = needs.into_iter().collect();
    }

    /// In an ordered mode a cut waits for the bytes in its page.
    fn behind_tail(&mut self, cut: EffectId, inode: Inode, len: u64) {
        if self.rules.append == Append::Free {
            return;
        }
        let unit = self.rules.tear.unit().unwrap_or(PAGE_LEN);
        let end = len.div_ceil(PAGE_LEN).saturating_mul(PAGE_LEN);
        let units = Place::Data(inode, len / unit)..Place::Data(inode, end.div_ceil(unit));
        let known: Vec<_> = self.last.range(units).map(|(_, id)| *id).collect();
        for id in known {
            self.need(cut, id);
        }
    }

    /// The zeros that the kernel writes behind the new end in its page (`block_truncate_page`).
    fn zeros(&mut self, cut: EffectId, inode: Inode, len: u64, tail: &Arc<Page>) -> EffectId {
        let index = len / PAGE_LEN;
        let end = (index + 1) * PAGE_LEN;
        self.content.cut.insert((inode, index), tail.clone());
        let unit = self.rules.tear.unit().unwrap_or(PAGE_LEN);
        let units: Vec<_> = (len / unit..end.div_ceil(unit)).collect();
        let before = Some(tail.clone());
        let change =
            Change::Bytes { inode, offset: len, len: len_of(end - len), before, after: None };
        let places: Vec<_> = units.into_iter().map(|unit| Place::Data(inode, unit)).collect();
        let id = self.add(change, &places);
        self.need(id, cut);
        self.bytes(id);
        id
    }

    /// Puts what the disk held anyway below a range that a write is about to allocate.
    fn fill(&mut self, inode: Inode, range: Range<u64>) {
        if self.rules.fill == Fill::Zero || self.rules.tear == Tear::None {
            return;
        }
        let bytes = self.held(inode, range.clone());
        let (zeros, cut, edge) = self.pending_cut(inode);
        let pending: Vec<_> = self.pending.content_of(inode).collect();
        for id in pending {
            if Some(id) != zeros && self.is_behind_cut(id, inode) {
                for change in self.effect(id).changes.iter_mut() {
                    change.fill(range.start, &bytes);
                }
            }
        }
        let edge = edge.clamp(range.start, range.end);
        for (part, from) in [(range.start..edge, zeros.or(cut)), (edge..range.end, cut)] {
            let part_bytes = usize_of(part.start - range.start)..usize_of(part.end - range.start);
            self.hold(inode, part.start, &bytes[part_bytes], from);
        }
        put_bytes(&mut self.full, inode, range.start, &bytes);
    }

    /// The zeros and the cut of the last cut of a file, while they may be lost, and the end of its page.
    fn pending_cut(&self, inode: Inode) -> (Option<EffectId>, Option<EffectId>, u64) {
        let Some((cut, at, zeros)) = self.content.last_cut.get(&inode) else {
            return (None, None, 0);
        };
        let pending = |id: &EffectId| self.pending.contains(*id);
        let end = at.div_ceil(PAGE_LEN).saturating_mul(PAGE_LEN);
        (zeros.filter(pending), Some(*cut).filter(pending), end)
    }

    /// Bytes that the disk holds from this event on; if they are in what a cut gave back, then only
    /// where the cut survived: where it is lost, the file has its old bytes there.
    fn hold(&mut self, inode: Inode, offset: u64, after: &[u8], cut: Option<EffectId>) {
        match cut {
            _ if after.is_empty() => {}
            None => self.step().fills.push((inode, offset, after.into())),
            Some(cut) => {
                for part in parts_of(offset..offset + after.len() as u64) {
                    let index = part.start / PAGE_LEN;
                    let before = self.full.page(inode, index).cloned();
                    let mut held = [0; PAGE];
                    overlay(&mut held, index * PAGE_LEN, offset, after);
                    let after = Some(Arc::new(Page::from(held)));
                    let (offset, len) = (part.start, len_of(part.end - part.start));
                    let change = Change::Bytes { inode, offset, len, before, after };
                    self.effect(cut).changes.push(change);
                }
            }
        }
    }

    /// Bytes from before a cut are not changed by what is allocated after it.
    fn is_behind_cut(&self, id: EffectId, inode: Inode) -> bool {
        self.content.last_cut.get(&inode).is_none_or(|(cut, _, _)| id > *cut)
    }

    /// What the disk holds in blocks that are free: for `stale` what a cut left, of this file or another.
    fn held(&self, inode: Inode, range: Range<u64>) -> Arc<[u8]> {
        let garbage = |offset: u64| GARBAGE[usize_of(offset % GARBAGE.len() as u64)];
        let mut held: Vec<u8> = range.clone().map(garbage).collect();
        if self.rules.fill == Fill::Stale {
            for index in pages_of(range.start, range.end - range.start) {
                if let Some(page) = self.stale(inode, index) {
                    overlay(&mut held, range.start, index * PAGE_LEN, &page.bytes()[..]);
                }
            }
        }
        held.into()
    }

    /// The blocks of a file that lost its last name are free.
    pub(super) fn free(&mut self, inode: Inode) {
        if self.cache.links(inode) == 0
            && let Some((_, page)) = self.cache.pages(inode).next()
        {
            self.content.freed = Some(page.clone());
        }
    }

    fn stale(&self, inode: Inode, index: u64) -> Option<&Arc<Page>> {
        let own = self.content.cut.get(&(inode, index));
        own.or(self.content.freed.as_ref())
    }
}

/// The length of a part of a page.
fn len_of(len: u64) -> u32 {
    u32::try_from(len).expect("it is at most a page")
}
