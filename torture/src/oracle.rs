//! The oracle: knows what was promised, and holds the store to it after every kill.
//!
//! Each audit looks at what is new since the last one, so a run of twice the commits takes twice the
//! time: it walks every branch from its tip down to the commit it knew, makes the contents of each new
//! commit again from the seed and compares them, and looks for every acknowledged commit among them.
//!
//! Not for objects that no branch leads to: those are the full audit's, at the end.

use std::collections::{BTreeMap, BTreeSet};

use plugpull_store::{Branch, Commit, Error, ObjectId, Store};

use crate::exit::Failure;
use crate::workload::{SHARED, Work, own_branch};

/// Something the store owes and did not keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// A short name of its kind, for machines.
    pub kind: &'static str,
    /// What happened, for people.
    pub detail: String,
}

impl Finding {
    /// A finding of this kind.
    pub fn new(kind: &'static str, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }
}

/// What one branch was seen to hold.
#[derive(Debug, Default)]
struct History {
    /// Tip at the last audit.
    tip: Option<ObjectId>,
    /// Acknowledged since the last audit.
    promised: BTreeSet<ObjectId>,
    /// In the history, and not acknowledged: its writer died first, or will say so soon.
    unacknowledged: BTreeSet<ObjectId>,
    /// Acknowledged and found.
    kept: BTreeSet<ObjectId>,
    /// What each commit of the history did; one work must not be there twice.
    works: BTreeSet<Work>,
}

/// Knows all branches of one run.
#[derive(Debug)]
pub struct Oracle {
    seed: u64,
    histories: BTreeMap<String, History>,
}

impl Oracle {
    /// For a run with this seed and number of writers.
    pub fn new(seed: u64, writers: u32) -> Self {
        let own = (0..writers).map(own_branch);
        let histories = own.chain([SHARED.to_owned()]).map(|name| (name, History::default()));
        Self { seed, histories: histories.collect() }
    }

    /// A writer said that this commit is durable.
    pub fn promise(&mut self, branch: &str, id: ObjectId) -> Result<(), Finding> {
        let history = self.histories.get_mut(branch);
        let history = history.ok_or_else(|| Finding::new("wrong-branch", branch))?;
        if history.unacknowledged.remove(&id) {
            history.kept.insert(id);
        } else if !history.promised.insert(id) || history.kept.contains(&id) {
            return Err(Finding::new("acknowledged-twice", format!("{id} on {branch}")));
        }
        Ok(())
    }

    /// Acknowledged commits so far.
    pub fn promises(&self) -> u64 {
        self.histories.values().map(|h| (h.promised.len() + h.kept.len()) as u64).sum()
    }

    /// Holds the store to all promises made so far; looks at what is new since the last audit.
    pub fn audit(&mut self, store: &Store) -> Result<Vec<Finding>, Failure> {
        let mut findings = Vec::new();
        for (name, history) in &mut self.histories {
            match audit_branch(store, self.seed, name, history) {
                Ok(()) => {}
                Err(Broken::Finding(finding)) => findings.push(finding),
                Err(Broken::Store(error @ (Error::Corrupt { .. } | Error::WrongKind { .. }))) => {
                    findings.push(Finding::new("corrupt", format!("{name}: {error}")));
                }
                Err(Broken::Store(error)) => return Err(error.into()),
            }
        }
        Ok(findings)
    }

