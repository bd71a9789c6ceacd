//! What a power cut could still lose, file by file, and the barriers that would make it durable.
//!
//! A barrier is one that was tried: put behind the record, it makes these effects durable under the model. Not for
//! choosing what is lost (`cut`).

use std::collections::{BTreeMap, BTreeSet};

use faultfs::{
    Change, DiskImage, Effect, EffectId, Event, Inode, Model, Op, PersistOrder, Trace, Window,
};

use super::protocol::PendingFile;
use super::{Answer, Session};
use crate::exit::Failure;
use crate::findings::story::{Story, path_of};

/// Most things that are told of one file.
const MOST_TOLD: usize = 100;

/// Most barriers that are tried, and most events that are looked at for that, all in all.
const MOST_TRIED: usize = 64;
const MOST_EVENTS: usize = 4_000_000;

impl Session {
    /// Lists it.
    pub(super) fn pending(&self, model: Option<&str>) -> Result<Answer, Failure> {
        let model = self.model(model)?;
        let trace = self.disk.trace();
        let order = PersistOrder::new(&trace, &model);
        let window = Window::at(&order, order.events());
        let mut files: BTreeMap<Inode, Group> = BTreeMap::new();
        for id in window.pending() {
            let effect = order.effect(*id);
            let group = files.entry(file_of(effect)).or_default();
            group.effects.insert(*id);
            group.dirs.extend(dirs_of(effect));
        }
        let mut trials = Trials::new(&trace, &model, window.pending());
        let story = Story::of(&trace);
        let now = trace.image_after(usize::MAX);
        let files = files.iter().map(|(inode, group)| {
            let events: BTreeSet<_> =
                group.effects.iter().map(|id| order.effect(*id).event as usize).collect();
            let what = events.iter().filter_map(|event| story.steps.get(*event));
            let what: Vec<_> = what.map(|step| step.text.clone()).take(MOST_TOLD).collect();
            let name = |inode| name_of(&story, &now, inode);
            let (barriers, tried) = match trials.enough(*inode, group, &now) {
                Some(barriers) => (barriers, true),
                None => (Vec::new(), false),
            };
            let barriers = barriers.into_iter().map(|inode| format!("fsync({})", name(inode)));
            PendingFile {
                file: name(*inode),
                more: events.len() - what.len(),
                what,
                barriers: barriers.collect(),
                tried,
            }
        });
        let files = files.collect();
        Ok(Answer::Pending { model: model.name.clone(), effects: window.pending().len(), files })
    }
}

/// What is pending of one file.
#[derive(Default)]
struct Group {
    effects: BTreeSet<EffectId>,
    /// The directories of which a name is pending.
    dirs: BTreeSet<Inode>,
}

/// The file or directory that an effect is about: for names, what has one by it.
fn file_of(effect: &Effect) -> Inode {
    let named = effect.changes.iter().find_map(|change| match change {
        Change::Name { after, .. } => *after,
        _ => None,
    });
    let about = |change: &Change| match change {
        Change::Name { at, before, after } => after.or(*before).unwrap_or(at.dir),
        Change::Page { inode, .. }
        | Change::Bytes { inode, .. }
        | Change::Len { inode, .. }
        | Change::Attributes { inode, .. } => *inode,
    };
    named.or_else(|| effect.changes.first().map(about)).unwrap_or(DiskImage::ROOT)
}

fn dirs_of(effect: &Effect) -> impl Iterator<Item = Inode> {
    effect.changes.iter().filter_map(|change| match change {
        Change::Name { at, .. } => Some(at.dir),
        _ => None,
    })
}

/// As it is called now, or was called first.
fn name_of(story: &Story, now: &DiskImage, inode: Inode) -> String {
    path_of(now, inode).unwrap_or_else(|| format!("{} (removed)", story.path(inode)))
}

/// Barriers that are tried behind the record.
struct Trials<'a> {
    trace: Trace,
    model: &'a Model,
    pending: &'a [EffectId],
    left: usize,
    known: BTreeMap<Inode, BTreeSet<EffectId>>,
}

impl<'a> Trials<'a> {
    fn new(trace: &Trace, model: &'a Model, pending: &'a [EffectId]) -> Self {
        let left = (MOST_EVENTS / trace.events.len().max(1)).clamp(2, MOST_TRIED);
        Self { trace: trace.clone(), model, pending, left, known: BTreeMap::new() }
    }

    /// The fewest barriers that make all of a group durable: of the file, of its directories, of both. An empty list
    /// if not even these do; nothing if they were too many to try.
    fn enough(&mut self, file: Inode, group: &Group, now: &DiskImage) -> Option<Vec<Inode>> {
        // A file without a name cannot be opened any more.
        let can_sync = file == DiskImage::ROOT || now.is_reachable(file);
        let own = if can_sync { self.made_durable(file)?.clone() } else { BTreeSet::new() };
        if group.effects.is_subset(&own) {
            return Some(vec![file]);
        }
        let mut by_dirs = BTreeSet::new();
        for dir in &group.dirs {
            by_dirs.extend(self.made_durable(*dir)?.iter().copied());
        }
        let dirs = group.dirs.iter().copied();
        if group.effects.is_subset(&by_dirs) {
            return Some(dirs.collect());
        }
        let both = own.union(&by_dirs).copied().collect();
        if group.effects.is_subset(&both) {
            return Some([file].into_iter().chain(dirs).collect());
        }
        Some(Vec::new())
    }

    /// The pending effects that an fsync of this file or directory makes durable.
    fn made_durable(&mut self, inode: Inode) -> Option<&BTreeSet<EffectId>> {
        if !self.known.contains_key(&inode) {
            self.left = self.left.checked_sub(1)?;
            let last = self.trace.events.iter().rev().find_map(|event| match event {
                Event::Op { time, .. } => Some(*time),
                Event::Mark(_) => None,
            });
            let op = Op::SyncAll { inode };
            self.trace.events.push(Event::Op { thread: 0, time: last?, op });
            let order = PersistOrder::new(&self.trace, self.model);
            self.trace.events.pop();
            let is_durable = |id: &&EffectId| order.effect(**id).durable_from().is_some();
            let durable = self.pending.iter().filter(is_durable).copied().collect();
            self.known.insert(inode, durable);
        }
        self.known.get(&inode)
    }
}
