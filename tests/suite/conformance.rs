//! The simulated disk held against the real one: the same body runs on both, call by call, and every
//! result must agree: value, errno, bytes.
//!
//! The real side is a tmpfs where there is one. Compared are also inode identity (as "the same one as
//! before", since numbers differ), link counts, and at the end the whole tree. Not compared: times
//! that nobody set, the length of directories, and anything two processes would see of each other.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use faultfs::{Access, FileKind, Fs, FsFile, LockMode, Metadata, RealFs, SimFs};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use tempfile::TempDir;

/// Names that paths are made of: few, so that they meet; one too long for a directory entry.
const NAMES: [&str; 5] = ["a", "b", "c", "link", TOO_LONG];
const TOO_LONG: &str = concat!(
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
);

/// What symbolic links lead to; relative, since the two disks have different roots.
const TARGETS: [&str; 4] = ["a", "b/c", "../a", "link"];

/// Open files at the same time.
const HANDLES: usize = 4;

/// One call.
#[derive(Clone, Debug)]
pub(crate) enum Call {
    Create(PathBuf, u32, usize),
    Open(PathBuf, Access, usize),
    Close(usize),
    Mkdir(PathBuf, u32),
    Rmdir(PathBuf),
    Rename(PathBuf, PathBuf),
    RenameNoReplace(PathBuf, PathBuf),
    Exchange(PathBuf, PathBuf),
    Link(PathBuf, PathBuf),
    Symlink(&'static str, PathBuf),
    ReadLink(PathBuf),
    Unlink(PathBuf),
    Stat(PathBuf),
    ReadDir(PathBuf),
    SyncDir(PathBuf),
    ReadAt(usize, u64, usize),
    WriteAt(usize, u64, Vec<u8>),
    Append(usize, Vec<u8>),
    SetLen(usize, u64),
    SyncData(usize),
    SyncAll(usize),
    StatFile(usize),
    SetMode(usize, u32),
    SetModified(usize, u64),
    TryLock(usize, LockMode),
    Unlock(usize),
}

/// What a call answered, in a form that two disks can share.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Done,
    Yes(bool),
    Count(usize),
    Bytes(Vec<u8>),
    Names(Vec<(String, FileKind)>),
    Stat {
        kind: FileKind,
        len: u64,
        mode: u32,
        links: u64,
        which: usize,
        modified: Option<u64>,
    },
    /// No open file in that place.
    Nothing,
    Errno(i32),
}

/// One disk and what is open on it.
struct World<F: Fs> {
    fs: F,
    root: PathBuf,
    handles: [Option<F::File>; HANDLES],
    /// Inodes in the order in which they were seen.
    seen: BTreeMap<u64, usize>,
}

impl<F: Fs> World<F> {
    fn new(fs: F, root: &Path) -> Self {
        Self {
            fs,
            root: root.to_owned(),
            handles: [const { None }; HANDLES],
            seen: BTreeMap::new(),
        }
    }

    fn make(&mut self, call: &Call) -> Answer {
        self.try_make(call).unwrap_or_else(|e| Answer::Errno(e.raw_os_error().unwrap_or(-1)))
    }

