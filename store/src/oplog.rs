//! The operation log: what was done, in order, by everybody who works on the store.
//!
//! One file, appended to under a lock: the only write in place of the store. A record is acknowledged when
//! it is durable, and none is written before all before it are, so a damaged record at the very end was
//! never acknowledged and is cut off; one anywhere else is an error.
//!
//! A checkpoint says up to which record somebody has taken the log into account; reading goes on from
//! there. It is written when those records are durable, so what is appended later never comes to lie
//! before the place it names. Compacting drops what the checkpoint covers.
//!
//! Not a journal of the store's own operations: nothing is undone or done again from it.

mod line;
mod read;

use faultfs::{Access, Fs, FsFile, LockMode};
use serde::{Deserialize, Serialize};

use crate::atomic::{Barriers, replace, write_if_absent};
use crate::barrier::Barrier;
use crate::disk::is_there;
use crate::durability::{Reached, Receipt};
use crate::error::{At, Error, Result, found};
use crate::lock::lock;
use crate::open::Store;
use crate::planted::Bug;
use crate::sealed::{Sealed, read_sealed, seal};
use crate::time::Time;
use crate::undo::Undo;
pub use line::LogRecord;
use line::{Place, header, line};
pub use read::Log;
pub(crate) use read::{Tail, look_at, read_log};

/// Longest log, in bytes: it is read into memory. A longer one must be compacted first.
const MAX_LOG: u64 = 64 << 20;

const CHECKPOINT: Barriers =
    Barriers { file: Barrier::CheckpointFile, dir: Barrier::CheckpointDir };
const COMPACTED: Barriers = Barriers { file: Barrier::CompactedFile, dir: Barrier::CompactedDir };

/// How far somebody has taken the log into account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// Up to which record the log was compacted when this was written.
    pub base: u64,
    /// Where in that log the last covered record ends, in bytes.
    pub bytes: u64,
    /// The last record it covers.
    pub covers: u64,
    /// When it was written.
    pub created_at: Time,
    /// What comes of the records it covers, in the words of whoever wrote it.
    pub summary: String,
}

impl Sealed for Checkpoint {
    const KIND: &'static str = "checkpoint";
}

/// An open log that can be appended to: everything in it is durable.
struct Settled<H> {
    file: H,
    tail: Tail,
    reached: Reached,
}

/// An open log as it was found, under its lock.
struct Looked<H> {
    _lock: H,
    file: H,
    tail: Tail,
    /// Bytes behind the last whole record.
    torn: u64,
}

impl<F: Fs> Store<F> {
    /// Appends a record. With the answer it is durable.
    pub fn append_log(&self, session: &str, text: &str) -> Result<(LogRecord, Receipt)> {
        let _lock = self.lock_log(LockMode::Exclusive)?;
        let log = self.settle_log()?;
        let (session, text) = (session.to_owned(), text.to_owned());
        let time = Time::of(self.fs().now());
        let record = LogRecord { seq: log.tail.seq + 1, session, text, time };
        let bad = |problem| Error::BadValue { kind: "log record", problem };
        let bytes = line(&record, log.tail.place()).map_err(bad)?;
        if log.tail.len + bytes.len() as u64 > MAX_LOG {
            let problem = format!("the log would have more than {MAX_LOG} bytes; compact it first");
            return Err(bad(problem));
        }
        let reached = self.append_line(&log, &bytes)?;
        let len = log.tail.len + bytes.len() as u64;
        self.know_log(reached, Tail { len, seq: record.seq, ..log.tail });
        Ok((record, Receipt::created(reached.max(log.reached))))
    }

    /// Writes behind the end; after an error the log is as it was.
    fn append_line(&self, log: &Settled<F::File>, line: &[u8]) -> Result<Reached> {
        let path = self.layout().log();
        let end = if self.has(Bug::TornTailTrusted) {
            log.file.metadata().at("stat", &path)?.len
        } else {
            log.tail.len
        };
        let undo = Undo::before(self.disk(), &path)?.keeping(end);
        *self.log_tail() = None;
        if let Err(e) = log.file.write_all_at(line, end) {
            // Should this fail as well, whoever appends next cuts it off.
            let _ = log.file.set_len(end);
            return Err(e).at("append to", &path);
        }
        let passed = self.disk().sync_file(Barrier::LogRecord, &log.file, &path);
        let reached = undo.unless(passed, Some(&log.file))?;
        if reached == Reached::Degraded {
            // Where the failed sync took it back.
            log.file.write_all_at(line, end).at("append to", &path)?;
        }
        Ok(reached)
    }

    /// Says that the log was taken into account up to record `covers`; what comes of it is `summary`.
    ///
    /// Whoever takes an earlier summary over reads it with the records that follow it, as one
    /// [`Log`](crate::Log): between two calls somebody else may cover and compact more, and what he said of that
    /// would be lost.
    pub fn checkpoint_log(&self, covers: u64, summary: &str) -> Result<(Checkpoint, Receipt)> {
        let _lock = self.lock_log(LockMode::Exclusive)?;
        let reached = if self.has(Bug::CheckpointBeforeRecords) {
            Reached::Durable
        } else {
            self.settle_log()?.reached
        };
        let log = read_log(self.fs(), self.layout(), 0)?;
        let end = log.end_of(covers).ok_or_else(|| Error::BadValue {
            kind: Checkpoint::KIND,
            problem: format!(
                "the log has the records {} to {}, not {covers}",
                log.base,
                log.last()
            ),
        })?;
        let (created_at, summary) = (Time::of(self.fs().now()), summary.to_owned());
        let checkpoint = Checkpoint { base: log.base, bytes: end, covers, created_at, summary };
        let path = self.layout().log_checkpoint();
        let receipt = replace(self.disk(), &path, &seal(&checkpoint)?, CHECKPOINT)?;
        Ok((checkpoint, receipt.after(reached)))
    }

