//! `plugpull store merge-state`, `rebase-state`, `reserve`, `intend`, `release`, `reservations`, `oplog`.
//!
//! Not for merging, rebasing or working: these keep the books of those who do.

use std::io::Write;
use std::time::{Duration, SystemTime};

use plugpull_store::{
    Branch, Claim, Known, MergeState, ObjectId, RebaseState, Reservation, Result as StoreResult,
    Time,
};

use super::Store;
use crate::cli::{MergeStateArgs, OplogArgs, RebaseStateArgs, ReserveArgs};
use crate::exit::Failure;

/// What there should be before a state is written: nothing, or anything with `--force`.
fn known<T>(force: bool) -> Known<'static, T> {
    if force { Known::Any } else { Known::Absent }
}

pub(super) fn merge_state(
    out: &mut dyn Write,
    store: &Store,
    args: &MergeStateArgs,
) -> Result<(), Failure> {
    if let (Some(base), Some(ours), Some(theirs)) = (&args.base, &args.ours, &args.theirs) {
        let state = MergeState {
            base_commit: base.parse()?,
            ours_commit: ours.parse()?,
            theirs_commit: theirs.parse()?,
            conflict_paths: args.conflict.iter().cloned().collect(),
            other_branch: args.branch.as_deref().map(Branch::new).transpose()?,
        };
        let _receipt = store.write_merge_state(&state, known(args.force))?;
        return Ok(());
    }
    if args.clear && args.force {
        store.clear_merge_state(Known::Any)?;
        return Ok(());
    }
    let Some(state) = store.merge_state()? else {
        return Ok(writeln!(out, "no merge in progress")?);
    };
    if args.clear {
        store.clear_merge_state(Known::Is(&state))?;
        return Ok(());
    }
    writeln!(out, "base {}", state.base_commit)?;
    writeln!(out, "ours {}", state.ours_commit)?;
    writeln!(out, "theirs {}", state.theirs_commit)?;
    if let Some(branch) = &state.other_branch {
        writeln!(out, "branch {branch}")?;
    }
    for path in &state.conflict_paths {
        writeln!(out, "conflict {path}")?;
    }
    Ok(())
}

pub(super) fn rebase_state(
    out: &mut dyn Write,
    store: &Store,
    args: &RebaseStateArgs,
) -> Result<(), Failure> {
    let ids = |texts: &[String]| texts.iter().map(|id| id.parse()).collect::<StoreResult<Vec<_>>>();
    if let (Some(branch), Some(head), Some(onto)) = (&args.branch, &args.head, &args.onto) {
        let state = RebaseState {
            original_branch: Branch::new(branch)?,
            original_head: head.parse()?,
            onto: onto.parse()?,
            remaining: ids(&args.remaining)?,
            completed: ids(&args.completed)?,
            squash: args.squash,
        };
        let _receipt = store.write_rebase_state(&state, known(args.force))?;
        return Ok(());
    }
    if args.clear && args.force {
        store.clear_rebase_state(Known::Any)?;
        return Ok(());
    }
    let Some(state) = store.rebase_state()? else {
        return Ok(writeln!(out, "no rebase in progress")?);
    };
    if args.clear {
        store.clear_rebase_state(Known::Is(&state))?;
        return Ok(());
    }
    print_rebase(out, &state)
}

fn print_rebase(out: &mut dyn Write, state: &RebaseState) -> Result<(), Failure> {
    writeln!(out, "branch {}", state.original_branch)?;
    writeln!(out, "head {}", state.original_head)?;
    writeln!(out, "onto {}", state.onto)?;
    let mut list =
        |name: &str, ids: &[ObjectId]| ids.iter().try_for_each(|id| writeln!(out, "{name} {id}"));
    list("completed", &state.completed)?;
    list("remaining", &state.remaining)?;
    if state.squash {
        writeln!(out, "squash")?;
    }
    Ok(())
}

pub(super) fn reserve(
    out: &mut dyn Write,
    store: &Store,
    args: &ReserveArgs,
) -> Result<(), Failure> {
    let branch = Branch::new(&args.branch)?;
    let claim = Claim::new(&args.run, branch, &args.addresses, &args.operation);
    let claim = Claim { ttl: args.ttl, exclusive: !args.shared, ..claim };
    let (reservation, _receipt) = store.reserve(&claim)?;
    Ok(writeln!(out, "{}", reservation.reservation_id)?)
}

pub(super) fn release(store: &Store, id: &str) -> Result<(), Failure> {
    let released = match store.release(id)? {
        None => store.withdraw(id)?,
        released => released,
    };
    let absent = || Failure::Usage(format!("there is no reservation or intent {id:?}"));
    released.map(|_| ()).ok_or_else(absent)
}

pub(super) fn reservations(
    out: &mut dyn Write,
    store: &Store,
    address: Option<&str>,
    sweep: bool,
) -> Result<(), Failure> {
    if sweep {
        let swept = store.sweep_reservations()?;
        writeln!(out, "removed {} that had expired", swept.len())?;
    }
    let found = match address {
        Some(address) => store.holders(address)?,
        None => store.reservations()?,
    };
    let intents = store.intents()?;
    for held in found {
        let Reservation { reservation_id, run_id, branch, operation, .. } = &held;
        let until = rfc3339(held.expires_at);
        writeln!(out, "{reservation_id} {run_id} {operation} on {branch} until {until}")?;
        held.addresses.iter().try_for_each(|address| writeln!(out, "    {address}"))?;
        for intent in intents.iter().filter(|intent| intent.reservation_id == *reservation_id) {
            writeln!(
                out,
                "    intent {} {} {}",
                intent.intent_id, intent.operation, intent.detail
            )?;
        }
    }
    Ok(())
}

pub(super) fn oplog(out: &mut dyn Write, store: &Store, args: &OplogArgs) -> Result<(), Failure> {
    if let Some(text) = &args.append {
        let (record, _receipt) = store.append_log(&args.session, text)?;
        writeln!(out, "{}", record.seq)?;
    }
    if let Some(summary) = &args.checkpoint {
        let log = store.log(0)?;
        let last = log.records.last().map_or(log.base, |record| record.seq);
        let _receipt = store.checkpoint_log(last, summary)?;
    }
    if args.compact {
        let dropped = store.compact_log()?;
        writeln!(out, "dropped {dropped} records")?;
    }
    if args.append.is_some() || args.checkpoint.is_some() || args.compact {
        return Ok(());
    }
    let log = store.log(0)?;
    if let Some(checkpoint) = &log.checkpoint {
        writeln!(out, "checkpoint {}: {}", checkpoint.covers, checkpoint.summary)?;
    }
    let covered = log.checkpoint.filter(|_| !args.all).map_or(0, |checkpoint| checkpoint.covers);
    for record in log.records.into_iter().filter(|record| record.seq > covered) {
        let time = rfc3339(record.time);
        writeln!(out, "{} {time} {} {}", record.seq, record.session, record.text)?;
    }
    Ok(())
}

fn rfc3339(time: Time) -> humantime::Rfc3339Timestamp {
    // A time beyond what a calendar has stands for one very late.
    let latest = Duration::from_secs(253_402_300_799);
    let since = Duration::from_millis(time.millis()).min(latest);
    humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + since)
}
