//! Figures of one case: percentiles of all runs, and an interval for the median from the medians of the rounds.
//!
//! Calls that follow each other are alike, so a thousand runs of one burst are not a thousand looks at the
//! disk. The rounds are: the interval is made of their medians, by ranks, whatever the distribution. Not for
//! comparing two runs (`compare`).

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::stopwatch::Samples;

/// Longest time that is told apart from longer ones: an hour.
const LONGEST_NS: u64 = 3_600_000_000_000;

/// Digits that a percentile is right in.
const DIGITS: u8 = 3;

/// How often an interval may lie beside what it is for.
const MISSES: f64 = 0.05;

/// Buckets of the distribution for each factor of ten.
const BUCKETS_A_DECADE: f64 = 20.0;

/// What was measured of one case.
#[derive(Debug)]
pub struct Figures {
    all: Histogram<u64>,
    rounds: Vec<u64>,
    elapsed: Duration,
}

impl Default for Figures {
    fn default() -> Self {
        Self::new()
    }
}

/// The same in numbers, as reports have it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Runs that were measured.
    pub runs: u64,
    /// Half of the runs took at most this, in nanoseconds.
    pub p50_ns: u64,
    /// 90 in 100.
    pub p90_ns: u64,
    /// 99 in 100; none where there are fewer than 100 runs.
    pub p99_ns: Option<u64>,
    /// 999 in 1000; none where there are fewer than 1000 runs.
    pub p999_ns: Option<u64>,
    /// The longest.
    pub max_ns: u64,
    /// Where the median is, in 95 of 100 such measurements; none where there are fewer than 6 rounds.
    pub median_interval_ns: Option<(u64, u64)>,
    /// The median of each round.
    pub round_medians_ns: Vec<u64>,
    /// Items in a second.
    pub items_per_second: f64,
    /// Bytes in a second.
    pub bytes_per_second: f64,
    /// How many runs took up to so many nanoseconds, and longer than the one before.
    pub distribution: Vec<(u64, u64)>,
}

impl Figures {
    /// Of nothing yet.
    #[expect(clippy::missing_panics_doc, reason = "the bounds are constants")]
    pub fn new() -> Self {
        let all = Histogram::new_with_bounds(1, LONGEST_NS, DIGITS);
        let all = all.expect("the library takes up to five digits");
        Self { all, rounds: Vec::new(), elapsed: Duration::ZERO }
    }

    /// Takes in a round.
    pub fn add(&mut self, samples: &Samples) {
        self.record(&samples.runs);
        self.elapsed += samples.elapsed;
        self.rounds.extend(median(&samples.runs));
    }

    /// Takes in runs that were no round: for percentiles, and for nothing that needs rounds or rates.
    pub fn record(&mut self, runs: &[u64]) {
        for &run in runs {
            self.all.saturating_record(run.max(1));
        }
    }

    /// Whether anything was measured.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The numbers, for runs of so many items of so many bytes.
    pub fn summary(&self, items: u32, size: usize) -> Summary {
        let runs = self.all.len();
        let at = |quantile| self.all.value_at_quantile(quantile);
        let p50_ns = at(0.5);
        let items = as_f64(runs) * f64::from(items);
        let items_per_second = items / self.elapsed.as_secs_f64().max(1e-9);
        Summary {
            runs,
            p50_ns,
            p90_ns: at(0.9),
            p99_ns: (runs >= 100).then(|| at(0.99)),
            p999_ns: (runs >= 1000).then(|| at(0.999)),
            max_ns: self.all.max(),
            median_interval_ns: interval(&self.rounds)
                .map(|(low, high)| (low.min(p50_ns), high.max(p50_ns))),
            round_medians_ns: self.rounds.clone(),
            items_per_second,
            bytes_per_second: items_per_second * as_f64(u64::try_from(size).unwrap_or_default()),
            distribution: self.distribution(),
        }
    }

    fn distribution(&self) -> Vec<(u64, u64)> {
        let factor = 10_f64.powf(1.0 / BUCKETS_A_DECADE);
        let buckets = self.all.iter_log(100, factor);
        let counted = buckets.map(|b| (b.value_iterated_to(), b.count_since_last_iteration()));
        counted.filter(|(_, count)| *count > 0).collect()
    }
}

/// A number that may lose digits behind the sixteenth.
#[expect(clippy::cast_precision_loss, reason = "figures have three digits")]
pub fn as_f64(number: u64) -> f64 {
    number as f64
}

