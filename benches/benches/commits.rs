//! Whole commits, durable before they are acknowledged, beside git, sqlite3 and redb on the same disk.
//!
//! `cargo bench -p plugpull-benches --bench commits`; on another disk with `PLUGPULL_BENCH_DIR=/mnt/disk`.
//! A commit is one file of 1 KiB with a message: for git `commit -a` with `core.fsync=all`, for
//! sqlite3 a transaction of three rows with `synchronous=FULL` (with its rollback journal, and with a
//! write-ahead log), for redb a write transaction of the same. Every row is measured in turns with the
//! store. Limits: three times as many commits as git; with 16 threads three times as many as with one; and an import
//! of 1,000 commits a batch ten times as many as a loop of `git commit`.
//!
//! `PLUGPULL_BENCH_LONG=1` imports 10,000 commits instead of 2,000.
#![expect(clippy::disallowed_methods, reason = "measuring is what a bench is for")]

use std::io::{self, BufRead, BufReader, Write as _};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use plugpull_benches::{Limit, Pairs, Place, Table};
use plugpull_store::{Branch, Change, CommitRequest, Imported, ObjectId, Options, Store};
use redb::{Database, TableDefinition};

const THREE_TIMES: Limit = Limit::Ratio(1.0 / 3.0);
const TEN_TIMES: Limit = Limit::Ratio(0.1);

/// Times are per commit.
const ONE: (u32, &str) = (1, "commits");

/// Pairs of each comparison.
const PAIRS: usize = 24;

/// Commits of each thread in one pair.
const EACH: usize = 8;

const TIME: i64 = 1_767_225_600;

fn main() -> io::Result<ExitCode> {
    let mut table = Table::new("one commit");
    // Only `cargo bench` measures; `cargo test --benches` looks whether it runs.
    let pairs = if std::env::args().any(|word| word == "--bench") { PAIRS } else { 1 };
    if let Some(place) = Place::disk()? {
        let ours = Ours::create(&place.join("store"))?;
        let git = Git::create(&place.join("git"))?;
        let round = || alone(pairs, || ours.one(0), || git.commit());
        table.add_rate("beside git", &THREE_TIMES.best(round), THREE_TIMES, ONE);
        for (name, mode) in [("sqlite full", "DELETE"), ("sqlite wal", "WAL")] {
            let mut sqlite = Sqlite::create(&place.join(mode), mode)?;
            let beside = alone(pairs, || ours.one(0), || sqlite.commit());
            table.add_rate(name, &beside, Limit::Nothing, ONE);
        }
        let redb = Redb::create(&place.join("redb"))?;
        let beside = alone(pairs, || ours.one(0), || redb.commit());
        table.add_rate("redb", &beside, Limit::Nothing, ONE);
        let many = |threads| move |ours: &Ours| ours.together(threads);
        let round = || alone(pairs, || many(16)(&ours), || ours.together(1));
        table.add_rate("16 beside 1", &THREE_TIMES.best(round), THREE_TIMES, ONE);
        let four = alone(pairs, || many(4)(&ours), || ours.together(1));
        table.add_rate("4 beside 1", &four, Limit::Nothing, ONE);
        let redb_16 = alone(pairs, || many(16)(&ours), || redb.together(16));
        table.add_rate("16, redb", &redb_16, Limit::Nothing, ONE);
        import(&place, &git, pairs, &mut table)?;
    }
    Ok(table.finish())
}

/// Pairs of times per commit.
fn alone(
    count: usize,
    mut store: impl FnMut() -> Duration,
    mut raw: impl FnMut() -> Duration,
) -> Pairs {
    let mut pairs = Pairs::default();
    for n in 0..count {
        if n % 2 == 0 {
            let store = store();
            pairs.add(store, raw());
        } else {
            let raw = raw();
            pairs.add(store(), raw);
        }
    }
    pairs
}

