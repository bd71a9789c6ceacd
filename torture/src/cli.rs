//! Arguments: what the command line may say, and nothing of what it means.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::exit::EXIT_CODES;
use crate::explore_command::Budget;

/// Pulls the plug on a program and tells which missing fsync would have lost data.
#[derive(Debug, Parser)]
#[command(name = "plugpull", version, after_help = EXIT_CODES, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands; each does one thing.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Kill writers of the reference store until 10,000 commits are acknowledged, audit every kill; then
    /// cut the power of recorded runs
    #[command(after_help = "\
Example: plugpull torture
         plugpull torture --commits 500 --writers 2 --kills 100 --seed 7 --keep")]
    Torture(TortureArgs),
    /// Check the integrity of a store: hashes, references, refs, leftover temps
    #[command(after_help = "Example: plugpull audit /tmp/store --message-format json-lines")]
    Audit(AuditArgs),
    /// Record a program, cut its power at every point, and check what is left each time
    #[command(after_help = "\
Example: plugpull check --checker sqlite -- sqlite3 app.db 'INSERT INTO t VALUES (1)'
         plugpull check --dir data --setup 'cp -r ../seed/. .' --checker ./verify -- ./my-program

The program runs on a simulated disk over DIR; its files are never touched. Each line that it prints is a
promise: what is promised must be there after a power cut that comes later. A checker is a command line that runs
in the state that a power cut leaves, with the lines printed before in the file $PLUGPULL_MARKS; exit code 0
means that all is well, and its last line of output tells what is not.")]
    Check(CheckArgs),
    /// Record a program: all that it changes, syncs and promises, into a file
    #[command(after_help = "Example: plugpull record --output run.plug --dir data -- ./my-program")]
    Record(RecordArgs),
    /// Make one crash state again, by the token of a finding, and check it
    #[command(after_help = "\
Example: plugpull replay pp1:ext4:0123456789abcdef:17:-0.2 --recording run.plug --keep state")]
    Replay(ReplayArgs),
    /// Say what this machine lets plugpull do, and how to mend what it does not
    #[command(after_help = "Example: plugpull doctor")]
    Doctor(DoctorArgs),
    /// Explore what power cuts may leave of a recorded run: check every crash state
    #[command(after_help = "\
Example: plugpull explore run.plug --checker ./verify --tier 3 --budget 10m
         plugpull explore --store
         plugpull explore --store --workload cas-race --size 8 --model ext4 --tier 3 --budget 10m")]
    Explore(ExploreArgs),
    /// Explain the persistence models: what a crash may lose, reorder or tear
    #[command(after_help = "\
Example: plugpull models
         plugpull models ext4")]
    Models(ModelsArgs),
    /// Use a store by hand
    #[command(subcommand)]
    Store(StoreCommand),
    /// A writer of the torture run (started by the runner, not by people)
    #[command(hide = true)]
    TortureWriter(WriterArgs),
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum MessageFormat {
    /// For people.
    #[default]
    Human,
    /// One JSON object a line; see docs/formats.md.
    JsonLines,
}

/// What a failed fsync does to a write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum DurabilityArg {
    /// The write fails.
    #[default]
    Strict,
    /// The write completes and says that it is degraded.
    BestEffort,
}

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

/// Arguments of `plugpull audit`.
#[derive(Clone, Debug, Args)]
pub struct AuditArgs {
    /// The store's directory
    pub dir: PathBuf,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub message_format: MessageFormat,
}

/// How far a search looks, and how it tells.
#[derive(Clone, Debug, Args)]
pub struct SearchArgs {
    /// A persistence model, or a file with one (`mine.toml`); may be given more than once [default: ext4,
    /// xfs, btrfs and posix; for --store all presets]
    #[arg(long)]
    pub model: Vec<String>,
    /// How far to look: 0 is everything kept or lost, 1 one loss, 2 every legal set, 3 also a sample
    /// where those are too many
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(0..=3))]
    pub tier: u8,
    /// When to end: a number of states for each run and model, or a time for everything (`10m`)
    /// [default: 60s; none for --store]
    #[arg(long, value_parser = Budget::parse)]
    pub budget: Option<Budget>,
    /// Most legal sets of one crash point to go through; a point with more is named, and sampled with
    /// --tier 3 [default: 4096; 65536 for --store]
    #[arg(long)]
    pub window: Option<u64>,
    /// Seed of the sample (for --store also of the runs): a number, or any text
    #[arg(long, default_value = "1")]
    pub seed: String,
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
    /// How long one checker may take
    #[arg(long, default_value = "10s", value_parser = humantime::parse_duration)]
    pub timeout: Duration,
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
    /// How long the program may run
    #[arg(long, default_value = "10m", value_parser = humantime::parse_duration)]
    pub run_timeout: Duration,
    /// Most bytes that the program may write, which are kept in memory: `500M`, `4G`
    #[arg(long, default_value = "4G", value_parser = bytes)]
    pub memory: u64,
    /// The program and its arguments
    #[arg(required = true, last = true)]
    pub command: Vec<std::ffi::OsString>,
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
    /// Write the recording to this file [default: a file in the temp directory when something is found]
    #[arg(long)]
    pub recording: Option<PathBuf>,
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

/// Arguments of `plugpull doctor`.
#[derive(Clone, Debug, Args)]
pub struct DoctorArgs {
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub message_format: MessageFormat,
}

