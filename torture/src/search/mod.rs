//! The search of one recording: every model, tier by tier, each distinct crash state judged once.
//!
//! A state is judged by what a program that looks at the disk can tell: its image, and the Marks before
//! the crash. Models share most of their states, so a verdict is written down in a [`Book`] and never
//! asked for twice. Not for how a state is judged (`check`), nor for what violations mean (`findings`).

mod book;
mod share;

use std::ops::ControlFlow;

use faultfs::{CrashState, Model, PersistOrder};

use crate::check::{Verdict, Violation};
use crate::explore::{Bounds, Coverage, State, Tier, explore_until};

pub use book::{Asked, Book, Judge, Keeper, Key};
use share::Whose;
pub use share::{Partition, Share};

/// States that are handed to the judge at once: enough to keep all its workers busy.
const BATCH: usize = 256;

/// States that wait to be brought into an order in which neighbours differ little.
const WAITING: usize = 8 * BATCH;

/// The most that waiting states together may differ in from disks that others share, in effects: what
/// differs is in memory for each of them.
const MOST_DIFFERING: usize = 1 << 16;

/// When a search ends.
pub trait Time {
    /// Whether it is to end now.
    fn is_over(&self) -> bool;

    /// When the next of so many parts ends that are left, each with an equal share.
    fn share(&self, parts: u32) -> Box<dyn Fn() -> bool + '_>;
}

/// What has no clock gives each part all there is.
impl<F: Fn() -> bool> Time for F {
    fn is_over(&self) -> bool {
        self()
    }

    fn share(&self, _: u32) -> Box<dyn Fn() -> bool + '_> {
        Box::new(self)
    }
}

/// A state in which something is wrong.
#[derive(Clone, Debug)]
pub struct Violated {
    /// Its place in the order of the search.
    pub number: u64,
    /// Which one it is.
    pub state: CrashState,
    /// The number of Marks before the crash.
    pub marks: u32,
    /// What is wrong.
    pub what: Violation,
}

/// What the search under one model showed.
pub struct Searched {
    /// The model.
    pub model: Model,
    /// What was looked at.
    pub coverage: Coverage,
    /// States in which nothing was wrong.
    pub survived: u64,
    /// States in which something was, in the order of the search.
    pub violated: Vec<Violated>,
    /// States that were made and not judged.
    pub not_measured: u64,
    /// Why the machine did not let us judge the first of them that it hindered, if it did.
    pub hindered: Option<String>,
    /// States that are another shard's.
    pub elsewhere: u64,
    /// Why the harness cannot be trusted, if it cannot.
    pub broken: Option<String>,
}

impl Searched {
    fn new(order: &PersistOrder) -> Self {
        Self {
            model: order.model().clone(),
            coverage: Coverage::new(order.events() + 1),
            survived: 0,
            violated: Vec::new(),
            not_measured: 0,
            elsewhere: 0,
            hindered: None,
            broken: None,
        }
    }

    /// Whether all that was asked for was looked at.
    pub fn is_complete(&self, tier: Tier) -> bool {
        let reached = self.coverage.tiers.last().is_some_and(|count| count.tier == tier);
        reached && self.coverage.is_complete() && self.not_measured == 0
    }

    /// Distinct states that were judged.
    pub fn judged(&self) -> u64 {
        self.survived + self.violated.len() as u64
    }
}

/// Searches under all models, each tier under every model before the next one, until the time is over.
/// No model takes more of it than its share as long as others wait: a long run would not come to them.
pub fn search(
    orders: &[PersistOrder],
    bounds: Bounds,
    book: &mut Book<'_>,
    time: &dyn Time,
    progress: &mut dyn FnMut(&Searched),
) -> Vec<Searched> {
    let mut all: Vec<_> = orders.iter().map(Searched::new).collect();
    for tier in Tier::ALL.into_iter().filter(|tier| *tier <= bounds.tier) {
        let left = (1..=u32::try_from(orders.len()).unwrap_or(u32::MAX)).rev();
        for ((searched, order), left) in all.iter_mut().zip(orders).zip(left) {
            if time.is_over() {
                return all;
            }
            let stop = time.share(left);
            let found = search_one(order, Bounds { tier, ..bounds }, book, &stop, progress);
            let broken = found.broken.is_some();
            // It may have ended before it came to where the search of the tier before ended.
            if broken || found.judged() >= searched.judged() {
                *searched = found;
            }
            if broken {
                return all;
            }
        }
    }
    all
}

