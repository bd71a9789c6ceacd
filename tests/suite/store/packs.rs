//! Transient packs: what is in them, who may delete them, and what becomes of a deletion that fails.
//!
//! Their seeds are in `seeds::transient_packs`, power cuts in the workloads `packs`. Time is what each
//! sweep is told.

use std::cell::Cell;
use std::fs;
use std::time::{Duration, SystemTime};

use plugpull_store::{
    Commit, Error, Expected, FetchedPack, GcOptions, LeaseState, ObjectId, PackAccess, PackBackend,
    PackKey, PackMemory, PackSweep, PackTimers, ProblemKind, Reached, Result, Snapshot, Store,
    TimerClock, Ttl,
};

use crate::scratch::{Scratch, TIME, at_once, branch, commit, one_file};

/// Two commits, the second on top of the first, with a file in common.
fn two_commits(store: &Store) -> [ObjectId; 2] {
    let [a, b, c] = [b"a", b"b", b"c"].map(|bytes| store.put(bytes).unwrap().id);
    let mut tip = None;
    [[a, b], [a, c]].map(|[one, other]| {
        let snapshot = Snapshot::of([("one", one), ("other", other)]).unwrap();
        let snapshot = store.put_snapshot(&snapshot).unwrap().id;
        let commit = Commit::new(tip, snapshot, "tester", "message", TIME);
        let id = store.put_commit(&commit).unwrap().id;
        tip = Some(id);
        id
    })
}

fn inline(store: &Store, want: &[ObjectId], have: &[ObjectId]) -> (FetchedPack, Vec<u8>) {
    let fetched = fetch(store, &PackMemory::without_urls(), want, have).unwrap();
    match fetched.access.clone() {
        PackAccess::Inline(bytes) => (fetched, bytes),
        PackAccess::Url { .. } => panic!("there are no URLs"),
    }
}

fn fetch(
    store: &Store,
    place: &impl PackBackend,
    want: &[ObjectId],
    have: &[ObjectId],
) -> Result<FetchedPack> {
    store.fetch_pack(place, want, have, Ttl::default())
}

/// A pack with a URL, of one commit.
fn fetched(store: &Store, place: &impl PackBackend, message: &str) -> (PackKey, u64) {
    fetched_for(store, place, message, Ttl::default())
}

/// The same for so long.
fn fetched_for(store: &Store, place: &impl PackBackend, message: &str, ttl: Ttl) -> (PackKey, u64) {
    let tip = commit(store, message);
    match store.fetch_pack(place, &[tip], &[], ttl).unwrap().access {
        PackAccess::Url { key, due, .. } => (key, due),
        PackAccess::Inline(_) => panic!("there are URLs"),
    }
}

/// So many seconds after a time in milliseconds.
fn after(due: u64, seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(due) + Duration::from_secs(seconds)
}

#[test]
fn a_pack_holds_what_is_wanted_and_not_known() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let [first, second] = two_commits(&store);
    let (all, bytes) = inline(&store, &[second], &[]);
    assert_eq!((all.commits, all.objects, all.unknown_have), (2, 7, 0));
    assert_eq!((all.id, all.bytes), (ObjectId::of(&bytes), bytes.len() as u64));
    let (some, _) = inline(&store, &[second, second], &[first, ObjectId::of(b"elsewhere")]);
    assert_eq!((some.commits, some.objects, some.unknown_have), (1, 3, 1));
    let (none, _) = inline(&store, &[first], &[second]);
    assert_eq!((none.commits, none.objects), (0, 0));
}

#[test]
fn equal_content_is_an_equal_pack_whatever_was_asked_in_which_order() {
    let [one, other] = [Scratch::new(), Scratch::new()];
    let [_, second] = two_commits(&one.open());
    let x = commit(&one.open(), "x");
    commit(&other.open(), "unrelated");
    assert_eq!(commit(&other.open(), "x"), x);
    two_commits(&other.open());
    let pack = inline(&one.open(), &[second, x], &[]);
    assert_eq!(inline(&other.open(), &[x, second, x], &[]), pack);
}

