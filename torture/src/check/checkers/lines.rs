//! `lines:FILE`: a log to which a run appends. A crash may cut it, also within a line, but only behind
//! what was there at the last Mark; it may change nothing.
//!
//! What is there must be a beginning of what the run wrote in the end; a hole or a foreign byte is a
//! violation, even in a last line without an end. Compared in the image, no process is needed. Not
//! for logs that are rotated or rewritten: these are refused before anything runs.

use std::io;
use std::path::PathBuf;

use faultfs::{DiskImage, Inode, Trace};

use super::super::judge::Verdict;
use super::super::versions::{Versions, file};
use super::{CheckerError, Judge, State};

/// Bytes looked at once.
const CHUNK: usize = 64 << 10;

pub(super) struct Lines {
    path: PathBuf,
    end: DiskImage,
    end_file: Inode,
    /// How long the file was at the start and at each Mark.
    acknowledged: Vec<u64>,
}

impl Lines {
    pub(super) fn prepare(path: PathBuf, trace: &Trace) -> Result<Self, CheckerError> {
        let versions = Versions::of(trace);
        let refused = |why: &str| CheckerError::Run {
            name: "lines",
            why: format!("{} {why}", path.display()),
        };
        let end = versions.end().clone();
        let end_file =
            file(&end, &path).ok_or_else(|| refused("is no file at the end of the run"))?;
        let mut acknowledged = Vec::new();
        for image in versions.older(usize::MAX) {
            let found = file(image, &path);
            let len = found.map_or(0, |found| image.len(found));
            let differs = found.and_then(|found| image.first_difference(found, &end, end_file));
            if differs.is_some() || len > end.len(end_file) {
                return Err(refused("was not only appended to in the recorded run"));
            }
            acknowledged.push(len);
        }
        Ok(Self { path, end, end_file, acknowledged })
    }

    /// The number of the line that holds an offset of the finished log.
    fn line(&self, offset: u64) -> u64 {
        let mut bytes = vec![0; CHUNK];
        let (mut at, mut line) = (0, 1);
        while at < offset {
            let count = self.end.read(self.end_file, &mut bytes, at);
            let left = usize::try_from(offset - at).unwrap_or(usize::MAX).min(count);
            if left == 0 {
                break;
            }
            line += bytes[..left].split(|byte| *byte == b'\n').count() as u64 - 1;
            at += left as u64;
        }
        line
    }

    fn violation(&self, image: &DiskImage, marks: usize) -> Option<String> {
        let name = self.path.display();
        let last = self.acknowledged.get(marks).or(self.acknowledged.last());
        let acknowledged = last.copied().unwrap_or_default();
        let Some(found) = file(image, &self.path) else {
            let is_lost = acknowledged > 0 || image.find(&self.path).is_some();
            return is_lost.then(|| format!("{name} is missing"));
        };
        let len = image.len(found);
        if let Some(offset) = image.first_difference(found, &self.end, self.end_file) {
            let mut byte = [0];
            image.read(found, &mut byte, offset);
            let what = if byte == [0] { "a hole" } else { "other bytes than were written" };
            return Some(format!("{name} has {what} in line {}", self.line(offset)));
        }
        if len > self.end.len(self.end_file) {
            return Some(format!("{name} is longer than it ever was"));
        }
        let shorter = || format!("{name} lost line {}, which was acknowledged", self.line(len));
        (len < acknowledged).then(shorter)
    }
}

impl Judge for Lines {
    fn needs_disk(&self) -> bool {
        false
    }

    fn judge(&self, state: &mut State) -> io::Result<Verdict> {
        let violation = self.violation(state.image, state.marks);
        Ok(violation.map_or(Verdict::Survived, Verdict::violated))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use faultfs::{Fs, FsFile, SimFs};

    fn log(disk: &SimFs, lines: &[&str], mark: bool) {
        let file = disk.create_new(Path::new("/log"), 0o644).unwrap();
        let mut offset = 0;
        for line in lines {
            file.write_all_at(line.as_bytes(), offset).unwrap();
            offset += line.len() as u64;
            if mark {
                disk.mark(line.as_bytes());
            }
        }
    }

    fn checker(lines: &[&str]) -> Lines {
        let disk = SimFs::new();
        log(&disk, lines, true);
        Lines::prepare("log".into(), &disk.trace()).unwrap()
    }

    #[test]
    fn a_log_may_lose_only_what_was_not_acknowledged() {
        let checker = checker(&["one\n", "two\n", "three\n"]);
        let found = |text: &str, marks| {
            let disk = SimFs::new();
            log(&disk, &[text], false);
            checker.violation(&disk.image(), marks)
        };
        for (text, marks) in [("", 0), ("one\ntwo\nthree\n", 0), ("on", 0), ("one\ntwo\nth", 2)] {
            assert_eq!(found(text, marks), None, "{text}");
        }
        assert_eq!(found("one\ntw", 2).unwrap(), "log lost line 2, which was acknowledged");
        assert_eq!(found("one\n\0\0\0\0", 1).unwrap(), "log has a hole in line 2");
        assert_eq!(
            found("one\ntwO\n", 1).unwrap(),
            "log has other bytes than were written in line 2"
        );
        assert_eq!(found("one\ntwo\nthree\nx", 1).unwrap(), "log is longer than it ever was");
        assert_eq!(checker.violation(&DiskImage::new(), 0), None);
        assert_eq!(checker.violation(&DiskImage::new(), 1).unwrap(), "log is missing");
    }

    #[test]
    fn a_log_that_was_rewritten_is_refused() {
        let disk = SimFs::new();
        log(&disk, &["one\n", "two\n"], true);
        disk.unlink(Path::new("/log")).unwrap();
        log(&disk, &["tree\n"], true);
        let error = Lines::prepare("log".into(), &disk.trace()).err().unwrap();
        assert!(error.to_string().contains("not only appended to"), "{error}");
    }
}
