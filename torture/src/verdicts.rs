//! Verdicts as files: what an interrupted run goes on from, and what shards bring home.
//!
//! One line of JSON for each distinct state, appended as it is judged; a line that was cut off by the end
//! of the run is left out. Beside it lies the recording, so a directory of results is all that another
//! machine needs. Not for deciding what is judged (`search`).
#![expect(clippy::disallowed_methods, reason = "files of the user's, which no store is over")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use faultfs::ImageHash;
use serde::{Deserialize, Serialize};

use crate::check::{Verdict, Violation};
use crate::exit::Failure;
use crate::outcome::Bound;
use crate::record::Recording;
use crate::search::Key;

/// The version of the file.
const VERSION: u32 = 1;

/// How the file names end.
const VERDICTS: &str = "verdicts";
const RECORDING: &str = "plug";
const RECOVERIES: &str = "recoveries";

/// What the verdicts are about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// The version of the file.
    pub verdicts: u32,
    /// What the check is called.
    pub subject: String,
    /// What the program did: `Trace::digest`, in hexadecimal digits.
    pub run: String,
    /// What a state must pass.
    pub checkers: Vec<String>,
    /// How far was looked.
    pub bound: Bound,
}

/// A line of the file.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Line {
    marks: u32,
    state: String,
    /// Absent where nothing was wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    violation: Option<LineViolation>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct LineViolation {
    message: String,
    output: String,
    dropped: u64,
}

impl Header {
    /// Of a recorded run.
    pub fn new(recording: &Recording, bound: &Bound) -> Self {
        Self {
            verdicts: VERSION,
            subject: recording.about.subject.clone(),
            run: format!("{:016x}", recording.trace.digest()),
            checkers: recording.about.checkers.clone(),
            bound: bound.clone(),
        }
    }

    /// Whether verdicts on states of the other run hold for this one.
    pub fn is_of_one_run_with(&self, other: &Self) -> Result<(), String> {
        let subject = &self.subject;
        if self.checkers != other.checkers {
            return Err(format!("the results of {subject} are of other checkers"));
        }
        if self.run != other.run {
            return Err(format!(
                "the results of {subject} are of runs that differ: record it once (--record-only) and \
                 give all shards that recording"
            ));
        }
        Ok(())
    }
}

/// Where the results of a subject are in a directory of results.
#[derive(Clone, Debug)]
pub struct Place {
    /// Its recording.
    pub recording: PathBuf,
    /// Its verdicts.
    pub verdicts: PathBuf,
    /// The directory of recoveries in its states.
    pub recoveries: PathBuf,
}

impl Place {
    /// Of a subject; a slash in its name does not lead elsewhere.
    pub fn of(dir: &Path, subject: &str) -> Self {
        let name = subject.replace(['/', '\0'], "_");
        let file = |extension: &str| dir.join(format!("{name}.{extension}"));
        let (recording, verdicts) = (file(RECORDING), file(VERDICTS));
        Self { recording, verdicts, recoveries: file(RECOVERIES) }
    }

    /// All that a directory of results holds, in the order of their names.
    pub fn all(dir: &Path) -> Result<Vec<Self>, Failure> {
        let entries = fs::read_dir(dir)
            .map_err(|e| Failure::Usage(format!("cannot read {}: {e}", dir.display())))?;
        let paths = entries.flatten().map(|entry| entry.path());
        let mut found: Vec<_> = paths
            .filter(|path| path.extension().is_some_and(|extension| extension == VERDICTS))
            .map(|path| Self {
                recording: path.with_extension(RECORDING),
                recoveries: path.with_extension(RECOVERIES),
                verdicts: path,
            })
            .collect();
        found.sort_by(|a, b| a.verdicts.cmp(&b.verdicts));
        Ok(found)
    }
}

/// Verdicts that were read.
#[derive(Clone, Debug)]
pub struct Verdicts {
    /// What they are about.
    pub header: Header,
    /// They.
    pub known: BTreeMap<Key, Verdict>,
    /// How many bytes of the file are whole lines.
    whole: u64,
}

impl Verdicts {
    /// Reads a file.
    pub fn load(path: &Path) -> Result<Self, Failure> {
        let name = path.display();
        let system = |e: io::Error| Failure::system(format!("read {name}"), e);
        let damaged = |n: usize, why: &dyn std::fmt::Display| {
            Failure::Usage(format!("{name}:{n}: no file of verdicts of ours: {why}"))
        };
        let mut file = BufReader::new(File::open(path).map_err(system)?);
        let mut line = String::new();
        file.read_line(&mut line).map_err(system)?;
        let header: Header = serde_json::from_str(&line).map_err(|e| damaged(1, &e))?;
        if header.verdicts != VERSION {
            return Err(damaged(1, &format!("version {}", header.verdicts)));
        }
        let mut known = BTreeMap::new();
        let mut whole = line.len() as u64;
        for n in 2.. {
            line.clear();
            file.read_line(&mut line).map_err(system)?;
            if !line.ends_with('\n') {
                // The run ended within this line.
                break;
            }
            let read: Line = serde_json::from_str(&line).map_err(|e| damaged(n, &e))?;
            let (key, verdict) = read.verdict().ok_or_else(|| damaged(n, &"no hash of a state"))?;
            known.insert(key, verdict);
            whole += line.len() as u64;
        }
        Ok(Self { header, known, whole })
    }
}

