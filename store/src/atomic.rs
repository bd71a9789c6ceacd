//! The atomic write: a file is its old content or its new content, whole, at every moment and after
//! every power cut; after `Ok` it is the new one, and after an error the old one.
//!
//! For small files that are replaced (refs, HEAD, lists) and for anybody's text or JSON file.
//! Objects, which are never replaced, have their own last step in `object`.

use std::io;
use std::path::{Path, PathBuf};

use faultfs::{FileKind, Fs};
use serde::Serialize;

use crate::barrier::Barrier;
use crate::disk::{Disk, is_there};
use crate::durability::{Reached, Receipt};
use crate::error::{At, Error, Result, found};
use crate::layout::STATE_TEMP;
use crate::open::Options;
use crate::planted::{Bug, wrong};
use crate::temp::Temp;
use crate::undo::Undo;

/// Mode of state files and directories before the umask takes its share.
const STATE_MODE: u32 = 0o666;
pub(crate) const DIR_MODE: u32 = 0o777;

/// The two barriers of a replaced file: of its bytes and of its name.
#[derive(Clone, Copy)]
pub(crate) struct Barriers {
    pub(crate) file: Barrier,
    pub(crate) dir: Barrier,
}

/// Writes `text` to `path` atomically and durably, creating missing parent directories. `options` may
/// be a [`Durability`](crate::Durability) alone. Two writers of one file need a lock of their own.
pub fn write_text_atomic<F: Fs>(
    fs: &F,
    path: &Path,
    text: &str,
    options: impl Into<Options>,
) -> Result<Receipt> {
    write_bytes(Disk::new(fs, options.into()), path, text.as_bytes())
}

/// Writes `value` as indented JSON with a closing newline, as [`write_text_atomic`] does.
pub fn write_json_atomic<F: Fs, T: Serialize>(
    fs: &F,
    path: &Path,
    value: &T,
    options: impl Into<Options>,
) -> Result<Receipt> {
    let mut text = serde_json::to_vec_pretty(value)
        .map_err(|e| Error::BadValue { kind: "JSON document", problem: e.to_string() })?;
    text.push(b'\n');
    write_bytes(Disk::new(fs, options.into()), path, &text)
}

fn write_bytes<F: Fs>(disk: Disk<'_, F>, path: &Path, bytes: &[u8]) -> Result<Receipt> {
    const TEXT: Barriers = Barriers { file: Barrier::TextFile, dir: Barrier::TextDir };
    let parents = make_dirs(disk, parent(path), Barrier::TextParents)?;
    if disk.has(Bug::TextTruncated) {
        return wrong::cut_and_write(disk.fs, path, bytes);
    }
    Ok(replace(disk, path, bytes, TEXT)?.after(parents))
}

/// The atomic write into a directory that exists and is durable.
pub(crate) fn replace<F: Fs>(
    disk: Disk<'_, F>,
    path: &Path,
    bytes: &[u8],
    barriers: Barriers,
) -> Result<Receipt> {
    Ok(replace_held(disk, path, bytes, None, barriers)?.0)
}

/// As [`replace`], with the permissions of the file that is replaced: who hid it finds it hidden.
pub(crate) fn replace_alike<F: Fs>(
    disk: Disk<'_, F>,
    path: &Path,
    bytes: &[u8],
    barriers: Barriers,
) -> Result<Receipt> {
    let old = found(disk.fs.metadata(path)).at("stat", path)?;
    let mode = old.filter(|old| old.kind == FileKind::File).map(|old| old.mode);
    Ok(replace_held(disk, path, bytes, mode, barriers)?.0)
}

/// As [`replace`], with this mode or with that of every state file; also hands over the file, on which the
/// writer's lock stays until it is dropped.
pub(crate) fn replace_held<'f, F: Fs>(
    disk: Disk<'f, F>,
    path: &Path,
    bytes: &[u8],
    mode: Option<u32>,
    barriers: Barriers,
) -> Result<(Receipt, Temp<'f, F>)> {
    let (mut temp, file) = written_temp(disk, path, bytes, mode, barriers.file)?;
    let undo = Undo::before(disk, path)?;
    if disk.has(Bug::UnlinkThenRename) {
        found(disk.fs.unlink(path)).at("remove", path)?;
    }
    if disk.has(Bug::DirSyncBeforeRename) {
        disk.sync_dir(barriers.dir, parent(path))?;
        temp.rename(path)?;
        return Ok((wrong::DONE, temp));
    }
    temp.rename(path)?;
    let entry = undo.unless(disk.sync_dir(barriers.dir, parent(path)), Some(temp.file()))?;
    Ok((Receipt::created(file.max(entry)), temp))
}

