//! The disk on which a recorded run begins: a store with a past, and what is wrong with it.
//!
//! All of it counts as durable. A mistake here is one of ours, so it panics.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use faultfs::{Access, Call, CallKind, DiskImage, Fs, FsFile, SimFs, Watched, Watcher};
use plugpull_store::{Layout, Lease, LeaseState, ObjectId, Options, PackKey};

use super::journal::{Contents, Journal};
use super::marks::Mark;
use super::mortal::Mortal;
use super::perform::{Writer, init, source_path};
use super::plan::{Begin, Bytes, Damage, Plan, Step};
use super::{SOURCES, STORE, WORK};

/// A disk, and how it came to be.
pub(super) struct Start {
    pub(super) image: DiskImage,
    pub(super) marks: Vec<Mark>,
    pub(super) contents: Contents,
    /// The bytes that damaged objects have instead of their own.
    pub(super) corrupt: BTreeMap<ObjectId, Bytes>,
    /// The temps that dead writers left.
    pub(super) temps: Vec<String>,
    /// The record that is none.
    pub(super) bad_record: Option<String>,
    /// The store must be raised before it can be opened.
    pub(super) older: bool,
}

/// The disk that this plan begins on.
pub(super) fn make(plan: &Plan) -> Start {
    let disk = SimFs::new();
    let journal = Journal::of(disk.clone());
    let mut corrupt = BTreeMap::new();
    let (mut temps, mut bad_record) = (Vec::new(), None);
    if plan.begin != Begin::Init {
        outside(&disk, &plan.sources).expect("a new disk takes files");
        make_store(&disk, &journal, plan);
        match &plan.damage {
            Damage::None => {}
            Damage::Corrupt(objects) => corrupt = damage(&disk, objects),
            Damage::Leftovers => temps = leave(&disk, &journal),
            Damage::OldPacks => leave_packs(&disk),
            Damage::BadRecord => bad_record = Some(spoil_record(&disk)),
            Damage::TornLog => tear_log(&disk).expect("the log is there"),
            Damage::OlderFormat => make_older(&disk).expect("a store has all of it"),
        }
    }
    if let Some(at) = plan.init_before {
        let made = init_killed(&SimFs::new(), u64::MAX);
        init_killed(&disk, at.of(made));
    }
    let image = disk.image();
    let (marks, contents) = journal.close();
    let failed = marks.iter().find(|mark| matches!(mark, Mark::Failed(_)));
    let expected = matches!(plan.damage, Damage::Leftovers);
    assert!(failed.is_none() || expected, "the start failed: {failed:?}");
    let older = matches!(plan.damage, Damage::OlderFormat);
    Start { image, marks, contents, corrupt, temps, bad_record, older }
}

/// The directories beside the store, and the source files.
fn outside(disk: &SimFs, sources: &[Bytes]) -> io::Result<()> {
    disk.mkdir(Path::new(WORK), 0o755)?;
    disk.mkdir(Path::new(SOURCES), 0o755)?;
    for (n, bytes) in sources.iter().enumerate() {
        file(disk, Path::new(&source_path(n)), bytes)?;
    }
    Ok(())
}

fn file(disk: &SimFs, path: &Path, bytes: &[u8]) -> io::Result<()> {
    disk.create_new(path, 0o644)?.write_all_at(bytes, 0)
}

fn make_store(disk: &SimFs, journal: &Journal, plan: &Plan) {
    drop(init(disk.clone(), Options::default(), journal));
    if !plan.before.is_empty() {
        let mut writer = writer(disk.clone(), journal, plan);
        plan.before.iter().for_each(|step| writer.step(step));
    }
}

fn writer<'j, F: Fs>(fs: F, journal: &'j Journal, plan: &'j Plan) -> Writer<'j, F> {
    let name = "before".to_owned();
    let writer = Writer::open(fs, Options::default(), journal, name, &plan.sources);
    writer.expect("a new store can be opened")
}

/// Damages objects, each in one of three ways.
fn damage(disk: &SimFs, objects: &[Bytes]) -> BTreeMap<ObjectId, Bytes> {
    let layout = Layout::new(Path::new(STORE));
    let damage = |(n, bytes): (usize, &Bytes)| {
        let mut bad = bytes.to_vec();
        match n % 3 {
            0 => bad.fill(0),
            1 => bad.truncate(bytes.len() / 2),
            _ => bad[0] ^= 1,
        }
        let id = ObjectId::of(bytes);
        let file = disk.open(&layout.object(&id), Access::ReadWrite).expect("it was put");
        file.set_len(bad.len() as u64).expect("it can be cut");
        file.write_all_at(&bad, 0).expect("it can be written");
        (id, bad.into())
    };
    objects.iter().enumerate().map(damage).collect()
}

