//! The result of a bench, as it is kept in a file: JSON with a version (docs/formats.md, "Benches").
//!
//! All reports are made from it, so one that was kept can be shown and compared later. Not for how it is
//! measured (`rounds`).

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::figures::{Summary, as_f64};
use super::gives::Gives;
use super::machine::Machine;
use super::plausible::Warning;
use crate::exit::Failure;

/// Version of the form.
pub const VERSION: u32 = 1;

/// The word that tells such a file from others.
const EVENT: &str = "bench";

/// All that was measured in one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bench {
    /// Always `bench`.
    pub event: String,
    /// Version of this form.
    pub version: u32,
    /// Version of plugpull.
    pub plugpull: String,
    /// What was measured.
    pub machine: Machine,
    /// Time that was to be spent, in milliseconds.
    pub budget_ms: u64,
    /// Rounds in which every strategy had its turn.
    pub rounds: u32,
    /// Items of a batch.
    pub batch: u32,
    /// Threads of a group.
    pub threads: u32,
    /// Why it ended early, if it did.
    pub ended: Option<String>,
    /// One for each strategy and size.
    pub cases: Vec<Case>,
    /// What could not be measured here.
    pub not_there: Vec<NotThere>,
    /// What makes the figures doubtful.
    pub warnings: Vec<Warning>,
}

/// What one strategy costs at one size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// Name of the strategy.
    pub strategy: String,
    /// The calls that it makes.
    pub calls: String,
    /// Bytes of one item.
    pub size: usize,
    /// Items that one run makes durable.
    pub items: u32,
    /// Items that must be under way at once: those of a run, or the threads of a group.
    pub together: u32,
    /// What it gives.
    pub gives: Gives,
    /// What it costs.
    #[serde(flatten)]
    pub figures: Summary,
}

impl Case {
    /// What one item costs where so many are under way, in nanoseconds, at the median.
    pub fn item_ns(&self) -> f64 {
        as_f64(self.figures.p50_ns) / f64::from(self.together.max(1))
    }

    /// The same for the ends of the interval of the median.
    pub fn item_interval_ns(&self) -> Option<(f64, f64)> {
        let share = |ns| as_f64(ns) / f64::from(self.together.max(1));
        self.figures.median_interval_ns.map(|(low, high)| (share(low), share(high)))
    }
}

/// A strategy that this machine does not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotThere {
    /// Name of the strategy.
    pub strategy: String,
    /// Bytes of one item.
    pub size: usize,
    /// What the system answered.
    pub why: String,
}

impl Bench {
    /// The word in `event`.
    pub fn event() -> String {
        EVENT.to_owned()
    }

    /// Reads one that was kept.
    #[expect(clippy::disallowed_methods, reason = "a file of the user's, which no store is over")]
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let name = path.display();
        let text = std::fs::read_to_string(path).map_err(|e| {
            Failure::Usage(format!(
                "cannot read {name}: {e}; `plugpull bench --json FILE` makes such a file"
            ))
        })?;
        Self::parse(&text).map_err(|why| Failure::Usage(format!("{name}: {why}")))
    }

    fn parse(text: &str) -> Result<Self, String> {
        const REMEDY: &str = "make one with `plugpull bench --json FILE`";
        let value: serde_json::Value = serde_json::from_str(text)
            .map_err(|e| format!("no result of a bench ({e}); {REMEDY}"))?;
        if value["event"] != EVENT {
            return Err(format!("no result of a bench; {REMEDY}"));
        }
        match value["version"].as_u64() {
            Some(version) if version == u64::from(VERSION) => {}
            _ => {
                let version = &value["version"];
                return Err(format!(
                    "has version {version}, and this plugpull knows {VERSION}; {REMEDY}"
                ));
            }
        }
        serde_json::from_value(value).map_err(|e| format!("is damaged ({e}); {REMEDY}"))
    }

    /// The sizes that there are, small ones first.
    pub fn sizes(&self) -> Vec<usize> {
        let mut sizes: Vec<_> = self.cases.iter().map(|case| case.size).collect();
        sizes.sort_unstable();
        sizes.dedup();
        sizes
    }

    /// The case of a strategy at a size.
    pub fn case(&self, strategy: &str, size: usize) -> Option<&Case> {
        self.cases.iter().find(|case| case.strategy == strategy && case.size == size)
    }

    /// The size to show where there is room for one: 4 KiB, or the first.
    pub fn shown_size(&self) -> Option<usize> {
        let sizes = self.sizes();
        sizes.iter().copied().find(|size| *size == 4096).or(sizes.first().copied())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::bench::strategies;

    /// A result in which each of these strategies took so many nanoseconds at 4 KiB.
    pub(in crate::bench) fn made(cases: &[(&str, u64)]) -> Bench {
        let case = |(name, ns): &(&str, u64)| {
            let known = strategies::named(name).unwrap();
            let together = if name.starts_with("batch/") { 16 } else { 1 };
            Case {
                strategy: (*name).to_owned(),
                calls: known.calls.to_owned(),
                size: 4096,
                items: together,
                together,
                gives: known.gives,
                figures: Summary {
                    runs: 100,
                    p50_ns: *ns,
                    p90_ns: 2 * ns,
                    p99_ns: Some(3 * ns),
                    p999_ns: None,
                    max_ns: 4 * ns,
                    median_interval_ns: Some((ns - ns / 10, ns + ns / 10)),
                    round_medians_ns: (0..10).map(|n| ns - ns / 20 + n * ns / 100).collect(),
                    items_per_second: 1e9 / as_f64(*ns),
                    bytes_per_second: 4096e9 / as_f64(*ns),
                    distribution: vec![(*ns, 50), (2 * ns, 40), (4 * ns, 10)],
                },
            }
        };
        Bench {
            event: Bench::event(),
            version: VERSION,
            plugpull: "0.1.0".to_owned(),
            machine: Machine::default(),
            budget_ms: 1000,
            rounds: 10,
            batch: 16,
            threads: 4,
            ended: None,
            cases: cases.iter().map(case).collect(),
            not_there: Vec::new(),
            warnings: Vec::new(),
        }
    }

    #[test]
    fn what_is_kept_is_read_again() {
        let bench = made(&[("append/fdatasync", 100_000), ("batch/syncfs", 900_000)]);
        let text = serde_json::to_string(&bench).unwrap();
        assert_eq!(Bench::parse(&text).unwrap(), bench);
        assert_eq!((bench.sizes(), bench.shown_size()), (vec![4096], Some(4096)));
    }

    #[test]
    fn other_files_are_refused_with_the_remedy() {
        let newer = r#"{"event":"bench","version":2}"#;
        let damaged = r#"{"event":"bench","version":1}"#;
        for (text, told) in [
            ("", "no result"),
            ("{}", "no result"),
            (newer, "has version 2"),
            (damaged, "is damaged"),
        ] {
            let why = Bench::parse(text).unwrap_err();
            assert!(why.contains(told) && why.contains("--json"), "{why}");
        }
    }
}
