//! Trace files: frames of records, each with a checksum that also knows its place.
//!
//! docs/formats.md has the bytes. Reading and writing are streams: neither needs the whole trace in
//! memory. A file that is cut off, damaged or newer is an error with its offset, never a guess.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::check::Check;
use super::record::{self, Record};
use crate::{DiskImage, Event, Trace};

/// The first bytes of every trace file.
const MAGIC: [u8; 8] = *b"plugtrc\n";

/// The format version this program writes; it reads the earlier ones as well. Version 1 has no notes and
/// no Ops of a mount, version 2 no barrier of a whole file system.
const VERSION: u32 = 3;

/// Bytes before the first frame: magic, version, four zeros.
const HEADER: u64 = 16;

/// Bytes of a frame before its payload: length and checksum.
const FRAME: usize = 12;

/// What is noted about a run beside what it did: texts by their names. A reader skips what it does not
/// know.
pub type Notes = BTreeMap<String, String>;

/// Why a trace cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TraceError {
    /// It does not begin as a trace file does.
    #[error("this is no trace file: it does not begin with `plugtrc`")]
    NotATrace,
    /// It was written by a later version of this program.
    #[error("trace format {found} is newer than {VERSION}, the newest known; use a newer plugpull")]
    Newer {
        /// Version found.
        found: u32,
    },
    /// It ends too early.
    #[error(
        "the trace file is cut off: it ends within the frame at byte {offset}; record it again"
    )]
    CutOff {
        /// Where the unfinished frame, or the missing one, begins.
        offset: u64,
    },
    /// Its bytes are not those that were written.
    #[error("the trace file is damaged at byte {offset}: {problem}; record it again")]
    Damaged {
        /// Where the frame begins.
        offset: u64,
        /// How it shows.
        problem: String,
    },
    /// A record is longer than a frame can hold.
    #[error("a record of {len} bytes does not fit into a trace file")]
    TooLong {
        /// Its length.
        len: usize,
    },
    /// The system failed.
    #[error("cannot read or write the trace: {0}")]
    Io(#[from] io::Error),
}

/// The checksum of a frame: of its bytes, its length and its place, so that frames that change places
/// or are there twice show.
pub(super) fn checksum(payload: &[u8], offset: u64) -> u64 {
    xxh3_64_with_seed(payload, offset.rotate_left(32) ^ payload.len() as u64)
}

/// Writes a trace as it comes.
pub struct TraceWriter<W> {
    out: W,
    offset: u64,
    records: u64,
}

impl<W: Write> TraceWriter<W> {
    /// Writes the header and the start image.
    pub fn begin(out: W, start: &DiskImage) -> Result<Self, TraceError> {
        Self::begin_with(out, &BTreeMap::new(), start)
    }

    /// Writes the header, notes about the run, and the start image. Bytes that the image left on disk are
    /// read on the way; an error as of [`DiskImage::check_base`] if they changed.
    pub fn begin_with(mut out: W, notes: &Notes, start: &DiskImage) -> Result<Self, TraceError> {
        out.write_all(&MAGIC)?;
        out.write_all(&VERSION.to_le_bytes())?;
        out.write_all(&[0; 4])?;
        let mut writer = Self { out, offset: HEADER, records: 0 };
        for (name, value) in notes {
            writer.put(&Record::Note { name: name.clone(), value: value.clone() })?;
        }
        record::of_image(start, &mut |record| writer.put(record))?;
        start.check_base()?;
        Ok(writer)
    }

    /// Writes what happened next.
    pub fn event(&mut self, event: &Event) -> Result<(), TraceError> {
        self.put(&Record::Event(event.clone()))
    }

    /// Writes the end, without which a reader takes the file for cut off. Nothing is synced.
    pub fn finish(mut self) -> Result<W, TraceError> {
        self.put(&Record::End { records: self.records })?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn put(&mut self, record: &Record) -> Result<(), TraceError> {
        let payload = postcard::to_allocvec(record).map_err(io::Error::other)?;
        let too_long = |_| TraceError::TooLong { len: payload.len() };
        let len = u32::try_from(payload.len()).map_err(too_long)?;
        self.out.write_all(&len.to_le_bytes())?;
        self.out.write_all(&checksum(&payload, self.offset).to_le_bytes())?;
        self.out.write_all(&payload)?;
        self.offset += FRAME as u64 + u64::from(len);
        self.records += 1;
        Ok(())
    }
}

/// Reads a trace as it comes.
pub struct TraceReader<R> {
    input: R,
    offset: u64,
    records: u64,
    check: Check,
    notes: Notes,
    ended: bool,
}

impl<R: Read> TraceReader<R> {
    /// Reads the header and the start image.
    pub fn begin(mut input: R) -> Result<Self, TraceError> {
        read_header(&mut input)?;
        let check = Check::new();
        let notes = Notes::new();
        let mut reader = Self { input, offset: HEADER, records: 0, check, notes, ended: false };
        loop {
            let offset = reader.offset;
            match reader.record()? {
                Record::Started => return Ok(reader),
                Record::Note { name, value } => drop(reader.notes.insert(name, value)),
                record => reader.check.add(&record).map_err(|problem| damaged(offset, problem))?,
            }
        }
    }

