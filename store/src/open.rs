//! Making a store and opening one.
//!
//! `init` writes the format file last: a directory is a store when everything in it is durable, and
//! an interrupted `init` is simply run again. `open` checks the format and the skeleton, finishes an
//! interrupted garbage collection, cuts what was never acknowledged off the operation log, removes
//! temps whose owner is dead, and finishes the operation over several files that it was at.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use faultfs::{Access, FileKind, Fs, FsFile, RealFs};

use crate::atomic::{DIR_MODE, make_dirs, write_if_absent, written_temp};
use crate::barrier::Barrier;
use crate::disk::{Disk, is_there};
use crate::durability::Durability;
use crate::error::{At, Error, Result, found};
use crate::group::{Commits, Mistake};
use crate::head::Head;
use crate::layout::{FORMAT, Layout, STATE_TEMP, is_temp};
use crate::name::Branch;
use crate::oplog::Tail;
use crate::pack::PackKey;
use crate::pin::Pins;
use crate::planted::{Bug, Planted};
use crate::shards::Shards;

/// First line of the format file, before the version number.
const FORMAT_LINE: &str = "plugpull-store ";

/// Longest format file or ref that is read; anything longer is corrupt.
pub(crate) const MAX_STATE: usize = 4096;

/// The branch that HEAD of a new store names.
const FIRST_BRANCH: &str = "main";

/// How a store is opened.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// What happens when a barrier fails.
    pub durability: Durability,
    pub(crate) planted: Planted,
}

impl Options {
    /// With this durability.
    pub fn durability(durability: Durability) -> Self {
        Self { durability, ..Self::default() }
    }

    /// With a deliberate mistake, for tests of the harness.
    #[cfg(feature = "planted")]
    #[must_use]
    pub fn planted(mut self, bug: Bug) -> Self {
        self.planted = self.planted.with(bug);
        self
    }

    /// Whether this mistake is switched on, for those that are not made by the store.
    #[cfg(feature = "planted")]
    #[must_use]
    pub fn is_planted(self, bug: Bug) -> bool {
        self.planted.has(bug)
    }

    /// Without one barrier, and all else as it is; may be called for several.
    #[cfg(feature = "planted")]
    #[must_use]
    pub fn without(mut self, barrier: Barrier) -> Self {
        self.planted = self.planted.without(barrier);
        self
    }
}

impl From<Durability> for Options {
    fn from(durability: Durability) -> Self {
        Self::durability(durability)
    }
}

/// An open store. All operations take `&self` and may run on many threads, except a garbage
/// collection, which waits for every pin and so must not hold one itself.
pub struct Store<F: Fs = RealFs> {
    fs: F,
    layout: Layout,
    options: Options,
    pins: Pins<F::File>,
    commits: Commits<F>,
    recovery: Recovery,
    /// The end of the operation log as this store left it, all of it durable.
    log_tail: Mutex<Option<Tail>>,
}

/// What opening a store had to mend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Temps of dead writers that were removed.
    pub orphans: Vec<PathBuf>,
    /// Objects that an interrupted garbage collection had left to delete.
    pub condemned: u64,
    /// Packs in the store's own directory whose time was over, and which are gone.
    pub packs: Vec<PackKey>,
    /// Those that could not be deleted; a later sweep tries again.
    pub undeleted: Vec<PackKey>,
    /// Whether the operation of a process that died was finished.
    pub operation: bool,
    /// Why it could not be: it stays recorded, and a later open tries again.
    pub unfinished: Option<String>,
    /// Bytes of a record that was never acknowledged, which were cut off the operation log.
    pub log_cut: u64,
}

impl Store<RealFs> {
    /// Makes a store in `dir` (created if missing, else empty), or puts back what is missing of one and
    /// raises it to the format of this program, and opens it. A program that knows only the older
    /// format must not have it open meanwhile.
    pub fn init(dir: &Path, options: Options) -> Result<Self> {
        Self::init_on(RealFs, dir, options)
    }

    /// Opens the store in `dir`.
    pub fn open(dir: &Path, options: Options) -> Result<Self> {
        Self::open_on(RealFs, dir, options)
    }
}

