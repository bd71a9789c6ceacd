//! The wrong ways of writing, for the mistakes that take more than a line.
//!
//! They call the file system directly: what they wait for is part of the mistake, no barrier.

use std::path::{Path, PathBuf};

use faultfs::{Access, Fs, FsFile};

use crate::atomic::parent;
use crate::durability::{Outcome, Reached, Receipt};
use crate::error::{At, Result};
use crate::temp::Temp;

/// The end of a write that was done wrong and thinks well of itself.
pub(crate) const DONE: Receipt = Receipt { outcome: Outcome::Created, reached: Reached::Durable };

/// Cuts a file, or makes it, and writes it.
pub(crate) fn cut_and_write<F: Fs>(fs: &F, path: &Path, bytes: &[u8]) -> Result<Receipt> {
    let file = open_or_create(fs, path)?;
    file.set_len(0).at("cut", path)?;
    finish(fs, &file, path, bytes)
}

/// Writes over a file and cuts it to the new length afterwards.
pub(crate) fn overwrite<F: Fs>(fs: &F, path: &Path, bytes: &[u8]) -> Result<Receipt> {
    let file = open_or_create(fs, path)?;
    let _ = finish(fs, &file, path, bytes)?;
    file.set_len(bytes.len() as u64).at("cut", path)?;
    file.sync_all().at("sync", path)?;
    Ok(DONE)
}

fn finish<F: Fs>(fs: &F, file: &F::File, path: &Path, bytes: &[u8]) -> Result<Receipt> {
    file.write_all_at(bytes, 0).at("write", path)?;
    file.sync_all().at("sync", path)?;
    sync_dirs(fs, [parent(path).to_owned()])?;
    Ok(DONE)
}

/// Syncs directories at the wrong time.
pub(crate) fn sync_dirs<F: Fs>(fs: &F, dirs: impl IntoIterator<Item = PathBuf>) -> Result<()> {
    dirs.into_iter().try_for_each(|dir| fs.sync_dir(&dir).at("sync directory", &dir))
}

/// Opens what is there, whosever it is.
pub(crate) fn open_or_create<F: Fs>(fs: &F, path: &Path) -> Result<F::File> {
    match fs.open(path, Access::ReadWrite) {
        Ok(file) => Ok(file),
        Err(_) => fs.create_new(path, 0o666).at("create", path),
    }
}

/// Puts the bytes of a temp into the file of a corrupt object.
pub(crate) fn repair_in_place<F: Fs>(fs: &F, temp: &Temp<'_, F>, path: &Path) -> Result<()> {
    let good = temp.file();
    let len = good.metadata().at("stat", path)?.len;
    let mut bytes = vec![0; usize::try_from(len).unwrap_or_default()];
    good.read_full_at(&mut bytes, 0).at("read", path)?;
    let set_mode = |mode| fs.open(path, Access::Read)?.set_mode(mode);
    set_mode(0o644).at("set the mode of", path)?;
    let _ = overwrite(fs, path, &bytes)?;
    set_mode(0o444).at("set the mode of", path)
}

/// Syncs a temp through a handle of its own, when nothing is in it yet.
pub(crate) fn sync_by_another_handle<F: Fs>(fs: &F, path: &Path) -> Result<()> {
    fs.open(path, Access::Read).and_then(|file| file.sync_all()).at("sync", path)
}

/// Writes a temp, with the fsync in the middle.
pub(crate) fn sync_in_the_middle<F: Fs>(
    temp: &mut Temp<'_, F>,
    bytes: &[u8],
    path: &Path,
) -> Result<Reached> {
    let (first, last) = bytes.split_at(bytes.len() / 2);
    temp.write(first)?;
    temp.file().sync_data().at("sync", path)?;
    temp.write(last)?;
    Ok(Reached::Durable)
}