#[test]
fn what_cannot_be_fetched_is_told() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let place = PackMemory::default();
    let unknown = ObjectId::of(b"unknown");
    let error = fetch(&store, &place, &[unknown], &[]).unwrap_err();
    assert!(
        matches!(error, Error::Dangling { what: "commit", id, .. } if id == unknown),
        "{error}"
    );
    let snapshot = one_file(&store, b"x");
    for (want, have) in [([snapshot].to_vec(), vec![]), (vec![], [snapshot].to_vec())] {
        let error = fetch(&store, &place, &want, &have).unwrap_err();
        assert!(matches!(error, Error::WrongKind { expected: "commit", .. }), "{error}");
    }
    let tip = commit(&store, "lacks its blob");
    fs::remove_file(scratch.layout().object(&ObjectId::of(b"lacks its blob"))).unwrap();
    let error = fetch(&store, &place, &[tip], &[]).unwrap_err();
    assert!(matches!(error, Error::Dangling { what: "blob", .. }), "{error}");
    assert_eq!((place.keys(), store.leases().unwrap()), (vec![], vec![]), "nothing was begun");
}

#[test]
fn a_pack_is_taken_into_another_store() {
    let [from, to] = [Scratch::new(), Scratch::new()];
    let [first, second] = two_commits(&from.open());
    let store = to.open();
    let (_, base) = inline(&from.open(), &[first], &[]);
    let (_, rest) = inline(&from.open(), &[second], &[first]);
    let error = store.import_pack(&rest).unwrap_err();
    assert!(matches!(error, Error::Dangling { .. }), "{error}");
    let imported = store.import_pack(&base).unwrap();
    assert_eq!((imported.objects, imported.new), (4, 4));
    let imported = store.import_pack(&rest).unwrap();
    assert_eq!(imported.commits, [second]);
    assert_eq!(imported.reached, Reached::Durable);
    let again = store.import_pack(&rest).unwrap();
    assert_eq!((again.objects, again.new), (3, 0));
    let _ = store.update_branch(&branch("main"), second, Expected::Absent).unwrap();
    assert_eq!(store.read_commit(&second).unwrap().unwrap().parents, [first]);
    to.assert_clean();
}

#[test]
fn of_a_damaged_pack_nothing_is_put() {
    let [from, to] = [Scratch::new(), Scratch::new()];
    let [_, second] = two_commits(&from.open());
    let (_, bytes) = inline(&from.open(), &[second], &[]);
    for at in (0..bytes.len()).step_by(7) {
        let mut bad = bytes.clone();
        bad[at] ^= 0x20;
        let error = to.open().import_pack(&bad).unwrap_err();
        assert!(matches!(error, Error::BadPack { .. }), "{error}");
        assert!(matches!(to.open().import_pack(&bytes[..at]), Err(Error::BadPack { .. })));
    }
    assert_eq!(to.object_files(), [""; 0].map(std::path::PathBuf::from));
}

#[test]
fn an_object_of_equal_bytes_is_not_deleted_with_its_pack() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let place = store.pack_directory(Some("http://packs/"));
    let (key, due) = fetched(&store, &place, "x");
    let bytes = place.get(&key).unwrap().unwrap();
    assert_eq!(store.put(&bytes).unwrap().id, key.id);
    assert_eq!(place.url(&key, Ttl::default()).unwrap(), format!("http://packs/{key}"));
    assert_eq!(store.sweep_packs(&place, after(due, 0)).unwrap().deleted, [key]);
    assert_eq!(store.get(&key.id).unwrap(), Some(bytes));
    assert!(!scratch.layout().pack(&key).exists());
    scratch.assert_clean();
}

#[test]
fn a_collection_and_a_sweep_leave_each_other_alone() {
    let scratch = Scratch::new();
    let mut store = scratch.open();
    let (key, due) = fetched(&store, &store.pack_directory(Some("http://packs")), "x");
    let options = GcOptions { grace: Duration::ZERO, dry_run: false };
    assert_eq!(store.gc(options).unwrap().deleted, 3);
    let place = store.pack_directory(Some("http://packs"));
    assert!(place.exists(&key).unwrap() && store.leases().unwrap().len() == 1);
    // The pack has all that the collection took.
    let _ = store.import_pack(&place.get(&key).unwrap().unwrap()).unwrap();
    store.sweep_packs(&place, after(due, 0)).unwrap();
    assert_eq!(scratch.object_files().len(), 3);
    scratch.assert_clean();
}

