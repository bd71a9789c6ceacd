//! Pins: while one is held, no garbage collection deletes an object.
//!
//! Every put holds a pin for itself. Who puts several objects and then a ref that leads to them holds
//! one over all of it. Pins of all processes share one flock, `locks/pin`; a collection takes it
//! alone, only for deleting. A killed process drops its pin with its life.
//!
//! flock is not fair: among busy writers a collection would wait for ever. So every pin is taken
//! through `locks/gate`, which a collection closes while it waits. Within one process the pins of
//! several threads are one flock: threads that never let go all at once keep a collection waiting.
//!
//! Since nothing is deleted under a pin, what was seen to be durable under it stays so. The pins of one
//! open store remember it together, and forget it when the last of them goes (`count`).

mod count;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use faultfs::{Access, Fs, FsFile, LockMode};

use crate::error::{At, Result, found};
use crate::group::{lock, sync};
use crate::id::ObjectId;
use crate::layout::Layout;
use crate::open::Store;
use crate::planted::Bug;
use count::Held;
use sync::{Mutex, MutexGuard};

/// Keeps garbage collections away until it is dropped.
#[must_use = "a pin keeps garbage collections away only while it is held"]
pub struct Pin<'s, F: Fs> {
    store: &'s Store<F>,
}

/// The lock file of one open store, shared by all its threads.
pub(crate) struct Pins<H> {
    gate: H,
    file: H,
    held: Mutex<Held<Durable>>,
}

/// What is known to be durable, as long as nothing can be deleted.
#[derive(Default)]
pub(crate) struct Durable {
    /// Objects whose name is durable.
    pub(crate) objects: BTreeSet<ObjectId>,
    /// Directories whose record in the list of restores is durable.
    pub(crate) restores: BTreeSet<PathBuf>,
}

impl<H: FsFile> Pins<H> {
    pub(crate) fn open<F: Fs<File = H>>(fs: &F, layout: &Layout) -> Result<Self> {
        let open = |path: &Path| fs.open(path, Access::Read).at("open", path);
        let [gate, file] = [open(&layout.gate_lock())?, open(&layout.pin_lock())?];
        Ok(Self { gate, file, held: Mutex::new(Held::new(count::Mistake::None)) })
    }

    /// Takes the flock, through the gate.
    fn enter(&self, layout: &Layout) -> Result<()> {
        let [gate, path] = [layout.gate_lock(), layout.pin_lock()];
        self.gate.lock(LockMode::Shared).at("lock", &gate)?;
        let entered = self.file.lock(LockMode::Shared).at("lock", &path);
        if let Err(e) = release(&self.gate) {
            let _ = release(&self.file);
            return Err(e).at("unlock", &gate);
        }
        entered
    }
}

impl<F: Fs> Store<F> {
    fn held(&self) -> MutexGuard<'_, Held<Durable>> {
        lock(&self.pins().held, self.fs())
    }

    /// Asks what the pins of this open store know, or adds to it; they know nothing when there is none.
    pub(crate) fn known(&self, look: impl FnOnce(&mut Durable) -> bool) -> bool {
        self.held().known().is_some_and(look)
    }

    /// Remembers that an object's name is durable.
    pub(crate) fn note(&self, id: ObjectId) {
        self.known(|durable| durable.objects.insert(id));
    }

    /// Takes a pin; waits while a garbage collection is deleting. If one was killed while it was
    /// deleting, finishes its work first, so that nothing half deleted is built upon. So it does with an
    /// operation over several files whose process died: done later, it would take back what comes now.
    pub fn pin(&self) -> Result<Pin<'_, F>> {
        let pin = self.pin_as_it_is()?;
        // What cannot be finished stays recorded, and keeps nobody from writing.
        let _ = self.finish_operation();
        Ok(pin)
    }

    /// As [`Store::pin`], for those who see to the operation that was found themselves.
    pub(crate) fn pin_as_it_is(&self) -> Result<Pin<'_, F>> {
        self.held().add(|| self.lock_pins())?;
        Ok(Pin { store: self })
    }

    /// Takes the lock of pins when no collection is deleting, nor one that was killed has left its list.
    fn lock_pins(&self) -> Result<()> {
        let pins = self.pins();
        let condemned = self.layout().condemned();
        loop {
            pins.enter(self.layout())?;
            let list = found(self.fs().metadata(&condemned)).at("stat", &condemned);
            if let Ok(None) = list {
                return Ok(());
            }
            release(&pins.file).at("unlock", &self.layout().pin_lock())?;
            list?;
            self.finish_condemned()?;
        }
    }

    /// Waits until no pin is held, and keeps new ones out until both locks are dropped. The locks are
    /// on open files of their own, so that this store's pins count as well.
    pub(crate) fn lock_out_pins(&self) -> Result<[F::File; 2]> {
        let lock = |path: &Path| {
            let file = self.fs().open(path, Access::Read).at("open", path)?;
            if !self.has(Bug::GcIgnoresPins) {
                file.lock(LockMode::Exclusive).at("lock", path)?;
            }
            Ok(file)
        };
        Ok([lock(&self.layout().gate_lock())?, lock(&self.layout().pin_lock())?])
    }
}

/// Gives a lock back, at the second attempt if need be: a lock that stays keeps collections waiting as
/// long as the store is open.
fn release<H: FsFile>(lock: &H) -> io::Result<()> {
    lock.unlock().or_else(|_| lock.unlock())
}

impl<F: Fs> Drop for Pin<'_, F> {
    fn drop(&mut self) {
        // Failing to unlock keeps a collection waiting until this process ends, no more.
        Held::remove(self.store.held(), || drop(release(&self.store.pins().file)));
    }
}
