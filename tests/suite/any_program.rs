//! Any program under `plugpull check`, `record`, `explore`, `replay` and `doctor`, as a user starts them.
//!
//! Whatever a run is given, it ends in time, with the exit code and the words that say what to do, and
//! leaves nothing: no mount, no process, and not one byte of the user's directory changed. Every run here
//! is held to that. Not for what a crash may leave (`litmus`, `findings`).

mod checkers;
mod ends;
mod findings;
mod machines;
mod options;
mod programs;
mod recrash;
mod requests;
mod shards;
mod starts;
mod torture;

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::machine::{is_root, not_measured, open_to_all};
use crate::program::{Ended, PLUGPULL};

/// A run that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(40);

/// Saves a value with a rename, two times, and says so; no barrier at all.
const CARELESS: &str = "for n in 1 2; do echo value $n > f.tmp; mv f.tmp f; echo $n; done";

/// The same as it should be.
const CAREFUL: &str =
    "for n in 1 2; do echo value $n > f.tmp; sync f.tmp; mv f.tmp f; sync .; echo $n; done";

/// What was promised is there, in full.
const PROMISED: &str = "last=$(tail -n 1 $PLUGPULL_MARKS); read word n < f; \
    test \"$word\" = value && test \"$n\" -ge \"${last:-0}\" && exit 0; \
    echo \"f holds '$(cat f)', promised ${last:-0}\"; exit 1";

/// A user's directory, and what is beside it.
struct Case {
    base: TempDir,
}

/// Whatever a user could notice of a file: its path, number, mode, links, size, time, and bytes.
type Look = (PathBuf, u64, u32, u64, u64, (i64, i64), Vec<u8>);

impl Case {
    /// One with `f`, which holds the value 0; nothing where the machine does not let us record.
    #[track_caller]
    fn new() -> Option<Self> {
        if !is_root() || File::options().read(true).write(true).open("/dev/fuse").is_err() {
            return not_measured("recording as root needs root and /dev/fuse");
        }
        let case = Self { base: TempDir::new().unwrap() };
        open_to_all(case.base.path());
        for dir in ["data", "tmp"] {
            fs::create_dir(case.path(dir)).unwrap();
        }
        case.put("f", "value 0\n");
        Some(case)
    }

    /// A path beside the user's directory.
    fn path(&self, name: &str) -> PathBuf {
        self.base.path().join(name)
    }

    fn dir(&self) -> PathBuf {
        self.path("data")
    }

