//! Any command as a checker: its exit code is the verdict.
//!
//! Not for making sense of what it prints, beyond the last line.

use std::ffi::OsString;
use std::io;

use super::super::judge::{Verdict, judge};
use super::super::spawn::Task;
use super::{CheckerError, Judge, State, program};

pub(super) struct Command(Task);

impl Command {
    /// A program and its arguments, run as they are.
    pub(super) fn prepare(words: &[OsString]) -> Result<Self, CheckerError> {
        let (name, args) = words.split_first().ok_or(CheckerError::Argument {
            name: "command",
            why: "there is no program".to_owned(),
        })?;
        let program = program::find(name, "install it, or give its path")?;
        Ok(Self(Task { program, args: args.to_vec(), env: Vec::new() }))
    }

    /// A line for the shell.
    pub(super) fn shell(text: &str) -> Result<Self, CheckerError> {
        Self::prepare(&["sh".into(), "-c".into(), text.into()])
    }
}

impl Judge for Command {
    fn judge(&self, state: &mut State) -> io::Result<Verdict> {
        let ran = state.spawner.run(&self.0)?;
        Ok(judge(&ran, state.spawner.timeout()))
    }
}
