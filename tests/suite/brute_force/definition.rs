//! The definition of what a crash may lose, worked out in the plainest way: the effects of a trace,
//! what each needs, and from which crash point on it is durable.
//!
//! Quadratic loops over byte vectors. Not for anything but tiny traces, and without a line of the
//! enumerator: where both agree, two readings of one definition agree.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use faultfs::{
    Allocation, Append, DataOrder, DiskImage, Entry, Event, FileKind, Inode, MetadataOrder, Op,
    RenameAtomicity, Replace, Rules, Trace, Truncated,
};

pub(super) const PAGE: u64 = faultfs::PAGE as u64;

/// What can have one value at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Name(Inode, Vec<u8>),
    Unit(Inode, u64),
    Length(Inode),
    Attributes(Inode),
    /// Where all directories are: their moves follow each other.
    Moves,
}

/// What an effect puts on the disk.
#[derive(Clone, Debug)]
pub(super) enum Put {
    Names(Vec<(Inode, Vec<u8>, Option<Inode>)>),
    /// Where each unit starts, and all its bytes.
    Data(Vec<(u64, Vec<u8>)>),
    /// The length; and the range that reads as the fill where the data of the same event is lost.
    Length(u64, Range<u64>),
    Cut(u64),
    /// A write that is never torn: its pages, and the length if that grew.
    Whole(Vec<(u64, Vec<u8>)>, Option<u64>),
    Mode(u32),
}

#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a word of the definition")]
pub(super) struct Effect {
    pub(super) event: usize,
    pub(super) put: Put,
    /// The inode whose bytes, length or attributes it changes.
    pub(super) content: Option<Inode>,
    pub(super) places: Vec<Place>,
    pub(super) journaled: bool,
    /// A length that is not journaled.
    pub(super) late: bool,
    /// It changes how long its file is.
    pub(super) sizes: bool,
    zeros: bool,
    waits: bool,
    /// The inode whose content must be there first, because it replaces another.
    rescues: Option<Inode>,
    /// Whose names it gives or takes.
    pub(super) renames: Vec<Inode>,
    pub(super) needs: BTreeSet<usize>,
}

/// A file as the running program sees it.
#[derive(Clone, Debug, Default)]
pub(super) struct Cached {
    pub(super) bytes: Vec<u8>,
    pub(super) pages: BTreeSet<u64>,
    /// Which length effect brought the page; none if it is from the start image.
    allocated_by: BTreeMap<u64, usize>,
    /// Cut to nothing, and no barrier since.
    pub(super) emptied: bool,
}

/// The reading of one trace under one model.
pub(super) struct Definition {
    pub(super) rules: Rules,
    pub(super) effects: Vec<Effect>,
    /// The crash point from which on each effect is durable.
    pub(super) durable_from: Vec<Option<usize>>,
    pub(super) kinds: BTreeMap<Inode, FileKind>,
    /// The effect that created each inode of the trace.
    pub(super) created_by: BTreeMap<Inode, usize>,
    pub(super) files: BTreeMap<Inode, Cached>,
    modes: BTreeMap<Inode, u32>,
}

impl Definition {
    pub(super) fn of(trace: &Trace, rules: &Rules) -> Self {
        let mut this = Self {
            rules: *rules,
            effects: Vec::new(),
            durable_from: Vec::new(),
            kinds: BTreeMap::new(),
            created_by: BTreeMap::new(),
            files: BTreeMap::new(),
            modes: BTreeMap::new(),
        };
        this.know(&trace.start);
        for (event, happened) in trace.events.iter().enumerate() {
            if let Event::Op { op, .. } = happened {
                this.op(event, op);
            }
        }
        this
    }

    /// What was there before the run.
    fn know(&mut self, start: &DiskImage) {
        for number in 0..=start.last_inode().0 {
            let inode = Inode(number);
            let Some(kind) = start.kind(inode) else { continue };
            self.kinds.insert(inode, kind);
            self.modes.insert(inode, start.attributes(inode).unwrap().mode);
            if kind == FileKind::File {
                let mut bytes = vec![0; usize::try_from(start.len(inode)).unwrap()];
                start.read(inode, &mut bytes, 0);
                let pages = start.pages(inode).map(|(index, _)| index).collect();
                self.files.insert(inode, Cached { bytes, pages, ..Cached::default() });
            }
        }
    }

