//! A closure as the judge of crash states, on several threads.
//!
//! Each state is a disk of its own, so the closure may recover on it. Not for choosing states.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use faultfs::SimFs;

use crate::check::{Verdict, judge_closure};
use crate::search::{Asked, Judge};

/// What is asked about each state: the disk, and the promises made before the power cut.
pub(super) type Check<'c> = dyn Fn(&SimFs, &[String]) -> Result<(), String> + Sync + 'c;

/// A closure that judges.
pub(super) struct Closure<'c> {
    pub(super) check: &'c Check<'c>,
    /// All promises of the run.
    pub(super) marks: Vec<String>,
    /// Threads.
    pub(super) jobs: usize,
}

impl Closure<'_> {
    /// The verdict on one state.
    pub(super) fn verdict(&self, asked: &Asked) -> Verdict {
        let disk = SimFs::on(asked.image.clone());
        let marks = self.marks.get(..asked.marks as usize).unwrap_or(&self.marks);
        judge_closure(|| (self.check)(&disk, marks))
    }
}

impl Judge for Closure<'_> {
    fn judge(&mut self, states: Vec<Asked>, stop: &dyn Fn() -> bool) -> Vec<Verdict> {
        let this = &*self;
        let threads = this.jobs.min(states.len());
        if threads < 2 {
            let judge = |asked| if stop() { Verdict::given_up() } else { this.verdict(asked) };
            return states.iter().map(judge).collect();
        }
        let next = AtomicUsize::new(0);
        let work = || {
            let mut judged = Vec::new();
            loop {
                let place = next.fetch_add(1, Ordering::Relaxed);
                let Some(asked) = states.get(place) else { return judged };
                judged.push((place, this.verdict(asked)));
            }
        };
        let mut verdicts = vec![Verdict::given_up(); states.len()];
        let judged = thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            // A panic of the check is caught above: a worker always comes to its end.
            workers
                .into_iter()
                .filter_map(|worker| worker.join().ok())
                .flatten()
                .collect::<Vec<_>>()
        });
        for (place, verdict) in judged {
            if let Some(slot) = verdicts.get_mut(place) {
                *slot = verdict;
            }
        }
        verdicts
    }
}
