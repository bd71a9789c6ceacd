//! Finding programs, once, before anything runs.
//!
//! A name without a slash is looked up in `PATH`, as a shell does. A relative path is one from where
//! plugpull was started, not from inside a crash state. Not for whether the program works.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

use super::CheckerError;

/// Why a program cannot be started.
pub(crate) enum NoProgram {
    NotFound,
    /// Nobody made the file at this path executable.
    NotExecutable(PathBuf),
}

/// The program's absolute path; `remedy` says how to get it.
pub(super) fn find(program: &OsStr, remedy: &str) -> Result<PathBuf, CheckerError> {
    let wrong =
        |why, remedy: String| CheckerError::Program { program: program.to_owned(), why, remedy };
    let found = look_up(program).map_err(|why| match why {
        NoProgram::NotFound => {
            let place = if has_slash(program) { "" } else { " (looked for in PATH)" };
            wrong("was not found", format!("{remedy}{place}"))
        }
        NoProgram::NotExecutable(path) => {
            wrong("is not executable", format!("chmod +x {}", path.display()))
        }
    })?;
    std::path::absolute(found).map_err(|_| wrong("has no absolute path", remedy.to_owned()))
}

/// Where a program is.
pub(crate) fn look_up(program: &OsStr) -> Result<PathBuf, NoProgram> {
    let candidates: Vec<PathBuf> = if has_slash(program) {
        vec![PathBuf::from(program)]
    } else {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).map(|dir| dir.join(program)).collect()
    };
    let is_file =
        |path: &&PathBuf| nix::sys::stat::stat(*path).is_ok_and(|found| is_regular(found.st_mode));
    let files: Vec<_> = candidates.iter().filter(is_file).collect();
    let first = files.first().ok_or(NoProgram::NotFound)?;
    let executable = files.iter().find(|path| access(**path, AccessFlags::X_OK).is_ok());
    executable.map(|path| (*path).clone()).ok_or_else(|| NoProgram::NotExecutable((*first).clone()))
}

fn has_slash(program: &OsStr) -> bool {
    Path::new(program).components().count() > 1 || program == ".."
}

fn is_regular(mode: u32) -> bool {
    mode & nix::libc::S_IFMT == nix::libc::S_IFREG
}
