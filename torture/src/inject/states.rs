//! What became of a program's data in a run with a fault: the disk as a restart finds it, and as power cuts
//! after the fault leave it.
//!
//! Looked at are, at every crash point after the fault, the disk with everything that survived and the one
//! with only what is durable; the sets in between are those of `check`. What is wrong without any fault as well
//! is told apart by what the checker says, numbers aside.

use std::collections::BTreeSet;

use faultfs::{CrashState, Model, PersistOrder, Window};

use super::{Data, Loss};
use crate::check::{Verdict, Violation};
use crate::exit::Failure;
use crate::record::Recording;
use crate::search::{Asked, Book, Judge};

/// What the checkers say of a run without a fault, where they are not content.
#[derive(Clone, Debug, Default)]
pub struct Baseline {
    messages: BTreeSet<String>,
    /// In how many states, of how many.
    pub violated: (u64, u64),
}

/// What was seen.
pub struct Looked {
    pub data: Data,
    pub states: u64,
    pub not_measured: u64,
}

/// What to do with one state: it is named, if it is one of a power cut.
struct Named {
    state: Option<CrashState>,
    asked: Asked,
}

impl Baseline {
    /// Looks at a run without a fault, whose end must pass.
    pub fn of(
        recording: &Recording,
        models: &[Model],
        judge: &mut dyn Judge,
        stop: &dyn Fn() -> bool,
    ) -> Result<Self, Failure> {
        let mut book = Book::new(judge);
        match book.verdict(restart(recording), stop) {
            Verdict::Survived => {}
            _ if stop() => return Err(Failure::Interrupted),
            Verdict::Violated(what) => {
                return Err(Failure::Harness(format!(
                    "the checker fails on the finished run, in which no call failed: {}",
                    what.message
                )));
            }
            Verdict::NotMeasured(why) | Verdict::HarnessBroken(why) => {
                return Err(Failure::Harness(format!("the checker could not be run: {why}")));
            }
        }
        let mut found = Self::default();
        for verdict in judged(&mut book, &power_cuts(recording, models, 0), stop)? {
            found.violated.1 += 1;
            if let Verdict::Violated(what) = verdict {
                found.violated.0 += 1;
                found.messages.insert(shape(&what.message));
            }
        }
        Ok(found)
    }

    fn has(&self, what: &Violation) -> bool {
        self.messages.contains(&shape(&what.message))
    }
}

/// Looks at a run whose fault came before event number `fault`.
pub fn look(
    recording: &Recording,
    fault: usize,
    models: &[Model],
    (judge, baseline): (&mut dyn Judge, &Baseline),
    stop: &dyn Fn() -> bool,
) -> Result<Looked, Failure> {
    let mut book = Book::new(judge);
    let mut states = vec![Named { state: None, asked: restart(recording) }];
    states.extend(power_cuts(recording, models, fault + 1));
    let verdicts = judged(&mut book, &states, stop)?;
    let not_measured = verdicts.iter().filter(|v| matches!(v, Verdict::NotMeasured(_))).count();
    let violated = states.iter().zip(&verdicts).filter_map(|(named, verdict)| match verdict {
        Verdict::Violated(what) => Some((named, what)),
        _ => None,
    });
    let violated: Vec<_> = violated.collect();
    // Without a fault a restart finds nothing wrong, whatever a power cut leaves.
    let new = violated.iter().find(|(named, what)| named.state.is_none() || !baseline.has(what));
    let data = match (new, violated.first()) {
        (Some((named, what)), _) => Data::Lost(loss(named, what, &states)),
        (None, Some((named, what))) => Data::AsWithout(loss(named, what, &states)),
        (None, None) if not_measured == states.len() => Data::NotLookedAt,
        (None, None) => Data::Kept,
    };
    Ok(Looked { data, states: book.asked(), not_measured: not_measured as u64 })
}

fn loss(named: &Named, what: &Violation, all: &[Named]) -> Loss {
    let model = named.state.as_ref().map(|state| state.model().to_owned());
    // What a restart finds is as a rule also what a power cut may leave, and can be made again as that.
    let here = &named.asked;
    let equal = |other: &&Named| {
        let there = &other.asked;
        there.marks == here.marks && there.image.hash() == here.image.hash()
    };
    let as_cut = || all.iter().filter(equal).find_map(|other| other.state.clone());
    let state = named.state.clone().or_else(as_cut);
    Loss { message: what.message.clone(), model, state }
}

/// The disk as the program left it: what a restart finds, with the page cache as it was.
fn restart(recording: &Recording) -> Asked {
    let image = recording.trace.image_after(recording.trace.events.len());
    let marks = u32::try_from(recording.marks()).unwrap_or(u32::MAX);
    Asked { image, marks }
}

/// At each crash point from one on, or at the last, everything kept and only the durable kept.
fn power_cuts(recording: &Recording, models: &[Model], from: usize) -> Vec<Named> {
    let mut states = Vec::new();
    for order in PersistOrder::all(&recording.trace, models) {
        let from = u32::try_from(from).unwrap_or(u32::MAX).min(order.events());
        let mut window = Window::first(&order);
        loop {
            if window.point() >= from {
                states.extend([true, false].map(|kept| named(&window, kept)));
            }
            if !window.advance() {
                break;
            }
        }
    }
    // What is promised last and what is left in the end tell most.
    states.reverse();
    states
}

fn named(window: &Window<'_>, kept: bool) -> Named {
    let survives = vec![kept; window.pending().len()];
    let mut image = if kept { window.full().clone() } else { window.durable().clone() };
    image.discard_hidden();
    let asked = Asked { image, marks: window.marks() };
    Named { state: Some(CrashState::new(window, &survives)), asked }
}

fn judged(
    book: &mut Book<'_>,
    states: &[Named],
    stop: &dyn Fn() -> bool,
) -> Result<Vec<Verdict>, Failure> {
    let asked = states.iter().map(|named| named.asked.clone()).collect();
    let verdicts = book.verdicts(asked, stop);
    let broken = verdicts.iter().find_map(|verdict| match verdict {
        Verdict::HarnessBroken(why) => Some(why.clone()),
        _ => None,
    });
    match broken {
        Some(why) => Err(Failure::Harness(format!("the checker could not be run: {why}"))),
        None => Ok(verdicts),
    }
}

/// A message without its numbers.
pub(super) fn shape(message: &str) -> String {
    let mut shape = String::new();
    for c in message.chars() {
        match c {
            '0'..='9' if shape.ends_with('#') => {}
            '0'..='9' => shape.push('#'),
            c => shape.push(c),
        }
    }
    shape
}
