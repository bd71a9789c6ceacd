//! The book of verdicts: what is known of states, so that none is judged twice.
//!
//! Verdicts that were known before, of an interrupted run or of other shards, are put in at the start;
//! new ones are told to whoever keeps them. Not for choosing states.

use std::collections::{BTreeMap, BTreeSet};

use faultfs::{DiskImage, ImageHash};

use super::share::{Partition, Share, Whose};
use crate::check::Verdict;

/// A crash state to be judged.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Its disk, as the kernel finds it after the crash.
    pub image: DiskImage,
    /// The number of Marks before the crash.
    pub marks: u32,
}

/// Who says what a state is worth.
pub trait Judge {
    /// The verdicts on these states, in their order. From the moment that `stop` says so, what is left is
    /// not measured.
    fn judge(&mut self, states: Vec<Asked>, stop: &dyn Fn() -> bool) -> Vec<Verdict>;
}

/// What a verdict depends on: the number of Marks before the crash, and the disk.
pub type Key = (u32, ImageHash);

/// Who keeps new verdicts.
pub type Keeper<'j> = &'j mut dyn FnMut(Key, &Verdict);

/// All verdicts so far.
pub struct Book<'j> {
    judge: &'j mut dyn Judge,
    known: BTreeMap<Key, Verdict>,
    /// States whose verdict this run made use of.
    used: BTreeSet<Key>,
    keeper: Option<Keeper<'j>>,
    share: Share,
    /// The order in which states were met, where shards go by it.
    met: BTreeMap<Key, u64>,
}

impl<'j> Book<'j> {
    /// An empty book.
    pub fn new(judge: &'j mut dyn Judge) -> Self {
        let (known, used, met) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
        Self { judge, known, used, keeper: None, share: Share::All, met }
    }

    /// A book that begins with these verdicts, and tells new ones to the keeper.
    #[must_use]
    pub fn with(self, known: BTreeMap<Key, Verdict>, keeper: Option<Keeper<'j>>) -> Self {
        Self { known, keeper, ..self }
    }

    /// A book in which a search judges only some of the states.
    #[must_use]
    pub fn sharing(self, share: Share) -> Self {
        Self { share, ..self }
    }

    /// How many distinct states have a verdict that was asked for.
    pub fn asked(&self) -> u64 {
        self.used.len() as u64
    }

    /// The verdict that is known already.
    pub(super) fn known(&mut self, key: Key) -> Option<&Verdict> {
        let verdict = self.known.get(&key)?;
        self.used.insert(key);
        Some(verdict)
    }

    /// Whether it is known that the state survived.
    pub fn survived(&self, key: Key) -> bool {
        self.known.get(&key) == Some(&Verdict::Survived)
    }

    /// Who judges a state that is met in a search, unless its verdict is known.
    pub(super) fn whose(&mut self, key: Key) -> Whose {
        if !matches!(self.share, Share::Of(Partition::Slice { .. })) {
            return self.share.whose(key, 0);
        }
        let next = self.met.len() as u64;
        let nth = *self.met.entry(key).or_insert(next);
        self.share.whose(key, nth)
    }

    /// The verdicts on these states, in their order; equal ones are judged once.
    pub fn verdicts(&mut self, states: Vec<Asked>, stop: &dyn Fn() -> bool) -> Vec<Verdict> {
        let keys: Vec<Key> = states.iter().map(|s| (s.marks, s.image.hash())).collect();
        let mut new: BTreeMap<Key, Asked> = BTreeMap::new();
        let mut order = Vec::new();
        for (key, state) in keys.iter().zip(states) {
            if !self.known.contains_key(key) && new.insert(*key, state).is_none() {
                order.push(*key);
            }
        }
        let asked: Vec<_> = order.iter().filter_map(|key| new.remove(key)).collect();
        let mut unknown = BTreeMap::new();
        for (key, verdict) in order.into_iter().zip(self.judge.judge(asked, stop)) {
            // What was not measured may be yet.
            if matches!(verdict, Verdict::NotMeasured(_)) {
                unknown.insert(key, verdict);
                continue;
            }
            if let Some(keeper) = &mut self.keeper {
                keeper(key, &verdict);
            }
            self.known.insert(key, verdict);
        }
        let verdict = |key: &Key| {
            let verdict = self.known(*key).cloned().or_else(|| unknown.get(key).cloned());
            verdict.unwrap_or_else(Verdict::given_up)
        };
        keys.iter().map(verdict).collect()
    }

    /// The verdict on one state, asked for again although it is known.
    pub fn again(&mut self, state: Asked, stop: &dyn Fn() -> bool) -> Option<Verdict> {
        self.judge.judge(vec![state], stop).pop()
    }

    /// The verdict on one state.
    pub fn verdict(&mut self, state: Asked, stop: &dyn Fn() -> bool) -> Verdict {
        self.verdicts(vec![state], stop).pop().unwrap_or(Verdict::Survived)
    }
}
