//! One run through everything the store does, with the calls it makes and the answers it gives.
//!
//! On the simulated disk, so that two runs make the same calls, temp names included. Not for judging: its
//! users compare runs.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use faultfs::{Access, CallKind, Fs, FsFile, SimFs, Watched};
use plugpull_store::{
    Bug, Change, Claim, Commit, CommitRequest, Error, Expected, GcOptions, Head, Imported, Known,
    MergeState, ObjectId, Options, PackAccess, Snapshot, Store, Ttl, write_text_atomic,
};

use crate::scratch::{TIME, branch};
use crate::taps::{EINTR, EIO, Failing, Fault, Recorder, Seen};

const ROOT: &str = "/new/deep/store";

type Disk = Watched<Watched<SimFs, Failing>, Recorder>;

/// What a run did.
#[derive(PartialEq)]
pub(crate) struct Log {
    pub(crate) calls: Vec<Seen>,
    pub(crate) answers: Vec<String>,
}

impl Log {
    pub(crate) fn syncs(&self) -> usize {
        self.calls.iter().filter(|call| is_sync(call)).count()
    }

    /// All calls but those that wait for the disk.
    pub(crate) fn others(&self) -> Vec<&Seen> {
        self.calls.iter().filter(|call| !is_sync(call)).collect()
    }
}

fn is_sync(call: &Seen) -> bool {
    matches!(
        call.kind,
        CallKind::SyncDir | CallKind::SyncAll | CallKind::SyncData | CallKind::SyncFs
    )
}

struct Run {
    disk: SimFs,
    failing: Arc<Failing>,
    recorder: Arc<Recorder>,
    options: Options,
    answers: Vec<String>,
}

impl Run {
    fn new(options: Options) -> Self {
        let (disk, failing, recorder) = Default::default();
        Self { disk, failing, recorder, options, answers: Vec::new() }
    }

    fn fs(&self) -> Disk {
        let failing = Watched::new(self.disk.clone(), Arc::clone(&self.failing));
        Watched::new(failing, Arc::clone(&self.recorder))
    }

    fn open(&mut self) -> Store<Disk> {
        let store = Store::open_on(self.fs(), Path::new(ROOT), self.options).unwrap();
        self.note("recovery", store.recovery());
        store
    }

    fn note(&mut self, what: &str, answer: impl std::fmt::Debug) {
        self.answers.push(format!("{what}: {answer:?}"));
    }

    /// Notes what must succeed; but where all temps have one name, those of several objects may not be there at once.
    fn note_done<T: std::fmt::Debug>(&mut self, what: &str, answer: Result<T, Error>) {
        assert!(
            answer.is_ok() || self.options.is_planted(Bug::FixedTempName),
            "{what}: {answer:?}"
        );
        self.note(what, answer);
    }

    /// Writes a file behind the store's back.
    fn plant(&self, path: &Path, bytes: &[u8]) {
        let file = match self.disk.open(path, Access::ReadWrite) {
            Ok(file) => file,
            Err(_) => self.disk.create_new(path, 0o644).unwrap(),
        };
        file.set_len(0).unwrap();
        file.write_all_at(bytes, 0).unwrap();
    }

    fn end(self) -> Log {
        Log { calls: self.recorder.take(), answers: self.answers }
    }
}

/// Everything that succeeds.
pub(crate) fn everything(options: Options) -> Log {
    let mut run = Run::new(options);
    Store::init_on(run.fs(), Path::new(ROOT), options).unwrap();
    let store = run.open();
    put_again_and_repair(&mut run, &store);
    refer_to_what_others_put(&mut run);
    move_refs(&mut run, &store);
    write_outside(&mut run, &store);
    carry_packs(&mut run, &store);
    merge_and_rebase(&mut run);
    reserve(&mut run);
    write_log(&mut run);
    commit_whole(&mut run, &store);
    import(&mut run, store);
    check_out(&mut run);
    let store = run.open();
    recover(&mut run, &store);
    run.end()
}

/// What happens when calls fail.
pub(crate) fn failures(options: Options) -> Log {
    let mut run = Run::new(options);
    Store::init_on(run.fs(), Path::new(ROOT), options).unwrap();
    let store = run.open();
    let first = commit(&store, &[], "first");
    let next = commit(&store, &[first], "next");
    let _ = store.update_branch(&branch("main"), first, Expected::Absent).unwrap();
    for (kind, path) in [(CallKind::SyncDir, "heads"), (CallKind::SyncAll, ".state-tmp")] {
        run.failing.set(once(EIO, kind, path));
        let moved = store.update_branch(&branch("main"), next, Expected::At(first));
        run.note("moved in spite of a failure", (moved.is_ok(), run.failing.clear()));
        let _ = store.update_branch(&branch("main"), first, Expected::Force).unwrap();
    }
    run.failing.set(once(EIO, CallKind::SyncDir, "sha256"));
    run.note("put with a failure", store.put(b"fails").is_ok());
    run.failing.clear();
    run.note("put again", store.put(b"fails").unwrap());
    run.failing.set(once(EINTR, CallKind::WriteAt, ".obj-tmp"));
    run.note("put with an interruption", store.put(b"interrupted").is_ok());
    run.failing.clear();
    run.failing.set(once(EIO, CallKind::WriteAt, ".state-tmp"));
    run.note("HEAD with a failure", store.set_head(&Head::Branch(branch("x"))).is_ok());
    run.failing.clear();
    let place = store.pack_directory(Some("http://packs"));
    let _ = store.fetch_pack(&place, &[next], &[first], Ttl::default()).unwrap();
    run.failing.set(once(EIO, CallKind::Unlink, "/packs/"));
    let swept = store.sweep_packs(&place, late());
    run.note("sweep with a failure", (swept.is_ok(), store.leases().unwrap().len()));
    run.failing.clear();
    run.end()
}

