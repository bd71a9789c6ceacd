//! Two sides of a comparison, measured in turns.
//!
//! A pair is one call of each side, made right after each other; which one comes first changes
//! from pair to pair. So a slow second of the machine meets both sides alike.
//!
//! On a busy disk an fsync takes one of several very different times, and where a median falls
//! between two of them it jumps. So there are two estimates of the ratio, the median of the ratios
//! within the pairs and the quotient of the two medians, and the lower one counts: work that the
//! store does too much moves both, noise seldom does.
#![expect(clippy::disallowed_methods, reason = "measuring is what a bench is for")]

use std::cmp::Ordering;
use std::time::{Duration, Instant};

/// Fewer pairs than this are a trial run (`cargo test --benches`) and say nothing about speed.
const ENOUGH: usize = 20;

/// The times of all pairs so far.
#[derive(Clone, Debug, Default)]
pub struct Pairs {
    store: Vec<Duration>,
    raw: Vec<Duration>,
}

/// What a comparison comes to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Medians {
    /// Of the store's calls.
    pub store: Duration,
    /// Of the bare system calls.
    pub raw: Duration,
    /// How many times as long the store takes.
    pub ratio: f64,
}

impl Pairs {
    /// Runs `count` pairs on what `prepare` makes for each, outside the measured time. Returns the
    /// time that each side took in all.
    pub fn run<T>(
        &mut self,
        count: u64,
        mut prepare: impl FnMut() -> T,
        mut store: impl FnMut(&T),
        mut raw: impl FnMut(&T),
    ) -> (Duration, Duration) {
        let before = self.store.len();
        for pair in 0..count {
            let input = prepare();
            if pair % 2 == 0 {
                self.store.push(time(|| store(&input)));
                self.raw.push(time(|| raw(&input)));
            } else {
                self.raw.push(time(|| raw(&input)));
                self.store.push(time(|| store(&input)));
            }
        }
        let sum = |times: &[Duration]| times.iter().skip(before).sum();
        (sum(&self.store), sum(&self.raw))
    }

    /// Adds a pair that was measured elsewhere.
    pub fn add(&mut self, store: Duration, raw: Duration) {
        self.store.push(store);
        self.raw.push(raw);
    }

    /// The medians; `None` when too little was measured to say.
    pub fn medians(&self) -> Option<Medians> {
        if self.store.len() < ENOUGH {
            return None;
        }
        let [store, raw] = [&self.store, &self.raw].map(|times| median(times, Duration::cmp));
        let within_pairs = median(&self.ratios(), f64::total_cmp);
        let ratio = within_pairs.min(store.div_duration_f64(raw));
        Some(Medians { store, raw, ratio })
    }

    /// The time that all but one in a hundred of each side's calls keep below.
    pub fn p99(&self) -> [Duration; 2] {
        [&self.store, &self.raw].map(|times| {
            let mut sorted = times.clone();
            sorted.sort_unstable();
            let last = (sorted.len() * 99).div_ceil(100).saturating_sub(1);
            sorted.get(last).copied().unwrap_or_default()
        })
    }

    fn ratios(&self) -> Vec<f64> {
        let pairs = self.store.iter().zip(&self.raw);
        pairs.map(|(store, raw)| store.div_duration_f64(*raw)).collect()
    }

    /// Whether nothing ran at all, because a filter on the command line left it out.
    pub fn is_empty(&self) -> bool {
        self.store.is_empty()
    }
}

fn time(call: impl FnOnce()) -> Duration {
    let start = Instant::now();
    call();
    start.elapsed()
}

/// The upper median; zero of nothing.
fn median<T: Copy + Default>(values: &[T], order: impl Fn(&T, &T) -> Ordering) -> T {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(order);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn the_sides_take_turns_and_so_does_who_is_first() {
        let order = RefCell::new(Vec::new());
        let mut next = 0;
        let prepare = || {
            next += 1;
            next
        };
        let store = |n: &i32| order.borrow_mut().push(("store", *n));
        let raw = |n: &i32| order.borrow_mut().push(("raw", *n));
        Pairs::default().run(3, prepare, store, raw);
        let expected =
            [("store", 1), ("raw", 1), ("raw", 2), ("store", 2), ("store", 3), ("raw", 3)];
        assert_eq!(order.into_inner(), expected);
    }

    #[test]
    fn a_trial_run_has_no_median() {
        let mut pairs = Pairs::default();
        assert!(pairs.is_empty());
        pairs.run(ENOUGH as u64 - 1, || (), |()| (), |()| ());
        assert!(!pairs.is_empty());
        assert_eq!(pairs.medians(), None);
        pairs.run(1, || (), |()| (), |()| ());
        assert!(pairs.medians().is_some());
    }

    #[test]
    fn the_median_is_the_middle_whatever_the_order() {
        assert_eq!(median(&[9, 1, 1000, 3, 4], Ord::cmp), 4);
        assert_eq!(median::<i32>(&[], Ord::cmp), 0);
    }

    #[test]
    fn one_in_a_hundred_may_be_slow() {
        let mut pairs = Pairs::default();
        for n in 1..=200 {
            pairs.add(Duration::from_micros(n), Duration::from_micros(7));
        }
        assert_eq!(pairs.p99(), [198, 7].map(Duration::from_micros));
        assert_eq!(Pairs::default().p99(), [Duration::ZERO; 2]);
    }

    fn measured(store: [u64; 5], raw: [u64; 5]) -> Medians {
        let times = |times: [u64; 5]| times.map(Duration::from_micros).repeat(ENOUGH);
        Pairs { store: times(store), raw: times(raw) }.medians().unwrap()
    }

    #[test]
    fn a_slow_spell_of_the_disk_does_not_move_the_ratio() {
        let jumping_median = measured([110, 110, 1100, 1100, 1100], [100, 100, 100, 1000, 1000]);
        assert!((jumping_median.ratio - 1.1).abs() < 1e-9, "{jumping_median:?}");
        let unlike_pairs = measured([110, 110, 110, 1100, 1100], [10, 10, 1000, 100, 100]);
        assert!((unlike_pairs.ratio - 1.1).abs() < 1e-9, "{unlike_pairs:?}");
    }
}
