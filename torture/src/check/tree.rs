//! A worker's private tree on disk, which shows one [`DiskImage`] after another.
//!
//! From one image to the next only what differs is written (`step`), and what a checker did to the
//! tree meanwhile is mended by its traces (`changes`). Where the machine allows it, the tree is mounted
//! over the recorded directory, in a mount namespace of the worker's thread alone: programs find it at
//! the path at which it was recorded, and the user's files below are not touched.
//!
//! A tree belongs to the thread that made it, whose mounts and working directory it uses; the type
//! is not `Send`. Nothing is synced, and owners are whoever runs this.
#![expect(clippy::disallowed_methods, reason = "the trees of subjects are no files of a store")]

use std::fs::{DirBuilder, Permissions};
use std::io::{self, ErrorKind};
use std::marker::PhantomData;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use faultfs::DiskImage;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use tempfile::TempDir;

use super::changes::Watch;
use super::step::Step;

/// Half of the memory, as the kernel would choose; said here because it is a decision: it is room for
/// any state that could be recorded, and a checker gone wild finds a full disk before the machine
/// has no memory left. It is a limit, nothing is reserved.
const TMPFS_OPTIONS: &str = "size=50%,mode=0755";

/// What a tree did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TreeCounts {
    /// Images shown.
    pub shown: u64,
    /// Images that came after a checker had changed the tree.
    pub mended: u64,
    /// Times everything was removed and written anew, because it was not known what a checker
    /// had done.
    pub rebuilt: u64,
}

/// A directory that shows an image.
#[derive(Debug)]
pub struct Tree {
    /// How this thread reaches the directory: short, and beside `stage` on one mount.
    pub(super) root: PathBuf,
    /// Where nodes wait that are between two names.
    pub(super) stage: PathBuf,
    /// Where programs find the directory.
    at: PathBuf,
    /// What the directory shows, when `known`.
    pub(super) shown: DiskImage,
    /// Whether it is known what the directory shows.
    pub(super) known: bool,
    pub(super) watch: Option<Watch>,
    pub(super) counts: TreeCounts,
    mounted: bool,
    /// Holds everything; dropped last.
    base: TempDir,
    /// Mounts and working directory are those of one thread.
    thread: PhantomData<*const ()>,
}

impl Tree {
    /// Mounts a memory file system over the directory `at`, an absolute path. To be called after
    /// [`namespace::enter_thread`](crate::namespace::enter_thread) on the same thread, whose working directory it changes.
    pub fn mount(at: &Path) -> io::Result<Self> {
        let base = TempDir::with_prefix_in("plugpull-", outside(at)?)?;
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        mount(Some("tmpfs"), base.path(), Some("tmpfs"), flags, Some(TMPFS_OPTIONS))?;
        // From here on `drop` unmounts. Short relative paths also reach the tree where `at` is
        // above the base's own path.
        let mut tree = Self::new(Path::new(""), at.to_owned(), base);
        tree.mounted = true;
        std::env::set_current_dir(tree.base.path())?;
        tree.make_dirs()?;
        mount(Some("tree"), at, None::<&str>, MsFlags::MS_BIND, None::<&str>)?;
        Ok(tree)
    }

    /// A tree in a fresh directory below `dir`, for where mounts are not allowed. Programs do not
    /// find it at the recorded path, which a report must say.
    pub fn scratch(dir: &Path) -> io::Result<Self> {
        let base = TempDir::with_prefix_in("plugpull-", std::path::absolute(dir)?)?;
        let path = base.path().to_owned();
        let tree = Self::new(&path, path.join("tree"), base);
        tree.make_dirs()?;
        Ok(tree)
    }

    fn new(prefix: &Path, at: PathBuf, base: TempDir) -> Self {
        Self {
            root: prefix.join("tree"),
            stage: prefix.join("stage"),
            at,
            shown: DiskImage::new(),
            known: false,
            watch: None,
            counts: TreeCounts::default(),
            mounted: false,
            base,
            thread: PhantomData,
        }
    }

