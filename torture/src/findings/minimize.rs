//! Smaller losses: which part of what is lost in a state makes the checker say the same.
//!
//! Each try is a crash state of the same crash point with less lost, so the result is a state that a
//! power cut may leave as well. Not for earlier crash points: the search made those itself.

use faultfs::Window;

use crate::check::{Verdict, Violation};
use crate::search::{Asked, Book};

/// Most losses that are tried one by one.
const MOST_SINGLES: usize = 256;

/// Most tries to give something back.
const MOST_TRIES: usize = 128;

/// A state with a smaller loss in which the checker says what is the `same`; `None` if the state cannot be
/// made smaller.
pub(super) fn minimize(
    book: &mut Book<'_>,
    window: &Window<'_>,
    survives: &[bool],
    same: &dyn Fn(&str) -> bool,
    stop: &dyn Fn() -> bool,
) -> Option<(Vec<bool>, Violation)> {
    single(book, window, survives, same, stop)
        .or_else(|| give_back(book, window, survives, same, stop))
}

/// One effect lost, with all that needs it: the smallest such loss that is enough.
fn single(
    book: &mut Book<'_>,
    window: &Window<'_>,
    survives: &[bool],
    same: &dyn Fn(&str) -> bool,
    stop: &dyn Fn() -> bool,
) -> Option<(Vec<bool>, Violation)> {
    let lost = (0..survives.len()).filter(|position| !survives[*position]);
    let mut tries: Vec<Vec<bool>> = Vec::new();
    for position in lost.take(MOST_SINGLES) {
        let lost = window.lost_with(&[position]);
        tries.push(lost.into_iter().map(|lost| !lost).collect());
    }
    tries.sort_by_key(|survives| survives.iter().filter(|survives| !**survives).count());
    tries.dedup();
    let asked = tries.iter().map(|survives| asked(window, survives)).collect();
    let verdicts = book.verdicts(asked, stop);
    let mut found = tries.into_iter().zip(verdicts);
    found.find_map(|(survives, verdict)| Some((survives, still(verdict, same)?)))
}

/// Gives back one lost effect after the other, with what it needs, as long as the violation stays.
fn give_back(
    book: &mut Book<'_>,
    window: &Window<'_>,
    survives: &[bool],
    same: &dyn Fn(&str) -> bool,
    stop: &dyn Fn() -> bool,
) -> Option<(Vec<bool>, Violation)> {
    let mut smallest = survives.to_vec();
    let mut violation = None;
    let lost: Vec<_> = (0..survives.len()).filter(|position| !survives[*position]).collect();
    for position in lost.into_iter().take(MOST_TRIES) {
        if smallest[position] {
            continue;
        }
        let kept = window.kept_with(position);
        let trial: Vec<_> = smallest.iter().zip(kept).map(|(had, kept)| *had || kept).collect();
        if let Some(what) = still(book.verdict(asked(window, &trial), stop), same) {
            smallest = trial;
            violation = Some(what);
        }
    }
    Some((smallest, violation?))
}

fn asked(window: &Window<'_>, survives: &[bool]) -> Asked {
    let mut image = window.image(survives);
    image.discard_hidden();
    Asked { image, marks: window.marks() }
}

fn still(verdict: Verdict, same: &dyn Fn(&str) -> bool) -> Option<Violation> {
    match verdict {
        Verdict::Violated(what) if same(&what.message) => Some(what),
        _ => None,
    }
}
