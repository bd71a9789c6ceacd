//! The latency budget: what each durable write may cost, read from `ci/latency-budget.toml`.
//!
//! Three kinds of limit. How often an operation waits for the disk is counted, so that it holds on
//! any machine. Its time as a multiple of the bare system calls' time is measured on both sides in the
//! same run. Its time alone counts only where the disk allows: where the bare calls, times the ratio
//! that is allowed, take longer themselves, the row says that nothing was measured.
//!
//! Not for measuring: that is `benches/latency`.
#![expect(clippy::disallowed_methods, reason = "the budget is no file of a store")]

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::pairs::{Medians, Pairs};

/// What all operations may cost.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct Budget {
    /// By the name of the operation.
    pub paths: BTreeMap<String, Allowed>,
}

/// What one operation may cost.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allowed {
    /// Microseconds at the median, if the bare calls take less.
    median_us: Option<u32>,
    /// Microseconds of all but one in a hundred, if the bare calls take less.
    p99_us: Option<u32>,
    /// The store's time as a multiple of the bare calls' time.
    ratio: f64,
    /// What the ratio was when this was last saved; only shown.
    baseline: f64,
    /// Calls of one operation; none where they depend on who else is there.
    pub calls: Option<Calls>,
}

/// How often an operation does what costs something on every disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Calls {
    /// Files opened or made.
    pub open: u32,
    /// Barriers of a file.
    pub fsync: u32,
    /// Barriers of a directory.
    pub fsync_dir: u32,
    /// Barriers of a file system.
    pub syncfs: u32,
    /// Renames of any kind.
    pub rename: u32,
}

impl fmt::Display for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { open, fsync, fsync_dir, syncfs, rename } = self;
        write!(f, "open = {open}, fsync = {fsync}, fsync_dir = {fsync_dir}, ")?;
        write!(f, "syncfs = {syncfs}, rename = {rename}")
    }
}

impl Budget {
    /// Where it stands.
    pub fn file() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../ci/latency-budget.toml")
    }

    /// Reads it.
    pub fn read() -> io::Result<Self> {
        let text = std::fs::read_to_string(Self::file())?;
        toml::from_str(&text).map_err(|e| io::Error::other(format!("ci/latency-budget.toml: {e}")))
    }
}

/// Writes measured ratios into the text of a budget as its baselines; all else stays as it is.
pub fn with_baselines(text: &str, ratios: &BTreeMap<String, f64>) -> String {
    let mut of = None;
    let renew = |line: &str| {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            of = ratios.get(name);
        }
        match of {
            Some(ratio) if line.starts_with("baseline =") => format!("baseline = {ratio:.2}\n"),
            _ => format!("{line}\n"),
        }
    };
    text.lines().map(renew).collect()
}

/// One figure beside its limit.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The operation.
    pub name: String,
    kind: &'static str,
    figure: String,
    limit: String,
    baseline: String,
    verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Within,
    Over,
    /// The bare calls, times the ratio that is allowed, take longer than the limit themselves.
    Disk,
}

impl Row {
    /// Whether the budget is exceeded.
    pub fn is_over(&self) -> bool {
        self.verdict == Verdict::Over
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, kind, figure, limit, baseline, verdict } = self;
        let verdict = match verdict {
            Verdict::Within => "ok",
            Verdict::Over => "OVER BUDGET",
            Verdict::Disk => "not measured: the bare calls leave no room for that on this disk",
        };
        write!(f, "{name:<16} {kind:<6} {figure:>12} {limit:>12} {baseline:>9}  {verdict}")
    }
}

impl Allowed {
    /// The rows of what was measured.
    pub fn rows(&self, name: &str, pairs: &Pairs) -> Vec<Row> {
        let Some(medians) = pairs.medians() else { return Vec::new() };
        let row = |kind, figure, limit, verdict| {
            let (name, baseline) = (name.to_owned(), String::new());
            Row { name, kind, figure, limit, baseline, verdict }
        };
        let time = |kind, [store, raw]: [Duration; 2], limit: Option<u32>| {
            let limit = Duration::from_micros(limit?.into());
            let bare = raw.mul_f64(self.ratio.max(1.0));
            Some(row(kind, micros(store), micros(limit), judge(store, bare, limit)))
        };
        let Medians { store, raw, ratio } = medians;
        let over = if ratio <= self.ratio { Verdict::Within } else { Verdict::Over };
        let relative = Row {
            baseline: format!("{:.2}", self.baseline),
            ..row("ratio", format!("{ratio:.2}"), format!("{:.2}", self.ratio), over)
        };
        let rows = [
            time("median", [store, raw], self.median_us),
            time("p99", pairs.p99(), self.p99_us),
            Some(relative),
        ];
        rows.into_iter().flatten().collect()
    }
}

fn judge(store: Duration, bare: Duration, limit: Duration) -> Verdict {
    match store <= limit {
        true => Verdict::Within,
        false if bare > limit => Verdict::Disk,
        false => Verdict::Over,
    }
}

fn micros(time: Duration) -> String {
    format!("{:.0} us", time.as_secs_f64() * 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOWED: Allowed = Allowed {
        median_us: Some(5000),
        p99_us: Some(10_000),
        ratio: 1.5,
        baseline: 1.1,
        calls: None,
    };

    fn rows(store: u64, raw: u64) -> Vec<Row> {
        let mut pairs = Pairs::default();
        for _ in 0..100 {
            pairs.add(Duration::from_micros(store), Duration::from_micros(raw));
        }
        ALLOWED.rows("put", &pairs)
    }

    fn over(store: u64, raw: u64) -> Vec<&'static str> {
        rows(store, raw).iter().filter(|row| row.is_over()).map(|row| row.kind).collect()
    }

    #[test]
    fn a_write_within_its_budget_is_ok() {
        assert_eq!(over(1000, 900), [""; 0]);
        assert_eq!(rows(1000, 900).len(), 3);
    }

    #[test]
    fn two_milliseconds_too_many_are_told_by_the_ratio() {
        assert_eq!(over(3000, 900), ["ratio"]);
        let told = rows(3000, 900)[2].to_string();
        assert_eq!(
            told,
            "put              ratio          3.33         1.50      1.10  OVER BUDGET"
        );
    }

    #[test]
    fn a_slow_disk_is_not_the_stores_fault() {
        assert_eq!(over(12_000, 11_000), [""; 0]);
        assert!(rows(12_000, 11_000)[0].to_string().contains("not measured"));
        // It may take 1.5 times as long: 10.5 ms.
        assert_eq!(over(10_400, 7000), ["median"; 0]);
        assert_eq!(over(12_000, 3000), ["median", "p99", "ratio"]);
    }

    #[test]
    fn the_budget_has_all_operations_and_no_other() {
        let budget = Budget::read().unwrap();
        let mut names = crate::world::Operation::ALL.map(crate::world::Operation::name);
        names.sort_unstable();
        assert!(budget.paths.keys().eq(names.iter()), "{:?}", budget.paths.keys());
    }

    #[test]
    fn saving_changes_the_baselines_that_were_measured_and_nothing_else() {
        let text = "# why\n[put]\nratio = 2\nbaseline = 1.00\n\n[text]\nbaseline = 1.00\n";
        let saved = with_baselines(text, &BTreeMap::from([("put".to_owned(), 1.234)]));
        assert_eq!(saved, text.replacen("1.00", "1.23", 1));
    }
}
