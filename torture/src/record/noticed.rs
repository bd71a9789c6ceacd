//! What is known of a run beside its record: what was run, what the mount could not see, and what is odd.
//!
//! Not for the run itself (`program`).

use faultfs::Seen;

use super::{About, Program, Recording};

/// What was run.
pub(super) fn about(program: &Program, seconds: f64) -> About {
    About {
        plugpull: env!("CARGO_PKG_VERSION").to_owned(),
        subject: program.name(),
        command: program.command.iter().map(|arg| arg.to_string_lossy().into_owned()).collect(),
        dir: program.dir.clone(),
        seconds,
        ..About::default()
    }
}

/// What the mount could not see or play.
pub(crate) fn unseen(seen: &Seen) -> Vec<String> {
    let mut unseen = vec!["sync, syncfs and sync_file_range, which no mount hears of".to_owned()];
    if seen.mapped_writes > 0 {
        unseen.push(format!(
            "when {} pages were stored through memory maps: they are taken to be stored when they were \
             written back",
            seen.mapped_writes
        ));
    }
    for (what, count) in &seen.refused {
        unseen.push(format!("{what}, refused {count} times"));
    }
    unseen
}

/// What a reader of the report should know; so many processes outlived the program.
pub(super) fn warnings(recording: &Recording, seen: &Seen, left: u64) -> Vec<String> {
    let mut warnings = Vec::new();
    if left > 0 {
        warnings.push(format!("{left} processes outlived the program and were killed"));
    }
    if !seen.direct_mmap {
        warnings.push(
            "this kernel maps no files of a direct mount (Linux 6.6 does): writes may be recorded in \
             pieces"
                .to_owned(),
        );
    }
    if recording.marks_came_late() {
        warnings.push(
            "all lines were printed after the last change: does the program flush its output after \
             each line?"
                .to_owned(),
        );
    }
    warnings
}
