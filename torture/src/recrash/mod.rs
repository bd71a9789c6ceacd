//! Crash during recovery: what a checker writes in a crash state is recorded, the power is cut again at
//! every point of it, and what is left must pass as well.
//!
//! Only states that survived the first crash are looked at, so whatever is found here takes the second
//! one. Which states is decided by their hashes and the seed. Not for the reference store, whose
//! recovery needs no mount (`power_cut`).

mod after;
mod causes;
mod kept;
mod told;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use faultfs::{CrashState, Event, PersistOrder, Trace};

use crate::check::{Setup, Verdict, can_write, record_checkers};
use crate::clock::Deadline;
use crate::examine::{Examined, Plan};
use crate::explore::{Bounds, State, Tier, explore_until};
use crate::outcome::RecrashTold;
use crate::search::{Asked, Book, Key, Searched, search};
use crate::signals::Stop;
use after::After;
pub use causes::Second;
pub use kept::Recoveries;

/// Most states of one recovery under one model. Few have as many: a recovery is a few calls.
const MOST: u64 = 256;

/// How far is looked in each recovery: everything kept or lost, and one loss.
const TIER: Tier = Tier::T1;

/// How long second crashes are looked for at least, however short the budget of the search is.
const LEAST: Duration = Duration::from_secs(5);

/// What is needed to look.
pub struct Recrash<'r> {
    /// The recorded run.
    pub trace: &'r Trace,
    /// How it was searched.
    pub plan: &'r Plan,
    /// In one of how many states.
    pub one_in: u64,
    /// Those that are recorded already.
    pub recoveries: &'r Recoveries,
    /// What checkers are run with.
    pub setup: &'r Setup,
    /// Whether to end early.
    pub stop: &'r Stop,
}

/// What second crashes showed.
#[derive(Default)]
pub struct Recrashed {
    /// What was looked at, and how much of it was violated.
    pub counts: RecrashTold,
    /// The causes of violations.
    pub findings: Vec<Second>,
}

/// A recovery that was recorded.
struct Recovery {
    /// The state that it began with.
    asked: Asked,
    /// What it did; without Marks.
    trace: Trace,
}

/// What was found in one recovery under one model.
struct Suspect {
    recovery: Arc<Recovery>,
    /// The first crash, under the same model.
    first: CrashState,
    order: PersistOrder,
    searched: Searched,
}

/// Cuts the power a second time.
pub fn recrash(
    what: &Recrash<'_>,
    examined: &Examined,
    book: &mut Book<'_>,
    progress: &mut dyn FnMut(&RecrashTold),
) -> Recrashed {
    let deadline = Deadline::after(what.plan.time.map(|time| (time / 2).max(LEAST)));
    let ends = || what.stop.asked() || deadline.is_over();
    let found = RecrashTold { one_in: what.one_in, ..RecrashTold::default() };
    let (known, done, suspects) = (BTreeMap::new(), BTreeSet::new(), Vec::new());
    let mut walk = Walk { what, book, known, done, suspects, found, ends: &ends, progress };
    walk.found.complete = walk.all(&examined.orders).is_continue();
    let Walk { found: mut counts, suspects, .. } = walk;
    let more = what.plan.time.map(|time| (time / 2).max(LEAST));
    let deadline = Deadline::after(more);
    let ends = || what.stop.asked() || deadline.is_over();
    let (findings, unexplained) = causes::group(what, suspects, book, &ends);
    counts.unexplained = unexplained;
    Recrashed { counts, findings }
}

struct Walk<'w, 'j> {
    what: &'w Recrash<'w>,
    book: &'w mut Book<'j>,
    /// Distinct states that survived, with their recoveries if they were chosen and wrote something.
    known: BTreeMap<Key, Option<Arc<Recovery>>>,
    /// What was looked at already: under which model, and what began the recovery.
    done: BTreeSet<(usize, Key)>,
    suspects: Vec<Suspect>,
    found: RecrashTold,
    ends: &'w dyn Fn() -> bool,
    progress: &'w mut dyn FnMut(&RecrashTold),
}

