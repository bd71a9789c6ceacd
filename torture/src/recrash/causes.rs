//! The causes of violations after a second crash: which step of the recovery was lost.
//!
//! Recoveries that do the same steps and end in the same words are one, and the first of them is looked into
//! as a run of its own. Not for telling them.

use std::collections::{BTreeMap, BTreeSet};

use faultfs::{CrashState, DiskImage, Event, PersistOrder, Trace, Window};
use plugpull_store::ObjectId;

use super::after::After;
use super::{MOST, Recovery, Recrash, Suspect, bounds};
use crate::findings::story::Story;
use crate::findings::tale::{Line, tale};
use crate::findings::{Finding, Inquiry};
use crate::search::Book;

/// Most recoveries that are looked into; the violations in others are counted.
const MOST_LOOKED_INTO: usize = 12;

/// A cause of violations after a second crash.
pub struct Second {
    /// The cause, with the state's token in the recovery's own recording.
    pub finding: Finding,
    /// The first crash.
    pub first: CrashState,
    /// The recovery: the Marks before the first crash, and what it did.
    pub recovery: Trace,
    /// What became of it.
    pub lines: Vec<Line>,
    /// How many of its events came before the second crash.
    pub point: u32,
    /// The disk after it.
    pub image: DiskImage,
}

/// What recoveries with one cause have in common: their steps, and what is said.
type Alike = (BTreeSet<String>, BTreeSet<String>);

/// Groups the violations of all recoveries. Returns the causes, and how many violations have none.
pub(super) fn group(
    what: &Recrash<'_>,
    mut suspects: Vec<Suspect>,
    book: &mut Book<'_>,
    stop: &dyn Fn() -> bool,
) -> (Vec<Second>, u64) {
    // Those of models to fail on first: they stand for their group.
    suspects.sort_by_key(|suspect| !what.plan.fail_on.contains(&suspect.searched.model.name));
    let mut groups: BTreeMap<Alike, Vec<Suspect>> = BTreeMap::new();
    let mut order = Vec::new();
    for suspect in suspects {
        let alike = alike(&suspect);
        let group = groups.entry(alike.clone()).or_default();
        if group.is_empty() {
            order.push(alike);
        }
        group.push(suspect);
    }
    let (mut all, mut unexplained) = (Vec::new(), 0);
    for (number, alike) in order.into_iter().enumerate() {
        let group = groups.remove(&alike).unwrap_or_default();
        if number >= MOST_LOOKED_INTO || stop() && number > 0 {
            unexplained += group.iter().map(|s| s.searched.violated.len() as u64).sum::<u64>();
            continue;
        }
        let (found, left) = look_into(what, group, book, stop);
        unexplained += left;
        for second in found {
            merge(&mut all, second);
        }
    }
    all.sort_by_key(|s| {
        (!s.finding.gate, std::cmp::Reverse(s.finding.models.values().sum::<u64>()))
    });
    (all, unexplained)
}

fn alike(suspect: &Suspect) -> Alike {
    let story = Story::of(&suspect.recovery.trace);
    let words = suspect.searched.violated.iter().map(|v| story.class_of(&v.what.message));
    let words = words.collect();
    (story.steps.into_iter().map(|step| step.shape).collect(), words)
}

/// The causes in the first of some recoveries that are alike; the others add to their number.
fn look_into(
    what: &Recrash<'_>,
    group: Vec<Suspect>,
    book: &mut Book<'_>,
    stop: &dyn Fn() -> bool,
) -> (Vec<Second>, u64) {
    let (mut more, mut gate) = (BTreeMap::<String, u64>::new(), false);
    for suspect in group.iter().skip(1) {
        let name = &suspect.searched.model.name;
        *more.entry(name.clone()).or_default() += suspect.searched.violated.len() as u64;
        gate |= what.plan.fail_on.contains(name);
    }
    let Some(Suspect { recovery, first, order, searched }) = group.into_iter().next() else {
        return (Vec::new(), 0);
    };
    let mut after = After::new(book, recovery.asked.marks);
    let (orders, searched) = ([order], [searched]);
    let inquiry = Inquiry {
        trace: &recovery.trace,
        orders: &orders,
        searched: &searched,
        fail_on: &what.plan.fail_on,
        bounds: bounds(what, MOST),
        book: &mut Book::new(&mut after),
        stop,
    };
    let findings = inquiry.findings();
    let mut list: Vec<_> = findings.list.into_iter().collect();
    if let Some(finding) = list.first_mut() {
        // Which of several causes the others have is not looked into.
        for (model, states) in more {
            *finding.models.entry(model).or_default() += states;
        }
        finding.gate |= gate;
    }
    let second = |finding| second(what, &recovery, &first, &orders[0], finding);
    (list.into_iter().filter_map(second).collect(), findings.unexplained)
}

/// The same as a state of a recording of its own, which begins with the Marks before the first crash.
fn second(
    what: &Recrash<'_>,
    recovery: &Recovery,
    first: &CrashState,
    order: &PersistOrder,
    mut finding: Finding,
) -> Option<Second> {
    let (window, survives) = finding.state.find(order).ok()?;
    let (point, marks) = (window.point(), recovery.asked.marks);
    let image = finding.state.image(order).ok()?;
    let lines = tale(&Story::of(&recovery.trace), order, &finding.state).ok()?;
    let before = what.trace.events.iter().filter(|event| matches!(event, Event::Mark(_)));
    let before = before.take(marks as usize).chain(&recovery.trace.events);
    let trace = Trace { start: recovery.trace.start.clone(), events: before.cloned().collect() };
    let order = PersistOrder::new(&trace, order.model());
    // Marks change nothing on disk: what is pending is the same.
    finding.state = CrashState::new(&Window::at(&order, marks + point), &survives);
    finding.marks = marks;
    let id = ObjectId::of(format!("second crash\n{}", finding.id).as_bytes());
    id.hex()[..12].clone_into(&mut finding.id);
    Some(Second { finding, first: first.clone(), recovery: trace, lines, point, image })
}

/// Adds a cause, or its states to the one with the same id.
fn merge(all: &mut Vec<Second>, second: Second) {
    match all.iter_mut().find(|known| known.finding.id == second.finding.id) {
        None => all.push(second),
        Some(known) => {
            known.finding.gate |= second.finding.gate;
            for (model, states) in second.finding.models {
                *known.finding.models.entry(model).or_default() += states;
            }
        }
    }
}
