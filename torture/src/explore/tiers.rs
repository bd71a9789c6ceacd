//! The tiers: for each crash point, which of its legal sets a tier makes.
//!
//! Not for counting and recognising them (`Search::look`).

use std::ops::ControlFlow;

use fastrand::Rng;
use faultfs::{Legal, Window};

use super::{Search, Skipped, Tier};

/// Windows with more pending effects are not counted through: the count alone would take too long.
const MOST_PENDING: usize = 4096;

/// Random sets drawn at each crash point in one round.
const DRAWS: u32 = 64;

impl<'o> Search<'o, '_> {
    pub(super) fn tier(&mut self, tier: Tier) -> ControlFlow<()> {
        match tier {
            Tier::T0 => self.each_window(Self::ends),
            Tier::T1 => self.each_window(Self::one_effect),
            Tier::T2 => self.each_window(Self::all_sets),
            Tier::T3 => self.pairs_and_draws(),
        }
    }

    /// Visits all windows: those after a barrier or a Mark first.
    fn each_window(
        &mut self,
        mut visit: impl FnMut(&mut Self, &Window<'o>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        for telling in [true, false] {
            let mut window = Window::first(self.order);
            loop {
                if self.order.is_telling(window.point()) == telling {
                    visit(self, &window)?;
                }
                self.go_on()?;
                if !window.advance() {
                    break;
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// Everything kept, and only the durable kept.
    fn ends(&mut self, window: &Window<'o>) -> ControlFlow<()> {
        let pending = window.pending().len();
        self.look(window, window.full(), &vec![true; pending])?;
        self.look(window, window.durable(), &vec![false; pending])
    }

    /// One effect dropped with all that needs it, or kept with all that it needs. Where the last event
    /// changed something, the sets that do not hold it were made at the point before.
    fn one_effect(&mut self, window: &Window<'o>) -> ControlFlow<()> {
        let pending = window.pending().len();
        for position in 0..pending {
            self.drop_with(window, &[position])?;
        }
        let telling = self.order.is_telling(window.point());
        let first = if telling { 0 } else { pending - window.newest() };
        for position in first..pending {
            let kept = window.kept_with(position);
            self.look(window, &window.image(&kept), &kept)?;
        }
        ControlFlow::Continue(())
    }

    /// These effects dropped, with all that needs them.
    fn drop_with(&mut self, window: &Window<'o>, positions: &[usize]) -> ControlFlow<()> {
        let mut survives = window.lost_with(positions);
        let mut image = window.full().clone();
        for position in (0..survives.len()).rev() {
            if survives[position] {
                window.undo(position, &mut image);
            }
            survives[position] = !survives[position];
        }
        self.look(window, &image, &survives)
    }

    /// Every legal set, but of those that differ only in what no name leads to few; where the last event changed something,
    /// those that hold it.
    fn all_sets(&mut self, window: &Window<'o>) -> ControlFlow<()> {
        let telling = self.order.is_telling(window.point());
        let most = self.bounds.window;
        if window.pending().len() <= MOST_PENDING {
            let legal = if telling { Legal::all(window) } else { Legal::new_ones(window) };
            let legal = legal.without_unseen();
            if legal.count(most.saturating_add(1)) <= most {
                return legal.visit(&mut |image, survives| self.look(window, image, survives));
            }
        }
        let skipped = Skipped { point: window.point(), pending: window.pending().len() };
        self.coverage.skipped.push(skipped);
        ControlFlow::Continue(())
    }

    /// For the windows that were too large: two effects dropped, then random sets as long as they show
    /// something new.
    fn pairs_and_draws(&mut self) -> ControlFlow<()> {
        let mut skipped: Vec<_> =
            self.coverage.skipped.iter().map(|skipped| skipped.point).collect();
        skipped.sort_unstable();
        let mut rng = Rng::with_seed(self.bounds.seed);
        self.each_skipped(&skipped, Self::pairs)?;
        loop {
            let before = self.coverage.last().distinct;
            self.each_skipped(&skipped, |search, window| {
                (0..DRAWS).try_for_each(|_| search.draw(window, &mut rng))
            })?;
            if self.coverage.last().distinct == before {
                return ControlFlow::Continue(());
            }
        }
    }

    fn each_skipped(
        &mut self,
        points: &[u32],
        mut visit: impl FnMut(&mut Self, &Window<'o>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut window = Window::first(self.order);
        for point in points {
            while window.point() < *point && window.advance() {}
            visit(self, &window)?;
        }
        ControlFlow::Continue(())
    }

    fn pairs(&mut self, window: &Window<'o>) -> ControlFlow<()> {
        let pending = window.pending().len();
        for first in 0..pending {
            for second in first + 1..pending {
                self.drop_with(window, &[first, second])?;
            }
        }
        ControlFlow::Continue(())
    }

    fn draw(&mut self, window: &Window<'o>, rng: &mut Rng) -> ControlFlow<()> {
        let survives = random_set(window, rng);
        self.look(window, &window.image(&survives), &survives)
    }
}

/// A random legal set: each effect survives with one probability, drawn for the set, if it can.
pub fn random_set(window: &Window<'_>, rng: &mut Rng) -> Vec<bool> {
    let probability = rng.f64();
    let mut survives = Vec::with_capacity(window.pending().len());
    for position in 0..window.pending().len() {
        let can_survive = window.needs(position).iter().all(|n| survives[*n as usize]);
        survives.push(rng.f64() < probability && can_survive);
    }
    survives
}
