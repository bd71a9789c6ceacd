//! Recording a program: it runs on a simulated disk that is mounted over its own directory, and all
//! that it changes, syncs and promises is written down in one order.
//!
//! The directory itself is never touched: what is in it is the start of the simulated disk. Not for
//! what becomes of the recording (`search`, `check`), and not for programs written over the seam, which
//! need no mount.

mod file;
mod last_words;
mod live;
mod noticed;
mod processes;
mod program;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use faultfs::{Event, FaultPlan, Trace};
use serde::{Deserialize, Serialize};

use crate::cli::MessageFormat;

pub use file::{KEPT_IN, find_by_token};
pub(crate) use live::{Live, RunEnd, marks_of, start_of};
pub(crate) use noticed::unseen;
pub(crate) use program::first_cpu;
pub use program::{Ended, Ran, record, record_beside, record_counting, record_failing};

/// What to record.
#[derive(Clone, Debug)]
pub struct Program {
    /// The program and its arguments.
    pub command: Vec<OsString>,
    /// Variables beside those of this process; those without a value are taken away.
    pub env: Vec<(OsString, Option<OsString>)>,
    /// The directory whose files are recorded; the program's working directory.
    pub dir: PathBuf,
    /// A command line for the shell that prepares the directory before the recording begins.
    pub setup: Option<String>,
    /// When the program is taken for hanging.
    pub timeout: Duration,
    /// Most bytes that the program may write.
    pub memory: u64,
    /// Where what it prints goes.
    pub prints: Prints,
    /// What counts as a promise.
    pub marks: Marks,
}

/// Where goes what a recorded program prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prints {
    /// To our standard output.
    ToStdout,
    /// To our standard error, where standard output is for machines.
    ToStderr,
    /// Nowhere: only the last line of its standard error is kept.
    Nowhere,
}

impl Prints {
    /// Standard output is for people or for machines.
    pub(crate) fn of(format: MessageFormat) -> Self {
        match format {
            MessageFormat::Human => Self::ToStdout,
            MessageFormat::JsonLines => Self::ToStderr,
        }
    }
}

/// What of a program counts as a promise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Marks {
    /// Each line that it prints, and what it writes to the file `$PLUGPULL_MARK`.
    #[default]
    Stdout,
    /// Only what it writes to that file.
    File,
    /// Nothing.
    None,
}

impl Marks {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Stdout, Self::File, Self::None];

    /// How it is spelled.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::File => "file",
            Self::None => "none",
        }
    }
}

/// One recorded run: what it did, and what is known about it.
#[derive(Clone, Debug)]
pub struct Recording {
    /// What is known about it.
    pub about: About,
    /// What it did.
    pub trace: Trace,
}

/// What is known about a recorded run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// The version of plugpull that recorded it.
    pub plugpull: String,
    /// What the recorded run is called.
    #[serde(default)]
    pub subject: String,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// The directory that was recorded.
    pub dir: PathBuf,
    /// The checkers, as they were given.
    #[serde(default)]
    pub checkers: Vec<String>,
    /// How long the program ran, in seconds.
    pub seconds: f64,
    /// The recording whose crash state this run began with, where it is a recovery from one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_of: Option<PathBuf>,
    /// What the recorder could not see or play, in words.
    #[serde(default)]
    pub unseen: Vec<String>,
    /// What a reader of the report should know, in words.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// The fault that the run had, if one was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<MadeFault>,
}

/// A fault that a recorded run had. What it did to the disk is in the trace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MadeFault {
    /// What happened, in words.
    pub what: String,
    /// The plan by which it did.
    pub plan: FaultPlan,
}

impl Program {
    /// What it is called unless somebody says otherwise.
    pub fn name(&self) -> String {
        let name = self.command.first().map(Path::new).and_then(Path::file_name);
        name.unwrap_or_default().to_string_lossy().into_owned()
    }
}

impl Recording {
    /// The number of Marks.
    pub fn marks(&self) -> usize {
        self.trace.events.iter().filter(|event| matches!(event, Event::Mark(_))).count()
    }

    /// The number of Ops.
    pub fn ops(&self) -> usize {
        self.trace.events.len() - self.marks()
    }

    /// Whether all Marks came after the last change, although there were several.
    pub fn marks_came_late(&self) -> bool {
        let last_op = self.trace.events.iter().rposition(|event| matches!(event, Event::Op { .. }));
        let first_mark = self.trace.events.iter().position(|event| matches!(event, Event::Mark(_)));
        matches!((first_mark, last_op), (Some(mark), Some(op)) if mark > op && self.marks() > 1)
    }
}
