//! Operations over several files of a run: checkouts and ends of merges, and whether one is half done.
//!
//! A checkout is known by its commit: HEAD names it, and the directory holds its files and no others. Not
//! for when which one is owed: see `owed`.

use std::path::Path;

use faultfs::{Fs, SimFs};
use plugpull_store::{Branch, Commit, Error, Head, MergeState, ObjectId, Result, Snapshot, Store};

use super::look::Look;
use super::marks::Mark;
use super::perform::{TIME, Writer, text_of};
use super::plan::{Begin, Draw, Killed, Moment, Plan, Step, Then};
use super::progress::MERGE;
use super::together;
use super::workload::alone;

/// Where all checkouts go.
const DESK: &str = "/work/desk";

/// What a checkout is called in Marks.
pub(super) const CHECKOUT: &str = "checkout";

impl<F: Fs> Writer<'_, F> {
    /// Checks out the commit of a branch.
    pub(super) fn checkout_branch(&self, branch: &Branch) -> Result<()> {
        let _held = self.pin()?;
        self.store.read_branch(branch)?.map_or(Ok(()), |commit| self.checkout(commit))
    }

    /// Checks out a commit.
    pub(super) fn checkout(&self, commit: ObjectId) -> Result<()> {
        let files = files_of(&self.store, &commit)?;
        let before = match self.store.head()? {
            Some(Head::Detached(before)) => Some(before),
            Some(Head::Branch(branch)) => self.store.read_branch(&branch)?,
            None => None,
        };
        let gone = before.map(|before| files_of(&self.store, &before)).transpose()?;
        let mut gone = gone.unwrap_or_default();
        gone.retain(|(name, _)| !files.iter().any(|(stays, _)| stays == name));
        let head = Head::Detached(commit);
        let path = |name: &str| format!("{DESK}/{name}");
        for (name, _) in &gone {
            self.journal.mark(Mark::Removing { path: path(name) });
        }
        for (name, id) in &files {
            self.journal.mark(Mark::Restoring { path: path(name), id: *id });
        }
        self.journal.mark(Mark::SettingHead(head.clone()));
        self.journal.mark(Mark::Changing { what: CHECKOUT, to: Some(commit) });
        let Some(receipt) = self.store.checkout(&head, Path::new(DESK))? else { return Ok(()) };
        for (name, _) in &gone {
            self.settle(receipt.reached, Mark::Removed { path: path(name) });
        }
        for (name, id) in &files {
            self.settle(receipt.reached, Mark::Restored { path: path(name), id: *id });
        }
        self.settle(receipt.reached, Mark::Head(head));
        self.settle(receipt.reached, Mark::Changed { what: CHECKOUT, to: Some(commit) });
        Ok(())
    }

    /// Ends the merge in progress with a commit on the branch.
    pub(super) fn conclude(&self, branch: &Branch) -> Result<()> {
        let _held = self.pin()?;
        let Some(state) = self.store.merge_state()? else { return Ok(()) };
        let (from, theirs) = (state.ours_commit, state.theirs_commit);
        let Some(ours) = self.store.read_commit(&from)? else { return Ok(()) };
        let message = format!("{} concludes step {}", self.name, self.steps);
        let commit = Commit::new([from, theirs], ours.snapshot, "writer", message, TIME);
        self.journal.writing(&text_of(&commit), vec![from, theirs, ours.snapshot]);
        let to = self.acknowledge(self.store.put_commit(&commit)?);
        let name = branch.to_string();
        self.journal.mark(Mark::Moving { branch: name.clone(), from: Some(from), to: Some(to) });
        self.journal.mark(Mark::Changing { what: MERGE, to: None });
        match self.store.conclude_merge(branch, to, &state) {
            Ok(receipt) => {
                self.settle(receipt.reached, Mark::Ref { branch: name, at: Some(to) });
                self.settle(receipt.reached, Mark::Changed { what: MERGE, to: None });
                Ok(())
            }
            Err(Error::RefConflict { .. } | Error::StateConflict { .. }) => {
                self.journal.mark(Mark::Refused { branch: name, to: Some(to) });
                self.journal.mark(Mark::Unchanged { what: MERGE, to: None });
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

/// The files of a commit.
fn files_of<F: Fs>(store: &Store<F>, commit: &ObjectId) -> Result<Vec<(String, ObjectId)>> {
    let commit = store.read_commit(commit)?;
    let snapshot = commit.map(|found| store.read_snapshot(&found.snapshot)).transpose()?.flatten();
    let files = snapshot.iter().flat_map(Snapshot::files);
    Ok(files.map(|(path, entry)| (path.to_owned(), entry.id)).collect())
}

/// What is checked out, which must be whole.
pub(super) fn checked_out(store: &Store<SimFs>, look: &Look<'_>) -> Result<Option<ObjectId>> {
    let mut there: Vec<_> = look.files_below("work");
    there.retain(|(path, _)| path.starts_with(DESK));
    let Some(Head::Detached(commit)) = store.head()? else {
        return if there.is_empty() { Ok(None) } else { Err(half("HEAD is older than its files")) };
    };
    let files = files_of(store, &commit)?;
    let same = |(name, id): &(String, ObjectId)| -> Result<bool> {
        let bytes = store.get(id)?.unwrap_or_default();
        let path = format!("{DESK}/{name}");
        Ok(there.iter().any(|(found, inode)| *found == path && look.holds(*inode, &bytes)))
    };
    let right = files.iter().map(same).collect::<Result<Vec<_>>>()?;
    if right.len() == there.len() && right.iter().all(|right| *right) {
        return Ok(Some(commit));
    }
    Err(half("HEAD is newer than its files, or some of them are"))
}

/// A merge that was concluded and is in progress.
pub(super) fn half_concluded(store: &Store<SimFs>) -> Result<Option<Branch>> {
    let Some(MergeState { ours_commit, theirs_commit, .. }) = store.merge_state()? else {
        return Ok(None);
    };
    for (branch, tip) in store.branches()? {
        let commit = store.read_commit(&tip)?;
        if commit.is_some_and(|found| found.parents.iter().eq([&ours_commit, &theirs_commit])) {
            return Ok(Some(branch));
        }
    }
    Ok(None)
}

fn half(problem: &str) -> Error {
    Error::BadValue { kind: "checkout", problem: problem.to_owned() }
}

/// So many stories; the seed chooses one, and counts through the calls where somebody is killed.
const STORIES: u64 = 7;

/// One writer; in some seeds after one who is killed when so many of its calls are missing.
pub(super) fn plan(draw: &mut Draw, seed: u64, size: usize) -> Plan {
    let files = vec![("file", draw.bytes()), ("gone", draw.bytes())];
    let mut before = vec![Step::Commit { branch: "main", files }, draw.commit("topic")];
    let killed = |steps| vec![Killed { init: false, steps, at: Moment::BeforeEnd(seed / STORIES) }];
    let main = Step::Checkout { branch: "main" };
    let topic = Step::Checkout { branch: "topic" };
    let conclude = Step::Conclude { branch: "main" };
    let first = match seed % STORIES {
        0 => vec![topic],
        // What comes after the end of a merge, and takes it back, is not undone.
        1 => {
            before.push(Step::Point { branch: "old", at: "main" });
            vec![together::MERGE, conclude, Step::Point { branch: "main", at: "old" }]
        }
        2 => {
            before.push(main);
            return Plan { before, killed: killed(vec![topic]), ..alone(vec![Step::Gc]) };
        }
        3 => {
            before.push(together::MERGE);
            return Plan { before, killed: killed(vec![conclude]), ..alone(vec![Step::Gc]) };
        }
        // Whoever lives while another one dies in the middle is told the truth: HEAD is where it was set to, and
        // a branch that has gone on and come back is not moved by a merge that nobody concluded.
        5 => {
            before.push(main);
            let steps = vec![Step::Attach { branch: "main" }];
            return Plan { before, killed: killed(vec![topic]), ..beside(steps) };
        }
        6 => {
            before.extend([Step::Point { branch: "old", at: "main" }, together::MERGE]);
            let steps = ["topic", "old"].map(|at| Step::Point { branch: "main", at }).to_vec();
            return Plan { before, killed: killed(vec![conclude]), ..beside(steps) };
        }
        // A commit that a dead writer made is checked out.
        _ => {
            let files = vec![("file", draw.bytes())];
            let step = |then| Step::GoOn { branch: "topic", files: files.clone(), then };
            let steps = vec![step(Then::Checkout)];
            return Plan { before, killed: killed(vec![step(Then::Move)]), ..alone(steps) };
        }
    };
    if seed.is_multiple_of(STORIES) {
        before.push(main);
    }
    let more = size.saturating_sub(first.len());
    let steps = first.into_iter().chain((0..more).map(|_| step(draw))).collect();
    Plan { before, ..alone(steps) }
}

/// One writer, who has opened the store before the other is killed.
fn beside(steps: Vec<Step>) -> Plan {
    Plan { begin: Begin::OpenFirst, ..alone(steps) }
}

/// What one writer among others may do.
pub(super) fn step_among_others(draw: &mut Draw) -> Step {
    match draw.rng.u32(0..4) {
        0 => Step::Merge { ours: "main", theirs: "a", path: "file" },
        1 => Step::Conclude { branch: "main" },
        _ => Step::Checkout { branch: draw.of(&["main", "a"]) },
    }
}

fn step(draw: &mut Draw) -> Step {
    match draw.rng.u32(0..6) {
        0..2 => Step::Checkout { branch: draw.of(&["main", "topic"]) },
        2 => draw.commit("topic"),
        3 => together::MERGE,
        _ => Step::Conclude { branch: "main" },
    }
}