    fn try_make(&mut self, call: &Call) -> io::Result<Answer> {
        let at = |path: &PathBuf| self.root.join(path);
        let fs = &self.fs;
        match call {
            Call::Create(path, mode, slot) => {
                let file = fs.create_new(&at(path), *mode)?;
                self.handles[*slot] = Some(file);
            }
            Call::Open(path, access, slot) => {
                let file = fs.open(&at(path), *access)?;
                self.handles[*slot] = Some(file);
            }
            Call::Close(slot) => self.handles[*slot] = None,
            Call::Mkdir(path, mode) => fs.mkdir(&at(path), *mode)?,
            Call::Rmdir(path) => fs.rmdir(&at(path))?,
            Call::Rename(from, to) => fs.rename(&at(from), &at(to))?,
            Call::RenameNoReplace(from, to) => fs.rename_no_replace(&at(from), &at(to))?,
            Call::Exchange(one, other) => fs.exchange(&at(one), &at(other))?,
            Call::Link(existing, new) => fs.link(&at(existing), &at(new))?,
            Call::Symlink(target, path) => fs.symlink(Path::new(target), &at(path))?,
            Call::ReadLink(path) => {
                let target = fs.read_link(&at(path))?;
                return Ok(Answer::Bytes(target.into_os_string().into_encoded_bytes()));
            }
            Call::Unlink(path) => fs.unlink(&at(path))?,
            Call::Stat(path) => {
                let metadata = fs.metadata(&at(path))?;
                return Ok(self.stat(&metadata, false));
            }
            Call::ReadDir(path) => {
                let entries = fs.read_dir(&at(path))?.into_iter();
                let names = entries.map(|e| (e.name.into_string().unwrap(), e.kind));
                return Ok(Answer::Names(names.collect()));
            }
            Call::SyncDir(path) => fs.sync_dir(&at(path))?,
            _ => return self.on_file(call),
        }
        Ok(Answer::Done)
    }

    fn on_file(&mut self, call: &Call) -> io::Result<Answer> {
        let slot = match call {
            Call::ReadAt(slot, ..)
            | Call::WriteAt(slot, ..)
            | Call::Append(slot, ..)
            | Call::SetLen(slot, ..)
            | Call::SyncData(slot)
            | Call::SyncAll(slot)
            | Call::StatFile(slot)
            | Call::SetMode(slot, ..)
            | Call::SetModified(slot, ..)
            | Call::TryLock(slot, ..)
            | Call::Unlock(slot) => *slot,
            other => unreachable!("{other:?} needs no open file"),
        };
        let Some(file) = &self.handles[slot] else { return Ok(Answer::Nothing) };
        match call {
            Call::ReadAt(_, offset, len) => {
                let mut buf = vec![0xee; *len];
                let n = file.read_at(&mut buf, *offset)?;
                buf.truncate(n);
                return Ok(Answer::Bytes(buf));
            }
            Call::WriteAt(_, offset, bytes) => {
                return file.write_at(bytes, *offset).map(Answer::Count);
            }
            Call::Append(_, bytes) => return file.append(bytes).map(Answer::Count),
            Call::SetLen(_, len) => file.set_len(*len)?,
            Call::SyncData(_) => file.sync_data()?,
            Call::SyncAll(_) => file.sync_all()?,
            Call::StatFile(_) => {
                let metadata = file.metadata()?;
                return Ok(self.stat(&metadata, false));
            }
            Call::SetMode(_, mode) => file.set_mode(*mode)?,
            Call::SetModified(_, seconds) => {
                file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(*seconds))?;
                let metadata = file.metadata()?;
                return Ok(self.stat(&metadata, true));
            }
            Call::TryLock(_, mode) => return file.try_lock(*mode).map(Answer::Yes),
            _ => file.unlock()?,
        }
        Ok(Answer::Done)
    }

    fn stat(&mut self, metadata: &Metadata, with_time: bool) -> Answer {
        let next = self.seen.len();
        let dir = metadata.kind == FileKind::Dir;
        let modified = metadata.modified.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        Answer::Stat {
            kind: metadata.kind,
            len: if dir { 0 } else { metadata.len },
            mode: metadata.mode,
            links: metadata.links,
            which: *self.seen.entry(metadata.inode).or_insert(next),
            modified: with_time.then_some(modified.as_secs()),
        }
    }

    /// Every path with what is there, found by walking.
    fn tree(&mut self, dir: &Path, out: &mut Vec<(PathBuf, Answer, Vec<u8>)>) {
        let Answer::Names(names) = self.make(&Call::ReadDir(dir.to_owned())) else { return };
        for (name, kind) in names {
            let path = dir.join(name);
            let stat = self.make(&Call::Stat(path.clone()));
            let bytes = match kind {
                FileKind::File => self.bytes(&path),
                _ => Vec::new(),
            };
            out.push((path.clone(), stat, bytes));
            if kind == FileKind::Dir {
                self.tree(&path, out);
            }
        }
    }

    fn bytes(&self, path: &Path) -> Vec<u8> {
        let file = self.fs.open(&self.root.join(path), Access::Read).unwrap();
        let mut bytes = vec![0; usize::try_from(file.metadata().unwrap().len).unwrap()];
        assert_eq!(file.read_full_at(&mut bytes, 0).unwrap(), bytes.len());
        bytes
    }
}

