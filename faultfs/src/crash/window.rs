//! The window of a crash point: the effects that may or may not survive there, between the disk on
//! which only what is durable survived and the one on which everything did.
//!
//! Windows are walked in the order of the crash points; each costs its difference to the one before.
//! Not for choosing subsets (`legal`).

use std::sync::OnceLock;

use crate::DiskImage;
use crate::order::{EffectId, PersistOrder, StepKind};

/// What may survive at one crash point.
#[derive(Clone)]
pub struct Window<'o> {
    pub(super) order: &'o PersistOrder,
    point: u32,
    marks: u32,
    durable: DiskImage,
    full: DiskImage,
    pending: Vec<EffectId>,
    /// Made when it is asked for: walking on to the next window does not need it.
    relations: OnceLock<Relations>,
}

/// For each pending effect the positions of the pending effects it needs, which stand before its own.
#[derive(Clone, Default)]
struct Relations {
    /// One after the other, and where those of each effect end.
    needs: Vec<u32>,
    ends: Vec<usize>,
}

impl<'o> Window<'o> {
    /// The window before the first event, in which nothing is pending.
    pub fn first(order: &'o PersistOrder) -> Self {
        let start = order.start.clone();
        let (full, pending) = (start.clone(), Vec::new());
        let relations = OnceLock::new();
        Self { order, point: 0, marks: 0, durable: start, full, pending, relations }
    }

    /// The window at a crash point; the last one if there are fewer events.
    pub fn at(order: &'o PersistOrder, point: u32) -> Self {
        let mut window = Self::first(order);
        while window.point < point && window.advance() {}
        window
    }

    /// Goes one event further; says whether there was one.
    pub fn advance(&mut self) -> bool {
        if self.point == self.order.events() {
            return false;
        }
        let order = self.order;
        let step = order.step(self.point);
        self.point += 1;
        if step.kind == StepKind::Mark {
            self.marks += 1;
            return true;
        }
        step.prepare(&mut self.durable);
        step.prepare(&mut self.full);
        step.expose(&mut self.durable);
        for id in step.effects.clone().map(EffectId) {
            order.effect(id).apply(&mut self.full);
            self.pending.push(id);
        }
        for id in step.gone.iter().rev() {
            order.effect(*id).undo(&mut self.full);
        }
        for id in &step.durable {
            order.effect(*id).apply(&mut self.durable);
        }
        self.remove(&step.durable);
        self.remove(&step.gone);
        step.bury(&mut self.durable);
        step.bury(&mut self.full);
        if let Some(mut relations) = self.relations.take() {
            relations.complete(order, &self.pending, self.point);
            self.relations = OnceLock::from(relations);
        }
        true
    }

    /// Removes what is no longer pending. What stood before the first of it stays where it is.
    fn remove(&mut self, ids: &[EffectId]) {
        let Some(first) = ids.first() else { return };
        let kept = self.pending.partition_point(|id| id < first);
        let mut over = ids.iter().peekable();
        let rest = self.pending.split_off(kept);
        self.pending.extend(rest.iter().filter(|id| {
            while over.next_if(|over| over < id).is_some() {}
            over.peek() != Some(id)
        }));
        if let Some(relations) = self.relations.get_mut() {
            relations.truncate(kept);
        }
    }

    /// The crash point: the number of events before it.
    pub fn point(&self) -> u32 {
        self.point
    }

    /// The number of Marks before it.
    pub fn marks(&self) -> u32 {
        self.marks
    }

    /// The disk on which only what is durable survived.
    pub fn durable(&self) -> &DiskImage {
        &self.durable
    }

    /// The disk on which everything survived that can.
    pub fn full(&self) -> &DiskImage {
        &self.full
    }

    /// The effects that may or may not survive, in their order. A position in this list stands for
    /// its effect in all that follows.
    pub fn pending(&self) -> &[EffectId] {
        &self.pending
    }

    /// The positions that the effect at `position` cannot survive without.
    pub fn needs(&self, position: usize) -> &[u32] {
        let relations = self.relations.get_or_init(|| {
            let mut relations = Relations::default();
            relations.complete(self.order, &self.pending, self.point);
            relations
        });
        relations.of(position)
    }

    /// How many of the pending effects are of the last event: the last ones of the list.
    pub fn newest(&self) -> usize {
        let Some(last) = self.point.checked_sub(1) else { return 0 };
        let first = self.order.step(last).effects.start;
        self.pending.iter().rev().take_while(|id| id.0 >= first).count()
    }

    /// Puts the effect at `position` into an image that holds all it needs, and nothing that needs it.
    pub fn apply(&self, position: usize, image: &mut DiskImage) {
        self.order.effect(self.pending[position]).apply(image);
    }

    /// Takes the effect at `position` out of an image that holds nothing that needs it.
    pub fn undo(&self, position: usize, image: &mut DiskImage) {
        self.order.effect(self.pending[position]).undo(image);
    }

    /// The image on which these effects survived besides what is durable.
    pub fn image(&self, survives: &[bool]) -> DiskImage {
        let mut image = self.durable.clone();
        for (position, _) in survives.iter().enumerate().filter(|(_, survives)| **survives) {
            self.apply(position, &mut image);
        }
        image
    }

    /// Whether these effects can be all that survived besides what is durable.
    pub fn is_legal(&self, survives: &[bool]) -> bool {
        survives.len() == self.pending.len()
            && (0..survives.len()).filter(|position| survives[*position]).all(|position| {
                self.needs(position).iter().all(|needed| survives[*needed as usize])
            })
    }

    /// What is lost with the effects at these positions: they, and all that needs them.
    pub fn lost_with(&self, positions: &[usize]) -> Vec<bool> {
        let mut lost = vec![false; self.pending.len()];
        for position in positions {
            lost[*position] = true;
        }
        let first = positions.iter().min().copied().unwrap_or(lost.len());
        for position in first..lost.len() {
            lost[position] |= self.needs(position).iter().any(|needed| lost[*needed as usize]);
        }
        lost
    }

    /// What survives with the effect at this position: it, and all that it needs.
    pub fn kept_with(&self, position: usize) -> Vec<bool> {
        let mut kept = vec![false; self.pending.len()];
        kept[position] = true;
        for position in (0..=position).rev() {
            if kept[position] {
                for needed in self.needs(position) {
                    kept[*needed as usize] = true;
                }
            }
        }
        kept
    }
}

impl Relations {
    /// Finds out which pending effects need which, for those of which it is not known: as long as none
    /// before them goes, what is known stays true.
    fn complete(&mut self, order: &PersistOrder, pending: &[EffectId], point: u32) {
        for id in &pending[self.ends.len()..] {
            for needed in order.required(*id, point) {
                if let Ok(position) = pending.binary_search(&needed) {
                    self.needs.push(u32::try_from(position).expect("positions are effect numbers"));
                }
            }
            self.ends.push(self.needs.len());
        }
    }

    fn truncate(&mut self, kept: usize) {
        if kept < self.ends.len() {
            self.ends.truncate(kept);
            self.needs.truncate(self.ends.last().copied().unwrap_or(0));
        }
    }

    fn of(&self, position: usize) -> &[u32] {
        let start = position.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.needs[start..self.ends[position]]
    }
}
