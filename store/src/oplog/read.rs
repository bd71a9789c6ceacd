//! Reading the operation log: all of it, what follows a record, or only its end.
//!
//! The caller holds the lock, shared or alone. Not for mending what is found.

use faultfs::{Access, Fs, FsFile};

use super::line::{HEADER_LEN, LogRecord, MAX_LINE, Place, base_of, last_record, line, lines};
use super::{Checkpoint, MAX_LOG};
use crate::error::{At, Error, Result, found};
use crate::layout::Layout;
use crate::sealed::read_sealed;

/// What was read of the operation log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// Up to which record the log was compacted: these are gone.
    pub base: u64,
    /// The last checkpoint at that moment: what it does not cover is among the records that are kept.
    pub checkpoint: Option<Checkpoint>,
    /// The records that were asked for, in order.
    pub records: Vec<LogRecord>,
    /// Bytes at the end of a record that was never acknowledged; the next open cuts them off.
    pub torn: u64,
}

/// The end of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tail {
    pub(crate) inode: u64,
    /// The number in its header.
    pub(crate) base: u64,
    /// Bytes up to the end of the last whole record.
    pub(crate) len: u64,
    /// The number of that record.
    pub(crate) seq: u64,
}

impl Tail {
    /// Where the next line will stand.
    pub(super) fn place(self) -> Place {
        Place { base: self.base, at: self.len }
    }
}

impl Log {
    /// The last record, read or compacted.
    pub(super) fn last(&self) -> u64 {
        self.records.last().map_or(self.base, |record| record.seq)
    }

    /// Where record `seq` ends, of a log that was read from its start.
    pub(super) fn end_of(&self, seq: u64) -> Option<u64> {
        if seq < self.base || seq > self.last() {
            return None;
        }
        let mut end = Place { base: self.base, at: HEADER_LEN as u64 };
        for record in self.records.iter().take_while(|record| record.seq <= seq) {
            end = end.after(line(record, end).ok()?.len());
        }
        Some(end.at)
    }
}

/// The records behind `since`. Held against the checkpoint.
pub(crate) fn read_log<F: Fs>(fs: &F, layout: &Layout, since: u64) -> Result<Log> {
    let path = layout.log();
    let corrupt = |problem| Error::Corrupt { path: path.clone(), problem };
    let checkpoint: Option<Checkpoint> = read_sealed(fs, &layout.log_checkpoint())?;
    let Some(file) = found(fs.open(&path, Access::Read)).at("open", &path)? else {
        return match checkpoint {
            None => Ok(Log::default()),
            Some(_) => Err(corrupt("it is missing, and there is a checkpoint of it".to_owned())),
        };
    };
    let base = read_base(&file, layout)?;
    let covered = checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.covers);
    if covered < base {
        let problem =
            format!("it begins behind record {base}, and the checkpoint covers {covered}");
        return Err(corrupt(problem));
    }
    let from = checkpoint.as_ref().filter(|checkpoint| checkpoint.base == base);
    let (start, last) = match from {
        Some(checkpoint) if since >= checkpoint.covers => (checkpoint.bytes, checkpoint.covers),
        _ => (HEADER_LEN as u64, base),
    };
    let bytes = read_from(&file, layout, start)?;
    let mut lines = lines(&bytes, Place { base, at: start }, last).map_err(corrupt)?;
    let (records, torn) = (std::mem::take(&mut lines.records), lines.torn as u64);
    let log = Log { base, records, torn, ..Log::default() };
    let there = file.metadata().at("stat", &path)?.len;
    let known = |checkpoint: &Checkpoint| {
        if start == checkpoint.bytes {
            checkpoint.bytes <= there
        } else {
            log.end_of(checkpoint.covers) == Some(checkpoint.bytes)
        }
    };
    if from.is_some_and(|checkpoint| !known(checkpoint)) {
        return Err(corrupt(format!(
            "it lacks records that the checkpoint covers, up to {covered}"
        )));
    }
    let records = log.records.into_iter().filter(|record| record.seq > since).collect();
    Ok(Log { checkpoint, records, ..log })
}

/// The end of an open log, and how many bytes stand behind it that are no record.
pub(crate) fn look_at<F: Fs>(fs: &F, layout: &Layout, file: &F::File) -> Result<(Tail, u64)> {
    let path = layout.log();
    let base = read_base(file, layout)?;
    let metadata = file.metadata().at("stat", &path)?;
    let tail = |len, seq| Tail { inode: metadata.inode, base, len, seq };
    let start = (HEADER_LEN as u64).max(metadata.len.saturating_sub(MAX_LINE as u64));
    // Mostly the last few bytes tell.
    for start in [start.max(metadata.len.saturating_sub(4096)), start] {
        let end = read_from(file, layout, start)?;
        if end.is_empty() {
            return Ok((tail(metadata.len, base), 0));
        }
        // It may begin inside a record.
        let whole =
            end.iter().position(|byte| *byte == b'\n').filter(|_| start > HEADER_LEN as u64);
        let skipped = whole.map_or(0, |at| at + 1);
        let place = Place { base, at: start }.after(skipped);
        if let Some(last) = last_record(end.get(skipped..).unwrap_or_default(), place) {
            return Ok((tail(metadata.len, last.seq), 0));
        }
    }
    let log = read_log(fs, layout, 0)?;
    Ok((tail(metadata.len - log.torn, log.last()), log.torn))
}

fn read_base<H: FsFile>(file: &H, layout: &Layout) -> Result<u64> {
    let path = layout.log();
    let mut start = [0; HEADER_LEN];
    let n = file.read_full_at(&mut start, 0).at("read", &path)?;
    base_of(start.get(..n).unwrap_or_default()).ok_or_else(|| {
        let problem = "it does not begin as an operation log".to_owned();
        Error::Corrupt { path, problem }
    })
}

fn read_from<H: FsFile>(file: &H, layout: &Layout, start: u64) -> Result<Vec<u8>> {
    let path = layout.log();
    let len = file.metadata().at("stat", &path)?.len;
    if len > MAX_LOG {
        let problem = format!("it has more than {MAX_LOG} bytes");
        return Err(Error::Corrupt { path, problem });
    }
    let mut bytes = vec![0; usize::try_from(len.saturating_sub(start)).unwrap_or(0)];
    let n = file.read_full_at(&mut bytes, start).at("read", &path)?;
    bytes.truncate(n);
    Ok(bytes)
}
