//! A file system that shows each call to a watcher before it is made.
//!
//! One wrapper for every purpose: the watcher may record the call, count it, let it fail with an
//! errno of its choice, or kill the process right there. Wrapped around any [`Fs`].
//!
//! A call is made as it was asked, or not at all; but a watcher may also change what a read returned,
//! shorten a write, and let a sync fail on its way. Not for faults themselves: `fault` has them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crate::{Access, DirEntry, Fs, FsFile, FsyncFailure, LockMode, Metadata, PassTurn};

/// What kind of call is about to be made; the names are those of [`Fs`] and [`FsFile`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "fault",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[expect(missing_docs, reason = "each variant is the method of that name")]
pub enum CallKind {
    CreateNew,
    Open,
    Metadata,
    ReadDir,
    Mkdir,
    Rmdir,
    Rename,
    RenameNoReplace,
    Exchange,
    Symlink,
    ReadLink,
    Link,
    Unlink,
    SyncDir,
    ReadAt,
    WriteAt,
    Append,
    SetLen,
    SyncData,
    SyncAll,
    SyncFs,
    FileMetadata,
    SetMode,
    SetModified,
    Lock,
    TryLock,
    Unlock,
}

impl CallKind {
    /// The method's name, as reports print it.
    pub fn name(self) -> &'static str {
        match self {
            Self::CreateNew => "create_new",
            Self::Open => "open",
            Self::Metadata => "metadata",
            Self::ReadDir => "read_dir",
            Self::Mkdir => "mkdir",
            Self::Rmdir => "rmdir",
            Self::Rename => "rename",
            Self::RenameNoReplace => "rename_no_replace",
            Self::Exchange => "exchange",
            Self::Symlink => "symlink",
            Self::ReadLink => "read_link",
            Self::Link => "link",
            Self::Unlink => "unlink",
            Self::SyncDir => "sync_dir",
            Self::ReadAt => "read_at",
            Self::WriteAt => "write_at",
            Self::Append => "append",
            Self::SetLen => "set_len",
            Self::SyncData => "sync_data",
            Self::SyncAll => "sync_all",
            Self::SyncFs => "sync_fs",
            Self::FileMetadata => "file_metadata",
            Self::SetMode => "set_mode",
            Self::SetModified => "set_modified",
            Self::Lock => "lock",
            Self::TryLock => "try_lock",
            Self::Unlock => "unlock",
        }
    }

    /// Whether it can change the disk, or is a barrier: whether it is an Op when it succeeds.
    pub fn can_be_op(self) -> bool {
        !matches!(
            self,
            Self::Open
                | Self::Metadata
                | Self::ReadDir
                | Self::ReadLink
                | Self::ReadAt
                | Self::FileMetadata
                | Self::Lock
                | Self::TryLock
                | Self::Unlock
        )
    }
}

/// One call, about to be made.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Which method.
    pub kind: CallKind,
    /// The path given, or the one the open file was opened by.
    pub path: &'a Path,
    /// The new name, for renames and links.
    pub to: Option<&'a Path>,
}

/// Sees every call of a [`Watched`] file system.
pub trait Watcher: Send + Sync {
    /// Called before the call is made; an error is returned to the caller instead of making it.
    fn before(&self, call: &Call<'_>) -> io::Result<()>;

    /// Sees what a read that was let pass returned, and may change it.
    fn after_read(
        &self,
        _call: &Call<'_>,
        _file: &dyn FsFile,
        _offset: u64,
        _read: &mut [u8],
    ) -> io::Result<()> {
        Ok(())
    }

    /// How many of its `len` bytes a write that was let pass is to write; without an offset it is an
    /// append.
    fn len_to_write(
        &self,
        _call: &Call<'_>,
        _file: &dyn FsFile,
        _offset: Option<u64>,
        len: usize,
    ) -> io::Result<usize> {
        Ok(len)
    }

    /// How a sync of a file that was let pass is to fail, if at all.
    fn sync_failure(&self, _call: &Call<'_>) -> Option<FsyncFailure> {
        None
    }
}

/// Any file system, with a [`Watcher`] before it.
#[derive(Debug)]
pub struct Watched<F, W> {
    inner: F,
    watcher: Arc<W>,
}

/// Another handle, before which the same watcher stands.
impl<F: Clone, W> Clone for Watched<F, W> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), watcher: Arc::clone(&self.watcher) }
    }
}

impl<F: Fs, W: Watcher> Watched<F, W> {
    /// Puts `watcher` before `inner`; keep a clone of it to read what it saw.
    pub fn new(inner: F, watcher: Arc<W>) -> Self {
        Self { inner, watcher }
    }

    fn show(&self, kind: CallKind, path: &Path, to: Option<&Path>) -> io::Result<()> {
        self.watcher.before(&Call { kind, path, to })
    }

    fn wrap(&self, file: F::File, path: &Path) -> WatchedFile<F::File, W> {
        WatchedFile { inner: file, path: path.to_owned(), watcher: Arc::clone(&self.watcher) }
    }
}

/// An open file of a [`Watched`] file system.
#[derive(Debug)]
pub struct WatchedFile<H, W> {
    inner: H,
    path: PathBuf,
    watcher: Arc<W>,
}

impl<H, W: Watcher> WatchedFile<H, W> {
    fn call(&self, kind: CallKind) -> Call<'_> {
        Call { kind, path: &self.path, to: None }
    }

    fn show(&self, kind: CallKind) -> io::Result<()> {
        self.watcher.before(&self.call(kind))
    }
}