    fn op(&mut self, event: usize, op: &Op) {
        match op {
            Op::Create { at, inode, mode } => self.create(event, at, *inode, *mode, FileKind::File),
            Op::Mkdir { at, inode, mode } => self.create(event, at, *inode, *mode, FileKind::Dir),
            Op::Symlink { at, inode, .. } => self.create(event, at, *inode, 0, FileKind::Symlink),
            Op::Link { inode, at } => self.names(event, &[(at, Some(*inode))], &[*inode], None),
            Op::Unlink { at, inode } | Op::Rmdir { at, inode } => {
                self.names(event, &[(at, None)], &[*inode], None);
            }
            Op::Rename { inode, from, to, replaced, exchange } => {
                self.rename(event, *inode, [from, to], *replaced, *exchange);
            }
            Op::Write { inode, offset, bytes } => self.write(event, *inode, *offset, bytes),
            Op::SetLen { inode, len } => self.set_len(event, *inode, *len),
            Op::SetMode { inode, mode } => {
                self.modes.insert(*inode, *mode);
                self.attributes(event, *inode);
            }
            Op::SetModified { inode, .. } => self.attributes(event, *inode),
            Op::SyncData { inode } => self.barrier(event, *inode, false),
            Op::SyncAll { inode } => self.barrier(event, *inode, true),
            Op::SyncFs => unreachable!("no run here syncs a whole file system"),
            Op::SyncFailed { .. } => unreachable!("no run here makes a sync fail"),
            Op::SetXattr { .. } | Op::WriteBack { .. } | Op::SyncRange { .. } => {
                unreachable!("only a mount records these")
            }
        }
    }

    fn create(&mut self, event: usize, at: &Entry, inode: Inode, mode: u32, kind: FileKind) {
        self.kinds.insert(inode, kind);
        self.modes.insert(inode, mode);
        self.files.insert(inode, Cached::default());
        self.created_by.insert(inode, self.effects.len());
        self.names(event, &[(at, Some(inode))], &[inode], None);
    }

    fn rename(
        &mut self,
        event: usize,
        inode: Inode,
        [from, to]: [&Entry; 2],
        replaced: Option<Inode>,
        exchange: bool,
    ) {
        let old = (from, replaced.filter(|_| exchange));
        let new = (to, Some(inode));
        let is = |inode: &Inode, kind| self.kinds[inode] == kind;
        let directory_moves =
            is(&inode, FileKind::Dir) || old.1.is_some_and(|other| is(&other, FileKind::Dir));
        let over_file = !exchange && replaced.is_some_and(|other| !is(&other, FileKind::Dir));
        let rescues =
            (over_file && self.rules.replace_by_rename == Replace::FlushWaited).then_some(inode);
        let mut of: Vec<_> = replaced.into_iter().collect();
        of.push(inode);
        if self.rules.rename == RenameAtomicity::Split && !directory_moves {
            self.names(event, &[new], &of, rescues);
            let of: Vec<_> = old.1.into_iter().chain([inode]).collect();
            self.names(event, &[old], &of, rescues);
        } else {
            self.names(event, &[new, old], &of, rescues);
            if directory_moves {
                let last = self.effects.len() - 1;
                self.effects[last].places.push(Place::Moves);
                let moves = |effect: &Effect| effect.places.contains(&Place::Moves);
                let earlier = (0..last).filter(|n| moves(&self.effects[*n])).collect::<Vec<_>>();
                self.effects[last].needs.extend(earlier);
            }
        }
    }

    fn names(
        &mut self,
        event: usize,
        names: &[(&Entry, Option<Inode>)],
        of: &[Inode],
        rescues: Option<Inode>,
    ) {
        let bytes = |at: &Entry| at.name.to_vec();
        let put = names.iter().map(|(at, inode)| (at.dir, bytes(at), *inode)).collect();
        let places = names.iter().map(|(at, _)| Place::Name(at.dir, bytes(at))).collect();
        let effect = Effect {
            journaled: true,
            renames: of.to_vec(),
            rescues,
            ..new(event, Put::Names(put), places)
        };
        self.add(effect);
    }

    fn attributes(&mut self, event: usize, inode: Inode) {
        let put = Put::Mode(self.modes[&inode]);
        let effect = new(event, put, vec![Place::Attributes(inode)]);
        self.add(Effect { journaled: true, content: Some(inode), ..effect });
    }

