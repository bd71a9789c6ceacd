//! After an error nothing has happened: each operation, strict, with each of its calls failing once.
//!
//! Either the operation succeeds, or the old state is there: no temp, no new value of a ref, of HEAD or
//! of a text, and the same operation on the same open store then succeeds. What may stay is harmless:
//! objects, records of restores, kept corrupt bytes, a list or an operation that the next pin finishes. A
//! file restored into is old or new. On the simulated disk, since there are thousands of runs; some operations are
//! tried on the real one in `faults`.

mod operations;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use faultfs::{Access, CallKind, FileKind, Fs, FsFile, SimFs, Watched};
use plugpull_store::{
    Audit, Commit, Durability, Error, Expected, GcOptions, Head, Known, Layout, MergeState,
    ObjectId, Options, PackAccess, PackSweep, Result, Snapshot, Store, Ttl, write_text_atomic,
};

use crate::scratch::{TIME, branch, commit, one_file};
use crate::taps::{EDQUOT, EINTR, EIO, EMFILE, ENOSPC, EROFS, Failing, Fault};

const ROOT: &str = "/store";
const TEXT: &str = "/texts/deep/text";
const WORK: &str = "/work/deep/file";

type Disk = Watched<SimFs, Failing>;
type Files = BTreeMap<PathBuf, Vec<u8>>;

/// A disk whose calls can be made to fail, and a store on it.
struct World {
    disk: SimFs,
    failing: Arc<Failing>,
    store: Option<Store<Disk>>,
}

impl World {
    fn closed(disk: SimFs) -> Self {
        Self { disk, failing: Arc::default(), store: None }
    }

    fn on(disk: SimFs) -> Self {
        let mut world = Self::closed(disk);
        world.store = Store::open_on(world.fs(), Path::new(ROOT), Options::default()).ok();
        world
    }

    fn fs(&self) -> Disk {
        Watched::new(self.disk.clone(), Arc::clone(&self.failing))
    }

    fn store(&mut self) -> &mut Store<Disk> {
        self.store.as_mut().expect("the operation is one of a store")
    }

    fn files(&self) -> Files {
        let mut files = Files::new();
        let mut open = vec![PathBuf::from("/")];
        while let Some(dir) = open.pop() {
            for entry in self.disk.read_dir(&dir).unwrap() {
                let path = dir.join(entry.name);
                match entry.kind {
                    FileKind::Dir => open.push(path),
                    _ => drop(files.insert(path.clone(), self.read(&path))),
                }
            }
        }
        files
    }

    fn read(&self, path: &Path) -> Vec<u8> {
        let file = self.disk.open(path, Access::Read).unwrap();
        let mut bytes = vec![0; usize::try_from(file.metadata().unwrap().len).unwrap()];
        file.read_full_at(&mut bytes, 0).unwrap();
        bytes
    }
}

/// What may be as it was or as it would be after success, although the operation failed.
fn may_be_either(path: &Path) -> bool {
    let layout = Layout::new(Path::new(ROOT));
    let dirs = [layout.objects(), layout.quarantine(), layout.restores(), layout.locks()];
    let dirs = dirs.iter().any(|dir| path.starts_with(dir)) || path.starts_with("/work");
    dirs || *path == layout.format() || *path == layout.condemned()
}

/// The state that a failed operation left.
#[track_caller]
fn assert_old(what: &str, before: &Files, after: &Files, now: &Files) {
    let layout = Layout::new(Path::new(ROOT));
    let list = [before, now].iter().any(|files| files.contains_key(&layout.condemned()));
    let recorded = now.contains_key(&layout.pending_operation());
    for path in before.keys().chain(now.keys()) {
        let [old, new, is] = [before, after, now].map(|files| files.get(path));
        let first_head = old.is_none() && *path == layout.head() && is == new;
        let either = is == new && (recorded || may_be_either(path));
        // Whatever failed, a lease that is there sees to its pack.
        let transient = path.starts_with(layout.leases()) || path.starts_with(layout.packs());
        let lists = [layout.condemned(), layout.pending_operation(), layout.ended_operation()];
        let known = transient || lists.contains(path) || path.starts_with(layout.quarantine());
        assert!(is == old || either || first_head || known, "{what}: {}", path.display());
        let half = old.is_some() && is.is_none() && path.starts_with(layout.objects());
        assert!(!half || list, "{what}: {} is gone and no list says so", path.display());
    }
}

