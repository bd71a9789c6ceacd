//! `old-or-new:FILE[,FILE...]`: each file is, as a whole, one of its acknowledged versions: what it was at
//! the last Mark before the crash, or at the one that was to come next.
//!
//! A file that was not there is a version, too. Without Marks the versions are those at the start and at
//! the end of the run. Files are compared in the image, no process is needed. Not for versions
//! between two Marks: a run that has such must mark them.

use std::io;
use std::path::{Path, PathBuf};

use faultfs::{DiskImage, Trace};

use super::super::judge::Verdict;
use super::super::versions::{Versions, file, same_file};
use super::{CheckerError, Judge, State};

pub(super) struct OldOrNew {
    files: Vec<PathBuf>,
    versions: Versions,
}

impl OldOrNew {
    pub(super) fn prepare(files: Vec<PathBuf>, trace: &Trace) -> Result<Self, CheckerError> {
        let versions = Versions::of(trace);
        let marks = trace.events.len();
        let never = |path: &&PathBuf| {
            let mut all = versions.older(marks).iter().chain([versions.end()]);
            all.all(|image| file(image, path).is_none())
        };
        if let Some(path) = files.iter().find(never) {
            let why =
                format!("{} is no file at the start, at a Mark or at the end", path.display());
            return Err(CheckerError::Run { name: "old-or-new", why });
        }
        Ok(Self { files, versions })
    }

    fn violation(&self, image: &DiskImage, marks: usize, path: &Path) -> Option<String> {
        let (old, new) = (self.versions.acknowledged(marks), self.versions.next(marks));
        if same_file(image, old, path) || same_file(image, new, path) {
            return None;
        }
        let name = path.display();
        let older = self.versions.older(marks).iter().rposition(|it| same_file(image, it, path));
        Some(match (file(image, path), older) {
            (_, Some(0)) => format!("{name} is what it was at the start, not as acknowledged"),
            (_, Some(mark)) => format!("{name} is what it was at Mark {mark}, not as acknowledged"),
            (None, None) => format!("{name} is missing"),
            (Some(found), None) => {
                let len = image.len(found);
                let differs = |it: &DiskImage| {
                    let its = file(it, path)?;
                    Some(image.first_difference(found, it, its).unwrap_or(len.min(it.len(its))))
                };
                // The version that it follows further is the one that it was to be.
                match differs(old).max(differs(new)) {
                    Some(at) => {
                        format!("{name} is neither old nor new: {len} bytes, wrong from {at}")
                    }
                    None => format!("{name} is there, and was not at either Mark"),
                }
            }
        })
    }
}

impl Judge for OldOrNew {
    fn needs_disk(&self) -> bool {
        false
    }

    fn judge(&self, state: &mut State) -> io::Result<Verdict> {
        let mut violations =
            self.files.iter().filter_map(|path| self.violation(state.image, state.marks, path));
        Ok(violations.next().map_or(Verdict::Survived, Verdict::violated))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use faultfs::{Fs, FsFile, SimFs};

    const FILE: &str = "/f";

    fn replace(disk: &SimFs, text: &str) {
        let file = disk.create_new(Path::new("/t"), 0o644).unwrap();
        file.write_all_at(text.as_bytes(), 0).unwrap();
        disk.rename(Path::new("/t"), Path::new(FILE)).unwrap();
    }

    /// Three versions, a Mark after each of the first two.
    fn run() -> Trace {
        let disk = SimFs::new();
        for (text, marked) in [("one", true), ("two", true), ("three", false)] {
            replace(&disk, text);
            if marked {
                disk.mark(text.as_bytes());
            }
        }
        disk.trace()
    }

    fn holding(text: Option<&str>) -> DiskImage {
        let disk = SimFs::new();
        text.inspect(|text| replace(&disk, text));
        disk.image()
    }

    #[test]
    fn a_file_is_what_it_was_at_the_last_mark_or_at_the_next() {
        let checker = OldOrNew::prepare(vec!["f".into()], &run()).unwrap();
        let found = |text, marks| checker.violation(&holding(text), marks, Path::new("f"));
        for (text, marks) in [
            (None, 0),
            (Some("one"), 0),
            (Some("one"), 1),
            (Some("two"), 1),
            (Some("two"), 2),
            (Some("three"), 2),
        ] {
            assert_eq!(found(text, marks), None, "{text:?} {marks}");
        }
        assert_eq!(found(None, 1).unwrap(), "f is what it was at the start, not as acknowledged");
        let older = found(Some("one"), 2).unwrap();
        assert_eq!(older, "f is what it was at Mark 1, not as acknowledged");
        let torn = found(Some("twX"), 1).unwrap();
        assert_eq!(torn, "f is neither old nor new: 3 bytes, wrong from 2");
        assert!(found(Some("three"), 0).is_some());
        assert!(found(Some(""), 1).is_some());
    }

    #[test]
    fn a_file_that_the_run_never_had_is_refused() {
        assert!(OldOrNew::prepare(vec!["g".into()], &run()).is_err());
    }
}
