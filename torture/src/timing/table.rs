//! Where the time of many operations went, as people and machines read it. Not for measuring.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Value, json};

use super::{Spent, Times};
use crate::bench::figures::{Figures, Summary, as_f64};
use crate::bench::plot::{Scale, axis, line};
use crate::bench::words::time;

/// What so many operations took.
#[derive(Debug, Default)]
pub struct Timing {
    operations: u64,
    calls: BTreeMap<Spent, Row>,
    whole: Row,
}

#[derive(Debug, Default)]
struct Row {
    figures: Figures,
    total: u64,
}

impl Row {
    fn add(&mut self, runs: &[u64]) {
        self.figures.record(runs);
        self.total = runs.iter().fold(self.total, |sum, run| sum.saturating_add(*run));
    }

    fn summary(&self) -> Summary {
        self.figures.summary(1, 0)
    }
}

impl Timing {
    /// Takes in one operation.
    pub fn add(&mut self, times: &Times) {
        self.operations += 1;
        for (spent, runs) in &times.calls {
            self.calls.entry(*spent).or_default().add(runs);
        }
        self.whole.add(&[times.whole]);
    }

    /// Whether nothing was timed.
    pub fn is_empty(&self) -> bool {
        self.operations == 0
    }

    /// The sum of all calls, which may be more than the whole where threads wait side by side.
    fn in_calls(&self) -> u64 {
        self.calls.values().fold(0, |sum, row| sum.saturating_add(row.total))
    }

    fn rows(&self) -> impl Iterator<Item = (Spent, &Row)> {
        Spent::ALL.into_iter().filter_map(|spent| Some((spent, self.calls.get(&spent)?)))
    }

    /// A table, and below it a histogram of each step; `what` names the operations.
    pub fn write(&self, out: &mut dyn Write, what: &str) -> io::Result<()> {
        let share = |ns: u64| 100.0 * as_f64(ns) / as_f64(self.whole.total.max(1));
        writeln!(out, "where the time of {what} goes; calls of several threads are added up\n")?;
        let heads = ["calls", "p50", "p90", "p99", "max", "total", "share"];
        let [calls, p50, p90, p99, max, total, part] = heads;
        writeln!(
            out,
            "  {:<10} {calls:>9} {p50:>9} {p90:>9} {p99:>9} {max:>9} {total:>9} {part:>6}",
            ""
        )?;
        let whole = ("whole", &self.whole);
        let rows = self.rows().map(|(spent, row)| (spent.name(), row)).chain([whole]);
        for (name, row) in rows {
            let Summary { runs, p50_ns, p90_ns, p99_ns, max_ns, .. } = row.summary();
            let p99 = p99_ns.map_or_else(|| "-".to_owned(), time);
            let [p50, p90, max, total] = [p50_ns, p90_ns, max_ns, row.total].map(time);
            let part = share(row.total);
            writeln!(
                out,
                "  {name:<10} {runs:>9} {p50:>9} {p90:>9} {p99:>9} {max:>9} {total:>9} {part:>5.1}%"
            )?;
        }
        let rest = self.whole.total.saturating_sub(self.in_calls());
        let (rest, part) = (time(rest), share(rest));
        writeln!(out, "  {:<10} {:>49} {rest:>9} {part:>5.1}%", "the rest", "")?;
        self.write_histograms(out)
    }

    fn write_histograms(&self, out: &mut dyn Write) -> io::Result<()> {
        let summaries: Vec<_> =
            self.rows().map(|(spent, row)| (spent.name(), row.summary())).collect();
        let all = summaries.iter().map(|(_, summary)| summary);
        let Some(scale) = Scale::around(all) else { return Ok(()) };
        writeln!(out, "\n  how long the calls take; | is the median, # where most are")?;
        writeln!(out, "  {:10} {}", "", axis(scale))?;
        let mut line = |name: &str, row| writeln!(out, "  {name:<10} {}", line(scale, row));
        summaries.iter().try_for_each(|(name, summary)| line(name, summary))
    }

    /// The same for machines.
    pub fn json(&self) -> Value {
        let row = |row: &Row| {
            let Summary { runs, p50_ns, p90_ns, p99_ns, max_ns, distribution, .. } = row.summary();
            json!({
                "calls": runs, "total_ns": row.total, "p50_ns": p50_ns, "p90_ns": p90_ns,
                "p99_ns": p99_ns, "max_ns": max_ns, "distribution": distribution,
            })
        };
        let calls: BTreeMap<_, _> = self.rows().map(|(spent, of)| (spent, row(of))).collect();
        json!({ "operations": self.operations, "calls": calls, "whole": row(&self.whole) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_those_of_the_whole_and_the_rest_is_the_stores_own() {
        let mut timing = Timing::default();
        assert!(timing.is_empty());
        for _ in 0..2 {
            let calls = [(Spent::Fsync, vec![400_000, 200_000]), (Spent::Open, vec![100_000])];
            timing.add(&Times { calls: calls.into(), whole: 1_000_000 });
        }
        let mut out = Vec::new();
        timing.write(&mut out, "2 commits").unwrap();
        let text = String::from_utf8(out).unwrap();
        let of =
            |name: &str| text.lines().find(|line| line.trim_start().starts_with(name)).unwrap();
        assert!(of("fsync").ends_with("1.20 ms  60.0%"), "{text}");
        assert!(of("open").ends_with("200 us  10.0%"), "{text}");
        assert!(of("the rest").ends_with("600 us  30.0%"), "{text}");
        assert!(of("whole").ends_with("2.00 ms 100.0%"), "{text}");
        let json = timing.json();
        assert_eq!((&json["operations"], &json["calls"]["fsync"]["calls"]), (&json!(2), &json!(4)));
    }

    #[test]
    fn threads_may_wait_longer_than_the_clock() {
        let mut timing = Timing::default();
        timing.add(&Times { calls: [(Spent::Fsync, vec![900; 2])].into(), whole: 1000 });
        let mut out = Vec::new();
        timing.write(&mut out, "a group").unwrap();
        assert!(String::from_utf8(out).unwrap().contains("180.0%"));
    }
}
