//! The checkers that there are: any command, and those that are built in.
//!
//! A checker is parsed, then prepared once with the recorded run (what is missing is told before anything
//! runs), then asked for each state. Those that know the run need no process. Each lives in a
//! file of its own. Not for the pool that asks them.

mod closure;
mod command;
mod git;
mod lines;
mod old_or_new;
mod program;
mod sqlite;
mod store;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use faultfs::{DiskImage, Trace};

use super::judge::Verdict;
use super::spawn::Spawner;

pub(crate) use closure::Ask;
pub(crate) use program::{NoProgram, look_up};

/// What looks at a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checker {
    /// A program and its arguments, run in the recorded directory.
    Command(Vec<OsString>),
    /// One that is built in.
    Builtin(Builtin),
}

/// A checker that is built in. Paths are relative to the recorded directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Builtin {
    /// A command of the shell exits with 0.
    Exit(String),
    /// `SQLite` finds no damage in this file, or in any database.
    Sqlite(Option<PathBuf>),
    /// `git fsck` finds no damage in the repository.
    Git(PathBuf),
    /// The reference store opens, and its audit finds nothing.
    Store(PathBuf),
    /// Each file is, as a whole, what it was at the Mark before the crash or at the one after.
    OldOrNew(Vec<PathBuf>),
    /// The file holds a beginning of the lines it got, with all that were there at the last Mark.
    Lines(PathBuf),
}

/// The names of the built-in checkers.
const BUILTINS: [&str; 6] = ["exit", "sqlite", "git", "store", "old-or-new", "lines"];

/// The forms of the built-in checkers, for messages.
const FORMS: &str =
    "exit:CMD, sqlite[:FILE], git[:DIR], store[:DIR], old-or-new:FILE[,FILE...], lines:FILE";

/// Why a checker cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum CheckerError {
    /// There is none of this name.
    #[error("no checker {0:?}; there are {FORMS}")]
    Unknown(String),
    /// It needs an argument, or cannot have this one.
    #[error("checker {name}: {why}; the form is one of {FORMS}")]
    Argument {
        /// The checker.
        name: &'static str,
        /// What is wrong.
        why: String,
    },
    /// A program is missing.
    #[error("the checker's program {program:?} {why}; {remedy}")]
    Program {
        /// As it was asked for.
        program: OsString,
        /// What is wrong.
        why: &'static str,
        /// What to do.
        remedy: String,
    },
    /// The recorded run is not one that this checker can judge.
    #[error("checker {name}: {why}")]
    Run {
        /// The checker.
        name: &'static str,
        /// What is wrong.
        why: String,
    },
}

impl FromStr for Builtin {
    type Err = CheckerError;

    fn from_str(text: &str) -> Result<Self, CheckerError> {
        let (name, argument) = match text.split_once(':') {
            Some((name, argument)) => (name, Some(argument)),
            None => (text, None),
        };
        let dir = |name| argument.map_or(Ok(PathBuf::new()), |dir| relative(name, dir));
        match name {
            "exit" => Ok(Self::Exit(required("exit", argument)?.to_owned())),
            "sqlite" => Ok(Self::Sqlite(argument.map(|f| relative("sqlite", f)).transpose()?)),
            "git" => Ok(Self::Git(dir("git")?)),
            "store" => Ok(Self::Store(dir("store")?)),
            "old-or-new" => {
                let files = required("old-or-new", argument)?.split(',');
                Ok(Self::OldOrNew(
                    files.map(|f| relative("old-or-new", f)).collect::<Result<_, _>>()?,
                ))
            }
            "lines" => Ok(Self::Lines(relative("lines", required("lines", argument)?)?)),
            _ => Err(CheckerError::Unknown(text.to_owned())),
        }
    }
}

fn required<'t>(name: &'static str, argument: Option<&'t str>) -> Result<&'t str, CheckerError> {
    let argument = argument.filter(|argument| !argument.trim().is_empty());
    argument.ok_or_else(|| CheckerError::Argument { name, why: "it needs an argument".to_owned() })
}

/// A path below the recorded directory.
fn relative(name: &'static str, path: &str) -> Result<PathBuf, CheckerError> {
    use std::path::Component;
    let inside = |part| matches!(part, Component::Normal(_) | Component::CurDir);
    if !path.is_empty() && Path::new(path).components().all(inside) {
        return Ok(PathBuf::from(path));
    }
    let why = format!("{path:?} is no path relative to the recorded directory");
    Err(CheckerError::Argument { name, why })
}

impl FromStr for Checker {
    type Err = CheckerError;

    /// One that is built in, by its name, or else a command line.
    fn from_str(text: &str) -> Result<Self, CheckerError> {
        let name = text.split(':').next().unwrap_or_default();
        if BUILTINS.contains(&name) {
            return text.parse().map(Self::Builtin);
        }
        let words = shlex::split(text).filter(|words| !words.is_empty());
        let words = words.ok_or_else(|| CheckerError::Argument {
            name: "command",
            why: format!("{text:?} is no command line: a quote may be missing"),
        })?;
        Ok(Self::Command(words.into_iter().map(OsString::from).collect()))
    }
}

