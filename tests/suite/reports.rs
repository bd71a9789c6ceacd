//! The reports of `plugpull check`: JUnit, SARIF, GitHub Actions, and the page for the browser.
//!
//! Each is held to the schema or the limits of whoever reads it, with made-up reports that have every case,
//! and once end to end. Not for what is found (`any_program`, `findings`).

mod browser;
mod github;
mod html;
mod junit;
mod made;
mod sarif;
mod second;
mod written;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A schema in tests/schemas.
fn schema(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas").join(name)
}

/// Runs a program over a text; `None` where it is not installed.
fn run_over(command: &mut Command, text: &str) -> Option<Output> {
    let started =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = started.ok()?;
    let mut input = child.stdin.take().unwrap();
    let text = text.to_owned();
    // It may answer before it has read everything.
    let feed = std::thread::spawn(move || drop(input.write_all(text.as_bytes())));
    let output = child.wait_with_output().unwrap();
    feed.join().unwrap();
    Some(output)
}

/// Fails unless the words that no report says are absent.
#[track_caller]
fn assert_modest(text: &str) {
    let lower = text.to_lowercase();
    for word in ["is safe", "proved", "proven", "guarantee"] {
        assert!(!lower.contains(word), "a report says {word:?}");
    }
}