/// No temp that was not there before, whatever happened.
#[track_caller]
fn assert_no_temps(what: &str, before: &Files, now: &Files) {
    let new = now.keys().filter(|path| !before.contains_key(*path));
    let temps: Vec<_> = new.filter(|path| Layout::is_temp(path)).collect();
    assert!(temps.is_empty(), "{what}: {temps:?}");
}

/// All but what a second attempt may add to.
fn lasting(files: &Files) -> Files {
    let layout = Layout::new(Path::new(ROOT));
    let others = [layout.quarantine(), layout.leases(), layout.packs()];
    files
        .iter()
        .filter(|(p, _)| !others.iter().any(|dir| p.starts_with(dir)))
        .map(|(p, b)| (p.clone(), b.clone()))
        .collect()
}

/// Lets each call of `run` fail, on the store that `prepare` leaves.
#[track_caller]
fn at_every_call(prepare: impl Fn(&mut World), run: impl Fn(&mut World) -> Result<()>) {
    at_every_call_on(World::on, prepare, run);
}

/// As [`at_every_call`], on what `start` makes of the disk that `prepare` leaves.
#[track_caller]
fn at_every_call_on(
    start: impl Fn(SimFs) -> World,
    prepare: impl Fn(&mut World),
    run: impl Fn(&mut World) -> Result<()>,
) {
    let mut world = World::closed(SimFs::new());
    prepare(&mut world);
    let image = world.disk.image();
    let again = || start(SimFs::on(image.clone()));
    let mut probe = again();
    let before = probe.files();
    let failing = Arc::clone(&probe.failing);
    let calls = failing.probe(|| run(&mut probe).unwrap());
    let after = probe.files();
    let last = *calls.last().unwrap();
    let mut errors = 0;
    for errno in [EIO, ENOSPC, EDQUOT, EMFILE, EROFS, EINTR] {
        // With the first error at all calls, with the others not inside long runs of one kind.
        let calls = if errno == EIO { (0..=last).collect() } else { calls.clone() };
        for n in calls {
            let mut world = again();
            world.failing.set(Fault::with(errno).nth(n));
            let done = run(&mut world);
            let fired = world.failing.end();
            let what = format!("errno {errno} at call {n} ({fired:?}): {done:?}");
            assert_eq!(fired.len(), 1, "{what}");
            errors += u64::from(done.is_err());
            assert_trial(&what, &mut world, [&before, &after], (done.is_ok(), fired[0]), &run);
        }
    }
    assert!(errors > 20, "{errors} calls failed the operation");
}

#[track_caller]
fn assert_trial(
    what: &str,
    world: &mut World,
    [before, after]: [&Files; 2],
    (done, failed): (bool, CallKind),
    run: &impl Fn(&mut World) -> Result<()>,
) {
    let now = world.files();
    assert_no_temps(what, before, &now);
    let is_sync = matches!(failed, CallKind::SyncAll | CallKind::SyncDir | CallKind::SyncData);
    assert!(!done || !is_sync, "{what}: success in spite of a failed barrier");
    if !done {
        assert_old(what, before, after, &now);
        run(world).unwrap_or_else(|e| panic!("{what}, and the second attempt: {e}"));
    }
    let mut now = lasting(&world.files());
    // The next pin ends an empty list, and forgets what has ended.
    let layout = Layout::new(Path::new(ROOT));
    now.retain(|path, bytes| *path != layout.condemned() || !bytes.is_empty());
    now.remove(&layout.ended_operation());
    assert!(now == lasting(after), "{what}: the state after success");
    assert_eq!(Audit::run(&world.disk, Path::new(ROOT)).unwrap().problems, [], "{what}");
    assert!(World::on(world.disk.clone()).store.is_some(), "{what}");
}

fn init(world: &mut World) {
    let root = Path::new(ROOT);
    world.store = Some(Store::init_on(world.fs(), root, Options::default()).unwrap());
}

/// A commit that a branch leads to, and one that follows it.
fn two_commits(world: &mut World) -> [ObjectId; 2] {
    init(world);
    let store = world.store();
    let first = commit(store, "first");
    let snapshot = one_file(store, b"second");
    let second = Commit::new([first], snapshot, "tester", "second", TIME);
    let second = store.put_commit(&second).unwrap().id;
    let _ = store.update_branch(&branch("feat/x"), first, Expected::Absent).unwrap();
    [first, second]
}

