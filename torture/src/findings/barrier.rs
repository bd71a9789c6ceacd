//! The missing barrier: which one, put into the recorded run, takes the violations of a cause away.
//!
//! A candidate is put in wherever the program does the same thing (at every event of one shape), and
//! the run is explored again with it. As a barrier only takes states away, few of them are new. Not
//! for mending a program: where the barrier goes in its source is its author's to know.

use std::collections::BTreeSet;

use faultfs::{EffectId, Event, Inode, Op, PersistOrder, Trace};

use super::Inquiry;
use super::cause::{self, Cause};
use super::story::{Kind, Story};
use crate::explore::{Bounds, Tier};
use crate::search::search_one;

/// Most barriers of one kind that are put into a run.
const MOST_PLACES: usize = 100_000;

/// Most barriers that are tried together.
const MOST_TOGETHER: usize = 4;

/// Most pairs of barriers that are tried where no single one is enough.
const MOST_PAIRS: usize = 12;

/// What would have prevented a cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// These barriers: one, or several where no single one is enough.
    Barriers(Trial),
    /// None of those that were tried; the best of them, if one took anything away.
    None {
        /// How many were tried.
        tried: usize,
        /// The one that left the fewest violations.
        best: Option<Trial>,
    },
    /// The search was ended before any was tried.
    NotTried,
}

/// A barrier that was put into the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// Which: `fsync(conf.tmp) before "rename conf.tmp -> conf"`.
    pub text: String,
    /// In how many places it was put.
    pub places: usize,
    /// Before which event each was put, and what it syncs.
    pub at: BTreeSet<(usize, Inode)>,
    /// Violations of this cause without it.
    pub before: u64,
    /// Violations of this cause with it.
    pub after: u64,
    /// States that were looked at with it.
    pub states: u64,
    /// Violations of this cause with it among the states that every search looks at: what trials are compared by.
    pub(super) left: u64,
}

/// Violations of a cause without any barrier.
struct Before {
    /// In all states that were looked at.
    all: u64,
    /// In those that trials are compared by.
    compared: u64,
}

/// Syncs at places of the trace: before which event, of what.
#[derive(Clone)]
struct Candidate {
    text: String,
    places: BTreeSet<(usize, Inode)>,
}

/// Where a barrier goes, relative to the events that it is for.
#[derive(Clone)]
enum Place {
    /// Right after the last of them in a row.
    After,
    /// Before the file gets another name.
    BeforeName,
    /// Before the next event of this shape.
    Before(String),
    /// Before the next Mark.
    BeforeMark,
}

/// Tries the candidates of a cause.
pub(super) fn search(inquiry: &mut Inquiry<'_, '_>, cause: &Cause, story: &Story) -> Remedy {
    let mut candidates = candidates(inquiry, cause, story);
    let Before { all: before, compared } = inquiry.before(cause, story);
    let mut trials = Vec::new();
    for candidate in &candidates {
        match inquiry.attempt(candidate, cause, story, before) {
            Some(trial) => trials.push(trial),
            None => break,
        }
    }
    let singles = trials.len();
    if singles == 0 {
        return if candidates.is_empty() {
            Remedy::None { tried: 0, best: None }
        } else {
            Remedy::NotTried
        };
    }
    if let Some(best) = enough(&trials) {
        return Remedy::Barriers(best);
    }
    candidates.truncate(singles);
    for pair in pairs(&candidates, &trials) {
        match inquiry.attempt(&pair, cause, story, before) {
            Some(trial) if trial.after == 0 => return Remedy::Barriers(trial),
            Some(trial) => trials.push(trial),
            None => break,
        }
    }
    let tried = trials.len();
    let best = trials.into_iter().filter(|trial| trial.left < compared).min_by_key(|t| t.left);
    Remedy::None { tried, best }
}

/// Where one message has several causes, each needs a barrier of its own, and none is enough alone: the best
/// ones of all causes together, without those that are not needed.
pub(super) fn together(
    inquiry: &mut Inquiry<'_, '_>,
    cause: &Cause,
    story: &Story,
    best: &[&Trial],
) -> Option<Trial> {
    let mut parts: Vec<&Trial> = Vec::new();
    for trial in best {
        if parts.len() < MOST_TOGETHER && parts.iter().all(|part| part.text != trial.text) {
            parts.push(trial);
        }
    }
    let before = inquiry.count(inquiry.trace, cause, story, inquiry.bounds).0;
    let mut attempt = |parts: &[&Trial]| {
        let text = parts.iter().map(|part| part.text.as_str()).collect::<Vec<_>>().join(", and ");
        let places = parts.iter().flat_map(|part| part.at.iter().copied()).collect();
        let trial = inquiry.attempt(&Candidate { text, places }, cause, story, before);
        trial.filter(|trial| trial.after == 0)
    };
    let mut enough = attempt(&parts)?;
    let mut n = 0;
    while n < parts.len() && parts.len() > 1 {
        let mut fewer = parts.clone();
        fewer.remove(n);
        match attempt(&fewer) {
            Some(trial) => (enough, parts) = (trial, fewer),
            None => n += 1,
        }
    }
    Some(enough)
}

