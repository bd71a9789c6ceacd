//! What an audit costs beside the plain hashing that it cannot do without.
//!
//! `cargo bench -p plugpull-benches --bench audit`. The store has 10,000 objects, mostly of 4 KiB.
//! The other side is handed the finished list of their files, reads each one whole and hashes it,
//! with the same crate on the same threads. The limit: an audit has at least 70 % of that speed.
//!
//! The files are in the page cache, where the audit's own work weighs most.
#![expect(clippy::disallowed_methods, reason = "the bare side and the setup do without the seam")]

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use criterion::Criterion;
use faultfs::RealFs;
use plugpull_benches::{Limit, Pairs, Place, Table};
use plugpull_store::{Branch, Commit, Expected, Layout, ObjectId, Options, Snapshot, Store, audit};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

const AUDIT: Limit = Limit::Ratio(1.0 / 0.7);

const OBJECTS: u32 = 10_000;

/// How many objects the snapshot names.
const FILES: usize = 100;

fn main() -> io::Result<ExitCode> {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    let mut table = Table::new("audit");
    if let Some(place) = Place::disk()? {
        let pairs = audit_10k(&mut criterion, &place)?;
        table.add_rate(place.name(), &pairs, AUDIT, (OBJECTS, "objects"));
    }
    criterion.final_summary();
    Ok(table.finish())
}

fn audit_10k(criterion: &mut Criterion, place: &Place) -> io::Result<Pairs> {
    let root = place.join("store");
    let files = fill(&root)?;
    let mut pairs = Pairs::default();
    let mut run = |count| pairs.run(count, || (), |()| audited(&root), |()| hashed(&files));
    let mut group = criterion.benchmark_group(format!("audit_10k/{}", place.name()));
    group.bench_function("store", |b| b.iter_custom(|count| run(count).0));
    group.bench_function("raw", |b| b.iter_custom(|count| run(count).1));
    group.finish();
    Ok(pairs)
}

fn audited(root: &Path) {
    let unexpected = |problem| panic!("a fresh store has a problem: {problem:?}");
    let counts = audit(&RealFs, root, &unexpected).expect("the store can be audited");
    assert_eq!(counts.objects, u64::from(OBJECTS));
}

fn hashed(files: &[PathBuf]) {
    files.par_iter().for_each(|path| {
        let bytes = std::fs::read(path).expect("the object can be read");
        std::hint::black_box(Sha256::digest(bytes));
    });
}

/// Makes a store with a small history; returns the paths of all its objects. Most are written past
/// the store, without barriers: 20,000 fsyncs would take longer than the bench.
fn fill(root: &Path) -> io::Result<Vec<PathBuf>> {
    let store = Store::init(root, Options::default()).map_err(io::Error::other)?;
    let blobs: Vec<_> = (2..u64::from(OBJECTS)).map(content).collect();
    let mut ids = Vec::with_capacity(blobs.len());
    for bytes in &blobs {
        let id = ObjectId::of(bytes);
        let path = store.layout().object(&id);
        OpenOptions::new().write(true).create_new(true).mode(0o444).open(path)?.write_all(bytes)?;
        ids.push(id);
    }
    let history = add_history(&store, &ids).map_err(io::Error::other)?;
    ids.extend(history);
    let layout = Layout::new(root);
    Ok(ids.iter().map(|id| layout.object(id)).collect())
}

/// A commit of some of the blobs, on a branch.
fn add_history(store: &Store, blobs: &[ObjectId]) -> plugpull_store::Result<[ObjectId; 2]> {
    let files = blobs.iter().take(FILES).enumerate();
    let snapshot = Snapshot::of(files.map(|(number, id)| (format!("src/{number}"), *id)))?;
    let snapshot = store.put_snapshot(&snapshot)?.id;
    let commit = Commit::new([], snapshot, "bench", "all of it", 1_767_225_600);
    let commit = store.put_commit(&commit)?.id;
    let _ = store.update_branch(&Branch::new("main")?, commit, Expected::Absent)?;
    Ok([snapshot, commit])
}

/// Bytes that no other number has: of a hundred objects 90 have 4 KiB, nine 32 KiB and one 512
/// KiB.
fn content(number: u64) -> Vec<u8> {
    let len = match number % 100 {
        0 => 512 << 10,
        1..10 => 32 << 10,
        _ => 4 << 10,
    };
    let mut bytes = vec![0x5a; len];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    bytes
}