/// The same two, known by their content.
fn ids() -> [ObjectId; 2] {
    two_commits(&mut World::on(SimFs::new()))
}

#[test]
fn a_put() {
    at_every_call(init, |world| world.store().put(b"content").map(drop));
}

#[test]
fn a_put_of_what_is_there() {
    let prepare = |world: &mut World| {
        init(world);
        let _ = world.store().put(b"content").unwrap();
    };
    at_every_call(prepare, |world| world.store().put(b"content").map(drop));
}

#[test]
fn a_put_that_repairs() {
    let prepare = |world: &mut World| {
        init(world);
        let id = world.store().put(b"content").unwrap().id;
        let path = world.store().layout().object(&id);
        world.disk.open(&path, Access::ReadWrite).unwrap().write_at(b"rotten!", 0).unwrap();
    };
    at_every_call(prepare, |world| world.store().put(b"content").map(drop));
}

#[test]
fn a_put_of_a_stream() {
    let name = Path::new("pipe");
    at_every_call(init, |world| {
        world.store().put_from_reader(&mut &b"content"[..], name).map(drop)
    });
}

#[test]
fn a_snapshot_and_a_commit() {
    let prepare = |world: &mut World| {
        init(world);
        let _ = world.store().put(b"blob").unwrap();
    };
    at_every_call(prepare, |world| {
        let snapshot = Snapshot::of([("file", ObjectId::of(b"blob"))])?;
        let snapshot = world.store().put_snapshot(&snapshot)?.id;
        let commit = Commit::new([], snapshot, "tester", "first", TIME);
        world.store().put_commit(&commit).map(drop)
    });
}

#[test]
fn a_new_branch_in_a_new_folder() {
    let [first, _] = ids();
    at_every_call(
        |world| {
            two_commits(world);
        },
        |world| {
            let name = branch("new/deep/branch");
            world.store().update_branch(&name, first, Expected::Absent).map(drop)
        },
    );
}

#[test]
fn a_branch_that_moves() {
    let [first, second] = ids();
    at_every_call(
        |world| {
            two_commits(world);
        },
        |world| {
            let name = branch("feat/x");
            world.store().update_branch(&name, second, Expected::At(first)).map(drop)
        },
    );
}

#[test]
fn a_corrupt_branch_that_is_forced() {
    let [first, _] = ids();
    let prepare = |world: &mut World| {
        two_commits(world);
        let path = world.store().layout().branch(&branch("feat/x"));
        world.disk.open(&path, Access::ReadWrite).unwrap().set_len(3).unwrap();
    };
    at_every_call(prepare, |world| {
        world.store().update_branch(&branch("feat/x"), first, Expected::Force).map(drop)
    });
}

#[test]
fn a_branch_that_is_deleted() {
    let [first, _] = ids();
    at_every_call(
        |world| {
            two_commits(world);
        },
        |world| world.store().delete_branch(&branch("feat/x"), Expected::At(first)).map(drop),
    );
}

#[test]
fn a_head() {
    let [_, second] = ids();
    for head in [Head::Branch(branch("other")), Head::Detached(second)] {
        at_every_call(
            |world| {
                two_commits(world);
            },
            |world| world.store().set_head(&head).map(drop),
        );
    }
}

#[test]
fn a_merge_that_begins_and_ends() {
    let [first, second] = ids();
    let [base_commit, ours_commit, theirs_commit] = [first, first, second];
    let conflict_paths = ["file".to_owned()].into();
    let state =
        MergeState { base_commit, ours_commit, theirs_commit, conflict_paths, other_branch: None };
    let commits = |world: &mut World| {
        two_commits(world);
    };
    at_every_call(commits, |world| {
        world.store().write_merge_state(&state, Known::Absent).map(drop)
    });
    let begun = |world: &mut World| {
        two_commits(world);
        let _ = world.store().write_merge_state(&state, Known::Absent).unwrap();
    };
    at_every_call(begun, |world| world.store().clear_merge_state(Known::Is(&state)).map(drop));
}

#[test]
fn a_remote() {
    let set =
        |world: &mut World, url: &str| world.store().set_remote("a", url, Known::Any).map(drop);
    at_every_call(init, |world| set(world, "new"));
    let prepare = |world: &mut World| {
        init(world);
        set(world, "old").unwrap();
    };
    at_every_call(prepare, |world| set(world, "new"));
}