impl<H: FsFile, W: Watcher> WatchedFile<H, W> {
    /// What the watcher lets a write write.
    fn to_write<'b>(
        &self,
        kind: CallKind,
        buf: &'b [u8],
        offset: Option<u64>,
    ) -> io::Result<&'b [u8]> {
        self.show(kind)?;
        let len = self.watcher.len_to_write(&self.call(kind), &self.inner, offset, buf.len())?;
        Ok(buf.get(..len).unwrap_or(buf))
    }

    fn sync(&self, kind: CallKind, sync: impl FnOnce(&H) -> io::Result<()>) -> io::Result<()> {
        self.show(kind)?;
        match self.watcher.sync_failure(&self.call(kind)) {
            Some(how) => self.inner.fail_sync(how),
            None => sync(&self.inner),
        }
    }
}

impl<F: Fs, W: Watcher> Fs for Watched<F, W> {
    type File = WatchedFile<F::File, W>;

    fn create_new(&self, path: &Path, mode: u32) -> io::Result<Self::File> {
        self.show(CallKind::CreateNew, path, None)?;
        Ok(self.wrap(self.inner.create_new(path, mode)?, path))
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Self::File> {
        self.show(CallKind::Open, path, None)?;
        Ok(self.wrap(self.inner.open(path, access)?, path))
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        self.show(CallKind::Metadata, path, None)?;
        self.inner.metadata(path)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        self.show(CallKind::ReadDir, path, None)?;
        self.inner.read_dir(path)
    }

    fn mkdir(&self, path: &Path, mode: u32) -> io::Result<()> {
        self.show(CallKind::Mkdir, path, None)?;
        self.inner.mkdir(path, mode)
    }

    fn rmdir(&self, path: &Path) -> io::Result<()> {
        self.show(CallKind::Rmdir, path, None)?;
        self.inner.rmdir(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.show(CallKind::Rename, from, Some(to))?;
        self.inner.rename(from, to)
    }

    fn rename_no_replace(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.show(CallKind::RenameNoReplace, from, Some(to))?;
        self.inner.rename_no_replace(from, to)
    }

    fn exchange(&self, one: &Path, other: &Path) -> io::Result<()> {
        self.show(CallKind::Exchange, one, Some(other))?;
        self.inner.exchange(one, other)
    }

    fn symlink(&self, target: &Path, path: &Path) -> io::Result<()> {
        self.show(CallKind::Symlink, path, None)?;
        self.inner.symlink(target, path)
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        self.show(CallKind::ReadLink, path, None)?;
        self.inner.read_link(path)
    }

    fn link(&self, existing: &Path, new: &Path) -> io::Result<()> {
        self.show(CallKind::Link, existing, Some(new))?;
        self.inner.link(existing, new)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.show(CallKind::Unlink, path, None)?;
        self.inner.unlink(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.show(CallKind::SyncDir, path, None)?;
        self.inner.sync_dir(path)
    }

    fn now(&self) -> SystemTime {
        self.inner.now()
    }

    fn nonce(&self) -> u64 {
        self.inner.nonce()
    }

    fn turns(&self) -> Option<&dyn PassTurn> {
        self.inner.turns()
    }
}

impl<H: FsFile, W: Watcher> FsFile for WatchedFile<H, W> {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.show(CallKind::ReadAt)?;
        let n = self.inner.read_at(buf, offset)?;
        let (call, read) = (self.call(CallKind::ReadAt), buf.get_mut(..n).unwrap_or_default());
        self.watcher.after_read(&call, &self.inner, offset, read)?;
        Ok(n)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        let buf = self.to_write(CallKind::WriteAt, buf, Some(offset))?;
        self.inner.write_at(buf, offset)
    }

    fn append(&self, buf: &[u8]) -> io::Result<usize> {
        let buf = self.to_write(CallKind::Append, buf, None)?;
        self.inner.append(buf)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.show(CallKind::SetLen)?;
        self.inner.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.sync(CallKind::SyncData, H::sync_data)
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync(CallKind::SyncAll, H::sync_all)
    }

    fn sync_fs(&self) -> io::Result<()> {
        self.show(CallKind::SyncFs)?;
        self.inner.sync_fs()
    }

    /// Not shown: a hint is no call that a program relies on.
    fn start_writeback(&self) {
        self.inner.start_writeback();
    }

    fn fail_sync(&self, how: FsyncFailure) -> io::Result<()> {
        self.inner.fail_sync(how)
    }

    fn metadata(&self) -> io::Result<Metadata> {
        self.show(CallKind::FileMetadata)?;
        self.inner.metadata()
    }

    fn set_mode(&self, mode: u32) -> io::Result<()> {
        self.show(CallKind::SetMode)?;
        self.inner.set_mode(mode)
    }

    fn set_modified(&self, time: SystemTime) -> io::Result<()> {
        self.show(CallKind::SetModified)?;
        self.inner.set_modified(time)
    }

    fn lock(&self, mode: LockMode) -> io::Result<()> {
        self.show(CallKind::Lock)?;
        self.inner.lock(mode)
    }

    fn try_lock(&self, mode: LockMode) -> io::Result<bool> {
        self.show(CallKind::TryLock)?;
        self.inner.try_lock(mode)
    }

    fn unlock(&self) -> io::Result<()> {
        self.show(CallKind::Unlock)?;
        self.inner.unlock()
    }
}
