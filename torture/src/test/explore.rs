//! The exploration of a workload over the seam.

use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use faultfs::{CrashState, Event, Model, PersistOrder, SimFs};

use super::closure::Closure;
use super::program::ExploreProgram;
use crate::check::Verdict;
use crate::examine::{Plan, examine};
use crate::exit::{Exit, Failure};
use crate::explore::{Bounds, Tier};
use crate::explore_command::default_jobs;
use crate::models_command::load;
use crate::outcome::{Outcome, told};
use crate::record::{About, Recording};
use crate::request::{MODELS, WINDOW, fail_on};
use crate::search::{Asked, Book};
use crate::signals::Stop;

/// How a workload is explored.
///
/// The workload gets an empty [`SimFs`], and says with [`SimFs::mark`] what it has promised to its users so
/// far. The check gets a disk that a power cut left, with the promises made before it, and says what is wrong;
/// it may recover there. A check that panics has found something, too, but returns say it with less noise.
///
/// ```
/// use std::path::Path;
///
/// use faultfs::{Access, Fs, FsFile};
/// use plugpull::test::Explore;
///
/// /// Saves a value by rename; `careful` also makes it durable.
/// fn save(disk: &impl Fs, value: &[u8], careful: bool) -> std::io::Result<()> {
///     let temp = disk.create_new(Path::new("/value.tmp"), 0o644)?;
///     temp.write_all_at(value, 0)?;
///     if careful {
///         temp.sync_all()?;
///     }
///     disk.rename(Path::new("/value.tmp"), Path::new("/value"))?;
///     if careful { disk.sync_dir(Path::new("/")) } else { Ok(()) }
/// }
///
/// let explore = |careful| {
///     Explore::new("save").run(
///         |disk| {
///             save(disk, b"one", careful)?;
///             disk.mark(b"saved");
///             Ok(())
///         },
///         |disk, marks| {
///             let mut found = [0; 16];
///             let file = disk.open(Path::new("/value"), Access::Read);
///             let read = file.and_then(|file| file.read_full_at(&mut found, 0));
///             match read {
///                 Ok(3) if found.starts_with(b"one") => Ok(()),
///                 Err(_) if marks.is_empty() => Ok(()),
///                 Ok(n) => Err(format!("the value has {n} bytes")),
///                 Err(e) => Err(format!("the saved value is gone: {e}")),
///             }
///         },
///     )
/// };
///
/// explore(true)?.assert_no_violation();
///
/// let careless = explore(false)?;
/// assert_eq!(careless.exit, plugpull::exit::Exit::Violation);
/// assert!(careless.text().contains("missing: fsync(value.tmp)"));
/// # Ok::<(), plugpull::exit::Failure>(())
/// ```
///
/// Unless told otherwise it looks at every legal set of every crash point (windows of up to 4,096 sets) under
/// ext4, xfs, btrfs and posix, fails on the first three, and has no limit of time, so that it shows the same
/// in every run. What it does not look at is said by the report.
#[derive(Clone, Debug)]
pub struct Explore {
    pub(super) name: String,
    models: Vec<String>,
    fail_on: Vec<String>,
    bounds: Bounds,
    time: Option<Duration>,
    pub(super) jobs: usize,
}

