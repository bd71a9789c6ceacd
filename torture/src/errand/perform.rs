//! Doing an errand through the store's real protocol.
//!
//! Not for remembering what was promised: success here is what the writer acknowledges. Where a store has
//! room for one such thing only (a merge, a rebase), a writer that meets somebody else's leaves it alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use faultfs::{Fs, RealFs};
use plugpull_store::{
    Branch, Claim, Commit, Error, Head, Known, MergeState, ObjectId, PackAccess, PackKey, Pin,
    RebaseState, Result, Snapshot, Store, Ttl,
};

use super::Errand;
use super::seen::{address, checked_out, remote, restored, session, work_of_merge, work_of_rebase};
use crate::workload::Work;

/// In so many log records of one life a checkpoint is written and what it covers is dropped.
const CHECKPOINT: u64 = 16;

/// In so many packs of one life what is due is swept.
const SWEEP: u64 = 8;

/// Where nobody serves the packs: they get a URL, and so a lease.
const SERVED_AT: &str = "http://localhost/packs";

/// Does one; `desk` is the writer's own directory outside the store. Says which pack it made, if it did.
pub fn perform<F: Fs>(
    store: &Store<F>,
    errand: Errand,
    work: Work,
    desk: &Path,
) -> Result<Option<PackKey>> {
    match errand {
        Errand::Pack => return pack(store, work),
        Errand::Restore => restore(store, work, desk),
        Errand::Merge => merge(store, work),
        Errand::Rebase => rebase(store, work),
        Errand::Reserve => reserve(store, work),
        Errand::Log => log(store, work),
        Errand::Config => config(store, work),
        Errand::Checkout => checkout(store, work, desk),
    }?;
    Ok(None)
}

fn restore<F: Fs>(store: &Store<F>, work: Work, desk: &Path) -> Result<()> {
    // Nothing leads to the object: no collection may take it before it is restored.
    let _pin = store.pin()?;
    let id = store.put(work.message().as_bytes())?.id;
    let _receipt = store.restore(&id, &restored(desk), work.n % 2 == 1)?;
    Ok(())
}

fn config<F: Fs>(store: &Store<F>, work: Work) -> Result<()> {
    store.set_remote(&remote(work.slot), &work.message(), Known::Any).map(drop)
}

fn checkout<F: Fs>(store: &Store<F>, work: Work, desk: &Path) -> Result<()> {
    let pin = store.pin()?;
    let commit = commit_of(store, &pin, work)?;
    store.checkout(&Head::Detached(commit), &checked_out(desk)).map(drop)
}

/// A commit on no branch that no other errand makes; nothing is to collect it while the pin is held.
fn commit_of<F: Fs>(store: &Store<F>, _pin: &Pin<'_, F>, work: Work) -> Result<ObjectId> {
    let blob = store.put(work.message().as_bytes())?.id;
    let snapshot = store.put_snapshot(&Snapshot::of([("work", blob)])?)?.id;
    let author = format!("writer {}", work.slot);
    Ok(store.put_commit(&Commit::new([], snapshot, author, work.message(), 0))?.id)
}

/// Begins a merge and ends it, after one that a killed predecessor left.
fn merge<F: Fs>(store: &Store<F>, work: Work) -> Result<()> {
    let pin = store.pin()?;
    if let Some(found) = store.merge_state()? {
        if work_of_merge(&found).is_ok_and(|other| other.slot != work.slot) {
            return Ok(());
        }
        unless_elsewhere(store.clear_merge_state(Known::Is(&found)))?;
    }
    let commit = commit_of(store, &pin, work)?;
    let state = MergeState {
        base_commit: commit,
        ours_commit: commit,
        theirs_commit: commit,
        conflict_paths: BTreeSet::from([work.message()]),
        other_branch: Some(Branch::new("topic")?),
    };
    if unless_elsewhere(store.write_merge_state(&state, Known::Absent))?.is_some() {
        store.clear_merge_state(Known::Is(&state))?;
    }
    Ok(())
}

