//! How fast crash states are made, and that neither time nor memory grows with the run.
//!
//! `cargo bench -p plugpull-benches --bench explore`. The runs replace two files again and
//! again; their crash states are made and hashed up to tier 2, not checked. The limits: 100,000 sets a
//! second on one core; a state of a run of 2,000 Ops costs at most 1.2 times one of a run of 100; the
//! order of 8,000 files costs at most twice that of 2,000, four times; a million distinct states take
//! less than 1 GiB.
//!
//! The other side of `500 ops` is the run itself, made once more on the simulated disk. How long a
//! state takes to be recovered and audited is measured by `recover`.

use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use criterion::Criterion;
use faultfs::{Access, Fs, FsFile, Model, PersistOrder, SimFs, Trace};
use plugpull::explore::{Bounds, Coverage, Tier, explore};
use plugpull_benches::{Limit, Pairs, Table, quick};

/// A state of a long run, as a multiple of one of a short run.
const FLAT: Limit = Limit::Ratio(1.2);

/// The order of many files, as a multiple of those of as many files in small runs.
const MANY: Limit = Limit::Ratio(2.0);

/// Ops of a round of [`run`].
const ROUND: usize = 9;

/// Distinct states of which memory is measured: every subset of so many files.
const FILES: usize = 20;

/// Most memory of a process that looks at a million states.
const MOST_KIB: u64 = 1 << 20;

fn main() -> ExitCode {
    let mut criterion = quick();
    let mut table = Table::new("explore");
    enumerate(&mut criterion, &mut table);
    flat(&mut criterion, &mut table);
    files(&mut criterion, &mut table);
    criterion.final_summary();
    let [speed, memory] = [table.finish(), memory()];
    if speed == ExitCode::SUCCESS { memory } else { speed }
}

fn enumerate(criterion: &mut Criterion, table: &mut Table) {
    let trace = run(500 / ROUND);
    let order = order(&trace, "posix");
    let sets = states(&order).enumerated();
    let sets = u32::try_from(sets).expect("thousands of sets");
    let limit = Limit::Median(Duration::from_secs_f64(f64::from(sets) / 100_000.0));
    println!("500 ops: {sets} sets, {} distinct states", states(&order).states());
    let explored = |(): &()| drop(states(&order));
    let again = |(): &()| drop(run(500 / ROUND));
    let pairs = limit.best(|| pairs(criterion, "500_ops", explored, again));
    table.add_rate("500 ops", &pairs, limit, (sets, "sets"));
}

/// One run of 2,000 Ops against twenty of 100: as many states.
fn flat(criterion: &mut Criterion, table: &mut Table) {
    let [long, short] = [run(2000 / ROUND), run(100 / ROUND)];
    let [long, short] = [&long, &short].map(|trace| order(trace, "posix"));
    let once = |(): &()| drop(states(&long));
    let often = |(): &()| (0..20).for_each(|_| drop(states(&short)));
    let pairs = FLAT.best(|| pairs(criterion, "flat", once, often));
    table.add("flat", &pairs, FLAT);
}

/// The order of a run that makes 8,000 files, every other one synced, against four orders of 2,000.
fn files(criterion: &mut Criterion, table: &mut Table) {
    let [many, few] = [created(8000), created(2000)];
    let once = |(): &()| drop(order(&many, "posix"));
    let four = |(): &()| (0..4).for_each(|_| drop(order(&few, "posix")));
    let pairs = MANY.best(|| pairs(criterion, "files", once, four));
    table.add("files", &pairs, MANY);
}

/// Files are created and written; every other one is synced.
fn created(count: usize) -> Trace {
    let disk = SimFs::new();
    for n in 0..count {
        let file = disk.create_new(Path::new(&format!("/{n}")), 0o644);
        let file = file.expect("the name is free");
        file.write_all_at(b"x", 0).expect("the simulated disk is never full");
        if n % 2 == 1 {
            file.sync_all().expect("no sync was told to fail");
        }
    }
    disk.trace()
}

fn pairs(criterion: &mut Criterion, name: &str, one: impl Fn(&()), other: impl Fn(&())) -> Pairs {
    let mut pairs = Pairs::default();
    let mut run = |count| pairs.run(count, || (), &one, &other);
    let mut group = criterion.benchmark_group(format!("explore/{name}"));
    group.bench_function("one", |b| b.iter_custom(|count| run(count).0));
    group.bench_function("other", |b| b.iter_custom(|count| run(count).1));
    group.finish();
    pairs
}

/// Looks at a million distinct states and asks the kernel for the most memory this process had.
fn memory() -> ExitCode {
    let disk = SimFs::new();
    for n in 0..FILES {
        let created = disk.create_new(Path::new(&format!("/{n}")), 0o644);
        drop(created.expect("the name is free"));
    }
    let trace = disk.trace();
    let order = order(&trace, "posix");
    let bounds = Bounds { window: 1 << FILES, ..Bounds::of(Tier::T2) };
    let coverage = explore(&order, bounds, &mut |_| ControlFlow::Continue(()));
    assert_eq!(coverage.states(), 1 << FILES);
    let Some(kib) = most_memory() else {
        println!("memory: not measured, /proc/self/status does not say");
        return ExitCode::SUCCESS;
    };
    let holds = kib < MOST_KIB;
    let verdict = if holds { "ok" } else { "EXCEEDED" };
    println!("memory: {} states, {} MiB at most, limit 1024  {verdict}", 1 << FILES, kib / 1024);
    if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// `VmHWM` of proc(5).
#[expect(clippy::disallowed_methods, reason = "a file of the kernel")]
fn most_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// Rounds in which two files are replaced: written beside, made durable, renamed.
fn run(rounds: usize) -> Trace {
    let disk = SimFs::new();
    for round in 0..rounds {
        replace(&disk, round).expect("the simulated disk is never full");
    }
    disk.trace()
}

fn replace(disk: &SimFs, round: usize) -> std::io::Result<()> {
    let names = [["/one.new", "/one"], ["/two.new", "/two"]].map(|names| names.map(Path::new));
    for [new, _] in names {
        let file = disk.create_new(new, 0o644)?;
        file.write_all_at(format!("content of round {round}").as_bytes(), 0)?;
    }
    for [new, name] in names {
        disk.open(new, Access::Read)?.sync_all()?;
        disk.rename(new, name)?;
    }
    disk.sync_dir(Path::new("/"))
}

fn order(trace: &Trace, model: &str) -> PersistOrder {
    PersistOrder::new(trace, Model::preset(model).expect("a preset"))
}

fn states(order: &PersistOrder) -> Coverage {
    explore(order, Bounds::of(Tier::T2), &mut |_| ControlFlow::Continue(()))
}
