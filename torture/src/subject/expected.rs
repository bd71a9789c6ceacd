//! What a check of a recorded run needs to know: all contents, and what was owed after each Mark.

use std::collections::{BTreeMap, BTreeSet};

use plugpull_store::{Branch, Head, ObjectId, Options};

use super::STORE;
use super::journal::{Contents, Known};
use super::marks::Mark;
use super::operations::CHECKOUT;
use super::owed::{Ledger, Owed};
use super::plan::Bytes;
use super::start::Start;

/// What a recorded run owes. Look at it with [`super::check`].
pub struct Expected {
    /// Every object that was ever tried to be written.
    pub(super) objects: BTreeMap<ObjectId, Object>,
    /// The bytes that damaged objects had instead of their own when the run began.
    pub(super) corrupt: BTreeMap<ObjectId, Bytes>,
    /// Objects of which a put fails in the run: from a moment within it they may be marked so.
    pub(super) doubted: BTreeSet<ObjectId>,
    /// The temps of dead writers that were there when the run began.
    pub(super) temps: Vec<String>,
    /// The record that was none when the run began.
    pub(super) bad_record: Option<String>,
    /// How the store recovers: by the program that made the run.
    pub(super) options: Options,
    /// So many Marks were written when HEAD was set without a checkout for the first time.
    pub(super) head_by_hand: usize,
    /// After 0, 1, ... Marks; never empty.
    owed: Vec<Owed>,
}

/// One object: its bytes, and its file's two names.
pub(super) struct Object {
    pub(super) bytes: Bytes,
    /// What it names: a snapshot its blobs, a commit its snapshot and parents.
    pub(super) leads_to: Vec<ObjectId>,
    pub(super) shard: String,
    pub(super) name: String,
}

impl Object {
    /// Where it lies.
    pub(super) fn path(&self) -> String {
        format!("{STORE}/objects/sha256/{}/{}", self.shard, self.name)
    }
}

/// A checkout announces its HEAD and then itself.
fn head_by_hand(marks: &[Mark]) -> usize {
    let sets = |mark: &Mark| matches!(mark, Mark::SettingHead(_));
    let checks_out = |mark: &Mark| matches!(mark, Mark::Changing { what: CHECKOUT, .. });
    let by_hand = |n: &usize| sets(&marks[*n]) && !marks.get(n + 1).is_some_and(checks_out);
    (0..marks.len()).find(by_hand).unwrap_or(marks.len())
}

impl Expected {
    pub(super) fn new(start: Start, marks: &[Mark], contents: Contents, options: Options) -> Self {
        let mut all = start.contents;
        all.extend(contents);
        let main = Branch::new("main").expect("it is a branch name");
        let mut ledger = Ledger::new(&all, Head::Branch(main));
        start.marks.iter().for_each(|mark| ledger.enter(mark));
        ledger.begin_run();
        ledger.damaged(start.corrupt.keys());
        if start.older {
            ledger.made_older();
        }
        let mut owed = vec![ledger.owed()];
        for mark in marks {
            ledger.enter(mark);
            owed.push(ledger.owed());
        }
        let doubted = |mark: &Mark| match mark {
            Mark::Doubted(id) => Some(*id),
            _ => None,
        };
        let object = |(id, known): (ObjectId, Known)| {
            let hex = id.hex();
            let (shard, name) = hex.split_at(2);
            let (shard, name) = (shard.to_owned(), name.to_owned());
            (id, Object { bytes: known.bytes, leads_to: known.leads_to, shard, name })
        };
        Self {
            objects: all.into_iter().map(object).collect(),
            corrupt: start.corrupt,
            doubted: marks.iter().filter_map(doubted).collect(),
            temps: start.temps,
            bad_record: start.bad_record,
            options,
            head_by_hand: head_by_hand(marks),
            owed,
        }
    }

    /// How many Marks the run wrote.
    pub fn marks(&self) -> usize {
        self.owed.len() - 1
    }

    /// What was owed after so many Marks.
    pub(super) fn owed(&self, marks: usize) -> &Owed {
        &self.owed[marks.min(self.marks())]
    }
}
