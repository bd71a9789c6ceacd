//! Findings: what the violations of a search have in common, told once.
//!
//! Thousands of states may show one mistake. They are grouped by cause: by what the checker said, and
//! by what was lost in the smallest loss that makes it say so. For each cause the barrier that would
//! have prevented it is tried. Not for the search itself.

mod barrier;
mod cause;
mod minimize;
mod names;
mod shape;
pub mod story;
pub mod tale;

use std::collections::BTreeMap;

use faultfs::{CrashState, PersistOrder, Trace};
use plugpull_store::ObjectId;

use crate::check::{Verdict, Violation};
use crate::explore::Bounds;
use crate::search::{Asked, Book, Searched};
use story::Story;

pub use barrier::{Remedy, Trial};

/// Most causes that are looked into; what is left is counted.
const MOST_CAUSES: usize = 16;

/// One cause of violations.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Equal for the same cause in other runs, and of no two of one run: made of what was lost.
    pub id: String,
    /// What the checker said in the state that is shown.
    pub violation: Violation,
    /// What it says in other states of this cause, without numbers.
    pub also: Vec<String>,
    /// The state that is shown: the smallest loss that was found.
    pub state: CrashState,
    /// The number of Marks before it.
    pub marks: u32,
    /// For each model with such states, how many.
    pub models: BTreeMap<String, u64>,
    /// Whether one of the models is to fail on.
    pub gate: bool,
    /// The barrier that would have prevented it.
    pub remedy: Remedy,
    /// Whether the checker says the same of the state when it is asked again; else its verdicts hang on
    /// something that is not in the state.
    pub steady: bool,
}

/// What came of all violations.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// The causes: those to fail on first, then those with most states.
    pub list: Vec<Finding>,
    /// States with a violation that no cause was found for.
    pub unexplained: u64,
}

/// What the violations are looked into with.
pub struct Inquiry<'i, 'j> {
    /// The recorded run.
    pub trace: &'i Trace,
    /// Its orders, one for each search.
    pub orders: &'i [PersistOrder],
    /// What the searches showed.
    pub searched: &'i [Searched],
    /// The names of the models to fail on.
    pub fail_on: &'i [String],
    /// How far a search goes that tries a barrier.
    pub bounds: Bounds,
    /// The verdicts.
    pub book: &'i mut Book<'j>,
    /// When to look no further.
    pub stop: &'i dyn Fn() -> bool,
}

impl Inquiry<'_, '_> {
    /// Groups the violations and looks for what prevents each cause.
    pub fn findings(mut self) -> Findings {
        let story = Story::of(self.trace);
        let (causes, unexplained) = cause::group(&mut self, &story, MOST_CAUSES);
        let mut list: Vec<Finding> =
            causes.iter().map(|cause| self.finding(cause, &story)).collect();
        self.try_together(&causes, &mut list, &story);
        list.sort_by_key(|f| (!f.gate, std::cmp::Reverse(f.models.values().sum::<u64>())));
        Findings { list, unexplained }
    }

    /// Where no barrier is enough alone, those of all causes may be.
    fn try_together(&mut self, causes: &[cause::Cause], list: &mut [Finding], story: &Story) {
        for n in 0..list.len() {
            if !matches!(list[n].remedy, Remedy::None { best: Some(_), .. }) || (self.stop)() {
                continue;
            }
            // The cause's own one comes first.
            let others = list.iter().enumerate().filter(|(other, _)| *other != n);
            let others = others.filter_map(|(_, finding)| finding.remedy.best());
            let best: Vec<_> = list[n].remedy.best().into_iter().chain(others).collect();
            if let Some(trial) = barrier::together(self, &causes[n], story, &best) {
                list[n].remedy = Remedy::Barriers(trial);
            }
        }
    }

    fn finding(&mut self, cause: &cause::Cause, story: &Story) -> Finding {
        let models: BTreeMap<_, _> = cause
            .states
            .iter()
            .map(|(index, states)| (self.searched[*index].model.name.clone(), *states))
            .collect();
        let gate = self.fail_on.iter().any(|name| models.contains_key(name));
        let remedy = barrier::search(self, cause, story);
        let id = ObjectId::of(cause.key().join("\n").as_bytes());
        Finding {
            id: id.hex()[..12].to_owned(),
            violation: cause.violation.clone(),
            also: cause.classes.iter().skip(1).cloned().collect(),
            state: cause.state.clone(),
            marks: cause.marks,
            models,
            gate,
            remedy,
            steady: self.is_steady(cause, story),
        }
    }

    fn is_steady(&mut self, cause: &cause::Cause, story: &Story) -> bool {
        let Ok(image) = cause.state.image(&self.orders[cause.search]) else { return false };
        let asked = Asked { image, marks: cause.marks };
        match self.book.again(asked, self.stop) {
            Some(Verdict::Violated(what)) => {
                cause.classes.first() == Some(&story.class_of(&what.message))
            }
            // The search was ended meanwhile.
            Some(Verdict::NotMeasured(_)) => true,
            _ => false,
        }
    }
}