/// A path of one to three names.
fn path() -> impl Strategy<Value = PathBuf> {
    let name = prop_oneof![
        30 => (0..3usize).prop_map(|n| NAMES[n]),
        4 => Just(NAMES[3]),
        1 => Just(".."),
        1 => Just("."),
        1 => Just(NAMES[4]),
    ];
    // Short ones more often: they are there more often.
    let deep = prop::collection::vec(name, 1..4).prop_map(|names| names.into_iter().collect());
    let shallow = (0..4usize).prop_map(|n| PathBuf::from(NAMES[n]));
    prop_oneof![2 => shallow, 1 => deep]
}

/// Lengths and offsets around the ends of pages.
fn size() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..20u64,
        4090..4100u64,
        8190..8200u64,
        0..20_000u64,
        Just(u64::MAX),
        Just(i64::MAX as u64 - 3),
    ]
}

/// Lengths that a disk in memory can hold.
fn small_size() -> impl Strategy<Value = u64> {
    prop_oneof![0..20u64, 4090..4100u64, 0..20_000u64, Just(u64::MAX)]
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    (any::<u8>(), prop_oneof![0..30usize, 4000..4200usize, 0..9000usize])
        .prop_map(|(byte, len)| vec![byte | 1; len])
}

fn access() -> impl Strategy<Value = Access> {
    prop_oneof![Just(Access::Read), Just(Access::ReadWrite), Just(Access::Append)]
}

pub(crate) fn call() -> impl Strategy<Value = Call> {
    let slot = || 0..HANDLES;
    let mode = || prop_oneof![Just(0o644), Just(0o600), Just(0o755), Just(0o700)];
    let lock = prop_oneof![Just(LockMode::Shared), Just(LockMode::Exclusive)];
    let names = prop_oneof![
        6 => (path(), mode(), slot()).prop_map(|(p, m, s)| Call::Create(p, m, s)),
        6 => (path(), access(), slot()).prop_map(|(p, a, s)| Call::Open(p, a, s)),
        2 => slot().prop_map(Call::Close),
        6 => (path(), mode()).prop_map(|(p, m)| Call::Mkdir(p, m)),
        2 => path().prop_map(Call::Rmdir),
        6 => (path(), path()).prop_map(|(f, t)| Call::Rename(f, t)),
        2 => (path(), path()).prop_map(|(f, t)| Call::RenameNoReplace(f, t)),
        3 => (path(), path()).prop_map(|(f, t)| Call::Exchange(f, t)),
        4 => (path(), path()).prop_map(|(f, t)| Call::Link(f, t)),
        3 => (0..TARGETS.len(), path()).prop_map(|(t, p)| Call::Symlink(TARGETS[t], p)),
        2 => path().prop_map(Call::ReadLink),
        4 => path().prop_map(Call::Unlink),
        3 => path().prop_map(Call::Stat),
        2 => path().prop_map(Call::ReadDir),
        1 => path().prop_map(Call::SyncDir),
    ];
    let files = prop_oneof![
        5 => (slot(), size(), 0..9000usize).prop_map(|(s, o, l)| Call::ReadAt(s, o, l)),
        // No file of exabytes, which only one of the two disks could hold.
        6 => (slot(), 0..20_000u64, bytes()).prop_map(|(s, o, b)| Call::WriteAt(s, o, b)),
        1 => (slot(), bytes()).prop_map(|(s, b)| Call::WriteAt(s, u64::MAX, b)),
        3 => (slot(), small_size()).prop_map(|(s, l)| Call::SetLen(s, l)),
        1 => slot().prop_map(Call::SyncData),
        1 => slot().prop_map(Call::SyncAll),
        3 => slot().prop_map(Call::StatFile),
        1 => (slot(), mode()).prop_map(|(s, m)| Call::SetMode(s, m)),
        1 => (slot(), 0..4_000_000_000u64).prop_map(|(s, t)| Call::SetModified(s, t)),
        2 => (slot(), lock).prop_map(|(s, l)| Call::TryLock(s, l)),
        1 => slot().prop_map(Call::Unlock),
    ];
    prop_oneof![3 => names, 2 => files]
}

