//! Requests: what the check of a program is to do, with every default filled in.
//!
//! They come from the command line, or from the subjects of a configuration; what they ask for has been
//! found sensible before anything runs. Not for running anything.

use std::path::PathBuf;
use std::time::Duration;

use faultfs::Model;

use crate::check::{Checker, CheckerError};
use crate::cli::{CheckArgs, JudgeArgs, SearchArgs};
use crate::config::{Config, Settings, Subject, nearest};
use crate::examine::Plan;
use crate::exit::Failure;
use crate::explore::{Bounds, Tier};
use crate::explore_command::Budget;
use crate::keep::is_free;
use crate::models_command::load;
use crate::options::seed_of;
use crate::record::{Prints, Program};
use crate::record_command::{MEMORY, RUN_TIMEOUT, directory, has_directory, program};

/// The models that are looked at unless told otherwise, and those of them that fail a run.
pub(crate) const MODELS: [&str; 4] = ["ext4", "xfs", "btrfs", "posix"];
const FAIL_ON: [&str; 3] = ["ext4", "xfs", "btrfs"];

/// Most legal sets of one crash point that are gone through: each is a run of the checker.
pub(crate) const WINDOW: u64 = 4096;

/// How long to search unless told otherwise.
const TIME: Duration = Duration::from_mins(1);

/// How far to look, with which seed, and how long one checker may take, unless told otherwise.
pub(crate) const TIER: u8 = 2;
pub(crate) const SEED: &str = "1";
pub(crate) const TIMEOUT: Duration = Duration::from_secs(10);

/// One program to be recorded and looked at.
#[derive(Clone, Debug)]
pub struct Request {
    /// What is run.
    pub program: Program,
    /// Where its recording is to be written, if anywhere.
    pub recording: Option<PathBuf>,
    /// How it is looked at.
    pub look: Look,
}

/// How a recorded run is looked at.
#[derive(Clone, Debug)]
pub struct Look {
    /// What the check is called.
    pub subject: String,
    /// What a state must pass; when empty, what the recording names.
    pub checkers: Vec<String>,
    /// Which states, and which of them fail the run.
    pub plan: Plan,
    /// How long one checker may take.
    pub timeout: Duration,
    /// Checks at the same time, if it is said.
    pub jobs: Option<usize>,
    /// In one of how many states the power is cut again during recovery; 0 is in none.
    pub recrash: u64,
    /// Where the state of each finding is written to, if anywhere.
    pub keep_states: Option<PathBuf>,
}

impl Request {
    /// All that `plugpull check` is asked for: the program of the command line, or else the subjects of
    /// the configuration.
    pub fn all(args: &CheckArgs, config: Option<&Config>) -> Result<Vec<Self>, Failure> {
        if let Some(dir) = &args.judge.keep_states {
            is_free(dir)?;
        }
        let requests = match config {
            None => vec![Self::from_args(args)?],
            Some(config) => Self::subjects(args, config)?,
        };
        if args.recording.is_some() && requests.len() > 1 {
            let text = "--recording names one file, for one subject; choose it with --subject";
            return Err(Failure::Usage(text.to_owned()));
        }
        Ok(requests)
    }

    /// What the command line says.
    fn from_args(args: &CheckArgs) -> Result<Self, Failure> {
        let mut program = program(&args.program, args.search.message_format)?;
        let settings = of_args(args).or(&Settings::from_environment()?);
        limits(&mut program, &settings);
        let checkers = args.judge.checker.clone();
        let mut look = Look::new(program.name(), checkers, &settings)?;
        look.keep_states.clone_from(&args.judge.keep_states);
        look.recrash = args.search.recrash.unwrap_or(0);
        let request = Self { program, recording: args.recording.clone(), look };
        request.is_sensible()?;
        Ok(request)
    }

    /// Those subjects of a configuration that are asked for.
    fn subjects(args: &CheckArgs, config: &Config) -> Result<Vec<Self>, Failure> {
        let only_with_program = [
            ("--dir", args.program.dir.is_some(), "dir"),
            ("--setup", args.program.setup.is_some(), "setup"),
            ("--marks", args.program.marks.is_some(), "marks"),
        ];
        if let Some((option, _, key)) = only_with_program.into_iter().find(|(_, said, _)| *said) {
            let file = config.path.display();
            return Err(Failure::Usage(format!(
                "{option} is about a program behind `--`; for the subjects of {file} say it there, as \
                 `{key}`"
            )));
        }
        let profile = config.profile(args.project.profile.as_deref())?;
        let said = of_args(args).or(&Settings::from_environment()?);
        let many = config.subjects.len() > 1;
        let request = |subject: &Subject| {
            let settings = said.clone().or(&config.settings(subject, &profile));
            Self::of_subject(args, subject, &settings, many).map_err(|failure| match failure {
                Failure::Usage(text) => {
                    let file = config.path.display();
                    Failure::Usage(format!("{file}: subject `{}`: {text}", subject.name))
                }
                failure => failure,
            })
        };
        chosen(config, &args.project.subject)?.into_iter().map(request).collect()
    }

    fn of_subject(
        args: &CheckArgs,
        subject: &Subject,
        settings: &Settings,
        many: bool,
    ) -> Result<Self, Failure> {
        let mut program = Program {
            command: subject.run.iter().map(Into::into).collect(),
            env: Vec::new(),
            dir: directory(&subject.directory()?)?,
            setup: subject.setup.clone(),
            timeout: RUN_TIMEOUT,
            memory: MEMORY,
            prints: Prints::of(args.search.message_format),
            marks: subject.marks,
        };
        limits(&mut program, settings);
        let checkers = match args.judge.checker.as_slice() {
            [] => subject.check.clone(),
            instead => instead.to_vec(),
        };
        let mut look = Look::new(subject.name.clone(), checkers, settings)?;
        let keep = args.judge.keep_states.as_ref();
        look.recrash = args.search.recrash.unwrap_or(0);
        look.keep_states = keep.map(|dir| if many { dir.join(&subject.name) } else { dir.clone() });
        let request = Self { program, recording: args.recording.clone(), look };
        request.is_sensible()?;
        Ok(request)
    }