    /// Looks at the objects of a commit that its writer did not live to acknowledge: each is absent
    /// or whole, whether or not anything leads to it.
    pub fn audit_unfinished(&self, store: &Store, work: Work) -> Result<Option<Finding>, Failure> {
        let blobs = [work.new_blob(self.seed), work.known_blob(self.seed)];
        let blobs = blobs.map(|bytes| ObjectId::of(&bytes));
        let snapshot = work.snapshot(blobs[0], blobs[1])?.id()?;
        for id in blobs.iter().chain([&snapshot]) {
            match store.get(id) {
                Ok(_) => {}
                Err(error @ Error::Corrupt { .. }) => {
                    let detail = format!("left by {}: {error}", work.message());
                    return Ok(Some(Finding::new("corrupt", detail)));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }

    /// Walks every branch down to its root once more and looks for every promise ever made.
    pub fn final_audit(&mut self, store: &Store) -> Result<Vec<Finding>, Failure> {
        let mut findings = self.audit(store)?;
        for (name, history) in &self.histories {
            let mut missing = history.kept.clone();
            let mut next = history.tip;
            while let Some(id) = next {
                missing.remove(&id);
                next = match store.read_commit(&id) {
                    Ok(Some(commit)) => commit.parents.first().copied(),
                    Ok(None) => {
                        findings.push(Finding::new("missing", format!("{name}: commit {id}")));
                        None
                    }
                    Err(error @ (Error::Corrupt { .. } | Error::WrongKind { .. })) => {
                        findings.push(Finding::new("corrupt", format!("{name}: {error}")));
                        None
                    }
                    Err(error) => return Err(error.into()),
                };
            }
            findings.extend(missing.iter().map(|id| lost(name, id)));
        }
        let known: BTreeSet<_> = self.histories.keys().map(String::as_str).collect();
        match store.branches() {
            Ok(branches) => findings.extend(
                branches
                    .iter()
                    .filter(|(branch, _)| !known.contains(branch.as_str()))
                    .map(|(branch, _)| Finding::new("unknown-branch", branch.to_string())),
            ),
            Err(error) => findings.push(Finding::new("corrupt", error.to_string())),
        }
        Ok(findings)
    }
}

/// Why a branch's audit ended early.
enum Broken {
    Finding(Finding),
    Store(Error),
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<Finding> for Broken {
    fn from(finding: Finding) -> Self {
        Self::Finding(finding)
    }
}

fn lost(branch: &str, id: &ObjectId) -> Finding {
    let detail = format!("commit {id} was acknowledged on {branch}, and its history has it not");
    Finding::new("lost-commit", detail)
}

fn audit_branch(store: &Store, seed: u64, name: &str, history: &mut History) -> Result<(), Broken> {
    let promised = std::mem::take(&mut history.promised);
    let tip = store.read_branch(&Branch::new(name)?)?;
    let new = new_commits(store, name, tip, history.tip)?;
    for (id, commit) in &new {
        let work = check_contents(store, seed, name, id, commit)?;
        if !history.works.insert(work) {
            let detail = format!("{name}: {} is there twice", work.message());
            return Err(Finding::new("done-twice", detail).into());
        }
    }
    history.unacknowledged.extend(new.iter().map(|(id, _)| *id));
    history.tip = tip;
    for id in promised {
        if !history.unacknowledged.remove(&id) {
            return Err(lost(name, &id).into());
        }
        history.kept.insert(id);
    }
    Ok(())
}

/// The commits from `tip` down to `known`, newest first. The history must be one chain that goes on
/// where it was: a tip that does not lead to the known one lost commits.
fn new_commits(
    store: &Store,
    name: &str,
    tip: Option<ObjectId>,
    known: Option<ObjectId>,
) -> Result<Vec<(ObjectId, Commit)>, Broken> {
    let mut new = Vec::new();
    let mut next = tip;
    while next != known {
        let Some(id) = next else {
            let detail = match (tip, known) {
                (Some(tip), Some(known)) => {
                    format!("{name}: the tip {tip} no longer leads to {known}")
                }
                _ => format!("{name}: the branch is gone"),
            };
            return Err(Finding::new("history-rewritten", detail).into());
        };
        let Some(commit) = store.read_commit(&id)? else {
            let detail = format!("{name}: commit {id} is missing");
            return Err(Finding::new("missing", detail).into());
        };
        if commit.parents.len() > 1 {
            let detail = format!("{name}: commit {id} has {} parents", commit.parents.len());
            return Err(Finding::new("not-a-chain", detail).into());
        }
        next = commit.parents.first().copied();
        new.push((id, commit));
    }
    Ok(new)
}

/// Makes the commit's contents again and compares: all that it leads to must be there, whole, and
/// what its writer meant to write.
fn check_contents(
    store: &Store,
    seed: u64,
    name: &str,
    id: &ObjectId,
    commit: &Commit,
) -> Result<Work, Broken> {
    let never = |what: &str| {
        Finding::new("never-written", format!("{name}: {what} of commit {id} was never written"))
    };
    let missing = |what: &str, of: &ObjectId| {
        Finding::new("missing", format!("{name}: {what} {of} of commit {id} is missing"))
    };
    let work = Work::parse(&commit.message).ok_or_else(|| never("the message"))?;
    if work.branch(seed) != name {
        return Err(never("the branch").into());
    }
    let blobs = [work.new_blob(seed), work.known_blob(seed)];
    let ids = blobs.each_ref().map(|bytes| ObjectId::of(bytes));
    let snapshot = store.read_snapshot(&commit.snapshot)?;
    let snapshot = snapshot.ok_or_else(|| missing("snapshot", &commit.snapshot))?;
    if snapshot != work.snapshot(ids[0], ids[1])? {
        return Err(never("the snapshot").into());
    }
    for blob in &ids {
        // The bytes have the id they were asked by, and the id is that of the expected bytes.
        store.get(blob)?.ok_or_else(|| missing("blob", blob))?;
    }
    Ok(work)
}
