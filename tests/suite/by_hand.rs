//! `plugpull mount` and `plugpull ctl` as somebody with two terminals uses them: real programs on a real mount,
//! and what they see when the disk does what it is told.
//!
//! Each test has a thread with a mount namespace of its own, in which plugpull mounts and programs run, so that
//! nothing leaks. Not for what a power cut may leave (`litmus`), nor for what each fault does (`mount::faults`).

mod damage;
mod ends;
mod faults;
mod power;
mod recordings;
mod requests;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::machine::{NOBODY, Nobody, may_mount};
use crate::program::{Ended, PLUGPULL, send};

/// What takes longer hangs.
const LIMIT: Duration = Duration::from_secs(40);

/// A directory, and what is beside it.
struct Desk {
    base: TempDir,
    /// Whose it is, if not ours.
    nobody: Option<Nobody>,
}

/// A plugpull that keeps a disk over it.
struct Kept {
    child: Child,
    err: PathBuf,
    /// What it said when it had mounted.
    mounted: Value,
}

/// Runs a test in a mount namespace of its own.
#[track_caller]
fn at_a_desk(test: impl FnOnce(Desk) + Send + 'static) {
    if !may_mount() {
        return;
    }
    let run = move || {
        unshare(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWNS).unwrap();
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
        let desk = Desk { base: TempDir::new().unwrap(), nobody: None };
        fs::create_dir(desk.dir()).unwrap();
        fs::create_dir(desk.path("tmp")).unwrap();
        test(desk);
    };
    if let Err(panic) = thread::spawn(run).join() {
        std::panic::resume_unwind(panic);
    }
}

/// The same with a disk over the directory, which is ended in order and leaves nothing.
#[track_caller]
fn mounted(test: impl FnOnce(&Desk) + Send + 'static) {
    at_a_desk(|desk| {
        let kept = desk.mount(&[]);
        test(&desk);
        desk.ctl(&["unmount"]).assert(0, &[]);
        kept.wait().assert(0, &[]);
        desk.assert_nothing_left();
    });
}

impl Desk {
    /// A path beside the directory.
    fn path(&self, name: &str) -> PathBuf {
        self.base.path().join(name)
    }

    fn dir(&self) -> PathBuf {
        self.path("data")
    }

    fn command(&self, args: &[&str]) -> Command {
        let plugpull = || Command::new(PLUGPULL);
        let mut command = self.nobody.as_ref().map_or_else(plugpull, Nobody::command);
        command.args(args).current_dir(self.base.path()).env("TMPDIR", self.path("tmp"));
        command.stdin(Stdio::null());
        command
    }

    /// Runs plugpull to its end.
    #[track_caller]
    fn run(&self, args: &[&str]) -> Ended {
        let mut command = self.command(args);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let pid = pid_of(&child);
        // Nothing here prints more than a pipe takes.
        let (tell, told) = std::sync::mpsc::channel();
        thread::spawn(move || tell.send(child.wait_with_output()));
        let Ok(output) = told.recv_timeout(LIMIT) else {
            let _ = kill(pid, Signal::SIGKILL);
            panic!("{args:?} hung for {LIMIT:?}");
        };
        output.unwrap().into()
    }

    /// Keeps a disk over the directory; returns when it is mounted.
    #[track_caller]
    fn mount(&self, more: &[&str]) -> Kept {
        let args = [&["mount", "data", "--message-format", "json-lines"], more].concat();
        let err = self.path("mount.err");
        let mut command = self.command(&args);
        command.stdout(Stdio::piped()).stderr(File::create(&err).unwrap());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let told = fs::read_to_string(&err).unwrap();
        assert!(!line.is_empty(), "it ended: {told}");
        Kept { child, err, mounted: serde_json::from_str(&line).unwrap() }
    }

    /// Tells the disk something.
    #[track_caller]
    fn ctl(&self, command: &[&str]) -> Ended {
        self.run(&[&["ctl", "data"], command].concat())
    }

    /// Tells the disk something, which it must do; what it answers.
    #[track_caller]
    fn told(&self, command: &[&str]) -> Value {
        let ended = self.ctl(&[command, &["--message-format", "json-lines"]].concat());
        ended.assert(0, &[]);
        let line: Value = serde_json::from_str(&ended.out).unwrap();
        assert_eq!(line["version"], 1);
        assert_eq!(line["answer"]["command"], command[0]);
        line["answer"].clone()
    }

    /// Runs a shell in the directory; it must succeed. Returns what it printed.
    #[track_caller]
    fn sh(&self, script: &str) -> String {
        self.program("sh", &["-ec", script])
    }

    #[track_caller]
    fn python(&self, code: &str) -> String {
        self.program("python3", &["-c", code])
    }

    #[track_caller]
    fn program(&self, program: &str, args: &[&str]) -> String {
        let mut command = Command::new(program);
        if self.nobody.is_some() {
            command.uid(NOBODY).gid(NOBODY);
        }
        let output = command.args(args).current_dir(self.dir()).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {args:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs sqlite3 on a database in the directory. Returns what it printed, errors too.
    fn sqlite(&self, statements: &str) -> String {
        let mut command = Command::new("sqlite3");
        let output = command.args(["app.db", statements]).current_dir(self.dir()).output().unwrap();
        [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat()
    }

    /// Starts python, which does one step for each line that it gets.
    fn steps(&self, code: &str) -> Steps {
        let code = format!("import errno, mmap, os, sys\n{TRIES}{code}");
        let mut command = Command::new("python3");
        command.args(["-uc", &code]).current_dir(self.dir());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (orders, answers) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut steps = Steps { child, orders, answers: BufReader::new(answers) };
        assert_eq!(steps.answer(), "ready");
        steps
    }

    /// What the list of mounts says of the directory.
    fn is_mounted(&self) -> bool {
        let mounts = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
        mounts.contains(self.dir().to_str().unwrap())
    }

    #[track_caller]
    fn assert_nothing_left(&self) {
        assert!(!self.is_mounted());
        let left = fs::read_dir(self.path("tmp")).unwrap().map(|entry| entry.unwrap().file_name());
        let left: Vec<_> = left.filter(|name| name != "plugpull-recordings").collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

/// Says of a step whether it went well, or with which error it ended; then waits for the next order.
const TRIES: &str = "\
def step(make):
    try:
        told = make()
        print('ok' if told is None else told)
    except OSError as e:
        print(errno.errorcode[e.errno])
def orders(*steps):
    print('ready')
    for make in steps:
        sys.stdin.readline()
        step(make)
";

/// A program that does one step after the other.
struct Steps {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Steps {
    /// Lets it do the next step.
    fn next(&mut self) -> String {
        self.orders.write_all(b"\n").unwrap();
        self.answer()
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Kept {
    fn socket(&self) -> &Path {
        Path::new(self.mounted["socket"].as_str().unwrap())
    }

    fn signal(&self, signal: Signal) {
        send(&self.child, signal);
    }

    /// Waits for its end, but not for ever.
    #[track_caller]
    fn wait(mut self) -> Ended {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                let err = fs::read_to_string(&self.err).unwrap();
                return Ended { code: status.code(), out: String::new(), err };
            }
            assert!(begun.elapsed() < LIMIT, "the mount hung for {LIMIT:?}");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap())
}

/// The texts of a list.
fn texts(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}
