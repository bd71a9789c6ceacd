//! Several writers on one disk, taking turns call by call in an order that follows from a seed.
//!
//! One thread runs at a time: it holds the turn from one call of the seam until its next one, so what it
//! does between them (marks, closing files) is ordered as well, and the same seed gives the same trace.
//! A thread that waits for a file lock gives its turn away until somebody gives a lock back.
//!
//! Threads may share an open store: where it would wait for another thread it passes the turn
//! ([`faultfs::Fs::turns`]). Nothing else that blocks may be shared but the disk. Not for finding all interleavings: one seed is one of them.

use std::cell::RefCell;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::ScopedJoinHandle;

use faultfs::Fs;

pub use super::turns::Turns;

thread_local! {
    /// Where the thread sits.
    static SEAT: RefCell<Option<Arc<Seat>>> = const { RefCell::new(None) };
}

/// The seat of the present thread, if it takes turns.
pub(super) fn my_seat() -> Option<Arc<Seat>> {
    SEAT.with_borrow(Clone::clone)
}

/// Lets this many writers work on one disk, each on its own thread and with its own view of the disk,
/// which `disk` makes. First `prepare` is called for one after the other, without turns; what it makes
/// goes to `body`, where they take turns. Panics when all of them wait for locks, and when one of them
/// panics.
pub fn interleave<F: Fs, W: Send>(
    seed: u64,
    writers: usize,
    disk: &dyn Fn() -> F,
    prepare: &dyn Fn(usize, Turns<F>) -> W,
    body: &(dyn Fn(usize, W) + Sync),
) {
    let table = Arc::new(Table::new(seed, writers));
    let seat = |me| Arc::new(Seat { table: Arc::clone(&table), me });
    let prepared: Vec<_> =
        (0..writers).map(|me| (seat(me), prepare(me, Turns::new(disk())))).collect();
    std::thread::scope(|scope| {
        let start = |(seat, writer): (Arc<Seat>, W)| {
            scope.spawn(move || {
                let seat = Seated(seat);
                let seat = &seat.0;
                SEAT.set(Some(Arc::clone(seat)));
                seat.take_turn();
                body(seat.me, writer);
                seat.leave();
            })
        };
        let handles: Vec<_> = prepared.into_iter().map(start).collect();
        let results = handles.into_iter().map(ScopedJoinHandle::join).enumerate();
        let panics: Vec<_> = results.filter_map(|(n, ended)| Some((n, ended.err()?))).collect();
        // The first panic is the cause; the others only ended because of it.
        let cause = table.state().broken_by;
        let of_cause = panics.into_iter().find(|(n, _)| cause.is_none_or(|cause| cause == *n));
        if let Some((_, panic)) = of_cause {
            resume_unwind(panic);
        }
    });
}

/// Whose turn it is.
struct Table {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    rng: fastrand::Rng,
    current: usize,
    threads: Vec<Doing>,
    /// The thread that panicked first; then nobody gets a turn any more.
    broken_by: Option<usize>,
}

enum Doing {
    Running,
    /// For the lock of this file.
    Waiting(PathBuf),
    Done,
}

impl Table {
    fn new(seed: u64, threads: usize) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let current = rng.usize(..threads.max(1));
        let threads = (0..threads).map(|_| Doing::Running).collect();
        let state = Mutex::new(State { rng, current, threads, broken_by: None });
        Self { state, changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Gives the turn to somebody who can go on; false when nobody can.
    fn pass(&mut self) -> bool {
        let can = |(n, doing): (usize, &Doing)| matches!(doing, Doing::Running).then_some(n);
        let ready: Vec<_> = self.threads.iter().enumerate().filter_map(can).collect();
        if let Some(n) = ready.get(self.rng.usize(..ready.len().max(1))) {
            self.current = *n;
        }
        !ready.is_empty()
    }

    fn waiting(&self) -> Vec<String> {
        let waits = |(n, doing): (usize, &Doing)| match doing {
            Doing::Waiting(path) => Some(format!("writer {n} for {}", path.display())),
            _ => None,
        };
        self.threads.iter().enumerate().filter_map(waits).collect()
    }
}

/// One thread's place at the table.
pub(super) struct Seat {
    table: Arc<Table>,
    me: usize,
}

impl Seat {
    /// Before each call: lets the seed choose who is next, and waits for one's own turn.
    pub(super) fn next_turn(&self) {
        self.next_turn_once_in(1);
    }

    /// As [`Seat::next_turn`], but most times goes on at once: for calls that come in long runs.
    pub(super) fn next_turn_once_in(&self, calls: u32) {
        let mut state = self.table.state();
        if state.rng.u32(0..calls) > 0 {
            return;
        }
        state.pass();
        drop(state);
        self.table.changed.notify_all();
        self.take_turn();
    }

    /// After a lock was refused: lets others go on until a lock is given back.
    pub(super) fn wait_for_lock(&self, path: &Path) {
        let mut state = self.table.state();
        state.threads[self.me] = Doing::Waiting(path.to_owned());
        if !state.pass() {
            let waiting = state.waiting().join(", ");
            state.broken_by.get_or_insert(self.me);
            drop(state);
            self.table.changed.notify_all();
            panic!("deadlock: everybody waits for a lock: {waiting}");
        }
        drop(state);
        self.table.changed.notify_all();
        self.take_turn();
    }

    /// A lock may be free now: everybody who waits tries again.
    pub(super) fn lock_given_back(&self) {
        for doing in &mut self.table.state().threads {
            if matches!(doing, Doing::Waiting(_)) {
                *doing = Doing::Running;
            }
        }
    }

    fn take_turn(&self) {
        let mut state = self.table.state();
        while state.current != self.me && state.broken_by.is_none() {
            let waited = self.table.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        let broken_by = state.broken_by;
        drop(state);
        // A thread that is unwinding cleans up without turns: a second panic would abort.
        if let Some(other) = broken_by.filter(|_| !std::thread::panicking()) {
            panic!("writer {other} panicked before");
        }
    }

    /// The thread has ended, well.
    fn leave(&self) {
        let mut state = self.table.state();
        state.threads[self.me] = Doing::Done;
        let waiting = state.waiting();
        if !state.pass() && !waiting.is_empty() {
            state.broken_by.get_or_insert(self.me);
            drop(state);
            self.table.changed.notify_all();
            panic!("deadlock: the others ended, and there wait {}", waiting.join(", "));
        }
        drop(state);
        self.table.changed.notify_all();
    }
}

/// A thread that has sat down.
struct Seated(Arc<Seat>);

impl Drop for Seated {
    /// A panic of one writer ends them all.
    fn drop(&mut self) {
        let Seat { table, me } = &*self.0;
        if std::thread::panicking() {
            table.state().broken_by.get_or_insert(*me);
            table.changed.notify_all();
        }
    }
}