impl Walk<'_, '_> {
    /// All models, each tier under every model before the next one, as the search went.
    fn all(&mut self, orders: &[PersistOrder]) -> ControlFlow<()> {
        if !can_write(self.what.setup) {
            return ControlFlow::Continue(());
        }
        let bounds = self.what.plan.bounds;
        for tier in Tier::ALL.into_iter().filter(|tier| *tier <= bounds.tier) {
            for (model, order) in orders.iter().enumerate() {
                let mut broken_off = false;
                let (bounds, ends) = (Bounds { tier, ..bounds }, self.ends);
                explore_until(order, bounds, ends, &mut |state| {
                    let went_on = self.take(model, &state);
                    broken_off = went_on.is_break();
                    went_on
                });
                if broken_off || (self.ends)() {
                    return ControlFlow::Break(());
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn take(&mut self, model: usize, state: &State<'_, '_>) -> ControlFlow<()> {
        if (self.ends)() || self.found.judged >= self.what.plan.bounds.budget {
            return ControlFlow::Break(());
        }
        let key = (state.window.marks(), state.image.hash());
        if !self.book.survived(key) || !self.done.insert((model, key)) {
            return ControlFlow::Continue(());
        }
        let recovery = if let Some(recovery) = self.known.get(&key) {
            recovery.clone()
        } else {
            self.found.survived += 1;
            let chosen = is_chosen(key, self.what.plan.bounds.seed, self.what.one_in);
            let recovery = if chosen { self.record(state) } else { None };
            self.known.insert(key, recovery.clone());
            recovery
        };
        if let Some(recovery) = recovery {
            self.explore(&recovery, state);
            (self.progress)(&self.found);
        }
        ControlFlow::Continue(())
    }

    /// What the checkers write in a state, if they do.
    fn record(&mut self, state: &State<'_, '_>) -> Option<Arc<Recovery>> {
        let mut image = state.image.clone();
        image.discard_hidden();
        let asked = Asked { image, marks: state.window.marks() };
        let events = match self.recorded(&asked) {
            Ok((Verdict::Survived, events)) => events,
            Ok((Verdict::Violated(_), _)) => {
                self.found.recorded += 1;
                self.found.unsteady += 1;
                return None;
            }
            Ok((Verdict::NotMeasured(why) | Verdict::HarnessBroken(why), _)) => {
                self.hindered(why);
                return None;
            }
            Err(e) => {
                self.hindered(e.to_string());
                return None;
            }
        };
        self.found.recorded += 1;
        // What was promised is in the Marks before the first crash, and a checker promises nothing.
        let events = events.into_iter().filter(|event| matches!(event, Event::Op { .. }));
        let trace = Trace { start: asked.image.clone(), events: events.collect() };
        if trace.ops().all(faultfs::Op::is_barrier) {
            return None;
        }
        self.found.recoveries += 1;
        Some(Arc::new(Recovery { asked, trace }))
    }

    /// The verdict while the checkers are recorded, and what they do: now, or earlier.
    fn recorded(&self, asked: &Asked) -> io::Result<(Verdict, Vec<Event>)> {
        let recoveries = self.what.recoveries;
        if let Some(known) = recoveries.known(asked) {
            return Ok(known);
        }
        if matches!(recoveries, Recoveries::Brought(_)) {
            return Err(io::Error::other("no shard has brought the recovery"));
        }
        let (verdict, trace) = record_checkers(self.what.setup, asked)?;
        recoveries.keep(asked, &verdict, &trace.events)?;
        Ok((verdict, trace.events))
    }

    fn hindered(&mut self, why: String) {
        if !self.what.stop.asked() {
            self.found.hindered.get_or_insert(why);
        }
        self.found.not_measured += 1;
    }

    /// Cuts the power in a recovery, under the model of the first crash.
    fn explore(&mut self, recovery: &Arc<Recovery>, state: &State<'_, '_>) {
        let first = CrashState::new(state.window, state.survives);
        let model = self.what.plan.models.iter().find(|model| model.name == first.model());
        let Some(model) = model else { return };
        let orders = [PersistOrder::new(&recovery.trace, model)];
        let left = self.what.plan.bounds.budget.saturating_sub(self.found.judged);
        let bounds = bounds(self.what, left.min(MOST));
        let mut after = After::new(self.book, recovery.asked.marks);
        let mut book = Book::new(&mut after);
        let searched = search(&orders, bounds, &mut book, &self.ends, &mut |_| {}).pop();
        self.found.judged += after.judged;
        let ([order], Some(searched)) = (orders, searched) else { return };
        if !(self.ends)() && !searched.coverage.is_complete() {
            self.found.too_large += 1;
        }
        if !searched.violated.is_empty() {
            self.found.violated += searched.violated.len() as u64;
            let recovery = Arc::clone(recovery);
            self.suspects.push(Suspect { recovery, first, order, searched });
        }
    }
}

/// How far is looked in one recovery.
fn bounds(what: &Recrash<'_>, budget: u64) -> Bounds {
    Bounds { budget, tier: TIER, ..what.plan.bounds }
}

/// Whether a state is one of the sample: it is the same in every run.
fn is_chosen((marks, image): Key, seed: u64, one_in: u64) -> bool {
    let mixed = image.0 ^ (u128::from(seed) << 64 | u128::from(marks));
    let mixed = mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    (mixed >> 64) % u128::from(one_in.max(1)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use faultfs::ImageHash;

    fn chosen(seed: u64, one_in: u64) -> usize {
        let hash = |n: u64| ImageHash(u128::from(n).wrapping_mul(0x1234_5678_9abc_def1));
        (0..1000).filter(|n| is_chosen((3, hash(*n)), seed, one_in)).count()
    }

    #[test]
    fn the_sample_is_about_one_in_so_many_and_follows_from_the_seed() {
        assert_eq!(chosen(1, 1), 1000);
        assert!((60..200).contains(&chosen(1, 8)), "{}", chosen(1, 8));
        assert_eq!(chosen(5, 8), chosen(5, 8));
    }
}
