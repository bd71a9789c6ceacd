//! The core of the group commit in every order that its threads can take, by the model checker loom.
//!
//! It is the store's own file, compiled once more with loom's locks in place of the standard library's.
//! That it finds something is shown by mistakes in the core, each of which it must find.
//!
//! Exhaustive up to [`PREEMPTIONS`] for two and three writers; not for the disk: a batch is a count here.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use loom::sync::atomic::{AtomicUsize, Ordering};

#[path = "../../../store/src/group/core.rs"]
mod core;
pub(crate) mod sync;

use core::{Group, Mistake};

/// Of so many switches away from a thread that could go on, loom tries all; most known bugs of this kind
/// need two (Musuvathi and Qadeer, PLDI 2007).
const PREEMPTIONS: usize = 3;

thread_local! {
    /// Whether a leader's patience is over at once.
    static IMPATIENT: Cell<bool> = const { Cell::new(false) };
}

/// What a batch answers: the item, and which batch it was; or that this batch failed.
type Answer = Result<(usize, usize), usize>;

/// The writers, and what they did.
struct Writers {
    group: Group<usize, Answer>,
    batches: AtomicUsize,
    running: AtomicUsize,
}

impl Writers {
    fn new(mistake: Mistake) -> Self {
        let [batches, running] = [(); 2].map(|()| AtomicUsize::new(0));
        Self { group: Group::new(mistake), batches, running }
    }

    /// One batch: alone, and its answers are there only when it has run.
    fn run(&self, items: Vec<usize>, fails: bool) -> Vec<Answer> {
        assert_eq!(self.running.fetch_add(1, Ordering::SeqCst), 0, "two batches at once");
        let batch = self.batches.fetch_add(1, Ordering::SeqCst) + 1;
        self.running.fetch_sub(1, Ordering::SeqCst);
        let answer = |item| if fails { Err(batch) } else { Ok((item, batch)) };
        items.into_iter().map(answer).collect()
    }

    fn write(&self, item: usize, fails: bool) -> Option<Answer> {
        self.group.announce().submit(item, None, &mut |items| self.run(items, fails))
    }
}

/// Looks at every order of `writers` threads that do `write`, and then at what `end` says.
fn every_order(
    mistake: Mistake,
    impatient: bool,
    writers: usize,
    write: fn(&Writers, usize) -> Option<Answer>,
    end: fn(&Writers, &[Option<Answer>]),
) {
    IMPATIENT.set(impatient);
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(PREEMPTIONS);
    model.check(move || {
        let shared = Arc::new(Writers::new(mistake));
        let start = |item| {
            let shared = Arc::clone(&shared);
            loom::thread::spawn(move || write(&shared, item))
        };
        let threads: Vec<_> = (1..writers).map(start).collect();
        let own = write(&shared, 0);
        let others = threads.into_iter().map(|thread| thread.join().unwrap());
        let answers: Vec<_> = std::iter::once(own).chain(others).collect();
        end(&shared, &answers);
    });
}

/// Each has its own answer, from a batch that ran.
fn each_its_own(shared: &Writers, answers: &[Option<Answer>]) {
    let batches = shared.batches.load(Ordering::SeqCst);
    assert!((1..=answers.len()).contains(&batches));
    for (item, answer) in answers.iter().enumerate() {
        let (told, batch) = answer.unwrap().unwrap();
        assert_eq!(told, item, "the answer of another writer");
        assert!((1..=batches).contains(&batch), "acknowledged before the batch ran");
    }
}

fn plain(shared: &Writers, item: usize) -> Option<Answer> {
    shared.write(item, false)
}

#[test]
fn every_writer_wakes_with_its_own_answer_after_its_batch_ran() {
    for impatient in [false, true] {
        for writers in [1, 2, 3] {
            every_order(Mistake::None, impatient, writers, plain, each_its_own);
        }
    }
}

#[test]
fn the_error_of_a_batch_reaches_every_writer_of_it_and_no_other() {
    // A leader's batches fail if its number is even.
    let write = |shared: &Writers, item: usize| shared.write(item, item.is_multiple_of(2));
    let end = |shared: &Writers, answers: &[Option<Answer>]| {
        let batches = shared.batches.load(Ordering::SeqCst);
        let of = |batch: usize| {
            let of_batch = answers.iter().flatten().filter(move |answer| match answer {
                Ok((_, of)) | Err(of) => *of == batch,
            });
            of_batch.collect::<Vec<_>>()
        };
        for batch in 1..=batches {
            let told = of(batch);
            assert!(!told.is_empty());
            let failed = told.iter().filter(|answer| answer.is_err()).count();
            assert!(failed == 0 || failed == told.len(), "a part of a batch was told");
        }
    };
    for impatient in [false, true] {
        every_order(Mistake::None, impatient, 3, write, end);
    }
}

/// Writer 0 panics when it leads.
fn may_panic(shared: &Writers, item: usize) -> Option<Answer> {
    let coming = shared.group.announce();
    let run = &mut |items| {
        assert!(item != 0, "the leader panics");
        shared.run(items, false)
    };
    catch_unwind(AssertUnwindSafe(|| coming.submit(item, None, run))).unwrap_or(None)
}

/// Nobody is told of a success that was none.
fn answered_or_told(shared: &Writers, answers: &[Option<Answer>]) {
    let done = answers.iter().flatten().count();
    assert!(done == 0 || shared.batches.load(Ordering::SeqCst) > 0);
}

#[test]
fn a_leader_that_panics_leaves_nobody_waiting() {
    for impatient in [false, true] {
        every_order(Mistake::None, impatient, 2, may_panic, answered_or_told);
    }
}

/// Writer 0 gives up on its way.
fn may_give_up(shared: &Writers, item: usize) -> Option<Answer> {
    let coming = shared.group.announce();
    if item == 0 {
        drop(coming);
        return None;
    }
    coming.submit(item, None, &mut |items| shared.run(items, false))
}

fn all_but_the_first(_: &Writers, answers: &[Option<Answer>]) {
    assert!(answers.iter().skip(1).all(|answer| answer.is_some_and(|told| told.is_ok())));
}

#[test]
fn a_leader_does_not_wait_for_a_writer_that_gave_up() {
    every_order(Mistake::None, false, 3, may_give_up, all_but_the_first);
}

/// Whether loom finds what is wrong.
fn is_found(
    mistake: Mistake,
    write: fn(&Writers, usize) -> Option<Answer>,
    end: fn(&Writers, &[Option<Answer>]),
) -> bool {
    let found = |impatient| {
        let model = || every_order(mistake, impatient, 3, write, end);
        catch_unwind(AssertUnwindSafe(model)).is_err()
    };
    found(true) || found(false)
}

#[test]
fn each_mistake_in_the_core_is_found() {
    for mistake in [
        Mistake::WakesOne,
        Mistake::WakesNobody,
        Mistake::LeadsInSecret,
        Mistake::SwapsResults,
        Mistake::SleepsTooLate,
    ] {
        assert!(is_found(mistake, plain, each_its_own), "{mistake:?}");
    }
    assert!(is_found(Mistake::DiesInSilence, may_panic, answered_or_told));
    assert!(is_found(Mistake::WaitsForDeserters, may_give_up, all_but_the_first));
}