    /// A file in the user's directory.
    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.dir().join(name), bytes).unwrap();
    }

    /// A script for the shell; the command line that runs it. Its path is what processes are known by.
    fn script(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::write(&path, format!("{text}\n")).unwrap();
        format!("sh {}", path.display())
    }

    /// The command, not started.
    fn command(&self, args: &[&str]) -> Command {
        self.prepared(Command::new(PLUGPULL), args)
    }

    fn prepared(&self, mut command: Command, args: &[&str]) -> Command {
        command.args(args).current_dir(self.base.path()).env("TMPDIR", self.path("tmp"));
        command.stdin(Stdio::null());
        command
    }

    /// Runs plugpull to its end, and looks at what is left.
    #[track_caller]
    fn run(&self, args: &[&str]) -> Ended {
        self.ends(self.command(args))
    }

    /// Runs `check` with this script as the program and this command line as the checker.
    #[track_caller]
    fn check(&self, program: &str, checker: &str, more: &[&str]) -> Ended {
        let script = self.script("program.sh", program);
        let mut args = vec!["check", "--dir", "data", "--checker", checker];
        args.extend(more);
        args.push("--");
        args.extend(script.split(' '));
        self.run(&args)
    }

    /// Runs `record` with this script as the program, into `run.plug`.
    #[track_caller]
    fn record(&self, program: &str, more: &[&str]) -> Ended {
        let script = self.script("program.sh", program);
        let mut args = vec!["record", "--dir", "data", "--output", "run.plug"];
        args.extend(more);
        args.push("--");
        args.extend(script.split(' '));
        self.run(&args)
    }

    #[track_caller]
    fn ends(&self, command: Command) -> Ended {
        let before = self.look();
        let ended = self.start(command).wait(LIMIT);
        self.assert_nothing_left(&before);
        ended
    }

    #[track_caller]
    fn assert_nothing_left(&self, before: &[Look]) {
        assert_eq!(self.processes(), Vec::<String>::new());
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!mounts.contains(self.base.path().to_str().unwrap()), "{mounts}");
        assert_eq!(self.look(), before, "the user's directory was changed");
        let left = fs::read_dir(self.path("tmp")).unwrap().map(|entry| entry.unwrap().file_name());
        let ours =
            |name: &str| name.starts_with("plugpull-state-") || name == "plugpull-recordings";
        let left: Vec<_> = left.filter(|name| !ours(name.to_str().unwrap())).collect();
        assert!(left.is_empty(), "left in the directory for temporary files: {left:?}");
    }

    /// Starts plugpull, with its output in files: nobody waits for a reader.
    fn start(&self, mut command: Command) -> Started {
        let [out, err] = ["out", "err"].map(|name| self.path(name));
        command.stdout(File::create(&out).unwrap()).stderr(File::create(&err).unwrap());
        Started { child: command.spawn().unwrap(), out, err, case: self.base.path().to_owned() }
    }

    /// All that is in the user's directory.
    fn look(&self) -> Vec<Look> {
        let mut looks = Vec::new();
        let mut paths = vec![self.dir()];
        while let Some(path) = paths.pop() {
            let Ok(found) = fs::symlink_metadata(&path) else { continue };
            let mut bytes = Vec::new();
            if found.is_dir() {
                paths.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            } else if found.is_file() {
                bytes = fs::read(&path).unwrap();
            }
            let time = (found.mtime(), found.mtime_nsec());
            let (mode, links) = (found.mode(), found.nlink());
            looks.push((path, found.ino(), mode, links, found.size(), time, bytes));
        }
        looks.sort();
        looks
    }

    /// The command lines of this case's processes that run. Those of a process that hangs cannot be
    /// read, which must not keep us.
    fn processes(&self) -> Vec<String> {
        processes_of(self.base.path())
    }
}

fn processes_of(marker: &Path) -> Vec<String> {
    let marker = marker.to_str().unwrap().to_owned();
    let (tell, told) = channel();
    thread::spawn(move || {
        let entries = fs::read_dir("/proc").unwrap().flatten();
        let lines = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
        let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
        let _ = tell.send(lines.filter(|line| line.contains(&marker)).collect());
    });
    told.recv_timeout(Duration::from_secs(5)).expect("a process hangs")
}

/// A plugpull at work.
struct Started {
    child: Child,
    out: PathBuf,
    err: PathBuf,
    case: PathBuf,
}

impl Started {
    /// Waits for its end, but not for ever.
    #[track_caller]
    fn wait(mut self, limit: Duration) -> Ended {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if begun.elapsed() > limit {
                let _ = self.child.kill();
                let _ = self.child.wait();
                panic!("hung for {limit:?}: {}", fs::read_to_string(&self.err).unwrap());
            }
            thread::sleep(Duration::from_millis(5));
        };
        let text = |path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
        Ended { code: status.code(), out: text(&self.out), err: text(&self.err) }
    }

    /// Waits until a process of this case has this in its command line.
    #[track_caller]
    fn wait_for(&self, part: &str) {
        let begun = Instant::now();
        while !processes_of(&self.case).iter().any(|line| line.contains(part)) {
            let told = || fs::read_to_string(&self.err).unwrap();
            assert!(begun.elapsed() < LIMIT, "{part} was not started: {}", told());
            thread::sleep(Duration::from_millis(5));
        }
    }
}

const JSON: [&str; 2] = ["--message-format", "json-lines"];

/// All lines, each of which must be JSON.
#[track_caller]
fn lines(ended: &Ended) -> Vec<Value> {
    ended.out.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// The token of the first finding.
#[track_caller]
fn token(ended: &Ended) -> String {
    let findings = ended.events("finding");
    findings.first().unwrap_or_else(|| panic!("{ended:#?}"))["token"].as_str().unwrap().to_owned()
}
