//! Arguments of the torture run, and of its writers.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::program::bytes;
use super::{DurabilityArg, MessageFormat};

/// Arguments of `plugpull torture`.
#[derive(Clone, Debug, Args)]
pub struct TortureArgs {
    /// Acknowledged commits to reach
    #[arg(long, default_value_t = 10_000, conflicts_with = "command")]
    pub commits: u64,
    /// Writer processes at work at the same time
    #[arg(long, default_value_t = 4, conflicts_with = "command")]
    pub writers: u32,
    /// Kills to make; half at a seeded random time, half at an exact file-system call
    /// [default: one for every 25 commits, at least two for each such call]
    #[arg(long, conflicts_with = "command")]
    pub kills: Option<u64>,
    /// What the writers do between two commits: `drawn` from the seed, `all`, `none`, or names of operations
    /// with commas between them
    #[arg(long, default_value = "drawn", conflicts_with = "command")]
    pub errands: String,
    /// Seed of the kill plan and of all contents: a number, or any text such as a commit hash
    #[arg(long, default_value = "1")]
    pub seed: String,
    /// End after this time even if commits are missing, for example `90s` or `10m`
    #[arg(long, value_parser = humantime::parse_duration)]
    pub duration: Option<Duration>,
    /// Directory for the store, new or empty [default: a fresh one under the temp directory]; of a program
    /// the one that it works in, which is never touched [default: this one]
    #[arg(long)]
    pub dir: Option<PathBuf>,
    /// What a failed fsync does to a write
    #[arg(long, value_enum, default_value_t, conflicts_with = "command")]
    pub durability: DurabilityArg,
    /// Recorded runs of each workload of the store whose power cuts are explored; 0 looks at none
    #[arg(long, default_value_t = 1, conflicts_with = "command")]
    pub power_cuts: u64,
    /// At the end, tell where the time of a commit went, by what the calls of the file system do
    #[arg(long, conflicts_with = "command")]
    pub timing: bool,
    /// Keep the store even when nothing is found
    #[arg(long, conflicts_with = "command")]
    pub keep: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub message_format: MessageFormat,
    /// A deliberate mistake, to show that it is found
    #[cfg(feature = "planted")]
    #[arg(long, hide = true, conflicts_with = "command")]
    pub planted: Option<String>,
    /// A program to kill instead, and how
    #[command(flatten)]
    pub live: LiveArgs,
}

/// Arguments of `plugpull torture -- PROGRAM`.
#[derive(Clone, Debug, Args)]
pub struct LiveArgs {
    /// Of a program: a command line that prepares the directory; what it leaves is durable
    #[arg(long, requires = "command")]
    pub setup: Option<String>,
    /// Of a program: what is left must pass this; as for `plugpull check`
    #[arg(long, requires = "command")]
    pub checker: Vec<String>,
    /// Of a program: how often it is started
    #[arg(long, default_value_t = 100, requires = "command")]
    pub rounds: u64,
    /// Of a program: each round begins with the directory as the setup left it, instead of what the round before
    /// left; for programs that do not go on where they were
    #[arg(long, requires = "command")]
    pub afresh: bool,
    /// Of a program: models of the disk, of which each power cut draws one [default: ext4, xfs and btrfs]
    #[arg(long, requires = "command")]
    pub model: Vec<String>,
    /// Of a program: how long one checker may take
    #[arg(long, default_value = "10s", value_parser = humantime::parse_duration, requires = "command")]
    pub timeout: Duration,
    /// Of a program: how long one round may take
    #[arg(long, default_value = "1m", value_parser = humantime::parse_duration, requires = "command")]
    pub run_timeout: Duration,
    /// Of a program: most bytes that it may write between two power cuts, which are kept in memory
    #[arg(long, default_value = "4G", value_parser = bytes, requires = "command")]
    pub memory: u64,
    /// Of a program: go on after a violation, from the start
    #[arg(long, requires = "command")]
    pub keep_going: bool,
    /// A program and its arguments, to be killed instead of the reference store's writers
    #[arg(last = true)]
    pub command: Vec<std::ffi::OsString>,
}

/// Arguments of the hidden writer.
#[derive(Clone, Debug, Args)]
pub struct WriterArgs {
    /// The writer's part as JSON, see `wire::Part`
    pub part: String,
}
