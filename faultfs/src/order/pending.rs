//! The effects that may still be lost, found by what they change: a barrier looks at those that it is
//! for, and not at all that is pending.
//!
//! Not for what a barrier makes durable: that is `barrier`.

use std::collections::BTreeSet;

use super::effect::{Change, Effect, EffectId};
use crate::Inode;

/// What an effect has to do with an inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// It changes the bytes, the length or the attributes.
    Content,
    /// It changes a name in this directory.
    Entry,
    /// It gives a name, or takes one away.
    Named,
}

/// Effects that are neither durable nor gone, in their order.
#[derive(Default)]
pub(super) struct Pending {
    all: BTreeSet<EffectId>,
    parts: BTreeSet<(Inode, Part, EffectId)>,
    /// Metadata that a journal commit takes along.
    journaled: BTreeSet<EffectId>,
}

impl Pending {
    pub(super) fn add(&mut self, id: EffectId, effect: &Effect) {
        self.all.insert(id);
        for (inode, part) in parts(effect) {
            self.parts.insert((inode, part, id));
        }
    }

    /// Notes that an effect is in the journal.
    pub(super) fn journal(&mut self, id: EffectId) {
        self.journaled.insert(id);
    }

    /// Removes an effect, which changes what it did when it was added, or more of the same.
    pub(super) fn remove(&mut self, id: EffectId, effect: &Effect) {
        self.all.remove(&id);
        self.journaled.remove(&id);
        for (inode, part) in parts(effect) {
            self.parts.remove(&(inode, part, id));
        }
    }

    pub(super) fn contains(&self, id: EffectId) -> bool {
        self.all.contains(&id)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = EffectId> {
        self.all.iter().copied()
    }

    pub(super) fn last(&self) -> Option<EffectId> {
        self.all.last().copied()
    }

    /// Those that change bytes, length or attributes of an inode.
    pub(super) fn content_of(&self, inode: Inode) -> impl DoubleEndedIterator<Item = EffectId> {
        self.of(inode, Part::Content)
    }

    /// Those that change a name in a directory.
    pub(super) fn entries_of(&self, dir: Inode) -> impl DoubleEndedIterator<Item = EffectId> {
        self.of(dir, Part::Entry)
    }

    /// Those by which an inode gets or loses a name.
    pub(super) fn names_of(&self, inode: Inode) -> impl DoubleEndedIterator<Item = EffectId> {
        self.of(inode, Part::Named)
    }

    fn of(&self, inode: Inode, part: Part) -> impl DoubleEndedIterator<Item = EffectId> {
        let ids = (inode, part, EffectId(0))..=(inode, part, EffectId(u32::MAX));
        self.parts.range(ids).map(|(_, _, id)| *id)
    }

    /// Those in the journal up to one of them.
    pub(super) fn journaled_to(&self, last: EffectId) -> impl Iterator<Item = EffectId> {
        self.journaled.range(..=last).copied()
    }

    pub(super) fn last_journaled(&self) -> Option<EffectId> {
        self.journaled.last().copied()
    }
}

/// The inodes that an effect has to do with, some of them more than once.
pub(super) fn parts(effect: &Effect) -> impl Iterator<Item = (Inode, Part)> {
    effect.changes.iter().flat_map(|change| match change {
        Change::Name { at, before, after } => {
            let named = |inode: &Option<Inode>| inode.map(|inode| (inode, Part::Named));
            [Some((at.dir, Part::Entry)), named(before), named(after)].into_iter().flatten()
        }
        Change::Page { inode, .. }
        | Change::Bytes { inode, .. }
        | Change::Len { inode, .. }
        | Change::Attributes { inode, .. } => {
            [Some((*inode, Part::Content)), None, None].into_iter().flatten()
        }
    })
}

#[cfg(test)]
#[path = "pending_tests.rs"]
mod tests;
