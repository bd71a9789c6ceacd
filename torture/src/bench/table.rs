//! What people read in a terminal: the machine, a table, a plot, warnings, advice, a comparison.
//!
//! Not for the page (`page`), nor for machines.

use std::io::{self, Write};

use super::advise::{Advice, Asked};
use super::compare::Compared;
use super::gives::LETTERS;
use super::plot;
use super::result::{Bench, Case};
use super::words::{bandwidth, rate, size, time, time_of};

/// Most strategies that an advice lists.
const LISTED: usize = 5;

/// All of a result.
pub fn bench(out: &mut impl Write, bench: &Bench) -> io::Result<()> {
    for (about, what) in bench.machine.lines() {
        writeln!(out, "{about:<12} {what}")?;
    }
    for at in bench.sizes() {
        writeln!(out)?;
        table(out, bench, at)?;
    }
    if !bench.cases.is_empty() {
        writeln!(out, "\n{LETTERS}")?;
        plot::write(out, bench)?;
    }
    not_there(out, bench)?;
    if let Some(why) = &bench.ended {
        writeln!(out, "\nPARTIAL: {why}; what stands above is of {} rounds", bench.rounds)?;
    }
    warnings(out, bench)
}

fn table(out: &mut impl Write, bench: &Bench, at: usize) -> io::Result<()> {
    let title = size(at);
    writeln!(
        out,
        "{title:<28} gives {:>8} {:>19} {:>8} {:>8} {:>8} {:>8} {:>8} {:>10}",
        "p50", "95% interval", "p90", "p99", "p99.9", "max", "items/s", "bytes/s"
    )?;
    bench.cases.iter().filter(|case| case.size == at).try_for_each(|case| row(out, case))
}

fn row(out: &mut impl Write, case: &Case) -> io::Result<()> {
    let name = name(case);
    let [gives, p50, interval, p90, p99, p999, max, items, bytes] = cells(case);
    writeln!(
        out,
        "  {name:<26} {gives:<5} {p50:>8} {interval:>19} {p90:>8} {p99:>8} {p999:>8} {max:>8} \
         {items:>8} {bytes:>10}"
    )
}

/// What it gives, and its figures as the heads of the tables have them.
pub(super) fn cells(case: &Case) -> [String; 9] {
    let figures = &case.figures;
    let maybe = |ns: Option<u64>| ns.map_or_else(|| "-".to_owned(), time);
    let interval = figures.median_interval_ns;
    [
        case.gives.letters(),
        time(figures.p50_ns),
        interval.map_or_else(|| "-".to_owned(), |(a, b)| between(a, b)),
        time(figures.p90_ns),
        maybe(figures.p99_ns),
        maybe(figures.p999_ns),
        time(figures.max_ns),
        rate(figures.items_per_second),
        bandwidth(figures.bytes_per_second),
    ]
}

fn between(low: u64, high: u64) -> String {
    format!("{}..{}", time(low), time(high))
}

/// The name, with how many items it takes.
pub(super) fn name(case: &Case) -> String {
    match (case.items, case.together) {
        (1, 1) => case.strategy.clone(),
        (1, threads) => format!("{} {threads} threads", case.strategy),
        (items, _) => format!("{} of {items}", case.strategy),
    }
}

fn not_there(out: &mut impl Write, bench: &Bench) -> io::Result<()> {
    let mut lines: Vec<String> = Vec::new();
    for missing in &bench.not_there {
        let line = format!("not there: {}: {}", missing.strategy, missing.why);
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    if !lines.is_empty() {
        writeln!(out)?;
    }
    lines.iter().try_for_each(|line| writeln!(out, "{line}"))
}

fn warnings(out: &mut impl Write, bench: &Bench) -> io::Result<()> {
    if !bench.warnings.is_empty() {
        writeln!(out)?;
    }
    bench.warnings.iter().try_for_each(|warning| writeln!(out, "WARNING: {}", warning.text))
}

/// The advice for what was asked.
pub fn advice(out: &mut impl Write, asked: &Asked, advice: &[Advice]) -> io::Result<()> {
    let group = asked.group.map_or_else(|| "one at a time".to_owned(), |n| format!("{n} at once"));
    for Advice { size: at, enough } in advice {
        let Some(best) = enough.first() else {
            let why = "no strategy that was measured gives that; leave --only out, or raise group=";
            writeln!(out, "\nadvice for {}, {group}: {why}", size(*at))?;
            continue;
        };
        let price = time_of(best.item_ns);
        writeln!(
            out,
            "\nadvice for {}, {group}: {} ({}), {price} an item",
            size(*at),
            best.strategy,
            best.calls
        )?;
        for other in enough.iter().skip(1).take(LISTED) {
            let told = if other.as_cheap { "not told apart" } else { "costs more" };
            writeln!(
                out,
                "  {:<26} {:>8} an item, {told}",
                other.strategy,
                time_of(other.item_ns)
            )?;
        }
    }
    Ok(())
}

/// A comparison of two results.
pub fn compared(out: &mut impl Write, compared: &[Compared], alone: &[String]) -> io::Result<()> {
    writeln!(
        out,
        "{:<26} {:>8} {:>9} {:>9} {:>7} {:>15}",
        "strategy", "size", "A p50", "B p50", "B by A", "95% interval"
    )?;
    for pair in compared {
        let interval = pair.interval;
        let interval =
            interval.map_or("-".to_owned(), |(low, high)| format!("{low:.2}..{high:.2}"));
        writeln!(
            out,
            "{:<26} {:>8} {:>9} {:>9} {:>7.2} {:>15}  {}",
            pair.strategy,
            size(pair.size),
            time(pair.a_ns),
            time(pair.b_ns),
            pair.ratio,
            interval,
            pair.verdict.words()
        )?;
    }
    alone.iter().try_for_each(|line| writeln!(out, "{line}"))?;
    writeln!(
        out,
        "The intervals know how the rounds of each run differ, not what else changed between the two runs."
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::advise::advise;
    use crate::bench::compare::compare;
    use crate::bench::plausible::Warning;
    use crate::bench::result::tests::made;

    fn text(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_table_has_a_row_for_each_case() {
        let mut result = made(&[("append/none", 1_000), ("batch/syncfs", 1_600_000)]);
        result.ended = Some("ended by a signal".to_owned());
        result
            .warnings
            .push(Warning { rule: "memory".to_owned(), text: "tmpfs is memory".to_owned() });
        let told = text(|out| bench(out, &result));
        for part in [
            "4 KiB                        gives      p50",
            "  append/none                k--    1.00 us     900 ns..1.10 us  2.00 us  3.00 us        -  4.00 us    1.00M  4096 MB/s",
            "batch/syncfs of 16",
            "PARTIAL: ended by a signal; what stands above is of 10 rounds",
            "WARNING: tmpfs is memory",
        ] {
            assert!(told.contains(part), "{part:?} is not in\n{told}");
        }
    }

    #[test]
    fn advice_and_comparison_are_told() {
        let result = made(&[("append/fdatasync", 100_000), ("append/o_dsync", 200_000)]);
        let asked: Asked = "power-cut".parse().unwrap();
        let told = text(|out| advice(out, &asked, &advise(&result, &asked)));
        assert!(
            told.contains(
                "advice for 4 KiB, one at a time: append/fdatasync (write, fdatasync), 100 us"
            ),
            "{told}"
        );
        assert!(told.contains("append/o_dsync               200 us an item, costs more"), "{told}");
        let (pairs, alone) = compare(&result, &result);
        let told = text(|out| compared(out, &pairs, &alone));
        assert!(told.contains("1.00") && told.contains("not told apart"), "{told}");
    }
}
