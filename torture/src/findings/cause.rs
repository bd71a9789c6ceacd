//! Causes: which violations have the same one.
//!
//! The state with the fewest losses stands for its group; what is lost in it is made smaller still.
//! Every other violation of the same words in which the same things are lost has the same cause.

use std::collections::{BTreeMap, BTreeSet};

use faultfs::{Change, CrashState, Effect, EffectId, PersistOrder, Window};

use super::story::Story;
use super::{Inquiry, minimize};
use crate::check::Violation;

/// Most violations of a model that are looked at; more tell nothing new.
const MOST_CASES: usize = 5_000;

/// What violations have in common.
pub(super) struct Cause {
    /// What the checker says, without numbers; that of the state that is shown first.
    pub(super) classes: Vec<String>,
    /// What is lost, without numbers and names of temporaries.
    pub(super) shapes: BTreeSet<String>,
    /// What was done last before the power went, in the same way.
    pub(super) last: String,
    /// The search of the state that is shown.
    pub(super) search: usize,
    pub(super) state: CrashState,
    pub(super) marks: u32,
    pub(super) violation: Violation,
    /// What is lost in that state, and what is pending and survives.
    pub(super) lost: Vec<EffectId>,
    pub(super) kept: Vec<EffectId>,
    /// How many states of each search have it.
    pub(super) states: BTreeMap<usize, u64>,
}

impl Cause {
    /// What makes it this one and no other: what is lost; or, where nothing need be lost, after what the
    /// power went. No word of the checker, who may say much of one loss, and no number.
    pub(super) fn key(&self) -> Vec<&str> {
        if self.shapes.is_empty() {
            return vec!["nothing lost after", &self.last];
        }
        self.shapes.iter().map(String::as_str).collect()
    }
}

/// One violation.
struct Case {
    search: usize,
    number: usize,
    class: String,
    shapes: BTreeSet<String>,
    lost: usize,
}

/// Groups all violations. Returns the causes, and how many violations have none of them.
pub(super) fn group(
    inquiry: &mut Inquiry<'_, '_>,
    story: &Story,
    most: usize,
) -> (Vec<Cause>, u64) {
    let mut left = cases(inquiry, story);
    let uncounted: usize =
        inquiry.searched.iter().map(|s| s.violated.len().saturating_sub(MOST_CASES)).sum();
    let is_gate = |index: usize, inquiry: &Inquiry<'_, '_>| {
        inquiry.fail_on.contains(&inquiry.searched[index].model.name)
    };
    left.sort_by_key(|c| (!is_gate(c.search, inquiry), c.lost, c.search, c.number));
    let mut causes: Vec<Cause> = Vec::new();
    while let Some(first) = left.first().filter(|_| causes.len() < most && !(inquiry.stop)()) {
        let mut cause = of_case(inquiry, first, story);
        let class = first.class.clone();
        let mut rest = Vec::new();
        for (n, case) in left.into_iter().enumerate() {
            if n == 0 || case.class == class && cause.shapes.is_subset(&case.shapes) {
                *cause.states.entry(case.search).or_default() += 1;
            } else {
                rest.push(case);
            }
        }
        left = rest;
        merge(&mut causes, cause);
    }
    (causes, (left.len() + uncounted) as u64)
}

/// Adds a cause, or what it says to the one with the same key: so no two of a run have the same id.
fn merge(causes: &mut Vec<Cause>, cause: Cause) {
    match causes.iter_mut().find(|known| known.key() == cause.key()) {
        None => causes.push(cause),
        Some(known) => {
            known.classes.extend(cause.classes);
            for (search, states) in cause.states {
                *known.states.entry(search).or_default() += states;
            }
        }
    }
}

fn cases(inquiry: &Inquiry<'_, '_>, story: &Story) -> Vec<Case> {
    let mut cases = Vec::new();
    for (search, searched) in inquiry.searched.iter().enumerate() {
        let order = &inquiry.orders[search];
        let mut by_point: Vec<_> = searched.violated.iter().enumerate().take(MOST_CASES).collect();
        by_point.sort_by_key(|(_, violated)| violated.state.point());
        let mut window = Window::first(order);
        for (number, violated) in by_point {
            while window.point() < violated.state.point() && window.advance() {}
            let survives = violated.state.survives(window.pending().len());
            let (lost, _) = split(&window, &survives);
            let class = story.class_of(&violated.what.message);
            cases.push(Case {
                search,
                number,
                class,
                shapes: shapes(order, story, &lost),
                lost: lost.len(),
            });
        }
    }
    cases
}

fn of_case(inquiry: &mut Inquiry<'_, '_>, case: &Case, story: &Story) -> Cause {
    let searched = &inquiry.searched[case.search];
    let violated = &searched.violated[case.number];
    let order = &inquiry.orders[case.search];
    let window = Window::at(order, violated.state.point());
    let survives = violated.state.survives(window.pending().len());
    let same = |message: &str| story.class_of(message) == case.class;
    let smaller = minimize::minimize(inquiry.book, &window, &survives, &same, inquiry.stop);
    let (survives, violation) = smaller.unwrap_or((survives, violated.what.clone()));
    let (lost, kept) = split(&window, &survives);
    Cause {
        classes: vec![case.class.clone()],
        shapes: shapes(order, story, &lost),
        last: last(story, violated.state.point()),
        search: case.search,
        state: CrashState::new(&window, &survives),
        marks: violated.marks,
        violation,
        lost,
        kept,
        states: BTreeMap::new(),
    }
}

/// The pending effects that are lost, and those that survive.
fn split(window: &Window<'_>, survives: &[bool]) -> (Vec<EffectId>, Vec<EffectId>) {
    let all = window.pending().iter().copied().zip(survives);
    let (kept, lost): (Vec<_>, Vec<_>) = all.partition(|(_, survives)| **survives);
    let ids = |list: Vec<(EffectId, &bool)>| list.into_iter().map(|(id, _)| id).collect();
    (ids(lost), ids(kept))
}

/// The shape of what was done last before a crash point.
fn last(story: &Story, point: u32) -> String {
    let step = (point as usize).checked_sub(1).and_then(|last| story.steps.get(last));
    step.map_or("the start", |step| step.shape.as_str()).to_owned()
}

fn shapes(order: &PersistOrder, story: &Story, lost: &[EffectId]) -> BTreeSet<String> {
    lost.iter().map(|id| shape(order.effect(*id), story)).collect()
}

/// What an effect is, without numbers: `name of rename conf.tmp -> conf`.
fn shape(effect: &Effect, story: &Story) -> String {
    let step = &story.steps[effect.event as usize];
    format!("{} of {}", word(effect), step.shape)
}

/// What kind of effect it is.
fn word(effect: &Effect) -> &'static str {
    match effect.changes.first() {
        Some(Change::Name { .. }) => "name",
        Some(Change::Len { .. }) => "length",
        Some(Change::Attributes { .. }) => "attributes",
        Some(Change::Page { .. } | Change::Bytes { .. }) | None => "bytes",
    }
}

/// Whether an effect changes names.
pub(super) fn is_name(effect: &Effect) -> bool {
    matches!(effect.changes.first(), Some(Change::Name { .. }))
}
