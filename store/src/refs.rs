//! Branches: a file each, holding the id of a commit, moved by compare-and-swap.
//!
//! A branch's lock is held from reading the old value until the new one is durable, so two writers
//! never lose a commit silently: the second one is told where the branch is. Lock files are never
//! removed, and a killed holder frees its lock by dying.

use std::io;
use std::path::{Path, PathBuf};

use faultfs::{Access, FileKind, Fs, FsFile, LockMode};
use sha2::{Digest, Sha256};

use crate::atomic::{Barriers, DIR_MODE, parent, replace};
use crate::barrier::Barrier;
use crate::commit::Commit;
use crate::durability::{Reached, Receipt};
use crate::error::{At, Error, Result, found};
use crate::id::ObjectId;
use crate::layout::{REF_LOCKS, STATE_TEMP, is_temp};
use crate::name::Branch;
use crate::open::{Store, read_state};
use crate::planted::{Bug, wrong};
use crate::sweep::dirs_below;
use crate::undo::Undo;

/// How often a branch's folder is made anew because another process removes it as empty.
pub(crate) const ATTEMPTS: u32 = 100;

const BRANCH: Barriers = Barriers { file: Barrier::BranchFile, dir: Barrier::BranchDir };

/// What the caller believes of a branch before moving it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// It does not exist.
    Absent,
    /// It points at this commit.
    At(ObjectId),
    /// Whatever it is: the last writer wins. For repair, not for everyday.
    Force,
}

impl Expected {
    pub(crate) fn check(self, branch: &Branch, current: Option<ObjectId>) -> Result<()> {
        let expected = match self {
            Self::Force => return Ok(()),
            Self::Absent => None,
            Self::At(id) => Some(id),
        };
        if expected == current {
            return Ok(());
        }
        Err(Error::RefConflict { branch: branch.to_string(), expected, current })
    }
}

impl<F: Fs> Store<F> {
    /// Points `branch` at a commit of the store, if it is where the caller expects it.
    pub fn update_branch(
        &self,
        branch: &Branch,
        commit: ObjectId,
        expected: Expected,
    ) -> Result<Receipt> {
        let _pin = self.pin()?;
        let from = || format!("branch {branch}");
        let reached = self.require::<Commit>(&commit, Barrier::CommitOfBranch, &from)?;
        let _lock = self.lock_ref(branch.as_str())?;
        let current = self.current(branch, expected)?;
        if !self.has(Bug::LostUpdate) {
            expected.check(branch, current)?;
        }
        let written = self.write_branch(branch, &commit)?.after(reached);
        if self.has(Bug::RefBeforeCommit) {
            wrong::sync_dirs(self.fs(), self.layout().shards())?;
        }
        Ok(written)
    }

    /// Deletes `branch`, if it is where the caller expects it; `None` when it was not there, else how
    /// durable the deletion is.
    pub fn delete_branch(&self, branch: &Branch, expected: Expected) -> Result<Option<Reached>> {
        // No collection may take what the branch leads to before the deletion is certain.
        let _pin = self.pin()?;
        let _lock = self.lock_ref(branch.as_str())?;
        let current = self.current(branch, expected)?;
        expected.check(branch, current)?;
        let path = self.layout().branch(branch);
        let undo = match Undo::before(self.disk(), &path) {
            Err(Error::Io { source, .. }) if is_other_kind(&source) => return Ok(None),
            undo => undo?,
        };
        let was_there = match found(self.fs().unlink(&path)) {
            // A folder of branches stands there, or a branch where its folder would be.
            Err(e) if is_other_kind(&e) => return Ok(None),
            unlinked => unlinked.at("remove", &path)?.is_some(),
        };
        // Also when it was not there: who removed it may have been killed before this barrier.
        let passed = self.sync_folder(Barrier::DeletedBranch, parent(&path));
        let reached = if was_there { undo.unless(passed, None) } else { passed }?;
        self.prune_folders(parent(&path));
        Ok(was_there.then_some(reached))
    }