/// The middle one, or the lower of the two.
pub fn median(values: &[u64]) -> Option<u64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len().checked_sub(1)? / 2).copied()
}

/// Where the median of whatever these values were drawn from is, in 95 of 100 cases.
pub fn interval(values: &[u64]) -> Option<(u64, u64)> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let below = outside(sorted.len())?;
    Some((*sorted.get(below)?, *sorted.get(sorted.len() - 1 - below)?))
}

/// How many values may be left out at each end such that what is between holds the median in 95 of 100
/// cases; none where even all of them hold it less often.
///
/// Each value is below the median with a chance of one half, so the number of those below is binomial.
fn outside(n: usize) -> Option<usize> {
    let mut chance = 0.5_f64.powi(i32::try_from(n).ok()?);
    let mut below = 0.0;
    let mut found = None;
    for left_out in 0..n.div_ceil(2) {
        below += chance;
        if 2.0 * below > MISSES {
            break;
        }
        found = Some(left_out);
        chance *= as_f64((n - left_out) as u64) / as_f64(left_out as u64 + 1);
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// How often the values between hold the median, by looking at every way in which the values may
    /// lie on its two sides.
    fn held(n: usize, left_out: usize) -> f64 {
        let ways = 1_u64 << n;
        let holds = |way: &u64| {
            let below = way.count_ones() as usize;
            below > left_out && n - below > left_out
        };
        as_f64((0..ways).filter(holds).count() as u64) / as_f64(ways)
    }

    #[test]
    fn the_interval_is_the_shortest_that_holds_the_median_often_enough() {
        for n in 1..=18 {
            let widest = held(n, 0);
            match outside(n) {
                None => assert!(widest < 0.95, "{n}: {widest}"),
                Some(left_out) => {
                    assert!(held(n, left_out) >= 0.95, "{n}");
                    assert!(held(n, left_out + 1) < 0.95, "{n}");
                }
            }
        }
        assert_eq!((outside(5), outside(6), outside(10)), (None, Some(0), Some(1)));
    }

    fn of(rounds: &[Vec<u64>]) -> Figures {
        let mut figures = Figures::new();
        for runs in rounds {
            let elapsed = Duration::from_nanos(runs.iter().sum());
            figures.add(&Samples { runs: runs.clone(), elapsed });
        }
        figures
    }

    #[test]
    fn figures_of_nothing_are_empty() {
        assert!(of(&[]).is_empty());
        assert_eq!((median(&[]), interval(&[])), (None, None));
    }

    #[test]
    fn items_and_bytes_are_those_of_a_second() {
        let summary = of(&[vec![1_000_000; 10]]).summary(4, 512);
        assert!((summary.items_per_second - 4000.0).abs() < 1.0, "{summary:?}");
        assert!((summary.bytes_per_second - 2_048_000.0).abs() < 600.0, "{summary:?}");
        assert_eq!((summary.p99_ns, summary.median_interval_ns), (None, None));
    }

    proptest! {
        #[test]
        fn percentiles_are_those_of_the_sorted_runs(
            rounds in proptest::collection::vec(
                proptest::collection::vec(1_u64..50_000_000_000, 1..200), 1..12)
        ) {
            let summary = of(&rounds).summary(1, 1);
            let mut sorted = rounds.concat();
            sorted.sort_unstable();
            let near = |found: u64, parts: usize, of: usize| {
                let rank = (sorted.len() * parts).div_ceil(of).max(1);
                let exact = sorted[rank - 1];
                as_f64(found.abs_diff(exact)) <= 0.001 * as_f64(exact) + 1.0
            };
            prop_assert!(near(summary.p50_ns, 50, 100));
            prop_assert!(near(summary.p90_ns, 90, 100));
            prop_assert!(summary.p99_ns.is_none_or(|found| near(found, 99, 100)));
            prop_assert!(summary.p999_ns.is_none_or(|found| near(found, 999, 1000)));
            prop_assert!(near(summary.max_ns, 100, 100));
            prop_assert_eq!(summary.distribution.iter().map(|(_, n)| n).sum::<u64>(), summary.runs);
            let bracketed = |(low, high)| low <= summary.p50_ns && summary.p50_ns <= high;
            prop_assert!(summary.median_interval_ns.is_none_or(bracketed));
        }
    }
}