/// A number of bytes with a unit of 1024.
fn bytes(text: &str) -> Result<u64, String> {
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

/// Arguments of `plugpull explore`.
#[derive(Clone, Debug, Args)]
pub struct ExploreArgs {
    /// A recorded run (see `plugpull record`)
    #[arg(conflicts_with = "store")]
    pub recording: Option<PathBuf>,
    /// Checkers, instead of those of the recording
    #[command(flatten)]
    pub judge: JudgeArgs,
    /// Explore the reference store
    #[arg(long)]
    pub store: bool,
    /// What is done to the store; may be given more than once [default: all workloads but init and
    /// init-after-kill, which have more crash states than can be looked at]
    #[arg(long)]
    pub workload: Vec<String>,
    /// About how many operations a recorded run has
    #[arg(long, default_value_t = 2)]
    pub size: usize,
    /// Recorded runs of each workload, with seeds from --seed on
    #[arg(long, default_value_t = 1)]
    pub runs: u64,
    /// How far to look
    #[command(flatten)]
    pub search: SearchArgs,
    /// Cut the power again during recovery, and use the store, in one of so many states
    #[arg(long, default_value_t = 16)]
    pub recrash: u64,
    /// Only this crash state, by the token of a finding
    #[arg(long)]
    pub replay: Option<String>,
    /// With --replay: write the disk of that state to this directory, which must not exist
    #[arg(long, requires = "replay")]
    pub keep: Option<PathBuf>,
    /// A deliberate mistake, to show that it is found
    #[cfg(feature = "planted")]
    #[arg(long, hide = true)]
    pub planted: Option<String>,
}

impl ExploreArgs {
    /// The name of a deliberate mistake.
    pub fn planted(&self) -> Option<&str> {
        #[cfg(feature = "planted")]
        return self.planted.as_deref();
        #[cfg(not(feature = "planted"))]
        return None;
    }
}

/// Arguments of `plugpull models`.
#[derive(Clone, Debug, Args)]
pub struct ModelsArgs {
    /// A preset, or a model file of your own (`mine.toml`) [default: all presets, without their rules]
    pub name: Option<String>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub message_format: MessageFormat,
}

/// What `plugpull store` can do.
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Make a store in DIR, or put back what is missing of one
    #[command(after_help = "Example: plugpull store init /tmp/store")]
    Init {
        /// The store's directory
        dir: PathBuf,
    },
    /// Store files as blobs and print their ids
    #[command(after_help = "\
Example: plugpull store put /tmp/store notes.txt
         echo hello | plugpull store put /tmp/store -")]
    Put {
        /// The store's directory
        dir: PathBuf,
        /// Files to store; `-` is standard input
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Print an object's bytes, or write them to a file
    #[command(after_help = "Example: plugpull store get /tmp/store sha256:... --output notes.txt")]
    Get {
        /// The store's directory
        dir: PathBuf,
        /// The object's id
        id: String,
        /// Write to this file, atomically and durably, instead of to standard output
        #[arg(long, short)]
        output: Option<PathBuf>,
    },
    /// Commit files: the snapshot holds exactly the files given
    #[command(after_help = "\
Example: plugpull store commit /tmp/store -m 'first notes' notes.txt src")]
    Commit {
        /// The store's directory
        dir: PathBuf,
        /// Why
        #[arg(long, short)]
        message: String,
        /// Who
        #[arg(long, env = "USER", default_value = "unknown")]
        author: String,
        /// The branch to move [default: the one HEAD names]
        #[arg(long, short)]
        branch: Option<String>,
        /// Files and directories, relative to here
        #[arg(required = true)]
        paths: Vec<PathBuf>,
    },
    /// List commits, newest first, following first parents
    #[command(after_help = "Example: plugpull store log /tmp/store main")]
    Log {
        /// The store's directory
        dir: PathBuf,
        /// A branch or commit id [default: HEAD]
        from: Option<String>,
    },
    /// List branches, or create, move or delete one
    #[command(after_help = "\
Example: plugpull store branch /tmp/store
         plugpull store branch /tmp/store topic sha256:...
         plugpull store branch /tmp/store topic --delete")]
    Branch(BranchArgs),
    /// Remove temps of dead writers and objects that nothing leads to
    #[command(after_help = "Example: plugpull store gc /tmp/store --grace 2days --dry-run")]
    Gc {
        /// The store's directory
        dir: PathBuf,
        /// Keep unreachable objects younger than this
        #[arg(long, value_parser = humantime::parse_duration, default_value = "1h")]
        grace: Duration,
        /// Only say what would be deleted
        #[arg(long)]
        dry_run: bool,
    },
}

/// Arguments of `plugpull store branch`.
#[derive(Debug, Args)]
pub struct BranchArgs {
    /// The store's directory
    pub dir: PathBuf,
    /// The branch; without one, all are listed
    pub name: Option<String>,
    /// The commit it shall point at
    #[arg(conflicts_with = "delete", requires = "name")]
    pub commit: Option<String>,
    /// Move it only if it points at this commit [default: it must not exist, or, for a deletion, must
    /// not move meanwhile]
    #[arg(long, conflicts_with = "force", requires = "name")]
    pub expect: Option<String>,
    /// Move or delete it wherever it points
    #[arg(long, requires = "name")]
    pub force: bool,
    /// Delete it
    #[arg(long, requires = "name")]
    pub delete: bool,
}
