//! The plot for a terminal: a line for each strategy, the time to the right on a scale of powers of ten, darker
//! where more runs are.
//!
//! Not for exact figures, which the table has.

use std::io::{self, Write};

use super::figures::{Summary, as_f64};
use super::result::Bench;
use super::words::{mark, size};

/// Columns of the scale.
const WIDTH: usize = 64;

/// From few runs to many.
const SHADES: [char; 7] = ['.', ':', '-', '=', '+', '*', '#'];

/// What a plot spans, as powers of ten of a nanosecond.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    /// Whole powers of ten around all runs.
    pub(crate) fn around<'f>(all: impl Iterator<Item = &'f Summary>) -> Option<Self> {
        let runs = all.flat_map(|figures| figures.distribution.iter().map(|(ns, _)| *ns));
        let (mut least, mut most) = (u64::MAX, 0);
        for ns in runs {
            least = least.min(ns);
            most = most.max(ns);
        }
        let low = as_f64(least.max(1)).log10().floor();
        (least <= most).then(|| Self { low, high: as_f64(most).log10().ceil().max(low + 1.0) })
    }

    /// Where a time is, from 0 to 1.
    pub(super) fn place(self, ns: u64) -> f64 {
        ((as_f64(ns.max(1)).log10() - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    /// The powers of ten in it.
    pub(super) fn marks(self) -> Vec<u64> {
        let powers = (0..20).map(|power| 10_u64.saturating_pow(power));
        let within = |ns: &u64| {
            let power = as_f64(*ns).log10();
            self.low - 0.01 <= power && power <= self.high + 0.01
        };
        powers.filter(within).collect()
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the width")]
    fn column(self, ns: u64) -> usize {
        let column = self.place(ns) * as_f64(WIDTH as u64 - 1);
        column.round() as usize
    }
}

/// The plot for the size that is shown where there is room for one.
pub fn write(out: &mut impl Write, bench: &Bench) -> io::Result<()> {
    let Some(shown) = bench.shown_size() else { return Ok(()) };
    let cases: Vec<_> = bench.cases.iter().filter(|case| case.size == shown).collect();
    let Some(scale) = Scale::around(cases.iter().map(|case| &case.figures)) else { return Ok(()) };
    writeln!(out, "\n{}: how long the runs take; | is the median, # where most are", size(shown))?;
    writeln!(out, "{:26} {}", "", axis(scale))?;
    cases
        .iter()
        .try_for_each(|case| writeln!(out, "{:<26} {}", case.strategy, line(scale, &case.figures)))
}

/// The powers of ten above the lines.
pub(crate) fn axis(scale: Scale) -> String {
    let mut axis = String::new();
    for ns in scale.marks() {
        let column = scale.column(ns);
        let label = mark(ns);
        if column < axis.len() + usize::from(!axis.is_empty()) {
            continue;
        }
        axis.push_str(&" ".repeat(column - axis.len()));
        axis.push_str(&label);
    }
    axis
}

/// How many took how long, on this scale.
pub(crate) fn line(scale: Scale, figures: &Summary) -> String {
    let mut counts = [0_u64; WIDTH];
    for &(ns, count) in &figures.distribution {
        if let Some(column) = counts.get_mut(scale.column(ns)) {
            *column += count;
        }
    }
    let most = counts.iter().copied().max().unwrap_or(1).max(1);
    let mut line: Vec<char> = counts.iter().map(|&count| shade(count, most)).collect();
    if let Some(median) = line.get_mut(scale.column(figures.p50_ns)) {
        *median = '|';
    }
    line.into_iter().collect::<String>().trim_end().to_owned()
}

/// By the square root: the few that take long are to be seen.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index of seven")]
fn shade(count: u64, most: u64) -> char {
    if count == 0 {
        return ' ';
    }
    let part = (as_f64(count) / as_f64(most)).sqrt() * as_f64(SHADES.len() as u64 - 1);
    SHADES.get(part.round() as usize).copied().unwrap_or('#')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::result::tests::made;

    #[test]
    fn a_plot_has_a_scale_and_a_line_for_each_strategy() {
        let bench = made(&[("append/none", 1_000), ("append/fdatasync", 100_000)]);
        let mut out = Vec::new();
        write(&mut out, &bench).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 5, "{text}");
        assert!(lines[2].contains("1 us") && lines[2].ends_with("1 ms"), "{text}");
        let median = |line: &str| line.find('|').unwrap();
        assert!(median(lines[3]) < median(lines[4]), "{text}");
    }

    #[test]
    fn a_scale_spans_whole_powers_of_ten() {
        let bench = made(&[("append/none", 1_500)]);
        let scale = Scale::around(bench.cases.iter().map(|case| &case.figures)).unwrap();
        assert_eq!(scale.marks(), [1_000, 10_000]);
        assert_eq!((scale.column(1_000), scale.column(10_000), scale.column(99_999)), (0, 63, 63));
        assert_eq!(Scale::around(std::iter::empty()), None);
    }
}