impl Remedy {
    /// The barriers that left the fewest violations.
    pub(super) fn best(&self) -> Option<&Trial> {
        match self {
            Self::Barriers(trial) => Some(trial),
            Self::None { best, .. } => best.as_ref(),
            Self::NotTried => None,
        }
    }
}

/// The trial that left nothing, with the fewest places.
fn enough(trials: &[Trial]) -> Option<Trial> {
    trials.iter().filter(|trial| trial.after == 0).min_by_key(|trial| trial.places).cloned()
}

/// Pairs of barriers for different things, the most promising first.
fn pairs(candidates: &[Candidate], trials: &[Trial]) -> Vec<Candidate> {
    let mut ranked: Vec<_> = candidates.iter().zip(trials).collect();
    ranked.sort_by_key(|(_, trial)| trial.left);
    let mut pairs = Vec::new();
    for (n, (one, _)) in ranked.iter().enumerate() {
        for (other, _) in &ranked[n + 1..] {
            let places: BTreeSet<_> = one.places.union(&other.places).copied().collect();
            if places.len() > one.places.len().max(other.places.len()) {
                let text = format!("{}, and {}", one.text, other.text);
                pairs.push(Candidate { text, places });
            }
        }
    }
    pairs.truncate(MOST_PAIRS);
    pairs
}

impl Inquiry<'_, '_> {
    /// Explores the run with a barrier; `None` when the search was ended.
    fn attempt(
        &mut self,
        candidate: &Candidate,
        cause: &Cause,
        story: &Story,
        before: u64,
    ) -> Option<Trial> {
        let trace = insert(self.trace, &candidate.places);
        let (after, states) = self.count(&trace, cause, story, self.bounds);
        let left = if after == 0 { 0 } else { self.compared(&trace, cause, story, after) };
        let text = candidate.text.clone();
        let places = candidate.places.len();
        let at = candidate.places.clone();
        let trial = Trial { text, places, at, before, after, states, left };
        (!(self.stop)()).then_some(trial)
    }

    /// What there is to compare with.
    fn before(&mut self, cause: &Cause, story: &Story) -> Before {
        let all = self.count(self.trace, cause, story, self.bounds).0;
        Before { all, compared: self.compared(self.trace, cause, story, all) }
    }

    /// Of `all` violations of a cause those that can be compared with those of another trace: where crash points have too
    /// many sets, a barrier may make more of them small enough to be looked at, and so more violations be seen.
    fn compared(&mut self, trace: &Trace, cause: &Cause, story: &Story, all: u64) -> u64 {
        let whole = |search: &usize| self.searched[*search].coverage.skipped.is_empty();
        if cause.states.keys().all(whole) {
            return all;
        }
        let bounds = Bounds { tier: self.bounds.tier.min(Tier::T1), ..self.bounds };
        self.count(trace, cause, story, bounds).0
    }

    /// How many states of a trace have a violation of a cause under the models that it was found
    /// under, and how many were looked at.
    fn count(&mut self, trace: &Trace, cause: &Cause, story: &Story, bounds: Bounds) -> (u64, u64) {
        let (mut violations, mut states) = (0, 0);
        for search in cause.states.keys() {
            if (self.stop)() {
                break;
            }
            let order = PersistOrder::new(trace, &self.searched[*search].model);
            let found = search_one(&order, bounds, self.book, self.stop, &mut |_| {});
            let same = |class: &String| cause.classes.contains(class);
            let all = found.violated.iter().map(|violated| story.class_of(&violated.what.message));
            violations += all.filter(same).count() as u64;
            states += found.judged();
        }
        (violations, states)
    }
}

/// The trace with these syncs in it.
fn insert(trace: &Trace, places: &BTreeSet<(usize, Inode)>) -> Trace {
    let mut events = Vec::with_capacity(trace.events.len() + places.len());
    let mut next = places.iter().copied().peekable();
    for n in 0..=trace.events.len() {
        while let Some((_, inode)) = next.next_if(|(before, _)| *before == n) {
            let (thread, time) = neighbour(trace, n);
            events.push(Event::Op { thread, time, op: Op::SyncAll { inode } });
        }
        events.extend(trace.events.get(n).cloned());
    }
    Trace { start: trace.start.clone(), events }
}