/// Does something while a pack is being put.
struct Meanwhile<'p, W> {
    place: &'p PackMemory,
    work: W,
    late: bool,
}

impl<W: Fn() + Send + Sync> PackBackend for Meanwhile<'_, W> {
    fn name(&self) -> &str {
        self.place.name()
    }

    fn has_urls(&self) -> bool {
        true
    }

    fn acts_late(&self) -> bool {
        self.late
    }

    fn put(&self, key: &PackKey, bytes: &[u8]) -> Result<Reached> {
        (self.work)();
        self.place.put(key, bytes)
    }

    fn get(&self, key: &PackKey) -> Result<Option<Vec<u8>>> {
        self.place.get(key)
    }

    fn exists(&self, key: &PackKey) -> Result<bool> {
        self.place.exists(key)
    }

    fn delete(&self, key: &PackKey) -> Result<()> {
        self.place.delete(key)
    }

    fn url(&self, key: &PackKey, ttl: Ttl) -> Result<String> {
        self.place.url(key, ttl)
    }
}

#[test]
fn what_is_being_put_is_not_swept() {
    let scratch = Scratch::new();
    let place = PackMemory::default();
    let other = scratch.open();
    let work = || {
        let swept = other.sweep_packs(&place, after(u64::from(u32::MAX) * 1000, 0)).unwrap();
        assert_eq!((swept.busy.len(), swept.deleted.len()), (1, 0), "{swept:?}");
    };
    let (key, due) = fetched(&scratch.open(), &Meanwhile { place: &place, work, late: false }, "x");
    assert!(place.exists(&key).unwrap());
    assert_eq!(other.sweep_packs(&place, after(due, 0)).unwrap().deleted, [key]);
}

/// A pack that cannot be put leaves a lease, and that sees to what may be there.
#[test]
fn a_fetch_that_fails_leaves_nothing_for_ever() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let place = store.pack_directory(Some("http://packs"));
    let tip = commit(&store, "x");
    fs::remove_dir(scratch.layout().packs()).unwrap();
    assert!(fetch(&store, &place, &[tip], &[]).is_err());
    fs::create_dir(scratch.layout().packs()).unwrap();
    let [entry] = &store.leases().unwrap()[..] else { panic!("one lease") };
    let due = entry.lease.as_ref().unwrap().due;
    assert_eq!(store.sweep_packs(&place, after(due, 0)).unwrap().deleted, [entry.key]);
    assert_eq!(store.leases().unwrap(), []);
    scratch.assert_clean();
}

#[test]
fn a_key_whose_deletion_may_still_come_is_not_used_again() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let place = PackMemory::default();
    let late = Meanwhile { place: &place, work: || {}, late: true };
    let (key, due) = fetched(&store, &late, "x");
    place.refuse_deletions(1, "no answer within 5 s");
    assert_eq!(store.sweep_packs(&late, after(due, 0)).unwrap().failed, [key]);
    let (again, _) = fetched(&store, &late, "x");
    assert!(again.id == key.id && again != key);
    // The request was carried out after all.
    place.delete(&key).unwrap();
    assert!(place.exists(&again).unwrap());
}

#[test]
fn a_deletion_that_always_fails_is_listed_in_the_end_and_tried_again_on_demand() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let place = PackMemory::default();
    place.refuse_deletions(16, "permission denied");
    let (key, due) = fetched(&store, &place, "x");
    let mut now = after(due, 0);
    let mut tries = 0;
    let dead = loop {
        let swept = store.sweep_packs(&place, now).unwrap();
        tries += 1;
        match swept.kept[..] {
            [(_, retry)] => now = after(retry, 0),
            _ => break swept.dead,
        }
        assert!(tries < 20);
        scratch.assert_clean();
    };
    assert_eq!((dead, tries), (vec![key], 16));
    assert!(now < after(due, 2 * 3600), "it is bounded");
    store.sweep_packs(&place, after(due, 1 << 30)).unwrap();
    assert_eq!(place.deletions().len(), 16, "it is not tried any more");
    let problems = scratch.audit().problems;
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].kind, ProblemKind::DeadLease);
    assert!(problems[0].detail.contains("permission denied"), "{problems:?}");
    let swept = store.sweep_packs_with(&place, PackSweep { dead: true, ..PackSweep::at(now) });
    assert_eq!(swept.unwrap().deleted, [key]);
    scratch.assert_clean();
}