fn time(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// 1 KiB that no other number has.
fn content(n: u64) -> Vec<u8> {
    let mut bytes = vec![b'.'; 1024];
    bytes[..20].copy_from_slice(format!("{n:020}").as_bytes());
    bytes
}

static NEXT: AtomicU64 = AtomicU64::new(0);

fn next() -> u64 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The store, with a branch for each thread.
struct Ours {
    store: Store,
}

impl Ours {
    fn create(dir: &Path) -> io::Result<Self> {
        let store = Store::init(dir, Options::default()).map_err(io::Error::other)?;
        Ok(Self { store })
    }

    fn commit(&self, thread: usize) {
        let branch = Branch::new(&format!("thread-{thread}")).expect("it is a name");
        let parent = self.store.read_branch(&branch).expect("it can be read");
        let bytes = content(next());
        let request = CommitRequest {
            branch: &branch,
            parent,
            merged: &[],
            files: vec![("file", bytes.as_slice().into())],
            author: "bench",
            message: "a commit",
            time: TIME,
        };
        let _: ObjectId = self.store.commit(&request).expect("the store takes a commit").id;
    }

    fn one(&self, thread: usize) -> Duration {
        time(|| self.commit(thread))
    }

    /// So many threads at once; the time per commit.
    fn together(&self, threads: usize) -> Duration {
        per_commit(threads, &|thread| self.commit(thread))
    }
}

fn per_commit(threads: usize, commit: &(dyn Fn(usize) + Sync)) -> Duration {
    let each = if threads == 1 { 2 * EACH } else { EACH };
    let took = time(|| {
        std::thread::scope(|scope| {
            for thread in 0..threads {
                scope.spawn(move || (0..each).for_each(|_| commit(thread)));
            }
        });
    });
    took / u32::try_from(threads * each).unwrap_or(u32::MAX)
}

struct Git(PathBuf);

impl Git {
    fn create(dir: &Path) -> io::Result<Self> {
        let git = Self(dir.to_owned());
        std::fs::create_dir(dir)?;
        git.run(&["init", "-q", "-b", "main"])?;
        std::fs::write(dir.join("file"), b"first")?;
        git.run(&["add", "file"])?;
        Ok(git)
    }

    fn command(&self) -> Command {
        let mut command = Command::new("git");
        command.current_dir(&self.0).args(["-c", "core.fsync=all", "-c", "core.fsyncMethod=fsync"]);
        command.args(["-c", "user.name=bench", "-c", "user.email=bench@localhost"]);
        command.args(["-c", "gc.auto=0", "-c", "maintenance.auto=false"]);
        command
    }

    fn run(&self, args: &[&str]) -> io::Result<()> {
        let ended = self.command().args(args).status()?;
        if ended.success() { Ok(()) } else { Err(io::Error::other("git failed")) }
    }

    fn commit(&self) -> Duration {
        std::fs::write(self.0.join("file"), content(next())).expect("the disk takes a file");
        time(|| self.run(&["commit", "-q", "-a", "-m", "a commit"]).expect("git commits"))
    }

    /// `git fast-import` of so many commits into one pack, durable at its end.
    fn fast_import(&self, count: u64) -> io::Result<Duration> {
        let mut child = self
            .command()
            .args(["fast-import", "--quiet", "--force"])
            .stdin(Stdio::piped())
            .spawn()?;
        let start = Instant::now();
        let mut input = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
        for _ in 0..count {
            write!(input, "commit refs/heads/imported\ncommitter b <b@l> {TIME} +0000\ndata 8\n")?;
            write!(input, "a commit\nM 100644 inline file\ndata 1024\n")?;
            input.write_all(&content(next()))?;
            writeln!(input)?;
        }
        drop(input);
        child.wait()?;
        Ok(start.elapsed() / u32::try_from(count).unwrap_or(u32::MAX))
    }
}

/// One sqlite3 process that is told one transaction after the other.
struct Sqlite {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Sqlite {
    fn create(path: &Path, mode: &str) -> io::Result<Self> {
        let mut command = Command::new("sqlite3");
        command.arg(path).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let input = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let output = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut sqlite = Self { child, input, output: BufReader::new(output) };
        writeln!(sqlite.input, "PRAGMA journal_mode={mode};")?;
        sqlite.answer()?;
        sqlite.tell(
            "PRAGMA synchronous=FULL;
             CREATE TABLE blobs(id INTEGER PRIMARY KEY, bytes);
             CREATE TABLE commits(id INTEGER PRIMARY KEY, message, parent);
             CREATE TABLE branches(name PRIMARY KEY, tip);",
        )?;
        Ok(sqlite)
    }

    fn answer(&mut self) -> io::Result<()> {
        self.output.read_line(&mut String::new()).map(|_| ())
    }

    fn tell(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.input, "{text}\nSELECT 1;")?;
        self.answer()
    }

    fn commit(&mut self) -> Duration {
        let n = next();
        let bytes = String::from_utf8(content(n)).expect("it is text");
        let text = format!(
            "BEGIN; INSERT INTO blobs VALUES({n}, '{bytes}');
             INSERT INTO commits VALUES({n}, 'a commit', {n});
             INSERT OR REPLACE INTO branches VALUES('main', {n}); COMMIT;"
        );
        time(|| self.tell(&text).expect("sqlite3 answers"))
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Redb(Database);

const BLOBS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("blobs");
const COMMITS: TableDefinition<'_, u64, &str> = TableDefinition::new("commits");
const BRANCHES: TableDefinition<'_, &str, u64> = TableDefinition::new("branches");

impl Redb {
    fn create(path: &Path) -> io::Result<Self> {
        Database::create(path).map(Self).map_err(io::Error::other)
    }

    fn try_commit(&self) -> Result<(), redb::Error> {
        let n = next();
        let transaction = self.0.begin_write()?;
        transaction.open_table(BLOBS)?.insert(n, content(n).as_slice())?;
        transaction.open_table(COMMITS)?.insert(n, "a commit")?;
        transaction.open_table(BRANCHES)?.insert("main", n)?;
        Ok(transaction.commit()?)
    }

    fn commit(&self) -> Duration {
        time(|| self.try_commit().expect("redb commits"))
    }

    fn together(&self, threads: usize) -> Duration {
        per_commit(threads, &|_| self.try_commit().expect("redb commits"))
    }
}

/// Imports, per commit, each beside one `git commit`; and `git fast-import` once.
fn import(place: &Place, git: &Git, pairs: usize, table: &mut Table) -> io::Result<()> {
    let long = std::env::var_os("PLUGPULL_BENCH_LONG").is_some();
    let count = if long { 10_000 } else { 2_000 };
    let dir = place.join("imported");
    let mut store = Store::init(&dir, Options::default()).map_err(io::Error::other)?;
    let batch = NonZeroUsize::new(1000).unwrap_or(NonZeroUsize::MIN);
    let took = time(|| {
        let commits = (0..count).map(|_| Ok(imported(next())));
        let report = store.import_commits(commits, batch, &mut |_| ());
        assert_eq!(report.expect("the store imports").commits, count);
    });
    let each = took / u32::try_from(count).unwrap_or(u32::MAX);
    let beside = alone(pairs, || each, || git.commit());
    table.add_rate("import", &beside, TEN_TIMES, ONE);
    let fast = git.fast_import(count)?;
    table.add_rate("fast-import", &alone(pairs, || each, || fast), Limit::Nothing, ONE);
    println!("import: {count} commits in {took:?}");
    Ok(())
}

fn imported(n: u64) -> Imported {
    let change = Change::Set { executable: false, bytes: content(n) };
    Imported {
        branch: Branch::new("imported").expect("it is a name"),
        changes: [("file".to_owned(), change)].into(),
        author: "bench".to_owned(),
        message: "a commit".to_owned(),
        time: TIME,
    }
}
