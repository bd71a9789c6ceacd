//! Arguments of the commands that record a program and judge its crash states.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{MessageFormat, ProjectArgs, ReportArgs};
use crate::explore_command::Budget;
use crate::record::Marks;
use crate::search::Partition;

/// How far a search looks, and how it tells.
#[derive(Clone, Debug, Args)]
pub struct SearchArgs {
    /// A persistence model, or a file with one (`mine.toml`); may be given more than once [default: ext4,
    /// xfs, btrfs and posix; for --store all presets]
    #[arg(long)]
    pub model: Vec<String>,
    /// How far to look: 0 is everything kept or lost, 1 one loss, 2 every legal set, 3 also a sample
    /// where those are too many [default: 2]
    #[arg(long, value_parser = clap::value_parser!(u8).range(0..=3))]
    pub tier: Option<u8>,
    /// When to end: a number of states for each run and model, or a time for everything (`10m`)
    /// [default: 60s; none for --store]
    #[arg(long, value_parser = Budget::parse)]
    pub budget: Option<Budget>,
    /// Most legal sets of one crash point to go through; a point with more is named, and sampled with
    /// --tier 3 [default: 4096; 4194304 for --store]
    #[arg(long)]
    pub window: Option<u64>,
    /// In one of so many states, record what the checkers write (their recovery) and cut the power again during
    /// it; 0 for none [default: 0; 16 for --store]
    #[arg(long, value_name = "N")]
    pub recrash: Option<u64>,
    /// Seed of the sample (for --store also of the runs): a number, or any text [default: 1]
    #[arg(long)]
    pub seed: Option<String>,
    /// Checks at the same time [default: one for each core]
    #[arg(long)]
    pub jobs: Option<usize>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub message_format: MessageFormat,
}

/// How crash states of a program are judged.
#[derive(Clone, Debug, Args)]
pub struct JudgeArgs {
    /// What a state must pass.
    #[arg(
        long,
        help = "What a state must pass: a command line, or one of exit:COMMAND, sqlite[:FILE], git[:DIR], \
                store[:DIR], old-or-new:FILE,..., lines:FILE; may be given more than once"
    )]
    pub checker: Vec<String>,
    /// Models whose violations fail the run, parted by commas, or `none` [default: those of ext4, xfs
    /// and btrfs that are looked at; else all]
    #[arg(long, value_delimiter = ',')]
    pub fail_on: Vec<String>,
    /// How long one checker may take [default: 10s]
    #[arg(long, value_parser = humantime::parse_duration)]
    pub timeout: Option<Duration>,
    /// Write the state of each finding to a directory below this one
    #[arg(long)]
    pub keep_states: Option<PathBuf>,
}

/// What is recorded.
#[derive(Clone, Debug, Args)]
pub struct ProgramArgs {
    /// The directory whose files are recorded, the program's working directory [default: this one]
    #[arg(long)]
    pub dir: Option<PathBuf>,
    /// A command line that prepares the directory; what it leaves is durable
    #[arg(long)]
    pub setup: Option<String>,
    /// How long the program may run [default: 10m; for inject at least 10s, and 20 times as long as without
    /// a fault]
    #[arg(long, value_parser = humantime::parse_duration)]
    pub run_timeout: Option<Duration>,
    /// Most bytes that the program may write, which are kept in memory: `500M`, `4G` [default: 4G]
    #[arg(long, value_parser = bytes)]
    pub memory: Option<u64>,
    /// What counts as a promise: each printed line, only lines written to the file `$PLUGPULL_MARK`, or
    /// nothing [default: stdout]
    #[arg(long, value_enum, hide_possible_values = true)]
    pub marks: Option<Marks>,
    /// The program and its arguments
    #[arg(last = true)]
    pub command: Vec<std::ffi::OsString>,
}

/// Results that outlive the run: to go on from, and to put together with those of other machines.
#[derive(Clone, Debug, Default, Args)]
pub struct ResultArgs {
    /// Keep recording and verdicts in this directory, new or empty, as they come
    #[arg(long)]
    pub results: Option<PathBuf>,
    /// Go on with the results that are there: no program is recorded, and no state judged, twice
    #[arg(long, requires = "results")]
    pub resume: bool,
    /// Judge only one part of the states: hash:1/4 to hash:4/4, or slice:1/4 to slice:4/4; `plugpull merge`
    /// puts the results together
    #[arg(long)]
    pub partition: Option<Partition>,
}

