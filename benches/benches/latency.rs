//! The gate of the latency budget: every durable write of the store against `ci/latency-budget.toml`.
//!
//! `cargo bench -p plugpull-benches --bench latency`; on another disk with
//! `PLUGPULL_BENCH_DIR=/mnt/disk`. Over budget is exit code 1 and a table of path, figure, limit and
//! baseline. With `-- --save` the measured ratios become the baselines of the file; not under CI.
//!
//! Criterion reports the same samples. The calls that each operation makes are counted by
//! `cargo test -p plugpull-benches`.
#![expect(clippy::disallowed_methods, reason = "the budget is no file of a store")]

use std::collections::BTreeMap;
use std::io;
use std::process::ExitCode;

use criterion::{Criterion, SamplingMode};
use faultfs::RealFs;
use plugpull_benches::budget::{Allowed, Budget, Row, with_baselines};
use plugpull_benches::world::{Operation, World};
use plugpull_benches::{Pairs, Place, quick};

/// How often an operation may be over budget before it counts, on a machine that others use, too.
const ROUNDS: usize = 4;

/// Samples of an operation that takes long.
const FEW: usize = 20;

fn main() -> io::Result<ExitCode> {
    let save = std::env::args().any(|word| word == "--save");
    if save && std::env::var_os("CI").is_some() {
        eprintln!("latency: --save is for people: baselines are not renewed under CI");
        return Ok(ExitCode::from(2));
    }
    let budget = Budget::read()?;
    let Some(place) = Place::disk()? else { return Ok(ExitCode::SUCCESS) };
    let world = World::create(RealFs, &place.join("")).map_err(io::Error::other)?;
    let mut criterion = if save { Criterion::default() } else { quick() };
    let mut rows = Vec::new();
    let mut ratios = BTreeMap::new();
    for operation in Operation::ALL {
        let name = operation.name();
        let allowed = &budget.paths[name];
        let (pairs, told) = rounds(&mut criterion, &world, operation, allowed);
        ratios.extend(pairs.medians().map(|medians| (name.to_owned(), medians.ratio)));
        rows.extend(told);
    }
    criterion.final_summary();
    if save {
        let text = std::fs::read_to_string(Budget::file())?;
        std::fs::write(Budget::file(), with_baselines(&text, &ratios))?;
    }
    Ok(finish(&rows))
}

/// Measures until all is within budget; the last round counts.
fn rounds(
    criterion: &mut Criterion,
    world: &World<RealFs>,
    operation: Operation,
    allowed: &Allowed,
) -> (Pairs, Vec<Row>) {
    let mut pairs = measure(criterion, world, operation);
    let mut rows = allowed.rows(operation.name(), &pairs);
    for _ in 1..ROUNDS {
        if !rows.iter().any(Row::is_over) {
            break;
        }
        pairs = measure(criterion, world, operation);
        rows = allowed.rows(operation.name(), &pairs);
    }
    (pairs, rows)
}

fn measure(criterion: &mut Criterion, world: &World<RealFs>, operation: Operation) -> Pairs {
    let mut pairs = Pairs::default();
    let mut run = |count| {
        let prepare = || world.prepare(operation);
        let store = |input: &_| world.store(operation, input).expect("the store does it");
        let raw = |input: &_| world.raw(operation, input).expect("the disk does it");
        pairs.run(count, prepare, store, raw)
    };
    let mut group = criterion.benchmark_group("latency");
    if operation.is_long() {
        group.sample_size(FEW).sampling_mode(SamplingMode::Flat);
    }
    group.bench_function(operation.name(), |b| b.iter_custom(|count| run(count).0));
    group.finish();
    pairs
}

fn finish(rows: &[Row]) -> ExitCode {
    let [name, figure, limit, baseline] = ["path", "figure", "limit", "baseline"];
    println!("\n{name:<16} {:<6} {figure:>12} {limit:>12} {baseline:>9}", "");
    for row in rows {
        println!("{row}");
    }
    let over: Vec<_> = rows.iter().filter(|row| row.is_over()).map(|row| &*row.name).collect();
    if over.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("\nover budget: {}; the limits are in ci/latency-budget.toml", over.join(", "));
    ExitCode::FAILURE
}
