//! The pass over a trace that makes the order.
//!
//! It keeps two disks: `cache` is what the program sees, `full` is the disk if all that can still
//! survive does. They differ only after a failed fsync. Names, content and barriers are handled in
//! files of their own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use xxhash_rust::xxh3::Xxh3;

use super::effect::{Change, Changes, Effect, EffectId, NEVER};
use super::pending::Pending;
use super::{NewBody, NewNode, PersistOrder, Step, StepKind, count, digest};
use crate::{Attributes, DiskImage, Event, Inode, MetadataOrder, Model, Op, Rules, Trace};

/// A place whose changes follow each other: it has one copy in the cache, and a later state of it
/// contains the earlier ones.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// A name in a directory.
    Name(Inode, Arc<[u8]>),
    /// A unit of a file's bytes: what the model tears into.
    Data(Inode, u64),
    /// A file's length.
    Len(Inode),
    /// Mode and times.
    Attributes(Inode),
    /// All names of one directory, where the model keeps their order.
    Dir(Inode),
    /// All moves of directories: a file system takes a lock for each (`s_vfs_rename_mutex`), and an
    /// order of their own keeps a crash from making a circle of directories.
    DirMoves,
    /// All metadata, where the model keeps its order.
    Journal,
}

pub(super) struct Builder {
    pub(super) rules: Rules,
    model: Model,
    digest: u64,
    start: DiskImage,
    pub(super) cache: DiskImage,
    pub(super) full: DiskImage,
    pub(super) effects: Vec<Effect>,
    pub(super) steps: Vec<Step>,
    marks: Vec<Arc<[u8]>>,
    /// The last effect on each place.
    pub(super) last: BTreeMap<Place, EffectId>,
    pub(super) pending: Pending,
    /// The effect that gave a node its first name.
    pub(super) created: BTreeMap<Inode, EffectId>,
    pub(super) content: super::content::State,
}

impl Builder {
    fn new(trace: &Trace, model: &Model, mut digest: Xxh3) -> Self {
        digest.update(format!("{:?}", model.rules).as_bytes());
        Self {
            rules: model.rules,
            model: model.clone(),
            digest: digest.digest(),
            start: trace.start.clone(),
            cache: trace.start.clone(),
            full: trace.start.clone(),
            effects: Vec::new(),
            steps: Vec::new(),
            marks: Vec::new(),
            last: BTreeMap::new(),
            pending: Pending::default(),
            created: BTreeMap::new(),
            content: super::content::State::default(),
        }
    }

    /// The orders of one run under several models. What the program sees is the same under all of them,
    /// so the pages that it wrote are made once.
    pub(super) fn build_all(trace: &Trace, models: &[Model]) -> Vec<PersistOrder> {
        Self::pass(trace, models).into_iter().map(Self::finish).collect()
    }

    /// What an fsync of each of these would make durable at the end.
    pub(super) fn fsyncs(trace: &Trace, model: &Model, inodes: &[Inode]) -> Vec<Vec<EffectId>> {
        let builders = Self::pass(trace, std::slice::from_ref(model));
        let of = |builder: &Self, inode| {
            builder.with_needs(builder.synced_by(inode, true, None), builder.point())
        };
        let all =
            builders.iter().flat_map(|builder| inodes.iter().map(|inode| of(builder, *inode)));
        all.collect()
    }

    /// One pass over the trace for all models.
    fn pass(trace: &Trace, models: &[Model]) -> Vec<Self> {
        let run = digest(trace);
        let builder = |model| Self::new(trace, model, run.clone());
        let mut builders: Vec<_> = models.iter().map(builder).collect();
        let mut cache = trace.start.clone();
        for event in &trace.events {
            if let Event::Op { op, time, .. } = event {
                op.apply(&mut cache, *time);
            }
            for builder in &mut builders {
                builder.event(event, &cache);
            }
        }
        builders
    }

    /// One event further; `cache` is what the program sees after it.
    fn event(&mut self, event: &Event, cache: &DiskImage) {
        self.begin_step();
        match event {
            Event::Op { op, time, .. } => self.op(op, *time, cache),
            Event::Mark(text) => {
                self.marks.push(Arc::clone(text));
                self.step().kind = StepKind::Mark;
            }
        }
        let end = count(self.effects.len());
        self.step().effects.end = end;
    }

    fn finish(mut self) -> PersistOrder {
        super::dead::tell(&self.effects, &mut self.steps);
        PersistOrder {
            start: self.start,
            model: self.model,
            digest: self.digest,
            effects: self.effects,
            steps: self.steps,
            marks: self.marks,
        }
    }