    /// Where `branch` points; `None` when it does not exist.
    pub fn read_branch(&self, branch: &Branch) -> Result<Option<ObjectId>> {
        let path = self.layout().branch(branch);
        match self.fs().metadata(&path) {
            // A folder of branches of that name is no branch; nor is anything below a branch.
            Ok(metadata) if metadata.kind == FileKind::Dir => return Ok(None),
            Err(e) if e.kind() == io::ErrorKind::NotADirectory => return Ok(None),
            _ => {}
        }
        let Some(bytes) = read_state(self.fs(), &path)? else {
            return Ok(None);
        };
        let id = parse_ref(&bytes).map_err(|problem| Error::Corrupt { path, problem })?;
        // A branch is moved only to what is durable.
        self.note(id);
        Ok(Some(id))
    }

    /// All branches, in byte order of their names. A file that is no branch is an error.
    pub fn branches(&self) -> Result<Vec<(Branch, ObjectId)>> {
        let mut branches = Vec::new();
        for path in branch_files(self.fs(), &self.layout().heads())? {
            let Some(bytes) = read_state(self.fs(), &path)? else {
                continue;
            };
            let corrupt = |problem| Error::Corrupt { path: path.clone(), problem };
            let branch = branch_of(&self.layout().heads(), &path).map_err(corrupt)?;
            branches.push((branch, parse_ref(&bytes).map_err(corrupt)?));
        }
        branches.sort_unstable();
        Ok(branches)
    }

    /// The value to compare with. `Force` is for repair, so a corrupt value is no obstacle to it.
    fn current(&self, branch: &Branch, expected: Expected) -> Result<Option<ObjectId>> {
        match self.read_branch(branch) {
            Err(Error::Corrupt { .. }) if expected == Expected::Force => Ok(None),
            read => read,
        }
    }

    /// The lock of a branch, or of HEAD.
    pub(crate) fn lock_ref(&self, name: &str) -> Result<F::File> {
        self.lock_ref_number(Self::ref_lock_number(name))
    }

    /// Which of the locks is that of a branch, or of HEAD.
    pub(crate) fn ref_lock_number(name: &str) -> u8 {
        let [first, ..] = <[u8; 32]>::from(Sha256::digest(name));
        first % REF_LOCKS
    }

    /// One of the locks; who takes several takes them in the order of their numbers.
    pub(crate) fn lock_ref_number(&self, number: u8) -> Result<F::File> {
        let path = self.layout().ref_lock(number);
        let lock = self.fs().open(&path, Access::Read).at("open", &path)?;
        if !self.has(Bug::CasWithoutLock) {
            lock.lock(LockMode::Exclusive).at("lock", &path)?;
        }
        Ok(lock)
    }

    pub(crate) fn write_branch(&self, branch: &Branch, commit: &ObjectId) -> Result<Receipt> {
        let path = self.layout().branch(branch);
        for _ in 0..ATTEMPTS {
            let folders = self.make_folders(branch)?;
            if self.has(Bug::RefInPlace) {
                return wrong::cut_and_write(self.fs(), &path, commit.to_string().as_bytes());
            }
            match replace(self.disk(), &path, commit.to_string().as_bytes(), BRANCH) {
                // Another process removed the folder as empty before our temp was in it.
                Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
                // A folder stands there; an interrupted delete may have left it empty.
                Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::IsADirectory => {
                    self.remove_empty_folder(branch, &path)?;
                }
                written => {
                    return Ok(written?.after(folders));
                }
            }
        }
        let problem = "its folder vanishes again and again";
        Err(Error::Contended { path, attempts: ATTEMPTS, problem })
    }

