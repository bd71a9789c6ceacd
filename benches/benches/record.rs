//! What a program costs that is recorded, beside the same program on this machine's disk and in memory.
//!
//! `cargo bench -p plugpull-benches --bench record`. The three take turns, round by round, all on one
//! processor, as a recording has it; the time is that of the program, from its start to its end, and
//! not that of the mount. The limits: half the time of the disk, six times that of memory.
//!
//! Needs root and `/dev/fuse`. `git add` syncs what it writes here, which git leaves out unless told.
#![expect(clippy::disallowed_methods, reason = "what is measured does without the seam")]

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use faultfs::{DiskImage, Mount, MountHelper, MountOptions, SimFs};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::{Pid, getuid};
use plugpull::namespace::enter_thread;
use plugpull_benches::{Limit, Pairs, Place, Table};

/// Against the disk.
const DISK: Limit = Limit::Ratio(0.5);

/// Against memory.
const MEMORY: Limit = Limit::Ratio(6.0);

/// Enough for a median.
const ROUNDS: usize = 20;

/// How often all rounds of a program are measured until its limits hold.
const TRIES: usize = 3;

/// The argument with which this bench is the program itself.
const REPLACE: &str = "--replace-loop";

/// Files are replaced so often in one run.
const REPLACED: usize = 500;

/// Files that git adds.
const ADDED: usize = 500;

const TRANSACTIONS: usize = 1000;

/// A program that is measured.
struct Subject {
    name: &'static str,
    /// A program that not every machine has.
    needs: Option<&'static str>,
    /// What is in the directory before it starts.
    prepare: fn(&Path) -> io::Result<()>,
    command: Vec<OsString>,
    /// What it reads from its standard input.
    input: String,
}

fn main() -> io::Result<ExitCode> {
    if std::env::args().any(|arg| arg == REPLACE) {
        return replace_loop().map(|()| ExitCode::SUCCESS);
    }
    if !getuid().is_root() || !Path::new("/dev/fuse").exists() {
        println!("record: not measured, mounting needs root and /dev/fuse");
        return Ok(ExitCode::SUCCESS);
    }
    let (Some(disk), Some(memory)) = (Place::disk()?, Place::tmpfs()?) else {
        return Ok(ExitCode::SUCCESS);
    };
    let cpu = pin()?;
    enter_thread()?;
    let mut table = Table::new("record");
    for subject in subjects()? {
        let wanted = std::env::args().skip(1).filter(|arg| !arg.starts_with('-'));
        let wanted: Vec<_> = wanted.collect();
        if !wanted.is_empty() && !wanted.iter().any(|name| subject.name.contains(name.as_str())) {
            continue;
        }
        // Never ourselves: this bench would start itself again and again.
        if let Some(needed) = subject.needs
            && Command::new(needed).arg("--version").output().is_err()
        {
            println!("{}: not measured, there is no {needed}", subject.name);
            continue;
        }
        let mut measured = measure(&subject, &disk, &memory, cpu)?;
        for _ in 1..TRIES {
            if DISK.holds_for(&measured[0]) && MEMORY.holds_for(&measured[1]) {
                break;
            }
            measured = measure(&subject, &disk, &memory, cpu)?;
        }
        table.add(&format!("{}/disk", subject.name), &measured[0], DISK);
        table.add(&format!("{}/mem", subject.name), &measured[1], MEMORY);
    }
    Ok(table.finish())
}

fn subjects() -> io::Result<Vec<Subject>> {
    let nothing: fn(&Path) -> io::Result<()> = |_| Ok(());
    let own = std::env::current_exe()?.into();
    let sqlite = |name, mode: &str| {
        let mut input = format!("pragma journal_mode = {mode};\ncreate table t(a, b);\n");
        for number in 0..TRANSACTIONS {
            let _ =
                writeln!(input, "insert into t values ({number}, 'some text, and more of it');");
        }
        let command = vec!["sqlite3".into(), "app.db".into()];
        Subject { name, needs: Some("sqlite3"), prepare: nothing, command, input }
    };
    let git = ["git", "-c", "core.fsync=all", "add", "."].map(OsString::from);
    Ok(vec![
        Subject {
            name: "replace",
            needs: None,
            prepare: nothing,
            command: vec![own, REPLACE.into()],
            input: String::new(),
        },
        sqlite("sqlite", "delete"),
        sqlite("sqlite-wal", "wal"),
        Subject {
            name: "git",
            needs: Some("git"),
            prepare: repository,
            command: git.into(),
            input: String::new(),
        },
    ])
}

