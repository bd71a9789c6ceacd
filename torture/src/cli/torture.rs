//! Arguments of the torture run, and of its writers.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{DurabilityArg, MessageFormat};

/// Arguments of `plugpull torture`.
#[derive(Clone, Debug, Args)]
pub struct TortureArgs {
    /// Acknowledged commits to reach
    #[arg(long, default_value_t = 10_000)]
    pub commits: u64,
    /// Writer processes at work at the same time
    #[arg(long, default_value_t = 4)]
    pub writers: u32,
    /// Kills to make; half at a seeded random time, half at an exact file-system call
    /// [default: one for every 25 commits, at least 100]
    #[arg(long)]
    pub kills: Option<u64>,
    /// Seed of the kill plan and of all contents: a number, or any text such as a commit hash
    #[arg(long, default_value = "1")]
    pub seed: String,
    /// End after this time even if commits are missing, for example `90s` or `10m`
    #[arg(long, value_parser = humantime::parse_duration)]
    pub duration: Option<Duration>,
    /// Directory for the store, new or empty [default: a fresh one under the temp directory]
    #[arg(long)]
    pub dir: Option<PathBuf>,
    /// What a failed fsync does to a write
    #[arg(long, value_enum, default_value_t)]
    pub durability: DurabilityArg,
    /// Recorded runs of each workload of the store whose power cuts are explored; 0 looks at none
    #[arg(long, default_value_t = 1)]
    pub power_cuts: u64,
    /// Keep the store even when nothing is found
    #[arg(long)]
    pub keep: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub message_format: MessageFormat,
    /// A deliberate mistake, to show that it is found
    #[cfg(feature = "planted")]
    #[arg(long, hide = true)]
    pub planted: Option<String>,
}

/// Arguments of the hidden writer.
#[derive(Clone, Debug, Args)]
pub struct WriterArgs {
    /// The writer's part as JSON, see `wire::Part`
    pub part: String,
}
