//! `sqlite[:FILE]`: `PRAGMA integrity_check` finds no damage, after the recovery that opening a
//! database brings with it.
//!
//! Not for whether committed rows are there: only a checker that knows the rows can tell.

use std::io;
use std::path::{Path, PathBuf};

use faultfs::{DiskImage, Inode, Trace};

use super::super::judge::{Verdict, judge};
use super::super::spawn::Task;
use super::super::versions::{Versions, file};
use super::{CheckerError, Judge, State, program};

/// The beginning of every database that is not empty.
const HEADER: &[u8] = b"SQLite format 3\0";

const ENDINGS: [&str; 3] = ["db", "sqlite", "sqlite3"];

pub(super) struct Sqlite {
    program: PathBuf,
    file: Option<PathBuf>,
    versions: Versions,
}

/// The program that looks.
pub(super) fn find() -> Result<PathBuf, CheckerError> {
    program::find("sqlite3".as_ref(), "install it (Debian: apt install sqlite3)")
}

impl Sqlite {
    pub(super) fn prepare(file: Option<PathBuf>, trace: &Trace) -> Result<Self, CheckerError> {
        let program = find()?;
        Ok(Self { program, file, versions: Versions::of(trace) })
    }

    fn databases(&self, image: &DiskImage) -> Vec<PathBuf> {
        match &self.file {
            Some(path) => file(image, path).map(|_| path.clone()).into_iter().collect(),
            None => databases(image),
        }
    }
}

/// The files that are databases, by their names or their first bytes.
fn databases(image: &DiskImage) -> Vec<PathBuf> {
    let is_database = |(path, node): &(PathBuf, Inode)| {
        let mut first = [0; HEADER.len()];
        image.read(*node, &mut first, 0);
        first == HEADER || ENDINGS.iter().any(|end| path.extension() == Some(end.as_ref()))
    };
    image.files().into_iter().filter(is_database).map(|(path, _)| path).collect()
}

impl Judge for Sqlite {
    fn judge(&self, state: &mut State) -> io::Result<Verdict> {
        let found = self.databases(state.image);
        let acknowledged = self.databases(self.versions.acknowledged(state.marks));
        // Without a Mark nothing was promised but what was there before.
        if let Some(missing) = acknowledged.iter().find(|path| !found.contains(*path)) {
            return Ok(Verdict::violated(format!("{} is missing", missing.display())));
        }
        for path in found {
            let verdict = self.integrity(&path, state)?;
            if verdict != Verdict::Survived {
                return Ok(verdict);
            }
        }
        Ok(Verdict::Survived)
    }
}

impl Sqlite {
    fn integrity(&self, path: &Path, state: &mut State) -> io::Result<Verdict> {
        // A path that begins with a hyphen would be an option.
        let args = vec![
            "-batch".into(),
            Path::new(".").join(path).into_os_string(),
            "PRAGMA integrity_check".into(),
        ];
        let task = Task { program: self.program.clone(), args, env: Vec::new() };
        let ran = state.spawner.run(&task)?;
        let verdict = judge(&ran, state.spawner.timeout());
        Ok(match verdict {
            Verdict::Survived if ran.output.head().trim_ascii() != b"ok" => {
                let message = format!("{}: {}", path.display(), ran.output.first_line());
                Verdict::violated_with(message, &ran)
            }
            Verdict::Violated(mut violation) => {
                violation.message = format!("{}: {}", path.display(), violation.message);
                Verdict::Violated(violation)
            }
            verdict => verdict,
        })
    }
}
