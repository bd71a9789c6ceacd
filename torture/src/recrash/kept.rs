//! Recoveries as files: what an interrupted run goes on from, and what shards bring home.
//!
//! Each is a trace file, named for the state in which it began. Whoever reads it has made that state, so the
//! disk before it is left out. A file that was cut off is as good as none. Not for verdicts (`verdicts`).
#![expect(clippy::disallowed_methods, reason = "files of the user's, which no store is over")]

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use faultfs::{DiskImage, Event, Notes, TraceReader, TraceWriter};

use crate::check::{Verdict, Violation};
use crate::search::Asked;

/// The note with what the checkers said, where they were not content.
const NOTE: &str = "violated";

/// Where recoveries are that were recorded earlier.
#[derive(Clone, Debug, Default)]
pub enum Recoveries {
    /// Nowhere, and none is kept.
    #[default]
    None,
    /// In this directory, where new ones are kept.
    In(PathBuf),
    /// In these, to which shards brought theirs; others are not to be had.
    Brought(Vec<PathBuf>),
}

impl Recoveries {
    /// What the checkers said and did in a state, if that is known.
    pub(super) fn known(&self, state: &Asked) -> Option<(Verdict, Vec<Event>)> {
        let dirs = match self {
            Self::None => &[],
            Self::In(dir) => std::slice::from_ref(dir),
            Self::Brought(dirs) => &dirs[..],
        };
        dirs.iter().find_map(|dir| read(&file(dir, state), &state.image))
    }

    /// Keeps what is a verdict.
    pub(super) fn keep(
        &self,
        state: &Asked,
        verdict: &Verdict,
        events: &[Event],
    ) -> io::Result<()> {
        let Self::In(dir) = self else { return Ok(()) };
        let notes = match verdict {
            Verdict::Survived => Notes::new(),
            Verdict::Violated(what) => Notes::from([(NOTE.to_owned(), what.message.clone())]),
            Verdict::NotMeasured(_) | Verdict::HarnessBroken(_) => return Ok(()),
        };
        fs::create_dir_all(dir)?;
        write(&file(dir, state), &notes, events)
    }
}

fn file(dir: &Path, state: &Asked) -> PathBuf {
    dir.join(format!("{}-{:032x}.trace", state.marks, state.image.hash().0))
}

fn write(path: &Path, notes: &Notes, events: &[Event]) -> io::Result<()> {
    let (out, start) = (BufWriter::new(File::create(path)?), DiskImage::new());
    let mut writer = TraceWriter::begin_with(out, notes, &start).map_err(io::Error::other)?;
    for event in events {
        writer.event(event).map_err(io::Error::other)?;
    }
    writer.finish().map_err(io::Error::other)?.flush()
}

/// A whole file; nothing where there is none.
fn read(path: &Path, start: &DiskImage) -> Option<(Verdict, Vec<Event>)> {
    let mut reader = TraceReader::begin(BufReader::new(File::open(path).ok()?)).ok()?.over(start);
    let verdict = reader.notes().get(NOTE).map_or(Verdict::Survived, |message| {
        Verdict::Violated(Violation { message: message.clone(), ..Violation::default() })
    });
    let mut events = Vec::new();
    while let Some(event) = reader.event().ok()? {
        events.push(event);
    }
    Some((verdict, events))
}

#[cfg(test)]
mod tests {
    use faultfs::{Fs, FsFile, SimFs};

    use super::*;

    #[test]
    fn a_recovery_is_read_as_it_was_kept_and_half_a_file_is_none() {
        let base = tempfile::tempdir().unwrap();
        let dir = base.path().join("x.recoveries");
        let kept = Recoveries::In(dir.clone());
        let disk = SimFs::new();
        let file_of = disk.create_new(Path::new("/f"), 0o644).unwrap();
        let state = |marks| Asked { image: disk.trace().start, marks };
        disk.begin_anew();
        file_of.write_all_at(b"recovered", 0).unwrap();
        file_of.sync_all().unwrap();
        let events = disk.trace().events;
        assert_eq!(events.len(), 2);
        let said = |message: &str| {
            Verdict::Violated(Violation { message: message.to_owned(), ..Violation::default() })
        };
        kept.keep(&state(1), &Verdict::Survived, &events).unwrap();
        kept.keep(&state(2), &said("torn"), &[]).unwrap();
        kept.keep(&state(3), &Verdict::given_up(), &events).unwrap();
        let brought = Recoveries::Brought(vec![base.path().to_owned(), dir.clone()]);
        for known in [&kept, &brought] {
            assert_eq!(known.known(&state(1)), Some((Verdict::Survived, events.clone())));
            assert_eq!(known.known(&state(2)), Some((said("torn"), Vec::new())));
            assert!(known.known(&state(3)).is_none());
        }
        assert!(Recoveries::None.known(&state(1)).is_none());
        let path = file(&dir, &state(1));
        let whole = fs::read(&path).unwrap();
        for len in [0, 7, whole.len() / 2, whole.len() - 1] {
            fs::write(&path, &whole[..len]).unwrap();
            assert!(kept.known(&state(1)).is_none(), "{len} of {} bytes", whole.len());
        }
    }
}
