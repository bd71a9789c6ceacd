//! The exploration of a program that makes its system calls itself, on a mounted disk.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::Explore;
use super::explore::marks;
use crate::check::{Ask, Pool, Prepared, Setup, Verdict};
use crate::checking::tree_size;
use crate::examine::examine;
use crate::exit::{Exit, Failure};
use crate::memory;
use crate::orphans::Orphans;
use crate::outcome::{Outcome, told};
use crate::record::{Marks, Prints, Program, Recording, marks_of, record_beside};
use crate::record_command::{MEMORY, directory};
use crate::request::{TIMEOUT, checkers, usage};
use crate::search::{Asked, Book, Judge};
use crate::signals::Stop;

/// When a program is taken for hanging, unless told otherwise.
const RUN_TIMEOUT: Duration = Duration::from_mins(1);

/// What is told of a closure where a checker has its command line.
const CLOSURE: &str = "a closure";

/// How a program is explored; made by [`Explore::program`].
///
/// The program runs on a simulated disk in memory, mounted over its directory: the one that its [`Command`] names,
/// which is never touched, or else an empty one. Each line that it prints is a promise. The check gets the
/// directory as a power cut left it, somewhere else, with the promises made before, and says what is wrong; it may
/// recover there, and run programs. Several of them run at the same time.
///
/// ```
/// use std::process::Command;
///
/// use plugpull::test::{Explore, measured};
///
/// /// Saves a value by rename, and says so; `careful` also makes it durable.
/// fn explore(careful: bool) -> Result<plugpull::outcome::Outcome, plugpull::exit::Failure> {
///     let save = match careful {
///         true => "echo one > value.tmp; sync value.tmp; mv value.tmp value; sync .; echo saved",
///         false => "echo one > value.tmp; mv value.tmp value; echo saved",
///     };
///     Explore::new("save").program(Command::new("sh").args(["-c", save])).check(|dir, marks| {
///         match std::fs::read_to_string(dir.join("value")) {
///             Ok(value) if value == "one\n" => Ok(()),
///             Err(_) if marks.is_empty() => Ok(()),
///             Ok(value) => Err(format!("the value is {value:?}")),
///             Err(e) => Err(format!("the saved value is gone: {e}")),
///         }
///     })
/// }
///
/// // Where the machine cannot mount, this says so and is `None`.
/// let Some(careful) = measured(explore(true)) else { return };
/// careful.assert_no_violation();
///
/// let careless = explore(false).unwrap();
/// assert_eq!(careless.exit, plugpull::exit::Exit::Violation);
/// assert!(careless.text().contains("missing: fsync(value.tmp)"), "{}", careless.text());
/// ```
///
/// It takes `/dev/fuse`, and the right to mount: as root the disk is seen by the program and what it starts
/// alone, otherwise fusermount3 mounts it where everybody sees it. Many tests may do so at the same time, and
/// none touches a process that the program did not start; what the program leaves running is ended.
#[derive(Clone, Debug)]
pub struct ExploreProgram {
    explore: Explore,
    command: Vec<OsString>,
    env: Vec<(OsString, Option<OsString>)>,
    dir: Option<PathBuf>,
    setup: Option<String>,
    marks: Marks,
    run_timeout: Duration,
    timeout: Duration,
}

impl ExploreProgram {
    pub(super) fn new(explore: Explore, command: &Command) -> Self {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let env = command.get_envs();
        Self {
            explore,
            command: words.map(OsString::from).collect(),
            env: env.map(|(name, value)| (name.into(), value.map(OsString::from))).collect(),
            dir: command.get_current_dir().map(PathBuf::from),
            setup: None,
            marks: Marks::default(),
            run_timeout: RUN_TIMEOUT,
            timeout: TIMEOUT,
        }
    }

    /// A command line for the shell that prepares the directory; what it leaves is durable.
    #[must_use]
    pub fn setup(mut self, line: &str) -> Self {
        self.setup = Some(line.to_owned());
        self
    }

    /// What of the program counts as a promise, instead of each line that it prints.
    #[must_use]
    pub fn marks(mut self, marks: Marks) -> Self {
        self.marks = marks;
        self
    }

    /// When the program is taken for hanging, and ended, instead of after a minute.
    #[must_use]
    pub fn run_timeout(mut self, time: Duration) -> Self {
        self.run_timeout = time;
        self
    }

    /// How long a checker of [`Self::check_with`] may take in one state, instead of 10 seconds. A closure has
    /// all the time it takes.
    #[must_use]
    pub fn timeout(mut self, time: Duration) -> Self {
        self.timeout = time;
        self
    }

