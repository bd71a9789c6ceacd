//! Packs in a real S3-compatible service: moto's server, started by the test, and a proxy that makes it
//! fail.
//!
//! Needs `python3 -m moto.server` (`ci/machine.sh` installs it) and says "not measured" without it, or
//! fails with `PLUGPULL_REQUIRE_ALL=1`. moto checks neither signatures nor their age: that an unsigned
//! request is refused and that a signed URL is taken is all that is seen of them.
#![expect(clippy::unwrap_used, reason = "what the fixtures need and do not get fails the test")]

mod http;
mod proxy;
mod server;

use std::time::{Duration, SystemTime};

use plugpull_store::{
    Commit, Error, LeaseState, ObjectId, Options, PackAccess, PackBackend, PackKey, Reached,
    S3Options, S3Packs, Snapshot, Store, Ttl,
};
use tempfile::TempDir;

use proxy::{Mode, Proxy};

/// How long a request may take in these tests.
const TIMEOUT: Duration = Duration::from_millis(1500);

/// Longer than any call takes here: three requests, the pauses between them, and a slow machine.
const BOUND: Duration = Duration::from_secs(30);

fn options(bucket: &str, endpoint: String) -> S3Options {
    S3Options {
        bucket: bucket.to_owned(),
        prefix: "packs/of/one".to_owned(),
        region: "us-east-1".to_owned(),
        endpoint: Some(endpoint),
        access_key_id: "key".to_owned(),
        secret_access_key: "secret".to_owned(),
        session_token: None,
        timeout: TIMEOUT,
        retries: 1,
    }
}

/// A store with one commit.
struct World {
    _dir: TempDir,
    store: Store,
    tip: ObjectId,
}

impl World {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let store = Store::init(&dir.path().join("store"), Options::default()).unwrap();
        let blob = store.put(&vec![7; 100_000]).unwrap().id;
        let snapshot = store.put_snapshot(&Snapshot::of([("file", blob)]).unwrap()).unwrap().id;
        let commit = Commit::new([], snapshot, "tester", "message", 0);
        let tip = store.put_commit(&commit).unwrap().id;
        Self { _dir: dir, store, tip }
    }

    fn fetch(&self, place: &S3Packs) -> Result<Packed, Error> {
        let fetched = self.store.fetch_pack(place, &[self.tip], &[], Ttl::SHORTEST)?;
        match fetched.access {
            PackAccess::Url { url, key, due, reached } => {
                assert_eq!((reached, key.id), (Reached::Durable, fetched.id));
                Ok(Packed { url, key, due })
            }
            PackAccess::Inline(_) => panic!("it has URLs"),
        }
    }

    /// What is being done with this pack, and how often that failed.
    fn lease(&self, key: &PackKey) -> (LeaseState, u32) {
        let entries = self.store.leases().unwrap();
        let entry = entries.iter().find(|entry| entry.key == *key).unwrap();
        let lease = entry.lease.as_ref().unwrap();
        (lease.state, lease.attempts)
    }
}

struct Packed {
    url: String,
    key: PackKey,
    due: u64,
}

impl Packed {
    /// So many seconds after it is due.
    fn late(&self, seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(self.due) + Duration::from_secs(seconds)
    }
}

/// The service with a bucket of its own, behind a proxy; `None` where there is no server.
fn service(bucket: &str) -> Option<(Proxy, S3Packs)> {
    let server = server::start()?;
    assert_eq!(http::request("PUT", &format!("http://{server}/{bucket}"), true).status, 200);
    let proxy = Proxy::before(server);
    let place = S3Packs::new(&options(bucket, proxy.endpoint())).unwrap();
    Some((proxy, place))
}

#[test]
fn a_pack_is_read_through_its_url_and_gone_after_its_time() {
    let Some((proxy, place)) = service("whole") else { return };
    let world = World::new();
    let packed = world.fetch(&place).unwrap();
    assert!(packed.url.starts_with(&proxy.endpoint()), "{}", packed.url);
    assert!(packed.url.contains("X-Amz-Expires=30&"), "{}", packed.url);
    let unsigned = packed.url.split('?').next().unwrap();
    assert_eq!(http::request("GET", unsigned, false).status, 403);
    let answer = http::request("GET", &packed.url, false);
    assert_eq!((answer.status, ObjectId::of(&answer.body)), (200, packed.key.id));
    assert_eq!(place.get(&packed.key).unwrap().as_ref(), Some(&answer.body));

    let other = World::new();
    let imported = other.store.import_pack(&answer.body).unwrap();
    assert_eq!((imported.objects, imported.commits), (3, vec![world.tip]));

    let early = world.store.sweep_packs(&place, packed.late(0) - Duration::from_secs(1)).unwrap();
    assert_eq!((early.deleted.len(), early.kept.len()), (0, 1));
    let late = world.store.sweep_packs(&place, packed.late(0)).unwrap();
    assert_eq!(late.deleted, [packed.key]);
    assert_eq!(http::request("GET", &packed.url, false).status, 404);
    assert!(!place.exists(&packed.key).unwrap());
    assert_eq!(world.store.leases().unwrap(), []);
    // Once more is no error.
    place.delete(&packed.key).unwrap();
}

