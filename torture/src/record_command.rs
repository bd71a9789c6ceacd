//! `plugpull record`: a program's run, written into a file.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::AccessFlags;
use serde_json::{Value, json};

use crate::cli::{MessageFormat, ProgramArgs, RecordArgs};
use crate::exit::{Exit, Failure};
use crate::namespace;
use crate::record::{Prints, Program, Recording, record};
use crate::signals::Stop;

/// When a program is taken for hanging, unless told otherwise.
pub(crate) const RUN_TIMEOUT: Duration = Duration::from_mins(10);

/// Most bytes that it may write unless told otherwise.
pub(crate) const MEMORY: u64 = 4 << 30;

/// Runs it.
pub fn run(args: &RecordArgs) -> Result<Exit, Failure> {
    let program = program(&args.program, args.message_format)?;
    has_directory(&args.output)?;
    let namespace = namespace::enter()?;
    let stop = Stop::listen()?;
    let mut recording = record(&program, namespace, &stop)?;
    recording.about.checkers.clone_from(&args.checker);
    recording.save(&args.output)?;
    let mut out = io::stdout().lock();
    match args.message_format {
        MessageFormat::Human => {
            writeln!(out, "{}", summary(&recording))?;
            for warning in &recording.about.warnings {
                writeln!(out, "  warning: {warning}")?;
            }
            writeln!(out, "  written to {}", args.output.display())?;
        }
        MessageFormat::JsonLines => {
            let mut line = summary_json(&recording);
            line["event"] = "recorded".into();
            line["version"] = 1.into();
            line["recording"] = args.output.display().to_string().into();
            writeln!(out, "{line}")?;
        }
    }
    if recording.ops() == 0 {
        tell_unchanged(&recording);
        return Ok(Exit::NothingDone);
    }
    Ok(Exit::Clean)
}

/// Nothing was recorded, and why that may be.
pub(crate) fn tell_unchanged(recording: &Recording) {
    eprintln!(
        "plugpull: nothing in {} was changed: name the program's directory with --dir",
        recording.about.dir.display()
    );
}

/// Whether a recording can be written there is to be known before anything runs.
#[expect(clippy::disallowed_methods, reason = "a file of the user's, which no store is over")]
pub(crate) fn has_directory(recording: &Path) -> Result<(), Failure> {
    let dir = recording.parent().filter(|dir| !dir.as_os_str().is_empty());
    match dir.unwrap_or_else(|| Path::new(".")) {
        dir if dir.is_dir() => Ok(()),
        dir => Err(Failure::Usage(format!(
            "cannot write the recording {}: there is no directory {}",
            recording.display(),
            dir.display()
        ))),
    }
}

/// What is to be recorded, with its directory found.
pub(crate) fn program(args: &ProgramArgs, format: MessageFormat) -> Result<Program, Failure> {
    if args.command.is_empty() {
        let text = "say what to run, behind two dashes: -- PROGRAM ARGUMENTS";
        return Err(Failure::Usage(text.to_owned()));
    }
    let dir = directory(args.dir.as_deref().unwrap_or_else(|| Path::new(".")))?;
    Ok(Program {
        command: args.command.clone(),
        env: Vec::new(),
        dir,
        setup: args.setup.clone(),
        timeout: args.run_timeout.unwrap_or(RUN_TIMEOUT),
        memory: args.memory.unwrap_or(MEMORY),
        prints: Prints::of(format),
        marks: args.marks.unwrap_or_default(),
    })
}

pub(crate) fn directory(dir: &Path) -> Result<PathBuf, Failure> {
    usable(dir, "record in", "name the program's own directory with --dir")
}

/// A directory over which a disk can be mounted. `what` cannot be done there otherwise, and `remedy` says what to
/// do then.
#[expect(clippy::disallowed_methods, reason = "a directory of the user's, which no store is over")]
pub(crate) fn usable(dir: &Path, what: &str, remedy: &str) -> Result<PathBuf, Failure> {
    let named = dir.display();
    let found = std::fs::canonicalize(dir)
        .map_err(|e| Failure::Usage(format!("cannot {what} {named}: {e}; {remedy}")))?;
    if !found.is_dir() {
        return Err(Failure::Usage(format!("cannot {what} {named}: it is no directory")));
    }
    if ["/", "/dev"].map(Path::new).contains(&found.as_path())
        || ["/proc", "/sys"].iter().any(|kernel| found.starts_with(kernel))
    {
        return Err(Failure::Usage(format!("cannot {what} {named}: {remedy}")));
    }
    nix::unistd::access(&found, AccessFlags::R_OK | AccessFlags::X_OK)
        .map_err(|e| Failure::Usage(format!("cannot read {named}: {e}")))?;
    Ok(found)
}

/// What was recorded, in a line.
pub(crate) fn summary(recording: &Recording) -> String {
    let about = &recording.about;
    format!(
        "recorded {} operations and {} marks of `{}` in {} ({:.2} s)",
        recording.ops(),
        recording.marks(),
        about.command.join(" "),
        about.dir.display(),
        about.seconds
    )
}

/// The same for machines.
pub(crate) fn summary_json(recording: &Recording) -> Value {
    let about = &recording.about;
    json!({
        "command": about.command,
        "dir": about.dir,
        "operations": recording.ops(),
        "marks": recording.marks(),
        "seconds": about.seconds,
        "warnings": about.warnings,
        "unseen": about.unseen,
    })
}