impl<F: Fs> Store<F> {
    /// [`Store::init`] on any file system.
    pub fn init_on(fs: F, dir: &Path, options: Options) -> Result<Self> {
        let layout = Layout::new(dir);
        let disk = Disk::new(&fs, options);
        make_dirs(disk, dir, Barrier::StoreParents)?;
        let is_store = is_there(&fs, &layout.format())?;
        let format = if is_store { Some(read_format(&fs, &layout)?) } else { None };
        if format.is_none() {
            refuse_foreign(&fs, &layout)?;
        }
        make_skeleton(disk, &layout)?;
        let head = Head::Branch(Branch::new(FIRST_BRANCH)?).text();
        write_if_absent(disk, &layout.head(), head.as_bytes(), Barrier::FirstHeadFile)?;
        disk.sync_dir(Barrier::FirstHeadDir, dir)?;
        if format != Some(FORMAT) {
            let line = format_line(FORMAT);
            let (mut temp, _) =
                written_temp(disk, &layout.format(), line.as_bytes(), None, Barrier::FormatFile)?;
            temp.rename(&layout.format())?;
        }
        Self::open_on(fs, dir, options)
    }

    /// [`Store::open`] on any file system.
    pub fn open_on(fs: F, dir: &Path, options: Options) -> Result<Self> {
        let layout = Layout::new(dir);
        check_format(&fs, &layout)?;
        let shards = Shards::look_from_above(&fs, &layout)?;
        if let Some((path, found)) = shards.faults.into_iter().next() {
            return Err(Error::Skeleton { path, found: found.to_owned() });
        }
        // The format is the last that an init writes, and that may have been killed before this barrier.
        Disk::new(&fs, options).sync_dir(Barrier::FormatDir, dir)?;
        let pins = Pins::open(&fs, &layout)?;
        let recovery = Recovery::default();
        let commits = Commits::<F>::new(Mistake::default());
        let log_tail = Mutex::default();
        let mut store = Self { fs, layout, options, pins, commits, recovery, log_tail };
        store.recovery.condemned = store.finish_condemned()?;
        store.recovery.log_cut = store.mend_log()?;
        store.recovery.orphans = store.sweep(shards.temps)?;
        match store.finish_operation() {
            Ok(finished) => store.recovery.operation = finished,
            Err(error) => store.recovery.unfinished = Some(error.to_string()),
        }
        let swept = store.sweep_packs_at_open()?;
        (store.recovery.packs, store.recovery.undeleted) = (swept.deleted, swept.failed);
        Ok(store)
    }

    /// What this open had to mend.
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// Where everything lies.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(crate) fn fs(&self) -> &F {
        &self.fs
    }

    /// What its writes are handed.
    pub(crate) fn disk(&self) -> Disk<'_, F> {
        Disk::new(&self.fs, self.options)
    }

    /// Whether a deliberate mistake is switched on.
    pub(crate) fn has(&self, bug: Bug) -> bool {
        self.options.planted.has(bug)
    }

    /// It is right whenever the mutex is free, so a panic elsewhere does not spoil it.
    pub(crate) fn log_tail(&self) -> MutexGuard<'_, Option<Tail>> {
        self.log_tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where commits of several threads meet.
    pub(crate) fn commits(&self) -> &Commits<F> {
        &self.commits
    }

    pub(crate) fn pins(&self) -> &Pins<F::File> {
        &self.pins
    }
}

/// Fails unless `root` holds a store of the format of this program.
pub(crate) fn check_format<F: Fs>(fs: &F, layout: &Layout) -> Result<()> {
    match read_format(fs, layout)? {
        FORMAT => Ok(()),
        found => Err(Error::OlderFormat { path: layout.root().to_owned(), found, needed: FORMAT }),
    }
}

/// The format of the store in `root`, of those that this program knows.
fn read_format<F: Fs>(fs: &F, layout: &Layout) -> Result<u32> {
    let path = layout.format();
    let not_a_store =
        |why: &str| Error::NotAStore { path: layout.root().to_owned(), why: why.to_owned() };
    let bytes = match read_state(fs, &path) {
        Ok(Some(bytes)) => bytes,
        Ok(None) if !is_there(fs, layout.root())? => {
            return Err(not_a_store("there is no such directory"));
        }
        Ok(None) => return Err(not_a_store("it has no file `format`")),
        Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotADirectory => {
            return Err(not_a_store("it is not a directory"));
        }
        Err(e) => return Err(e),
    };
    let version = std::str::from_utf8(&bytes)
        .ok()
        .and_then(|text| text.strip_prefix(FORMAT_LINE)?.strip_suffix('\n')?.parse().ok())
        .filter(|version| format_line(*version).as_bytes() == bytes);
    match version {
        Some(version @ 1..=FORMAT) => Ok(version),
        Some(found) if found > FORMAT => Err(Error::NewerFormat { path, found, supported: FORMAT }),
        _ => Err(Error::Corrupt { path, problem: "it is not a format line".to_owned() }),
    }
}

fn format_line(version: u32) -> String {
    format!("{FORMAT_LINE}{version}\n")
}

