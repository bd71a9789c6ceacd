//! A thousand commits while a fifth of all syncs fail, with each file system's way of failing.
//!
//! Best effort: every commit lands, and each receipt says `degraded` exactly when a sync of its write,
//! or of what that builds on, failed. Strict: what was acknowledged, and nothing that was refused, is
//! there in every crash state that is looked at. These are, at every Mark: the disk with what is durable
//! only; that disk with one pending change more, and the full one with one pending change less, for the
//! changes since the Mark before and at every [`ALL`]th Mark for all of them.
//!
//! The exception is ext4 with journaled data, whose failing sync says that all is well. No program that
//! syncs once can know; here it is shown that nothing but such a file's bytes is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use faultfs::{
    CallKind, Differs, DiskImage, EffectId, Errno, Fault, FaultPlan, FaultRule, Faults, Faulty, Fs,
    FsFile, FsyncFailure, Model, Pattern, PersistOrder, SimFs, Window,
};
use plugpull_store::{
    Audit, Branch, Commit, Durability, Error, Expected, Head, Layout, ObjectId, Options, Reached,
    Result, Snapshot, Store, write_text_atomic,
};

use super::{files, find};
use crate::scratch::{TIME, branch};

const ROOT: &str = "/store";

/// At one in so many Marks all pending changes are tried.
const ALL: u32 = 50;

type Objects = BTreeMap<PathBuf, Vec<u8>>;

/// A store on a disk of which a fifth of the syncs fail.
struct World {
    disk: SimFs,
    faults: Arc<Faults>,
    how: FsyncFailure,
    store: Store<Faulty<SimFs>>,
}

impl World {
    fn new(how: FsyncFailure, durability: Durability, seed: u64) -> Self {
        let made = SimFs::new();
        drop(Store::init_on(made.clone(), Path::new(ROOT), Options::default()).unwrap());
        let disk = SimFs::on(made.image());
        let fifth = || "20%".parse::<Pattern>().unwrap();
        let syncs = [CallKind::SyncData, CallKind::SyncAll];
        let files = FaultRule::new(Fault::FailedSync(how)).on(&syncs).when(fifth()).seed(seed);
        let dirs = FaultRule::new(Fault::Errno(Errno::Eio)).on(&[CallKind::SyncDir]);
        let dirs = dirs.when(fifth()).seed(seed + 1);
        let faults = Arc::new(Faults::new(&FaultPlan { rules: vec![files, dirs] }));
        let open = || {
            let fs = Faulty::new(disk.clone(), Arc::clone(&faults));
            Store::open_on(fs, Path::new(ROOT), Options::durability(durability))
        };
        let store = (0..20).find_map(|_| open().ok()).expect("not every open fails");
        Self { disk, faults, how, store }
    }

    /// Failed syncs of which the caller was told.
    fn told(&self) -> u64 {
        let fired = self.faults.fired();
        if self.how == FsyncFailure::Ext4Data { fired[1] } else { fired[0] + fired[1] }
    }

    /// Runs a write; what it returns, and whether a sync of it was told to have failed.
    fn watch<T>(&self, write: impl FnOnce(&Store<Faulty<SimFs>>) -> Result<T>) -> (T, bool) {
        let before = self.told();
        let done = write(&self.store).unwrap_or_else(|e| panic!("{:?}: {e}", self.how));
        (done, self.told() > before)
    }

    /// The commits from the tip of `main` to the first one, and that the store is in order.
    fn history(&self) -> Vec<(ObjectId, Commit)> {
        let store = Store::open_on(self.disk.clone(), Path::new(ROOT), Options::default()).unwrap();
        assert!(store.recovery().orphans.is_empty(), "{:?}", self.how);
        assert_eq!(Audit::run(&self.disk, Path::new(ROOT)).unwrap().problems, [], "{:?}", self.how);
        let mut next = store.read_branch(&main()).unwrap();
        let mut history = Vec::new();
        while let Some(id) = next {
            let commit = store.read_commit(&id).unwrap().unwrap();
            let snapshot = store.read_snapshot(&commit.snapshot).unwrap().unwrap();
            for (_, file) in snapshot.files() {
                assert!(store.get(&file.id).unwrap().is_some());
            }
            next = commit.parents.first().copied();
            history.push((id, commit));
        }
        history
    }