/// Writes a file beside, makes it durable, and gives it its name, again and again.
fn replace_loop() -> io::Result<()> {
    for number in 0..REPLACED {
        let bytes = [u8::try_from(number % 256).unwrap_or(0); 4096];
        let mut file = File::create("new")?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        std::fs::rename("new", "file")?;
    }
    Ok(())
}

/// A repository with files that it does not know.
fn repository(dir: &Path) -> io::Result<()> {
    let made = Command::new("git").args(["init", "--quiet"]).current_dir(dir).status()?;
    assert!(made.success(), "git init works");
    for number in 0..ADDED {
        std::fs::write(dir.join(format!("file-{number}")), format!("{number}\n").repeat(20))?;
    }
    Ok(())
}

/// The recorded program against the disk, and against memory.
fn measure(subject: &Subject, disk: &Place, memory: &Place, cpu: usize) -> io::Result<[Pairs; 2]> {
    let mut pairs = [Pairs::default(), Pairs::default()];
    let rounds = if std::env::args().any(|arg| arg == "--bench") { ROUNDS } else { 1 };
    for round in 0..rounds {
        let mut took = [Duration::ZERO; 3];
        for turn in 0..3 {
            let side = (round + turn) % 3;
            let dir = [disk, memory, disk][side].join(&format!("{}-{round}-{side}", subject.name));
            std::fs::create_dir(&dir)?;
            (subject.prepare)(&dir)?;
            took[side] = if side < 2 { run(subject, &dir)? } else { record(subject, &dir, cpu)? };
            std::fs::remove_dir_all(&dir)?;
        }
        let [on_disk, in_memory, recorded] = took;
        pairs[0].add(recorded, on_disk);
        pairs[1].add(recorded, in_memory);
    }
    Ok(pairs)
}

/// How long the program takes when it is recorded.
fn record(subject: &Subject, dir: &Path, cpu: usize) -> io::Result<Duration> {
    let disk = SimFs::on_machine_clock(DiskImage::read_in_lazily(dir)?.0);
    let options = MountOptions {
        at: dir.to_owned(),
        cpu: Some(cpu),
        memory: 1 << 32,
        owner: (0, 0),
        helper: MountHelper::Direct,
        allow_other: true,
        name: MountOptions::NAME.to_owned(),
        check_permissions: false,
    };
    let mount = Mount::open(&disk, &options, Box::new(|_| {}))?;
    let took = run(subject, dir);
    mount.close()?;
    took
}

fn run(subject: &Subject, dir: &Path) -> io::Result<Duration> {
    let input = dir.with_extension("sql");
    std::fs::write(&input, &subject.input)?;
    let mut command = Command::new(&subject.command[0]);
    command.args(&subject.command[1..]).current_dir(dir);
    command.stdin(File::open(&input)?).stdout(Stdio::null());
    let start = Instant::now();
    let status = command.status()?;
    let took = start.elapsed();
    assert!(status.success(), "{:?}: {status}", subject.command);
    std::fs::remove_file(input)?;
    Ok(took)
}

/// Lets this thread and what it starts run on one processor, the first that it may.
fn pin() -> io::Result<usize> {
    let allowed = sched_getaffinity(Pid::from_raw(0))?;
    let first = (0..CpuSet::count()).find(|cpu| allowed.is_set(*cpu).unwrap_or(false)).unwrap_or(0);
    let mut one = CpuSet::new();
    one.set(first)?;
    sched_setaffinity(Pid::from_raw(0), &one)?;
    Ok(first)
}