/// The first such call of a path that has this in it.
fn once(errno: i32, kind: CallKind, part: &'static str) -> Fault {
    Fault::with(errno).on(&[kind]).at(move |path| path.to_string_lossy().contains(part)).nth(0)
}

fn commit<F: Fs>(store: &Store<F>, parents: &[ObjectId], text: &str) -> ObjectId {
    let blob = store.put(text.as_bytes()).unwrap().id;
    let snapshot = store.put_snapshot(&Snapshot::of([("file", blob)]).unwrap()).unwrap().id;
    let commit = Commit::new(parents.iter().copied(), snapshot, "me", text, TIME);
    store.put_commit(&commit).unwrap().id
}

fn put_again_and_repair(run: &mut Run, store: &Store<Disk>) {
    let id = store.put(b"content").unwrap().id;
    run.note("put again", store.put(b"content").unwrap());
    run.plant(&store.layout().object(&id), b"rotten");
    run.note("repaired", store.put(b"content").unwrap());
    let piped = store.put_from_reader(&mut &b"piped"[..], Path::new("pipe")).unwrap();
    run.note("piped", piped);
}

/// No pin is held between the puts, so every reference waits for what it refers to.
fn refer_to_what_others_put(run: &mut Run) {
    let first = commit(&run.open(), &[], "first");
    let second = commit(&run.open(), &[first], "second");
    let store = run.open();
    let moved = store.update_branch(&branch("main"), second, Expected::Absent).unwrap();
    run.note("moved", moved);
    let head = run.open().set_head(&Head::Detached(second)).unwrap();
    run.note("HEAD", head);
}

fn move_refs(run: &mut Run, store: &Store<Disk>) {
    let main = branch("main");
    let tip = store.read_branch(&main).unwrap().unwrap();
    let refused = store.update_branch(&main, tip, Expected::Absent);
    run.note("refused", refused.is_err());
    for name in ["feat/x", "feat/x"] {
        let moved = store.update_branch(&branch(name), tip, Expected::Force);
        run.note("moved", moved.unwrap());
    }
    let deleted = store.delete_branch(&branch("feat/x"), Expected::At(tip)).unwrap();
    run.note("deleted", deleted);
    run.note("HEAD", store.set_head(&Head::Branch(main)).unwrap());
}

fn commit_whole(run: &mut Run, store: &Store<Disk>) {
    let whole = branch("whole");
    // The second one's blob is there before.
    for message in ["one", "two"] {
        let parent = store.read_branch(&whole).unwrap();
        let files = vec![("file", (&b"of a group"[..]).into())];
        let request = CommitRequest {
            branch: &whole,
            parent,
            merged: &[],
            files,
            author: "me",
            message,
            time: TIME,
        };
        run.note_done("committed", store.commit(&request));
    }
}

fn import(run: &mut Run, mut store: Store<Disk>) {
    let change = Change::Set { executable: false, bytes: b"imported".to_vec() };
    let commit = |n: u8| Imported {
        branch: branch("imported"),
        changes: [(format!("file {n}"), change.clone())].into(),
        author: "me".to_owned(),
        message: "import".to_owned(),
        time: TIME,
    };
    let commits = (0..3).map(|n| Ok(commit(n)));
    let batch = NonZeroUsize::new(2).unwrap();
    run.note_done("imported", store.import_commits(commits, batch, &mut |_| ()));
}

fn write_outside(run: &mut Run, store: &Store<Disk>) {
    for text in ["one", "another"] {
        let path = Path::new("/texts/deep/text");
        run.note("text", write_text_atomic(&run.fs(), path, text, run.options).unwrap());
    }
    let id = ObjectId::of(b"content");
    for _ in 0..2 {
        let restored = store.restore(&id, Path::new("/work/deep/file"), true);
        run.note("restored", restored);
    }
}

/// Later than every pack here is due.
fn late() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(TIME as u64 + 10_000)
}

