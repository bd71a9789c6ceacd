//! Arguments of `plugpull explore`.

use std::path::PathBuf;

use clap::Args;

use super::{JudgeArgs, ReportArgs, ResultArgs, SearchArgs};

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
    /// Reports of a recorded run
    #[command(flatten)]
    pub report: ReportArgs,
    /// What outlives the run
    #[command(flatten)]
    pub results: ResultArgs,
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
