//! The command `plugpull` as a user starts it, and what it answers.

use std::ffi::OsStr;
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The binary: as released, plus the planted mistakes.
pub(crate) const PLUGPULL: &str = env!("CARGO_BIN_EXE_plugpull-planted");

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ended {
    /// Fails unless the exit code is this one and standard error has all of these.
    #[track_caller]
    pub(crate) fn assert(&self, code: i32, told: &[&str]) -> &Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        for text in told {
            assert!(self.err.contains(text), "{text:?} is not in {self:#?}");
        }
        self
    }

    /// The JSON lines of standard output with this event.
    pub(crate) fn events(&self, event: &str) -> Vec<serde_json::Value> {
        let lines = self.out.lines().map(|line| serde_json::from_str(line).unwrap());
        lines.filter(|line: &serde_json::Value| line["event"] == event).collect()
    }
}

/// The command, with nothing on its standard input.
pub(crate) fn command<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(PLUGPULL);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs it to its end.
pub(crate) fn plugpull<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Ended {
    command(args).output().unwrap().into()
}

/// Sends it a signal.
pub(crate) fn send(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id().cast_signed()), signal).unwrap();
}
