//! A store in a temporary directory, and the little that many tests do to it.
//!
//! Looks at files through `std::fs`, never through the store, so that a mistake of the store cannot
//! hide itself. Not for faults and records of calls: see `taps`.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Barrier};
use std::thread;

use faultfs::{Fs, RealFs, Watched, Watcher};
use plugpull_store::{
    Audit, Branch, Commit, Durability, Layout, MergeState, ObjectId, Options, Snapshot, Store,
};
use tempfile::TempDir;

/// Prefixes of every temp the store may write.
pub(crate) const TEMP_PREFIXES: [&str; 3] = [".obj-tmp-", ".state-tmp-", ".restore-tmp-"];

/// 2026-01-01T00:00:00Z, the time of every commit made here.
pub(crate) const TIME: i64 = 1_767_225_600;

/// A store over a watcher.
pub(crate) type WatchedStore<W> = Store<Watched<RealFs, W>>;

/// A directory with a store in it, removed on drop.
pub(crate) struct Scratch {
    dir: TempDir,
}

impl Scratch {
    /// A new, empty store.
    pub(crate) fn new() -> Self {
        let scratch = Self::without_store();
        drop(Store::init(&scratch.root(), Options::default()).unwrap());
        scratch
    }

    /// Only the directory.
    pub(crate) fn without_store() -> Self {
        Self { dir: TempDir::new().unwrap() }
    }

    /// The same in memory where the machine has such a place: for those that make hundreds of stores,
    /// whose durability is not looked at.
    pub(crate) fn in_memory() -> Self {
        let dir = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new());
        Self { dir: dir.unwrap() }
    }

    /// Where the store is.
    pub(crate) fn root(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    /// A path outside the store that goes with it.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn layout(&self) -> Layout {
        Layout::new(&self.root())
    }

    pub(crate) fn open(&self) -> Store {
        Store::open(&self.root(), Options::default()).unwrap()
    }

    /// Opens the store with `watcher` before the disk.
    pub(crate) fn watched<W: Watcher>(
        &self,
        watcher: &Arc<W>,
        durability: Durability,
    ) -> WatchedStore<W> {
        let fs = Watched::new(RealFs, Arc::clone(watcher));
        Store::open_on(fs, &self.root(), Options::durability(durability)).unwrap()
    }

    /// Every temp in the directory, in and beside the store, whoever it belongs to.
    pub(crate) fn temps(&self) -> Vec<PathBuf> {
        let is_temp = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_string_lossy();
            TEMP_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        };
        files_below(self.dir.path()).into_iter().filter(is_temp).collect()
    }

    #[track_caller]
    pub(crate) fn assert_no_temps(&self) {
        assert_eq!(self.temps(), Vec::<PathBuf>::new());
    }

    pub(crate) fn audit(&self) -> Audit {
        Audit::run(&RealFs, &self.root()).unwrap()
    }

    /// No temps, and an audit that finds nothing.
    #[track_caller]
    pub(crate) fn assert_clean(&self) {
        self.assert_no_temps();
        assert_eq!(self.audit().problems, []);
    }

    /// How many object files there are, counted on disk.
    pub(crate) fn object_files(&self) -> Vec<PathBuf> {
        files_below(&self.layout().objects())
    }
}

/// All files below a directory, sorted.
pub(crate) fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            files.extend(files_below(&entry.path()));
        } else {
            files.push(entry.path());
        }
    }
    files.sort_unstable();
    files
}

/// Permission bits of a file.
pub(crate) fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Puts other bytes into an object's file, as a broken disk would: same file, same mode.
pub(crate) fn corrupt(path: &Path, bytes: &[u8]) {
    fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o444)).unwrap();
}

/// Bytes that depend on the seed only.
pub(crate) fn random_bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(seed);
    (0..len).map(|_| rng.u8(..)).collect()
}

pub(crate) fn branch(name: &str) -> Branch {
    Branch::new(name).unwrap()
}

/// A commit of one file that is named and filled after `message`, with all it leads to.
pub(crate) fn commit<F: Fs>(store: &Store<F>, message: &str) -> ObjectId {
    let snapshot = one_file(store, message.as_bytes());
    store.put_commit(&Commit::new([], snapshot, "tester", message, TIME)).unwrap().id
}

/// The state of a merge of two commits, from the first of them, without conflicts.
pub(crate) fn merge_of(ours: ObjectId, theirs: ObjectId) -> MergeState {
    MergeState {
        base_commit: ours,
        ours_commit: ours,
        theirs_commit: theirs,
        conflict_paths: [].into(),
        other_branch: None,
    }
}

/// A snapshot of one file with these bytes.
pub(crate) fn one_file<F: Fs>(store: &Store<F>, bytes: &[u8]) -> ObjectId {
    let blob = store.put(bytes).unwrap().id;
    store.put_snapshot(&Snapshot::of([("file.txt", blob)]).unwrap()).unwrap().id
}

/// Runs `work` on many threads that start together; a panic in one of them fails the test.
pub(crate) fn at_once<T: Send>(threads: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let start = Barrier::new(threads);
    thread::scope(|scope| {
        let (start, work) = (&start, &work);
        let run = move |n| {
            start.wait();
            work(n)
        };
        let running: Vec<_> = (0..threads).map(|n| scope.spawn(move || run(n))).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}
