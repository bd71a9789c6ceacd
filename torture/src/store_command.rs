//! `plugpull store`: the store in a person's hand.
//!
//! Every command runs over a file system that refuses to go on after a Ctrl-C, so that the store's
//! own error path cleans up.

mod operations;
mod pack_place;
mod packs;
mod settings;
mod together;

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use faultfs::{FileKind, Fs, RealFs, Watched};
use plugpull_store::{
    Branch, Commit, Error, Expected, FileEntry, GcOptions, Head, ObjectId, Options, Snapshot,
    Store as StoreOn,
};

use crate::cli::{BranchArgs, StoreArgs, StoreCommand};
use crate::exit::{Exit, Failure};
use crate::signals::{Stdin, Stop};
use crate::store_import;
use crate::timing::stopwatch::Stopwatch;
use crate::timing::table::Timing;

type Disk = Watched<Watched<RealFs, Stopwatch>, Stop>;

type Store = StoreOn<Disk>;

/// What stands before every call: the end by a signal, and the stopwatch.
struct Watch {
    stop: Arc<Stop>,
    stopwatch: Arc<Stopwatch>,
}

/// Runs one of the commands.
pub fn run(args: &StoreArgs) -> Result<Exit, Failure> {
    let stopwatch = Arc::new(Stopwatch::new(args.timing));
    let watch = Watch { stop: Arc::new(Stop::listen()?), stopwatch };
    watch.stopwatch.begin();
    match dispatch(&args.command, &watch) {
        Ok(()) => {
            tell_times(&watch.stopwatch)?;
            Ok(Exit::Clean)
        }
        Err(_) if watch.stop.asked() => {
            eprintln!("plugpull: ended by a signal; what was acknowledged before is stored");
            Ok(Exit::Interrupted)
        }
        Err(failure) => Err(failure),
    }
}

/// Where the time went since the store was open, if it was measured.
fn tell_times(stopwatch: &Stopwatch) -> Result<(), Failure> {
    if let Some(times) = stopwatch.end() {
        let mut timing = Timing::default();
        timing.add(&times);
        timing.write(&mut io::stderr().lock(), "this command, once the store is open,")?;
    }
    Ok(())
}

fn dispatch(command: &StoreCommand, watch: &Watch) -> Result<(), Failure> {
    let stop = &watch.stop;
    let out = &mut io::stdout().lock();
    match command {
        StoreCommand::Init { dir } => init(out, dir, watch),
        StoreCommand::Put { dir, files } => put(out, &open(dir, watch)?, files, stop),
        StoreCommand::Get { dir, id, output } => {
            get(out, &open(dir, watch)?, id.parse()?, output.as_deref())
        }
        StoreCommand::Commit { dir, message, author, branch, paths } => {
            let work = Work { message, author, branch: branch.as_deref(), paths };
            commit(out, &open(dir, watch)?, &work)
        }
        StoreCommand::Import { dir, batch } => {
            store_import::run(out, &mut open(dir, watch)?, &mut Stdin(stop), *batch)
        }
        StoreCommand::Log { dir, from } => log(out, &open(dir, watch)?, from.as_deref()),
        StoreCommand::Branch(args) => branch(out, &open(&args.dir, watch)?, args),
        StoreCommand::FetchPack(args) => packs::fetch(out, &open(&args.dir, watch)?, args),
        StoreCommand::ImportPack { dir, file } => {
            packs::import(out, &open(dir, watch)?, file, stop)
        }
        StoreCommand::SweepPacks { dir, watch: true, packs: place, .. } => {
            packs::watch(out, &open(dir, watch)?, place.as_deref(), stop)
        }
        StoreCommand::SweepPacks { dir, dead, packs: place, .. } => {
            packs::sweep(out, &open(dir, watch)?, place.as_deref(), *dead)
        }
        StoreCommand::Leases { dir } => packs::leases(out, &open(dir, watch)?),
        StoreCommand::MergeState(args) => {
            together::merge_state(out, &open(&args.dir, watch)?, args)
        }
        StoreCommand::Checkout(args) => operations::checkout(out, &open(&args.dir, watch)?, args),
        StoreCommand::ConcludeMerge { dir, branch, commit } => {
            operations::conclude_merge(&open(dir, watch)?, branch, commit)
        }
        StoreCommand::Config(args) => settings::config(out, &open(&args.dir, watch)?, args),
        StoreCommand::Remote(args) => settings::remote(out, &open(&args.dir, watch)?, args),
        StoreCommand::RebaseState(args) => {
            together::rebase_state(out, &open(&args.dir, watch)?, args)
        }
        StoreCommand::Reserve(args) => together::reserve(out, &open(&args.dir, watch)?, args),
        StoreCommand::Intend { dir, reservation, operation, detail, addresses } => {
            let store = open(dir, watch)?;
            let (intent, _receipt) = store.intend(reservation, addresses, operation, detail)?;
            Ok(writeln!(out, "{}", intent.intent_id)?)
        }
        StoreCommand::Release { dir, id } => together::release(&open(dir, watch)?, id),
        StoreCommand::Reservations { dir, address, sweep } => {
            together::reservations(out, &open(dir, watch)?, address.as_deref(), *sweep)
        }
        StoreCommand::Oplog(args) => together::oplog(out, &open(&args.dir, watch)?, args),
        StoreCommand::Gc { dir, grace, dry_run } => {
            gc(out, open(dir, watch)?, GcOptions { grace: *grace, dry_run: *dry_run })
        }
    }
}

