//! `plugpull completions` and `plugpull man`: every command is in them, and none that people do not start.
//!
//! Not for the texts of the help (`cli`).

use std::fs;

use clap::CommandFactory;
use plugpull::cli::Cli;
use tempfile::TempDir;

use crate::program::plugpull;

/// The names of the commands, shown and hidden.
fn names() -> (Vec<String>, Vec<String>) {
    let name = |command: &clap::Command| command.get_name().to_owned();
    let cli = Cli::command();
    let (hidden, shown): (Vec<_>, Vec<_>) =
        cli.get_subcommands().partition(|command| command.is_hide_set());
    (shown.into_iter().map(name).collect(), hidden.into_iter().map(name).collect())
}

#[track_caller]
fn assert_complete(text: &str) {
    let (shown, hidden) = names();
    assert!(shown.len() > 10 && !hidden.is_empty());
    for name in shown {
        assert!(text.contains(&name), "{name} is missing");
    }
    for name in hidden {
        assert!(!text.contains(&name), "{name} is not for people");
    }
}

#[test]
fn completions_know_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ended = plugpull(["completions", shell]);
        ended.assert(0, &[]);
        assert_complete(&ended.out);
    }
    plugpull(["completions", "csh"]).assert(2, &["csh"]);
}

#[test]
fn there_is_a_man_page_for_every_command() {
    let page = plugpull(["man"]);
    page.assert(0, &[]);
    // A hyphen is escaped in roff.
    assert_complete(&page.out.replace("\\-", "-"));
    let dir = TempDir::new().unwrap();
    plugpull(["man", dir.path().join("man1").to_str().unwrap()]).assert(0, &[]);
    let pages = fs::read_dir(dir.path().join("man1")).unwrap();
    let pages: Vec<_> = pages.map(|p| p.unwrap().file_name().into_string().unwrap()).collect();
    let (shown, hidden) = names();
    for name in shown {
        assert!(pages.contains(&format!("plugpull-{name}.1")), "{name} is not in {pages:?}");
    }
    for name in hidden {
        assert!(!pages.iter().any(|page| page.contains(&name)), "{name} is in {pages:?}");
    }
}
