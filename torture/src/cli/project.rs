//! Arguments that are about a project: its configuration and its baseline.

use std::path::PathBuf;

use clap::Args;

/// What `plugpull.toml` and `plugpull.baseline` say.
#[derive(Clone, Debug, Default, Args)]
pub struct ProjectArgs {
    /// The configuration [default: plugpull.toml in this directory or above it, within the project]
    #[arg(long, conflicts_with = "command", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The profile of the configuration that holds [default: $PLUGPULL_PROFILE, else `default`]
    #[arg(long, conflicts_with = "command", value_name = "NAME")]
    pub profile: Option<String>,
    /// Only this subject of the configuration; may be given more than once [default: all]
    #[arg(long, conflicts_with = "command", value_name = "NAME")]
    pub subject: Vec<String>,
    /// Fail for what is worse than this file says [default: plugpull.baseline beside the configuration, if
    /// it is there]
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Write what was found into the baseline: from then on it is known (refused where CI is set)
    #[arg(long)]
    pub save_baseline: bool,
}

/// Arguments of `plugpull init`.
#[derive(Clone, Debug, Args)]
pub struct InitArgs {
    /// The directory [default: this one]
    pub dir: Option<PathBuf>,
    /// Print the configuration instead of writing it
    #[arg(long)]
    pub stdout: bool,
}
