//! Two results side by side: how many times longer each strategy takes in the second one, and within which limits
//! that is known.
//!
//! The interval comes from the medians of the rounds: of all ratios of one round of B to one of A, as many are left
//! out at each end as chance may put there in 95 of 100 cases (Mann and Whitney; Hodges and Lehmann). It knows how
//! the rounds of each run differ, and nothing of what changed between the two runs. Not for verdicts of CI.

use serde::Serialize;

use super::figures::as_f64;
use super::result::{Bench, Case};

/// Fewest rounds on each side for an interval.
const FEWEST_ROUNDS: usize = 5;

/// Standard deviations on each side of the middle in 95 of 100 cases.
const DEVIATIONS: f64 = 1.96;

/// One strategy at one size in both.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Compared {
    /// Name of the strategy.
    pub strategy: String,
    /// Bytes of one item.
    pub size: usize,
    /// Its median in A, in nanoseconds.
    pub a_ns: u64,
    /// Its median in B.
    pub b_ns: u64,
    /// B by A.
    pub ratio: f64,
    /// Where the ratio is in 95 of 100 cases.
    pub interval: Option<(f64, f64)>,
    /// What that says.
    pub verdict: Verdict,
}

/// Whether B differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The whole interval is below 1.
    Faster,
    /// The whole interval is above 1.
    Slower,
    /// 1 is in the interval.
    NotToldApart,
    /// There are too few rounds for an interval.
    TooFewRounds,
}

impl Verdict {
    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Faster => "B is faster",
            Self::Slower => "B is slower",
            Self::NotToldApart => "not told apart",
            Self::TooFewRounds => "too few rounds",
        }
    }

    fn of(interval: Option<(f64, f64)>) -> Self {
        match interval {
            None => Self::TooFewRounds,
            Some((_, high)) if high < 1.0 => Self::Faster,
            Some((low, _)) if low > 1.0 => Self::Slower,
            Some(_) => Self::NotToldApart,
        }
    }
}

/// All that both have, and the names of what only one has.
pub fn compare(a: &Bench, b: &Bench) -> (Vec<Compared>, Vec<String>) {
    let mut compared = Vec::new();
    let mut alone = Vec::new();
    for case in &a.cases {
        match b.case(&case.strategy, case.size).filter(|other| other.together == case.together) {
            Some(other) => compared.push(pair(case, other)),
            None => alone.push(format!("{} only in A", named(case))),
        }
    }
    let lacks = |case: &&Case| {
        a.case(&case.strategy, case.size).is_none_or(|other| other.together != case.together)
    };
    alone.extend(b.cases.iter().filter(lacks).map(|case| format!("{} only in B", named(case))));
    (compared, alone)
}

fn named(case: &Case) -> String {
    let together = if case.together > 1 { format!(" x {}", case.together) } else { String::new() };
    format!("{}{together} of {}", case.strategy, super::words::size(case.size))
}

fn pair(a: &Case, b: &Case) -> Compared {
    let interval = interval(&a.figures.round_medians_ns, &b.figures.round_medians_ns);
    let (a_ns, b_ns) = (a.figures.p50_ns, b.figures.p50_ns);
    Compared {
        strategy: a.strategy.clone(),
        size: a.size,
        a_ns,
        b_ns,
        ratio: as_f64(b_ns) / as_f64(a_ns.max(1)),
        interval,
        verdict: Verdict::of(interval),
    }
}

/// Where the ratio of B to A is, in 95 of 100 cases.
fn interval(a: &[u64], b: &[u64]) -> Option<(f64, f64)> {
    let left_out = left_out(a.len(), b.len())?;
    let ratios = b.iter().flat_map(|b| a.iter().map(move |a| as_f64(*b) / as_f64((*a).max(1))));
    let mut ratios: Vec<_> = ratios.collect();
    ratios.sort_by(f64::total_cmp);
    let (low, high) = (ratios.get(left_out)?, ratios.get(ratios.len() - 1 - left_out)?);
    Some((*low, *high))
}

/// How many of all ratios are left out at each end.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "small and not negative"
)]
fn left_out(m: usize, n: usize) -> Option<usize> {
    if m.min(n) < FEWEST_ROUNDS {
        return None;
    }
    let (m, n) = (as_f64(m as u64), as_f64(n as u64));
    let deviation = (m * n * (m + n + 1.0) / 12.0).sqrt();
    let rank = (m * n / 2.0 - DEVIATIONS * deviation).floor();
    (rank >= 1.0).then(|| rank as usize - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::result::tests::made;

    /// How often the interval holds the ratio 1 when both sides are drawn from the same: all ways in which m of m + n
    /// places in the order fall to one side.
    fn held(m: usize, n: usize) -> f64 {
        let left_out = left_out(m, n).unwrap();
        let (mut ways, mut held) = (0_u64, 0_u64);
        for way in 0..1_u64 << (m + n) {
            if way.count_ones() as usize != m {
                continue;
            }
            ways += 1;
            // Pairs in which the one side comes first.
            let firsts = (0..m + n).filter(|at| way >> at & 1 == 1);
            let pairs: usize =
                firsts.map(|at| (at..m + n).filter(|b| way >> b & 1 == 0).count()).sum();
            held += u64::from(pairs > left_out && m * n - pairs > left_out);
        }
        as_f64(held) / as_f64(ways)
    }

    #[test]
    fn the_interval_holds_the_ratio_often_enough() {
        for (m, n) in [(5, 5), (6, 6), (5, 8), (8, 8), (9, 9), (10, 10)] {
            let held = held(m, n);
            assert!((0.944..0.98).contains(&held), "{m} {n}: {held}");
        }
        assert_eq!((left_out(4, 10), left_out(10, 10)), (None, Some(23)));
    }

    #[test]
    fn a_strategy_that_takes_twice_as_long_is_slower() {
        let a = made(&[("append/fdatasync", 100_000), ("append/none", 900)]);
        let b = made(&[("append/fdatasync", 200_000), ("append/none", 905), ("append/fsync", 1)]);
        let (compared, alone) = compare(&a, &b);
        assert_eq!(compared[0].verdict, Verdict::Slower);
        let (low, high) = compared[0].interval.unwrap();
        assert!(low < 2.0 && 2.0 < high && high - low < 0.3, "{low} {high}");
        assert_eq!(compared[1].verdict, Verdict::NotToldApart);
        assert_eq!(alone, ["append/fsync of 4 KiB only in B"]);
    }

    #[test]
    fn few_rounds_make_no_interval() {
        let mut a = made(&[("append/fdatasync", 100_000)]);
        a.cases[0].figures.round_medians_ns.truncate(3);
        let (compared, _) = compare(&a, &a);
        assert_eq!((compared[0].verdict, compared[0].interval), (Verdict::TooFewRounds, None));
    }
}
