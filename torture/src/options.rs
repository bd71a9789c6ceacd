//! Options: the arguments of a torture run with their meaning, checked.

use std::path::PathBuf;
use std::time::Duration;

#[cfg(feature = "planted")]
use plugpull_store::Bug;
use plugpull_store::{Durability, ObjectId, Options as StoreOptions};

use crate::cli::{DurabilityArg, MessageFormat, TortureArgs};
use crate::exit::Failure;

/// Most writers at the same time; each is a process.
const MAX_WRITERS: u32 = 64;

/// Commits for each kill, where the user does not say how many kills.
const COMMITS_A_KILL: u64 = 25;

/// Fewest kills where the user does not say: enough to hit every step of a commit.
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
    /// Kills to make.
    pub kills: u64,
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
    /// Whether the store is kept in any case.
    pub keep: bool,
    /// How to print.
    pub format: MessageFormat,
    /// Name of a planted mistake.
    pub planted: Option<String>,
}

impl Options {
    /// Checks the arguments; an error names the remedy.
    pub fn from_args(args: &TortureArgs) -> Result<Self, Failure> {
        if args.commits == 0 {
            return Err(Failure::Usage("--commits must be at least 1".to_owned()));
        }
        if !(1..=MAX_WRITERS).contains(&args.writers) {
            let message = format!("--writers must be from 1 to {MAX_WRITERS}");
            return Err(Failure::Usage(message));
        }
        Ok(Self {
            commits: args.commits,
            writers: args.writers,
            kills: kills_of(args)?,
            seed: seed_of(&args.seed),
            duration: args.duration,
            dir: args.dir.clone(),
            durability: match args.durability {
                DurabilityArg::Strict => Durability::Strict,
                DurabilityArg::BestEffort => Durability::BestEffort,
            },
            power_cuts: args.power_cuts,
            keep: args.keep,
            format: args.message_format,
            planted: planted_of(args)?,
        })
    }
}

fn kills_of(args: &TortureArgs) -> Result<u64, Failure> {
    let default = (args.commits / COMMITS_A_KILL).clamp(FEWEST_KILLS, MOST_KILLS);
    let kills = args.kills.unwrap_or(default);
    if kills > MOST_KILLS {
        return Err(Failure::Usage(format!("--kills must be at most {MOST_KILLS}")));
    }
    Ok(kills)
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