    fn make_dirs(&self) -> io::Result<()> {
        for dir in [&self.root, &self.stage] {
            DirBuilder::new().recursive(true).mode(0o755).create(dir)?;
        }
        Ok(())
    }

    /// Where programs find the tree: at the recorded path, if it is mounted.
    pub fn path(&self) -> &Path {
        &self.at
    }

    /// A directory beside the tree, outside of it, that programs can read and that ends with it.
    pub fn beside(&self) -> &Path {
        self.base.path()
    }

    /// Whether the tree is at the path at which it was recorded.
    pub fn is_at_recorded_path(&self) -> bool {
        self.mounted
    }

    /// What was done so far.
    pub fn counts(&self) -> TreeCounts {
        self.counts
    }

    /// Makes the tree show an image, by the differences to the one it shows. What others changed
    /// since must be undone before. After an error everything is written anew the next time.
    pub fn show(&mut self, image: &DiskImage) -> io::Result<()> {
        let shown = self.try_show(image);
        self.known = shown.is_ok();
        self.counts.shown += 1;
        shown
    }

    fn try_show(&mut self, image: &DiskImage) -> io::Result<()> {
        if !self.known || !Step::is_possible(&self.shown, image) {
            self.clear()?;
        }
        Step::new(self, image).run()?;
        self.shown.clone_from(image);
        if let Some(watch) = &mut self.watch {
            watch.forget_events();
        }
        Ok(())
    }

    /// Forgets what the tree shows: the next image is written from the start.
    pub(super) fn distrust(&mut self) {
        self.known = false;
        self.counts.rebuilt += 1;
    }

    /// Empties the tree.
    fn clear(&mut self) -> io::Result<()> {
        // Old watches end with their directories, or with the instance.
        self.watch = None;
        self.make_dirs()?;
        for dir in [&self.root, &self.stage] {
            std::fs::set_permissions(dir, Permissions::from_mode(0o755))?;
            for entry in std::fs::read_dir(dir)? {
                remove_all(&entry?.path())?;
            }
        }
        for name in xattr::list(&self.root)? {
            if name.as_encoded_bytes().starts_with(b"user.") {
                xattr::remove(&self.root, name)?;
            }
        }
        self.shown = DiskImage::new();
        self.watch = Watch::new(&self.root);
        self.known = true;
        Ok(())
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        if self.mounted {
            // The namespace would take the mounts with it, too; the directory below must be
            // free before it can be removed.
            let _ = std::env::set_current_dir("/");
            let _ = umount2(&self.at, MntFlags::MNT_DETACH);
            let _ = umount2(self.base.path(), MntFlags::MNT_DETACH);
        }
    }
}

/// A directory for temporary files that is not hidden by a mount over `at`.
pub(super) fn outside(at: &Path) -> io::Result<PathBuf> {
    let usual = std::env::temp_dir();
    let others = ["/dev/shm", "/run", "/var/tmp"].map(PathBuf::from);
    let mut places = std::iter::once(usual).chain(others);
    let free = places.find(|place| place.is_absolute() && !place.starts_with(at) && place.is_dir());
    free.ok_or_else(|| {
        let why = format!("no directory for temporary files outside of {}", at.display());
        io::Error::new(ErrorKind::NotFound, why)
    })
}

/// Removes whatever is at a path, also what its modes protect; nothing there is fine.
pub(super) fn remove_all(path: &Path) -> io::Result<()> {
    let found = match std::fs::symlink_metadata(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if !found.is_dir() {
        return std::fs::remove_file(path);
    }
    match std::fs::remove_dir_all(path) {
        Err(e) if e.kind() == ErrorKind::PermissionDenied => {
            open_dirs(path)?;
            std::fs::remove_dir_all(path)
        }
        removed => removed,
    }
}

/// Lets the owner change all directories below a path.
fn open_dirs(path: &Path) -> io::Result<()> {
    let mut dirs = vec![path.to_owned()];
    while let Some(dir) = dirs.pop() {
        std::fs::set_permissions(&dir, Permissions::from_mode(0o700))?;
        for entry in std::fs::read_dir(&dir)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                dirs.push(entry.path());
            }
        }
    }
    Ok(())
}
