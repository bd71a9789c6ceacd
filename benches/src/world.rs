//! Every durable write of the store, each beside the bare system calls of the same guarantee.
//!
//! Both sides get the same bytes. The bare side knows where everything lies, takes no lock and looks at
//! nothing that is there: less than it does is not durable. Not for limits: those are the
//! `budget`'s.
#![expect(clippy::disallowed_methods, reason = "the bare side does without the seam")]

use std::collections::BTreeMap;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use faultfs::Fs;
use plugpull_store::{
    Branch, Change, Commit, CommitRequest, Durability, Expected, Imported, ObjectId, Options,
    Result, Snapshot, Store, audit, write_text_atomic,
};
use sha2::{Digest, Sha256};

use crate::raw::{RawObjects, replace};

/// Bytes of each object and file.
const LENGTH: usize = 4096;

/// Commits of one import.
const IMPORTED: usize = 100;

/// Threads of a group.
const THREADS: usize = 16;

/// Objects of the store that is opened and audited.
const OBJECTS: usize = 200;

const TIME: i64 = 1_767_225_600;

/// What somebody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// A 4 KiB object.
    Put,
    /// A commit object of 4 KiB.
    Commit,
    /// A text of 4 KiB that replaces another.
    Text,
    /// The move of a branch.
    Branch,
    /// An object of 4 KiB, restored over another file.
    Restore,
    /// A whole commit of one file, by a lone writer.
    Whole,
    /// A whole commit of each of 16 threads.
    Group,
    /// An import of 100 commits in one batch.
    Import,
    /// The opening of a store in which a killed writer left a temp.
    Open,
    /// The audit of a store of 200 objects.
    Audit,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Put,
        Self::Commit,
        Self::Text,
        Self::Branch,
        Self::Restore,
        Self::Whole,
        Self::Group,
        Self::Import,
        Self::Open,
        Self::Audit,
    ];

    /// Its name in the budget and in criterion's reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Commit => "commit-object",
            Self::Text => "text",
            Self::Branch => "branch",
            Self::Restore => "restore",
            Self::Whole => "commit",
            Self::Group => "group-commit",
            Self::Import => "import",
            Self::Open => "open-after-crash",
            Self::Audit => "audit",
        }
    }

    /// Whether one of them takes so long that few are enough.
    pub fn is_long(self) -> bool {
        matches!(self, Self::Group | Self::Import)
    }

    /// Whether each one makes the same calls as the one before.
    pub fn has_exact_calls(self) -> bool {
        self != Self::Group
    }
}

/// What the operations are done to; `F` is what the store is on.
#[expect(missing_debug_implementations, reason = "a store has none")]
pub struct World<F: Fs> {
    fs: F,
    store: Store<F>,
    /// What is imported goes here.
    imports: Mutex<Store<F>>,
    /// A small store that stays as it is.
    other: PathBuf,
    objects: Vec<PathBuf>,
    /// A blob, and a snapshot that names it.
    named: [ObjectId; 2],
    /// The two places between which a branch moves.
    places: [ObjectId; 2],
    /// Bytes of a commit's JSON without its message.
    frame: usize,
    dir: PathBuf,
    raw: RawObjects,
    fresh: AtomicU64,
}

impl<F: Fs + Clone> World<F> {
    /// All that the operations need, below a directory that is there.
    ///
    /// # Panics
    /// Where the disk does not take a directory.
    pub fn create(fs: F, dir: &Path) -> Result<Self> {
        let store = Store::init_on(fs.clone(), &dir.join("store"), Options::default())?;
        let blob = store.put(&[b'.'; LENGTH])?.id;
        let snapshot = store.put_snapshot(&Snapshot::of([("file", blob)])?)?.id;
        let place = |message| store.put_commit(&commit(snapshot, message)).map(|put| put.id);
        let places = [place("one")?, place("other")?];
        let _ = store.update_branch(&Branch::new("moved")?, places[1], Expected::Absent)?;
        let empty = store.put_commit(&commit(snapshot, ""))?.id;
        let frame = store.get(&empty)?.map_or(0, |json| json.len());
        let imports = Store::init_on(fs.clone(), &dir.join("imports"), Options::default())?;
        let imports = Mutex::new(imports);
        let other = dir.join("other");
        let objects = fill(&other)?;
        let raw = RawObjects::create(&dir.join("raw")).expect("the disk takes directories");
        let (dir, fresh) = (dir.to_owned(), AtomicU64::new(0));
        let named = [blob, snapshot];
        Ok(Self { fs, store, imports, other, objects, named, places, frame, dir, raw, fresh })
    }