    /// Runs the program and asks the closure about all that power cuts may leave of it.
    ///
    /// A machine that cannot mount is [`Failure::Machine`]; [`measured`](super::measured) is for tests that are
    /// to run without. A program that fails by itself, or hangs, is [`Failure::Program`]; a check that fails on
    /// the finished run, from which nothing is lost, is [`Failure::Harness`].
    pub fn check(
        &self,
        check: impl Fn(&Path, &[String]) -> Result<(), String> + Send + Sync + 'static,
    ) -> Result<Outcome, Failure> {
        let mut outcome =
            self.explored(CLOSURE, |recording| Ok(closure(Box::new(check), recording)))?;
        for finding in &mut outcome.findings {
            let file = outcome.recording.as_deref().unwrap_or(Path::new(""));
            finding.replay = format!(".replay(\"{}\", \"{}\", ..)", finding.token, file.display());
        }
        Ok(outcome)
    }

    /// The same with a checker as `plugpull check --checker` takes them: a command line, which finds the
    /// promises in the file `$PLUGPULL_MARKS`, or one that is built in, such as `sqlite:app.db`. As root it
    /// finds each state where the program had it.
    pub fn check_with(&self, checker: &str) -> Result<Outcome, Failure> {
        for checker in checkers(&[checker.to_owned()])? {
            checker.find_program().map_err(usage)?;
        }
        self.explored(checker, |recording| {
            let all = checkers(&recording.about.checkers)?;
            all.iter().map(|checker| checker.prepare(&recording.trace).map_err(usage)).collect()
        })
    }

    /// Checks the one state that a finding's token names, of the recording of its run: a place for a debugger.
    /// The program is not run again, as it may do something else. The inner result is that of the check.
    pub fn replay(
        &self,
        token: &str,
        recording: &Path,
        check: impl Fn(&Path, &[String]) -> Result<(), String> + Send + Sync + 'static,
    ) -> Result<Result<(), String>, Failure> {
        let recording = Recording::load(recording)?;
        let asked: Asked = self.explore.asked(token, &recording)?;
        let mut pool = self.pool(&recording, closure(Box::new(check), &recording), 1)?;
        match pool.judge(vec![asked], &|| false).pop() {
            Some(Verdict::Survived) => Ok(Ok(())),
            Some(Verdict::Violated(what)) => Ok(Err(what.message)),
            Some(Verdict::NotMeasured(why)) => Err(Failure::Machine(why)),
            Some(Verdict::HarnessBroken(why)) => Err(Failure::Harness(why)),
            None => Err(Failure::Harness("the state was not judged".to_owned())),
        }
    }

    /// Records, and looks at what was recorded.
    fn explored(
        &self,
        checker: &str,
        prepare: impl FnOnce(&Recording) -> Result<Vec<Prepared>, Failure>,
    ) -> Result<Outcome, Failure> {
        let (plan, stop) = (self.explore.plan()?, Stop::default());
        let empty = tempfile::tempdir().map_err(|e| Failure::system("make a directory", e))?;
        let mut recording = record_beside(&self.program(empty.path())?, &stop)?;
        recording.about.checkers = vec![checker.to_owned()];
        recording.about.subject.clone_from(&self.explore.name);
        let jobs = memory::affordable(self.explore.jobs, tree_size(&recording));
        let mut outcome = told(&self.explore.name, &recording, &plan, jobs);
        if recording.ops() == 0 {
            return Ok(Outcome { exit: Exit::NothingDone, ..outcome });
        }
        let mut pool = self.pool(&recording, prepare(&recording)?, jobs)?;
        let mut book = Book::new(&mut pool);
        let examined = examine(&recording, &plan, &mut book, &stop, &mut |_, _| {})?;
        let found = !examined.findings.list.is_empty();
        // Tests of one program may run at the same time.
        let name = format!("-{:016x}", recording.trace.digest());
        let kept = found.then(|| recording.keep_as(&name)).transpose()?;
        outcome.add(&recording, &plan, &examined, (kept.as_deref(), &[]));
        Ok(outcome)
    }

    fn program(&self, empty: &Path) -> Result<Program, Failure> {
        Ok(Program {
            command: self.command.clone(),
            env: self.env.clone(),
            dir: directory(self.dir.as_deref().unwrap_or(empty))?,
            setup: self.setup.clone(),
            timeout: self.run_timeout,
            memory: MEMORY,
            prints: Prints::Nowhere,
            marks: self.marks,
        })
    }

    fn pool(
        &self,
        recording: &Recording,
        checkers: Vec<Prepared>,
        jobs: usize,
    ) -> Result<Pool, Failure> {
        let setup = Setup {
            dir: recording.about.dir.clone(),
            checkers,
            marks: marks_of(recording).into(),
            timeout: self.timeout,
            jobs,
            orphans: Orphans::OfInit,
            stop: Stop::default(),
        };
        Pool::start(setup).map_err(|e| Failure::system("start the workers of the check", e))
    }
}

fn closure(ask: Box<Ask>, recording: &Recording) -> Vec<Prepared> {
    vec![Prepared::closure(ask, marks(recording))]
}
