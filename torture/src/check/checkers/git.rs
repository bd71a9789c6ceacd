//! `git[:DIR]`: `git fsck --full --strict` finds no damage in a work tree or bare repository, and the
//! history of HEAD can be listed.
//!
//! A directory that is no repository yet is fine until a Mark came when it was one. Not for whether an
//! acknowledged commit is there: only a checker that knows the commits can tell.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use faultfs::{DiskImage, Trace};

use super::super::judge::{Verdict, judge};
use super::super::spawn::{Ran, Status, Task};
use super::super::versions::{Versions, file};
use super::{CheckerError, Judge, State, program};

pub(super) struct Git {
    program: PathBuf,
    dir: PathBuf,
    versions: Versions,
}

/// The program that looks.
pub(super) fn find() -> Result<PathBuf, CheckerError> {
    program::find("git".as_ref(), "install it (Debian: apt install git)")
}

impl Git {
    pub(super) fn prepare(dir: PathBuf, trace: &Trace) -> Result<Self, CheckerError> {
        let program = find()?;
        Ok(Self { program, dir, versions: Versions::of(trace) })
    }

    fn is_repository(&self, image: &DiskImage) -> bool {
        let bare =
            ["objects", "refs"].iter().all(|name| image.find(&self.dir.join(name)).is_some());
        file(image, &self.dir.join(".git/HEAD")).is_some()
            || bare && file(image, &self.dir.join("HEAD")).is_some()
    }

    fn run(&self, words: &[&str], state: &mut State) -> io::Result<Ran> {
        let mut args: Vec<OsString> = vec!["-C".into(), state.dir.join(&self.dir).into()];
        args.extend(words.iter().map(OsString::from));
        // The state may belong to another user than the one who checks it, and no setting of the
        // user's may change the verdict.
        let env = [
            ("GIT_CONFIG_COUNT", "1"),
            ("GIT_CONFIG_KEY_0", "safe.directory"),
            ("GIT_CONFIG_VALUE_0", "*"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_PAGER", "cat"),
            ("LC_ALL", "C"),
        ];
        let env = env.map(|(name, value)| (name.into(), value.into())).to_vec();
        state.spawner.run(&Task { program: self.program.clone(), args, env })
    }
}

impl Judge for Git {
    fn judge(&self, state: &mut State) -> io::Result<Verdict> {
        let promised = self.is_repository(self.versions.acknowledged(state.marks));
        if !self.is_repository(state.image) {
            let gone = "the repository is gone";
            return Ok(if promised { Verdict::violated(gone) } else { Verdict::Survived });
        }
        let fsck = self.run(&["fsck", "--full", "--strict", "--no-progress"], state)?;
        if !promised && fsck.output.contains("not a git repository") {
            return Ok(Verdict::Survived);
        }
        let verdict = judge(&fsck, state.spawner.timeout());
        let unborn = fsck.output.contains("HEAD points to an unborn branch");
        if verdict != Verdict::Survived || unborn {
            return Ok(told_first(verdict, &fsck));
        }
        let log = self.run(&["log", "--format=%H"], state)?;
        // A branch without a commit is fine; fsck does not say so of a detached or new HEAD.
        if log.status == Status::Exited(128) && log.output.contains("does not have any commits yet")
        {
            return Ok(Verdict::Survived);
        }
        Ok(judge(&log, state.spawner.timeout()))
    }
}

/// What fsck says first is the cause, and what it says last how much it looked at.
fn told_first(verdict: Verdict, ran: &Ran) -> Verdict {
    match verdict {
        Verdict::Violated(mut violation) if matches!(ran.status, Status::Exited(_)) => {
            let first = ran.output.first_line();
            if !first.is_empty() {
                violation.message = first;
            }
            Verdict::Violated(violation)
        }
        verdict => verdict,
    }
}
