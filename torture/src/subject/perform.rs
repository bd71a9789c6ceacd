//! Carrying out the steps of a plan on a store, with a Mark for each promise.
//!
//! An operation that fails is told by a Mark and the writer goes on with its next step, so that a run
//! on a failing disk ends like any other. Not for the order of several writers: see `interleave`.

mod packs;
mod whole;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use faultfs::Fs;
use plugpull_store::{
    Branch, Commit, Error, Expected, GcOptions, Head, ObjectId, Options, Outcome, Pin, Put,
    Reached, Result, Snapshot, Store, write_json_atomic, write_text_atomic,
};

use super::journal::Journal;
use super::marks::Mark;
use super::plan::{Bytes, Step, Then};
use super::{SOURCES, STORE};
pub(super) use packs::after;

/// How often a commit starts again because another writer moved the branch first.
const ATTEMPTS: u32 = 100;

/// 2026-01-01T00:00:00Z, the time of every commit: contents must not depend on a clock.
pub(super) const TIME: i64 = 1_767_225_600;

/// One writer at work.
pub(super) struct Writer<'j, F: Fs> {
    pub(super) store: Arc<Store<F>>,
    options: Options,
    pub(super) journal: &'j Journal,
    pub(super) name: String,
    sources: &'j [Bytes],
    /// Steps begun; makes each commit another one.
    pub(super) steps: u64,
    /// Objects whose last put failed.
    failed: RefCell<BTreeSet<ObjectId>>,
}

/// Which objects of a commit are put.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Objects {
    All,
    /// Those that are not visible.
    Missing,
}

/// A pin, with its two Marks.
pub(super) struct Held<'s, F: Fs> {
    journal: &'s Journal,
    _pin: Pin<'s, F>,
}

impl<F: Fs> Drop for Held<'_, F> {
    /// Runs before the pin goes.
    fn drop(&mut self) {
        self.journal.mark(Mark::Unpin);
    }
}

/// Makes the store.
pub(super) fn init<F: Fs>(fs: F, options: Options, journal: &Journal) -> Option<Store<F>> {
    let made = Store::init_on(fs, Path::new(STORE), options);
    tell(journal, "init", made, Mark::Init)
}

fn tell<T>(journal: &Journal, what: &str, done: Result<T>, mark: Mark) -> Option<T> {
    match done {
        Ok(done) => {
            journal.mark(mark);
            Some(done)
        }
        Err(error) => {
            journal.mark(Mark::Failed(format!("{what}: {error}")));
            None
        }
    }
}

impl<'j, F: Fs> Writer<'j, F> {
    /// Opens the store; `None` if that failed.
    pub(super) fn open(
        fs: F,
        options: Options,
        journal: &'j Journal,
        name: String,
        sources: &'j [Bytes],
    ) -> Option<Self> {
        let opened = Store::open_on(fs, Path::new(STORE), options);
        let store = tell(journal, "open", opened, Mark::Opened)?;
        let recovery = store.recovery();
        packs::tell_swept(journal, &recovery.packs, &recovery.undeleted);
        Some(Self::on(Arc::new(store), options, journal, name, sources))
    }

    /// On a store that is open.
    pub(super) fn on(
        store: Arc<Store<F>>,
        options: Options,
        journal: &'j Journal,
        name: String,
        sources: &'j [Bytes],
    ) -> Self {
        let failed = RefCell::default();
        Self { store, options, journal, name, sources, steps: 0, failed }
    }

    /// The store, for further threads.
    pub(super) fn store(&self) -> Arc<Store<F>> {
        Arc::clone(&self.store)
    }

    /// The store, if no other thread has it.
    fn alone(&mut self) -> Result<&mut Store<F>> {
        let shared = || Error::BadValue { kind: "step", problem: "the store is shared".to_owned() };
        Arc::get_mut(&mut self.store).ok_or_else(shared)
    }

    /// Does one step.
    pub(super) fn step(&mut self, step: &Step) {
        self.steps += 1;
        if let Err(error) = self.try_step(step) {
            self.journal.mark(Mark::Failed(format!("{}: {error}", name_of(step))));
        }
    }

