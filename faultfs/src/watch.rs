//! A file system that shows each call to a watcher before it is made.
//!
//! One wrapper for every purpose: the watcher may record the call, count it, let it fail with an
//! errno of its choice, or kill the process right there. Wrapped around any [`Fs`].
//!
//! A call is made as it was asked, or not at all; but a watcher may also change what a read returned,
//! shorten a write, let a sync fail on its way, and time what is made. Not for faults themselves: `fault` has them.

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

    /// What the watcher's own clock says before a call that was let pass, for [`Watcher::after`].
    fn clock(&self) -> u64 {
        0
    }

    /// Called when a call that was let pass has returned, also with an error.
    fn after(&self, _kind: CallKind, _begun: u64) {}
}

/// Makes a call that was let pass, between the two looks at the watcher's clock.
fn between<W: Watcher, T>(watcher: &W, kind: CallKind, call: impl FnOnce() -> T) -> T {
    let begun = watcher.clock();
    let done = call();
    watcher.after(kind, begun);
    done
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

    /// Shows a call to the watcher, and makes it.
    fn make<T>(
        &self,
        kind: CallKind,
        path: &Path,
        to: Option<&Path>,
        call: impl FnOnce(&F) -> io::Result<T>,
    ) -> io::Result<T> {
        self.watcher.before(&Call { kind, path, to })?;
        between(&*self.watcher, kind, || call(&self.inner))
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

    /// Shows a call to the watcher, and makes it.
    fn make<T>(&self, kind: CallKind, call: impl FnOnce(&H) -> io::Result<T>) -> io::Result<T> {
        self.show(kind)?;
        between(&*self.watcher, kind, || call(&self.inner))
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
        let failure = self.watcher.sync_failure(&self.call(kind));
        between(&*self.watcher, kind, || match failure {
            Some(how) => self.inner.fail_sync(how),
            None => sync(&self.inner),
        })
    }
}

impl<F: Fs, W: Watcher> Fs for Watched<F, W> {
    type File = WatchedFile<F::File, W>;

    fn create_new(&self, path: &Path, mode: u32) -> io::Result<Self::File> {
        let file =
            self.make(CallKind::CreateNew, path, None, |inner| inner.create_new(path, mode))?;
        Ok(self.wrap(file, path))
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Self::File> {
        let file = self.make(CallKind::Open, path, None, |inner| inner.open(path, access))?;
        Ok(self.wrap(file, path))
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        self.make(CallKind::Metadata, path, None, |inner| inner.metadata(path))
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        self.make(CallKind::ReadDir, path, None, |inner| inner.read_dir(path))
    }

    fn mkdir(&self, path: &Path, mode: u32) -> io::Result<()> {
        self.make(CallKind::Mkdir, path, None, |inner| inner.mkdir(path, mode))
    }

    fn rmdir(&self, path: &Path) -> io::Result<()> {
        self.make(CallKind::Rmdir, path, None, |inner| inner.rmdir(path))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.make(CallKind::Rename, from, Some(to), |inner| inner.rename(from, to))
    }

    fn rename_no_replace(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.make(CallKind::RenameNoReplace, from, Some(to), |inner| {
            inner.rename_no_replace(from, to)
        })
    }

    fn exchange(&self, one: &Path, other: &Path) -> io::Result<()> {
        self.make(CallKind::Exchange, one, Some(other), |inner| inner.exchange(one, other))
    }

    fn symlink(&self, target: &Path, path: &Path) -> io::Result<()> {
        self.make(CallKind::Symlink, path, None, |inner| inner.symlink(target, path))
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        self.make(CallKind::ReadLink, path, None, |inner| inner.read_link(path))
    }

    fn link(&self, existing: &Path, new: &Path) -> io::Result<()> {
        self.make(CallKind::Link, existing, Some(new), |inner| inner.link(existing, new))
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.make(CallKind::Unlink, path, None, |inner| inner.unlink(path))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.make(CallKind::SyncDir, path, None, |inner| inner.sync_dir(path))
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
        let n = self.make(CallKind::ReadAt, |inner| inner.read_at(buf, offset))?;
        let (call, read) = (self.call(CallKind::ReadAt), buf.get_mut(..n).unwrap_or_default());
        self.watcher.after_read(&call, &self.inner, offset, read)?;
        Ok(n)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        let buf = self.to_write(CallKind::WriteAt, buf, Some(offset))?;
        between(&*self.watcher, CallKind::WriteAt, || self.inner.write_at(buf, offset))
    }

    fn append(&self, buf: &[u8]) -> io::Result<usize> {
        let buf = self.to_write(CallKind::Append, buf, None)?;
        between(&*self.watcher, CallKind::Append, || self.inner.append(buf))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.make(CallKind::SetLen, |inner| inner.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.sync(CallKind::SyncData, H::sync_data)
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync(CallKind::SyncAll, H::sync_all)
    }

    fn sync_fs(&self) -> io::Result<()> {
        self.make(CallKind::SyncFs, H::sync_fs)
    }

    /// Not shown: a hint is no call that a program relies on.
    fn start_writeback(&self) {
        self.inner.start_writeback();
    }

    fn fail_sync(&self, how: FsyncFailure) -> io::Result<()> {
        self.inner.fail_sync(how)
    }

    fn metadata(&self) -> io::Result<Metadata> {
        self.make(CallKind::FileMetadata, H::metadata)
    }

    fn set_mode(&self, mode: u32) -> io::Result<()> {
        self.make(CallKind::SetMode, |inner| inner.set_mode(mode))
    }

    fn set_modified(&self, time: SystemTime) -> io::Result<()> {
        self.make(CallKind::SetModified, |inner| inner.set_modified(time))
    }

    fn lock(&self, mode: LockMode) -> io::Result<()> {
        self.make(CallKind::Lock, |inner| inner.lock(mode))
    }

    fn try_lock(&self, mode: LockMode) -> io::Result<bool> {
        self.make(CallKind::TryLock, |inner| inner.try_lock(mode))
    }

    fn unlock(&self) -> io::Result<()> {
        self.make(CallKind::Unlock, H::unlock)
    }
}
