//! Arguments of `plugpull inject`.

use std::time::Duration;

use clap::Args;

use super::{MessageFormat, ProgramArgs};
use crate::inject::{Failing, Kind};

/// Arguments of `plugpull inject`.
#[derive(Clone, Debug, Args)]
pub struct InjectArgs {
    /// What is run, again and again
    #[command(flatten)]
    pub program: ProgramArgs,
    /// What must be true after each run.
    #[arg(
        long,
        help = "What must be true after each run, restarted and after a power cut: a command line, or one that \
                is built in (see plugpull check --help); may be given more than once"
    )]
    pub checker: Vec<String>,
    /// Which calls fail, parted by commas [default: those that change something or sync, without chmod and
    /// utimes]
    #[arg(long, value_delimiter = ',', value_enum, hide_possible_values = true)]
    #[arg(help = CALLS)]
    pub call: Vec<Kind>,
    /// How they fail.
    #[arg(
        long,
        value_delimiter = ',',
        value_enum,
        ignore_case = true,
        hide_possible_values = true
    )]
    #[arg(help = ERRORS)]
    pub error: Vec<Failing>,
    /// A persistence model, or a file with one (`mine.toml`), for the power cut after each run; may be given
    /// more than once [default: ext4, xfs and btrfs; for a failed fsync the one that it fails as]
    #[arg(long)]
    pub model: Vec<String>,
    /// How long one checker may take
    #[arg(long, default_value = "10s", value_parser = humantime::parse_duration)]
    pub timeout: Duration,
    /// When to end
    #[arg(long, default_value = "10m", value_parser = humantime::parse_duration)]
    pub budget: Duration,
    /// Checks at the same time [default: one for each core]
    #[arg(long)]
    pub jobs: Option<usize>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub message_format: MessageFormat,
}

const CALLS: &str = "Which calls fail, parted by commas: fsync, fdatasync, fsync_dir, write, rename, create, \
    unlink, mkdir, rmdir, link, symlink, truncate, open, read, chmod, utimes [default: all but the last four]";

const ERRORS: &str = "How they fail, parted by commas: EIO, ENOSPC, EDQUOT, EROFS, EMFILE, EINTR, short_write, \
    or, for EIO of an fsync, as on which file system: ext4_ordered, ext4_data, xfs, btrfs, redirty (FreeBSD) \
    [default: those that fit a call]";
