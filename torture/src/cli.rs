//! Arguments: what the command line may say, and nothing of what it means.

mod bench;
mod explore;
mod inject;
mod manual;
mod mount;
mod program;
mod project;
mod report;
mod store;
mod torture;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::exit::EXIT_CODES;

pub use bench::BenchArgs;
pub use explore::ExploreArgs;
pub use inject::InjectArgs;
pub use manual::{CompletionsArgs, ManArgs};
pub use mount::{CtlArgs, CtlCommand, MountArgs};
pub(crate) use program::bytes;
pub use program::{
    CheckArgs, JudgeArgs, MergeArgs, ProgramArgs, RecordArgs, ReplayArgs, ResultArgs, SearchArgs,
};
pub use project::{InitArgs, ProjectArgs};
pub use report::ReportArgs;
pub use store::{
    BranchArgs, CheckoutArgs, ConfigArgs, FetchPackArgs, MergeStateArgs, OplogArgs,
    RebaseStateArgs, RemoteArgs, ReserveArgs, StoreArgs, StoreCommand,
};
pub use torture::{TortureArgs, WriterArgs};

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
    /// cut the power of recorded runs; or kill and power-cut a program of your own, again and again
    #[command(after_help = "\
Example: plugpull torture
         plugpull torture --commits 500 --writers 2 --kills 100 --seed 7 --keep
         plugpull torture --dir data --checker ./verify --rounds 200 -- ./my-program

A program is started again on what the last round left, and must go on from there. $PLUGPULL_MARKS holds what
it printed in all rounds until then.")]
    Torture(TortureArgs),
    /// Check the integrity of a store: hashes, references, refs, leftover temps
    #[command(after_help = "Example: plugpull audit /tmp/store --message-format json-lines")]
    Audit(AuditArgs),
    /// Record a program, cut its power at every point, and check what is left each time
    #[command(after_help = "\
Example: plugpull check
         plugpull check --profile ci --subject orders
         plugpull check --checker sqlite -- sqlite3 app.db 'INSERT INTO t VALUES (1)'
         plugpull check --dir data --setup 'cp -r ../seed/. .' --checker ./verify -- ./my-program

The program runs on a simulated disk over DIR; its files are never touched. Each line that it prints is a
promise: what is promised must be there after a power cut that comes later. A checker is a command line that runs
in the state that a power cut leaves, with the lines printed before in the file $PLUGPULL_MARKS; exit code 0
means that all is well, and its last line of output tells what is not.

Without a program, plugpull.toml says what is checked (`plugpull init` writes one), and plugpull.baseline beside it
which findings are known: with one, exit code 103 means that something got worse.")]
    Check(CheckArgs),
    /// Let each call of a program fail, one after the other, and check what becomes of its data
    #[command(after_help = "\
Example: plugpull inject --checker sqlite -- sqlite3 app.db 'INSERT INTO t VALUES (1)'
         plugpull inject --dir data --checker ./verify --call fsync,write --error EIO,ENOSPC -- ./my-program

The program runs once as it is, and once for each fault: the n-th call of a kind fails, for n = 1, 2, ..., once, and
with all that follow. After each run the checker looks at the directory as a restart finds it, and as power cuts
leave it. A run in which data is lost, or that does not end, is a violation.")]
    Inject(InjectArgs),
    /// Write a plugpull.toml for what is in a directory
    #[command(after_help = "\
Example: plugpull init
         plugpull init --stdout")]
    Init(InitArgs),
    /// Record a program: all that it changes, syncs and promises, into a file
    #[command(after_help = "Example: plugpull record --output run.plug --dir data -- ./my-program")]
    Record(RecordArgs),
    /// Put the results of several machines together, as if one had judged all states
    #[command(after_help = "\
Example: plugpull check --results base --record-only --checker ./verify -- ./my-program
         cp -r base shard-1 && plugpull check --results shard-1 --resume --partition hash:1/2 \\
             --checker ./verify -- ./my-program
         plugpull merge shard-1 shard-2")]
    Merge(MergeArgs),
    /// Make one crash state again, by the token of a finding, and check it
    #[command(after_help = "\
Example: plugpull replay pp1:ext4:0123456789abcdef:17:-0.2 --recording run.plug --keep state")]
    Replay(ReplayArgs),
    /// Say what this machine lets plugpull do, and how to mend what it does not
    #[command(after_help = "Example: plugpull doctor")]
    Doctor(DoctorArgs),
    /// Keep a simulated disk over a directory, for work by hand: cut its power, lose pages, let calls fail
    #[command(after_help = "\
Example: plugpull mount /tmp/data
         plugpull mount /tmp/data --model xfs --record hand.plug

The disk begins with the files in DIR and is in memory; the directory is not touched, and nothing done on the disk
outlives it but what `plugpull ctl DIR save OUT_DIR` copies. It is mounted where every process sees it: root mounts it
for all users, anybody else through fusermount3 for themselves. It stays until Ctrl-C or `plugpull ctl DIR unmount`.
A shell that was in DIR before must cd there again. Lines that programs write to DIR/.plugpull-marks are promises.")]
    Mount(MountArgs),
    /// Tell a disk that `plugpull mount` keeps what to do, from another terminal
    #[command(after_help = "\
Example: plugpull ctl /tmp/data pending
         plugpull ctl /tmp/data power-cut --keep random --seed 7
         plugpull ctl /tmp/data fail fsync --as btrfs

Each command is answered when it is done. `plugpull ctl DIR COMMAND --help` has an example of each.")]
    Ctl(CtlArgs),
    /// Explore what power cuts may leave of a recorded run: check every crash state
    #[command(after_help = "\
Example: plugpull explore run.plug --checker ./verify --tier 3 --budget 10m
         plugpull explore --store
         plugpull explore --store --workload cas-race --size 8 --model ext4 --tier 3 --budget 10m")]
    Explore(ExploreArgs),
    /// Measure what durability costs on the disk of a directory, for each way of writing
    #[command(after_help = "\
Example: plugpull bench /var/lib/app
         plugpull bench --only 'append/*' --size 4K --budget 10s --json before.json --html before.html
         plugpull bench --advise power-cut,atomic,group=16 --batch 16
         plugpull bench --compare before.json after.json

A directory of its own is made in DIR and removed at the end. Each strategy has its turn in each round, so that what
drifts hits all alike. Ctrl-C ends it with what was measured until then, and exit code 130; a disk that fills up does
with 96. Figures that cannot be those of a disk come with a warning. `--from FILE` shows a result that was kept.")]
    Bench(BenchArgs),
    /// Explain the persistence models: what a crash may lose, reorder or tear
    #[command(after_help = "\
Example: plugpull models
         plugpull models ext4")]
    Models(ModelsArgs),
    /// Use a store by hand
    Store(StoreArgs),
    /// Print what a shell completes after `plugpull`
    #[command(after_help = "\
Example: plugpull completions bash > ~/.local/share/bash-completion/completions/plugpull")]
    Completions(CompletionsArgs),
    /// Print the man page, or write one for each command
    #[command(after_help = "\
Example: plugpull man | man -l -
         plugpull man ~/.local/share/man/man1")]
    Man(ManArgs),
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

/// Arguments of `plugpull audit`.
#[derive(Clone, Debug, Args)]
pub struct AuditArgs {
    /// The store's directory
    pub dir: PathBuf,
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

/// Arguments of `plugpull models`.
#[derive(Clone, Debug, Args)]
pub struct ModelsArgs {
    /// A preset, or a model file of your own (`mine.toml`) [default: all presets, without their rules]
    pub name: Option<String>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub message_format: MessageFormat,
}
