//! What the store owes after each Mark: the ledger that turns promises into what a check looks for.
//!
//! The rules:
//! - an acknowledged object is owed, and so is all that an acknowledged branch leads to;
//! - a name is owed at one of the values of its `Sequence`;
//! - while a collection is under way only what every possible value of a branch or HEAD leads to is
//!   owed, and what was acknowledged under a pin that is still held. So a plan with a collection puts
//!   under pins only;
//! - an interrupted collection is under way until an open has finished it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plugpull_store::{Head, ObjectId, PackKey};

use super::claims::Claims;
use super::journal::Contents;
use super::logbook::Logbook;
use super::marks::Mark;
use super::sequence::Sequence;

/// What is owed at one moment.
#[derive(Clone, Debug)]
pub(super) struct Owed {
    /// What there must be of the store.
    pub(super) store: Made,
    pub(super) objects: Arc<BTreeSet<ObjectId>>,
    /// The values each branch may have, the acknowledged one first.
    pub(super) refs: Arc<BTreeMap<String, Vec<Option<ObjectId>>>>,
    pub(super) head: Vec<Head>,
    /// The contents each restored file may have.
    pub(super) files: Arc<BTreeMap<String, Vec<Option<ObjectId>>>>,
    /// The values that a merge or rebase in progress may have, by its name.
    pub(super) states: Arc<BTreeMap<String, Vec<Option<ObjectId>>>>,
    pub(super) claims: Arc<Claims>,
    pub(super) log: Arc<Logbook>,
    pub(super) mended: Mended,
    /// The packs that must be there, and until when each is to be kept.
    pub(super) packs: Arc<BTreeMap<PackKey, u64>>,
    /// The packs that are gone for good, with their leases.
    pub(super) unpacked: Arc<BTreeSet<PackKey>>,
    /// Promises that cannot both be true.
    pub(super) contradictions: Arc<Vec<String>>,
}

/// What was there when the run began and must not come back. Only who was not preceded by a dead process
/// knows what it has removed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mended {
    /// An open has removed the temps of dead writers.
    pub(super) swept: bool,
    /// A collection has removed a record that is none.
    pub(super) collected: bool,
}

/// How far the making of a store has come for sure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Made {
    /// There may be none.
    Nothing,
    /// There is one, which may have an older format.
    Older,
    /// It can be opened.
    Whole,
}

/// Folds Marks.
pub(super) struct Ledger<'c> {
    contents: &'c Contents,
    store: Made,
    objects: BTreeSet<ObjectId>,
    refs: BTreeMap<String, Sequence<Option<ObjectId>>>,
    head: Sequence<Head>,
    files: BTreeMap<String, Sequence<Option<ObjectId>>>,
    states: BTreeMap<String, Sequence<Option<ObjectId>>>,
    claims: Claims,
    log: Logbook,
    contradictions: Vec<String>,
    pins: u32,
    /// Acknowledged while a pin was held that still is.
    pinned: BTreeSet<ObjectId>,
    collections: u32,
    /// A collection of an earlier run was interrupted.
    interrupted: bool,
    mended: Mended,
    packs: BTreeMap<PackKey, u64>,
    unpacked: BTreeSet<PackKey>,
    /// The latest time at which packs were swept.
    swept_at: u64,
    /// How many were killed in this run, perhaps while they swept or collected.
    killed: u32,
    last: Option<Owed>,
}

impl<'c> Ledger<'c> {
    /// Nothing is owed, and a new store's HEAD is at `head`.
    pub(super) fn new(contents: &'c Contents, head: Head) -> Self {
        Self {
            contents,
            store: Made::Nothing,
            objects: BTreeSet::new(),
            refs: BTreeMap::new(),
            head: Sequence::at(head),
            files: BTreeMap::new(),
            states: BTreeMap::new(),
            claims: Claims::default(),
            log: Logbook::default(),
            contradictions: Vec::new(),
            pins: 0,
            pinned: BTreeSet::new(),
            collections: 0,
            interrupted: false,
            mended: Mended::default(),
            packs: BTreeMap::new(),
            unpacked: BTreeSet::new(),
            swept_at: 0,
            killed: 0,
            last: None,
        }
    }