    /// Takes this for the start image, of a trace that was written without it because whoever reads it has it.
    #[must_use]
    pub fn over(self, start: &DiskImage) -> Self {
        Self { check: Check::over(start), ..self }
    }

    /// What was noted about the run.
    pub fn notes(&self) -> &Notes {
        &self.notes
    }

    /// The disk when recording began.
    pub fn start(&self) -> &DiskImage {
        self.check.image()
    }

    /// What happened next; `None` at the end of a complete trace.
    pub fn event(&mut self) -> Result<Option<Event>, TraceError> {
        if self.ended {
            return Ok(None);
        }
        let (offset, records) = (self.offset, self.records);
        match self.record()? {
            Record::Event(event) => {
                self.check.event(&event).map_err(|problem| damaged(offset, problem))?;
                Ok(Some(event))
            }
            Record::End { records: counted } if counted == records => {
                self.ended = true;
                match self.input.read(&mut [0])? {
                    0 => Ok(None),
                    _ => Err(damaged(self.offset, "there are bytes behind the end")),
                }
            }
            Record::End { .. } => Err(damaged(offset, "it counts another number of records")),
            _ => Err(damaged(offset, "a part of the start image among the events")),
        }
    }

    fn record(&mut self) -> Result<Record, TraceError> {
        let offset = self.offset;
        let mut frame = [0; FRAME];
        read_exact(&mut self.input, &mut frame, offset)?;
        let [l0, l1, l2, l3, sum @ ..] = frame;
        let len = u64::from(u32::from_le_bytes([l0, l1, l2, l3]));
        // Grows with what is there: a damaged length must not take memory for bytes that are not.
        let mut payload = Vec::new();
        self.input.by_ref().take(len).read_to_end(&mut payload)?;
        if payload.len() as u64 != len {
            return Err(TraceError::CutOff { offset });
        }
        if checksum(&payload, offset) != u64::from_le_bytes(sum) {
            return Err(damaged(offset, "its checksum is that of other bytes"));
        }
        let taken = postcard::take_from_bytes(&payload);
        let (record, rest) = taken.map_err(|e| damaged(offset, &e.to_string()))?;
        if !rest.is_empty() {
            return Err(damaged(offset, "a record is followed by further bytes"));
        }
        self.offset += FRAME as u64 + len;
        self.records += 1;
        Ok(record)
    }
}

impl Trace {
    /// Writes the whole trace.
    pub fn write_to<W: Write>(&self, out: W) -> Result<W, TraceError> {
        let mut writer = TraceWriter::begin(out, &self.start)?;
        for event in &self.events {
            writer.event(event)?;
        }
        writer.finish()
    }

    /// Reads a whole trace.
    pub fn read_from(input: impl Read) -> Result<Self, TraceError> {
        let mut reader = TraceReader::begin(input)?;
        let mut trace = Self { start: reader.start().clone(), events: Vec::new() };
        while let Some(event) = reader.event()? {
            trace.events.push(event);
        }
        Ok(trace)
    }
}

fn damaged(offset: u64, problem: &str) -> TraceError {
    TraceError::Damaged { offset, problem: problem.to_owned() }
}

fn read_header(input: &mut impl Read) -> Result<(), TraceError> {
    let mut magic = [0; 8];
    match read_exact(input, &mut magic, 0) {
        Ok(()) if magic == MAGIC => {}
        Ok(()) | Err(TraceError::CutOff { .. }) => return Err(TraceError::NotATrace),
        Err(e) => return Err(e),
    }
    let mut rest = [0; 8];
    read_exact(input, &mut rest, 0)?;
    let [v0, v1, v2, v3, zeros @ ..] = rest;
    match u32::from_le_bytes([v0, v1, v2, v3]) {
        1..=VERSION if zeros == [0; 4] => Ok(()),
        found if found > VERSION => Err(TraceError::Newer { found }),
        _ => Err(damaged(8, "its header is that of no version")),
    }
}

fn read_exact(input: &mut impl Read, buf: &mut [u8], offset: u64) -> Result<(), TraceError> {
    input.read_exact(buf).map_err(|e| match e.kind() {
        io::ErrorKind::UnexpectedEof => TraceError::CutOff { offset },
        _ => TraceError::Io(e),
    })
}