fn file_system(watch: &Watch) -> Disk {
    let timed = Watched::new(RealFs, Arc::clone(&watch.stopwatch));
    Watched::new(timed, Arc::clone(&watch.stop))
}

fn open(dir: &Path, watch: &Watch) -> Result<Store, Failure> {
    let store = Store::open_on(file_system(watch), dir, Options::default())?;
    let recovery = store.recovery();
    if !recovery.orphans.is_empty() {
        eprintln!("removed {} temps of dead writers", recovery.orphans.len());
    }
    if recovery.log_cut > 0 {
        eprintln!("cut {} bytes of a torn record off the operation log", recovery.log_cut);
    }
    if recovery.condemned > 0 {
        eprintln!("finished an interrupted gc: {} objects deleted", recovery.condemned);
    }
    if recovery.operation {
        eprintln!("finished the operation of a process that died");
    }
    if let Some(why) = &recovery.unfinished {
        eprintln!("an operation could not be finished: {why}; if it never can, give it up with");
        eprintln!("  plugpull store checkout {} --abandon", dir.display());
    }
    if !recovery.packs.is_empty() {
        eprintln!("deleted {} packs whose time was over", recovery.packs.len());
    }
    if !recovery.undeleted.is_empty() {
        eprintln!(
            "{} packs could not be deleted; see `plugpull store leases`",
            recovery.undeleted.len()
        );
    }
    watch.stopwatch.begin();
    Ok(store)
}

fn init(out: &mut dyn Write, dir: &Path, watch: &Watch) -> Result<(), Failure> {
    Store::init_on(file_system(watch), dir, Options::default())?;
    Ok(writeln!(out, "store ready in {}", dir.display())?)
}

fn put(out: &mut dyn Write, store: &Store, files: &[PathBuf], stop: &Stop) -> Result<(), Failure> {
    for file in files {
        let put = if file.as_os_str() == "-" {
            store.put_from_reader(&mut Stdin(stop), Path::new("standard input"))?
        } else {
            store.put_from_path(file)?
        };
        writeln!(out, "{}", put.id)?;
    }
    Ok(())
}

fn get(
    out: &mut dyn Write,
    store: &Store,
    id: ObjectId,
    output: Option<&Path>,
) -> Result<(), Failure> {
    let found = match output {
        Some(path) => store.restore(&id, path, false)?.is_some(),
        None => match store.reader(&id)? {
            None => false,
            Some(mut reader) => {
                copy(&mut reader, out)?;
                true
            }
        },
    };
    if found { Ok(()) } else { Err(Failure::Usage(format!("there is no object {id}"))) }
}

/// Copies an object to the output; a hash that does not fit shows only at the end.
fn copy(reader: &mut dyn Read, out: &mut dyn Write) -> Result<(), Failure> {
    let mut buf = vec![0; 128 * 1024];
    loop {
        let n = reader.read(&mut buf).map_err(corrupt_or_system)?;
        if n == 0 {
            return Ok(out.flush()?);
        }
        out.write_all(&buf[..n])?;
    }
}

/// The reader hands a store error through `io::Error`; takes it out again.
fn corrupt_or_system(error: io::Error) -> Failure {
    match error.downcast::<Error>() {
        Ok(error) => error.into(),
        Err(error) => Failure::system("read an object", error),
    }
}

/// What `plugpull store commit` was asked for.
struct Work<'a> {
    message: &'a str,
    author: &'a str,
    branch: Option<&'a str>,
    paths: &'a [PathBuf],
}

fn commit(out: &mut dyn Write, store: &Store, work: &Work<'_>) -> Result<(), Failure> {
    let branch = match work.branch {
        Some(name) => Branch::new(name)?,
        None => branch_of_head(store)?,
    };
    let _pin = store.pin()?;
    let mut snapshot = Snapshot::default();
    for path in work.paths {
        add(store, &mut snapshot, path)?;
    }
    let snapshot = store.put_snapshot(&snapshot)?.id;
    let parent = store.read_branch(&branch)?;
    let time = seconds_since_epoch(RealFs.now());
    let commit = Commit::new(parent, snapshot, work.author, work.message, time);
    let commit = store.put_commit(&commit)?.id;
    let expected = parent.map_or(Expected::Absent, Expected::At);
    let _receipt = store.update_branch(&branch, commit, expected)?;
    Ok(writeln!(out, "{commit}")?)
}

