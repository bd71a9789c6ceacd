//! Where reports go: files that are written whole, and what GitHub Actions gives.
//!
//! That a report can be written is known before anything runs. One that cannot be written after all does
//! not keep the others. Not for what is in them.
#![expect(clippy::disallowed_methods, reason = "files of the user's, which no store is over")]

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

use crate::cli::{MessageFormat, ReportArgs};
use crate::exit::Failure;

use super::github::Github;
use super::{Report, html, junit, sarif};

/// Which reports are written, and where.
#[derive(Debug, Default)]
pub struct Reports {
    files: Vec<(Form, PathBuf)>,
    github: Option<Github>,
}

/// The form of a report in a file.
#[derive(Clone, Copy, Debug)]
enum Form {
    Junit,
    Sarif,
    Html,
}

impl Form {
    fn option(self) -> &'static str {
        match self {
            Self::Junit => "--junit",
            Self::Sarif => "--sarif",
            Self::Html => "--html",
        }
    }

    fn text(self, report: &Report) -> io::Result<String> {
        match self {
            Self::Junit => junit::text(report),
            Self::Sarif => sarif::text(report),
            Self::Html => Ok(html::text(report)),
        }
    }
}

impl Reports {
    /// What is asked for, if it can be done.
    pub fn from_args(args: &ReportArgs, format: MessageFormat) -> Result<Self, Failure> {
        let asked =
            [(Form::Junit, &args.junit), (Form::Sarif, &args.sarif), (Form::Html, &args.html)];
        let mut files: Vec<(Form, PathBuf)> = Vec::new();
        for (form, path) in asked {
            let Some(path) = path else { continue };
            let path = writable(path).map_err(|why| {
                let (option, path) = (form.option(), path.display());
                Failure::Usage(format!("cannot write the report {option} {path}: {why}"))
            })?;
            if let Some((other, _)) = files.iter().find(|(_, taken)| *taken == path) {
                let (one, two) = (other.option(), form.option());
                let text = format!("{one} and {two} name the same file; give each its own");
                return Err(Failure::Usage(text));
            }
            files.push((form, path));
        }
        let runs_there = std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true");
        let github = (args.github || (runs_there && !args.no_github)).then(|| Github::new(format));
        Ok(Self { files, github })
    }

    /// Writes all of them; the first that could not be written is told when the others are.
    pub fn write(&self, report: &Report) -> Result<(), Failure> {
        let mut failed = None;
        let mut note = |done: Result<(), Failure>| {
            if let (Err(failure), Some(_)) = (&done, &failed) {
                eprintln!("plugpull: {failure}");
            } else if failed.is_none() {
                failed = done.err();
            }
        };
        for (form, path) in &self.files {
            let written = form.text(report).and_then(|text| replace(path, text.as_bytes()));
            note(
                written.map_err(|e| {
                    Failure::system(format!("write the report {}", path.display()), e)
                }),
            );
        }
        if let Some(github) = &self.github {
            note(github.write(report));
        }
        failed.map_or(Ok(()), Err)
    }
}

/// The path of a file that can be written, or why it cannot and what to do.
pub(crate) fn writable(path: &Path) -> Result<PathBuf, String> {
    // A link stays one: what it leads to is replaced.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if path.is_dir() {
        return Err("it is a directory; name a file in it".to_owned());
    }
    if fs::metadata(&path).is_ok_and(|found| !found.is_file()) {
        return Err("it is no regular file; name one".to_owned());
    }
    let Some(name) = path.file_name() else { return Err("it names no file".to_owned()) };
    let dir = directory(&path);
    match access(dir, AccessFlags::W_OK | AccessFlags::X_OK) {
        _ if !dir.is_dir() => Err(format!("there is no directory {}; create it", dir.display())),
        // Two names of one file are equal then.
        Ok(()) => Ok(fs::canonicalize(dir).map_or_else(|_| path.clone(), |dir| dir.join(name))),
        Err(errno) => {
            let dir = dir.display();
            Err(format!("no file can be made in {dir} ({}); name another one", errno.desc()))
        }
    }
}

fn directory(path: &Path) -> &Path {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    dir.unwrap_or_else(|| Path::new("."))
}

/// Puts a file there, or leaves what was there.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = directory(path);
    // As any file is made: the mask of the process says who may read it.
    let mode = Permissions::from_mode(0o666);
    let mut file =
        tempfile::Builder::new().prefix(".plugpull-report-").permissions(mode).tempfile_in(dir)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|e| e.error)?;
    File::open(dir)?.sync_all()
}