    fn try_step(&mut self, step: &Step) -> Result<()> {
        match step {
            Step::Put { bytes, pinned } => {
                let _held = pinned.then(|| self.pin()).transpose()?;
                self.put(bytes).map(|_| ())
            }
            Step::PutFromPath(source) => self.put_from_path(*source),
            Step::Commit { branch, files } => self.commit(&Branch::new(branch)?, files),
            Step::GroupCommit { branch, files } => self.group_commit(&Branch::new(branch)?, files),
            Step::ImportCommits { branch, files, batch } => {
                self.import_commits(&Branch::new(branch)?, files, *batch)
            }
            Step::GoOn { branch, files, then } => self.go_on(&Branch::new(branch)?, files, *then),
            Step::Point { branch, at } => self.point(&Branch::new(branch)?, &Branch::new(at)?),
            Step::Delete { branch } => self.delete(&Branch::new(branch)?),
            Step::Attach { branch } => self.set_head(Head::Branch(Branch::new(branch)?)),
            Step::Detach { branch } => self.detach(&Branch::new(branch)?),
            Step::Restore { bytes, to, executable } => self.restore(bytes, to, *executable),
            Step::Gc => self.gc(),
            Step::Fetch { branch, have, ttl } => self.fetch(branch, *have, *ttl),
            Step::KeepPack { branch } => self.keep_pack(branch),
            Step::SweepPacks { after } => self.sweep_packs(*after),
            Step::Import { branch, files } => self.import(&Branch::new(branch)?, files),
            Step::Merge { ours, theirs, path } => {
                self.merge(&Branch::new(ours)?, &Branch::new(theirs)?, path)
            }
            Step::EndMerge => self.end_merge(),
            Step::Rebase { branch, onto } => {
                self.rebase(&Branch::new(branch)?, &Branch::new(onto)?)
            }
            Step::EndRebase => self.end_rebase(),
            Step::Checkout { branch } => self.checkout_branch(&Branch::new(branch)?),
            Step::Conclude { branch } => self.conclude(&Branch::new(branch)?),
            Step::Remote { name, url } => self.remote(name, url.as_ref()),
            Step::Claim(wanted) => self.claim(wanted),
            Step::Intend { run, address, detail } => self.intend(run, address, detail),
            Step::Release { run } => self.release(run),
            Step::SweepReservations => self.sweep_reservations(),
            Step::Append(text) => self.append(text),
            Step::Checkpoint => self.checkpoint(),
            Step::Compact => self.compact(),
            Step::Text { .. } => unreachable!("who has a store writes no texts"),
        }
    }