/// Removes a file durably; `None` when it was not there. The barrier also then: who removed it may have
/// been killed before it. After an error the file is there.
pub(crate) fn remove<F: Fs>(
    disk: Disk<'_, F>,
    path: &Path,
    barrier: Barrier,
) -> Result<Option<Reached>> {
    let undo = Undo::before(disk, path)?;
    let was_there = found(disk.fs.unlink(path)).at("remove", path)?.is_some();
    let passed = disk.sync_dir(barrier, parent(path));
    let reached = if was_there { undo.unless(passed, None) } else { passed }?;
    Ok(was_there.then_some(reached))
}

/// The atomic write of a file that is never replaced, only made if it is not there. Its name is as
/// visible as any other's then, whoever gave it; the barrier of the directory is the caller's.
pub(crate) fn write_if_absent<F: Fs>(
    disk: Disk<'_, F>,
    path: &Path,
    bytes: &[u8],
    barrier: Barrier,
) -> Result<Reached> {
    if is_there(disk.fs, path)? {
        return Ok(Reached::Durable);
    }
    let (mut temp, reached) = written_temp(disk, path, bytes, None, barrier)?;
    temp.rename_if_free(path)?;
    Ok(reached)
}

/// A temp beside `path` with these bytes, synced; it only lacks its name.
pub(crate) fn written_temp<'f, F: Fs>(
    disk: Disk<'f, F>,
    path: &Path,
    bytes: &[u8],
    mode: Option<u32>,
    barrier: Barrier,
) -> Result<(Temp<'f, F>, Reached)> {
    let mut temp = temp_beside(disk, path)?;
    if let Some(mode) = mode {
        temp.set_mode(mode)?;
    }
    if disk.has(Bug::SyncBeforeLastWrite) {
        let reached = wrong::sync_in_the_middle(&mut temp, bytes, path)?;
        return Ok((temp, reached));
    }
    temp.write(bytes)?;
    let reached = temp.sync(barrier, Some(bytes))?;
    Ok((temp, reached))
}

/// An empty temp beside `path`.
pub(crate) fn temp_beside<'f, F: Fs>(disk: Disk<'f, F>, path: &Path) -> Result<Temp<'f, F>> {
    Temp::create(disk, parent(path), STATE_TEMP, STATE_MODE)
}

/// Creates `dir` and what is missing above it, and makes each new entry durable. Also that of the lowest
/// directory that is there: whoever made it may have been killed before the barrier, but not before
/// those of the ones above, since they are made one by one.
pub(crate) fn make_dirs<F: Fs>(disk: Disk<'_, F>, dir: &Path, barrier: Barrier) -> Result<Reached> {
    let all_missing = missing_dirs(disk.fs, dir)?;
    let lowest = all_missing.first().map_or(dir, |missing| parent(missing));
    let mut reached = sync_above(disk, lowest, barrier)?;
    for missing in all_missing {
        match disk.fs.mkdir(&missing, DIR_MODE) {
            // Somebody else made it meanwhile; whether its entry is durable is not known.
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            made => made.at("create directory", &missing)?,
        }
        reached = reached.max(disk.sync_dir(barrier, parent(&missing))?);
    }
    Ok(reached)
}

/// The barrier of a directory's own entry. Whoever may not read the directory above did not make the
/// entry either.
fn sync_above<F: Fs>(disk: Disk<'_, F>, dir: &Path, barrier: Barrier) -> Result<Reached> {
    if dir.file_name().is_none() {
        return Ok(Reached::Durable);
    }
    match disk.sync_dir(barrier, parent(dir)) {
        Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::PermissionDenied => {
            Ok(Reached::Durable)
        }
        synced => synced,
    }
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
