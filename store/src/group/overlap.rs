//! Barriers that do not depend on each other, waited for at the same time.
//!
//! Who leads a batch has dozens of them, one for each directory, and a disk serves those that are waiting
//! together: one flush is enough for all. In which order they end is nobody's concern. What a power
//! cut in the middle may leave is among what it may leave before the first of them, when each entry is
//! volatile and may be there or not, so recorded runs, where they come one after the other, lack no state.
//!
//! Not for barriers that must come one after the other: those are different calls of this.

use std::panic::resume_unwind;
use std::thread::{Builder, scope};

use faultfs::Fs;

/// Threads that wait at the same time.
const MOST: usize = 8;

/// The results of `wait` for each of the items, in their order.
pub(super) fn overlap<F: Fs, T: Sync, R: Send>(
    fs: &F,
    items: &[T],
    wait: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let one_by_one = |items: &[T]| items.iter().map(&wait).collect::<Vec<R>>();
    let at_once = if fs.overlaps() { MOST } else { 1 };
    let share = items.len().div_ceil(at_once).max(1);
    let mut shares = items.chunks(share);
    let own = shares.next().unwrap_or_default();
    scope(|scope| {
        let others: Vec<_> = shares
            .map(|share| {
                let started = Builder::new().spawn_scoped(scope, move || one_by_one(share));
                (share, started)
            })
            .collect();
        let mut results = one_by_one(own);
        for (share, started) in others {
            results.extend(match started {
                Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
                // The machine has no thread to spare.
                Err(_) => one_by_one(share),
            });
        }
        results
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Mutex;
    use std::thread::current;

    use faultfs::RealFs;

    use super::*;

    #[test]
    fn the_results_come_in_the_order_of_the_items() {
        for count in [0, 1, 2, MOST, 3 * MOST + 1] {
            let items: Vec<_> = (0..count).collect();
            let threads = Mutex::new(BTreeSet::new());
            let results = overlap(&RealFs, &items, |n| {
                threads.lock().unwrap().insert(format!("{:?}", current().id()));
                n + 1
            });
            assert_eq!(results, (1..=count).collect::<Vec<_>>());
            assert!(threads.into_inner().unwrap().len() <= MOST);
        }
    }
}
