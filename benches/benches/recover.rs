//! How many crash states of a small store are recovered and audited in a second.
//!
//! `cargo bench -p plugpull-benches --bench recover`. A run of a dozen commits on two branches is
//! recorded on a simulated disk; each moment of it is a state. `store` opens the store in a state and
//! audits all of it. The limits: 5,000 states a second on one core, and two threads, each with states
//! of its own, get through 1.7 times as many as one.
//!
//! The other side of `state` is the hashing of the same objects' bytes and nothing else; the other
//! side of `2 threads` is one thread with half the work. On a machine that others use, too, a limit
//! is exceeded only when it is in each of several rounds.

use std::cell::Cell;
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use criterion::Criterion;
use faultfs::{DiskImage, FileKind, Inode, SimFs};
use plugpull_benches::{Limit, Pairs, Table, quick};
use plugpull_store::{Audit, Branch, Commit, Expected, ObjectId, Options, Result, Snapshot, Store};
use sha2::{Digest, Sha256};

const STATE: Limit = Limit::Median(Duration::from_micros(1_000_000 / 5_000));

/// The time of twice the work on two threads, as a multiple of the time of the work on one.
const TWO_THREADS: Limit = Limit::Ratio(2.0 / 1.7);

const ROOT: &str = "/store";

const COMMITS: i64 = 12;

/// States that a thread takes in one go.
const BATCH: usize = 100;

fn main() -> Result<ExitCode> {
    let mut criterion = quick();
    let mut table = Table::new("recover");
    let [states, others] = [states()?, states()?];
    let pairs = STATE.best(|| state(&mut criterion, &states));
    table.add_rate("state", &pairs, STATE, (1, "states"));
    let pairs = TWO_THREADS.best(|| two_threads(&mut criterion, &states, &others));
    table.add("2 threads", &pairs, TWO_THREADS);
    criterion.final_summary();
    Ok(table.finish())
}

fn state(criterion: &mut Criterion, states: &[DiskImage]) -> Pairs {
    let objects: Vec<_> = states.iter().map(objects).collect();
    let next = Cell::new(0);
    let prepare = || {
        next.set((next.get() + 1) % states.len());
        next.get()
    };
    let store = |at: &usize| recovered(&states[*at]);
    let raw = |at: &usize| hashed(&states[*at], &objects[*at]);
    let mut pairs = Pairs::default();
    let mut run = |count| pairs.run(count, prepare, store, raw);
    let mut group = criterion.benchmark_group("recover/state");
    group.bench_function("store", |b| b.iter_custom(|count| run(count).0));
    group.bench_function("raw", |b| b.iter_custom(|count| run(count).1));
    group.finish();
    pairs
}

fn two_threads(criterion: &mut Criterion, own: &[DiskImage], others: &[DiskImage]) -> Pairs {
    let batch = |states: &[DiskImage]| states.iter().take(BATCH).for_each(recovered);
    let both = || {
        thread::scope(|scope| {
            scope.spawn(|| batch(others));
            batch(own);
        });
    };
    let mut pairs = Pairs::default();
    let mut run = |count| pairs.run(count, || (), |()| both(), |()| batch(own));
    let mut group = criterion.benchmark_group("recover/2_threads");
    group.bench_function("both", |b| b.iter_custom(|count| run(count).0));
    group.bench_function("one", |b| b.iter_custom(|count| run(count).1));
    group.finish();
    pairs
}

fn recovered(image: &DiskImage) {
    let fs = SimFs::on(image.clone());
    let root = Path::new(ROOT);
    Store::open_on(fs.clone(), root, Options::default()).expect("the store opens");
    let audit = Audit::run(&fs, root).expect("the store can be audited");
    assert!(audit.problems.is_empty(), "{:?}", audit.problems);
}

/// Hashes files as they lie in memory.
fn hashed(image: &DiskImage, files: &[Inode]) {
    let mut bytes = Vec::new();
    for file in files {
        bytes.resize(usize::try_from(image.len(*file)).expect("a small file"), 0);
        image.read(*file, &mut bytes, 0);
        std::hint::black_box(Sha256::digest(&bytes));
    }
}

/// The distinct states in which a run leaves its disk from moment to moment.
fn states() -> Result<Vec<DiskImage>> {
    let fs = SimFs::new();
    let store = Store::init_on(fs.clone(), Path::new(ROOT), Options::default())?;
    let begin = fs.trace().events.len();
    let mut tips = [None; 2];
    for number in 0..COMMITS {
        let branch = usize::from(number % 3 == 2);
        tips[branch] = Some(commit(&store, number, branch, tips[branch])?);
    }
    let trace = fs.trace();
    let mut states: Vec<_> =
        (begin..=trace.events.len()).map(|count| trace.image_after(count)).collect();
    states.dedup_by_key(|state| state.hash());
    // Whoever takes the first hundred takes early and late ones.
    states.sort_by_key(DiskImage::hash);
    Ok(states)
}

/// A commit of two files, the second one's bytes new.
fn commit(
    store: &Store<SimFs>,
    number: i64,
    branch: usize,
    tip: Option<ObjectId>,
) -> Result<ObjectId> {
    let _pin = store.pin()?;
    let [same, new] =
        [store.put(b"the same in all commits")?, store.put(format!("file {number}").as_bytes())?];
    let snapshot = Snapshot::of([("src/same", same.id), ("src/new", new.id)])?;
    let snapshot = store.put_snapshot(&snapshot)?.id;
    let commit = Commit::new(tip, snapshot, "bench", "a change", 1_767_225_600 + number);
    let commit = store.put_commit(&commit)?.id;
    let expected = tip.map_or(Expected::Absent, Expected::At);
    let branch = Branch::new(["main", "side/line"][branch])?;
    let _ = store.update_branch(&branch, commit, expected)?;
    Ok(commit)
}

/// The files of all objects.
fn objects(image: &DiskImage) -> Vec<Inode> {
    let shards = ["store", "objects", "sha256"]
        .iter()
        .try_fold(DiskImage::ROOT, |dir, name| image.lookup(dir, name.as_bytes()));
    let shards = image.entries(shards.expect("a store has shards"));
    let files = shards.flat_map(|(_, shard)| image.entries(shard).map(|(_, file)| file));
    files.filter(|file| image.kind(*file) == Some(FileKind::File)).collect()
}