    /// Makes what the operation is given, outside the measured time.
    ///
    /// # Panics
    /// Where the disk does not take a file.
    pub fn prepare(&self, operation: Operation) -> Input {
        if operation == Operation::Open {
            std::fs::write(self.orphan(), b"left behind").expect("the disk takes a file");
        }
        let number = self.fresh.fetch_add(1, Ordering::Relaxed);
        Input { number, text: format!("{:.>LENGTH$}", format!("{operation:?} {number} ")) }
    }

    /// The store's side.
    ///
    /// # Panics
    /// Where the audit finds something, or a thread of a group panics.
    pub fn store(&self, operation: Operation, input: &Input) -> Result<()> {
        let Self { store, dir, .. } = self;
        let Input { number, text } = input;
        match operation {
            Operation::Put => {
                let _ = store.put(text.as_bytes())?;
            }
            Operation::Commit => {
                let _ = store.put_commit(&commit(self.named[1], &text[self.frame..]))?;
            }
            Operation::Text => {
                let to = dir.join("text");
                let _ = write_text_atomic(&self.fs, &to, text, Durability::Strict)?;
            }
            Operation::Branch => self.move_branch()?,
            Operation::Restore => {
                let _ = store.restore(&self.named[0], &dir.join("restored"), false)?;
            }
            Operation::Whole => self.whole("whole", text)?,
            Operation::Group => self.group(*number)?,
            Operation::Import => self.import(*number)?,
            Operation::Open => drop(self.other_store()?),
            Operation::Audit => {
                let unexpected = |problem| panic!("there is a problem: {problem:?}");
                let _ = audit(&self.fs, &self.other, &unexpected)?;
            }
        }
        Ok(())
    }

    /// The bare side.
    pub fn raw(&self, operation: Operation, input: &Input) -> io::Result<()> {
        let bytes = input.text.as_bytes();
        let tip = |bytes: &[u8]| replace(&self.dir.join("raw-tip"), &bytes[..64]);
        match operation {
            Operation::Put | Operation::Commit => self.raw.put(bytes),
            Operation::Text | Operation::Restore => replace(&self.dir.join("raw-text"), bytes),
            Operation::Branch => tip(bytes),
            Operation::Whole => self.raw_commits(1, input.number),
            Operation::Group => self.raw_commits(THREADS, input.number),
            Operation::Import => self.raw_commits(IMPORTED, input.number),
            Operation::Open => self.raw_walk(),
            Operation::Audit => self.raw_hashes(),
        }
    }

    fn other_store(&self) -> Result<Store<F>> {
        Store::open_on(self.fs.clone(), &self.other, Options::default())
    }

    fn move_branch(&self) -> Result<()> {
        let moved = Branch::new("moved")?;
        let at = self.store.read_branch(&moved)?;
        let to = if at == Some(self.places[0]) { self.places[1] } else { self.places[0] };
        let _ = self.store.update_branch(&moved, to, at.map_or(Expected::Absent, Expected::At))?;
        Ok(())
    }

    fn whole(&self, branch: &str, text: &str) -> Result<()> {
        let branch = Branch::new(branch)?;
        let parent = self.store.read_branch(&branch)?;
        let request = CommitRequest {
            branch: &branch,
            parent,
            merged: &[],
            files: vec![("file", text.as_bytes().into())],
            author: "bench",
            message: "a commit",
            time: TIME,
        };
        self.store.commit(&request).map(drop)
    }

    fn import(&self, number: u64) -> Result<()> {
        let commits = (0..IMPORTED).map(|commit| Ok(imported(number, commit)));
        let batch = NonZeroUsize::MIN.saturating_add(IMPORTED);
        let mut store = self.imports.lock().expect("no import panicked");
        store.import_commits(commits, batch, &mut |_| ()).map(drop)
    }