    fn assert_no_temps(&self) {
        let mut all = files(&self.disk.image(), ROOT);
        all.retain(|path| Layout::is_temp(Path::new(path)));
        assert_eq!(all, [""; 0], "{:?}", self.how);
    }
}

fn main() -> Branch {
    branch("main")
}

fn degraded(is: bool) -> Reached {
    if is { Reached::Degraded } else { Reached::Durable }
}

/// So many commits with best effort; how many of them were told to be degraded.
fn best_effort(how: FsyncFailure, commits: usize) -> usize {
    let world = World::new(how, Durability::BestEffort, 42);
    let (mut tip, mut tip_is_lost) = (None, false);
    let mut told = 0;
    for n in 0..commits {
        let _pin = world.store.pin().unwrap();
        // Read under the pin, it is known to be durable: no barrier of it is made good.
        assert_eq!(world.store.read_branch(&main()).unwrap(), tip, "{how:?}: before commit {n}");
        let (blob, blob_failed) = world.watch(|store| store.put(format!("blob {n}").as_bytes()));
        assert_eq!(blob.receipt.reached, degraded(blob_failed), "{how:?}: blob {n}");
        let snapshot = Snapshot::of([("file", blob.id)]).unwrap();
        let (snapshot, snapshot_failed) = world.watch(|store| store.put_snapshot(&snapshot));
        let expected = degraded(snapshot_failed || blob_failed);
        assert_eq!(snapshot.receipt.reached, expected, "{how:?}: snapshot {n}");
        let commit = Commit::new(tip, snapshot.id, "tester", format!("commit {n}"), TIME);
        let (commit, commit_failed) = world.watch(|store| store.put_commit(&commit));
        let expected = degraded(commit_failed || snapshot_failed || tip_is_lost);
        assert_eq!(commit.receipt.reached, expected, "{how:?}: commit {n}");
        let expected = tip.map_or(Expected::Absent, Expected::At);
        let (moved, move_failed) =
            world.watch(|store| store.update_branch(&main(), commit.id, expected));
        assert_eq!(moved.reached, degraded(move_failed || commit_failed), "{how:?}: move {n}");
        told += usize::from(blob_failed || snapshot_failed || commit_failed || move_failed);
        (tip, tip_is_lost) = (Some(commit.id), commit_failed);
    }
    world.assert_no_temps();
    assert_eq!(world.faults.unfired(), []);
    let history = world.history();
    assert_eq!(history.len(), commits, "{how:?}");
    for (n, (_, commit)) in history.iter().rev().enumerate() {
        assert_eq!(commit.message, format!("commit {n}"), "{how:?}");
    }
    told
}

#[test]
fn with_best_effort_all_of_a_thousand_commits_land_and_are_told_what_they_reached() {
    let told = best_effort(FsyncFailure::Ext4Ordered, 1000);
    // Eight barriers each.
    assert!((750..900).contains(&told), "{told} commits are degraded");
}

#[test]
fn with_best_effort_commits_land_whatever_the_file_system_does_with_lost_bytes() {
    use FsyncFailure::{Btrfs, Ext4Data, Redirty, Xfs};
    for how in [Xfs, Btrfs, Redirty, Ext4Data] {
        assert!(best_effort(how, 100) > 50, "{how:?}");
    }
}

/// What is owed from one Mark on.
#[derive(Clone, Debug, Default)]
struct Owed {
    /// The acknowledged objects that are new.
    new: Vec<PathBuf>,
    /// Where the branch may be.
    tips: Vec<Option<ObjectId>>,
}

/// A strict run.
struct Strict {
    world: World,
    objects: Objects,
    /// For each Mark.
    owed: Vec<Owed>,
    /// Acknowledged, in their order.
    acknowledged: Vec<ObjectId>,
    /// Neither acknowledged nor undone.
    undecided: Vec<ObjectId>,
    failed: usize,
}