/// An init that nobody hears of; returns how many calls it made until it was killed.
fn init_killed(disk: &SimFs, lives_for: u64) -> u64 {
    let mortal = Arc::new(Mortal::new(lives_for, Arc::default()));
    let fs = Watched::new(disk.clone(), Arc::clone(&mortal));
    drop(init(fs, Options::default(), &Journal::of(SimFs::new())));
    mortal.made()
}

/// Lets every call fail from the second unlink of an object on, as if the program were killed there.
#[derive(Default)]
struct KilledInGc {
    unlinks: AtomicU32,
}

impl Watcher for KilledInGc {
    fn before(&self, call: &Call<'_>) -> io::Result<()> {
        let objects = Layout::new(Path::new(STORE)).objects();
        let counts = call.kind == CallKind::Unlink && call.path.starts_with(objects);
        let unlinks = self.unlinks.fetch_add(u32::from(counts), Ordering::Relaxed);
        if unlinks + u32::from(counts) >= 2 { Err(io::ErrorKind::Other.into()) } else { Ok(()) }
    }
}

/// An interrupted collection, and a temp of each kind in each kind of place.
fn leave(disk: &SimFs, journal: &Journal) -> Vec<String> {
    let killed = Watched::new(disk.clone(), Arc::new(KilledInGc::default()));
    writer(killed, journal, &Plan::default()).step(&Step::Gc);
    let layout = Layout::new(Path::new(STORE));
    assert!(disk.metadata(&layout.condemned()).is_ok(), "the collection was not interrupted");
    let temps = [
        (layout.root().to_owned(), ".state-tmp-1-f0"),
        (layout.heads(), ".state-tmp-1-f1"),
        (layout.restores(), ".state-tmp-1-f2"),
        (layout.objects(), ".obj-tmp-1-f3"),
        (PathBuf::from(format!("{WORK}/tree")), ".restore-tmp-1-f4"),
    ];
    // The collection came too early for the record of the directory that is restored into.
    let tree = format!("{WORK}/tree");
    let record = layout.restores().join(ObjectId::of(tree.as_bytes()).hex());
    file(disk, &record, tree.as_bytes()).expect("the collection took the record");
    let make = |(dir, name): (PathBuf, &str)| {
        let path = dir.join(name);
        assert!(Layout::is_temp(&path), "{name} is no temp");
        file(disk, &path, b"half of somethi").expect("the name is free");
        path.display().to_string()
    };
    temps.map(make).to_vec()
}

/// A record that names another directory than it should.
fn spoil_record(disk: &SimFs) -> String {
    let restores = Layout::new(Path::new(STORE)).restores();
    let record = restores.join(ObjectId::of(b"/work/one").hex());
    file(disk, &record, b"/work/other").expect("the name is free");
    record.display().to_string()
}

/// Half of a record at the end of the operation log.
fn tear_log(disk: &SimFs) -> io::Result<()> {
    let log = disk.open(&Layout::new(Path::new(STORE)).log(), Access::ReadWrite)?;
    let end = log.metadata()?.len;
    log.write_all_at(br#"0000004c 0123456789abcdef {"seq":2,"session":"writ"#, end)
}

/// Takes away what format 2 has and format 1 had not.
fn make_older(disk: &SimFs) -> io::Result<()> {
    let layout = Layout::new(Path::new(STORE));
    let below = ["coordination/intents", "coordination/reservations", "coordination"];
    for dir in below.iter().chain(&["leases", "operations", "oplog", "packs"]) {
        disk.rmdir(&layout.root().join(dir))?;
    }
    for lock in ["config", "coordination", "leases", "operation", "oplog", "state"] {
        disk.unlink(&layout.locks().join(lock))?;
    }
    let format = disk.open(&layout.format(), Access::ReadWrite)?;
    format.set_len(0)?;
    format.write_all_at(b"plugpull-store 1\n", 0)
}

/// Packs of another year: a lease whose pack is gone, a pack whose time is over, and one whose deletion
/// failed before.
fn leave_packs(disk: &SimFs) {
    let layout = Layout::new(Path::new(STORE));
    let states = [(LeaseState::Live, 0), (LeaseState::Live, 0), (LeaseState::Deleting, 3)];
    for (n, (state, attempts)) in (0..).zip(states) {
        let pack = format!("pack {n}");
        let key = PackKey { id: ObjectId::of(pack.as_bytes()), generation: n };
        let lease = Lease {
            pack: key.id,
            generation: n,
            backend: "directory".to_owned(),
            due: 1,
            state,
            attempts,
            retry: 0,
            error: String::new(),
        };
        let json = serde_json::to_string(&lease).expect("it has text keys");
        let text = format!("{} {json}\n", ObjectId::of(json.as_bytes()).hex());
        file(disk, &layout.lease(&key), text.as_bytes()).expect("the name is free");
        if n > 0 {
            file(disk, &layout.pack(&key), pack.as_bytes()).expect("the name is free");
        }
    }
}