    /// The last checkpoint; `None` when there was none.
    pub fn log_checkpoint(&self) -> Result<Option<Checkpoint>> {
        read_sealed(self.fs(), &self.layout().log_checkpoint())
    }

    /// Drops the records that the checkpoint covers; says how many.
    pub fn compact_log(&self) -> Result<u64> {
        let _lock = self.lock_log(LockMode::Exclusive)?;
        let Some(checkpoint) = self.log_checkpoint()? else { return Ok(0) };
        let log = read_log(self.fs(), self.layout(), 0)?;
        if checkpoint.covers <= log.base {
            return Ok(0);
        }
        // Who wrote the checkpoint may have been killed before this barrier.
        self.disk().sync_dir(Barrier::KnownCheckpoint, &self.layout().oplog())?;
        let mut bytes = header(checkpoint.covers);
        let kept = log.records.iter().filter(|record| record.seq > checkpoint.covers);
        for record in kept {
            let bad = |problem| Error::BadValue { kind: "log record", problem };
            let place = Place { base: checkpoint.covers, at: bytes.len() as u64 };
            bytes.extend(line(record, place).map_err(bad)?);
        }
        let path = self.layout().log();
        *self.log_tail() = None;
        let receipt = replace(self.disk(), &path, &bytes, COMPACTED)?;
        let inode = self.fs().metadata(&path).at("stat", &path)?.inode;
        let base = checkpoint.covers;
        let tail = Tail { inode, base, len: bytes.len() as u64, seq: log.last() };
        self.know_log(receipt.reached, tail);
        Ok(checkpoint.covers - log.base)
    }

    /// The records behind `since` that are kept, and the checkpoint at the same moment. Records of others
    /// that are not durable yet are among them, as with all that is read.
    pub fn log(&self, since: u64) -> Result<Log> {
        let _lock = self.lock_log(LockMode::Shared)?;
        read_log(self.fs(), self.layout(), since)
    }

    /// Opens the log, makes it if there is none, cuts off what was never acknowledged, and makes all that
    /// is there durable. Only under the lock.
    fn settle_log(&self) -> Result<Settled<F::File>> {
        let path = self.layout().log();
        let open = || found(self.fs().open(&path, Access::ReadWrite)).at("open", &path);
        let file = match open()? {
            Some(file) => file,
            None => self.make_log()?,
        };
        let (tail, torn) = look_at(self.fs(), self.layout(), &file)?;
        if torn == 0 && *self.log_tail() == Some(tail) {
            return Ok(Settled { file, tail, reached: Reached::Durable });
        }
        if torn > 0 && !self.has(Bug::TornTailTrusted) {
            file.set_len(tail.len).at("cut", &path)?;
        }
        // Who made or wrote it may have been killed before these barriers.
        let name = self.disk().sync_dir(Barrier::KnownLog, &self.layout().oplog())?;
        let undo = Undo::before(self.disk(), &path)?.keeping(tail.len);
        let passed = self.disk().sync_file(Barrier::KnownRecords, &file, &path);
        let reached = undo.unless(passed, Some(&file))?.max(name);
        Ok(Settled { file, tail, reached })
    }

    fn make_log(&self) -> Result<F::File> {
        let path = self.layout().log();
        if let Some(checkpoint) = self.log_checkpoint()? {
            let problem = format!("it is missing, and a checkpoint covers {}", checkpoint.covers);
            return Err(Error::Corrupt { path, problem });
        }
        write_if_absent(self.disk(), &path, &header(0), Barrier::LogFile)?;
        self.fs().open(&path, Access::ReadWrite).at("open", &path)
    }

    /// Cuts off what a power cut or a killed writer left of a record; says how many bytes.
    pub(crate) fn mend_log(&self) -> Result<u64> {
        let path = self.layout().log();
        if !is_there(self.fs(), &path)?
            || self.look_at_log(LockMode::Shared, Access::Read)?.torn == 0
        {
            return Ok(0);
        }
        let looked = self.look_at_log(LockMode::Exclusive, Access::ReadWrite)?;
        if looked.torn > 0 && !self.has(Bug::TornTailTrusted) {
            looked.file.set_len(looked.tail.len).at("cut", &path)?;
        }
        Ok(looked.torn)
    }

    fn look_at_log(&self, mode: LockMode, access: Access) -> Result<Looked<F::File>> {
        let lock = self.lock_log(mode)?;
        let path = self.layout().log();
        let file = self.fs().open(&path, access).at("open", &path)?;
        let (tail, torn) = look_at(self.fs(), self.layout(), &file)?;
        Ok(Looked { _lock: lock, file, tail, torn })
    }

    fn know_log(&self, reached: Reached, tail: Tail) {
        *self.log_tail() = (reached != Reached::Degraded).then_some(tail);
    }

    fn lock_log(&self, mode: LockMode) -> Result<F::File> {
        lock(self.fs(), &self.layout().oplog_lock(), mode)
    }
}
