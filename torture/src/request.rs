//! Requests: what the check of a program is to do, with every default filled in.
//!
//! They come from the command line; what they ask for has been found sensible before anything runs.
//! Not for running anything.

use std::path::PathBuf;
use std::time::Duration;

use faultfs::Model;

use crate::check::{Checker, CheckerError};
use crate::cli::{CheckArgs, JudgeArgs, SearchArgs};
use crate::examine::Plan;
use crate::exit::Failure;
use crate::explore::{Bounds, Tier};
use crate::explore_command::Budget;
use crate::keep::is_free;
use crate::models_command::load;
use crate::options::seed_of;
use crate::record::Program;
use crate::record_command::{has_directory, program};

/// The models that are looked at unless told otherwise, and those of them that fail a run.
const MODELS: [&str; 4] = ["ext4", "xfs", "btrfs", "posix"];
const FAIL_ON: [&str; 3] = ["ext4", "xfs", "btrfs"];

/// Most legal sets of one crash point that are gone through: each is a run of the checker.
const WINDOW: u64 = 4096;

/// How long to search unless told otherwise.
const TIME: Duration = Duration::from_mins(1);

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
    /// Where the state of each finding is written to, if anywhere.
    pub keep_states: Option<PathBuf>,
}

impl Request {
    /// All that `plugpull check` is asked for.
    pub fn all(args: &CheckArgs) -> Result<Vec<Self>, Failure> {
        Ok(vec![Self::from_args(args)?])
    }

    /// What the command line says.
    fn from_args(args: &CheckArgs) -> Result<Self, Failure> {
        let program = program(&args.program, args.search.message_format)?;
        let look = Look::from_args(program.name(), &args.judge, &args.search)?;
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
    /// What the command line says.
    pub fn from_args(
        subject: String,
        judge: &JudgeArgs,
        search: &SearchArgs,
    ) -> Result<Self, Failure> {
        let plan = plan(judge, search)?;
        if let Some(dir) = &judge.keep_states {
            is_free(dir)?;
        }
        Ok(Self {
            subject,
            checkers: judge.checker.clone(),
            plan,
            timeout: judge.timeout,
            jobs: search.jobs,
            keep_states: judge.keep_states.clone(),
        })
    }
}

/// The checkers of these specifications.
pub(crate) fn checkers(specifications: &[String]) -> Result<Vec<Checker>, Failure> {
    specifications.iter().map(|text| text.parse().map_err(usage)).collect()
}

#[expect(clippy::needless_pass_by_value, reason = "it is a function for map_err")]
pub(crate) fn usage(error: CheckerError) -> Failure {
    Failure::Usage(error.to_string())
}

fn plan(judge: &JudgeArgs, search: &SearchArgs) -> Result<Plan, Failure> {
    let names: Vec<&str> = match search.model.as_slice() {
        [] => MODELS.to_vec(),
        names => names.iter().map(String::as_str).collect(),
    };
    let models: Vec<Model> = names.iter().map(|name| load(name)).collect::<Result<_, _>>()?;
    let fail_on = fail_on(&judge.fail_on, &models)?;
    let (budget, time) = match search.budget {
        Some(Budget::States(states)) => (states, None),
        Some(Budget::Time(time)) => (u64::MAX, Some(time)),
        None => (u64::MAX, Some(TIME)),
    };
    let tier = Tier::ALL[usize::from(search.tier)];
    let window = search.window.unwrap_or(WINDOW);
    let bounds = Bounds { budget, window, seed: seed_of(&search.seed), ..Bounds::of(tier) };
    Ok(Plan { models, fail_on, bounds, time })
}

/// The models to fail on; all of one's own choice if none of the default ones is among them.
fn fail_on(named: &[String], models: &[Model]) -> Result<Vec<String>, Failure> {
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
