//! `plugpull completions` and `plugpull man`: what shells and man(1) know about the command, made from its
//! arguments.
//!
//! Commands that are not for people are left out. Not for the texts themselves (`cli`).

use std::io::{self, Write};

use clap::{Command, CommandFactory};

use crate::cli::{Cli, CompletionsArgs, ManArgs};
use crate::exit::{Exit, Failure};

/// `plugpull completions SHELL`.
pub fn completions(args: &CompletionsArgs) -> Result<Exit, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut command(), "plugpull", &mut text);
    io::stdout().lock().write_all(&text)?;
    Ok(Exit::Clean)
}

/// `plugpull man [DIR]`.
pub fn man(args: &ManArgs) -> Result<Exit, Failure> {
    if let Some(dir) = &args.dir {
        let failed = |e| Failure::system(format!("write the pages to {}", dir.display()), e);
        make(dir).and_then(|()| clap_mangen::generate_to(command(), dir)).map_err(failed)?;
        return Ok(Exit::Clean);
    }
    let mut text = Vec::new();
    clap_mangen::Man::new(command()).render(&mut text)?;
    io::stdout().lock().write_all(&text)?;
    Ok(Exit::Clean)
}

/// The command as people know it.
fn command() -> Command {
    let all = Cli::command();
    let shown = all.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    let shown: Vec<_> = shown.collect();
    let about = all.get_about().cloned().unwrap_or_default();
    let after = all.get_after_help().cloned().unwrap_or_default();
    Command::new("plugpull")
        .version(env!("CARGO_PKG_VERSION"))
        .about(about)
        .after_help(after)
        .subcommand_required(true)
        .subcommands(shown)
}

#[expect(clippy::disallowed_methods, reason = "a directory of the user's, which no store is over")]
fn make(dir: &std::path::Path) -> io::Result<()> {
    std::fs::create_dir_all(dir)
}
