//! The core of the pins of one open store: the first one locks, the last one unlocks, and what is known
//! under them is forgotten in between.
//!
//! Small and free of I/O, so that the model checker can look at every order of its steps
//! (tests/suite/pin_count). Not for what the lock is, nor for what is known.

use super::sync::MutexGuard;

/// A mistake in the core, to show that the model checker finds it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mistake {
    /// There is none.
    #[default]
    None,
    /// Whoever goes unlocks, though others stay.
    UnlocksEarly,
    /// The last one unlocks after others may have come.
    UnlocksLate,
    /// What is known outlasts the last pin.
    Remembers,
    /// A pin that could not lock counts.
    CountsFailures,
}

/// How many pins are held, and what is known while that is not zero.
pub(crate) struct Held<K> {
    pins: usize,
    /// What nobody can undo under a pin.
    known: K,
    mistake: Mistake,
}

impl<K: Default> Held<K> {
    pub(crate) fn new(mistake: Mistake) -> Self {
        Self { pins: 0, known: K::default(), mistake }
    }

    /// One more pin; the first one locks.
    pub(crate) fn add<E>(&mut self, lock: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        let locked = if self.pins == 0 { lock() } else { Ok(()) };
        if locked.is_ok() || self.mistake == Mistake::CountsFailures {
            self.pins += 1;
        }
        locked
    }

    /// One pin less; the last one unlocks, before anybody can come.
    pub(crate) fn remove(mut held: MutexGuard<'_, Self>, unlock: impl FnOnce()) {
        held.pins -= 1;
        if held.pins > 0 && held.mistake != Mistake::UnlocksEarly {
            return;
        }
        if held.mistake != Mistake::Remembers {
            held.known = K::default();
        }
        let held = (held.mistake != Mistake::UnlocksLate).then_some(held);
        unlock();
        drop(held);
    }

    /// What is known, while a pin is held.
    pub(crate) fn known(&mut self) -> Option<&mut K> {
        (self.pins > 0).then_some(&mut self.known)
    }
}
