//! Options: the arguments of a torture run with their meaning, checked.

use std::path::PathBuf;
use std::time::Duration;

#[cfg(feature = "planted")]
use plugpull_store::Bug;
use plugpull_store::{Durability, ObjectId, Options as StoreOptions};

use crate::cli::{DurabilityArg, MessageFormat, TortureArgs};
use crate::errand::{Errand, Errands};
use crate::exit::Failure;

/// Most writers at the same time; each is a process.
const MAX_WRITERS: u32 = 64;

/// Commits for each kill, where the user does not say how many kills.
const COMMITS_A_KILL: u64 = 25;

/// Fewest kills where the user does not say.
const FEWEST_KILLS: u64 = 100;

/// Most kills: the plan is held in memory.
const MOST_KILLS: u64 = 100_000;

/// What a torture run shall do.
#[derive(Clone, Debug)]
pub struct Options {
    /// Acknowledged commits to reach.
    pub commits: u64,
    /// Writer processes at the same time.
    pub writers: u32,
    /// Kills to make, if the user says how many.
    pub kills: Option<u64>,
    /// What the writers do between two commits.
    pub errands: Errands,
    /// Seed of plan and contents.
    pub seed: u64,
    /// Longest time, if limited.
    pub duration: Option<Duration>,
    /// Where the store shall be, if not in a fresh temp directory.
    pub dir: Option<PathBuf>,
    /// What a failed fsync does.
    pub durability: Durability,
    /// Recorded runs of each workload whose power cuts are explored.
    pub power_cuts: u64,
    /// Whether the writers time their commits.
    pub timing: bool,
    /// Whether the store is kept in any case.
    pub keep: bool,
    /// How to print.
    pub format: MessageFormat,
    /// Name of a planted mistake.
    pub planted: Option<String>,
}

impl Options {
    /// How many kills a plan over this many steps has: what the user says, else enough to hit each of
    /// them, as every second kill is at one.
    pub fn kills(&self, steps: usize) -> u64 {
        let fewest = FEWEST_KILLS.max(2 * steps as u64);
        let default = (self.commits / COMMITS_A_KILL).clamp(fewest, MOST_KILLS.max(fewest));
        self.kills.unwrap_or(default)
    }

    /// Checks the arguments; an error names the remedy.
    pub fn from_args(args: &TortureArgs) -> Result<Self, Failure> {
        if args.commits == 0 {
            return Err(Failure::Usage("--commits must be at least 1".to_owned()));
        }
        if !(1..=MAX_WRITERS).contains(&args.writers) {
            let message = format!("--writers must be from 1 to {MAX_WRITERS}");
            return Err(Failure::Usage(message));
        }
        let seed = seed_of(&args.seed);
        Ok(Self {
            commits: args.commits,
            writers: args.writers,
            kills: kills_of(args)?,
            errands: errands_of(&args.errands, seed)?,
            seed,
            duration: args.duration,
            dir: args.dir.clone(),
            durability: match args.durability {
                DurabilityArg::Strict => Durability::Strict,
                DurabilityArg::BestEffort => Durability::BestEffort,
            },
            power_cuts: args.power_cuts,
            timing: args.timing,
            keep: args.keep,
            format: args.message_format,
            planted: planted_of(args)?,
        })
    }
}

fn kills_of(args: &TortureArgs) -> Result<Option<u64>, Failure> {
    if args.kills.is_some_and(|kills| kills > MOST_KILLS) {
        return Err(Failure::Usage(format!("--kills must be at most {MOST_KILLS}")));
    }
    Ok(args.kills)
}

/// `drawn`, `all`, `none`, or names with commas between them.
fn errands_of(text: &str, seed: u64) -> Result<Errands, Failure> {
    match text {
        "drawn" => Ok(Errands::draw(seed)),
        "all" => Ok(Errands::of(Errand::ALL)),
        "none" => Ok(Errands::default()),
        names => names.split(',').map(errand_of).collect::<Result<Vec<_>, _>>().map(Errands::of),
    }
}

fn errand_of(name: &str) -> Result<Errand, Failure> {
    Errand::parse(name).ok_or_else(|| {
        let known = Errand::ALL.map(Errand::name).join(", ");
        let message =
            format!("no errand {name:?}; --errands takes drawn, all, none, or some of {known}");
        Failure::Usage(message)
    })
}

/// A number is itself; any other text, such as a commit hash, is hashed to one.
pub(crate) fn seed_of(text: &str) -> u64 {
    text.parse().unwrap_or_else(|_| {
        let hex = ObjectId::of(text.as_bytes()).hex();
        u64::from_str_radix(&hex[..16], 16).unwrap_or_default()
    })
}

#[cfg(feature = "planted")]
fn planted_of(args: &TortureArgs) -> Result<Option<String>, Failure> {
    args.planted.as_deref().map(|name| bug_of(name).map(|bug| bug.name().to_owned())).transpose()
}

#[cfg(not(feature = "planted"))]
#[expect(clippy::unnecessary_wraps, reason = "with the feature it can fail")]
fn planted_of(_: &TortureArgs) -> Result<Option<String>, Failure> {
    Ok(None)
}

/// The options of a store with the deliberate mistake of this name.
#[cfg(feature = "planted")]
pub(crate) fn planted_options(
    options: StoreOptions,
    name: Option<&str>,
) -> Result<StoreOptions, Failure> {
    match name {
        Some(name) => Ok(options.planted(bug_of(name)?)),
        None => Ok(options),
    }
}

#[cfg(not(feature = "planted"))]
#[expect(clippy::unnecessary_wraps, reason = "with the feature it can fail")]
pub(crate) fn planted_options(
    options: StoreOptions,
    _: Option<&str>,
) -> Result<StoreOptions, Failure> {
    Ok(options)
}

#[cfg(feature = "planted")]
fn bug_of(name: &str) -> Result<Bug, Failure> {
    Bug::named(name).ok_or_else(|| {
        let known: Vec<_> = Bug::ALL.iter().map(|bug| bug.name()).collect();
        Failure::Usage(format!("no planted mistake {name:?}; there are {}", known.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_number_or_any_text() {
        assert_eq!(seed_of("42"), 42);
        assert_eq!(seed_of("0123abcd"), seed_of("0123abcd"));
        assert_ne!(seed_of("0123abcd"), seed_of("0123abce"));
    }
}
