//! Effects that nobody sees: what changes only files and directories that no name leads to.
//!
//! A temp that is not durable yet has an effect for its name, and some for its bytes. Where the name is lost, the states
//! with and without its bytes are one, and the sets are many: with ten such temps, millions. Here it is told of
//! which effects this is so, from those alone that were decided before it. They need not be lost: a set that holds them
//! stands for those that do not, since whatever needs them may survive as well. Not for going through the sets: see `legal`.

use std::collections::BTreeMap;

use super::Window;
use super::legal::Decided;
use crate::Inode;
use crate::order::{Change, Effect};

/// What shows the pending effects of a window.
pub(super) struct Unseen {
    /// For each effect: the others that name what it changes, as it makes a difference with them alone. `None` where it
    /// may make one by itself.
    shown_with: Vec<Option<Vec<u32>>>,
}

impl Unseen {
    pub(super) fn of(window: &Window<'_>) -> Self {
        let effects = || window.pending().iter().map(|id| window.order.effect(*id));
        let mut naming = BTreeMap::<Inode, Vec<u32>>::new();
        for (position, effect) in (0..).zip(effects()) {
            for named in effect.entries().filter_map(|(_, _, after)| after) {
                naming.entry(named).or_default().push(position);
            }
        }
        let shown_with = effects().map(|effect| {
            let mut shown_with = Vec::new();
            for inode in changed(effect) {
                if window.durable().links(inode) > 0 {
                    return None;
                }
                shown_with.extend(naming.get(&inode).into_iter().flatten());
            }
            Some(shown_with)
        });
        Self { shown_with: shown_with.collect() }
    }

    /// Whether nothing that can still be added to what survives of the effects before `position` shows the one there:
    /// whatever follows, the state is the same with and without it.
    pub(super) fn is_unseen(
        &self,
        window: &Window<'_>,
        position: usize,
        decided: &[Decided],
        survives: &[bool],
    ) -> bool {
        let survives = |other: usize| survives.get(other).copied();
        let may_survive = |other: usize| {
            let needs = || window.needs(other).iter().map(|needed| *needed as usize);
            decided[other] != Decided::Out && needs().all(|needed| survives(needed) != Some(false))
        };
        let shows = |other: &u32| {
            let other = *other as usize;
            other != position && survives(other).unwrap_or_else(|| may_survive(other))
        };
        self.shown_with[position].as_ref().is_some_and(|with| !with.iter().any(shows))
    }
}

/// The files and directories that an effect changes.
fn changed(effect: &Effect) -> impl Iterator<Item = Inode> {
    effect.changes.iter().map(|change| match change {
        Change::Name { at, .. } => at.dir,
        Change::Page { inode, .. }
        | Change::Bytes { inode, .. }
        | Change::Len { inode, .. }
        | Change::Attributes { inode, .. } => *inode,
    })
}