impl Strict {
    /// So many attempts; whatever fails is tried again as a new commit of the same bytes.
    fn run(how: FsyncFailure, attempts: usize) -> Self {
        let world = World::new(how, Durability::Strict, 42);
        let (objects, owed, acknowledged, undecided) = Default::default();
        let mut run = Self { world, objects, owed, acknowledged, undecided, failed: 0 };
        let mut tips = vec![None];
        for n in 0..attempts {
            let mut wrote = Vec::new();
            let done = run.attempt(n, &mut wrote);
            let new = match done {
                Ok(commit) => {
                    tips = vec![Some(commit)];
                    run.acknowledged.push(commit);
                    wrote.iter().map(|(path, _)| path.clone()).collect()
                }
                Err(Error::Undecided { .. }) => {
                    // Only a branch can be undecided, and its commit was written last.
                    let commit = wrote.last().map(|(_, bytes)| ObjectId::of(bytes)).unwrap();
                    tips.push(Some(commit));
                    run.undecided.push(commit);
                    Vec::new()
                }
                Err(Error::Io { .. } | Error::NotDurable { .. }) => {
                    run.failed += 1;
                    Vec::new()
                }
                Err(error) => panic!("{how:?}, attempt {n}: {error}"),
            };
            run.objects.extend(wrote);
            run.owed.push(Owed { new, tips: tips.clone() });
            run.world.disk.mark(format!("attempt {n}").as_bytes());
        }
        run
    }

    /// One commit; what it tried to write goes to `wrote`.
    fn attempt(&self, n: usize, wrote: &mut Vec<(PathBuf, Vec<u8>)>) -> Result<ObjectId> {
        let store = &self.world.store;
        let mut note = |bytes: Vec<u8>| {
            wrote.push((store.layout().object(&ObjectId::of(&bytes)), bytes.clone()));
            bytes
        };
        let _pin = store.pin()?;
        let tip = store.read_branch(&main())?;
        let blob = note(format!("blob {}", self.acknowledged.len()).into_bytes());
        let snapshot = Snapshot::of([("file", store.put(&blob)?.id)])?;
        note(serde_json::to_vec(&snapshot).unwrap());
        let snapshot = store.put_snapshot(&snapshot)?.id;
        let commit = Commit::new(tip, snapshot, "tester", format!("attempt {n}"), TIME);
        note(serde_json::to_vec(&commit).unwrap());
        let commit = store.put_commit(&commit)?.id;
        let moved =
            store.update_branch(&main(), commit, tip.map_or(Expected::Absent, Expected::At))?;
        assert_eq!(moved.reached, Reached::Durable);
        Ok(commit)
    }

    /// What was acknowledged is the history, but for what nobody knows.
    fn assert_running(&self) {
        self.world.assert_no_temps();
        let history: Vec<_> = self.world.history().into_iter().map(|(id, _)| id).collect();
        for id in &self.acknowledged {
            assert!(history.contains(id), "{:?}: {id} was acknowledged", self.world.how);
        }
        let told = |id: &&ObjectId| self.acknowledged.contains(id) || self.undecided.contains(id);
        assert_eq!(history.iter().find(|id| !told(id)), None, "{:?}", self.world.how);
    }

    /// All that crash states under a model lack, and how many states were looked at.
    fn cut_power(&self, model: &str) -> (Vec<String>, u64) {
        let trace = self.world.disk.trace();
        let order = PersistOrder::new(&trace, Model::preset(model).unwrap());
        let mut window = Window::first(&order);
        let last = window.durable().clone();
        let (newest, owed) = (None, BTreeSet::new());
        let mut look = Look { run: self, last, newest, owed, states: 0, lost: Vec::new() };
        let mut since = 0;
        while window.advance() {
            if window.marks() > since {
                since = window.marks();
                look.at(&window);
            }
        }
        assert_eq!(since as usize, self.owed.len());
        (look.lost, look.states)
    }
}

/// A walk over the crash states of a run.
struct Look<'r> {
    run: &'r Strict,
    /// The durable disk of the Mark before.
    last: DiskImage,
    /// The newest change that was pending there.
    newest: Option<EffectId>,
    /// What was acknowledged by then.
    owed: BTreeSet<PathBuf>,
    states: u64,
    lost: Vec<String>,
}