/// A pack that is fetched twice, kept as an object as well, swept, and taken in.
fn carry_packs(run: &mut Run, store: &Store<Disk>) {
    let tip = store.read_branch(&branch("main")).unwrap().unwrap();
    let PackAccess::Inline(bytes) =
        store.fetch_pack(&store.pack_directory(None), &[tip], &[], Ttl::default()).unwrap().access
    else {
        panic!("a directory has no URLs of its own");
    };
    run.note("kept", store.put(&bytes).unwrap());
    let place = store.pack_directory(Some("http://packs"));
    for ttl in [Ttl::SHORTEST, Ttl::LONGEST] {
        let fetched = store.fetch_pack(&place, &[tip], &[], ttl).unwrap();
        let PackAccess::Url { due, .. } = fetched.access else { panic!("there are URLs") };
        run.note("fetched", (fetched.objects, due / 1000));
    }
    let swept = store.sweep_packs(&place, late()).unwrap();
    run.note("swept", swept.deleted.len());
    run.note("imported", store.import_pack(&bytes).unwrap());
}

/// No pin knows the commits.
fn merge_and_rebase(run: &mut Run) {
    let store = run.open();
    let tip = store.read_branch(&branch("main")).unwrap().unwrap();
    let [base_commit, ours_commit, theirs_commit] = [tip; 3];
    let (conflict_paths, other_branch) = ([].into(), None);
    let merge =
        MergeState { base_commit, ours_commit, theirs_commit, conflict_paths, other_branch };
    let written = store.write_merge_state(&merge, Known::Absent).unwrap();
    run.note("merge", (written, store.merge_state().unwrap()));
    run.note("merge ended", store.clear_merge_state(Known::Is(&merge)).unwrap());
    run.note("no merge ended", store.clear_merge_state(Known::Absent).unwrap());
    run.note("remote", store.set_remote("a", "url", Known::Absent).unwrap());
}

/// One that fails half way, and so is finished by the next one; then the end of a merge.
fn check_out(run: &mut Run) {
    let store = run.open();
    let main = branch("main");
    let tip = store.read_branch(&main).unwrap().unwrap();
    let other = store.put_commit(&empty_commit(&store, "other")).unwrap().id;
    let blocked = Path::new("/desk/blocked");
    let _file = run
        .disk
        .mkdir(Path::new("/desk"), 0o755)
        .and_then(|()| run.disk.create_new(blocked, 0o644));
    run.note("blocked", store.checkout(&Head::Detached(tip), blocked).is_err());
    run.disk.unlink(blocked).unwrap();
    let store = run.open();
    run.note("finished", store.recovery().operation);
    run.note("checked out", store.checkout(&Head::Detached(other), blocked).unwrap());
    let (base_commit, ours_commit, theirs_commit) = (tip, tip, other);
    let (conflict_paths, other_branch) = ([].into(), None);
    let merge =
        MergeState { base_commit, ours_commit, theirs_commit, conflict_paths, other_branch };
    run.note("merge", store.write_merge_state(&merge, Known::Absent).unwrap());
    run.note("concluded", store.conclude_merge(&main, other, &merge).unwrap());
    let ended = store.layout().ended_operation();
    run.plant(&ended, b"its writer died before it knew that this is durable");
    run.note("head", store.set_head(&Head::Branch(main)).unwrap());
    assert!(run.disk.metadata(&ended).is_err());
}

/// A commit without a file.
fn empty_commit(store: &Store<Disk>, message: &str) -> Commit {
    let snapshot = store.put_snapshot(&Snapshot::default()).unwrap().id;
    Commit::new([], snapshot, "me", message, TIME)
}

fn reserve(run: &mut Run) {
    let store = run.open();
    let claim = Claim::new("run", branch("main"), ["a.rs"], "write");
    let expired = Claim { ttl: Duration::ZERO, ..claim.clone() };
    run.note("expired", store.reserve(&expired).unwrap().1);
    let (reservation, receipt) = store.reserve(&claim).unwrap();
    run.note("reserved", receipt);
    run.note("refused", store.reserve(&claim).is_err());
    let id = reservation.reservation_id;
    run.note("intended", store.intend(&id, ["a.rs"], "write", "all of it").unwrap().1);
    run.note("released", store.release(&id).unwrap());
    run.note("left", (store.reservations().unwrap(), store.intents().unwrap()));
}

fn write_log(run: &mut Run) {
    let store = run.open();
    run.note("logged", store.append_log("run", "one").unwrap().1);
    run.note("logged", store.append_log("run", "two").unwrap().1);
    run.note("checkpoint", store.checkpoint_log(1, "one").unwrap().1);
    run.note("compacted", store.compact_log().unwrap());
    let log = store.log(0).unwrap();
    run.note("log", (log.base, log.records.len()));
}

fn recover(run: &mut Run, store: &Store<Disk>) {
    let layout = store.layout();
    run.plant(&layout.objects().join(".obj-tmp-1-1"), b"orphan");
    run.plant(&layout.restores().join("damaged"), b"");
    let loose = store.put(b"loose").unwrap().id;
    run.plant(&layout.condemned(), format!("{loose}\n").as_bytes());
    let mut other = run.open();
    let _ = store.put(b"garbage").unwrap();
    let report = other.gc(GcOptions { grace: Duration::ZERO, dry_run: false }).unwrap();
    run.note("collected", (report.deleted, report.kept));
}
