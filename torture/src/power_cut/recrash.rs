//! The second power cut, while the store recovers from the first.

use std::ops::ControlFlow;

use faultfs::{CrashState, Model, PersistOrder, Trace};

use super::Violation;
use crate::explore::{Bounds, Tier, explore};
use crate::subject::{self, Expected};

/// The most states of one recovery. Few have as many: a recovery is a few calls, unless the store is
/// made anew.
const MOST: u64 = 64;

/// Explores what a recovery wrote. Returns how many states were looked at, and the first in which
/// something is wrong.
pub(super) fn check(
    expected: &Expected,
    recovery: &Trace,
    model: &Model,
    marks: usize,
) -> (u64, Option<Violation>) {
    if recovery.events.is_empty() {
        return (0, None);
    }
    let order = PersistOrder::new(recovery, model);
    let bounds = Bounds { budget: MOST, ..Bounds::of(Tier::T2) };
    let mut found = None;
    let coverage = explore(&order, bounds, &mut |state| {
        let mut image = state.image.clone();
        image.discard_hidden();
        let what = subject::check(expected, &image, marks).violations;
        if what.is_empty() {
            return ControlFlow::Continue(());
        }
        let again = CrashState::new(state.window, state.survives).to_string();
        found = Some(Violation { what, again: Some(again) });
        ControlFlow::Break(())
    });
    (coverage.states(), found)
}
