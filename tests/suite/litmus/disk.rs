//! The disk as a litmus program writes it, and as its checker finds it after the crash.
//!
//! Every call names a path and cannot fail, so that programs read as lists. Not for programs that
//! handle errors: those take the `SimFs` itself.

use std::path::Path;

use faultfs::{Access, DiskImage, Fs, FsFile, FsyncFailure, SimFile, SimFs, Trace};

/// What one sector holds before the program runs, as a rule.
pub(super) const OLD: &[u8] = &[b'o'; 512];

/// What the program writes, as a rule: one sector, so that no rule tears it.
pub(super) const NEW: &[u8] = &[b'n'; 512];

/// A simulated disk with calls that chain.
pub(super) struct Disk(SimFs, FsyncFailure);

impl Disk {
    pub(super) fn new() -> Self {
        Self(SimFs::new(), FsyncFailure::Redirty)
    }

    /// The same disk with everything durable, and nothing recorded yet; a sync fails in this way, if
    /// one is made to fail.
    pub(super) fn rebooted(&self, failure: FsyncFailure) -> Self {
        Self(SimFs::on(self.0.image()), failure)
    }

    /// What a sync does when it is made to fail.
    pub(super) fn failure(&self) -> FsyncFailure {
        self.1
    }

    pub(super) fn fs(&self) -> &SimFs {
        &self.0
    }

    pub(super) fn trace(&self) -> Trace {
        self.0.trace()
    }

    /// Tells the outside that all is done.
    pub(super) fn ack(&self) -> &Self {
        self.0.mark(b"done");
        self
    }

    pub(super) fn create(&self, path: &str) -> &Self {
        self.0.create_new(Path::new(path), 0o644).unwrap();
        self
    }

    /// Creates a file and writes it.
    pub(super) fn new_file(&self, path: &str, bytes: &[u8]) -> &Self {
        self.create(path).write(path, 0, bytes)
    }

    pub(super) fn write(&self, path: &str, offset: u64, bytes: &[u8]) -> &Self {
        self.file(path, |file| file.write_all_at(bytes, offset).unwrap())
    }

    pub(super) fn append(&self, path: &str, bytes: &[u8]) -> &Self {
        let file = self.0.open(Path::new(path), Access::Append).unwrap();
        assert_eq!(file.append(bytes).unwrap(), bytes.len());
        self
    }

    pub(super) fn set_len(&self, path: &str, len: u64) -> &Self {
        self.file(path, |file| file.set_len(len).unwrap())
    }

    pub(super) fn chmod(&self, path: &str, mode: u32) -> &Self {
        self.file(path, |file| file.set_mode(mode).unwrap())
    }

    pub(super) fn fsync(&self, path: &str) -> &Self {
        self.file(path, |file| file.sync_all().unwrap())
    }

    pub(super) fn fdatasync(&self, path: &str) -> &Self {
        self.file(path, |file| file.sync_data().unwrap())
    }

    pub(super) fn fsync_dir(&self, path: &str) -> &Self {
        self.0.sync_dir(Path::new(path)).unwrap();
        self
    }

    pub(super) fn mkdir(&self, path: &str) -> &Self {
        self.0.mkdir(Path::new(path), 0o755).unwrap();
        self
    }

    pub(super) fn rename(&self, from: &str, to: &str) -> &Self {
        self.0.rename(Path::new(from), Path::new(to)).unwrap();
        self
    }

    pub(super) fn exchange(&self, one: &str, other: &str) -> &Self {
        self.0.exchange(Path::new(one), Path::new(other)).unwrap();
        self
    }

    pub(super) fn link(&self, existing: &str, new: &str) -> &Self {
        self.0.link(Path::new(existing), Path::new(new)).unwrap();
        self
    }

    pub(super) fn symlink(&self, target: &str, path: &str) -> &Self {
        self.0.symlink(Path::new(target), Path::new(path)).unwrap();
        self
    }

    pub(super) fn unlink(&self, path: &str) -> &Self {
        self.0.unlink(Path::new(path)).unwrap();
        self
    }

    fn file(&self, path: &str, call: impl FnOnce(&SimFile)) -> &Self {
        call(&self.0.open(Path::new(path), Access::ReadWrite).unwrap());
        self
    }
}

/// What is there after the crash, and what was acknowledged before it.
pub(super) struct Crash {
    disk: SimFs,
    acks: u32,
}

impl Crash {
    pub(super) fn new(image: &DiskImage, acks: u32) -> Self {
        let mut image = image.clone();
        image.discard_hidden();
        Self { disk: SimFs::on(image), acks }
    }

    /// Whether the program had said that all is done.
    pub(super) fn acked(&self) -> bool {
        self.acks > 0
    }

    pub(super) fn exists(&self, path: &str) -> bool {
        self.disk.metadata(Path::new(path)).is_ok()
    }

    pub(super) fn mode(&self, path: &str) -> Option<u32> {
        self.disk.metadata(Path::new(path)).ok().map(|metadata| metadata.mode)
    }

    /// A file's bytes; `None` if there is no such file.
    pub(super) fn read(&self, path: &str) -> Option<Vec<u8>> {
        let file = self.disk.open(Path::new(path), Access::Read).ok()?;
        let len = file.metadata().unwrap().len;
        let mut bytes = vec![0; usize::try_from(len).unwrap()];
        assert_eq!(file.read_full_at(&mut bytes, 0).unwrap(), bytes.len());
        Some(bytes)
    }

    /// Whether the file is there with exactly these bytes.
    pub(super) fn is(&self, path: &str, bytes: &[u8]) -> bool {
        self.read(path).is_some_and(|found| found == bytes)
    }

    /// Where a symbolic link leads.
    pub(super) fn link_target(&self, path: &str) -> Option<String> {
        let target = self.disk.read_link(Path::new(path)).ok()?;
        Some(target.to_str().unwrap().to_owned())
    }
}
