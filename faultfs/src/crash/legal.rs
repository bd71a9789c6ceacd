//! All legal sets of a window, one after the other, each image made from its neighbour's.
//!
//! The search goes through the pending effects in their order and leaves out or takes in each one,
//! where all it needs is taken in. A set is a leaf, so the cost of a set is a few changes of an
//! image, whatever the length of the trace. Not for windows with too many sets: count first.

use std::ops::ControlFlow;

use super::Window;
use super::unseen::Unseen;
use crate::DiskImage;

/// The legal sets of a window: all, or those that hold an effect of the last event.
pub struct Legal<'w, 'o> {
    window: &'w Window<'o>,
    /// For each part of the search: what is decided before it begins.
    parts: Vec<Vec<Decided>>,
    /// Which effects are in every set that can hold them since nobody sees them, if that was asked.
    unseen: Option<Unseen>,
}

/// What a part of the search has decided of an effect.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Decided {
    Open,
    In,
    Out,
}

impl<'w, 'o> Legal<'w, 'o> {
    /// All legal sets.
    pub fn all(window: &'w Window<'o>) -> Self {
        let parts = vec![vec![Decided::Open; window.pending().len()]];
        Self { window, parts, unseen: None }
    }

    /// The legal sets that were none before the last event. When that was a barrier or a Mark there
    /// are none: a barrier only takes sets away, and a Mark none.
    pub fn new_ones(window: &'w Window<'o>) -> Self {
        let count = window.pending().len();
        let newest = count - window.newest()..count;
        let part = |first: usize| {
            let mut decided = vec![Decided::Open; count];
            decided[newest.start..first].fill(Decided::Out);
            let kept = window.kept_with(first);
            for position in (0..count).filter(|position| kept[*position]) {
                if decided[position] == Decided::Out {
                    return None;
                }
                decided[position] = Decided::In;
            }
            Some(decided)
        };
        Self { window, parts: newest.clone().filter_map(part).collect(), unseen: None }
    }

    /// Of the sets that differ only in what no name leads to, few: each state that a set has still has one.
    #[must_use]
    pub fn without_unseen(self) -> Self {
        Self { unseen: Some(Unseen::of(self.window)), ..self }
    }

    fn search<'s>(&'s self, part: &'s [Decided]) -> Search<'s, 'w, 'o> {
        let unseen = self.unseen.as_ref();
        Search { window: self.window, decided: part, unseen, survives: Vec::new() }
    }

    /// The number of sets, counted up to `most`.
    pub fn count(&self, most: u64) -> u64 {
        let mut count = 0;
        for part in &self.parts {
            let _ends = self.search(part).run(None, &mut |_, _| {
                count += 1;
                if count < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            });
        }
        count.min(most)
    }

    /// Visits each set with its image, until the visitor breaks off.
    pub fn visit<B>(
        &self,
        visit: &mut impl FnMut(&DiskImage, &[bool]) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        for part in &self.parts {
            let durable = self.window.durable();
            self.search(part).run(Some(durable), &mut |image, survives| match image {
                Some(image) => visit(image, survives),
                None => ControlFlow::Continue(()),
            })?;
        }
        ControlFlow::Continue(())
    }
}

struct Search<'s, 'w, 'o> {
    window: &'w Window<'o>,
    decided: &'s [Decided],
    unseen: Option<&'s Unseen>,
    /// What survives of the effects that were passed.
    survives: Vec<bool>,
}

impl Search<'_, '_, '_> {
    fn is_unseen(&self, position: usize) -> bool {
        self.unseen.is_some_and(|unseen| {
            unseen.is_unseen(self.window, position, self.decided, &self.survives)
        })
    }

    /// Goes on from here; `image` is left out when sets are only counted.
    fn run<B>(
        &mut self,
        image: Option<&DiskImage>,
        visit: &mut impl FnMut(Option<&DiskImage>, &[bool]) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let depth = self.survives.len();
        // Effects about which there is nothing to decide cost no call.
        let mut owned: Option<DiskImage> = None;
        while let Some(decided) = self.decided.get(self.survives.len()) {
            let position = self.survives.len();
            let can_survive = *decided != Decided::Out
                && self.window.needs(position).iter().all(|n| self.survives[*n as usize]);
            let must_survive = *decided == Decided::In;
            if can_survive && !must_survive && !self.is_unseen(position) {
                self.survives.push(false);
                self.run(owned.as_ref().or(image), visit)?;
                self.survives.truncate(position);
            }
            self.survives.push(can_survive);
            if can_survive && let Some(image) = image {
                self.window.apply(position, owned.get_or_insert_with(|| image.clone()));
            }
        }
        visit(owned.as_ref().or(image), &self.survives)?;
        self.survives.truncate(depth);
        ControlFlow::Continue(())
    }
}