    /// Makes the folders of a nested branch. All their entries are synced, not only new ones: a
    /// folder that is there may come from a writer that was killed before its barrier.
    pub(crate) fn make_folders(&self, branch: &Branch) -> Result<Reached> {
        let heads = self.layout().heads();
        let mut reached = Reached::Durable;
        for (at, _) in branch.as_str().match_indices('/') {
            let folder = heads.join(&branch.as_str()[..at]);
            match self.fs().mkdir(&folder, DIR_MODE) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                    let kind = found(self.fs().metadata(&folder)).at("stat", &folder)?;
                    if kind.is_some_and(|m| m.kind != FileKind::Dir) {
                        let other = branch.as_str()[..at].to_owned();
                        return Err(Error::NameConflict { branch: branch.to_string(), other });
                    }
                }
                // The folder above was removed as empty; the caller starts again.
                Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(reached),
                made => made.at("create directory", &folder)?,
            }
            reached = reached.max(self.sync_folder(Barrier::BranchFolder, parent(&folder))?);
        }
        Ok(reached)
    }

    /// A folder that another process removed meanwhile needs no barrier.
    fn sync_folder(&self, barrier: Barrier, folder: &Path) -> Result<Reached> {
        match self.disk().sync_dir(barrier, folder) {
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Ok(Reached::Durable)
            }
            synced => synced,
        }
    }

    /// Removes the folder that stands where a branch should be, if no branch is in it.
    fn remove_empty_folder(&self, branch: &Branch, path: &Path) -> Result<()> {
        let folders = dirs_below(self.fs(), path.to_owned())?;
        for folder in folders.iter().rev() {
            match found(self.fs().rmdir(folder)) {
                Err(e) if e.kind() == io::ErrorKind::DirectoryNotEmpty => {
                    let other = format!("{branch}/...");
                    return Err(Error::NameConflict { branch: branch.to_string(), other });
                }
                removed => removed.at("remove directory", folder)?,
            };
        }
        Ok(())
    }

    /// Removes folders that the deleted branch leaves empty, from `folder` upwards. An empty folder is
    /// in nobody's way, so a failure is none, and there is no barrier: it may come back.
    fn prune_folders(&self, folder: &Path) {
        let heads = self.layout().heads();
        for folder in folder.ancestors().take_while(|folder| **folder != heads) {
            if found(self.fs().rmdir(folder)).is_err() {
                return;
            }
        }
    }
}

/// The id in a branch file. It is written without a newline; one is accepted, since an editor or
/// `echo` adds it.
pub(crate) fn parse_ref(bytes: &[u8]) -> std::result::Result<ObjectId, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not text".to_owned())?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    text.parse().map_err(|e: Error| e.to_string())
}

/// What unlink(2) answers for a directory, and for a path that leads through a file.
fn is_other_kind(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::IsADirectory | io::ErrorKind::NotADirectory)
}

/// All files below `heads` but temps, in no promised order.
pub(crate) fn branch_files<F: Fs>(fs: &F, heads: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for dir in dirs_below(fs, heads.to_owned())? {
        let Some(entries) = found(fs.read_dir(&dir)).at("list", &dir)? else {
            continue;
        };
        let entries = entries.into_iter();
        let entries = entries.filter(|e| e.kind != FileKind::Dir && !is_temp(&e.name, STATE_TEMP));
        files.extend(entries.map(|entry| dir.join(entry.name)));
    }
    Ok(files)
}

/// The branch whose file is `path`.
pub(crate) fn branch_of(heads: &Path, path: &Path) -> std::result::Result<Branch, String> {
    let name = path.strip_prefix(heads).ok().and_then(Path::to_str);
    let name = name.ok_or("its name is not text")?;
    Branch::new(name).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ref_is_an_id_with_or_without_a_newline_and_nothing_else() {
        let id = ObjectId::of(b"c");
        assert_eq!(parse_ref(id.to_string().as_bytes()), Ok(id));
        assert_eq!(parse_ref(format!("{id}\n").as_bytes()), Ok(id));
        for bad in ["", "\n", "sha256:", &format!("{id} "), &format!("{id}\n\n")] {
            assert!(parse_ref(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }
}
