//! Objects: bytes under the name of their hash, written once, checked on every read.
//!
//! A put returns only when the object is durable, also when it was there before: being visible does
//! not mean being durable, because its writer may not have synced the directory yet. Mode 0444 says
//! "its barriers succeeded"; an object whose barrier failed keeps mode 0440 and is written anew by
//! the next put of the same bytes, on a new inode.

use std::io::{self, Read};
use std::path::Path;

use faultfs::{Access, FileKind, Fs, FsFile};
use sha2::{Digest, Sha256};

use crate::atomic::parent;
use crate::barrier::Barrier;
use crate::canonical::{self, Canonical};
use crate::durability::{Durability, Outcome, Reached, Receipt};
use crate::error::{At, Error, Result, found};
use crate::id::ObjectId;
use crate::layout::OBJECT_TEMP;
use crate::open::Store;
use crate::planted::{Bug, wrong};
use crate::stream::{CHUNK, ObjectReader};
use crate::temp::Temp;

/// Mode of an object whose barriers succeeded.
const SETTLED: u32 = 0o444;

/// Mode of an object that a failed barrier may lose.
pub(crate) const UNSETTLED: u32 = 0o440;

/// How often a put starts again because the object appeared and vanished meanwhile.
const ATTEMPTS: u32 = 100;

/// The answer of a put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the receipt may say that the object is not durable"]
pub struct Put {
    /// The object's name.
    pub id: ObjectId,
    /// What was done and how durable it is.
    pub receipt: Receipt,
}

impl Put {
    /// See [`Receipt::after`].
    pub(crate) fn after(self, reached: Reached) -> Self {
        Self { receipt: self.receipt.after(reached), ..self }
    }
}

/// What stands under an object's name.
enum Existing<H> {
    Absent,
    /// The right bytes, with all their barriers.
    Good(H),
    /// The right bytes, but a barrier failed, or its time cannot be renewed.
    Unsettled,
    Corrupt,
}

impl<F: Fs> Store<F> {
    /// Stores bytes. When they are there already, makes sure that they are durable.
    pub fn put(&self, bytes: &[u8]) -> Result<Put> {
        self.put_hashed(ObjectId::of(bytes), bytes)
    }

    /// As [`Store::put`], for a caller who knows the id; refuses bytes that do not have it.
    pub fn put_expecting(&self, expected: &ObjectId, bytes: &[u8]) -> Result<Put> {
        let actual = ObjectId::of(bytes);
        if actual != *expected {
            return Err(Error::Mismatch { expected: *expected, actual });
        }
        self.put_hashed(actual, bytes)
    }

    fn put_hashed(&self, id: ObjectId, bytes: &[u8]) -> Result<Put> {
        let _pin = self.pin()?;
        self.put_kept(id, bytes)
    }

    /// Stores bytes while no garbage collection can come, be it by a pin or by its own lock.
    pub(crate) fn put_kept(&self, id: ObjectId, bytes: &[u8]) -> Result<Put> {
        let path = self.layout().object(&id);
        if self.has(Bug::ExistingTrusted) && self.contains(&id)? {
            return Ok(self.done(id, Outcome::AlreadyThere, Reached::Durable));
        }
        if let Existing::Good(file) = self.inspect(&path, &id)? {
            return self.confirm(&file, &path, id);
        }
        let mut temp = self.object_temp()?;
        if self.has(Bug::SyncBeforeWrite) {
            wrong::sync_by_another_handle(self.fs(), temp.path())?;
        }
        if self.has(Bug::RenameBeforeWrite) {
            temp.rename(&path)?;
        }
        temp.write(bytes)?;
        self.place(temp, &path, id, Some(bytes))
    }

