//! The cheapest strategy that gives what a user needs, from the figures of this disk.
//!
//! A strategy that shares its barrier among items counts only where so many items are under way at once, and then
//! by what one of them costs. Not for what an application does with it: a log is read otherwise than files are.

use std::str::FromStr;

use serde::Serialize;

use super::gives::Need;
use super::result::{Bench, Case};

/// What a user asks for: `power-cut,atomic,group=16`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// What the strategy must give.
    pub needs: Vec<Need>,
    /// How many items are under way at once.
    pub group: Option<u32>,
}

impl FromStr for Asked {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut asked = Self::default();
        for word in text.split(',').map(str::trim) {
            if let Some(number) = word.strip_prefix("group=") {
                let group = number.parse().ok().filter(|n| *n > 0);
                asked.group = Some(group.ok_or_else(|| format!("{word}: say how many, group=16"))?);
                continue;
            }
            let known = Need::ALL.iter().find(|(name, _)| *name == word);
            let (_, need) = known.ok_or_else(|| {
                format!("no need {word:?}; there are kill, power-cut, old-or-new, atomic, group=N")
            })?;
            asked.needs.push(*need);
        }
        Ok(asked)
    }
}

/// What is advised for one size.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Advice {
    /// Bytes of one item.
    pub size: usize,
    /// All that is enough, the cheapest first.
    pub enough: Vec<Priced>,
}

/// A strategy that is enough, with its price.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Priced {
    /// Name of the strategy.
    pub strategy: String,
    /// Its calls.
    pub calls: String,
    /// What one item costs, in nanoseconds at the median.
    pub item_ns: f64,
    /// Where that is in 95 of 100 cases.
    pub interval_ns: Option<(f64, f64)>,
    /// Items that must be under way at once.
    pub together: u32,
    /// Whether its interval meets that of the cheapest, so that the order says nothing.
    pub as_cheap: bool,
}

/// The advice for each size.
pub fn advise(bench: &Bench, asked: &Asked) -> Vec<Advice> {
    let at = |size| Advice { size, enough: enough(bench, asked, size) };
    bench.sizes().into_iter().map(at).collect()
}

fn enough(bench: &Bench, asked: &Asked, size: usize) -> Vec<Priced> {
    let group = asked.group.unwrap_or(1);
    let is_enough = |case: &&Case| {
        case.size == size
            && case.together <= group
            && asked.needs.iter().all(|need| need.is_met_by(case.gives))
    };
    let mut priced: Vec<_> = bench.cases.iter().filter(is_enough).map(price).collect();
    priced.sort_by(|a, b| a.item_ns.total_cmp(&b.item_ns));
    let cheapest = priced.first().map(|cheapest| cheapest.interval_ns);
    for (n, other) in priced.iter_mut().enumerate() {
        other.as_cheap =
            n == 0 || cheapest.is_some_and(|interval| meet(interval, other.interval_ns));
    }
    priced
}

fn price(case: &Case) -> Priced {
    Priced {
        strategy: case.strategy.clone(),
        calls: case.calls.clone(),
        item_ns: case.item_ns(),
        interval_ns: case.item_interval_ns(),
        together: case.together,
        as_cheap: false,
    }
}

/// Whether two intervals meet; where one is not known they may.
fn meet(a: Option<(f64, f64)>, b: Option<(f64, f64)>) -> bool {
    match (a, b) {
        (Some((a_low, a_high)), Some((b_low, b_high))) => a_low <= b_high && b_low <= a_high,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::result::tests::made;

    fn cheapest(asked: &str) -> Option<String> {
        let bench = made(&[
            ("overwrite/none", 1_000),
            ("overwrite/sync_file_range", 50_000),
            ("overwrite/fdatasync", 100_000),
            ("append/fdatasync", 200_000),
            ("new-file/fsync", 80_000),
            ("new-file/fsync+dirsync", 250_000),
            ("replace/none", 20_000),
            ("replace/fsync", 150_000),
            ("replace/fsync+dirsync", 300_000),
            ("batch/syncfs", 800_000),
        ]);
        let advice = advise(&bench, &asked.parse().unwrap());
        advice[0].enough.first().map(|priced| priced.strategy.clone())
    }

    #[test]
    fn the_cheapest_that_is_enough_is_advised() {
        for (asked, advised) in [
            ("kill", "overwrite/none"),
            ("power-cut", "overwrite/fdatasync"),
            ("atomic", "replace/none"),
            ("old-or-new", "replace/fsync"),
            ("power-cut,atomic", "replace/fsync+dirsync"),
            ("kill, atomic", "replace/none"),
            // 800 us for sixteen files are 50 us for one.
            ("power-cut,atomic,group=16", "batch/syncfs"),
            ("power-cut,group=16", "batch/syncfs"),
            ("power-cut,atomic,group=15", "replace/fsync+dirsync"),
        ] {
            assert_eq!(cheapest(asked).as_deref(), Some(advised), "{asked}");
        }
    }

    #[test]
    fn what_was_not_measured_is_not_advised() {
        let bench = made(&[("append/none", 1_000)]);
        let advice = advise(&bench, &"power-cut".parse().unwrap());
        assert_eq!(advice[0].enough, []);
    }

    #[test]
    fn strategies_whose_intervals_meet_are_as_cheap() {
        let bench = made(&[
            ("append/fdatasync", 100_000),
            ("append/fsync", 110_000),
            ("append/o_dsync", 200_000),
        ]);
        let advice = advise(&bench, &"power-cut".parse().unwrap());
        let as_cheap: Vec<_> = advice[0].enough.iter().map(|priced| priced.as_cheap).collect();
        assert_eq!(as_cheap, [true, true, false]);
    }

    #[test]
    fn needs_that_are_none_are_refused() {
        for (text, told) in [("durable", "power-cut"), ("group=0", "group=16"), ("", "kill")] {
            let why = text.parse::<Asked>().unwrap_err();
            assert!(why.contains(told), "{why}");
        }
    }
}