    fn begin_step(&mut self) {
        let effects = count(self.effects.len())..count(self.effects.len());
        let (durable, gone) = (Vec::new(), Vec::new());
        let (fills, dead) = (Vec::new(), Vec::new());
        let kind = StepKind::Change;
        self.steps.push(Step { effects, durable, gone, node: None, fills, dead, kind });
    }

    /// The step that is being made.
    pub(super) fn step(&mut self) -> &mut Step {
        self.steps.last_mut().expect("a step was begun")
    }

    /// The crash point after the event that is being looked at.
    pub(super) fn point(&self) -> u32 {
        count(self.steps.len())
    }

    fn op(&mut self, op: &Op, time: SystemTime, cache: &DiskImage) {
        match op {
            Op::Create { inode, mode, .. } => self.node(*inode, NewBody::File, *mode, time),
            Op::Mkdir { inode, mode, .. } => self.node(*inode, NewBody::Dir, *mode, time),
            Op::Symlink { inode, target, .. } => {
                self.node(*inode, NewBody::Symlink(Arc::clone(target)), 0o777, time);
            }
            _ => {}
        }
        let before = std::mem::replace(&mut self.cache, cache.clone());
        match op {
            Op::Write { inode, offset, bytes } => {
                self.write(&before, *inode, *offset, bytes.len() as u64);
            }
            Op::WriteBack { inode, offset, bytes } => {
                self.write_back(&before, *inode, *offset, bytes.len() as u64);
            }
            Op::SetLen { inode, len } if *len < before.len(*inode) => self.cut(*inode, *len),
            Op::SetLen { inode, len } => self.extend(*inode, *len),
            Op::SetMode { inode, .. }
            | Op::SetModified { inode, .. }
            | Op::SetXattr { inode, .. } => self.attributes(*inode),
            Op::SyncData { inode } => self.barrier(*inode, false, None),
            Op::SyncAll { inode } => self.barrier(*inode, true, None),
            Op::SyncFs => self.barrier_of_all(),
            Op::SyncRange { inode, offset, len, all } => {
                self.barrier(*inode, *all, Some(&(*offset..offset + len)));
            }
            Op::SyncFailed { inode, drops: true, reverted } => {
                self.give_up(*inode, reverted.is_some());
            }
            Op::SyncFailed { .. } => {}
            _ => self.change_names(op),
        }
    }

    fn node(&mut self, inode: Inode, body: NewBody, mode: u32, modified: SystemTime) {
        let attributes = Attributes { modified, ..Attributes::new(mode) };
        let node = NewNode { inode, body, attributes };
        node.insert(&mut self.full);
        self.step().node = Some(node);
    }

    fn attributes(&mut self, inode: Inode) {
        let (Some(before), Some(after)) =
            (self.full.attributes(inode), self.cache.attributes(inode))
        else {
            return;
        };
        let (before, after) = (Box::new(before.clone()), Box::new(after.clone()));
        let change = Change::Attributes { inode, before, after };
        let id = self.add(change, &[Place::Attributes(inode)]);
        self.journal(id);
    }

    /// A new effect behind the last ones on these places.
    pub(super) fn add(&mut self, changes: impl Into<Changes>, places: &[Place]) -> EffectId {
        let id = EffectId(count(self.effects.len()));
        let effect = Effect {
            event: self.point() - 1,
            changes: changes.into(),
            needs: Vec::new(),
            durable_from: NEVER,
            gone_from: NEVER,
            journaled: false,
            data: false,
        };
        effect.apply(&mut self.full);
        self.pending.add(id, &effect);
        self.effects.push(effect);
        for place in places {
            self.follow(id, place.clone());
        }
        id
    }

    /// Puts an effect behind the last one on a place.
    pub(super) fn follow(&mut self, id: EffectId, place: Place) {
        if let Some(last) = self.last.insert(place, id) {
            self.need(id, last);
        }
    }

    pub(super) fn need(&mut self, id: EffectId, needed: EffectId) {
        let needs = &mut self.effect(id).needs;
        if needed != id && !needs.contains(&needed) {
            needs.push(needed);
        }
    }

    pub(super) fn effect(&mut self, id: EffectId) -> &mut Effect {
        &mut self.effects[id.index()]
    }

    /// Metadata takes its place in the order that the model keeps.
    pub(super) fn journal(&mut self, id: EffectId) {
        self.effect(id).journaled = true;
        self.pending.journal(id);
        if self.rules.metadata_order == MetadataOrder::Journal {
            self.follow(id, Place::Journal);
        }
    }

    /// A length that enters the journal only at write-back does so behind all that is there already,
    /// in the same transaction or a later one; where it will be is not known, so nothing follows it.
    pub(super) fn behind_journal(&mut self, id: EffectId) {
        if let Some(last) = self.last.get(&Place::Journal).copied() {
            self.need(id, last);
        }
    }
}
