//! Arguments of `plugpull bench`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::MessageFormat;
use super::program::bytes;
use crate::bench::advise::Asked;

/// Arguments of `plugpull bench`.
#[derive(Clone, Debug, Args)]
pub struct BenchArgs {
    /// Directory on the disk to measure; nothing that is in it is touched [default: this one]
    #[arg(conflicts_with_all = ["from", "compare"])]
    pub dir: Option<PathBuf>,
    /// Time to spend; one round of everything is made whole in any case
    #[arg(long, default_value = "30s", value_parser = humantime::parse_duration)]
    pub budget: Duration,
    /// Only strategies with such names, for example `append/*`; may be given again
    #[arg(long, value_name = "GLOB")]
    pub only: Vec<String>,
    /// Bytes of an item, with commas between several [default: 512,4K,64K,1M]
    #[arg(long, value_delimiter = ',', value_parser = bytes)]
    pub size: Vec<u64>,
    /// Items of a batch [default: the group of --advise, or 16]
    #[arg(long, value_name = "ITEMS")]
    pub batch: Option<u32>,
    /// Threads that share a log [default: the group of --advise, or 4]
    #[arg(long)]
    pub threads: Option<u32>,
    /// Name the cheapest strategy for these needs, with commas between them: kill, power-cut, old-or-new, atomic,
    /// group=N (so many items are under way at once)
    #[arg(long, value_name = "NEEDS", conflicts_with = "compare")]
    pub advise: Option<Asked>,
    /// Keep the result in this file
    #[arg(long, value_name = "FILE", conflicts_with = "compare", help_heading = "Reports")]
    pub json: Option<PathBuf>,
    /// Write a page for the browser to this file
    #[arg(long, value_name = "FILE", conflicts_with = "compare", help_heading = "Reports")]
    pub html: Option<PathBuf>,
    /// Measure nothing; show a result that was kept
    #[arg(long, value_name = "FILE", conflicts_with_all = ["compare", "json"])]
    pub from: Option<PathBuf>,
    /// Measure nothing; compare two results that were kept
    #[arg(long, num_args = 2, value_names = ["A", "B"])]
    pub compare: Vec<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub message_format: MessageFormat,
}