#[test]
fn a_text() {
    let write = |world: &mut World, text| {
        write_text_atomic(&world.fs(), Path::new(TEXT), text, Durability::Strict).map(drop)
    };
    at_every_call(init, |world| write(world, "new"));
    let prepare = |world: &mut World| {
        init(world);
        write(world, "old").unwrap();
    };
    at_every_call(prepare, |world| write(world, "new"));
}

#[test]
fn a_restore() {
    let restore = |world: &mut World, bytes: &[u8]| {
        let id = ObjectId::of(bytes);
        let restored = world.store().restore(&id, Path::new(WORK), true);
        restored.map(|receipt| assert!(receipt.is_some()))
    };
    let put = |world: &mut World| {
        init(world);
        for bytes in [&b"old"[..], b"new"] {
            let _ = world.store().put(bytes).unwrap();
        }
    };
    at_every_call(put, |world| restore(world, b"new"));
    let prepare = |world: &mut World| {
        put(world);
        restore(world, b"old").unwrap();
    };
    at_every_call(prepare, |world| restore(world, b"new"));
}

#[test]
fn a_collection() {
    let prepare = |world: &mut World| {
        two_commits(world);
        for bytes in [&b"one"[..], b"two"] {
            let _ = world.store().put(bytes).unwrap();
            let path = Path::new(WORK);
            let _ = world.store().restore(&ObjectId::of(bytes), path, false).unwrap();
        }
    };
    at_every_call(prepare, |world| {
        world.store().gc(GcOptions { grace: Duration::ZERO, dry_run: false }).map(drop)
    });
}

#[test]
fn an_open_that_recovers() {
    let prepare = |world: &mut World| {
        init(world);
        let loose = world.store().put(b"loose").unwrap().id;
        let layout = world.store().layout().clone();
        let list = world.disk.create_new(&layout.condemned(), 0o644).unwrap();
        list.write_all_at(format!("{loose}\n").as_bytes(), 0).unwrap();
        let orphan = world.disk.create_new(&layout.objects().join(".obj-tmp-1-1"), 0o644);
        orphan.unwrap().write_all_at(b"torn", 0).unwrap();
    };
    at_every_call_on(World::closed, prepare, |world| {
        Store::open_on(world.fs(), Path::new(ROOT), Options::default()).map(drop)
    });
}

#[test]
fn an_init() {
    at_every_call(
        |_| (),
        |world| Store::init_on(world.fs(), Path::new(ROOT), Options::default()).map(drop),
    );
}

#[test]
fn a_fetch_and_one_that_makes_it_last_longer() {
    let [_, second] = ids();
    let fetch = |world: &mut World, ttl| {
        let store = world.store();
        let place = store.pack_directory(Some("http://packs"));
        store.fetch_pack(&place, &[second], &[], ttl).map(drop)
    };
    let commits = |world: &mut World| {
        two_commits(world);
    };
    at_every_call(commits, |world| fetch(world, Ttl::SHORTEST));
    let fetched = |world: &mut World| {
        commits(world);
        fetch(world, Ttl::SHORTEST).unwrap();
    };
    at_every_call(fetched, |world| fetch(world, Ttl::LONGEST));
}

/// A failed deletion is no error of a sweep, but it says so.
#[test]
fn a_sweep_of_packs() {
    let [_, second] = ids();
    let prepare = |world: &mut World| {
        two_commits(world);
        let store = world.store();
        let place = store.pack_directory(Some("http://packs"));
        let _ = store.fetch_pack(&place, &[second], &[], Ttl::default()).unwrap();
    };
    at_every_call(prepare, |world| {
        let store = world.store();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(TIME as u64 + 10_000);
        let sweep = PackSweep { dead: true, ..PackSweep::at(now) };
        let swept = store.sweep_packs_with(&store.pack_directory(None), sweep)?;
        let problem = format!("{:?}", swept.failed);
        let failed = Error::PackBackend { op: "delete", backend: "directory".to_owned(), problem };
        if swept.failed.is_empty() { Ok(()) } else { Err(failed) }
    });
}

#[test]
fn an_import_of_a_pack() {
    let mut other = World::closed(SimFs::new());
    let [_, second] = two_commits(&mut other);
    let store = other.store();
    let fetched = store.fetch_pack(&store.pack_directory(None), &[second], &[], Ttl::default());
    let PackAccess::Inline(bytes) = fetched.unwrap().access else { panic!("it has no URLs") };
    at_every_call(init, |world| world.store().import_pack(&bytes).map(drop));
}
