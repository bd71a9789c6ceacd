//! Restoring: an object's bytes as a file of the user's, outside the store.
//!
//! The same protocol as every write, with the hash checked while copying: bad bytes never get a
//! name. The temp lies beside the destination, where an open of the store would not look for it, so
//! the directory is entered in a durable list before its first temp is made.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use faultfs::{FileKind, Fs, FsFile};

use crate::atomic::{make_dirs, parent, write_if_absent};
use crate::barrier::Barrier;
use crate::durability::{Outcome, Reached, Receipt};
use crate::error::{At, Error, Result, found};
use crate::id::ObjectId;
use crate::layout::{Layout, RESTORE_TEMP, STATE_TEMP, is_temp};
use crate::open::{MAX_STATE, Store, read_state};
use crate::planted::{Bug, wrong};
use crate::sweep::{is_gone, temps_in};
use crate::temp::Temp;

/// Mode of a restored file before the umask takes its share.
const PLAIN: u32 = 0o666;
const EXECUTABLE: u32 = 0o777;

impl<F: Fs> Store<F> {
    /// Writes the object's bytes to `to`, replacing what is there and creating missing directories;
    /// `None` when there is no such object. The file's time is now, and later than that of the file
    /// it replaces, so that editors and build tools see the change.
    pub fn restore(&self, id: &ObjectId, to: &Path, executable: bool) -> Result<Option<Receipt>> {
        let to = std::path::absolute(to).at("find", to)?;
        let _pin = self.pin()?;
        let Some(reader) = self.reader(id)? else {
            return Ok(None);
        };
        let dir = parent(&to);
        let dirs = make_dirs(self.disk(), dir, Barrier::RestoreParents)?;
        if self.has(Bug::RestoreInPlace) {
            return wrong::overwrite(self.fs(), &to, &reader.into_bytes()?).map(Some);
        }
        let record = self.register(dir)?;
        let mode = if executable { EXECUTABLE } else { PLAIN };
        let mut temp = Temp::create(self.disk(), dir, RESTORE_TEMP, mode)?;
        reader.copy(&mut |piece| temp.write(piece))?;
        temp.file().set_modified(self.fresh_time(&to)?).at("set the time of", &to)?;
        let content = temp.sync(Barrier::RestoreFile, None)?;
        temp.rename(&to)?;
        let entry = self.disk().sync_dir(Barrier::RestoreDir, dir)?;
        let reached = dirs.max(record).max(content).max(entry);
        Ok(Some(Receipt { outcome: Outcome::Created, reached }))
    }

    /// Now, but at least a nanosecond later than the file that is replaced.
    fn fresh_time(&self, to: &Path) -> Result<SystemTime> {
        let now = self.fs().now();
        let old = found(self.fs().metadata(to)).at("stat", to)?;
        // A time at the end of all times has nothing later.
        let later = old.and_then(|old| old.modified.checked_add(Duration::from_nanos(1)));
        Ok(later.map_or(now, |later| now.max(later)))
    }

    /// Enters a directory in the list, if the present pin does not know that it is there.
    fn register(&self, dir: &Path) -> Result<Reached> {
        let known = self.known(|durable| durable.restores.contains(dir));
        if known || self.has(Bug::RestoreWithoutRecord) {
            return Ok(Reached::Durable);
        }
        let path = dir.as_os_str().as_bytes();
        if path.len() > MAX_STATE {
            let problem = format!("its path is longer than {MAX_STATE} bytes");
            return Err(Error::Source { path: dir.to_owned(), problem });
        }
        let record = self.layout().restores().join(ObjectId::of(path).hex());
        let content = write_if_absent(self.disk(), &record, path, Barrier::RecordFile)?;
        // Also when it was there: its writer may have been killed before this barrier.
        let entry = self.disk().sync_dir(Barrier::RecordDir, &self.layout().restores())?;
        let reached = content.max(entry);
        if reached != Reached::Degraded {
            self.known(|durable| durable.restores.insert(dir.to_owned()));
        }
        Ok(reached)
    }

    /// Removes records of directories in which no temp is left, and records that are none. Only while
    /// no pin is held: whoever restores holds one from its record to the end of its temp.
    pub(crate) fn prune_restores(&self) -> Result<()> {
        let mut pruned = false;
        for (record, dir) in restore_records(self.fs(), self.layout())? {
            let needed = dir.map_or(Ok(false), |dir| self.may_hold_temps(&dir))?;
            if !needed {
                pruned |= found(self.fs().unlink(&record)).at("remove", &record)?.is_some();
            }
        }
        if pruned {
            self.disk().sync_dir(Barrier::PrunedRecords, &self.layout().restores())?;
        }
        Ok(())
    }

    /// Whether a restore's temp is in a directory, or could come back to it: whoever removed one may
    /// have been killed before the barrier.
    fn may_hold_temps(&self, dir: &Path) -> Result<bool> {
        if !temps_in(self.fs(), dir, RESTORE_TEMP)?.is_empty() {
            return Ok(true);
        }
        match self.disk().sync_dir(Barrier::PrunedDir, dir) {
            Err(Error::Io { source, .. }) if is_gone(&source) => Ok(false),
            synced => Ok(synced? == Reached::Degraded),
        }
    }
}

/// The records of directories that were restored into: their files, and the directories. A file that
/// does not hold what its name says names no directory.
pub(crate) fn restore_records<F: Fs>(
    fs: &F,
    layout: &Layout,
) -> Result<Vec<(PathBuf, Option<PathBuf>)>> {
    let restores = layout.restores();
    let mut records = Vec::new();
    for entry in fs.read_dir(&restores).at("list", &restores)? {
        if entry.kind != FileKind::File || is_temp(&entry.name, STATE_TEMP) {
            continue;
        }
        let record = restores.join(&entry.name);
        let dir = match read_state(fs, &record) {
            Ok(path) => path.filter(|path| entry.name == *ObjectId::of(path).hex()),
            Err(Error::Corrupt { .. }) => None,
            Err(e) => return Err(e),
        };
        records.push((record, dir.map(|path| PathBuf::from(OsString::from_vec(path)))));
    }
    Ok(records)
}
