//! The judge of second crashes: states of a recovery, with the Marks that came before the first crash.
//!
//! Not for choosing states.

use std::collections::BTreeSet;

use faultfs::ImageHash;

use crate::check::Verdict;
use crate::search::{Asked, Book, Judge};

/// Asks the book of the first crashes: a state that is known from there is not judged again.
pub(super) struct After<'b, 'j> {
    book: &'b mut Book<'j>,
    /// Marks before the first crash.
    marks: u32,
    asked: BTreeSet<ImageHash>,
    /// Distinct states of this recovery that were judged.
    pub(super) judged: u64,
}

impl<'b, 'j> After<'b, 'j> {
    pub(super) fn new(book: &'b mut Book<'j>, marks: u32) -> Self {
        Self { book, marks, asked: BTreeSet::new(), judged: 0 }
    }
}

impl Judge for After<'_, '_> {
    fn judge(&mut self, states: Vec<Asked>, stop: &dyn Fn() -> bool) -> Vec<Verdict> {
        let marks = self.marks;
        let states: Vec<_> = states.into_iter().map(|s| Asked { marks, ..s }).collect();
        // A state that is asked for once more is to be judged once more.
        let is_again = |state: &Asked| self.asked.contains(&state.image.hash());
        if let [state] = &states[..]
            && is_again(state)
        {
            return self.book.again(state.clone(), stop).into_iter().collect();
        }
        let hashes: Vec<_> = states.iter().map(|state| state.image.hash()).collect();
        let verdicts = self.book.verdicts(states, stop);
        for (hash, verdict) in hashes.into_iter().zip(&verdicts) {
            if !matches!(verdict, Verdict::NotMeasured(_)) && self.asked.insert(hash) {
                self.judged += 1;
            }
        }
        verdicts
    }
}