/// Reads a small state file; `None` when absent, an error when it is longer than any can be.
pub(crate) fn read_state<F: Fs>(fs: &F, path: &Path) -> Result<Option<Vec<u8>>> {
    let Some(file) = found(fs.open(path, Access::Read)).at("open", path)? else {
        return Ok(None);
    };
    let mut bytes = vec![0; MAX_STATE + 1];
    let n = file.read_full_at(&mut bytes, 0).at("read", path)?;
    if n > MAX_STATE {
        let problem = format!("it is longer than {MAX_STATE} bytes");
        return Err(Error::Corrupt { path: path.to_owned(), problem });
    }
    bytes.truncate(n);
    Ok(Some(bytes))
}

/// Reads a state file that may be long; `None` when absent, an error when it is longer than `most`.
pub(crate) fn read_up_to<F: Fs>(fs: &F, path: &Path, most: u64) -> Result<Option<Vec<u8>>> {
    let Some(file) = found(fs.open(path, Access::Read)).at("open", path)? else {
        return Ok(None);
    };
    let len = file.metadata().at("stat", path)?.len;
    if len > most {
        let problem = format!("it is longer than {most} bytes");
        return Err(Error::Corrupt { path: path.to_owned(), problem });
    }
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
    let n = file.read_full_at(&mut bytes, 0).at("read", path)?;
    bytes.truncate(n);
    Ok(Some(bytes))
}

/// A place where a directory or lock file of the store should be, and what is there instead.
pub(crate) type Fault = (PathBuf, &'static str);

/// The directories among these that are none.
pub(crate) fn dir_faults<F: Fs>(
    fs: &F,
    dirs: impl IntoIterator<Item = PathBuf>,
) -> Result<Vec<Fault>> {
    let fault = |path: PathBuf| match fs.metadata(&path) {
        // What stands in place of the directory above is told by itself.
        Err(e) if e.kind() == io::ErrorKind::NotADirectory => Ok(Some((path, describe(None)))),
        metadata => match found(metadata).at("stat", &path)?.map(|m| m.kind) {
            Some(FileKind::Dir) => Ok(None),
            other => Ok(Some((path, describe(other)))),
        },
    };
    dirs.into_iter().filter_map(|dir| fault(dir).transpose()).collect()
}

pub(crate) fn describe(kind: Option<FileKind>) -> &'static str {
    match kind {
        None => "it is missing",
        Some(FileKind::Dir) => "a directory stands there",
        Some(FileKind::File) => "a regular file stands there",
        Some(FileKind::Symlink) => "a symbolic link stands there",
        Some(FileKind::Other) => "a FIFO, socket or device stands there",
    }
}

/// Makes what is missing of the directories and lock files, and makes all of it durable: what is
/// there may be from an `init` that was killed before its barrier.
fn make_skeleton<F: Fs>(disk: Disk<'_, F>, layout: &Layout) -> Result<()> {
    let fs = disk.fs;
    let dirs: Vec<_> = layout.upper_dirs().into_iter().chain(layout.shards()).collect();
    for dir in &dirs {
        match fs.mkdir(dir, DIR_MODE) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                let kind = fs.metadata(dir).at("stat", dir)?.kind;
                if kind != FileKind::Dir {
                    let found = describe(Some(kind)).to_owned();
                    return Err(Error::Skeleton { path: dir.clone(), found });
                }
            }
            made => made.at("create directory", dir)?,
        }
    }
    for path in layout.lock_files() {
        match fs.create_new(&path, 0o666) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            made => drop(made.at("create", &path)?),
        }
    }
    let parents: BTreeSet<_> = dirs.iter().filter_map(|dir| dir.parent()).collect();
    for dir in parents.into_iter().chain([layout.locks().as_path()]) {
        disk.sync_dir(Barrier::Skeleton, dir)?;
    }
    Ok(())
}

/// An `init` may go on where an earlier one was interrupted, but not into somebody's files.
fn refuse_foreign<F: Fs>(fs: &F, layout: &Layout) -> Result<()> {
    const OURS: [&str; 11] = [
        "HEAD",
        "coordination",
        "leases",
        "locks",
        "objects",
        "operations",
        "oplog",
        "packs",
        "quarantine",
        "refs",
        "restores",
    ];
    let entries = fs.read_dir(layout.root()).at("list", layout.root())?;
    let foreign = entries.into_iter().find(|entry| {
        !is_temp(&entry.name, STATE_TEMP) && !OURS.iter().any(|ours| entry.name == *ours)
    });
    match foreign {
        None => Ok(()),
        Some(entry) => Err(Error::NotEmpty {
            path: layout.root().to_owned(),
            found: entry.name.to_string_lossy().into_owned(),
        }),
    }
}