impl Look<'_> {
    /// The crash states right after a Mark.
    fn at(&mut self, window: &Window<'_>) {
        let mark = window.marks() - 1;
        let durable = window.durable();
        let Owed { new, .. } = self.run.owed[mark as usize].clone();
        for path in new {
            if !holds(durable, &path, &self.run.objects[&path]) {
                let is = bytes_at(durable, &path).map_or(MISSING, |_| "other bytes");
                self.lost.push(format!("mark {mark}: {}: {is}", path.display()));
            }
            self.owed.insert(path);
        }
        let last = std::mem::replace(&mut self.last, durable.clone());
        self.state(mark, &last, durable);
        let pending = window.pending();
        let all = mark.is_multiple_of(ALL);
        let first = pending.partition_point(|id| !all && Some(*id) <= self.newest);
        for position in first..pending.len() {
            self.state(mark, durable, &window.image(&window.kept_with(position)));
            let survives: Vec<_> =
                window.lost_with(&[position]).into_iter().map(|lost| !lost).collect();
            self.state(mark, durable, &window.image(&survives));
        }
        self.newest = pending.last().copied().max(self.newest);
    }

    /// A crash state, and one known already that it differs from.
    fn state(&mut self, mark: u32, known: &DiskImage, image: &DiskImage) {
        self.states += 1;
        for difference in known.diff(image) {
            let gone = matches!(difference.what, Differs::OnlyHere(_));
            let content = !matches!(difference.what, Differs::Mode { .. } | Differs::HardLinks);
            let path = Path::new("/").join(&difference.path);
            let below = gone
                && self.owed.range(path.clone()..).next().is_some_and(|p| p.starts_with(&path));
            let same = |path: &PathBuf| holds(image, path, &self.run.objects[path]);
            if below || content && self.owed.get(&path).is_some_and(|path| !same(path)) {
                self.lost.push(format!("mark {mark}: {difference}"));
            }
        }
        let tip = tip(image);
        let tips = &self.run.owed[mark as usize].tips;
        if !tip.as_ref().is_ok_and(|tip| tips.contains(tip)) {
            self.lost.push(format!("mark {mark}: main at {tip:?}; expected one of {tips:?}"));
        }
    }
}

const MISSING: &str = "missing";

fn bytes_at(image: &DiskImage, path: &Path) -> Option<Vec<u8>> {
    let inode = find(image, path.to_str().unwrap())?;
    let mut bytes = vec![0; usize::try_from(image.len(inode)).unwrap()];
    image.read(inode, &mut bytes, 0);
    Some(bytes)
}

fn holds(image: &DiskImage, path: &Path, bytes: &[u8]) -> bool {
    bytes_at(image, path).is_some_and(|found| found == bytes)
}

/// Where `main` is on a disk.
fn tip(image: &DiskImage) -> std::result::Result<Option<ObjectId>, String> {
    let Some(bytes) = bytes_at(image, Path::new("/store/refs/heads/main")) else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    text.parse().map(Some).map_err(|_| text)
}

/// A strict run whose crash states are looked at under some models.
fn strict(how: FsyncFailure, attempts: usize, models: &[&str]) {
    let run = Strict::run(how, attempts);
    run.assert_running();
    assert_eq!(run.world.faults.unfired(), []);
    let (acknowledged, undecided) = (run.acknowledged.len(), run.undecided.len());
    println!(
        "{how:?}: {attempts} attempts, {acknowledged} acknowledged, {} failed, {undecided} \
         undecided; {:?} syncs failed; {} events",
        run.failed,
        run.world.faults.fired(),
        run.world.disk.trace().events.len()
    );
    assert!(acknowledged * 12 > attempts && run.failed * 2 > attempts && undecided > 0);
    for model in models {
        let begun = std::time::Instant::now();
        let (lost, states) = run.cut_power(model);
        println!("  {model}: {states} crash states, {:?}", begun.elapsed());
        assert!(states > attempts as u64);
        assert_eq!(lost, [""; 0], "{how:?} under {model}");
    }
}