    /// What was recorded so far is the past of the run.
    pub(super) fn begin_run(&mut self) {
        self.all_gone();
        self.mended = Mended::default();
    }

    /// All writers are gone.
    fn all_gone(&mut self) {
        self.pins = 0;
        self.pinned.clear();
        self.interrupted |= std::mem::take(&mut self.collections) > 0;
        self.forget_unreachable();
    }

    /// These objects were damaged: nothing is owed of them until they are put again.
    pub(super) fn damaged<'i>(&mut self, ids: impl Iterator<Item = &'i ObjectId>) {
        for id in ids {
            self.objects.remove(id);
        }
    }

    /// The store was given an older format.
    pub(super) fn made_older(&mut self) {
        self.store = Made::Older;
    }

    /// Takes in one Mark.
    pub(super) fn enter(&mut self, mark: &Mark) {
        match mark {
            Mark::Init => self.store = Made::Whole,
            Mark::Opened => {
                self.interrupted = false;
                self.mended.swept |= self.killed == 0;
            }
            Mark::Put(id) => self.owe(*id),
            Mark::Pin => self.pins += 1,
            Mark::Unpin => self.unpin(),
            Mark::Moving { branch, from, to } => self.branch(branch).announce(from, *to),
            Mark::Ref { branch, at } => self.moved(branch, *at),
            Mark::Refused { branch, to } => self.branch(branch).refuse(to),
            Mark::SettingHead(head) => self.head.announce_any(head.clone()),
            Mark::Head(head) => {
                self.head.acknowledge(head);
            }
            Mark::KeptHead(head) => self.head.refuse(head),
            Mark::Restoring { path, id } => self.file(path).announce_any(Some(*id)),
            Mark::Restored { path, id } => {
                self.file(path).acknowledge(&Some(*id));
            }
            Mark::Removing { path } => self.file(path).announce_any(None),
            Mark::Removed { path } => {
                self.file(path).acknowledge(&None);
            }
            Mark::Kept { path, id } => self.file(path).refuse(&Some(*id)),
            Mark::GcBegins => self.collections += 1,
            Mark::Gc => {
                self.collections = self.collections.saturating_sub(1);
                self.mended.collected |= self.killed == 0;
            }
            Mark::Packed { key, due } => {
                let known = self.packs.get(key).copied().unwrap_or_default();
                // Another writer may have swept at a time that is later than now.
                if *due > self.swept_at {
                    self.packs.insert(*key, known.max(*due));
                }
            }
            Mark::Sweeping(now) => {
                self.swept_at = self.swept_at.max(*now);
                self.packs.retain(|_, due| *due > *now);
            }
            Mark::Unpacked(key) => drop(self.unpacked.insert(*key)),
            Mark::Killed => {
                self.killed += 1;
                self.claims.enter(mark);
                self.all_gone();
            }
            Mark::Changing { what, to } => self.state(what).announce_any(*to),
            Mark::Changed { what, to } => self.changed(what, *to),
            Mark::Unchanged { what, to } => self.state(what).refuse(to),
            Mark::Doubted(_) | Mark::Trusted(_) | Mark::Told(_) | Mark::Failed(_) => {}
            // For one of these two.
            _ => {
                self.log.enter(mark);
                self.contradictions.extend(self.claims.enter(mark));
            }
        }
        self.forget_unreachable();
    }

    /// What is owed now. Maps that did not change since the last call are shared with it.
    pub(super) fn owed(&mut self) -> Owed {
        let mut owed = Owed {
            store: self.store,
            objects: Arc::new(self.objects.clone()),
            refs: Arc::new(allowed(&self.refs)),
            head: self.head.allowed(),
            files: Arc::new(allowed(&self.files)),
            states: Arc::new(allowed(&self.states)),
            claims: Arc::new(self.claims.clone()),
            log: Arc::new(self.log.clone()),
            mended: self.mended,
            packs: Arc::new(self.packs.clone()),
            unpacked: Arc::new(self.unpacked.clone()),
            contradictions: Arc::new(self.contradictions.clone()),
        };
        if let Some(last) = &self.last {
            share(&mut owed.objects, &last.objects);
            share(&mut owed.refs, &last.refs);
            share(&mut owed.files, &last.files);
            share(&mut owed.packs, &last.packs);
            share(&mut owed.unpacked, &last.unpacked);
            share(&mut owed.states, &last.states);
            share(&mut owed.claims, &last.claims);
            share(&mut owed.log, &last.log);
            share(&mut owed.contradictions, &last.contradictions);
        }
        self.last = Some(owed.clone());
        owed
    }

    fn owe(&mut self, id: ObjectId) {
        self.objects.insert(id);
        if self.pins > 0 {
            self.pinned.insert(id);
        }
    }

    fn unpin(&mut self) {
        self.pins = self.pins.saturating_sub(1);
        if self.pins == 0 {
            self.pinned.clear();
        }
    }

    fn moved(&mut self, branch: &str, at: Option<ObjectId>) {
        if !self.branch(branch).acknowledge(&at) {
            let at = super::marks::or_absent(at);
            self.contradictions.push(format!(
                "branch {branch}: its change to {at} was acknowledged, and before that another \
                 change of the same value; expected one of the two to be refused"
            ));
        }
        let reached = at.map_or_else(BTreeSet::new, |id| self.closure(id));
        self.objects.extend(reached);
    }

    fn branch(&mut self, name: &str) -> &mut Sequence<Option<ObjectId>> {
        self.refs.entry(name.to_owned()).or_insert_with(|| Sequence::at(None))
    }

    fn file(&mut self, path: &str) -> &mut Sequence<Option<ObjectId>> {
        self.files.entry(path.to_owned()).or_insert_with(|| Sequence::at(None))
    }

    fn state(&mut self, what: &str) -> &mut Sequence<Option<ObjectId>> {
        self.states.entry(what.to_owned()).or_insert_with(|| Sequence::at(None))
    }

    /// All that a merge or rebase in progress leads to is owed, but not as an object its own value.
    fn changed(&mut self, what: &str, to: Option<ObjectId>) {
        self.state(what).acknowledge(&to);
        let mut reached = to.map_or_else(BTreeSet::new, |id| self.closure(id));
        to.map(|id| reached.remove(&id));
        self.objects.extend(reached);
    }

    /// A collection may take what nothing is sure to lead to.
    fn forget_unreachable(&mut self) {
        if self.collections == 0 && !self.interrupted {
            return;
        }
        let mut kept = std::mem::take(&mut self.pinned);
        for values in self.refs.values() {
            kept.extend(self.led_to_by_all(&values.allowed()));
        }
        for values in self.states.values() {
            kept.extend(self.led_to_by_all(&values.allowed()));
        }
        let commit = |head: &Head| match head {
            Head::Detached(id) => Some(*id),
            Head::Branch(_) => None,
        };
        let heads: Vec<_> = self.head.allowed().iter().map(commit).collect();
        kept.extend(self.led_to_by_all(&heads));
        self.objects.retain(|id| kept.contains(id));
        if self.pins > 0 {
            self.pinned = kept;
        }
    }

    fn led_to_by_all(&self, values: &[Option<ObjectId>]) -> BTreeSet<ObjectId> {
        let mut closures =
            values.iter().map(|id| id.map_or_else(BTreeSet::new, |id| self.closure(id)));
        let first = closures.next().unwrap_or_default();
        closures.fold(first, |common, other| common.intersection(&other).copied().collect())
    }

    /// An object and all it leads to.
    fn closure(&self, id: ObjectId) -> BTreeSet<ObjectId> {
        let mut reached = BTreeSet::new();
        let mut open = vec![id];
        while let Some(id) = open.pop() {
            if reached.insert(id) {
                open.extend(self.contents.get(&id).iter().flat_map(|known| &known.leads_to));
            }
        }
        reached
    }
}

fn allowed<V: Clone + PartialEq>(of: &BTreeMap<String, Sequence<V>>) -> BTreeMap<String, Vec<V>> {
    of.iter().map(|(name, values)| (name.clone(), values.allowed())).collect()
}

fn share<T: PartialEq>(new: &mut Arc<T>, old: &Arc<T>) {
    if *new == *old {
        *new = Arc::clone(old);
    }
}
