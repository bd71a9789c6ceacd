//! Finding programs, once, before anything runs.
//!
//! A name without a slash is looked up in `PATH`, as a shell does. A relative path is one from where
//! plugpull was started, not from inside a crash state. Not for whether the program works.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

use super::CheckerError;

/// The program's absolute path; `remedy` says how to get it.
pub(super) fn find(program: &OsStr, remedy: &str) -> Result<PathBuf, CheckerError> {
    let wrong =
        |why, remedy: String| CheckerError::Program { program: program.to_owned(), why, remedy };
    let with_slash = Path::new(program).components().count() > 1 || program == "..";
    let candidates: Vec<PathBuf> = if with_slash {
        vec![PathBuf::from(program)]
    } else {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).map(|dir| dir.join(program)).collect()
    };
    let is_file =
        |path: &&PathBuf| nix::sys::stat::stat(*path).is_ok_and(|found| is_regular(found.st_mode));
    let files: Vec<_> = candidates.iter().filter(is_file).collect();
    let Some(first) = files.first() else {
        let place = if with_slash { "" } else { " (looked for in PATH)" };
        return Err(wrong("was not found", format!("{remedy}{place}")));
    };
    let executable = files.iter().find(|path| access(**path, AccessFlags::X_OK).is_ok());
    let Some(found) = executable else {
        return Err(wrong("is not executable", format!("chmod +x {}", first.display())));
    };
    std::path::absolute(found).map_err(|_| wrong("has no absolute path", remedy.to_owned()))
}

fn is_regular(mode: u32) -> bool {
    mode & nix::libc::S_IFMT == nix::libc::S_IFREG
}