    /// What is wrong is to be known before anything runs.
    fn is_sensible(&self) -> Result<(), Failure> {
        if self.look.checkers.is_empty() {
            let text = "say what a state must pass: --checker COMMAND, or one of those that are built \
                        in (plugpull check --help)";
            return Err(Failure::Usage(text.to_owned()));
        }
        for checker in checkers(&self.look.checkers)? {
            checker.find_program().map_err(usage)?;
        }
        self.recording.as_deref().map_or(Ok(()), has_directory)
    }
}

impl Look {
    /// What the command line says, and where it says nothing the environment.
    pub fn from_args(
        subject: String,
        judge: &JudgeArgs,
        search: &SearchArgs,
    ) -> Result<Self, Failure> {
        let settings = Settings::from_args(judge, search).or(&Settings::from_environment()?);
        if let Some(dir) = &judge.keep_states {
            is_free(dir)?;
        }
        let mut look = Self::new(subject, judge.checker.clone(), &settings)?;
        look.keep_states.clone_from(&judge.keep_states);
        look.recrash = search.recrash.unwrap_or(0);
        Ok(look)
    }

    fn new(subject: String, checkers: Vec<String>, said: &Settings) -> Result<Self, Failure> {
        Ok(Self {
            subject,
            checkers,
            plan: plan(said)?,
            timeout: said.timeout.unwrap_or(TIMEOUT),
            jobs: said.jobs,
            recrash: 0,
            keep_states: None,
        })
    }
}

/// All settings of the command line.
fn of_args(args: &CheckArgs) -> Settings {
    let said = Settings::from_args(&args.judge, &args.search);
    Settings { run_timeout: args.program.run_timeout, memory: args.program.memory, ..said }
}

fn limits(program: &mut Program, said: &Settings) {
    program.timeout = said.run_timeout.unwrap_or(program.timeout);
    program.memory = said.memory.unwrap_or(program.memory);
}

/// The subjects of these names, in the order of the file; without names all.
fn chosen<'c>(config: &'c Config, names: &[String]) -> Result<Vec<&'c Subject>, Failure> {
    let known = || config.subjects.iter().map(|subject| subject.name.as_str());
    if let Some(name) = names.iter().find(|name| known().all(|known| known != *name)) {
        let near = nearest(name, known()).map(|near| format!("; did you mean `{near}`?"));
        let all = || format!("; there are {}", known().collect::<Vec<_>>().join(", "));
        let (file, near) = (config.path.display(), near.unwrap_or_else(all));
        return Err(Failure::Usage(format!("--subject: no subject `{name}` in {file}{near}")));
    }
    let is_chosen = |subject: &&Subject| names.is_empty() || names.contains(&subject.name);
    Ok(config.subjects.iter().filter(is_chosen).collect())
}

/// The checkers of these specifications.
pub(crate) fn checkers(specifications: &[String]) -> Result<Vec<Checker>, Failure> {
    specifications.iter().map(|text| text.parse().map_err(usage)).collect()
}

#[expect(clippy::needless_pass_by_value, reason = "it is a function for map_err")]
pub(crate) fn usage(error: CheckerError) -> Failure {
    Failure::Usage(error.to_string())
}

fn plan(said: &Settings) -> Result<Plan, Failure> {
    let names: Vec<&str> = match said.models.as_deref() {
        None | Some([]) => MODELS.to_vec(),
        Some(names) => names.iter().map(String::as_str).collect(),
    };
    let models: Vec<Model> = names.iter().map(|name| load(name)).collect::<Result<_, _>>()?;
    let mut gate = said.fail_on.clone().unwrap_or_default();
    if said.narrowed {
        gate.retain(|name| name == "none" || models.iter().any(|model| model.name == *name));
    }
    let fail_on = fail_on(&gate, &models)?;
    let (budget, time) = match said.budget {
        Some(Budget::States(states)) => (states, None),
        Some(Budget::Time(time)) => (u64::MAX, Some(time)),
        None => (u64::MAX, Some(TIME)),
    };
    let tier = Tier::ALL[usize::from(said.tier.unwrap_or(TIER))];
    let window = said.window.unwrap_or(WINDOW);
    let seed = seed_of(said.seed.as_deref().unwrap_or(SEED));
    let bounds = Bounds { budget, window, seed, ..Bounds::of(tier) };
    Ok(Plan { models, fail_on, bounds, time })
}

/// The models to fail on; all of one's own choice if none of the default ones is among them.
pub(crate) fn fail_on(named: &[String], models: &[Model]) -> Result<Vec<String>, Failure> {
    let looked_at = |name: &str| models.iter().any(|model| model.name == name);
    match named {
        [] => {
            let default: Vec<_> = FAIL_ON.iter().filter(|name| looked_at(name)).collect();
            if default.is_empty() {
                return Ok(models.iter().map(|model| model.name.clone()).collect());
            }
            Ok(default.into_iter().map(|name| (*name).to_owned()).collect())
        }
        [none] if none == "none" => Ok(Vec::new()),
        all => match all.iter().find(|name| !looked_at(name)) {
            Some(name) => Err(Failure::Usage(format!(
                "--fail-on {name}, but that model is not looked at; add --model {name}"
            ))),
            None => Ok(all.to_vec()),
        },
    }
}
