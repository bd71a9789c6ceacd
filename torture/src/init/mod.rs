//! `plugpull init`: a `plugpull.toml` for what is in a directory.
//!
//! [`look`] finds what may be a program, a checker or a start; [`text`] writes the file, with every key explained. What
//! it cannot know it says. Not for running anything: a guess is for a person to read.

mod further;
mod look;
mod text;

use std::io::{self, Write};
use std::path::Path;

use crate::cli::InitArgs;
use crate::config::FILE;
use crate::exit::{Exit, Failure};

pub use look::{Found, Guess, look};
pub use text::text;

/// Writes the file, or prints it.
pub fn run(args: &InitArgs) -> Result<Exit, Failure> {
    let dir = args.dir.as_deref().unwrap_or_else(|| Path::new("."));
    let found = look(dir).map_err(|e| {
        let dir = dir.display();
        Failure::Usage(format!("cannot look into {dir}: {e}; name the directory of your project"))
    })?;
    let text = text(&found);
    let mut out = io::stdout().lock();
    if args.stdout {
        write!(out, "{text}")?;
        return Ok(Exit::Clean);
    }
    let file = match &args.dir {
        Some(dir) => dir.join(FILE),
        None => FILE.into(),
    };
    write_new(&file, &text)?;
    writeln!(out, "wrote {}: subject `{}`", file.display(), found.name)?;
    for guess in found.programs.iter().take(1).chain(found.checkers.iter().take(1)) {
        writeln!(out, "  {:<40} {}", guess.text, guess.why)?;
    }
    let missing = match (found.programs.is_empty(), found.checkers.is_empty()) {
        (true, true) => "say in it what to `run`, and what to `check` in each crash state; then ",
        (true, false) => "say in it what to `run`; then ",
        (false, true) => "say in it what to `check` in each crash state; then ",
        (false, false) => "look it through; then ",
    };
    writeln!(out, "next: {missing}run `plugpull check`")?;
    Ok(Exit::Clean)
}

#[expect(clippy::disallowed_methods, reason = "a file of the user's, which no store is over")]
fn write_new(file: &Path, text: &str) -> Result<(), Failure> {
    let made = std::fs::File::create_new(file).and_then(|mut made| made.write_all(text.as_bytes()));
    made.map_err(|e| {
        let shown = file.display();
        match e.kind() {
            io::ErrorKind::AlreadyExists => Failure::Usage(format!(
                "{shown} is there already, and nothing was changed; `plugpull init --stdout` prints a \
                 new one"
            )),
            _ => Failure::system(format!("write {shown}"), e),
        }
    })
}