    /// Stores a file of any size. The id is the hash of what was written, and a source that changes
    /// while it is read is an error.
    pub fn put_from_path(&self, source: &Path) -> Result<Put> {
        let file = self.fs().open(source, Access::Read).at("open", source)?;
        let before = file.metadata().at("stat", source)?;
        if before.kind != FileKind::File {
            let problem = "it is not a regular file".to_owned();
            return Err(Error::Source { path: source.to_owned(), problem });
        }
        let mut reader = FileReader { file: &file, offset: 0 };
        let (temp, id) = self.stream_in(&mut reader, source)?;
        let after = file.metadata().at("stat", source)?;
        if (after.len, after.modified) != (before.len, before.modified)
            || reader.offset != after.len
        {
            let problem = "it changed while it was read; nothing was stored".to_owned();
            return Err(Error::Source { path: source.to_owned(), problem });
        }
        let _pin = self.pin()?;
        self.place(temp, &self.layout().object(&id), id, None)
    }

    /// Stores all that `reader` yields; `name` stands for it in errors.
    pub fn put_from_reader(&self, reader: &mut dyn Read, name: &Path) -> Result<Put> {
        let (temp, id) = self.stream_in(reader, name)?;
        let _pin = self.pin()?;
        self.place(temp, &self.layout().object(&id), id, None)
    }