    pub(super) fn pin(&self) -> Result<Held<'_, F>> {
        let pin = self.store.pin()?;
        self.journal.mark(Mark::Pin);
        Ok(Held { journal: self.journal, _pin: pin })
    }

    /// A promise is one only if all barriers succeeded.
    pub(super) fn settle(&self, reached: Reached, mark: Mark) {
        settle(self.journal, reached, mark);
    }

    pub(super) fn acknowledge(&self, put: Put) -> ObjectId {
        self.settle(put.receipt.reached, Mark::Put(put.id));
        put.id
    }

    fn put(&self, bytes: &[u8]) -> Result<ObjectId> {
        let id = self.journal.writing(bytes, Vec::new());
        let put = match self.store.put(bytes) {
            Err(error) => {
                self.failed.borrow_mut().insert(id);
                self.journal.mark(Mark::Doubted(id));
                return Err(error);
            }
            Ok(put) => put,
        };
        let failed = self.failed.borrow_mut().remove(&id);
        if failed && put.receipt.outcome == Outcome::AlreadyThere {
            self.journal.mark(Mark::Trusted(id));
        }
        Ok(self.acknowledge(put))
    }

    fn put_from_path(&self, source: usize) -> Result<()> {
        if let Some(bytes) = self.sources.get(source) {
            self.journal.writing(bytes, Vec::new());
        }
        self.acknowledge(self.store.put_from_path(source_path(source).as_ref())?);
        Ok(())
    }

    fn commit(&self, branch: &Branch, files: &[(&str, Bytes)]) -> Result<()> {
        for _ in 0..ATTEMPTS {
            let _held = self.pin()?;
            let tip = self.store.read_branch(branch)?;
            let commit = self.put_commit(tip, files, Objects::All, "")?;
            if self.move_branch(branch, tip, Some(commit))? {
                return Ok(());
            }
        }
        self.journal.mark(Mark::Failed(format!("commit: {branch} moved again and again")));
        Ok(())
    }

    /// Takes up the work of a killed writer where it was visible.
    fn go_on(&self, branch: &Branch, files: &[(&str, Bytes)], then: Then) -> Result<()> {
        let _held = self.pin()?;
        let tip = self.store.read_branch(branch)?;
        let commit = self.put_commit(tip, files, Objects::Missing, "")?;
        match then {
            Then::Move => self.move_branch(branch, tip, Some(commit)).map(|_| ()),
            Then::Head => self.set_head(Head::Detached(commit)),
            Then::Merge => self.write_merge(commit, commit, None, "file"),
            Then::Checkout => self.checkout(commit),
            Then::Child => {
                let child =
                    self.put_commit(Some(commit), files, Objects::Missing, ", its child")?;
                self.move_branch(branch, tip, Some(child)).map(|_| ())
            }
        }
    }

    /// Blobs, snapshot, commit.
    fn put_commit(
        &self,
        tip: Option<ObjectId>,
        files: &[(&str, Bytes)],
        which: Objects,
        what: &str,
    ) -> Result<ObjectId> {
        let there = |id| Ok::<_, Error>(which == Objects::Missing && self.store.contains(&id)?);
        let mut blobs = Vec::new();
        for (path, bytes) in files {
            let id = ObjectId::of(bytes);
            blobs.push((*path, if there(id)? { id } else { self.put(bytes)? }));
        }
        let ids = blobs.iter().map(|(_, id)| *id).collect();
        let snapshot = Snapshot::of(blobs)?;
        let id = self.journal.writing(&text_of(&snapshot), ids);
        let snapshot =
            if there(id)? { id } else { self.acknowledge(self.store.put_snapshot(&snapshot)?) };
        let message = format!("{} step {}{what}", self.name, self.steps);
        let commit = Commit::new(tip, snapshot, "writer", message, TIME);
        let leads_to = tip.into_iter().chain([snapshot]).collect();
        let id = self.journal.writing(&text_of(&commit), leads_to);
        if there(id)? {
            return Ok(id);
        }
        Ok(self.acknowledge(self.store.put_commit(&commit)?))
    }

    /// False when another writer moved the branch first.
    fn move_branch(
        &self,
        branch: &Branch,
        from: Option<ObjectId>,
        to: Option<ObjectId>,
    ) -> Result<bool> {
        let name = branch.to_string();
        self.journal.mark(Mark::Moving { branch: name.clone(), from, to });
        let expected = from.map_or(Expected::Absent, Expected::At);
        let early = to.is_some() && acknowledges_early(self.options);
        if early {
            self.journal.mark(Mark::Ref { branch: name.clone(), at: to });
        }
        let moved = match to {
            Some(to) => self.store.update_branch(branch, to, expected).map(|r| Some(r.reached)),
            None => self.store.delete_branch(branch, expected),
        };
        match moved {
            Ok(Some(_)) if early => Ok(true),
            Ok(Some(reached)) => {
                self.settle(reached, Mark::Ref { branch: name, at: to });
                Ok(true)
            }
            Ok(None) | Err(Error::RefConflict { .. } | Error::NameConflict { .. }) => {
                self.journal.mark(Mark::Refused { branch: name, to });
                Ok(false)
            }
            // An update that fails leaves what was there, unless it says otherwise.
            Err(error) => {
                if !matches!(error, Error::Undecided { .. }) {
                    self.journal.mark(Mark::Refused { branch: name, to });
                }
                Err(error)
            }
        }
    }

    fn point(&self, branch: &Branch, at: &Branch) -> Result<()> {
        let _held = self.pin()?;
        let from = self.store.read_branch(branch)?;
        match self.store.read_branch(at)? {
            Some(to) => self.move_branch(branch, from, Some(to)).map(|_| ()),
            None => Ok(()),
        }
    }

    fn delete(&self, branch: &Branch) -> Result<()> {
        if let Some(tip) = self.store.read_branch(branch)? {
            return self.move_branch(branch, Some(tip), None).map(|_| ());
        }
        // Who removed it may be dead; the answer promises that it stays away.
        if self.store.delete_branch(branch, Expected::Absent)?.is_none() {
            self.journal.mark(Mark::Ref { branch: branch.to_string(), at: None });
        }
        Ok(())
    }

    fn detach(&self, branch: &Branch) -> Result<()> {
        let _held = self.pin()?;
        match self.store.read_branch(branch)? {
            Some(tip) => self.set_head(Head::Detached(tip)),
            None => Ok(()),
        }
    }

    fn set_head(&self, head: Head) -> Result<()> {
        self.journal.mark(Mark::SettingHead(head.clone()));
        match self.store.set_head(&head) {
            Ok(receipt) => self.settle(receipt.reached, Mark::Head(head)),
            Err(error @ Error::Undecided { .. }) => return Err(error),
            Err(error) => {
                self.journal.mark(Mark::KeptHead(head));
                return Err(error);
            }
        }
        Ok(())
    }

    fn restore(&self, bytes: &[u8], to: &str, executable: bool) -> Result<()> {
        let (id, path) = (ObjectId::of(bytes), to.to_owned());
        self.journal.mark(Mark::Restoring { path: path.clone(), id });
        if let Some(receipt) = self.store.restore(&id, Path::new(to), executable)? {
            self.settle(receipt.reached, Mark::Restored { path, id });
        }
        Ok(())
    }

    fn gc(&mut self) -> Result<()> {
        self.journal.mark(Mark::GcBegins);
        self.alone()?.gc(GcOptions { grace: Duration::ZERO, dry_run: false })?;
        self.journal.mark(Mark::Gc);
        Ok(())
    }
}