#[test]
fn strict_acknowledges_none_of_a_thousand_commits_that_a_power_cut_could_lose() {
    strict(FsyncFailure::Ext4Ordered, 1000, &["ext4", "posix"]);
}

#[test]
fn strict_acknowledges_nothing_that_is_lost_whatever_the_file_system_does_with_lost_bytes() {
    strict(FsyncFailure::Xfs, 200, &["xfs", "posix"]);
    strict(FsyncFailure::Btrfs, 200, &["btrfs", "posix"]);
    strict(FsyncFailure::Redirty, 200, &["ext4", "posix"]);
}

#[test]
fn a_sync_that_fails_without_saying_so_loses_the_bytes_of_its_file_and_no_more() {
    let run = Strict::run(FsyncFailure::Ext4Data, 200);
    run.assert_running();
    let (lost, _) = run.cut_power("ext4-data-journal");
    let (objects, others): (Vec<_>, Vec<_>) = lost.iter().partition(|l| l.contains("/objects/"));
    let gone = |lost: &&&String| lost.ends_with(MISSING) || lost.contains("only in the first");
    assert_eq!(objects.iter().find(gone), None);
    // A branch file without its bytes.
    let empty = |lost: &&&String| !lost.contains("main at Err(");
    assert_eq!(others.iter().find(empty), None);
    assert!(objects.len() > 10 && others.len() > 3, "{lost:?}");
}

/// On btrfs a failed sync takes the bytes of a new file back. With best effort an empty file got its
/// name then: a branch that nobody could read any more, and an object that was corrupt at once. Who has
/// the bytes writes them again, and who has not fails.
#[test]
fn with_best_effort_a_file_that_lost_its_bytes_gets_no_name() {
    let disk = SimFs::new();
    let fail = FaultRule::new(Fault::FailedSync(FsyncFailure::Btrfs));
    let all_fail = || Arc::new(Faults::new(&FaultPlan { rules: vec![fail.clone()] }));
    drop(Store::init_on(disk.clone(), Path::new(ROOT), Options::default()).unwrap());
    disk.create_new(Path::new("/source"), 0o644).unwrap().write_all_at(b"source", 0).unwrap();
    let fs = Faulty::new(disk.clone(), all_fail());
    let options = Options::durability(Durability::BestEffort);
    let store = Store::open_on(fs, Path::new(ROOT), options).unwrap();
    let put = store.put(b"bytes").unwrap();
    assert_eq!(put.receipt.reached, Reached::Degraded);
    assert_eq!(store.get(&put.id).unwrap().unwrap(), b"bytes");
    let snapshot = store.put_snapshot(&Snapshot::of([("file", put.id)]).unwrap()).unwrap().id;
    let commit = store.put_commit(&Commit::new([], snapshot, "tester", "first", TIME)).unwrap().id;
    let moved = store.update_branch(&main(), commit, Expected::Absent).unwrap();
    assert_eq!(moved.reached, Reached::Degraded);
    assert_eq!(store.read_branch(&main()).unwrap(), Some(commit));
    let head = Head::Detached(commit);
    assert_eq!(store.set_head(&head).unwrap().reached, Reached::Degraded);
    assert_eq!(store.head().unwrap(), Some(head));
    let text = Path::new("/text");
    let fs = Faulty::new(disk.clone(), all_fail());
    assert_eq!(write_text_atomic(&fs, text, "text", options).unwrap().reached, Reached::Degraded);
    assert!(holds(&disk.image(), text, b"text"));

    // Their bytes are not at hand.
    let _lost = store.put_from_path(Path::new("/source")).unwrap_err();
    let _lost = store.put_from_reader(&mut &b"stream"[..], Path::new("pipe")).unwrap_err();
    let _lost = store.restore(&put.id, text, false).unwrap_err();
    assert!(holds(&disk.image(), text, b"text"));
    let clean = Audit::run(&disk, Path::new(ROOT)).unwrap();
    assert_eq!(clean.problems, []);
    let mut all = files(&disk.image(), "/");
    all.retain(|path| Layout::is_temp(Path::new(path)));
    assert_eq!(all, [""; 0]);
}