#[test]
fn leases_that_are_torn_or_of_another_clock_are_mended_and_kept_no_longer_than_any() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let place = store.pack_directory(Some("http://packs"));
    let (key, due) = fetched(&store, &place, "x");
    let text = fs::read(scratch.layout().lease(&key)).unwrap();
    fs::write(scratch.layout().lease(&key), &text[..text.len() / 2]).unwrap();
    assert_eq!(scratch.audit().problems[0].kind, ProblemKind::BadLease);
    assert!(store.leases().unwrap()[0].lease.is_err());
    let swept = store.sweep_packs(&place, after(due, 0)).unwrap();
    assert_eq!((swept.mended, swept.kept), (1, vec![(key, due + 7_200_000)]));
    scratch.assert_clean();
    // The clock is set back by a day.
    let back = after(due, 0) - Duration::from_hours(24);
    let swept = store.sweep_packs(&place, back).unwrap();
    let until = due - 24 * 3_600_000 + 7_200_000;
    assert_eq!((swept.mended, swept.kept), (1, vec![(key, until)]));
    assert_eq!(store.sweep_packs(&place, after(until, 0)).unwrap().deleted, [key]);
}

/// Else a sweep of one place would forget a pack that lies in another.
#[test]
fn a_torn_lease_is_left_to_the_place_where_its_pack_is() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let place = PackMemory::default();
    let (key, due) = fetched(&store, &place, "x");
    fs::write(scratch.layout().lease(&key), b"torn").unwrap();
    let directory = store.pack_directory(None);
    let swept = store.sweep_packs(&directory, after(due, 0)).unwrap();
    assert_eq!((swept.others, swept.mended), (1, 0));
    let swept = store.sweep_packs(&place, after(due, 0)).unwrap();
    assert_eq!((swept.others, swept.mended), (0, 1));
    assert_eq!(store.sweep_packs(&directory, after(due, 10_000)).unwrap().others, 1);
    assert_eq!(store.sweep_packs(&place, after(due, 10_000)).unwrap().deleted, [key]);
}

#[test]
fn packs_and_leases_that_should_not_be_are_found_by_the_audit() {
    let scratch = Scratch::new();
    let (packs, leases) = (scratch.layout().packs(), scratch.layout().leases());
    let key = PackKey { id: ObjectId::of(b"x"), generation: 1 };
    fs::write(packs.join(key.to_string()), b"x").unwrap();
    fs::write(packs.join("notes"), b"x").unwrap();
    fs::create_dir(leases.join(key.to_string().replace('1', "2"))).unwrap();
    let kinds: Vec<_> = scratch.audit().problems.iter().map(|problem| problem.kind).collect();
    let [foreign, without] = [ProblemKind::Foreign, ProblemKind::PackWithoutLease];
    assert_eq!(kinds, [foreign, foreign, without]);
}

#[test]
fn many_sweeps_and_fetches_at_once_delete_each_pack_once() {
    let scratch = Scratch::new();
    let place = PackMemory::default();
    let stores: Vec<Store> = (0..8).map(|_| scratch.open()).collect();
    let due = at_once(8, |n| fetched(&stores[n], &place, &format!("pack {}", n / 2)).1);
    let late = after(due.into_iter().max().unwrap(), 0);
    assert_eq!(place.keys().len(), 4, "equal content has one pack");
    let deleted = at_once(8, |n| {
        let sweep = PackSweep { at_once: 3, ..PackSweep::at(late) };
        stores[n].sweep_packs_with(&place, sweep).unwrap().deleted.len()
    });
    assert_eq!((deleted.iter().sum::<usize>(), place.deletions().len()), (4, 4));
    assert_eq!((place.keys(), stores[0].leases().unwrap()), (vec![], vec![]));
}

/// Two clocks that a test sets.
struct Clock {
    now: Cell<SystemTime>,
    elapsed: Cell<Duration>,
}

impl Clock {
    fn pass(&self, time: Duration) {
        self.now.set(self.now.get() + time);
        self.elapsed.set(self.elapsed.get() + time);
    }
}

impl TimerClock for Clock {
    fn now(&self) -> SystemTime {
        self.now.get()
    }

