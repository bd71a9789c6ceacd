//! Recordings as files: a trace file whose note `plugpull` says what was recorded.
//!
//! A recording holds all that a replay needs, the start of the directory included, so it can be taken
//! to another machine. Not for the format of the trace (`faultfs`).
#![expect(clippy::disallowed_methods, reason = "files of the user's, which no store is over")]

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use faultfs::{
    CrashState, Model, Notes, PersistOrder, Trace, TraceError, TraceReader, TraceWriter,
};

use super::{About, Recording};
use crate::exit::Failure;

/// The note that says what was recorded.
const NOTE: &str = "plugpull";

/// The directory, below that for temporary files, of recordings that nobody named a file for.
pub const KEPT_IN: &str = "plugpull-recordings";

/// How a recording's file name ends.
const EXTENSION: &str = "plug";

/// Bytes that are read and written at a time.
const BUFFER: usize = 1 << 20;

/// Recordings of one name may be written at the same time, each into a file of its own until it is complete.
static SAVED: AtomicU64 = AtomicU64::new(0);

/// Most recordings that are looked through for the one of a token.
const MOST_LOOKED_AT: usize = 64;

impl Recording {
    /// Writes the recording; a file of that name is replaced once the new one is complete.
    pub fn save(&self, path: &Path) -> Result<(), Failure> {
        let what = || format!("write the recording {}", path.display());
        let system = |e: io::Error| Failure::system(what(), e);
        let (process, number) = (std::process::id(), SAVED.fetch_add(1, Ordering::Relaxed));
        let part = path.with_extension(format!("{EXTENSION}.{process}-{number}.part"));
        let file = File::create(&part).map_err(system)?;
        let written = self.write(BufWriter::with_capacity(BUFFER, file));
        let renamed = written.map_err(|e| trace_failure(&what(), e)).and_then(|file| {
            drop(file);
            fs::rename(&part, path).map_err(system)
        });
        if renamed.is_err() {
            // The error is what matters; half a recording is of no use.
            let _ = fs::remove_file(&part);
        }
        renamed
    }

    fn write(&self, out: BufWriter<File>) -> Result<BufWriter<File>, TraceError> {
        let about = serde_json::to_string(&self.about).map_err(io::Error::other)?;
        let notes = Notes::from([(NOTE.to_owned(), about)]);
        let mut writer = TraceWriter::begin_with(out, &notes, &self.trace.start)?;
        for event in &self.trace.events {
            writer.event(event)?;
        }
        writer.finish()
    }

    /// Writes the recording where recordings are kept that nobody named a file for; returns its path.
    pub fn keep(&self) -> Result<PathBuf, Failure> {
        self.keep_as("")
    }

    /// The same, with more to its name.
    pub fn keep_as(&self, more: &str) -> Result<PathBuf, Failure> {
        let dir = std::env::temp_dir().join(KEPT_IN);
        fs::create_dir_all(&dir)
            .map_err(|e| Failure::system(format!("create {}", dir.display()), e))?;
        let program = self.about.command.first().map_or("program", String::as_str);
        let program = Path::new(program).file_name().unwrap_or_default().to_string_lossy();
        let id = self.trace.start.hash().0 ^ self.trace.image_after(usize::MAX).hash().0;
        let path = dir.join(format!("{program}-{:08x}{more}.{EXTENSION}", id >> 96));
        self.save(&path)?;
        Ok(path)
    }

    /// Reads a recording.
    pub fn load(path: &Path) -> Result<Self, Failure> {
        let what = format!("read the recording {}", path.display());
        let file = File::open(path).map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => {
                Failure::Usage(format!("there is no file {}", path.display()))
            }
            _ => Failure::system(what.clone(), e),
        })?;
        if file.metadata().is_ok_and(|found| found.is_dir()) {
            return Err(Failure::Usage(format!("cannot {what}: it is a directory")));
        }
        let failure = |e| trace_failure(&what, e);
        let mut reader =
            TraceReader::begin(BufReader::with_capacity(BUFFER, file)).map_err(failure)?;
        let note = reader.notes().get(NOTE).cloned().unwrap_or_else(|| "{}".to_owned());
        let mut trace = Trace { start: reader.start().clone(), events: Vec::new() };
        while let Some(event) = reader.event().map_err(failure)? {
            trace.events.push(event);
        }
        let about: About = serde_json::from_str(&note)
            .map_err(|e| Failure::Usage(format!("cannot {what}: its note is none of ours: {e}")))?;
        Ok(Self { about, trace })
    }
}

/// A damaged or strange file is the request's fault, a disk that cannot be read is not.
fn trace_failure(what: &str, error: TraceError) -> Failure {
    match error {
        TraceError::Io(e) => Failure::system(what, e),
        other => Failure::Usage(format!("cannot {what}: {other}")),
    }
}

/// The kept recording that a token is of: the newest ones are looked at first.
pub fn find_by_token(state: &CrashState, model: &Model) -> Result<(PathBuf, Recording), Failure> {
    let dir = std::env::temp_dir().join(KEPT_IN);
    let entries = fs::read_dir(&dir).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries
        .filter(|entry| entry.path().extension().is_some_and(|e| e == EXTENSION))
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    files.sort_by(|a, b| b.cmp(a));
    for (_, path) in files.into_iter().take(MOST_LOOKED_AT) {
        let Ok(recording) = Recording::load(&path) else { continue };
        if state.find(&PersistOrder::new(&recording.trace, model)).is_ok() {
            return Ok((path, recording));
        }
    }
    Err(Failure::Usage(format!(
        "no recording in {} is the one of this token; name it with --recording FILE",
        dir.display()
    )))
}
