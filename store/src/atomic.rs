//! The atomic write: a file is its old content or its new content, whole, at every moment and after
//! every power cut; and after `Ok`, it is the new one.
//!
//! For small files that are replaced (refs, HEAD, lists) and for anybody's text or JSON file.
//! Objects, which are never replaced, have their own last step in `object`.

use std::io;
use std::path::{Path, PathBuf};

use faultfs::{FileKind, Fs};
use serde::Serialize;

use crate::durability::{Durability, Outcome, Reached, Receipt};
use crate::error::{At, Error, Result, found};
use crate::layout::STATE_TEMP;
use crate::temp::Temp;

/// Mode of state files and directories before the umask takes its share.
const STATE_MODE: u32 = 0o666;
pub(crate) const DIR_MODE: u32 = 0o777;

/// Writes `text` to `path` atomically and durably, creating missing parent directories.
pub fn write_text_atomic<F: Fs>(
    fs: &F,
    path: &Path,
    text: &str,
    durability: Durability,
) -> Result<Receipt> {
    write_bytes(fs, path, text.as_bytes(), durability)
}

/// Writes `value` as indented JSON with a closing newline, as [`write_text_atomic`] does.
pub fn write_json_atomic<F: Fs, T: Serialize>(
    fs: &F,
    path: &Path,
    value: &T,
    durability: Durability,
) -> Result<Receipt> {
    let mut text = serde_json::to_vec_pretty(value)
        .map_err(|e| Error::BadValue { kind: "JSON document", problem: e.to_string() })?;
    text.push(b'\n');
    write_bytes(fs, path, &text, durability)
}

fn write_bytes<F: Fs>(
    fs: &F,
    path: &Path,
    bytes: &[u8],
    durability: Durability,
) -> Result<Receipt> {
    let parents = make_dirs(fs, parent(path), durability)?;
    Ok(replace(fs, path, bytes, durability)?.after(parents))
}

/// The atomic write into a directory that exists and is durable.
pub(crate) fn replace<F: Fs>(
    fs: &F,
    path: &Path,
    bytes: &[u8],
    durability: Durability,
) -> Result<Receipt> {
    let (mut temp, file) = written_temp(fs, path, bytes, durability)?;
    temp.rename(path)?;
    let entry = sync_dir(fs, parent(path), durability)?;
    Ok(Receipt { outcome: Outcome::Created, reached: file.max(entry) })
}

/// The atomic write of a file that is never replaced, only made if it is not there.
pub(crate) fn write_if_absent<F: Fs>(
    fs: &F,
    path: &Path,
    bytes: &[u8],
    durability: Durability,
) -> Result<()> {
    if found(fs.metadata(path)).at("stat", path)?.is_none() {
        written_temp(fs, path, bytes, durability)?.0.rename_if_free(path)?;
    }
    sync_dir(fs, parent(path), durability).map(|_| ())
}

/// A temp beside `path` with these bytes, synced; it only lacks its name.
fn written_temp<'f, F: Fs>(
    fs: &'f F,
    path: &Path,
    bytes: &[u8],
    durability: Durability,
) -> Result<(Temp<'f, F>, Reached)> {
    let mut temp = Temp::create(fs, parent(path), STATE_TEMP, STATE_MODE)?;
    temp.write(bytes)?;
    let reached = temp.sync(durability)?;
    Ok((temp, reached))
}

/// Removes a file durably; says whether it was there.
pub(crate) fn remove<F: Fs>(fs: &F, path: &Path, durability: Durability) -> Result<bool> {
    let was_there = found(fs.unlink(path)).at("remove", path)?.is_some();
    sync_dir(fs, parent(path), durability)?;
    Ok(was_there)
}

/// The barrier of a directory's entries.
pub(crate) fn sync_dir<F: Fs>(fs: &F, dir: &Path, durability: Durability) -> Result<Reached> {
    durability.judge(fs.sync_dir(dir)).at("sync directory", dir)
}

/// Creates `dir` and what is missing above it, and makes each new entry durable.
pub(crate) fn make_dirs<F: Fs>(fs: &F, dir: &Path, durability: Durability) -> Result<Reached> {
    let mut reached = Reached::Durable;
    for missing in missing_dirs(fs, dir)? {
        match fs.mkdir(&missing, DIR_MODE) {
            // Somebody else made it meanwhile; whether its entry is durable is not known.
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            made => made.at("create directory", &missing)?,
        }
        reached = reached.max(sync_dir(fs, parent(&missing), durability)?);
    }
    Ok(reached)
}

/// The directories that must be made for `dir` to exist, the highest first.
fn missing_dirs<F: Fs>(fs: &F, dir: &Path) -> Result<Vec<PathBuf>> {
    let mut missing = Vec::new();
    for candidate in dir.ancestors().filter(|path| !path.as_os_str().is_empty()) {
        match found(fs.metadata(candidate)).at("stat", candidate)? {
            None => missing.push(candidate.to_owned()),
            Some(metadata) if metadata.kind == FileKind::File => {
                let source = io::Error::from(io::ErrorKind::NotADirectory);
                return Err(source).at("create directories below", candidate);
            }
            Some(_) => break,
        }
    }
    missing.reverse();
    Ok(missing)
}

/// The directory that holds `path`; `.` for a bare name.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    }
}