    fn write(&mut self, event: usize, inode: Inode, offset: u64, bytes: &[u8]) {
        let end = offset + bytes.len() as u64;
        let before = self.files[&inode].clone();
        let old_len = before.bytes.len() as u64;
        let pages = offset / PAGE..=(end - 1) / PAGE;
        let file = self.files.get_mut(&inode).unwrap();
        file.bytes.resize(index(end).max(file.bytes.len()), 0);
        file.bytes[index(offset)..index(end)].copy_from_slice(bytes);
        file.pages.extend(pages.clone());
        let Some(unit) = self.rules.tear.unit() else {
            let page = |page: u64| (page * PAGE, self.units(inode, PAGE, page));
            let grown = (end > old_len).then_some(end);
            let put = Put::Whole(pages.clone().map(page).collect(), grown);
            let mut places: Vec<_> = pages.map(|page| Place::Unit(inode, page)).collect();
            places.extend(grown.map(|_| Place::Length(inode)));
            let journaled = self.rules.data_order == DataOrder::Journal;
            let sizes = grown.is_some();
            let effect = new(event, put, places);
            // A length outside the journal, whether alone or with its bytes, is late.
            let late = sizes && !journaled;
            return self.add(Effect { journaled, late, sizes, content: Some(inode), ..effect });
        };
        let mut len = old_len;
        for page in pages.clone() {
            let belongs = |number: u64| (number * unit / PAGE).max(*pages.start()) == page;
            for number in (offset / unit..=(end - 1) / unit).filter(|number| belongs(*number)) {
                self.data(event, inode, number..number + 1, false);
            }
            let reached = end.min((page + 1) * PAGE);
            if reached > len {
                let appended = offset.max(old_len).max(page * PAGE)..reached;
                self.length(event, inode, &before, reached, appended);
                len = reached;
            }
        }
    }

    /// The bytes of a unit as they are now.
    fn units(&self, inode: Inode, unit: u64, number: u64) -> Vec<u8> {
        let bytes = &self.files[&inode].bytes;
        let byte = |at: u64| bytes.get(index(at)).copied().unwrap_or(0);
        (number * unit..(number + 1) * unit).map(byte).collect()
    }

    /// One effect with the bytes of these units. Where no write is torn a unit is a page.
    fn data(&mut self, event: usize, inode: Inode, units: Range<u64>, zeros: bool) {
        let unit = self.rules.tear.unit().unwrap_or(PAGE);
        let value = |number: u64| (number * unit, self.units(inode, unit, number));
        let put = Put::Data(units.clone().map(value).collect());
        let places = units.map(|number| Place::Unit(inode, number)).collect();
        let journaled = self.rules.data_order == DataOrder::Journal;
        self.add(Effect { journaled, zeros, content: Some(inode), ..new(event, put, places) });
    }

    fn length(&mut self, event: usize, inode: Inode, before: &Cached, len: u64, fill: Range<u64>) {
        let page = (len - 1) / PAGE;
        let allocates = !before.pages.contains(&page);
        let is_durable = |effect: &usize| self.durable_from[*effect].is_some();
        let in_allocated = !allocates && before.allocated_by.get(&page).is_none_or(is_durable);
        let flushed = before.emptied && self.rules.replace_by_truncate == Truncated::FlushWaited;
        let waits = flushed
            || match self.rules.append {
                Append::Free => false,
                Append::InBlockFree => allocates,
                Append::DataFirst => true,
            };
        let late = self.rules.allocation == Allocation::Delayed
            && self.rules.data_order == DataOrder::Free
            && !flushed
            && (waits || !in_allocated);
        if allocates {
            let number = self.effects.len();
            self.files.get_mut(&inode).unwrap().allocated_by.insert(page, number);
        }
        let effect = new(event, Put::Length(len, fill), vec![Place::Length(inode)]);
        let content = Some(inode);
        self.add(Effect { journaled: !late, late, waits, sizes: true, content, ..effect });
    }