impl Explore {
    /// An exploration with this name in its report.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            models: MODELS.map(str::to_owned).to_vec(),
            fail_on: Vec::new(),
            bounds: Bounds { window: WINDOW, ..Bounds::of(Tier::T2) },
            time: None,
            jobs: default_jobs(),
        }
    }

    /// The persistence models: presets, or files (`mine.toml`).
    #[must_use]
    pub fn models(mut self, names: &[&str]) -> Self {
        self.models = names.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    /// The models whose violations fail the run, instead of those of ext4, xfs and btrfs that are looked at;
    /// `none` for none.
    #[must_use]
    pub fn fail_on(mut self, names: &[&str]) -> Self {
        self.fail_on = names.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    /// How far to look: [`Tier::T2`] is every legal set, [`Tier::T3`] also a sample where those are too many.
    #[must_use]
    pub fn tier(mut self, tier: Tier) -> Self {
        self.bounds.tier = tier;
        self
    }

    /// Most legal sets of one crash point to go through.
    #[must_use]
    pub fn window(mut self, sets: u64) -> Self {
        self.bounds.window = sets;
        self
    }

    /// Most states to look at under each model.
    #[must_use]
    pub fn budget(mut self, states: u64) -> Self {
        self.bounds.budget = states;
        self
    }

    /// How long to search. What a search shows then depends on the machine.
    #[must_use]
    pub fn time(mut self, time: Duration) -> Self {
        self.time = Some(time);
        self
    }

    /// Seed of the sample.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.bounds.seed = seed;
        self
    }

    /// Checks at the same time, instead of one for each core.
    #[must_use]
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = jobs.max(1);
        self
    }

    /// The same search for a program, which makes its system calls on a mounted disk: any command, with its
    /// arguments and variables, and the directory in which it is to run as the one that is recorded. What a
    /// [`Command`] does not tell of itself is not taken over: redirections, and `env_clear`.
    pub fn program(self, command: &Command) -> ExploreProgram {
        ExploreProgram::new(self, command)
    }

    /// Runs the workload and looks at all that power cuts may leave of it. What comes before
    /// [`SimFs::begin_anew`] in the workload is durable. A workload that fails is [`Failure::Program`]; a check
    /// that fails on the finished run, from which nothing is lost, is [`Failure::Harness`].
    pub fn run(
        &self,
        workload: impl FnOnce(&SimFs) -> io::Result<()>,
        check: impl Fn(&SimFs, &[String]) -> Result<(), String> + Sync,
    ) -> Result<Outcome, Failure> {
        let plan = self.plan()?;
        let recording = self.record(workload)?;
        let mut outcome = told(&self.name, &recording, &plan, self.jobs);
        if recording.ops() == 0 {
            return Ok(Outcome { exit: Exit::NothingDone, ..outcome });
        }
        let mut judge = Closure { check: &check, marks: marks(&recording), jobs: self.jobs };
        let mut book = Book::new(&mut judge);
        let stop = Stop::default();
        let examined = examine(&recording, &plan, &mut book, &stop, &mut |_, _| {})?;
        outcome.add(&recording, &plan, &examined, (None, &[]));
        for finding in &mut outcome.findings {
            finding.replay = format!("Explore::replay(\"{}\", ..)", finding.token);
        }
        Ok(outcome)
    }

    /// Runs the workload and checks the one state that a finding's token names: a place for a debugger. The
    /// inner result is that of the check.
    pub fn replay(
        &self,
        token: &str,
        workload: impl FnOnce(&SimFs) -> io::Result<()>,
        check: impl Fn(&SimFs, &[String]) -> Result<(), String> + Sync,
    ) -> Result<Result<(), String>, Failure> {
        let recording = self.record(workload)?;
        let asked = self.asked(token, &recording)?;
        let judge = Closure { check: &check, marks: marks(&recording), jobs: 1 };
        Ok(match judge.verdict(&asked) {
            Verdict::Violated(what) => Err(what.message),
            _ => Ok(()),
        })
    }

    /// The state of a run that a token names.
    pub(super) fn asked(&self, token: &str, recording: &Recording) -> Result<Asked, Failure> {
        let failed = |e: faultfs::StateError| Failure::Usage(e.to_string());
        let state: CrashState = token.parse().map_err(failed)?;
        let model = self.plan()?.models.into_iter().find(|model| model.name == state.model());
        let model = model.map_or_else(|| load(state.model()), Ok)?;
        let order = PersistOrder::new(&recording.trace, &model);
        let (image, window) = (state.image(&order).map_err(failed)?, state.find(&order));
        Ok(Asked { image, marks: window.map_err(failed)?.0.marks() })
    }

    pub(super) fn plan(&self) -> Result<Plan, Failure> {
        let models: Vec<Model> =
            self.models.iter().map(|name| load(name)).collect::<Result<_, _>>()?;
        let fail_on = fail_on(&self.fail_on, &models)?;
        Ok(Plan { models, fail_on, bounds: self.bounds, time: self.time })
    }

    fn record(
        &self,
        workload: impl FnOnce(&SimFs) -> io::Result<()>,
    ) -> Result<Recording, Failure> {
        let disk = SimFs::new();
        workload(&disk).map_err(|e| {
            Failure::Program(format!("the workload failed by itself, without any fault: {e}"))
        })?;
        let about = About {
            plugpull: env!("CARGO_PKG_VERSION").to_owned(),
            subject: self.name.clone(),
            command: vec![self.name.clone()],
            dir: PathBuf::from("/"),
            checkers: vec!["a closure".to_owned()],
            ..About::default()
        };
        let mut recording = Recording { about, trace: disk.trace() };
        if recording.marks_came_late() {
            let warning = "all promises were made after the last change";
            recording.about.warnings.push(warning.to_owned());
        }
        Ok(recording)
    }
}

/// The promises of a run, as the check is told them.
pub(super) fn marks(recording: &Recording) -> Vec<String> {
    let text = |event: &Event| match event {
        Event::Mark(text) => Some(String::from_utf8_lossy(text).into_owned()),
        Event::Op { .. } => None,
    };
    recording.trace.events.iter().filter_map(text).collect()
}