fn branch_of_head(store: &Store) -> Result<Branch, Failure> {
    match store.head()? {
        Some(Head::Branch(branch)) => Ok(branch),
        Some(Head::Detached(_)) => {
            Err(Failure::Usage("HEAD names no branch; say which with --branch".to_owned()))
        }
        None => Err(Failure::Usage("HEAD is missing; say which branch with --branch".to_owned())),
    }
}

/// Puts a file, or all files below a directory, under the path as it was given.
fn add(store: &Store, snapshot: &mut Snapshot, path: &Path) -> Result<(), Failure> {
    let metadata = RealFs.metadata(path).map_err(|source| Error::Io {
        op: "find",
        path: path.to_owned(),
        source,
    })?;
    if metadata.kind == FileKind::Dir {
        let entries = RealFs.read_dir(path);
        let entries =
            entries.map_err(|e| Failure::system(format!("list {}", path.display()), e))?;
        return entries.iter().try_for_each(|entry| add(store, snapshot, &path.join(&entry.name)));
    }
    let name = path.strip_prefix("./").unwrap_or(path).to_str();
    let name = name.ok_or_else(|| Failure::Usage(format!("{} is not UTF-8", path.display())))?;
    let id = store.put_from_path(path)?.id;
    snapshot.set(name, FileEntry { executable: metadata.mode & 0o111 != 0, id })?;
    Ok(())
}

fn log(out: &mut dyn Write, store: &Store, from: Option<&str>) -> Result<(), Failure> {
    let mut next = tip(store, from)?;
    while let Some(id) = next {
        let missing = || Error::Dangling { from: "the history".to_owned(), what: "commit", id };
        let commit = store.read_commit(&id)?.ok_or_else(missing)?;
        let seconds = u64::try_from(commit.time).unwrap_or(0);
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let time = humantime::format_rfc3339_seconds(time);
        writeln!(out, "{id}\n    {time}  {}", commit.author)?;
        for line in commit.message.lines() {
            writeln!(out, "    {line}")?;
        }
        next = commit.parents.first().copied();
    }
    Ok(())
}

/// The commit that a branch name, an id or HEAD leads to; `None` for a branch without a commit.
fn tip(store: &Store, from: Option<&str>) -> Result<Option<ObjectId>, Failure> {
    let Some(from) = from else {
        return match store.head()? {
            Some(Head::Detached(id)) => Ok(Some(id)),
            _ => Ok(store.read_branch(&branch_of_head(store)?)?),
        };
    };
    if let Ok(id) = from.parse() {
        return Ok(Some(id));
    }
    let tip = store.read_branch(&Branch::new(from)?)?;
    let tip = tip.ok_or_else(|| Failure::Usage(format!("there is no branch {from:?}")))?;
    Ok(Some(tip))
}

fn branch(out: &mut dyn Write, store: &Store, args: &BranchArgs) -> Result<(), Failure> {
    let Some(name) = &args.name else {
        for (branch, id) in store.branches()? {
            writeln!(out, "{id} {branch}")?;
        }
        return Ok(());
    };
    let branch = Branch::new(name)?;
    let there = store.read_branch(&branch);
    let absent = || Failure::Usage(format!("there is no branch {name:?}"));
    if args.delete {
        let expected = match expected_of(args)? {
            Some(expected) => expected,
            None => Expected::At(there?.ok_or_else(absent)?),
        };
        return store.delete_branch(&branch, expected)?.map(|_| ()).ok_or_else(absent);
    }
    let Some(commit) = &args.commit else {
        return Ok(writeln!(out, "{}", there?.ok_or_else(absent)?)?);
    };
    let expected = expected_of(args)?.unwrap_or(Expected::Absent);
    let _receipt = store.update_branch(&branch, commit.parse()?, expected)?;
    Ok(())
}

fn expected_of(args: &BranchArgs) -> Result<Option<Expected>, Failure> {
    if args.force {
        return Ok(Some(Expected::Force));
    }
    Ok(args.expect.as_deref().map(str::parse).transpose()?.map(Expected::At))
}

fn gc(out: &mut dyn Write, mut store: Store, options: GcOptions) -> Result<(), Failure> {
    let report = store.gc(options)?;
    let verb = if options.dry_run { "would delete" } else { "deleted" };
    writeln!(
        out,
        "{verb} {} objects ({} bytes), kept {}",
        report.deleted, report.deleted_bytes, report.kept
    )?;
    Ok(())
}

/// Whole seconds since 1970, negative before.
fn seconds_since_epoch(time: SystemTime) -> i64 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_secs()).map_or(i64::MIN, |s| -s),
    }
}
