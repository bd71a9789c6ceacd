//! Transient packs: the three tests of the second seed, and the one that it counts and has not (BC1).
//!
//! Time is what each sweep is told; nothing sleeps.

use std::time::{Duration, SystemTime};

use plugpull_store::{
    FetchedPack, ObjectId, PackAccess, PackBackend as _, PackKey, PackMemory, Store, SweptPacks,
    Ttl,
};

use crate::scratch::{Scratch, commit};

/// A store with one commit, and a fetch of it.
struct Fetch {
    scratch: Scratch,
    place: PackMemory,
    ttl: Ttl,
}

impl Fetch {
    fn new(place: PackMemory) -> Self {
        Self { scratch: Scratch::new(), place, ttl: Ttl::new(Duration::from_mins(1)).unwrap() }
    }

    fn fetch(&self, message: &str) -> FetchedPack {
        let store = self.scratch.open();
        let tip = commit(&store, message);
        store.fetch_pack(&self.place, &[tip], &[], self.ttl).unwrap()
    }

    /// So many times the TTL after this pack was made.
    fn at(&self, fetched: &FetchedPack, ttls: u32) -> SystemTime {
        let (_, due) = url_of(fetched);
        SystemTime::UNIX_EPOCH + Duration::from_millis(due) - self.ttl.get() * 2
            + self.ttl.get() * ttls
    }

    fn store(&self) -> Store {
        self.scratch.open()
    }
}

/// The key of a pack that has a URL, and when it is due.
fn url_of(fetched: &FetchedPack) -> (PackKey, u64) {
    match &fetched.access {
        PackAccess::Url { key, due, .. } => (*key, *due),
        PackAccess::Inline(_) => panic!("it has no URL"),
    }
}

#[test]
fn a_pack_is_deleted_after_its_time() {
    let fetch = Fetch::new(PackMemory::default());
    let fetched = fetch.fetch("bc0");
    let PackAccess::Url { url, key, .. } = &fetched.access else { panic!("it has no URL") };
    assert_eq!(*url, format!("memory:{key}?ttl=60"));
    assert_eq!(key.id, fetched.id);
    let bytes = fetch.place.get(key).unwrap().unwrap();
    assert_eq!(ObjectId::of(&bytes), fetched.id, "the id is the hash of the bytes");
    assert_eq!(fetch.place.deletions(), []);
    // While the URL is valid nothing is deleted.
    let early = fetch.store().sweep_packs(&fetch.place, fetch.at(&fetched, 1)).unwrap();
    assert_eq!((early.deleted.len(), early.kept.len()), (0, 1));
    assert_eq!(fetch.place.deletions(), []);
    let late = fetch.store().sweep_packs(&fetch.place, fetch.at(&fetched, 3)).unwrap();
    assert_eq!(late.deleted, [*key]);
    assert_eq!(fetch.place.deletions(), [*key]);
    assert!(!fetch.place.exists(key).unwrap());
    assert_eq!(fetch.store().leases().unwrap(), []);
    fetch.scratch.assert_clean();
}

/// BC1: a place without URLs. The bytes are the answer, and there is nothing to delete.
#[test]
fn a_place_without_urls_answers_inline_and_schedules_nothing() {
    let fetch = Fetch::new(PackMemory::without_urls());
    let fetched = fetch.fetch("bc1");
    let PackAccess::Inline(bytes) = &fetched.access else { panic!("it has a URL") };
    assert_eq!(ObjectId::of(bytes), fetched.id);
    assert_eq!((fetch.place.keys(), fetch.store().leases().unwrap()), (vec![], vec![]));
    let long_after = SystemTime::UNIX_EPOCH + Duration::from_hours(1 << 20);
    let swept = fetch.store().sweep_packs(&fetch.place, long_after).unwrap();
    assert_eq!(swept, SweptPacks::default());
    assert_eq!(fetch.place.deletions(), []);
}

#[test]
fn a_failed_deletion_reaches_no_caller_and_is_tried_again() {
    let fetch = Fetch::new(PackMemory::default());
    fetch.place.refuse_deletions(2, "the service is unavailable");
    let fetched = fetch.fetch("bc2");
    let (key, _) = url_of(&fetched);
    let mut now = fetch.at(&fetched, 3);
    // The second try is early by the pause, and is none.
    for (pause, tried, failed) in [(0, 1, 1), (0, 1, 0), (1, 2, 1), (1, 2, 0)] {
        now += Duration::from_secs(pause);
        let swept = fetch.store().sweep_packs(&fetch.place, now).unwrap();
        assert_eq!((fetch.place.deletions().len(), swept.failed.len()), (tried, failed));
        assert_eq!((swept.deleted.len(), swept.kept.len()), (0, 1));
    }
    let [entry] = &fetch.store().leases().unwrap()[..] else { panic!("one lease") };
    let lease = entry.lease.as_ref().unwrap();
    assert!(lease.attempts == 2 && lease.error.contains("unavailable"), "{lease:?}");
    // Meanwhile a fetch of the same content gets a key of its own.
    let again = fetch.fetch("bc2");
    assert_eq!(again.id, fetched.id);
    assert_ne!(url_of(&again).0, key);
    let swept = fetch.store().sweep_packs(&fetch.place, now + Duration::from_secs(2)).unwrap();
    assert!(swept.deleted.contains(&key), "{swept:?}");
    assert!(!fetch.place.exists(&key).unwrap());
}

#[test]
fn each_fetch_has_exactly_one_deletion() {
    let fetch = Fetch::new(PackMemory::default());
    let packs: Vec<_> = ["one", "two", "three"].map(|message| fetch.fetch(message)).to_vec();
    let mut keys: Vec<_> = packs.iter().map(|fetched| url_of(fetched).0).collect();
    keys.sort_unstable();
    for _ in 0..3 {
        fetch.store().sweep_packs(&fetch.place, fetch.at(&packs[2], 3)).unwrap();
    }
    let mut deleted = fetch.place.deletions();
    deleted.sort_unstable();
    assert_eq!(deleted, keys, "not zero, not two");
}

#[test]
fn equal_content_lives_until_the_later_end_and_is_deleted_once() {
    let mut fetch = Fetch::new(PackMemory::default());
    let first = fetch.fetch("same");
    let early = fetch.at(&first, 3);
    fetch.ttl = Ttl::LONGEST;
    let second = fetch.fetch("same");
    assert_eq!(url_of(&first).0, url_of(&second).0);
    // A third one that needs it for less does not make it shorter.
    let due = url_of(&second).1;
    fetch.ttl = Ttl::SHORTEST;
    assert_eq!(url_of(&fetch.fetch("same")).1, due);
    let swept = fetch.store().sweep_packs(&fetch.place, early).unwrap();
    assert_eq!((swept.deleted.len(), swept.kept.len()), (0, 1));
    let late = SystemTime::UNIX_EPOCH + Duration::from_millis(due);
    fetch.store().sweep_packs(&fetch.place, late).unwrap();
    fetch.store().sweep_packs(&fetch.place, late).unwrap();
    assert_eq!(fetch.place.deletions(), [url_of(&first).0]);
    assert_eq!(fetch.place.keys(), []);
}