/// Begins a rebase, goes on with it and ends it, after one that a killed predecessor left.
fn rebase<F: Fs>(store: &Store<F>, work: Work) -> Result<()> {
    let pin = store.pin()?;
    if let Some(found) = store.rebase_state()? {
        if work_of_rebase(&found).is_ok_and(|other| other.slot != work.slot) {
            return Ok(());
        }
        unless_elsewhere(store.clear_rebase_state(Known::Is(&found)))?;
    }
    let commit = commit_of(store, &pin, work)?;
    let begun = RebaseState {
        original_branch: Branch::new(&work.message().replace(' ', "-"))?,
        original_head: commit,
        onto: commit,
        remaining: vec![commit],
        completed: Vec::new(),
        squash: work.n % 2 == 1,
    };
    if unless_elsewhere(store.write_rebase_state(&begun, Known::Absent))?.is_none() {
        return Ok(());
    }
    let done = RebaseState { remaining: Vec::new(), completed: vec![commit], ..begun.clone() };
    let _receipt = store.write_rebase_state(&done, Known::Is(&begun))?;
    store.clear_rebase_state(Known::Is(&done))?;
    Ok(())
}

/// `None` where another writer was faster.
fn unless_elsewhere<T>(changed: Result<T>) -> Result<Option<T>> {
    match changed {
        Err(Error::StateConflict { .. }) => Ok(None),
        changed => changed.map(Some),
    }
}

/// Fetches a pack of a commit of its own, for longer than a run lasts; now and then sweeps.
fn pack<F: Fs>(store: &Store<F>, work: Work) -> Result<Option<PackKey>> {
    let pin = store.pin()?;
    let commit = commit_of(store, &pin, work)?;
    let place = store.pack_directory(Some(SERVED_AT));
    let fetched = store.fetch_pack(&place, &[commit], &[], Ttl::LONGEST)?;
    if work.n.is_multiple_of(SWEEP) {
        store.sweep_packs(&place, RealFs.now())?;
    }
    Ok(match fetched.access {
        PackAccess::Url { key, .. } => Some(key),
        PackAccess::Inline(_) => None,
    })
}

/// Reserves the writer's address anew, says what for, and gives back what it had before.
fn reserve<F: Fs>(store: &Store<F>, work: Work) -> Result<()> {
    let address = address(work.slot);
    let before = store.holders(&address)?;
    let branch = Branch::new("main")?;
    let claim = Claim {
        exclusive: false,
        ..Claim::new(work.message(), branch, [address.clone()], "write")
    };
    let (reservation, _) = store.reserve(&claim)?;
    let id = &reservation.reservation_id;
    let _intent = store.intend(id, [address], "write", work.message())?;
    for held in before {
        store.release(&held.reservation_id)?;
    }
    Ok(())
}

/// Appends a record. Now and then a checkpoint takes over what the last record of each session is.
fn log<F: Fs>(store: &Store<F>, work: Work) -> Result<()> {
    let _receipt = store.append_log(&session(work.slot), &work.message())?;
    if !work.n.is_multiple_of(CHECKPOINT) {
        return Ok(());
    }
    let log = store.log(0)?;
    let summary = log.checkpoint.map(|checkpoint| checkpoint.summary).unwrap_or_default();
    let mut last = last_of_sessions(&summary);
    for record in &log.records {
        last.insert(record.session.clone(), record.text.clone());
    }
    let Some(end) = log.records.last() else { return Ok(()) };
    let summary: Vec<_> = last.iter().map(|(session, text)| format!("{session}\t{text}")).collect();
    match store.checkpoint_log(end.seq, &summary.join("\n")) {
        // Another writer has compacted it beyond that.
        Err(Error::BadValue { .. }) => return Ok(()),
        written => drop(written?),
    }
    store.compact_log().map(drop)
}

/// What a checkpoint's summary says.
pub(super) fn last_of_sessions(summary: &str) -> BTreeMap<String, String> {
    let lines = summary.lines().filter_map(|line| line.split_once('\t'));
    lines.map(|(session, text)| (session.to_owned(), text.to_owned())).collect()
}