/// Another key space of the same bucket keeps its object, whatever it is called.
#[test]
fn only_what_lies_under_the_prefix_is_deleted() {
    let Some((proxy, place)) = service("prefixes") else { return };
    let world = World::new();
    let packed = world.fetch(&place).unwrap();
    let canonical =
        S3Options { prefix: "canonical".to_owned(), ..options("prefixes", proxy.endpoint()) };
    let canonical = S3Packs::new(&canonical).unwrap();
    assert_ne!(canonical.name(), place.name());
    canonical.put(&packed.key, b"the same key").unwrap();
    world.store.sweep_packs(&place, packed.late(0)).unwrap();
    assert!(!place.exists(&packed.key).unwrap());
    assert_eq!(canonical.get(&packed.key).unwrap().as_deref(), Some(&b"the same key"[..]));
}

#[test]
fn a_fetch_that_the_service_fails_is_an_error_in_time_and_its_lease_stays() {
    for mode in [Mode::Refuse, Mode::Silent, Mode::Error] {
        let bucket = format!("{mode:?}").to_lowercase();
        let Some((proxy, place)) = service(&bucket) else { return };
        let world = World::new();
        proxy.set(mode);
        let begun = clock::now();
        let error = world.fetch(&place).err().unwrap();
        assert!(begun.elapsed() < BOUND, "{mode:?}: {:?}", begun.elapsed());
        assert!(matches!(&error, Error::PackBackend { op: "put", .. }), "{mode:?}: {error}");
        assert!(error.to_string().contains(&bucket), "{error}");
        assert!(proxy.hits() > 0, "{mode:?} did nothing");
        let [entry] = &world.store.leases().unwrap()[..] else { panic!("one lease") };
        // Whether anything arrived or not, it is deleted in its time.
        proxy.set(Mode::Forward);
        let due = entry.lease.as_ref().unwrap().due;
        let late = SystemTime::UNIX_EPOCH + Duration::from_millis(due);
        assert_eq!(world.store.sweep_packs(&place, late).unwrap().deleted, [entry.key]);
    }
}

#[test]
fn a_deletion_that_the_service_fails_reaches_nobody_and_is_made_later() {
    for mode in [Mode::Refuse, Mode::Silent, Mode::Error] {
        let bucket = format!("delete-{mode:?}").to_lowercase();
        let Some((proxy, place)) = service(&bucket) else { return };
        let world = World::new();
        let packed = world.fetch(&place).unwrap();
        proxy.set(mode);
        let begun = clock::now();
        let swept = world.store.sweep_packs(&place, packed.late(0)).unwrap();
        assert!(begun.elapsed() < BOUND, "{mode:?}: {:?}", begun.elapsed());
        assert_eq!((swept.failed, swept.deleted.len()), (vec![packed.key], 0), "{mode:?}");
        assert!(proxy.hits() > 0, "{mode:?} did nothing");
        assert_eq!(world.lease(&packed.key), (LeaseState::Deleting, 1));
        proxy.set(Mode::Forward);
        // The request may still come: equal content gets another key.
        let again = world.fetch(&place).unwrap();
        assert!(again.key.id == packed.key.id && again.key != packed.key);
        let swept = world.store.sweep_packs(&place, packed.late(1)).unwrap();
        assert!(swept.deleted.contains(&packed.key), "{mode:?}: {swept:?}");
        assert!(!place.exists(&packed.key).unwrap());
    }
}

#[test]
fn a_bucket_that_is_not_there_is_told() {
    let Some(server) = server::start() else { return };
    let place = S3Packs::new(&options("no-such-bucket", format!("http://{server}"))).unwrap();
    let error = World::new().fetch(&place).err().unwrap().to_string();
    assert!(error.contains("s3://no-such-bucket/packs/of/one"), "{error}");
    assert!(error.to_lowercase().contains("bucket"), "{error}");
}

/// How long a call took.
mod clock {
    #![expect(clippy::disallowed_methods, reason = "that a call ends in time needs a clock")]

    pub(crate) fn now() -> std::time::Instant {
        std::time::Instant::now()
    }
}