/// Arguments of `plugpull merge`.
#[derive(Clone, Debug, Args)]
pub struct MergeArgs {
    /// Directories of results, of all parts
    #[arg(required = true)]
    pub results: Vec<PathBuf>,
    /// A model file, where one of your own was looked at; may be given more than once
    #[arg(long)]
    pub model: Vec<String>,
    /// How long one checker may take, where causes are looked into
    #[arg(long, default_value = "10s", value_parser = humantime::parse_duration)]
    pub timeout: Duration,
    /// How long to look into causes
    #[arg(long, default_value = "60s", value_parser = humantime::parse_duration)]
    pub budget: Duration,
    /// Checks at the same time [default: one for each core]
    #[arg(long)]
    pub jobs: Option<usize>,
    /// Write the state of each finding to a directory below this one
    #[arg(long)]
    pub keep_states: Option<PathBuf>,
    /// Fail for what is worse than this file says
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Reports
    #[command(flatten)]
    pub report: ReportArgs,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub message_format: MessageFormat,
}

/// Arguments of `plugpull record`.
#[derive(Clone, Debug, Args)]
pub struct RecordArgs {
    /// What is recorded
    #[command(flatten)]
    pub program: ProgramArgs,
    /// The file to write
    #[arg(long, short, default_value = "run.plug")]
    pub output: PathBuf,
    /// The checkers that `explore` and `replay` use unless told otherwise
    #[arg(long)]
    pub checker: Vec<String>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub message_format: MessageFormat,
}

/// Arguments of `plugpull check`.
#[derive(Clone, Debug, Args)]
pub struct CheckArgs {
    /// What is recorded
    #[command(flatten)]
    pub program: ProgramArgs,
    /// How states are judged
    #[command(flatten)]
    pub judge: JudgeArgs,
    /// How far to look
    #[command(flatten)]
    pub search: SearchArgs,
    /// What outlives the run
    #[command(flatten)]
    pub results: ResultArgs,
    /// Only record, into the directory of results
    #[arg(long, requires = "results", conflicts_with_all = ["resume", "partition"])]
    pub record_only: bool,
    /// Write the recording to this file [default: a file in the temp directory when something is found]
    #[arg(long)]
    pub recording: Option<PathBuf>,
    /// Reports
    #[command(flatten)]
    pub report: ReportArgs,
    /// What plugpull.toml and plugpull.baseline say
    #[command(flatten)]
    pub project: ProjectArgs,
}

/// Arguments of `plugpull replay`.
#[derive(Clone, Debug, Args)]
pub struct ReplayArgs {
    /// The token of a finding
    pub token: String,
    /// The recording [default: looked for where `plugpull check` keeps them]
    #[arg(long)]
    pub recording: Option<PathBuf>,
    /// Write the state to this directory, which must not exist [default: a fresh one in the temp
    /// directory]
    #[arg(long)]
    pub keep: Option<PathBuf>,
    /// Checkers, instead of those of the recording
    #[arg(long)]
    pub checker: Vec<String>,
    /// How long one checker may take
    #[arg(long, default_value = "10s", value_parser = humantime::parse_duration)]
    pub timeout: Duration,
    /// A model file, where the token is of a model of your own
    #[arg(long)]
    pub model: Option<String>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub message_format: MessageFormat,
}

/// A number of bytes with a unit of 1024.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let (number, unit) = match text.find(|c: char| !c.is_ascii_digit()) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    let shift = match unit.to_ascii_uppercase().as_str() {
        "" => 0,
        "K" | "KIB" => 10,
        "M" | "MIB" => 20,
        "G" | "GIB" => 30,
        _ => return Err("say a number of bytes, such as 500M or 4G".to_owned()),
    };
    let bytes = number.parse::<u64>().ok().and_then(|n| n.checked_mul(1 << shift));
    bytes.ok_or_else(|| "say a number of bytes, such as 500M or 4G".to_owned())
}
