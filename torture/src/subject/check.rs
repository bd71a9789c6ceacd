//! The check of one disk that a power cut may have left.
//!
//! The store recovers on it as it would on the next start: by being opened. Then the store's own audit
//! must find nothing, everything owed must be there with the right bytes, and nothing may be there that
//! nobody wrote. What is owed is compared on the disk itself, not by the store's readers.
//!
//! An open has also promised that temps are gone which were there before it; that is looked at before
//! the recovery. The recovery runs as the recorded program would, with its mistakes.
//!
//! Not for whether the store can be worked with afterwards: see `further`.

mod packs;

use std::fmt::Display;
use std::path::Path;

use faultfs::{DiskImage, Inode, SimFs, Trace};
use plugpull_store::{Audit, Error, Layout, ObjectId, Options, Problem, ProblemKind, Store};

use super::expected::{Expected, Object};
use super::look::Look;
use super::marks::{of_head, or_absent};
use super::owed::{Made, Owed};
use super::{STORE, TEXTS};
use super::{operations, progress, settings};

/// Mode of an object whose barriers succeeded.
const SETTLED: u32 = 0o444;

/// Mode of an object of which a put has failed.
const DOUBTED: u32 = 0o440;

/// What a check found.
pub struct Checked {
    /// What is wrong; each names the path and what was expected there.
    pub violations: Vec<String>,
    /// What the recovery changed; it can be cut off in its turn, with the same Marks before it.
    pub recovery: Trace,
}

impl Checked {
    /// The disk after the recovery.
    pub fn recovered(&self) -> DiskImage {
        self.recovery.image_after(self.recovery.events.len())
    }
}

/// Lets the store recover on `image`, a disk that a power cut may have left when the run had written
/// `marks` of its Marks.
pub fn check(expected: &Expected, image: &DiskImage, marks: usize) -> Checked {
    let owed = expected.owed(marks);
    let disk = SimFs::on(image.clone());
    let mut violations = owed.contradictions.to_vec();
    let checkouts = marks <= expected.head_by_hand;
    let mut check = Check { expected, owed, checkouts, violations: &mut violations };
    check.swept(&Look::at(image));
    check.unpacked(&Look::at(image));
    check.torn_leases(&Look::at(image));
    match recover(&disk, owed.store, expected.options) {
        Ok(store) => check.all(&disk, &store),
        Err(error) => violations.push(format!("{STORE}: {error}; expected that it can be opened")),
    }
    Checked { violations, recovery: disk.trace() }
}

/// Opens the store, or makes or raises it where that was never acknowledged.
fn recover(disk: &SimFs, owed: Made, options: Options) -> Result<Store<SimFs>, Error> {
    let root = Path::new(STORE);
    let init = || Store::init_on(disk.clone(), root, options);
    match Store::open_on(disk.clone(), root, options) {
        Err(Error::NotAStore { .. }) if owed == Made::Nothing => init(),
        Err(Error::OlderFormat { .. }) if owed == Made::Older => init(),
        opened => opened,
    }
}

struct Check<'a> {
    expected: &'a Expected,
    owed: &'a Owed,
    /// HEAD was set by checkouts only, so it names the files that are there.
    checkouts: bool,
    violations: &'a mut Vec<String>,
}