/// A promise is one only if all barriers succeeded.
fn settle(journal: &Journal, reached: Reached, mark: Mark) {
    journal.mark(match reached {
        Reached::Degraded => Mark::Failed(format!("degraded: {mark}")),
        Reached::Durable | Reached::Unsupported => mark,
    });
}

/// Writes texts, as a program without a store does.
pub(super) fn write_texts<F: Fs>(fs: &F, options: Options, journal: &Journal, steps: &[Step]) {
    for step in steps {
        let Step::Text { text, to, json } = step else { unreachable!("a plan of texts") };
        if let Err(error) = write_text(fs, options, journal, (text, to, *json)) {
            journal.mark(Mark::Failed(format!("{}: {error}", name_of(step))));
        }
    }
}

fn write_text<F: Fs>(
    fs: &F,
    options: Options,
    journal: &Journal,
    (text, to, json): (&Bytes, &str, bool),
) -> Result<()> {
    let string = String::from_utf8_lossy(text);
    let written = if json { format!("\"{string}\"\n").into_bytes() } else { text.to_vec() };
    let (id, path) = (journal.writing(&written, Vec::new()), to.to_owned());
    journal.mark(Mark::Restoring { path: path.clone(), id });
    let done = if json {
        write_json_atomic(fs, Path::new(to), &string, options)
    } else {
        write_text_atomic(fs, Path::new(to), &string, options)
    };
    match &done {
        Ok(receipt) => settle(journal, receipt.reached, Mark::Restored { path, id }),
        Err(Error::Undecided { .. }) => {}
        Err(_) => journal.mark(Mark::Kept { path, id }),
    }
    done.map(|_| ())
}

/// Whether the planted mistake of acknowledging too early is switched on.
#[cfg(feature = "planted")]
fn acknowledges_early(options: Options) -> bool {
    options.is_planted(plugpull_store::Bug::AckBeforeCommit)
}

#[cfg(not(feature = "planted"))]
fn acknowledges_early(_: Options) -> bool {
    false
}

/// Where a source file lies.
pub(super) fn source_path(number: usize) -> String {
    format!("{SOURCES}/{number}")
}

/// The canonical text of a snapshot or commit.
pub(super) fn text_of<T: serde::Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

fn name_of(step: &Step) -> String {
    match step {
        Step::Put { .. } => "put".to_owned(),
        Step::PutFromPath(source) => format!("put from {}", source_path(*source)),
        Step::Commit { branch, .. } => format!("commit on {branch}"),
        Step::GroupCommit { branch, .. } => format!("group commit on {branch}"),
        Step::ImportCommits { branch, .. } => format!("import commits to {branch}"),
        Step::GoOn { branch, .. } => format!("go on with {branch}"),
        Step::Point { branch, at } => format!("point {branch} at {at}"),
        Step::Delete { branch } => format!("delete {branch}"),
        Step::Attach { branch } | Step::Detach { branch } => format!("head to {branch}"),
        Step::Restore { to, .. } => format!("restore {to}"),
        Step::Text { to, .. } => format!("write {to}"),
        Step::Gc => "gc".to_owned(),
        Step::Fetch { branch, .. } => format!("fetch {branch}"),
        Step::KeepPack { branch } => format!("keep the pack of {branch}"),
        Step::SweepPacks { after } => format!("sweep packs after {after} s"),
        Step::Import { branch, .. } => format!("import to {branch}"),
        Step::Merge { .. } => "merge".to_owned(),
        Step::EndMerge => "end of a merge".to_owned(),
        Step::Rebase { .. } => "rebase".to_owned(),
        Step::EndRebase => "end of a rebase".to_owned(),
        Step::Checkout { branch } => format!("checkout of {branch}"),
        Step::Conclude { branch } => format!("end of a merge into {branch}"),
        Step::Remote { name, .. } => format!("remote {name}"),
        Step::Claim(wanted) => format!("claim of {wanted}"),
        Step::Intend { run, .. } => format!("intent of {run}"),
        Step::Release { run } => format!("release of {run}"),
        Step::SweepReservations => "sweep of reservations".to_owned(),
        Step::Append(_) => "append".to_owned(),
        Step::Checkpoint => "checkpoint".to_owned(),
        Step::Compact => "compaction".to_owned(),
    }
}
