//! The persist order: for one trace and one model, which effect can only survive with which, and
//! from which crash point on it survives for certain.
//!
//! Made once for a run, by one pass over the trace; the crash states are read off it (`crash`). Not
//! for choosing among them.

mod barrier;
mod build;
mod content;
mod dead;
mod effect;
mod names;
mod pending;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;

use xxhash_rust::xxh3::Xxh3;

use crate::{Attributes, DiskImage, Event, Inode, Model, Trace};

pub use effect::{Change, Changes, Effect, EffectId};

/// What can survive of a run under a model.
#[derive(Clone, Debug)]
pub struct PersistOrder {
    pub(crate) start: DiskImage,
    model: Model,
    digest: u64,
    effects: Vec<Effect>,
    steps: Vec<Step>,
    marks: Vec<Arc<[u8]>>,
}

/// What one event of the trace means for the disk.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// The effects it adds.
    pub(crate) effects: Range<u32>,
    /// The effects that are durable after it and were not before, in their order.
    pub(crate) durable: Vec<EffectId>,
    /// The effects that cannot survive any more after it, in their order.
    pub(crate) gone: Vec<EffectId>,
    /// The file or directory that it creates; its name is an effect.
    node: Option<NewNode>,
    /// Bytes that the disk holds in blocks that the event allocates: the file, the offset, the bytes.
    fills: Vec<(Inode, u64, Arc<[u8]>)>,
    /// What nothing touches any more after it, of all that ever lost a name.
    dead: Vec<Inode>,
    pub(crate) kind: StepKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StepKind {
    Change,
    Barrier,
    Mark,
}

#[derive(Clone, Debug)]
struct NewNode {
    inode: Inode,
    body: NewBody,
    attributes: Attributes,
}

#[derive(Clone, Debug)]
enum NewBody {
    File,
    Dir,
    Symlink(Arc<[u8]>),
}

impl PersistOrder {
    /// The order of this run's effects under this model.
    ///
    /// # Panics
    ///
    /// If the trace names inodes that do not exist, which reading a trace file checks.
    pub fn new(trace: &Trace, model: &Model) -> Self {
        let mut orders = Self::all(trace, std::slice::from_ref(model));
        orders.pop().expect("one model has one order")
    }

    /// The orders under several models, in their order, which share the pages that the program wrote.
    ///
    /// # Panics
    ///
    /// As [`Self::new`] does.
    pub fn all(trace: &Trace, models: &[Model]) -> Vec<Self> {
        build::Builder::build_all(trace, models)
    }

    /// For each of these files and directories: the pending effects that an fsync of it would make durable if
    /// it came after the last event, in their order. Costs one pass over the trace for all of them.
    ///
    /// # Panics
    ///
    /// As [`Self::new`] does.
    pub fn fsyncs(trace: &Trace, model: &Model, inodes: &[Inode]) -> Vec<Vec<EffectId>> {
        build::Builder::fsyncs(trace, model, inodes)
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// All effects, in the order of their Ops.
    pub fn effects(&self) -> &[Effect] {
        &self.effects
    }

    /// An effect by its number.
    pub fn effect(&self, id: EffectId) -> &Effect {
        &self.effects[id.index()]
    }

    /// The number of events: crash points are 0 (before the first) to this (after the last).
    pub fn events(&self) -> u32 {
        count(self.steps.len())
    }

    /// Whether the event before a crash point is a barrier or a Mark: the points where a crash shows
    /// most.
    pub fn is_telling(&self, point: u32) -> bool {
        point == 0 || self.step(point - 1).kind != StepKind::Change
    }

    /// The Marks of the first `count` ones, in their order.
    pub fn marks(&self, count: u32) -> &[Arc<[u8]>] {
        &self.marks[..count as usize]
    }

    /// Tells this trace under these rules from others: part of a replay token.
    pub fn digest(&self) -> u64 {
        self.digest
    }

    pub(crate) fn step(&self, event: u32) -> &Step {
        &self.steps[event as usize]
    }

    /// What `needed_by` cannot survive without at a crash point.
    pub(crate) fn required(
        &self,
        needed_by: EffectId,
        point: u32,
    ) -> impl Iterator<Item = EffectId> + '_ {
        let needs = self.effect(needed_by).needs.iter().copied();
        needs.filter(move |id| self.effect(*id).gone_from > point)
    }
}

impl Step {
    /// Puts what survives in any case into an image: a node without a name, bytes beyond a length.
    pub(crate) fn prepare(&self, image: &mut DiskImage) {
        if let Some(node) = &self.node {
            node.insert(image);
        }
    }

    /// Puts the bytes that the disk held already where nothing else was written.
    pub(crate) fn expose(&self, durable: &mut DiskImage) {
        for (inode, offset, bytes) in &self.fills {
            effect::put_bytes(durable, *inode, *offset, bytes);
        }
    }

    /// Drops what will never have a name again.
    pub(crate) fn bury(&self, image: &mut DiskImage) {
        for inode in &self.dead {
            if image.names(*inode).next().is_none() {
                image.forget(*inode);
            }
        }
    }
}

impl NewNode {
    fn insert(&self, image: &mut DiskImage) {
        let attributes = self.attributes.clone();
        match &self.body {
            NewBody::File => image.insert_file(self.inode, attributes),
            NewBody::Dir => image.insert_dir(self.inode, attributes),
            NewBody::Symlink(target) => {
                image.insert_symlink(self.inode, target.to_vec(), attributes);
            }
        }
    }
}

/// A digest of what a replay needs to find again: the start and the events; the rules are to be added.
fn digest(trace: &Trace) -> Xxh3 {
    let mut hash = Xxh3::new();
    hash.update(&trace.start.hash().0.to_le_bytes());
    for event in &trace.events {
        hash.update(&postcard_of(event));
    }
    hash
}

fn postcard_of(event: &Event) -> Vec<u8> {
    postcard::to_allocvec(event).unwrap_or_default()
}

/// Traces have fewer than 2^32 events and effects: an event takes more than one byte of memory.
fn count(n: usize) -> u32 {
    u32::try_from(n).expect("a trace has fewer than 2^32 events")
}
