//! What the store adds to the bare system calls of a durable 4 KiB object.
//!
//! `cargo bench -p plugpull-benches --bench put`; on another disk with
//! `PLUGPULL_BENCH_DIR=/mnt/disk`. On a disk the two fsyncs cost nearly everything, so the limit
//! there says that the store makes no third one. On tmpfs an fsync costs nothing, so the limit
//! there is on the store's own work: its locks, its look at what is there, its checks.
//!
//! Both sides hash each content once and write it into one of 256 directories.

use std::io;
use std::process::ExitCode;

use criterion::Criterion;
use plugpull_benches::{Limit, Pairs, Place, RawObjects, Table, quick};
use plugpull_store::{Options, Store};

const DISK: Limit = Limit::Ratio(1.25);
const TMPFS: Limit = Limit::Ratio(1.9);

fn main() -> io::Result<ExitCode> {
    let mut criterion = quick();
    let mut table = Table::new("put_4k");
    for (place, limit) in [(Place::disk()?, DISK), (Place::tmpfs()?, TMPFS)] {
        if let Some(place) = place {
            let pairs = put_4k(&mut criterion, &place)?;
            table.add_rate(place.name(), &pairs, limit, (1, "objects"));
        }
    }
    criterion.final_summary();
    Ok(table.finish())
}

fn put_4k(criterion: &mut Criterion, place: &Place) -> io::Result<Pairs> {
    let store = Store::init(&place.join("store"), Options::default()).map_err(io::Error::other)?;
    let raw = RawObjects::create(&place.join("raw"))?;
    let mut pairs = Pairs::default();
    let mut fresh = 0u64;
    let mut run = |count| {
        let prepare = || {
            fresh += 1;
            content(fresh)
        };
        let store = |bytes: &[u8; 4096]| {
            let _ = store.put(bytes).expect("the store takes an object");
        };
        let raw = |bytes: &[u8; 4096]| raw.put(bytes).expect("the disk takes a file");
        pairs.run(count, prepare, store, raw)
    };
    let mut group = criterion.benchmark_group(format!("put_4k/{}", place.name()));
    group.bench_function("store", |b| b.iter_custom(|count| run(count).0));
    group.bench_function("raw", |b| b.iter_custom(|count| run(count).1));
    group.finish();
    Ok(pairs)
}

/// Bytes that no other number has.
fn content(number: u64) -> [u8; 4096] {
    let mut bytes = [0x5a; 4096];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    bytes
}
