//! Arguments of the commands that describe plugpull to shells and to man(1).

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

/// Arguments of `plugpull completions`.
#[derive(Clone, Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Arguments of `plugpull man`.
#[derive(Clone, Debug, Args)]
pub struct ManArgs {
    /// Write a page for each command into this directory [default: the page of plugpull itself, to standard
    /// output]
    pub dir: Option<PathBuf>,
}
