//! The last line that a program wrote to its standard error: what it had to say of its end.
//!
//! Kept in a file without a name, since a pipe that nobody reads stops its writer. Not for its output.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::process::Command;

use crate::exit::Failure;

/// How much of the end is looked at.
const MOST: u64 = 4096;

/// Where a program's standard error goes.
pub(super) struct LastWords(File);

impl LastWords {
    /// Gives a program that is to be started its standard error.
    pub(super) fn new(command: &mut Command) -> Result<Self, Failure> {
        let system = |e| Failure::system("keep the program's standard error", e);
        let file = tempfile::tempfile().map_err(system)?;
        command.stderr(file.try_clone().map_err(system)?);
        Ok(Self(file))
    }

    /// The last line that is not empty.
    pub(super) fn read(mut self) -> String {
        let mut end = Vec::new();
        let len = self.0.seek(SeekFrom::End(0)).unwrap_or(0);
        // What cannot be read is not known, no more.
        let _ = self.0.seek(SeekFrom::Start(len.saturating_sub(MOST)));
        let _ = self.0.read_to_end(&mut end);
        let text = String::from_utf8_lossy(&end);
        let last = text.lines().map(str::trim).rfind(|line| !line.is_empty());
        last.unwrap_or_default().to_owned()
    }
}
