//! Where a bench keeps its files: a real disk, or memory, where only the store's own work counts.

use std::io;
use std::path::{Path, PathBuf};

use nix::sys::statfs::{TMPFS_MAGIC, statfs};
use tempfile::TempDir;

/// The directory that stands for "disk"; the system's temp directory when it is not set.
const DISK_VARIABLE: &str = "PLUGPULL_BENCH_DIR";

/// The tmpfs of every common Linux.
const MEMORY: &str = "/dev/shm";

/// A directory of our own, removed with all that is in it when this is dropped.
#[derive(Debug)]
pub struct Place {
    name: &'static str,
    dir: TempDir,
}

impl Place {
    /// On the disk below `$PLUGPULL_BENCH_DIR`, or below the system's temp directory. `None`, with
    /// a line that says so, when that lies in memory.
    pub fn disk() -> io::Result<Option<Self>> {
        let base = std::env::var_os(DISK_VARIABLE).map_or_else(std::env::temp_dir, PathBuf::from);
        if is_tmpfs(&base) {
            let base = base.display();
            eprintln!("disk: not measured; {base} is a tmpfs, set {DISK_VARIABLE} to a directory");
            return Ok(None);
        }
        Self::below(&base, "disk").map(Some)
    }

    /// In memory. `None`, with a line that says so, when the machine has no tmpfs in its usual
    /// place.
    pub fn tmpfs() -> io::Result<Option<Self>> {
        if !is_tmpfs(Path::new(MEMORY)) {
            eprintln!("tmpfs: not measured; {MEMORY} is no tmpfs");
            return Ok(None);
        }
        Self::below(Path::new(MEMORY), "tmpfs").map(Some)
    }

    fn below(base: &Path, name: &'static str) -> io::Result<Self> {
        let dir = tempfile::Builder::new().prefix("plugpull-bench-").tempdir_in(base)?;
        Ok(Self { name, dir })
    }

    /// `disk` or `tmpfs`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The path of an entry of the directory.
    pub fn join(&self, entry: &str) -> PathBuf {
        self.dir.path().join(entry)
    }
}

fn is_tmpfs(path: &Path) -> bool {
    statfs(path).is_ok_and(|found| found.filesystem_type() == TMPFS_MAGIC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_directory_is_no_tmpfs() {
        assert!(!is_tmpfs(Path::new("/no/such/directory")));
        assert!(!is_tmpfs(Path::new("/proc")));
    }

    #[test]
    fn each_place_is_a_directory_of_its_own() {
        let base = std::env::temp_dir();
        let [one, other] = [(); 2].map(|()| Place::below(&base, "disk").unwrap());
        assert_ne!(one.join("x"), other.join("x"));
        assert!(one.join("x").starts_with(&base));
    }
}
