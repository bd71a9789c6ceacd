//! Exit codes: what a script may rely on. Documented here and nowhere else; `--help` prints this list.

use std::io;
use std::process::ExitCode;

use nix::errno::Errno;
use plugpull_store::Error as StoreError;
use serde::{Deserialize, Serialize};

/// How the program ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
#[repr(u8)]
pub enum Exit {
    /// Nothing found, and everything that was asked for was looked at.
    #[default]
    Clean = 0,
    /// An unexpected error of ours.
    Unexpected = 1,
    /// The request cannot be carried out as given: wrong argument, no such object, conflict.
    Usage = 2,
    /// Nothing was tested, so nothing was learnt.
    NothingDone = 4,
    /// Nothing found, but the run ended before everything was looked at.
    Partial = 5,
    /// The machine does not let us: disk full, no permission, too many open files; or a service that is asked.
    Environment = 96,
    /// A violation was found, or what was read is damaged. Said even if a Ctrl-C ended the run
    /// later: what was found stays found.
    Violation = 100,
    /// The program that was to be recorded failed by itself.
    ProgramFailed = 101,
    /// The checker failed where nothing was lost, or could not be run: its verdicts tell nothing.
    HarnessBroken = 102,
    /// Something is worse than what the committed baseline says: a new finding, less that is looked at.
    WorseThanBaseline = 103,
    /// Ended by Ctrl-C or SIGTERM before anything was found; the report is partial.
    Interrupted = 130,
}

/// The list that `--help` prints.
pub const EXIT_CODES: &str = "\
Exit codes:
    0  nothing found, and everything asked for was looked at
    1  unexpected error of plugpull itself
    2  the request cannot be carried out as given
    4  nothing was tested
    5  nothing found, but the run ended before everything was looked at
   96  the machine does not allow it (disk full, permissions, limits)
  100  a violation was found (even if Ctrl-C ended the run later), or what was read is damaged
  101  the program failed by itself, without any fault
  102  the checker failed where nothing was lost, or could not be run
  103  worse than plugpull.baseline: a new finding, or less that is looked at
  130  ended by Ctrl-C or SIGTERM with nothing found until then; the report is partial";

impl Exit {
    /// All of them: what tells more about what was found comes first, and decides for several programs.
    pub const ALL: [Self; 11] = [
        Self::Violation,
        Self::WorseThanBaseline,
        Self::HarnessBroken,
        Self::ProgramFailed,
        Self::Environment,
        Self::Unexpected,
        Self::Usage,
        Self::Interrupted,
        Self::Partial,
        Self::NothingDone,
        Self::Clean,
    ];

    /// How several checks end together. None at all tested nothing.
    pub fn worst(exits: impl Iterator<Item = Self>) -> Self {
        let rank = |exit: &Self| Self::ALL.iter().position(|known| known == exit);
        exits.min_by_key(rank).unwrap_or(Self::NothingDone)
    }
}

impl From<Exit> for u8 {
    fn from(exit: Exit) -> Self {
        exit as Self
    }
}

impl TryFrom<u8> for Exit {
    type Error = String;

    fn try_from(code: u8) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|exit| *exit as u8 == code);
        known.ok_or_else(|| format!("{code} is no exit code of plugpull"))
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The store refused or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What was asked for makes no sense; the text names the remedy.
    #[error("{0}")]
    Usage(String),
    /// A system call of the runner failed.
    #[error("cannot {what}: {source}")]
    System {
        /// What was being done.
        what: String,
        /// The system's answer.
        source: io::Error,
    },
    /// The program to be recorded failed.
    #[error("{0}")]
    Program(String),
    /// The checker cannot be trusted.
    #[error("{0}")]
    Harness(String),
    /// Ended by Ctrl-C or SIGTERM before there was anything to report.
    #[error("ended by a signal; nothing was left behind")]
    Interrupted,
    /// The machine let a writer down, for example by a full disk.
    #[error("{0}")]
    Machine(String),
    /// Standard output cannot be written.
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
    /// A log or report could not be put into JSON.
    #[error("cannot write JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl Failure {
    /// A failed system call of the runner; `what` fits "cannot ...".
    pub fn system(what: impl Into<String>, source: io::Error) -> Self {
        Self::System { what: what.into(), source }
    }

    /// The exit code that tells a script what kind of failure it was.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Store(error) => exit_of_store(error),
            Self::Usage(_) => Exit::Usage,
            Self::Machine(_) => Exit::Environment,
            Self::Program(_) => Exit::ProgramFailed,
            Self::Harness(_) => Exit::HarnessBroken,
            Self::Interrupted => Exit::Interrupted,
            Self::System { source, .. } => exit_of_system(source, Exit::Unexpected),
            // Whoever closes our output has seen enough.
            Self::Output(e) if e.kind() == io::ErrorKind::BrokenPipe => Exit::Clean,
            Self::Output(e) => exit_of_system(e, Exit::Unexpected),
            Self::Json(_) => Exit::Unexpected,
        }
    }
}

fn exit_of_store(error: &StoreError) -> Exit {
    match error {
        StoreError::Io { source, .. } => exit_of_system(source, Exit::Usage),
        StoreError::Corrupt { .. } | StoreError::Skeleton { .. } => Exit::Violation,
        StoreError::Contended { .. } => Exit::Unexpected,
        StoreError::PackBackend { .. } => Exit::Environment,
        _ => Exit::Usage,
    }
}

/// Errors that the machine must mend, not the caller.
fn exit_of_system(error: &io::Error, otherwise: Exit) -> Exit {
    use io::ErrorKind as Kind;
    match (error.kind(), error.raw_os_error().map(Errno::from_raw)) {
        (
            Kind::StorageFull
            | Kind::QuotaExceeded
            | Kind::PermissionDenied
            | Kind::ReadOnlyFilesystem
            | Kind::OutOfMemory
            | Kind::FileTooLarge,
            _,
        )
        | (_, Some(Errno::EIO | Errno::ENFILE | Errno::EMFILE | Errno::EAGAIN)) => {
            Exit::Environment
        }
        _ => otherwise,
    }
}

/// Whether an error comes from the machine (disk full, no permission) and not from the store.
pub fn is_environment(error: &StoreError) -> bool {
    exit_of_store(error) == Exit::Environment
}