impl Check<'_> {
    fn all(&mut self, disk: &SimFs, store: &Store<SimFs>) {
        let hashed = self.audit(disk);
        let image = disk.image();
        let look = Look::at(&image);
        self.objects(&look, hashed);
        self.quarantine(&look);
        self.branches(store);
        self.head(store);
        self.states(store);
        self.operations(store, &look);
        self.coordination(store);
        self.log(store);
        self.files(&look);
        self.roots(&look);
        self.packs(disk, store, &look);
    }

    /// Temps that an open has removed are gone.
    fn swept(&mut self, look: &Look<'_>) {
        for temp in self.expected.temps.iter().filter(|_| self.owed.mended.swept) {
            let parts: Vec<_> = temp.split('/').skip(1).collect();
            if look.find(&parts).is_some() {
                self.wrong(temp, "there", "that the open has removed it");
            }
        }
    }

    fn wrong(&mut self, path: impl Display, found: impl Display, expected: impl Display) {
        self.violations.push(format!("{path}: {found}; expected {expected}"));
    }

    /// Runs the store's audit; returns how many objects it hashed.
    fn audit(&mut self, disk: &SimFs) -> u64 {
        match Audit::run(disk, Path::new(STORE)) {
            Ok(audit) => {
                for problem in audit.problems {
                    if !self.is_old_damage(&problem) {
                        let found = format!("{}: {}", problem.kind.name(), problem.detail);
                        self.wrong(problem.path.display(), found, "a clean audit");
                    }
                }
                audit.counts.objects
            }
            Err(error) => {
                self.wrong(STORE, error, "that it can be audited");
                0
            }
        }
    }

    /// Whether something was damaged before the run and is not mended yet.
    fn is_old_damage(&self, problem: &Problem) -> bool {
        let bad_record =
            self.expected.bad_record.as_deref().filter(|_| !self.owed.mended.collected);
        if bad_record.is_some_and(|record| problem.path == Path::new(record)) {
            return true;
        }
        let mut damaged = self.expected.corrupt.keys();
        problem.kind == ProblemKind::CorruptObject
            && damaged.any(|id| {
                let path = self.expected.objects.get(id).map(Object::path);
                !self.owed.objects.contains(id)
                    && path.is_some_and(|path| problem.path == Path::new(&path))
            })
    }

    /// Every object of the run, and that there are no others.
    fn objects(&mut self, look: &Look<'_>, hashed: u64) {
        let mut known = 0;
        for (id, object) in &self.expected.objects {
            let file = look.object(&object.shard, &object.name);
            known += u64::from(file.is_some());
            if let Some((found, expected)) = self.object_fault(look, id, object, file) {
                self.wrong(object.path(), found, expected);
            }
            if file.is_some() {
                self.names(look, object);
            }
        }
        if hashed != known {
            self.foreign_objects(look);
        }
    }

    /// Whoever finds a snapshot or commit takes it for whole, whether a branch leads to it or not.
    fn names(&mut self, look: &Look<'_>, object: &Object) {
        for id in &object.leads_to {
            let named = self.expected.objects.get(id);
            if named.is_some_and(|named| look.object(&named.shard, &named.name).is_none()) {
                self.wrong(object.path(), format!("names {id}, which is missing"), "all it names");
            }
        }
    }

    /// What is wrong with one object, and what was expected.
    fn object_fault(
        &self,
        look: &Look<'_>,
        id: &ObjectId,
        object: &Object,
        file: Option<Inode>,
    ) -> Option<(String, String)> {
        let owed = self.owed.objects.contains(id);
        let damaged = self.expected.corrupt.get(id).filter(|_| !owed);
        let len = object.bytes.len();
        let Some(file) = file else {
            let expected = format!("the acknowledged object of {len} bytes");
            return (owed || damaged.is_some()).then(|| ("missing".to_owned(), expected));
        };
        if damaged.is_some_and(|bad| look.holds(file, bad)) {
            return None;
        }
        if !look.holds(file, &object.bytes) {
            return Some(("other bytes".to_owned(), format!("the {len} bytes that were put")));
        }
        let mode = look.mode(file);
        let doubted = mode == DOUBTED && self.expected.doubted.contains(id);
        (owed && mode != SETTLED && !doubted)
            .then(|| (format!("mode {mode:o}"), format!("{SETTLED:o} of what was acknowledged")))
    }

    fn foreign_objects(&mut self, look: &Look<'_>) {
        for (shard, name) in look.objects() {
            let id = format!("sha256:{shard}{name}").parse::<ObjectId>();
            if id.is_ok_and(|id| !self.expected.objects.contains_key(&id)) {
                let path = format!("{STORE}/objects/sha256/{shard}/{name}");
                self.wrong(path, "an object nobody put", "none");
            }
        }
    }

    /// A repair keeps the bad bytes.
    fn quarantine(&mut self, look: &Look<'_>) {
        const DIR: &str = "/store/quarantine";
        for (name, inode) in look.entries(&["store", "quarantine"]) {
            let id = name.split('.').next().and_then(|hex| format!("sha256:{hex}").parse().ok());
            let bad = id.and_then(|id: ObjectId| self.expected.corrupt.get(&id));
            if !bad.is_some_and(|bad| look.holds(inode, bad)) {
                self.wrong(format!("{DIR}/{name}"), "foreign bytes", "those of a corrupt object");
            }
        }
        for id in self.expected.corrupt.keys().filter(|id| self.owed.objects.contains(id)) {
            let name = format!("{}.0", id.hex());
            if look.find(&["store", "quarantine", &name]).is_none() {
                let expected = "the corrupt bytes of the repaired object";
                self.wrong(format!("{DIR}/{name}"), "missing", expected);
            }
        }
    }

    fn branches(&mut self, store: &Store<SimFs>) {
        let found = match store.branches() {
            Ok(found) => found,
            Err(error) => {
                return self.wrong(store.layout().heads().display(), error, "readable branches");
            }
        };
        let find = |name: &str| {
            found.iter().find(|(branch, _)| branch.as_str() == name).map(|(_, id)| *id)
        };
        for (name, allowed) in &*self.owed.refs {
            let value = find(name);
            if !allowed.contains(&value) {
                let path = format!("{STORE}/refs/heads/{name}");
                let expected = one_of(allowed, |id| or_absent(*id));
                self.wrong(path, format!("at {}", or_absent(value)), expected);
            }
        }
        for (branch, id) in &found {
            if !self.owed.refs.contains_key(branch.as_str()) {
                let path = store.layout().branch(branch);
                self.wrong(path.display(), format!("at {id}"), "no such branch");
            }
        }
    }

    fn head(&mut self, store: &Store<SimFs>) {
        let found = match store.head() {
            Ok(Some(head)) if self.owed.head.contains(&head) => return,
            Ok(Some(head)) => of_head(&head),
            Ok(None) => "missing".to_owned(),
            Err(error) => error.to_string(),
        };
        let expected = one_of(&self.owed.head, of_head);
        self.wrong(store.layout().head().display(), found, expected);
    }

    /// The merge and the rebase in progress.
    fn states(&mut self, store: &Store<SimFs>) {
        let in_progress = progress::found(store).into_iter();
        for (what, found) in in_progress.chain(settings::found(store)) {
            let allowed = self.owed.states.get(what).map_or(&[None][..], Vec::as_slice);
            match found {
                Ok(found) if allowed.contains(&found) => {}
                Ok(found) => {
                    let expected = one_of(allowed, |id| or_absent(*id));
                    self.wrong(progress::place(what), or_absent(found), expected);
                }
                Err(error) => {
                    self.wrong(progress::place(what), error, "that it can be read");
                }
            }
        }
    }

    /// Operations over several files are done or not, and none is half done.
    fn operations(&mut self, store: &Store<SimFs>, look: &Look<'_>) {
        let checked_out = self.owed.states.get(operations::CHECKOUT);
        if let Some(allowed) = checked_out.filter(|_| self.checkouts) {
            match operations::checked_out(store, look) {
                Ok(found) if allowed.contains(&found) => {}
                Ok(found) => {
                    let expected = one_of(allowed, |id| or_absent(*id));
                    self.wrong("what is checked out", or_absent(found), expected);
                }
                Err(error) => self.wrong("what is checked out", error, "all of it or nothing"),
            }
        }
        match operations::half_concluded(store) {
            Ok(None) => {}
            Ok(Some(branch)) => {
                let expected = "that it is no longer in progress";
                self.wrong("the merge in progress", format!("{branch} has its end"), expected);
            }
            Err(error) => self.wrong("the merge in progress", error, "that it can be read"),
        }
    }

    fn coordination(&mut self, store: &Store<SimFs>) {
        for (path, found, expected) in self.owed.claims.wrong(store) {
            self.wrong(path, found, expected);
        }
    }

    fn log(&mut self, store: &Store<SimFs>) {
        for (found, expected) in self.owed.log.wrong(store) {
            self.wrong(store.layout().log().display(), found, expected);
        }
    }

    /// Each file of the work directory is absent, old or new, and whole.
    fn files(&mut self, look: &Look<'_>) {
        let mut found = look.files_below("work");
        // Nobody sweeps the directories of others' texts.
        found.retain(|(path, _)| !(path.starts_with(TEXTS) && Layout::is_temp(Path::new(path))));
        let bytes = |id: &ObjectId| self.expected.objects.get(id).map(|object| &object.bytes);
        let mut wrong = Vec::new();
        for (path, inode) in &found {
            let allowed = self.owed.files.get(path).map_or(&[None][..], Vec::as_slice);
            let mut right = allowed.iter().flatten().filter_map(bytes);
            if !right.any(|bytes| look.holds(*inode, bytes)) {
                wrong.push((path, "foreign bytes", allowed));
            }
        }
        for (path, allowed) in &*self.owed.files {
            if !allowed.contains(&None) && !found.iter().any(|(found, _)| found == path) {
                wrong.push((path, "missing", allowed));
            }
        }
        for (path, what, allowed) in wrong {
            self.wrong(path, what, one_of(allowed, |id| of_file(id.as_ref())));
        }
    }

    /// What lies in the two directories at the top.
    fn roots(&mut self, look: &Look<'_>) {
        const DISK: [&str; 3] = ["sources", "store", "work"];
        const ROOT: [&str; 15] = [
            "HEAD",
            "MERGE_STATE.json",
            "REBASE_STATE.json",
            "config.toml",
            "coordination",
            "format",
            "leases",
            "locks",
            "objects",
            "operations",
            "oplog",
            "packs",
            "quarantine",
            "refs",
            "restores",
        ];
        for (above, path, names) in [(&[][..], "", &DISK[..]), (&["store"], STORE, &ROOT)] {
            for (name, _) in look.entries(above) {
                if !names.contains(&&*name) {
                    self.wrong(format!("{path}/{name}"), "foreign", "nothing of this name");
                }
            }
        }
    }
}

fn one_of<V>(allowed: &[V], text: impl Fn(&V) -> String) -> String {
    allowed.iter().map(text).collect::<Vec<_>>().join(" or ")
}

fn of_file(id: Option<&ObjectId>) -> String {
    id.map_or_else(|| "no file".to_owned(), |id| format!("the bytes of {id}"))
}