    fn group(&self, number: u64) -> Result<()> {
        std::thread::scope(|scope| {
            let commit = |thread| {
                let text = content(number, thread);
                move || self.whole(&format!("thread-{thread}"), &text)
            };
            let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(commit(thread))).collect();
            threads.into_iter().try_for_each(|thread| thread.join().expect("no thread panics"))
        })
    }

    /// What a commit is for who knows no better: three objects and a branch, all of them waited for.
    fn raw_commits(&self, count: usize, number: u64) -> io::Result<()> {
        for commit in 0..count {
            for object in 0..3 {
                self.raw.put(content(number, 3 * commit + object).as_bytes())?;
            }
            replace(&self.dir.join("raw-tip"), &content(number, commit).as_bytes()[..64])?;
        }
        Ok(())
    }

    /// What a dead writer left in the small store.
    fn orphan(&self) -> PathBuf {
        self.other.join("objects/sha256/.obj-tmp-1-1")
    }

    /// A look into all shards of the small store, and a removal: an open does without the look.
    fn raw_walk(&self) -> io::Result<()> {
        for entry in std::fs::read_dir(self.other.join("objects/sha256"))? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                std::fs::read_dir(entry.path())?.try_for_each(|entry| entry.map(drop))?;
            } else if entry.file_name().as_encoded_bytes().starts_with(b".obj-tmp-") {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    fn raw_hashes(&self) -> io::Result<()> {
        for path in &self.objects {
            std::hint::black_box(Sha256::digest(std::fs::read(path)?));
        }
        Ok(())
    }
}

/// What one operation is given.
#[derive(Debug)]
pub struct Input {
    number: u64,
    text: String,
}

/// 4 KiB that no other pair of numbers has.
fn content(number: u64, part: usize) -> String {
    format!("{:.>LENGTH$}", format!("part {part} of {number} "))
}

/// Makes the small store; returns the files of its objects.
fn fill(root: &Path) -> Result<Vec<PathBuf>> {
    let store = Store::init(root, Options::default())?;
    let put = |part| store.put(content(0, part).as_bytes());
    (0..OBJECTS).map(|part| Ok(store.layout().object(&put(part)?.id))).collect()
}

fn commit(snapshot: ObjectId, message: &str) -> Commit {
    Commit::new([], snapshot, "bench", message, TIME)
}

fn imported(number: u64, commit: usize) -> Imported {
    let change = Change::Set { executable: false, bytes: content(number, commit).into_bytes() };
    Imported {
        branch: Branch::new("imported").expect("it is a name"),
        changes: BTreeMap::from([("file".to_owned(), change)]),
        author: "bench".to_owned(),
        message: "a commit".to_owned(),
        time: TIME,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use faultfs::{RealFs, Watched};

    use super::*;
    use crate::budget::{Budget, Calls};
    use crate::calls::Counter;

    /// A second fsync of a put, or a look too many, is no matter of noise: it is counted.
    #[test]
    fn each_operation_makes_the_calls_of_the_budget() {
        let dir = tempfile::tempdir().unwrap();
        let counter = Arc::new(Counter::default());
        let world = World::create(Watched::new(RealFs, Arc::clone(&counter)), dir.path()).unwrap();
        let budget = Budget::read().unwrap();
        let mut wrong = Vec::new();
        for operation in Operation::ALL.into_iter().filter(|operation| operation.has_exact_calls())
        {
            // The first one makes directories that later ones find.
            for _ in 0..2 {
                let input = world.prepare(operation);
                counter.take();
                world.store(operation, &input).unwrap();
            }
            let (name, made) = (operation.name(), counter.take());
            if budget.paths[name].calls != Some(made) {
                let allowed = budget.paths[name].calls.unwrap_or_default();
                wrong.push(format!("{name}: made {made}, allowed {allowed}"));
            }
        }
        assert!(wrong.is_empty(), "ci/latency-budget.toml, calls:\n{}", wrong.join("\n"));
    }

    #[test]
    fn a_second_sync_is_counted() {
        let dir = tempfile::tempdir().unwrap();
        let counter = Arc::new(Counter::default());
        let fs = Watched::new(RealFs, Arc::clone(&counter));
        let file = fs.create_new(&dir.path().join("a"), 0o600).unwrap();
        faultfs::FsFile::sync_all(&file).unwrap();
        let once = counter.take();
        assert_eq!(once, Calls { open: 1, fsync: 1, ..Calls::default() });
        faultfs::FsFile::sync_all(&file).unwrap();
        assert_eq!(counter.take(), Calls { fsync: 1, ..Calls::default() });
    }

    #[test]
    fn the_bare_side_does_its_work() {
        let dir = tempfile::tempdir().unwrap();
        let world = World::create(RealFs, dir.path()).unwrap();
        for operation in Operation::ALL {
            let input = world.prepare(operation);
            world.raw(operation, &input).unwrap();
        }
        assert!(!world.orphan().exists());
    }
}