impl Checker {
    /// Whether it needs a program that is missing; what it needs of the recorded run is found out by
    /// [`Self::prepare`].
    pub fn find_program(&self) -> Result<(), CheckerError> {
        match self {
            Self::Command(_) => self.prepare(&Trace::default()).map(drop),
            Self::Builtin(Builtin::Sqlite(_)) => sqlite::find().map(drop),
            Self::Builtin(Builtin::Git(_)) => git::find().map(drop),
            Self::Builtin(_) => Ok(()),
        }
    }

    /// Makes it ready for the states of a run; finds out what is missing before anything runs.
    pub fn prepare(&self, trace: &Trace) -> Result<Prepared, CheckerError> {
        let judge: Arc<dyn Judge> = match self {
            Self::Command(words) => Arc::new(command::Command::prepare(words)?),
            Self::Builtin(Builtin::Exit(text)) => Arc::new(command::Command::shell(text)?),
            Self::Builtin(Builtin::Sqlite(file)) => {
                Arc::new(sqlite::Sqlite::prepare(file.clone(), trace)?)
            }
            Self::Builtin(Builtin::Git(dir)) => Arc::new(git::Git::prepare(dir.clone(), trace)?),
            Self::Builtin(Builtin::Store(dir)) => {
                Arc::new(store::StoreAudit::new(dir.clone(), trace))
            }
            Self::Builtin(Builtin::OldOrNew(files)) => {
                Arc::new(old_or_new::OldOrNew::prepare(files.clone(), trace)?)
            }
            Self::Builtin(Builtin::Lines(file)) => {
                Arc::new(lines::Lines::prepare(file.clone(), trace)?)
            }
        };
        Ok(Prepared(judge))
    }
}

/// A checker that is ready for the states of one run; many threads may use it.
#[derive(Clone)]
pub struct Prepared(Arc<dyn Judge>);

impl Prepared {
    pub(super) fn needs_disk(&self) -> bool {
        self.0.needs_disk()
    }

    /// A closure, with all Marks of the run.
    pub(crate) fn closure(ask: Box<Ask>, marks: Vec<String>) -> Self {
        Self(Arc::new(closure::Closure::new(ask, marks)))
    }

    pub(super) fn is_told_where(&self) -> bool {
        self.0.is_told_where()
    }

    pub(super) fn judge(&self, state: &mut State) -> io::Result<Verdict> {
        self.0.judge(state)
    }
}

/// A state that is looked at.
pub(super) struct State<'s> {
    /// Its disk, as it is before any checker ran.
    pub(super) image: &'s DiskImage,
    /// Marks before the crash.
    pub(super) marks: usize,
    /// Where it is on disk, if it is.
    pub(super) dir: &'s Path,
    /// Runs programs there.
    pub(super) spawner: &'s mut Spawner,
}

/// What a checker does with a state.
trait Judge: Send + Sync {
    /// Whether the state must be on disk.
    fn needs_disk(&self) -> bool {
        true
    }

    /// Whether it is told where the state is, so that it need not be at the recorded path.
    fn is_told_where(&self) -> bool {
        false
    }

    /// Looks at one state. An error means that the next states cannot be trusted as they are.
    fn judge(&self, state: &mut State) -> io::Result<Verdict>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_checkers_are_parsed_by_name_and_arguments() {
        let parse = |text: &str| text.parse::<Builtin>().unwrap();
        assert_eq!(parse("exit:grep x:y f"), Builtin::Exit("grep x:y f".to_owned()));
        assert_eq!(parse("sqlite"), Builtin::Sqlite(None));
        assert_eq!(parse("sqlite:a/b.db"), Builtin::Sqlite(Some("a/b.db".into())));
        assert_eq!(parse("git"), Builtin::Git(PathBuf::new()));
        assert_eq!(parse("store:./s"), Builtin::Store("./s".into()));
        assert_eq!(parse("old-or-new:a,b"), Builtin::OldOrNew(vec!["a".into(), "b".into()]));
        assert_eq!(parse("lines:log"), Builtin::Lines("log".into()));
    }

    #[test]
    fn what_is_wrong_is_answered_by_what_exists() {
        for wrong in [
            "sqlite3",
            "",
            "exit",
            "exit: ",
            "lines",
            "lines:/etc/passwd",
            "git:../x",
            "old-or-new:a,,b",
        ] {
            let error = wrong.parse::<Builtin>().unwrap_err().to_string();
            assert!(error.contains("old-or-new:FILE"), "{wrong}: {error}");
        }
    }

    #[test]
    fn a_missing_program_is_found_before_anything_runs() {
        let checker = Checker::Command(vec!["no-such-program-1".into()]);
        let error = checker.prepare(&Trace::default()).err().unwrap().to_string();
        assert!(error.contains("no-such-program-1") && error.contains("PATH"), "{error}");
        let checker = Checker::Command(vec!["/etc/passwd".into()]);
        let error = checker.prepare(&Trace::default()).err().unwrap().to_string();
        assert!(error.contains("chmod +x"), "{error}");
        assert!(Checker::Command(vec![]).prepare(&Trace::default()).is_err());
    }
}
