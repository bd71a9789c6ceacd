//! What the core of the group commit waits with: the locks of the standard library.
//!
//! The core takes them from here and from nowhere else, so that the model checker can put its own in
//! their place: tests/suite/group_core has the other file of this name.

use std::time::Duration;

pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Sleeps while `unfinished`, and no longer than `limit`.
pub(crate) fn wait_at_most<'m, T>(
    changed: &Condvar,
    guard: MutexGuard<'m, T>,
    limit: Duration,
    unfinished: impl FnMut(&mut T) -> bool,
) -> MutexGuard<'m, T> {
    let waited = changed.wait_timeout_while(guard, limit, unfinished);
    waited.unwrap_or_else(PoisonError::into_inner).0
}
