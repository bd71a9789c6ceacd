//! Arguments of `plugpull mount` and `plugpull ctl`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::MessageFormat;
use super::program::bytes;
use crate::hand::{FailedAs, Keep, Pages, Times};
use crate::inject::{Failing, Kind};

/// Arguments of `plugpull mount`.
#[derive(Clone, Debug, Args)]
pub struct MountArgs {
    /// The directory: what is in it is what the simulated disk begins with
    pub dir: PathBuf,
    /// The persistence model of `pending` and `power-cut`, or a file with one (`mine.toml`)
    #[arg(long, default_value = "ext4")]
    pub model: String,
    /// Write what happened since the last power cut to this file at the end, for `explore` and `replay`; what came
    /// before each power cut goes to files beside it
    #[arg(long)]
    pub record: Option<PathBuf>,
    /// Most bytes that may be written, which are kept in memory: `500M`, `4G` [default: 4G]
    #[arg(long, value_parser = bytes)]
    pub memory: Option<u64>,
    /// Seed of power cuts that keep something at random: a number, or any text
    #[arg(long, default_value = "1")]
    pub seed: String,
    /// Where the control socket is [default: in a directory of the user's below that for temporary files]
    #[arg(long)]
    pub socket: Option<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub message_format: MessageFormat,
}

/// Arguments of `plugpull ctl`.
#[derive(Clone, Debug, Args)]
pub struct CtlArgs {
    /// The directory over which `plugpull mount` keeps a disk
    pub dir: PathBuf,
    /// What to do
    #[command(subcommand)]
    pub command: CtlCommand,
    /// How long to wait for the answer
    #[arg(long, global = true, default_value = "60s", value_parser = humantime::parse_duration)]
    pub timeout: Duration,
    /// How to print
    #[arg(long, global = true, value_enum, default_value_t)]
    pub message_format: MessageFormat,
}

/// What a mounted disk can be told.
#[derive(Clone, Debug, Subcommand)]
pub enum CtlCommand {
    /// Cut the power now: the disk becomes what that may leave, and all that programs have open answers EIO
    #[command(after_help = "\
Example: plugpull ctl /tmp/data power-cut
         plugpull ctl /tmp/data power-cut --keep random --seed 7 --model xfs

Programs keep running, as if on a machine that lost only its disk: their open files, maps and directories below DIR
answer EIO, and they are to be started again (a shell below DIR must cd again). Names the recording and the token
with which `plugpull replay` makes the same state again.")]
    PowerCut {
        /// What survives of that which is not durable
        #[arg(long, value_enum, default_value_t)]
        keep: Keep,
        /// Seed of `--keep random`: a number, or any text [default: that of the mount, another one at each power cut]
        #[arg(long)]
        seed: Option<String>,
        /// The persistence model, or a file with one [default: that of the mount]
        #[arg(long)]
        model: Option<String>,
    },
    /// List what is not durable now, and which fsync would make it so
    #[command(after_help = "Example: plugpull ctl /tmp/data pending --model xfs")]
    Pending {
        /// The persistence model, or a file with one [default: that of the mount]
        #[arg(long)]
        model: Option<String>,
    },
    /// Lose pages of a file that are not durable: it shows what is on disk again, as after an error of write-back
    #[command(after_help = "\
Example: plugpull ctl /tmp/data drop app.db
         plugpull ctl /tmp/data drop app.db 0,3-5

Pages are 4,096 bytes, counted from 0. The file keeps its length; where nothing was on disk it reads as zeros. No later
fsync brings the bytes back.")]
    Drop {
        /// The file, from DIR
        file: PathBuf,
        /// Which pages: `0`, `3-5`, `0,3-5` [default: all that are not durable]
        pages: Option<Pages>,
    },
    /// Cut a file off, in memory and on disk
    #[command(after_help = "\
Example: plugpull ctl /tmp/data truncate app.db 4096

It is recorded as ftruncate(2) and fdatasync(2): what else of this file was not durable is so then.")]
    Truncate {
        /// The file, from DIR
        file: PathBuf,
        /// The length that is left
        #[arg(value_parser = bytes)]
        len: u64,
    },
    /// Let the next calls of a kind fail
    #[command(after_help = "\
Example: plugpull ctl /tmp/data fail fsync,fdatasync
         plugpull ctl /tmp/data fail fsync --as btrfs --path 'app.db*' --times 2
         plugpull ctl /tmp/data fail write --errno ENOSPC --times always

sqlite3 and others call fdatasync and not fsync. `plugpull ctl DIR faults` tells how often a fault hit.")]
    Fail {
        /// Which calls, parted by commas.
        #[arg(value_delimiter = ',', value_enum, hide_possible_values = true, required = true)]
        #[arg(help = CALLS)]
        call: Vec<Kind>,
        /// Only for these paths, from DIR: `?` is one byte, `*` any without a slash, `**` any
        #[arg(long)]
        path: Option<String>,
        /// How they fail.
        #[arg(long, value_enum, ignore_case = true, hide_possible_values = true)]
        #[arg(help = ERRORS)]
        errno: Option<Failing>,
        /// As on which file system an fsync fails (with EIO): what is in memory and on disk afterwards
        #[arg(long = "as", value_enum, conflicts_with = "errno")]
        like: Option<FailedAs>,
        /// How many of the next ones fail: a number, or `always`
        #[arg(long, default_value = "1")]
        times: Times,
    },
    /// List the faults, and how often each hit
    #[command(after_help = "Example: plugpull ctl /tmp/data faults")]
    Faults,
    /// No call fails any more
    #[command(after_help = "Example: plugpull ctl /tmp/data heal")]
    Heal,
    /// Note a promise by hand, in one order with what programs do
    #[command(after_help = "\
Example: plugpull ctl /tmp/data mark 'order 17 accepted'

Programs write a line to the file .plugpull-marks in DIR for that.")]
    Mark {
        /// What was promised
        text: String,
    },
    /// Copy what is on the disk now, as programs see it, to a new directory: nothing else survives the mount
    #[command(after_help = "Example: plugpull ctl /tmp/data save /tmp/after-the-cut")]
    Save {
        /// The new directory
        out: PathBuf,
    },
    /// Tell how the disk is
    #[command(after_help = "Example: plugpull ctl /tmp/data status --message-format json-lines")]
    Status,
    /// End it: unmount, write the recording, leave nothing behind
    #[command(after_help = "Example: plugpull ctl /tmp/data unmount")]
    Unmount,
}

const CALLS: &str = "Which calls, parted by commas: fsync, fdatasync, fsync_dir, write, rename, create, unlink, mkdir, \
    rmdir, link, symlink, truncate, open, read, chmod, utimes";

const ERRORS: &str = "How they fail: EIO, ENOSPC, EDQUOT, EROFS, EMFILE, EINTR, short_write [default: EIO; an fsync as \
    on the file system of the mount's model]";