    fn elapsed(&self) -> Duration {
        self.elapsed.get()
    }
}

/// A store with one pack of five minutes, and clocks at the moment when it was made.
fn timed(place: &PackMemory) -> (Scratch, PackKey, Clock) {
    let scratch = Scratch::new();
    let (key, due) = fetched(&scratch.open(), place, "x");
    let made = after(due, 0) - Duration::from_mins(10);
    (scratch, key, Clock { now: Cell::new(made), elapsed: Cell::default() })
}

#[test]
fn timers_wait_until_a_pack_is_due_and_delete_it_once() {
    let place = PackMemory::default();
    let (scratch, key, clock) = timed(&place);
    let store = scratch.open();
    let mut timers = PackTimers::new(&store, &place, 2);
    let (mut waited, mut deleted) = (Duration::ZERO, Vec::new());
    let mut steps = 0;
    timers.run(
        &clock,
        &mut |pause| {
            clock.pass(pause);
            waited += pause;
            steps += 1;
            waited < Duration::from_mins(30)
        },
        &mut |swept| {
            deleted.extend(swept.unwrap().deleted.into_iter().map(|key| (key, clock.elapsed())));
        },
    );
    assert_eq!(deleted, [(key, Duration::from_mins(10))]);
    assert_eq!(place.deletions(), [key]);
    assert!(steps < 40, "{steps} steps for a look each minute");
    assert!(timers.is_empty());
}

#[test]
fn a_wall_clock_that_is_set_deletes_nothing_early_and_keeps_nothing_longer() {
    for set in [Duration::from_hours(24), Duration::ZERO] {
        let place = PackMemory::default();
        let (scratch, key, clock) = timed(&place);
        let store = scratch.open();
        let mut timers = PackTimers::new(&store, &place, 1);
        timers.step(&clock).unwrap();
        assert_eq!(timers.len(), 1);
        // Forwards by a day, or back by a day.
        let day = Duration::from_hours(24);
        clock.now.set(if set == day { clock.now() + day } else { clock.now() - day });
        clock.pass(Duration::from_secs(599));
        assert_eq!(timers.step(&clock).unwrap().0.deleted, []);
        clock.pass(Duration::from_secs(1));
        assert_eq!(timers.step(&clock).unwrap().0.deleted, [key]);
    }
}

#[test]
fn timers_try_again_what_failed_and_see_what_others_fetch() {
    let place = PackMemory::default();
    let (scratch, key, clock) = timed(&place);
    let store = scratch.open();
    place.refuse_deletions(2, "not now");
    let mut timers = PackTimers::new(&store, &place, 1);
    timers.step(&clock).unwrap();
    clock.pass(Duration::from_mins(10));
    assert_eq!(timers.step(&clock).unwrap().0.failed, [key]);
    let (swept, pause) = timers.step(&clock).unwrap();
    assert_eq!((swept.failed.len(), pause), (0, Duration::from_secs(1)));
    clock.pass(pause);
    assert_eq!(timers.step(&clock).unwrap().0.failed, [key]);
    clock.pass(Duration::from_secs(2));
    assert_eq!(timers.step(&clock).unwrap().0.deleted, [key]);
    // Another process.
    let (other, _) = fetched_for(&scratch.open(), &place, "y", Ttl::LONGEST);
    assert!(timers.is_empty());
    clock.pass(Duration::from_mins(1));
    timers.step(&clock).unwrap();
    assert_eq!(timers.len(), 1);
    // A process that ends leaves its leases to the next one.
    drop(timers);
    clock.pass(Duration::from_hours(3));
    let (swept, _) = PackTimers::new(&store, &place, 1).step(&clock).unwrap();
    assert_eq!(swept.deleted, [other]);
}

#[test]
fn a_lease_of_another_place_is_left_alone() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let (_, due) = fetched(&store, &PackMemory::default(), "x");
    let swept = store.sweep_packs(&store.pack_directory(None), after(due, 1000)).unwrap();
    assert_eq!((swept.others, swept.deleted.len()), (1, 0));
    let entries = store.leases().unwrap();
    let lease = entries[0].lease.as_ref().unwrap();
    assert_eq!((lease.backend.as_str(), lease.state), ("memory", LeaseState::Live));
}