    /// A temp of an object. All of them are made in one directory, above the shards, so that an open need not
    /// look into these (docs/design.md 3.1).
    fn object_temp(&self) -> Result<Temp<'_, F>> {
        Temp::create(self.disk(), &self.layout().objects(), OBJECT_TEMP, SETTLED)
    }

    /// Copies into a temp and hashes what it writes.
    fn stream_in(&self, reader: &mut dyn Read, name: &Path) -> Result<(Temp<'_, F>, ObjectId)> {
        let mut temp = self.object_temp()?;
        let mut hasher = Sha256::new();
        let mut buf = vec![0; CHUNK];
        loop {
            let n = match reader.read(&mut buf) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                read => read.at("read", name)?,
            };
            if n == 0 {
                return Ok((temp, ObjectId::from(hasher)));
            }
            hasher.update(&buf[..n]);
            temp.write(&buf[..n])?;
        }
    }

    /// Whether an object of this name is there; says nothing of its bytes.
    pub fn contains(&self, id: &ObjectId) -> Result<bool> {
        let path = self.layout().object(id);
        let metadata = found(self.fs().metadata(&path)).at("stat", &path)?;
        Ok(metadata.is_some_and(|m| m.kind == FileKind::File))
    }

    /// The first steps of a put whose barriers somebody else makes: a temp with its bytes and mode, or
    /// the object that is there.
    pub(crate) fn written(&self, id: &ObjectId, bytes: &[u8]) -> Result<Written<'_, F>> {
        let path = self.layout().object(id);
        if let Existing::Good(file) = self.inspect(&path, id)? {
            return Ok(Written::Before(file));
        }
        let mut temp = self.object_temp()?;
        temp.write(bytes)?;
        temp.set_mode(SETTLED)?;
        Ok(Written::Now(temp))
    }

    /// The last steps of a put: mode, barrier, name, barrier. `bytes` are all of it, where they are at
    /// hand.
    fn place(
        &self,
        mut temp: Temp<'_, F>,
        path: &Path,
        id: ObjectId,
        bytes: Option<&[u8]>,
    ) -> Result<Put> {
        temp.set_mode(if self.has(Bug::ChmodAfterSync) { 0o600 } else { SETTLED })?;
        let content = temp.sync(Barrier::ObjectFile, bytes)?;
        if self.has(Bug::ChmodAfterSync) {
            temp.set_mode(SETTLED)?;
        }
        if content == Reached::Degraded {
            temp.set_mode(UNSETTLED)?;
        }
        if self.has(Bug::RenameBeforeWrite) {
            return Ok(self.done(id, Outcome::Created, content));
        }
        let (outcome, barrier) = match self.name(&mut temp, path, &id)? {
            Named::New => (Outcome::Created, Barrier::ObjectDir),
            Named::Instead => (Outcome::Repaired, Barrier::RepairedDir),
            Named::Before(file) => return self.confirm(&file, path, id),
        };
        if self.has(Bug::SourceDirSynced) {
            wrong::sync_dirs(self.fs(), [self.layout().objects()])?;
        }
        let entry = self.settle(temp.file(), self.disk().sync_dir(barrier, parent(path)))?;
        Ok(self.done(id, outcome, content.max(entry)))
    }

    /// Gives a finished temp the object's name, unless good bytes have it.
    pub(crate) fn name(
        &self,
        temp: &mut Temp<'_, F>,
        path: &Path,
        id: &ObjectId,
    ) -> Result<Named<F::File>> {
        for _ in 0..ATTEMPTS {
            if temp.rename_if_free(path)? {
                return Ok(Named::New);
            }
            match self.inspect(path, id)? {
                Existing::Absent => continue,
                Existing::Good(file) => return Ok(Named::Before(file)),
                Existing::Unsettled => {}
                Existing::Corrupt if self.has(Bug::RepairInPlace) => {
                    return wrong::repair_in_place(self.fs(), temp, path).map(|()| Named::Instead);
                }
                Existing::Corrupt => self.quarantine(path, id)?,
            }
            temp.rename(path)?;
            return Ok(Named::Instead);
        }
        let problem = "the object appears and vanishes";
        Err(Error::Contended { path: path.to_owned(), attempts: ATTEMPTS, problem })
    }

    /// What stands under the name `id`, with its bytes hashed.
    fn inspect(&self, path: &Path, id: &ObjectId) -> Result<Existing<F::File>> {
        let Some(reader) = self.reader(id)? else {
            return Ok(Existing::Absent);
        };
        let settled = reader.mode() != UNSETTLED;
        match reader.copy(&mut |_| Ok(())) {
            Ok(file) if settled && self.renew(&file, path)? => Ok(Existing::Good(file)),
            Ok(_) => Ok(Existing::Unsettled),
            Err(Error::Corrupt { .. }) => Ok(Existing::Corrupt),
            Err(e) => Err(e),
        }
    }

    /// Sets an object's time to now, so that a garbage collection counts its grace from this put;
    /// false where another user owns the file.
    fn renew(&self, file: &F::File, path: &Path) -> Result<bool> {
        match file.set_modified(self.fs().now()) {
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => Ok(false),
            renewed => renewed.at("set the time of", path).map(|()| true),
        }
    }

    /// The barriers of an object that was there: its writer may not have come to them yet.
    fn confirm(&self, file: &F::File, path: &Path, id: ObjectId) -> Result<Put> {
        let disk = self.disk();
        let content = self.settle(file, disk.sync_file(Barrier::KnownFile, file, path))?;
        let entry = self.settle(file, disk.sync_dir(Barrier::KnownDir, parent(path)))?;
        Ok(self.done(id, Outcome::AlreadyThere, content.max(entry)))
    }

    /// The answer of a put, remembered by its pin.
    fn done(&self, id: ObjectId, outcome: Outcome, reached: Reached) -> Put {
        if reached != Reached::Degraded {
            self.note(id);
        }
        Put { id, receipt: Receipt { outcome, reached } }
    }

    /// Marks an object as not durable when one of its barriers failed, so that nobody takes it for
    /// durable by its being there. If the mark fails as well, the error or receipt still tells.
    pub(crate) fn settle(&self, file: &F::File, passed: Result<Reached>) -> Result<Reached> {
        let settled = matches!(passed, Ok(Reached::Durable | Reached::Unsupported));
        if !settled && !self.has(Bug::FailedObjectTrusted) {
            let _ = file.set_mode(UNSETTLED);
        }
        passed
    }

    /// Keeps a corrupt object under another name before its place is taken by the good bytes.
    fn quarantine(&self, path: &Path, id: &ObjectId) -> Result<()> {
        let dir = self.layout().quarantine();
        for count in 0..ATTEMPTS {
            let to = dir.join(format!("{}.{count}", id.hex()));
            match self.fs().link(path, &to) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                // Another writer has replaced it meanwhile: nothing is left to keep.
                Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
                linked => {
                    linked.at("quarantine a corrupt object as", &to)?;
                    return self.disk().sync_dir(Barrier::QuarantineDir, &dir).map(|_| ());
                }
            }
        }
        let problem = "this object was corrupt too often; empty the quarantine and check the disk";
        Err(Error::Contended { path: dir, attempts: ATTEMPTS, problem })
    }

    /// Stores a snapshot or commit.
    pub(crate) fn put_canonical<T: Canonical>(&self, value: &T) -> Result<Put> {
        let text = canonical::encode(value)
            .map_err(|problem| Error::BadValue { kind: T::KIND, problem })?;
        self.put(&text)
    }

    /// Reads a snapshot or commit.
    pub(crate) fn read_canonical<T: Canonical>(&self, id: &ObjectId) -> Result<Option<T>> {
        let Some(text) = self.get(id)? else {
            return Ok(None);
        };
        let wrong = |problem| Error::WrongKind { id: *id, expected: T::KIND, problem };
        canonical::decode(&text).map(Some).map_err(wrong)
    }

    /// Fails unless an object of kind `T` is there (by its first bytes) and durable. Its writer may have
    /// been killed before the barrier of its name, so that barrier is made good here, unless the
    /// present pin knows better. What `from` says refers to the object.
    pub(crate) fn require<T: Canonical>(
        &self,
        id: &ObjectId,
        barrier: Barrier,
        from: &dyn Fn() -> String,
    ) -> Result<Reached> {
        let reached = self.require_any(id, T::KIND, barrier, from)?;
        let path = self.layout().object(id);
        let starts = match self.reader(id)? {
            Some(reader) => starts_as::<T, _>(&reader).at("read", &path)?,
            None => false,
        };
        if starts {
            return Ok(reached);
        }
        let problem = "it starts with other bytes".to_owned();
        Err(Error::WrongKind { id: *id, expected: T::KIND, problem })
    }

    /// As [`Store::require`], for an object of any kind.
    pub(crate) fn require_any(
        &self,
        id: &ObjectId,
        what: &'static str,
        barrier: Barrier,
        from: &dyn Fn() -> String,
    ) -> Result<Reached> {
        let path = self.layout().object(id);
        let metadata = found(self.fs().metadata(&path)).at("stat", &path)?;
        match metadata.filter(|m| m.kind == FileKind::File).map(|m| m.mode) {
            None => Err(Error::Dangling { from: from(), what, id: *id }),
            Some(UNSETTLED) if self.disk().durability() == Durability::BestEffort => {
                Ok(Reached::Degraded)
            }
            Some(UNSETTLED) => Err(Error::NotDurable { from: from(), what, id: *id }),
            Some(_) if self.known(|durable| durable.objects.contains(id)) => Ok(Reached::Durable),
            Some(_) => {
                let reached = self.disk().sync_dir(barrier, parent(&path))?;
                if reached != Reached::Degraded {
                    self.note(*id);
                }
                Ok(reached)
            }
        }
    }
}

/// An object before its barriers.
pub(crate) enum Written<'f, F: Fs> {
    /// It was there, with the right bytes.
    Before(F::File),
    /// It lacks its name.
    Now(Temp<'f, F>),
}

/// How an object got its name.
pub(crate) enum Named<H> {
    /// It was free.
    New,
    /// In place of something unusable.
    Instead,
    /// Another writer's object has it.
    Before(H),
}

/// Whether an object starts as every object of kind `T` does.
pub(crate) fn starts_as<T: Canonical, H: FsFile>(reader: &ObjectReader<H>) -> io::Result<bool> {
    let mut start = vec![0; T::START.len()];
    let n = reader.file().read_full_at(&mut start, 0)?;
    Ok(start.get(..n) == Some(T::START))
}

/// A seam file as a reader from its start.
struct FileReader<'h, H> {
    file: &'h H,
    offset: u64,
}

impl<H: FsFile> Read for FileReader<'_, H> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read_at(buf, self.offset)?;
        self.offset += n as u64;
        Ok(n)
    }
}