/// Thread and time of the Op before a place.
fn neighbour(trace: &Trace, place: usize) -> (u32, std::time::SystemTime) {
    let before = trace.events[..place].iter().rev().find_map(|event| match event {
        Event::Op { thread, time, .. } => Some((*thread, *time)),
        Event::Mark(_) => None,
    });
    before.unwrap_or((0, std::time::SystemTime::UNIX_EPOCH))
}

/// The barriers to try: the likeliest first.
fn candidates(inquiry: &Inquiry<'_, '_>, cause: &Cause, story: &Story) -> Vec<Candidate> {
    let order = &inquiry.orders[cause.search];
    let mut found: Vec<Candidate> = Vec::new();
    for id in one_of_each_shape(order, &cause.lost, story) {
        let effect = order.effect(id);
        let is_name = cause::is_name(effect);
        let event = effect.event as usize;
        let later = cause.kept.iter().map(|id| order.effect(*id).event as usize);
        let later = later.filter(|kept| *kept > event).min();
        let before = later.map(|kept| Place::Before(story.steps[kept].shape.clone()));
        let places = if is_name {
            [Some(Place::After), before, Some(Place::BeforeMark), None]
        } else {
            [Some(Place::BeforeName), before, Some(Place::BeforeMark), Some(Place::After)]
        };
        for place in places.into_iter().flatten() {
            let candidate = candidate(story, event, is_name, &place);
            let known = |known: &Candidate| known.places == candidate.places;
            if !candidate.places.is_empty() && !found.iter().any(known) {
                found.push(candidate);
            }
        }
    }
    found
}

/// The first lost effect of each shape.
fn one_of_each_shape(order: &PersistOrder, lost: &[EffectId], story: &Story) -> Vec<EffectId> {
    let mut seen = BTreeSet::new();
    let is_new = |id: &EffectId| {
        let effect = order.effect(*id);
        seen.insert((cause::is_name(effect), story.steps[effect.event as usize].shape.clone()))
    };
    lost.iter().copied().filter(is_new).collect()
}

/// The barrier for what `event` changed, at all events of its shape.
fn candidate(story: &Story, event: usize, is_name: bool, place: &Place) -> Candidate {
    let shape = &story.steps[event].shape;
    let mut places = BTreeSet::new();
    let mut text = String::new();
    for (n, step) in story.steps.iter().enumerate().filter(|(_, step)| step.shape == *shape) {
        let targets = if is_name { step.dirs.clone() } else { Vec::from_iter(step.inode) };
        let Some(at) = find(story, n, &targets, place) else { continue };
        if n == event || text.is_empty() && n > event {
            text = tell(story, &targets, at, n, place);
        }
        places.extend(targets.into_iter().map(|inode| (at, inode)));
        if places.len() > MOST_PLACES {
            break;
        }
    }
    if text.is_empty() {
        places.clear();
    }
    Candidate { text, places }
}

/// Before which event the barrier goes for the event at `n`.
fn find(story: &Story, n: usize, targets: &[Inode], place: &Place) -> Option<usize> {
    let steps = &story.steps;
    let later = |is: &dyn Fn(usize) -> bool| (n + 1..steps.len()).find(|at| is(*at));
    match place {
        Place::After => {
            let next = steps.get(n + 1);
            let goes_on = next
                .is_some_and(|next| next.shape == steps[n].shape && next.inode == steps[n].inode);
            (!goes_on).then_some(n + 1)
        }
        Place::BeforeName => later(&|at| {
            steps[at].names && steps[at].inode.is_some_and(|inode| targets.contains(&inode))
        }),
        Place::Before(shape) => later(&|at| steps[at].shape == *shape),
        Place::BeforeMark => later(&|at| steps[at].kind == Kind::Mark),
    }
}

fn tell(story: &Story, targets: &[Inode], at: usize, event: usize, place: &Place) -> String {
    let what: Vec<_> =
        targets.iter().map(|inode| format!("fsync({})", story.path(*inode))).collect();
    let (when, anchor) = match place {
        Place::After => ("after", event),
        _ => ("before", at),
    };
    let anchor = story.steps.get(anchor).map_or("the end", |step| step.text.as_str());
    format!("{} {when} `{anchor}`", what.join(", "))
}
