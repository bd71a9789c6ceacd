//! The directory in which a bench works: made in the one that the user names, gone at the end, whatever happens.
//!
//! What cannot be measured on is refused here, before anything runs. Not for what the strategies leave in it.
#![expect(clippy::disallowed_methods, reason = "scratch space; nothing in it is meant to survive")]

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use super::files::open_dir;
use crate::exit::Failure;

/// How the names of such directories begin.
pub const PREFIX: &str = ".plugpull-bench-";

/// How often the removal is tried again, and after which pause.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(20);

/// Scratch space, removed on drop.
pub struct Scratch(TempDir);

impl Scratch {
    /// In this directory, which must be there.
    pub fn new(dir: &Path) -> Result<Self, Failure> {
        match fs::metadata(dir) {
            Err(e) if e.kind() == ErrorKind::NotFound => {
                let message =
                    format!("{} does not exist; create it, or name another", dir.display());
                Err(Failure::Usage(message))
            }
            Err(e) => Err(Failure::system(format!("look at {}", dir.display()), e)),
            Ok(found) if !found.is_dir() => {
                let message = format!("{} is not a directory; name one", dir.display());
                Err(Failure::Usage(message))
            }
            Ok(_) => Self::made(dir).map_err(|e| refused(dir, &e)),
        }
    }

    fn made(dir: &Path) -> io::Result<Self> {
        let made = tempfile::Builder::new().prefix(PREFIX).tempdir_in(dir)?;
        open_dir(dir)?.sync_all()?;
        Ok(Self(made))
    }

    /// Removes all of it. On NFS and FUSE a removed file that was open is there under another name until the server
    /// knows of its close, which is waited for.
    pub fn remove(self) -> io::Result<()> {
        let path = self.0.keep();
        let mut removed = fs::remove_dir_all(&path);
        for _ in 0..TRIES {
            if !removed.as_ref().is_err_and(|e| e.kind() == ErrorKind::DirectoryNotEmpty) {
                break;
            }
            std::thread::sleep(PAUSE);
            removed = fs::remove_dir_all(&path);
        }
        removed.map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))
    }

    /// A new directory for one strategy, durable.
    pub fn room(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.0.path().join(name);
        fs::create_dir(&path)?;
        open_dir(self.0.path())?.sync_all()?;
        Ok(path)
    }
}

fn refused(dir: &Path, error: &io::Error) -> Failure {
    let remedy = match error.kind() {
        ErrorKind::ReadOnlyFilesystem => "remount it for writing, or name a directory elsewhere",
        ErrorKind::PermissionDenied => "change its owner or mode, or name a directory of yours",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "free space or inodes, or name a directory elsewhere"
        }
        _ => "name another directory",
    };
    Failure::Machine(format!("cannot write in {}: {error}; {remedy}", dir.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn what_is_made_is_gone_at_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(dir.path()).unwrap();
        assert!(scratch.room("a").unwrap().starts_with(dir.path()));
        drop(scratch);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn each_refusal_names_its_remedy() {
        let of = |kind: ErrorKind| refused(Path::new("/x"), &io::Error::from(kind));
        for (kind, remedy) in [
            (ErrorKind::ReadOnlyFilesystem, "remount"),
            (ErrorKind::PermissionDenied, "mode"),
            (ErrorKind::StorageFull, "free space"),
        ] {
            assert!(of(kind).to_string().contains(remedy));
            assert_eq!(of(kind).exit(), Exit::Environment);
        }
    }
}
