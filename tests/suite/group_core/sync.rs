//! The locks of the model checker, under the names that the store's core of the group commit uses.

use std::time::Duration;

pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard};
pub(crate) use std::sync::PoisonError;

/// The model checker has no time: either the limit is over at once, or never. Both are looked at, so a
/// wait that ends only because its limit is over is found.
pub(crate) fn wait_at_most<'m, T>(
    changed: &Condvar,
    mut guard: MutexGuard<'m, T>,
    limit: Duration,
    mut unfinished: impl FnMut(&mut T) -> bool,
) -> MutexGuard<'m, T> {
    assert!(limit > Duration::ZERO);
    while !super::IMPATIENT.get() && unfinished(&mut guard) {
        guard = changed.wait(guard).unwrap_or_else(PoisonError::into_inner);
    }
    guard
}
