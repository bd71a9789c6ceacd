//! This test binary once more, as a process of its own that runs one test.
//!
//! For what belongs to a process (being killed, the umask): the test asks [`role`] who it is. The
//! parent starts itself again with the store's path in the environment; the child does its work on it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const ROLE: &str = "PLUGPULL_TEST_CHILD";

/// The directory the child is to work on; `None` in the parent.
pub(crate) fn role() -> Option<PathBuf> {
    std::env::var_os(ROLE).map(PathBuf::from)
}

/// The command that runs `test` (its full path) as a child on `dir`, with its output to be read.
pub(crate) fn command(test: &str, dir: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]);
    command.env(ROLE, dir).stdin(Stdio::null()).stdout(Stdio::piped());
    command
}