/// A file of verdicts that grows.
pub struct Keeping {
    path: PathBuf,
    file: File,
    failed: Option<io::Error>,
}

impl Keeping {
    /// A new file.
    pub fn begin(path: &Path, header: &Header) -> Result<Self, Failure> {
        let file = File::create(path).map_err(|e| failure(path, e))?;
        let mut keeping = Self::of(path, file);
        let line = serde_json::to_string(header)?;
        keeping.line(&line);
        keeping.finish()?;
        Ok(keeping)
    }

    /// Goes on with a file that was read; a line that was cut off goes.
    pub fn go_on(path: &Path, read: &Verdicts) -> Result<Self, Failure> {
        let file = File::options().append(true).open(path).map_err(|e| failure(path, e))?;
        file.set_len(read.whole).map_err(|e| failure(path, e))?;
        Ok(Self::of(path, file))
    }

    fn of(path: &Path, file: File) -> Self {
        Self { path: path.to_owned(), file, failed: None }
    }

    /// Takes a verdict down. What could not be is told at the end.
    pub fn keep(&mut self, key: Key, verdict: &Verdict) {
        let Some(line) = Line::of(key, verdict) else { return };
        match serde_json::to_string(&line) {
            Ok(line) => self.line(&line),
            Err(e) => self.failed = Some(e.into()),
        }
    }

    fn line(&mut self, line: &str) {
        if self.failed.is_none() {
            // At once: whoever is killed has kept what was judged.
            self.failed = self.file.write_all(format!("{line}\n").as_bytes()).err();
        }
    }

    /// Whether all of it is in the file.
    pub fn finish(&mut self) -> Result<(), Failure> {
        self.failed.take().map_or(Ok(()), |e| Err(failure(&self.path, e)))
    }
}

fn failure(path: &Path, error: io::Error) -> Failure {
    Failure::system(format!("write {}", path.display()), error)
}

impl Line {
    fn of((marks, state): Key, verdict: &Verdict) -> Option<Self> {
        let violation = match verdict {
            Verdict::Survived => None,
            Verdict::Violated(what) => Some(LineViolation {
                message: what.message.clone(),
                output: String::from_utf8_lossy(&what.output).into_owned(),
                dropped: what.dropped,
            }),
            Verdict::NotMeasured(_) | Verdict::HarnessBroken(_) => return None,
        };
        Some(Self { marks, state: format!("{:032x}", state.0), violation })
    }

    fn verdict(self) -> Option<(Key, Verdict)> {
        let state = ImageHash(u128::from_str_radix(&self.state, 16).ok()?);
        let verdict = self.violation.map_or(Verdict::Survived, |what| {
            Verdict::Violated(Violation {
                message: what.message,
                output: what.output.into_bytes(),
                dropped: what.dropped,
            })
        });
        Some(((self.marks, state), verdict))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        let (subject, run) = ("a/b".to_owned(), "0".repeat(16));
        let checkers = vec!["exit:true".to_owned()];
        Header { verdicts: VERSION, subject, run, checkers, bound: Bound::default() }
    }

    fn verdict(n: u32) -> Verdict {
        let (message, output) = (format!("lost\n{n}"), b"\x1b[1mout".to_vec());
        match n % 2 {
            0 => Verdict::Survived,
            _ => Verdict::Violated(Violation { message, output, dropped: 3 }),
        }
    }

    #[test]
    fn a_file_that_was_cut_off_goes_on_where_it_was_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = Place::of(dir.path(), &header().subject).verdicts;
        let key = |n: u32| (n, ImageHash(u128::from(n) << 100));
        let mut file = Keeping::begin(&path, &header()).unwrap();
        (0..10).for_each(|n| file.keep(key(n), &verdict(n)));
        file.keep(key(10), &Verdict::NotMeasured(String::new()));
        file.finish().unwrap();
        let whole = fs::read(&path).unwrap();
        for cut in [whole.len(), whole.len() - 1, whole.len() - 30] {
            fs::write(&path, &whole[..cut]).unwrap();
            let read = Verdicts::load(&path).unwrap();
            assert_eq!(read.known.len(), if cut == whole.len() { 10 } else { 9 });
            let mut file = Keeping::go_on(&path, &read).unwrap();
            (9..12).for_each(|n| file.keep(key(n), &verdict(n)));
            file.finish().unwrap();
            let read = Verdicts::load(&path).unwrap();
            assert_eq!(read.header, header());
            assert_eq!(read.known.len(), 12);
            assert!(read.known.iter().all(|((n, _), found)| *found == verdict(*n)));
        }
        assert_eq!(Place::all(dir.path()).unwrap().len(), 1);
    }

    #[test]
    fn what_is_no_file_of_verdicts_is_refused_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.verdicts");
        let told = |text: &str| {
            fs::write(&path, text).unwrap();
            Verdicts::load(&path).unwrap_err().to_string()
        };
        assert!(told("").contains("x.verdicts:1"), "{}", told(""));
        let header = serde_json::to_string(&header()).unwrap();
        let wrong = told(&format!("{header}\nnonsense\n"));
        assert!(wrong.contains("x.verdicts:2"), "{wrong}");
        let other = told(&header.replace("\"verdicts\":1", "\"verdicts\":9"));
        assert!(other.contains("version 9"), "{other}");
    }
}
