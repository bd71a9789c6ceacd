//! The bare system calls of a durable write: what the store is measured against.
//!
//! open(O_CREAT|O_EXCL), write, fsync, rename, open of the directory, fsync of it. No lock, no
//! check of what is there, no clean-up: less than this is not durable, and the store must not cost
//! much more.
#![expect(clippy::disallowed_methods, reason = "this is the side without the seam")]

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};

/// Objects in 256 shards, as in a store.
#[derive(Debug)]
pub struct RawObjects {
    shards: PathBuf,
    count: AtomicU64,
}

impl RawObjects {
    /// Makes the shards below `dir`.
    pub fn create(dir: &Path) -> io::Result<Self> {
        let shards = dir.join("objects/sha256");
        for shard in 0..=u8::MAX {
            std::fs::create_dir_all(shards.join(format!("{shard:02x}")))?;
        }
        Ok(Self { shards, count: AtomicU64::new(0) })
    }

    /// Writes `bytes` under the name of their hash.
    pub fn put(&self, bytes: &[u8]) -> io::Result<()> {
        let name = hex(&Sha256::digest(bytes));
        let (shard, rest) = name.split_at(2);
        let shard = self.shards.join(shard);
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let temp = self.shards.join(format!(".raw-{count:x}"));
        write_and_rename(&temp, &shard.join(rest), &shard, bytes, 0o444)
    }
}

fn hex(bytes: &[u8]) -> String {
    let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    nibbles.filter_map(|nibble| char::from_digit(nibble.into(), 16)).collect()
}

/// Writes `bytes` to `path`, replacing what is there.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    write_and_rename(&dir.join(".raw"), path, dir, bytes, 0o666)
}

fn write_and_rename(
    temp: &Path,
    path: &Path,
    dir: &Path,
    bytes: &[u8],
    mode: u32,
) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(temp)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(temp, path)?;
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_lies_where_the_store_would_put_it() {
        let dir = tempfile::tempdir().unwrap();
        let objects = RawObjects::create(dir.path()).unwrap();
        objects.put(b"").unwrap();
        let rest = "b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let path = dir.path().join("objects/sha256/e3").join(rest);
        assert_eq!(std::fs::read(path).unwrap(), b"");
    }

    #[test]
    fn a_file_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        replace(&path, b"old").unwrap();
        replace(&path, b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
