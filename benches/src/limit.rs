//! Limits, and the table that a bench ends with.
//!
//! The exit code is a failure when a limit is exceeded, so that CI needs to read nothing. What was
//! not measured is said to be so, and is no failure: a filter may have left it out.

use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

use crate::pairs::{Medians, Pairs};

/// How often a limit of [`Limit::best`] may be missed before it counts.
const ROUNDS: usize = 5;

/// What must not be exceeded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// The store's time, as a multiple of the bare system calls' time.
    Ratio(f64),
    /// The store's median.
    Median(Duration),
    /// None: it is only shown.
    Nothing,
}

impl Limit {
    /// Measures until the limit holds, on a machine that others use, too; the last round counts.
    pub fn best(self, mut round: impl FnMut() -> Pairs) -> Pairs {
        let mut pairs = round();
        for _ in 1..ROUNDS {
            if self.holds_for(&pairs) {
                break;
            }
            pairs = round();
        }
        pairs
    }

    /// Whether it is not exceeded, as far as enough was measured to say.
    pub fn holds_for(self, pairs: &Pairs) -> bool {
        pairs.medians().is_none_or(|medians| self.holds(&medians))
    }

    /// Whether it is not exceeded.
    fn holds(self, medians: &Medians) -> bool {
        match self {
            Self::Ratio(limit) => medians.ratio <= limit,
            Self::Median(limit) => medians.store <= limit,
            Self::Nothing => true,
        }
    }

    /// What a reader should know first about an exceeded limit.
    fn verdict(self, medians: &Medians) -> &'static str {
        match self {
            _ if self.holds(medians) => "ok",
            Self::Median(limit) if medians.raw > limit => {
                "EXCEEDED (the bare calls exceed it, too)"
            }
            _ => "EXCEEDED",
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ratio(limit) => write!(f, "ratio {limit:.2}"),
            Self::Median(limit) => write!(f, "median {limit:?}"),
            Self::Nothing => f.write_str("none"),
        }
    }
}

/// The end of a bench: one line for each comparison.
#[derive(Debug)]
pub struct Table {
    title: &'static str,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    name: String,
    medians: Option<Medians>,
    limit: Limit,
    rate: Option<Rate>,
}

/// How many of what the store's side gets through in one run of it.
#[derive(Clone, Copy, Debug)]
struct Rate {
    count: u32,
    what: &'static str,
}

impl Table {
    /// An empty table; `title` stands above the names.
    pub fn new(title: &'static str) -> Self {
        Self { title, rows: Vec::new() }
    }

    /// Adds a comparison, unless nothing of it ran.
    pub fn add(&mut self, name: &str, pairs: &Pairs, limit: Limit) {
        self.push(name, pairs, limit, None);
    }

    /// As [`Self::add`], and says how many a second that is: a run of the store's side gets through `count`
    /// of `what`.
    pub fn add_rate(
        &mut self,
        name: &str,
        pairs: &Pairs,
        limit: Limit,
        (count, what): (u32, &'static str),
    ) {
        self.push(name, pairs, limit, Some(Rate { count, what }));
    }

    fn push(&mut self, name: &str, pairs: &Pairs, limit: Limit, rate: Option<Rate>) {
        if !pairs.is_empty() {
            self.rows.push(Row { name: name.to_owned(), medians: pairs.medians(), limit, rate });
        }
    }

    /// Prints the table; a failure when a limit is exceeded.
    pub fn finish(self) -> ExitCode {
        if !self.rows.is_empty() {
            print!("\n{self}");
        }
        if self.rows.iter().any(Row::exceeds) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heads = [self.title, "store median", "raw median", "ratio", "rate", "limit"];
        let [title, store, raw, ratio, rate, limit] = heads;
        writeln!(f, "{title:<12} {store:>13} {raw:>13} {ratio:>6} {rate:>18}  {limit}")?;
        self.rows.iter().try_for_each(|row| writeln!(f, "{row}"))
    }
}

impl Row {
    fn exceeds(&self) -> bool {
        self.medians.is_some_and(|medians| !self.limit.holds(&medians))
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, medians, limit, rate } = self;
        let Some(medians) = medians else {
            return write!(f, "{name:<12} too few samples to say");
        };
        let [store, raw] = [medians.store, medians.raw].map(|time| time.as_secs_f64() * 1e6);
        let verdict = limit.verdict(medians);
        let ratio = medians.ratio;
        let rate = rate.map_or_else(String::new, |rate| rate.text(medians.store));
        write!(f, "{name:<12} {store:>10.1} us {raw:>10.1} us {ratio:>6.2} {rate:>18}  ")?;
        write!(f, "{limit}  {verdict}")
    }
}

impl Rate {
    fn text(self, time: Duration) -> String {
        let Self { count, what } = self;
        format!("{:.0} {what}/s", f64::from(count) / time.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn medians(store: u64, raw: u64) -> Medians {
        let ratio = Duration::from_micros(store).div_duration_f64(Duration::from_micros(raw));
        let [store, raw] = [store, raw].map(Duration::from_micros);
        Medians { store, raw, ratio }
    }

    fn table(medians: Option<Medians>) -> Table {
        let (name, limit) = ("disk".to_owned(), Limit::Ratio(1.25));
        let rate = Some(Rate { count: 13, what: "states" });
        let row = Row { name, medians, limit, rate };
        Table { title: "place", rows: vec![row] }
    }

    #[test]
    fn a_limit_includes_its_value() {
        assert!(Limit::Ratio(1.25).holds(&medians(125, 100)));
        assert!(!Limit::Ratio(1.25).holds(&medians(126, 100)));
        assert!(Limit::Median(Duration::from_millis(5)).holds(&medians(5000, 1)));
        assert!(!Limit::Median(Duration::from_millis(5)).holds(&medians(5001, 1)));
    }

    #[test]
    fn a_slow_disk_is_told_from_a_slow_store() {
        let limit = Limit::Median(Duration::from_millis(5));
        assert_eq!(limit.verdict(&medians(6000, 4000)), "EXCEEDED");
        let slow = limit.verdict(&medians(6000, 5500));
        assert_eq!(slow, "EXCEEDED (the bare calls exceed it, too)");
    }

    #[test]
    fn the_table_says_what_was_measured_and_what_was_exceeded() {
        let expected = "\
place         store median    raw median  ratio               rate  limit
disk              130.0 us      100.0 us   1.30    100000 states/s  ratio 1.25  EXCEEDED
";
        let exceeded = table(Some(medians(130, 100)));
        assert_eq!(exceeded.to_string(), expected);
        assert_eq!(exceeded.finish(), ExitCode::FAILURE);
        assert_eq!(table(Some(medians(110, 100))).finish(), ExitCode::SUCCESS);
    }

    #[test]
    fn what_was_not_measured_is_no_failure() {
        let unknown = table(None);
        assert!(unknown.to_string().contains("too few samples"));
        assert_eq!(unknown.finish(), ExitCode::SUCCESS);
        let mut filtered = Table::new("place");
        filtered.add("disk", &Pairs::default(), Limit::Ratio(1.0));
        assert!(filtered.rows.is_empty());
    }
}
