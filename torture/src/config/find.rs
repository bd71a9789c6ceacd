//! Where the configuration is: in the working directory or above it, within the project.
#![expect(clippy::disallowed_methods, reason = "files of the user's, which no store is over")]

use std::path::{Path, PathBuf};

use super::file::Config;
use crate::cli::CheckArgs;
use crate::exit::Failure;

/// The name of the file.
pub const FILE: &str = "plugpull.toml";

/// What the root of a project has; above it another project's configuration may be.
const ROOT: &str = ".git";

/// The configuration for this directory, if there is one.
pub fn find(from: &Path) -> Option<PathBuf> {
    for dir in from.ancestors() {
        let file = dir.join(FILE);
        if file.is_file() {
            return Some(file);
        }
        if dir.join(ROOT).exists() {
            return None;
        }
    }
    None
}

impl Config {
    /// The configuration of this run: none for a program of the command line.
    pub fn of(args: &CheckArgs) -> Result<Option<Self>, Failure> {
        if !args.program.command.is_empty() {
            return Ok(None);
        }
        if let Some(file) = &args.project.config {
            return Self::load(file).map(Some);
        }
        let here = std::env::current_dir();
        let here = here.map_err(|e| Failure::system("find the working directory", e))?;
        let Some(file) = find(&here) else {
            return Err(Failure::Usage(format!(
                "nothing says what to check: there is no {FILE} in {} or above it (`plugpull init` writes \
                 one); or name a program behind two dashes: -- PROGRAM ARGUMENTS",
                here.display()
            )));
        };
        // Told as briefly as it can be.
        let file = file.strip_prefix(&here).map(Path::to_owned).unwrap_or(file);
        Self::load(&file).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_looked_for_up_to_the_root_of_the_project() {
        let base = tempfile::tempdir().unwrap();
        let (project, deep) = (base.path().join("p"), base.path().join("p/a/b"));
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::write(base.path().join(FILE), "").unwrap();
        assert_eq!(find(&deep), Some(base.path().join(FILE)));
        std::fs::create_dir(project.join(ROOT)).unwrap();
        assert_eq!(find(&deep), None);
        std::fs::write(project.join(FILE), "").unwrap();
        assert_eq!(find(&deep), Some(project.join(FILE)));
    }
}