/// A directory on tmpfs where there is one.
fn real_root() -> TempDir {
    TempDir::new_in("/dev/shm").unwrap_or_else(|_| TempDir::new().unwrap())
}

fn assert_agree(calls: &[Call]) {
    let sim = SimFs::new();
    assert_agrees(&sim, Path::new("/"), calls);
    let trace = sim.trace();
    let again = trace.image_after(trace.events.len());
    assert_eq!(again.hash(), sim.image().hash(), "the trace does not lead to the same disk");
}

/// Makes the calls below an empty directory of a disk, and below one of the real disk.
#[track_caller]
pub(crate) fn assert_agrees<F: Fs + Clone>(other: &F, root: &Path, calls: &[Call]) {
    let dir = real_root();
    let mut real = World::new(RealFs, dir.path());
    let mut other = World::new(other.clone(), root);
    // So deep that three times `..` does not leave the directory.
    for _ in 0..5 {
        real.root.push("w");
        other.root.push("w");
        real.fs.mkdir(&real.root, 0o755).unwrap();
        other.fs.mkdir(&other.root, 0o755).unwrap();
    }
    for (n, call) in calls.iter().enumerate() {
        let (real, other) = (real.make(call), other.make(call));
        assert_eq!(other, real, "call {n}: {call:?}, the simulated disk on the left");
    }
    let (mut real_tree, mut other_tree) = (Vec::new(), Vec::new());
    real.tree(Path::new(""), &mut real_tree);
    other.tree(Path::new(""), &mut other_tree);
    assert_eq!(other_tree, real_tree);
}

/// Sequences of calls that fail on both disks would agree as well, and show nothing.
#[test]
fn every_kind_of_call_is_answered_well_and_most_kinds_also_badly() {
    let mut runner = TestRunner::deterministic();
    let mut answers: BTreeMap<String, [u32; 2]> = BTreeMap::new();
    for _ in 0..300 {
        let calls = prop::collection::vec(call(), 120).new_tree(&mut runner).unwrap().current();
        let mut world = World::new(SimFs::new(), Path::new("/"));
        for call in calls {
            let kind = format!("{call:?}").split('(').next().unwrap().to_owned();
            match world.make(&call) {
                Answer::Nothing => {}
                Answer::Errno(_) => answers.entry(kind).or_default()[1] += 1,
                _ => answers.entry(kind).or_default()[0] += 1,
            }
        }
    }
    assert!(answers.len() >= 25, "{answers:?}");
    assert!(answers.values().all(|[well, _]| *well >= 50), "{answers:?}");
    assert!(answers.values().filter(|[_, badly]| *badly >= 50).count() >= 16, "{answers:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_call_answers_as_on_the_real_disk(calls in prop::collection::vec(call(), 1..120)) {
        assert_agree(&calls);
    }

    #[test]
    fn appending_and_writing_answer_as_on_the_real_disk(
        steps in prop::collection::vec((any::<bool>(), 0..9000u64, bytes()), 1..20)
    ) {
        let path = PathBuf::from("log");
        let mut calls = vec![
            Call::Create(path.clone(), 0o644, 0),
            Call::Open(path, Access::Append, 1),
        ];
        for (append, offset, bytes) in steps {
            let write = Call::WriteAt(0, offset, bytes.clone());
            calls.push(if append { Call::Append(1, bytes) } else { write });
            calls.push(Call::StatFile(0));
        }
        assert_agree(&calls);
    }
}
