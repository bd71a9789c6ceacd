//! The three small writes that somebody waits for, against a budget of 5 ms at the median.
//!
//! `cargo bench -p plugpull-benches --bench latency`; on another disk with
//! `PLUGPULL_BENCH_DIR=/mnt/disk`. Beside each stands the median of the bare fsync sequence for
//! the same number of bytes. Where that alone takes more than 5 ms, the disk is too slow or too
//! busy for the budget; the bench fails all the same, and says so.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use criterion::Criterion;
use faultfs::RealFs;
use plugpull_benches::{Limit, Pairs, Place, RawObjects, Table, quick, replace};
use plugpull_store::{
    Commit, Durability, ObjectId, Options, Result, Snapshot, Store, write_text_atomic,
};

const BUDGET: Limit = Limit::Median(Duration::from_millis(5));

/// Bytes of each object and file.
const LENGTH: usize = 4096;

/// Writes a fresh text of [`LENGTH`] characters.
type Write = fn(&Files, &str);

/// Criterion's id, what the store does, and the bare system calls beside it.
const WRITES: [(&str, Write, Write); 3] = [
    ("put_4k", Files::put, Files::put_raw),
    ("commit_4k", Files::commit, Files::put_raw),
    ("text_4k", Files::text, Files::text_raw),
];

fn main() -> io::Result<ExitCode> {
    let mut criterion = quick();
    let mut table = Table::new("disk");
    if let Some(place) = Place::disk()? {
        let files = Files::create(&place)?;
        for (name, store, raw) in WRITES {
            let pairs = measure(&mut criterion, name, &files, store, raw);
            table.add(name, &pairs, BUDGET);
        }
    }
    criterion.final_summary();
    Ok(table.finish())
}

fn measure(
    criterion: &mut Criterion,
    name: &str,
    files: &Files,
    store: Write,
    raw: Write,
) -> Pairs {
    let mut pairs = Pairs::default();
    let mut fresh = 0u64;
    let mut run = |count| {
        let prepare = || {
            fresh += 1;
            format!("{:.>LENGTH$}", format!("{name} {fresh}"))
        };
        let store = |text: &String| store(files, text);
        let raw = |text: &String| raw(files, text);
        pairs.run(count, prepare, store, raw)
    };
    criterion.bench_function(name, |b| b.iter_custom(|count| run(count).0));
    pairs
}

/// What the writes go to.
struct Files {
    store: Store,
    snapshot: ObjectId,
    /// Bytes of a commit's JSON without its message.
    frame: usize,
    text: PathBuf,
    raw: RawObjects,
    raw_text: PathBuf,
}

impl Files {
    fn create(place: &Place) -> io::Result<Self> {
        let store = Store::init(&place.join("store"), Options::default());
        let store = store.map_err(io::Error::other)?;
        let (snapshot, frame) = prepare_commits(&store).map_err(io::Error::other)?;
        let raw = RawObjects::create(&place.join("raw"))?;
        let [text, raw_text] = ["text", "raw-text"].map(|entry| place.join(entry));
        Ok(Self { store, snapshot, frame, text, raw, raw_text })
    }

    fn put(&self, text: &str) {
        let put = self.store.put(text.as_bytes());
        let _ = put.expect("the store takes an object");
    }

    fn commit(&self, text: &str) {
        let commit = commit(self.snapshot, &text[self.frame..]);
        let put = self.store.put_commit(&commit);
        let _ = put.expect("the store takes a commit");
    }

    fn text(&self, text: &str) {
        let written = write_text_atomic(&RealFs, &self.text, text, Durability::Strict);
        let _ = written.expect("the disk takes a text");
    }

    fn put_raw(&self, text: &str) {
        let written = self.raw.put(text.as_bytes());
        written.expect("the disk takes a file");
    }

    fn text_raw(&self, text: &str) {
        replace(&self.raw_text, text.as_bytes()).expect("the disk takes a text");
    }
}

/// The snapshot that all commits name, and how long a commit without a message is.
fn prepare_commits(store: &Store) -> Result<(ObjectId, usize)> {
    let blob = store.put(b"hello")?.id;
    let snapshot = Snapshot::of([("hello.txt", blob)])?;
    let snapshot = store.put_snapshot(&snapshot)?.id;
    let length = |message: &str| -> Result<usize> {
        let id = store.put_commit(&commit(snapshot, message))?.id;
        Ok(store.get(&id)?.map_or(0, |json| json.len()))
    };
    let frame = length("")?;
    assert_eq!(length(&"x".repeat(LENGTH - frame))?, LENGTH);
    Ok((snapshot, frame))
}

fn commit(snapshot: ObjectId, message: &str) -> Commit {
    Commit::new([], snapshot, "bench", message, 1_767_225_600)
}
