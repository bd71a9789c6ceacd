//! Reading back what an errand left: to which work it belongs.
//!
//! Not for saying whether that is right.

use std::io;
use std::path::{Path, PathBuf};

use faultfs::{Access, Fs, FsFile, RealFs};
use plugpull_store::{Error, MergeState, RebaseState, Result, Store};

use super::Errand;
use super::perform::last_of_sessions;
use crate::exit::Failure;
use crate::workload::Work;

/// Longest file of a desk that is read.
const MOST: usize = 4096;

/// What was read; an error says what is wrong with it.
pub type Seen = std::result::Result<Option<Work>, String>;

/// What the errands of this kind of one writer left.
pub fn seen(
    store: &Store,
    errand: Errand,
    slot: u32,
    desk: &Path,
) -> std::result::Result<Seen, Failure> {
    match of_store(store, errand, slot) {
        Ok(Some(seen)) => Ok(seen),
        Ok(None) if errand == Errand::Checkout => work_in(&checked_out(desk).join("work")),
        Ok(None) => work_in(&restored(desk)),
        Err(error @ (Error::Corrupt { .. } | Error::WrongKind { .. })) => {
            Ok(Err(error.to_string()))
        }
        Err(error) => Err(error.into()),
    }
}

/// What stands in the store; `None` for an errand that leaves something on the desk.
fn of_store(store: &Store, errand: Errand, slot: u32) -> Result<Option<Seen>> {
    let own = |seen: Seen| seen.map(|work| work.filter(|work| work.slot == slot));
    Ok(Some(match errand {
        Errand::Restore | Errand::Checkout => return Ok(None),
        Errand::Config => {
            let found = store.remotes()?.remove(&remote(slot));
            found.map(|text| said(text.as_bytes())).transpose()
        }
        Errand::Pack => Ok(None),
        Errand::Merge => own(store.merge_state()?.as_ref().map(work_of_merge).transpose()),
        Errand::Rebase => own(store.rebase_state()?.as_ref().map(work_of_rebase).transpose()),
        Errand::Reserve => reserved(store, slot)?,
        Errand::Log => logged(store, slot)?,
    }))
}

/// Where a writer restores to.
pub(super) fn restored(desk: &Path) -> PathBuf {
    desk.join("restored")
}

/// Where a writer checks out to.
pub(super) fn checked_out(desk: &Path) -> PathBuf {
    desk.join("checked-out")
}

/// A writer's remote.
pub(super) fn remote(slot: u32) -> String {
    format!("writer-{slot}")
}

/// What a writer reserves.
pub(super) fn address(slot: u32) -> String {
    format!("desk/{slot}")
}

/// Under which name a writer logs.
pub(super) fn session(slot: u32) -> String {
    format!("writer {slot}")
}

/// The work that began a merge.
pub(super) fn work_of_merge(state: &MergeState) -> std::result::Result<Work, String> {
    let path = state.conflict_paths.first().ok_or("it has no conflict")?;
    said(path.as_bytes())
}

/// The work that began a rebase.
pub(super) fn work_of_rebase(state: &RebaseState) -> std::result::Result<Work, String> {
    said(state.original_branch.as_str().replace('-', " ").as_bytes())
}

/// The newest reservation of a writer: an errand makes one before it gives back those before it.
fn reserved(store: &Store, slot: u32) -> Result<Seen> {
    let held = store.holders(&address(slot))?;
    let works: std::result::Result<Vec<_>, _> =
        held.iter().map(|held| said(held.run_id.as_bytes())).collect();
    Ok(works.map(|works| works.into_iter().max()))
}

/// The last record of a writer, or what the checkpoint says that it was.
fn logged(store: &Store, slot: u32) -> Result<Seen> {
    let session = session(slot);
    let log = store.log(0)?;
    let last = log.records.into_iter().rev().find(|record| record.session == session);
    let covered = || last_of_sessions(&log.checkpoint?.summary).remove(&session);
    let text = last.map(|record| record.text).or_else(covered);
    Ok(text.map(|text| said(text.as_bytes())).transpose())
}

/// The work that a file outside the store tells.
fn work_in(path: &Path) -> std::result::Result<Seen, Failure> {
    let failed = |e| Failure::system(format!("read {}", path.display()), e);
    let file = match RealFs.open(path, Access::Read) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Ok(None)),
        opened => opened.map_err(failed)?,
    };
    let mut bytes = vec![0; MOST];
    let n = file.read_full_at(&mut bytes, 0).map_err(failed)?;
    bytes.truncate(n);
    Ok(said(&bytes).map(Some))
}

/// The work whose message these bytes are.
fn said(bytes: &[u8]) -> std::result::Result<Work, String> {
    let text = std::str::from_utf8(bytes).ok();
    text.and_then(Work::parse).ok_or_else(|| format!("it is {:?}", String::from_utf8_lossy(bytes)))
}
