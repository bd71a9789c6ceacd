//! Numbers as people read them: times, sizes, rates.
//!
//! Not for machines, which get nanoseconds and bytes.

use super::figures::as_f64;

/// A time with three digits.
pub fn time(ns: u64) -> String {
    time_of(as_f64(ns))
}

/// The same of a part of a run.
pub fn time_of(ns: f64) -> String {
    const UNITS: [(f64, &str); 4] = [(1e9, "s"), (1e6, "ms"), (1e3, "us"), (1.0, "ns")];
    let unit = UNITS.into_iter().find(|(unit, _)| ns >= 0.9995 * unit);
    let (unit, name) = unit.unwrap_or((1.0, "ns"));
    format!("{} {name}", three_digits(ns / unit))
}

/// A power of ten, as a scale has it.
pub fn mark(ns: u64) -> String {
    time(ns).replace(".00 ", " ").replace(".0 ", " ")
}

/// Bytes in units of 1024, as people choose them.
pub fn size(bytes: usize) -> String {
    match bytes {
        n if n >= 1 << 20 && n % (1 << 20) == 0 => format!("{} MiB", n >> 20),
        n if n >= 1 << 10 && n % (1 << 10) == 0 => format!("{} KiB", n >> 10),
        n => format!("{n} B"),
    }
}

/// So many in a second.
pub fn rate(per_second: f64) -> String {
    scaled(per_second, 1000.0, ["", "k", "M"])
}

/// So many bytes in a second.
pub fn bandwidth(per_second: f64) -> String {
    let text = scaled(per_second, 1000.0, [" B", " kB", " MB"]);
    format!("{text}/s")
}

fn scaled(mut number: f64, step: f64, units: [&str; 3]) -> String {
    let mut units = units.into_iter();
    let mut unit = units.next().unwrap_or_default();
    for larger in units {
        if number >= 0.9995 * step {
            number /= step;
            unit = larger;
        }
    }
    format!("{}{unit}", three_digits(number))
}

fn three_digits(number: f64) -> String {
    match number {
        n if n < 9.995 => format!("{n:.2}"),
        n if n < 99.95 => format!("{n:.1}"),
        n => format!("{n:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_and_a_unit() {
        let times = [1, 999, 1_000, 123_456, 999_600, 12_345_678, 2_000_000_000].map(time);
        assert_eq!(
            times,
            ["1.00 ns", "999 ns", "1.00 us", "123 us", "1.00 ms", "12.3 ms", "2.00 s"]
        );
        assert_eq!(
            [512, 4096, 65_536, 1 << 20, 1000].map(size),
            ["512 B", "4 KiB", "64 KiB", "1 MiB", "1000 B"]
        );
        assert_eq!([0.5, 12.0, 4_321.0, 2.5e6].map(rate), ["0.50", "12.0", "4.32k", "2.50M"]);
        assert_eq!([1_000, 10_000, 100_000].map(mark), ["1 us", "10 us", "100 us"]);
        assert_eq!(bandwidth(2.5e6), "2.50 MB/s");
        assert_eq!(bandwidth(3.2e9), "3200 MB/s");
    }
}
