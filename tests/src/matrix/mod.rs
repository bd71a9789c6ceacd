//! The matrix: each barrier of the store left out, each planted mistake made, and how it is found.
//!
//! A [`Mistake`] has a fixed list of runs ([`runs`]). [`search()`] goes through them under one preset
//! after the other until a crash state shows a violation; [`control()`] makes the same runs without any
//! mistake. [`render`] tells both as the text that stands in docs/findings.md. Nothing here depends on
//! the machine, the time or the number of threads.
//!
//! Not for what a mistake does (that stands in the store beside the line it breaks) nor for how a disk is
//! checked (`plugpull::subject`).

mod control;
mod document;
mod mistake;
mod runs;
mod search;

pub use control::{Control, all_runs, control};
pub use document::{document, fresh, kept, render};
pub use mistake::Mistake;
pub use runs::{Try, runs};
pub use search::{Finding, Place, Row, reproduce, search};

use std::sync::atomic::{AtomicUsize, Ordering};

/// Does `work` for every item on some threads; the answers are in the order of the items.
pub fn in_parallel<T: Sync, R: Send>(
    items: &[T],
    jobs: usize,
    work: &(impl Fn(&T) -> R + Sync),
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(n) else { return done };
            done.push((n, work(item)));
        }
    };
    let mut done: Vec<(usize, R)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..jobs.max(1)).map(|_| scope.spawn(worker)).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().flat_map(join).collect()
    });
    done.sort_by_key(|(n, _)| *n);
    done.into_iter().map(|(_, answer)| answer).collect()
}
