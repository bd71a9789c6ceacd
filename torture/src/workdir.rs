//! The directory of one run: made at its begin, removed at its end unless something was found.
#![expect(
    clippy::disallowed_methods,
    reason = "scratch space of the runner: nothing in it is meant to survive"
)]

use std::io;
use std::path::{Path, PathBuf};

use faultfs::{Fs, RealFs};

use crate::exit::Failure;

/// How many names are tried under the temp directory.
const ATTEMPTS: u32 = 1000;

/// Scratch space; removed on drop unless [`Workdir::keep`] was called.
#[derive(Debug)]
pub struct Workdir {
    path: PathBuf,
    /// Whether the directory itself was there before, and so stays.
    borrowed: bool,
    kept: bool,
}

impl Workdir {
    /// A fresh directory under the system's temp directory.
    pub fn fresh() -> Result<Self, Failure> {
        let base = std::env::temp_dir();
        for _ in 0..ATTEMPTS {
            let path = base.join(format!("plugpull-torture-{:x}", RealFs.nonce()));
            match std::fs::create_dir(&path) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                made => {
                    made.map_err(|e| Failure::system(create(&path), e))?;
                    return Ok(Self { path, borrowed: false, kept: false });
                }
            }
        }
        let source = io::Error::from(io::ErrorKind::AlreadyExists);
        Err(Failure::system(create(&base.join("plugpull-torture-*")), source))
    }

    /// A directory the user named: new, or empty.
    pub fn named(path: &Path) -> Result<Self, Failure> {
        let borrowed = match std::fs::read_dir(path) {
            Ok(mut entries) => {
                if entries.next().is_some() {
                    let path = path.display();
                    let message = format!("{path} is not empty; name a new or an empty directory");
                    return Err(Failure::Usage(message));
                }
                true
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                std::fs::create_dir_all(path).map_err(|e| Failure::system(create(path), e))?;
                false
            }
            Err(e) if e.kind() == io::ErrorKind::NotADirectory => {
                let message = format!("{} is not a directory", path.display());
                return Err(Failure::Usage(message));
            }
            Err(e) => return Err(Failure::system(format!("list {}", path.display()), e)),
        };
        Ok(Self { path: path.to_owned(), borrowed, kept: false })
    }

    /// Where the store of the run is.
    pub fn store(&self) -> PathBuf {
        self.path.join("store")
    }

    /// Where the writers have their desks.
    pub fn desks(&self) -> PathBuf {
        self.path.join("desks")
    }

    /// Where the probe run is made.
    pub fn probe(&self) -> PathBuf {
        self.path.join("probe")
    }

    /// Removes the probe run.
    pub fn remove_probe(&self) {
        let _ = std::fs::remove_dir_all(self.probe());
    }

    /// Leaves everything where it is.
    pub fn keep(&mut self) {
        self.kept = true;
    }
}

impl Drop for Workdir {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        // Nobody is left to tell when removing scratch files fails.
        for dir in [self.store(), self.desks(), self.probe()] {
            let _ = std::fs::remove_dir_all(dir);
        }
        if !self.borrowed {
            let _ = std::fs::remove_dir(&self.path);
        }
    }
}

fn create(path: &Path) -> String {
    format!("create directory {}", path.display())
}
