//! An answer in words for people. Not for machines: those get the answer as it came.

use std::io::{self, Write};
use std::path::Path;

use super::Answer;
use super::protocol::{Cut, FaultTold, PendingFile, Status};

/// Most events and changes that are told to people.
const MOST_LINES: usize = 20;

/// Tells it; `dir` is as the user named it.
pub(crate) fn tell(out: &mut dyn Write, answer: &Answer, dir: &Path) -> io::Result<()> {
    match answer {
        Answer::PowerCut(cut) => tell_cut(out, cut, dir),
        Answer::Pending { model, effects, files } => tell_pending(out, model, *effects, files),
        Answer::Drop { file, pages, kept } if pages.is_empty() => {
            let others = if kept.is_empty() { "" } else { "; others of it are not" };
            writeln!(out, "nothing is dropped: these pages of {file} are durable{others}")
        }
        Answer::Drop { file, pages, kept } => {
            writeln!(out, "dropped pages {} of {file}: it shows what is on disk", list(pages))?;
            match kept.as_slice() {
                [] => Ok(()),
                kept => writeln!(out, "  pages {} stay, not durable", list(kept)),
            }
        }
        Answer::Truncate { file, before, after } => {
            writeln!(out, "{file} has {after} bytes now, in memory and on disk; it had {before}")
        }
        Answer::Fail { fault } => {
            writeln!(out, "from now on: {}", fault_words(fault))?;
            writeln!(out, "  `plugpull ctl {} faults` tells how often it hit", dir.display())
        }
        Answer::Faults { faults } if faults.is_empty() => writeln!(out, "no call fails"),
        Answer::Faults { faults } => faults.iter().try_for_each(|fault| {
            writeln!(out, "{:<50} fired {}", fault_words(fault), times(fault.fired))
        }),
        Answer::Heal { healed, fired } => {
            writeln!(out, "no call fails any more; {healed} faults had hit {}", times(*fired))
        }
        Answer::Mark { marks } => writeln!(out, "promise {marks} is noted"),
        Answer::Save { dir, files, bytes } => {
            writeln!(out, "{files} files, {bytes} bytes are in {}", dir.display())
        }
        Answer::Status(status) => tell_status(out, status),
        Answer::Unmount { recording: None } => writeln!(out, "unmounted"),
        Answer::Unmount { recording: Some(path) } => {
            writeln!(
                out,
                "unmounted; what happened since the last power cut is in {}",
                path.display()
            )
        }
    }
}

fn tell_cut(out: &mut dyn Write, cut: &Cut, dir: &Path) -> io::Result<()> {
    let Cut { model, pending, lost, .. } = cut;
    let how = match cut.keep {
        super::Keep::Random => format!("{}, seed {}", cut.keep.name(), cut.seed),
        keep => keep.name(),
    };
    writeln!(
        out,
        "power cut under {model} (keep {how}): {lost} of {pending} effects that were not durable are lost"
    )?;
    for event in cut.events.iter().take(MOST_LINES) {
        writeln!(out, "  {:>8}  {:<44} {}", event.event, event.what, event.fate)?;
    }
    let more = cut.events.len().saturating_sub(MOST_LINES) + cut.more;
    if more > 0 {
        writeln!(out, "  and {more} events more")?;
    }
    writeln!(
        out,
        "  open files and directories answer EIO: start your program again in {}",
        dir.display()
    )?;
    let recording = quoted(&cut.recording.display().to_string());
    writeln!(out, "  again: plugpull replay {} --recording {recording}", quoted(&cut.token))
}

fn tell_pending(
    out: &mut dyn Write,
    model: &str,
    effects: usize,
    files: &[PendingFile],
) -> io::Result<()> {
    if files.is_empty() {
        return writeln!(out, "all is durable, under {model}");
    }
    writeln!(out, "not durable now, under {model}: {effects} effects on {} files", files.len())?;
    for file in files {
        let barriers = match file.barriers.as_slice() {
            [] => "no fsync of it makes it durable".to_owned(),
            [one] => format!("{one} makes it durable"),
            several => format!("{} make it durable", several.join(" and ")),
        };
        writeln!(out, "  {:<24} {barriers}", file.file)?;
        for what in file.what.iter().take(MOST_LINES) {
            writeln!(out, "      {what}")?;
        }
        let more = file.what.len().saturating_sub(MOST_LINES) + file.more;
        if more > 0 {
            writeln!(out, "      and {more} more")?;
        }
    }
    Ok(())
}

fn fault_words(fault: &FaultTold) -> String {
    let calls: Vec<_> = fault.calls.iter().map(ToString::to_string).collect();
    let path = if fault.path == "**" { String::new() } else { format!(" of {}", fault.path) };
    let times = match fault.times {
        super::Times::Always => "every".to_owned(),
        super::Times::Next(1) => "the next".to_owned(),
        super::Times::Next(times) => format!("the next {times}"),
    };
    format!("{times} {}{path}: {}", calls.join(" or "), fault.error)
}

fn tell_status(out: &mut dyn Write, status: &Status) -> io::Result<()> {
    writeln!(out, "plugpull {} keeps a disk over {}", status.plugpull, status.dir.display())?;
    let Status { pid, model, seed, power_cuts, operations, marks, .. } = status;
    writeln!(out, "  process {pid}, model {model}, seed {seed}")?;
    writeln!(out, "  {power_cuts} power cuts; since then {operations} operations, {marks} marks")?;
    writeln!(out, "  {} faults planned, fired {}", status.faults, times(status.fired))?;
    if status.out_of_memory {
        writeln!(out, "  writes fail with ENOSPC, as all of --memory is used")?;
    }
    for (what, count) in &status.refused {
        writeln!(out, "  refused {}: {what}", times(*count))?;
    }
    for recording in &status.recordings {
        writeln!(out, "  before a power cut: {}", recording.display())?;
    }
    Ok(())
}

/// A word as a shell takes it.
fn quoted(text: &str) -> String {
    shlex::try_quote(text).map_or_else(|_| text.to_owned(), std::borrow::Cow::into_owned)
}

fn times(count: u64) -> String {
    if count == 1 { "1 time".to_owned() } else { format!("{count} times") }
}

/// Numbers, with ranges for what is in a row.
fn list(numbers: &[u64]) -> String {
    let runs = numbers.chunk_by(|one, next| one + 1 == *next);
    let run = |run: &[u64]| match run {
        [one] => one.to_string(),
        [first, .., last] => format!("{first}-{last}"),
        [] => String::new(),
    };
    runs.map(run).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_a_row_are_a_range() {
        assert_eq!(list(&[0, 3, 4, 5, 9]), "0,3-5,9");
        assert_eq!(list(&[7]), "7");
    }
}