/// Searches under one model, up to a tier; what an earlier search judged is not judged again.
pub fn search_one(
    order: &PersistOrder,
    bounds: Bounds,
    book: &mut Book<'_>,
    stop: &dyn Fn() -> bool,
    progress: &mut dyn FnMut(&Searched),
) -> Searched {
    let (found, waiting) = (Searched::new(order), Vec::new());
    let mut walk = Walk { found, waiting, differing: 0, number: 0, book, stop, progress };
    let coverage = explore_until(order, bounds, stop, &mut |state| {
        walk.take(&state);
        if walk.waiting.len() >= WAITING || walk.differing >= MOST_DIFFERING {
            walk.judge();
        }
        let ends = walk.found.broken.is_some() || stop();
        if ends { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    walk.judge();
    let mut found = walk.found;
    found.violated.sort_by_key(|violated| violated.number);
    found.coverage = coverage;
    found
}

/// A search under way.
struct Walk<'w, 'j> {
    found: Searched,
    waiting: Vec<(u64, CrashState, Asked)>,
    /// In how many effects the waiting ones differ from what they share.
    differing: usize,
    number: u64,
    book: &'w mut Book<'j>,
    stop: &'w dyn Fn() -> bool,
    progress: &'w mut dyn FnMut(&Searched),
}

impl Walk<'_, '_> {
    fn take(&mut self, state: &State<'_, '_>) {
        let number = self.number;
        self.number += 1;
        let marks = state.window.marks();
        // Bytes beyond a length are no part of the hash, so it is that of the disk after the crash.
        let key = (marks, state.image.hash());
        let whose = self.book.whose(key);
        match self.book.known(key).cloned() {
            Some(Verdict::Survived) => self.found.survived += 1,
            Some(verdict) => {
                let state = CrashState::new(state.window, state.survives);
                self.note(number, state, marks, verdict);
            }
            None => match whose {
                Whose::Ours => {
                    let mut image = state.image.clone();
                    image.discard_hidden();
                    let state = CrashState::new(state.window, state.survives);
                    self.differing += state.differs_in();
                    self.waiting.push((number, state, Asked { image, marks }));
                }
                Whose::Elsewhere => self.found.elsewhere += 1,
                Whose::Nobody => self.found.not_measured += 1,
            },
        }
    }

    fn judge(&mut self) {
        let mut waiting = std::mem::take(&mut self.waiting);
        self.differing = 0;
        // The search goes to and fro between what is durable and all that was done, which may be far
        // from each other, and a checker's tree is brought from each state to the next.
        waiting.sort_by_key(|(_, state, _)| state.is_mostly_lost());
        for waiting in waiting.chunks(BATCH) {
            let states = waiting.iter().map(|(_, _, asked)| asked.clone()).collect();
            let verdicts = self.book.verdicts(states, self.stop);
            for ((number, state, asked), verdict) in waiting.iter().zip(verdicts) {
                self.note(*number, state.clone(), asked.marks, verdict);
            }
            (self.progress)(&self.found);
        }
    }

    fn note(&mut self, number: u64, state: CrashState, marks: u32, verdict: Verdict) {
        if self.found.hindered.is_none() {
            self.found.hindered = verdict.hindered().map(str::to_owned);
        }
        match verdict {
            Verdict::Survived => self.found.survived += 1,
            Verdict::Violated(what) => {
                self.found.violated.push(Violated { number, state, marks, what });
            }
            Verdict::NotMeasured(_) => self.found.not_measured += 1,
            Verdict::HarnessBroken(why) => {
                self.found.broken.get_or_insert(why);
            }
        }
    }
}
