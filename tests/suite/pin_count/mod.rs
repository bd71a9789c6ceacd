//! The core of the pins in every order that the threads of one store can take, by the model checker loom.
//!
//! It is the store's own file, compiled once more with loom's lock in place of the standard library's.
//! That it finds something is shown by mistakes in the core, each of which it must find. The flock that
//! pins share is a flag here, and a collection takes it only where it is free, all in one step: how long
//! one waits is not looked at.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

#[path = "../../../store/src/pin/count.rs"]
mod count;

use crate::group_core::sync::{self, Mutex, MutexGuard};
use count::{Held, Mistake};

/// Threads that take a pin, beside one that collects.
const PINS: usize = 2;

/// What the disk holds: the flock, and how often objects were deleted.
#[derive(Default)]
struct Disk {
    locked: bool,
    /// The flock may be refused once.
    fails: bool,
    collections: usize,
}

struct Shared {
    /// What is known: so many collections had there been when an object was seen to be durable.
    held: Mutex<Held<Vec<usize>>>,
    disk: Mutex<Disk>,
}

impl Shared {
    fn new(mistake: Mistake, fails: bool) -> Self {
        let held = Mutex::new(Held::new(mistake));
        Self { held, disk: Mutex::new(Disk { fails, ..Disk::default() }) }
    }

    fn held(&self) -> MutexGuard<'_, Held<Vec<usize>>> {
        self.held.lock().unwrap()
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap()
    }

    fn lock(&self) -> Result<(), &'static str> {
        let mut disk = self.disk();
        assert!(!disk.locked, "the first pin found the flock taken by its own store");
        if std::mem::take(&mut disk.fails) {
            return Err("the flock was refused");
        }
        disk.locked = true;
        Ok(())
    }

    fn unlock(&self) {
        assert!(std::mem::take(&mut self.disk().locked), "unlocked twice");
    }

    /// Takes a pin, sees an object, and relies on all that is known.
    fn pinned(&self) {
        if self.held().add(|| self.lock()).is_err() {
            return;
        }
        let now = self.disk().collections;
        self.held().known().expect("a pin is held").push(now);
        for seen in self.held().known().expect("a pin is held").clone() {
            let disk = self.disk();
            assert!(disk.locked, "a pin without the flock");
            assert_eq!(seen, disk.collections, "what is known was deleted");
        }
        Held::remove(self.held(), || self.unlock());
    }

    fn collect(&self) {
        let mut disk = self.disk();
        disk.collections += usize::from(!disk.locked);
    }
}

fn every_order(mistake: Mistake, fails: bool) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(move || {
        let shared = Arc::new(Shared::new(mistake, fails));
        let pinned = |_| {
            let shared = Arc::clone(&shared);
            loom::thread::spawn(move || shared.pinned())
        };
        let threads: Vec<_> = (0..PINS).map(pinned).collect();
        shared.collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert!(!shared.disk().locked, "the flock stays when nobody has a pin");
        assert!(shared.held().known().is_none());
    });
}

#[test]
fn what_is_known_under_a_pin_is_not_deleted_and_the_last_one_unlocks() {
    for fails in [false, true] {
        every_order(Mistake::None, fails);
    }
}

#[test]
fn each_mistake_in_the_pins_is_found() {
    for mistake in
        [Mistake::UnlocksEarly, Mistake::UnlocksLate, Mistake::Remembers, Mistake::CountsFailures]
    {
        let fails = mistake == Mistake::CountsFailures;
        let model = || every_order(mistake, fails);
        assert!(catch_unwind(AssertUnwindSafe(model)).is_err(), "{mistake:?}");
    }
}
