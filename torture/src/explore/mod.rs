//! The search among crash states: which of them are looked at, in which order, and what was left
//! out.
//!
//! In tiers, the cheapest and most fruitful first (design.md 3.3), and within a tier the crash
//! points right after a barrier or a Mark first. A state is looked at once: states with equal images
//! and equal Marks before them are one. The order of the states depends on the trace, the model and
//! the bounds only. Not for checking them (`parallel` hands them to a checker).

mod coverage;
mod parallel;
mod tiers;

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use faultfs::{DiskImage, ImageHash, PersistOrder, Window};

pub use coverage::{Coverage, Skipped, Tier, TierCount};
pub use parallel::{Checked, Found, Until, check};
pub use tiers::random_set;

/// How far to look.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The last tier.
    pub tier: Tier,
    /// The most states to look at.
    pub budget: u64,
    /// The most legal sets of one crash point that tier 2 goes through; a point with more is left to
    /// tier 3, and named.
    pub window: u64,
    /// Seed of the random sets of tier 3.
    pub seed: u64,
}

impl Bounds {
    /// All that `tier` has, without an end; windows of up to 65,536 sets.
    pub fn of(tier: Tier) -> Self {
        Self { tier, budget: u64::MAX, window: 1 << 16, seed: 1 }
    }
}

/// A crash state that was not seen before.
#[derive(Clone, Copy)]
pub struct State<'s, 'o> {
    /// Its disk.
    pub image: &'s DiskImage,
    /// Its crash point.
    pub window: &'s Window<'o>,
    /// Which of the window's pending effects survived.
    pub survives: &'s [bool],
}

/// Visits the distinct crash states within the bounds, until the visitor breaks off.
pub fn explore(
    order: &PersistOrder,
    bounds: Bounds,
    visit: &mut dyn FnMut(State) -> ControlFlow<()>,
) -> Coverage {
    explore_until(order, bounds, &|| false, visit)
}

/// The same, also until `stop` says so: it is asked where no new state comes for a long time as well.
pub fn explore_until(
    order: &PersistOrder,
    bounds: Bounds,
    stop: &dyn Fn() -> bool,
    visit: &mut dyn FnMut(State) -> ControlFlow<()>,
) -> Coverage {
    let seen = BTreeSet::new();
    let coverage = Coverage::new(order.events() + 1);
    let mut search = Search { order, bounds, visit, stop, looks: 0, seen, coverage };
    for tier in Tier::ALL.into_iter().filter(|tier| *tier <= bounds.tier) {
        search.coverage.begin(tier);
        if search.tier(tier).is_break() {
            return search.coverage;
        }
        search.coverage.complete();
    }
    search.coverage
}

/// A search in progress.
struct Search<'o, 'v> {
    order: &'o PersistOrder,
    bounds: Bounds,
    visit: &'v mut dyn FnMut(State) -> ControlFlow<()>,
    stop: &'v dyn Fn() -> bool,
    /// Sets that were made and windows that were passed.
    looks: u64,
    /// What was looked at: the number of Marks before it, and the image.
    seen: BTreeSet<(u32, ImageHash)>,
    coverage: Coverage,
}

/// How many sets and windows there are between two questions whether to stop: a question may look at a
/// clock, and a set takes less than two of those.
const ASK_EVERY: u64 = 32;

impl<'o> Search<'o, '_> {
    /// Breaks off when somebody asks for it.
    fn go_on(&mut self) -> ControlFlow<()> {
        self.looks += 1;
        let ends = self.looks.is_multiple_of(ASK_EVERY) && (self.stop)();
        if ends { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Looks at a state, unless an equal one was seen.
    fn look(
        &mut self,
        window: &Window<'o>,
        image: &DiskImage,
        survives: &[bool],
    ) -> ControlFlow<()> {
        self.go_on()?;
        let count = self.coverage.last();
        count.enumerated += 1;
        if self.seen.contains(&(window.marks(), image.hash())) {
            return ControlFlow::Continue(());
        }
        if self.seen.len() as u64 == self.bounds.budget {
            count.enumerated -= 1;
            return ControlFlow::Break(());
        }
        self.seen.insert((window.marks(), image.hash()));
        count.distinct += 1;
        (self.visit)(State { image, window, survives })
    }
}