    fn set_len(&mut self, event: usize, inode: Inode, len: u64) {
        let file = self.files.get_mut(&inode).unwrap();
        let old_len = file.bytes.len() as u64;
        if len == old_len {
            return;
        }
        let has_page = file.pages.contains(&(len / PAGE));
        file.bytes.resize(index(len), 0);
        let put = if len > old_len {
            Put::Length(len, 0..0)
        } else {
            file.pages.retain(|page| page * PAGE < len);
            file.allocated_by.retain(|page, _| page * PAGE < len);
            file.emptied |= len == 0;
            Put::Cut(len)
        };
        let effect = new(event, put, vec![Place::Length(inode)]);
        self.add(Effect { journaled: true, sizes: true, content: Some(inode), ..effect });
        if len < old_len && !len.is_multiple_of(PAGE) && has_page {
            let unit = self.rules.tear.unit().unwrap_or(PAGE);
            let units = len / unit..(page_end(len) - 1) / unit + 1;
            self.data(event, inode, units, true);
        }
    }

    /// Adds an effect behind all it needs.
    fn add(&mut self, mut effect: Effect) {
        for (number, earlier) in self.effects.iter().enumerate() {
            let pending = self.durable_from[number].is_none();
            let rescued = effect.rescues.is_some() && earlier.content == effect.rescues && pending;
            if self.follows(&effect, earlier) || rescued {
                effect.needs.insert(number);
            }
        }
        self.effects.push(effect);
        self.durable_from.push(None);
    }

    /// Whether an effect needs an earlier one.
    fn follows(&self, effect: &Effect, earlier: &Effect) -> bool {
        let rules = &self.rules;
        let same_place = earlier.places.iter().any(|place| effect.places.contains(place));
        // A late length is journaled at some time after its write: behind what was there by then.
        let journal = rules.metadata_order == MetadataOrder::Journal
            && earlier.journaled
            && (effect.journaled || effect.late);
        let shares_dir = |dir: Inode| effect.dirs().contains(&dir);
        let directory = rules.metadata_order == MetadataOrder::PerDirectory
            && earlier.dirs().into_iter().any(shares_dir);
        if same_place || journal || directory {
            return true;
        }
        if effect.content.is_none() || effect.content != earlier.content {
            return false;
        }
        let is_behind = |(start, bytes): &(u64, Vec<u8>), at: u64| start + bytes.len() as u64 > at;
        match (&earlier.put, &effect.put) {
            (Put::Data(units) | Put::Whole(units, _), Put::Cut(len)) => {
                let end = page_end(*len);
                let in_page = |unit: &(u64, Vec<u8>)| unit.0 < end && is_behind(unit, *len);
                units.iter().any(|unit| is_behind(unit, end))
                    || self.rules.append != Append::Free
                        && !len.is_multiple_of(PAGE)
                        && units.iter().any(in_page)
            }
            (Put::Cut(len), Put::Data(units) | Put::Whole(units, None)) => {
                units.iter().any(|unit| is_behind(unit, *len))
            }
            (Put::Data(_), Put::Length(..) | Put::Whole(_, Some(_))) => {
                earlier.zeros || effect.waits
            }
            _ => false,
        }
    }

    /// All that an effect needs, itself included.
    pub(super) fn closure(&self, number: usize) -> BTreeSet<usize> {
        let mut all = BTreeSet::from([number]);
        // What is needed is earlier, so one sweep from the end meets everything.
        for other in (0..number).rev() {
            if all.iter().any(|one| self.effects[*one].needs.contains(&other)) {
                all.insert(other);
            }
        }
        all
    }

    /// The effects that may or may not survive at a crash point.
    pub(super) fn pending(&self, point: usize) -> Vec<usize> {
        let durable = |n: usize| self.durable_from[n].is_some_and(|from| from <= point);
        let numbers = 0..self.effects.len();
        numbers.filter(|n| self.effects[*n].event < point && !durable(*n)).collect()
    }
}

impl Effect {
    /// The directories whose names it changes.
    pub(super) fn dirs(&self) -> Vec<Inode> {
        let dir = |place: &Place| match place {
            Place::Name(dir, _) => Some(*dir),
            _ => None,
        };
        self.places.iter().filter_map(dir).collect()
    }
}

fn new(event: usize, put: Put, places: Vec<Place>) -> Effect {
    Effect {
        event,
        put,
        content: None,
        places,
        journaled: false,
        late: false,
        sizes: false,
        zeros: false,
        waits: false,
        rescues: None,
        renames: Vec::new(),
        needs: BTreeSet::new(),
    }
}

/// The end of the page that a cut leaves a part of.
pub(super) fn page_end(len: u64) -> u64 {
    len.div_ceil(PAGE) * PAGE
}

pub(super) fn index(at: u64) -> usize {
    usize::try_from(at).unwrap()
}
