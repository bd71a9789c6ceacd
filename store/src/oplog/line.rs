//! The bytes of the operation log: a header of fixed length, then a line for each record.
//!
//! A line has the length of its text, a checksum, and the text, which is canonical JSON and so has no newline
//! in it. The checksum is of the line's place and text: what a disk shows of an older log, whose blocks this
//! one has got, is no record of this one. Of a log that a power cut has torn, the whole records at its start
//! are found, and it is told apart from a log that was damaged: a record is only written when all before
//! it are durable, so a whole record behind a damaged one means that what was acknowledged is lost.
//!
//! Checksums are SHA-256, of which the store has one anyway: 64 bits of it tell torn from whole.

use serde::{Deserialize, Serialize};

use crate::id::ObjectId;
use crate::time::Time;

/// Longest text of a record as JSON, in bytes.
pub(super) const MAX_TEXT: usize = 1 << 20;

const HEADER: &str = "plugpull-oplog ";

/// Bytes of the header: the words, 16 hex digits, a newline.
pub(super) const HEADER_LEN: usize = HEADER.len() + 17;

/// Bytes before the text of a record: 8 hex digits, 16 hex digits, a space behind each.
const PREFIX_LEN: usize = 26;

/// Longest line.
pub(super) const MAX_LINE: usize = PREFIX_LEN + MAX_TEXT + 1;

/// One record of the operation log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogRecord {
    /// Its number: 1 for the first of all, and one more for each that follows.
    pub seq: u64,
    /// Which run of which program wrote it.
    pub session: String,
    /// What happened, in the words of whoever writes it.
    pub text: String,
    /// When it was written.
    pub time: Time,
}

/// What the bytes behind the header hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lines {
    pub(super) records: Vec<LogRecord>,
    /// Where the last whole record ends.
    pub(super) whole: usize,
    /// Bytes behind that, of a record that was never acknowledged.
    pub(super) torn: usize,
}

/// The header of a log that begins after record `base`.
pub(super) fn header(base: u64) -> Vec<u8> {
    format!("{HEADER}{base:016x}\n").into_bytes()
}

/// The number in a header.
pub(super) fn base_of(bytes: &[u8]) -> Option<u64> {
    let start = bytes.get(..HEADER_LEN)?;
    let digits = std::str::from_utf8(start).ok()?.strip_prefix(HEADER)?.strip_suffix('\n')?;
    let base = u64::from_str_radix(digits, 16).ok()?;
    (header(base) == start).then_some(base)
}

/// Where a line stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The number in the header of the log.
    pub(super) base: u64,
    /// Where in it the line begins, in bytes.
    pub(super) at: u64,
}

impl Place {
    /// So many bytes further.
    pub(super) fn after(self, bytes: usize) -> Self {
        Self { at: self.at + bytes as u64, ..self }
    }
}

/// The line of a record, for this place only.
pub(super) fn line(record: &LogRecord, place: Place) -> Result<Vec<u8>, String> {
    let text = serde_json::to_vec(record).map_err(|e| e.to_string())?;
    if text.len() > MAX_TEXT {
        return Err(format!("it has more than {MAX_TEXT} bytes"));
    }
    let mut line = format!("{:08x} {} ", text.len(), checksum(&text, place)).into_bytes();
    line.extend(text);
    line.push(b'\n');
    Ok(line)
}

/// Reads the lines from this place to the end of a log; the first one should have the number after `last`.
pub(super) fn lines(bytes: &[u8], place: Place, mut last: u64) -> Result<Lines, String> {
    let mut lines = Lines::default();
    let record_at = |at: usize| first_record(bytes.get(at..)?, place.after(at));
    while let Some((record, len)) = record_at(lines.whole) {
        if Some(record.seq) != last.checked_add(1) {
            return Err(format!("record {} stands behind record {last}", record.seq));
        }
        last = record.seq;
        lines.whole += len;
        lines.records.push(record);
    }
    let rest = bytes.get(lines.whole..).unwrap_or_default();
    if let Some(later) = later_record(rest, place.after(lines.whole)) {
        return Err(format!(
            "what stands behind record {last} is damaged, and record {} after it is whole",
            later.seq
        ));
    }
    lines.torn = rest.len();
    Ok(lines)
}

/// The last record of a log's end, which begins at this place, if it is whole and nothing stands behind it.
pub(super) fn last_record(end: &[u8], place: Place) -> Option<LogRecord> {
    let before = end.strip_suffix(b"\n")?;
    let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let (record, len) = first_record(end.get(start..)?, place.after(start))?;
    (start + len == end.len()).then_some(record)
}

/// The record at the start, and the length of its line.
fn first_record(bytes: &[u8], place: Place) -> Option<(LogRecord, usize)> {
    let len = text_len(bytes)?;
    let text = bytes.get(PREFIX_LEN..PREFIX_LEN + len)?;
    let end = PREFIX_LEN + len + 1;
    let record: LogRecord = serde_json::from_slice(text).ok()?;
    // Also that it is written as this program does it: one record has one line.
    let same = line(&record, place).ok()? == bytes.get(..end)?;
    same.then_some((record, end))
}

/// How long the text of the record at the start says it is.
fn text_len(bytes: &[u8]) -> Option<usize> {
    let digits = std::str::from_utf8(bytes.get(..8)?).ok()?;
    usize::from_str_radix(digits, 16).ok().filter(|len| *len <= MAX_TEXT)
}

/// A whole record that begins somewhere behind the start: after a newline, or, if that is what is
/// damaged, where the length of the first one says.
fn later_record(bytes: &[u8], place: Place) -> Option<LogRecord> {
    let newlines = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    let declared = text_len(bytes).map(|len| PREFIX_LEN + len);
    let starts = newlines.map(|(at, _)| at).chain(declared);
    let mut later = starts.filter_map(|at| first_record(bytes.get(at + 1..)?, place.after(at + 1)));
    later.next().map(|(record, _)| record)
}

fn checksum(text: &[u8], Place { base, at }: Place) -> String {
    let place = format!("{base:016x}{at:016x}");
    let mut hex = ObjectId::of(&[place.as_bytes(), text].concat()).hex();
    hex.truncate(16);
    hex
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use proptest::prelude::*;

    fn record(seq: u64, text: &str) -> LogRecord {
        let (session, text) = ("s".to_owned(), text.to_owned());
        LogRecord { seq, session, text, time: Time::of(SystemTime::UNIX_EPOCH) }
    }

    const FIRST: Place = Place { base: 0, at: HEADER_LEN as u64 };

    fn log(texts: &[&str]) -> Vec<u8> {
        let mut log = Vec::new();
        for (seq, text) in (1..).zip(texts) {
            log.extend(line(&record(seq, text), FIRST.after(log.len())).unwrap());
        }
        log
    }

    /// The test vector of docs/formats.md.
    #[test]
    fn the_line_of_a_known_record_does_not_change() {
        let line = String::from_utf8(line(&record(1, "first\n"), FIRST).unwrap()).unwrap();
        let text = r#"{"seq":1,"session":"s","text":"first\n","time":0}"#;
        assert_eq!(line, format!("00000031 6fd130d3b3944e4d {text}\n"));
        assert_eq!(header(0), b"plugpull-oplog 0000000000000000\n");
        assert_eq!(header(0).len(), HEADER_LEN);
    }

    #[test]
    fn a_log_that_is_cut_anywhere_has_all_whole_records() {
        let whole = log(&["one", "two", "three"]);
        let ends: Vec<_> = (0..=3).map(|n| log(&["one", "two", "three"][..n]).len()).collect();
        for len in 0..=whole.len() {
            let found = lines(&whole[..len], FIRST, 0).unwrap();
            let count = ends.iter().rposition(|end| *end <= len).unwrap();
            assert_eq!((found.records.len(), found.whole), (count, ends[count]), "cut at {len}");
            assert_eq!(found.torn, len - ends[count]);
            assert_eq!(last_record(&whole[..len], FIRST).is_some(), ends[1..].contains(&len));
        }
    }

    #[test]
    fn a_damaged_record_is_torn_only_where_none_follows() {
        let log = log(&["one", "two", "three"]);
        let last = log.len() - line(&record(3, "three"), FIRST).unwrap().len();
        for bit in 0..log.len() * 8 {
            let mut flipped = log.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            match lines(&flipped, FIRST, 0) {
                Ok(found) => assert!(bit / 8 >= last && found.records.len() == 2, "bit {bit}"),
                Err(_) => assert!(bit / 8 < last, "bit {bit}"),
            }
        }
    }

    #[test]
    fn a_record_in_another_place_is_refused() {
        let one = line(&record(1, "one"), FIRST).unwrap();
        let three = line(&record(3, "three"), FIRST.after(one.len())).unwrap();
        assert!(lines(&[one.clone(), three].concat(), FIRST, 0).is_err());
        assert!(lines(&one, FIRST, 1).is_err());
        assert_eq!(lines(&one, FIRST, 0).unwrap().records.len(), 1);
        // What an older log had in this or another place is nothing at all.
        for place in [Place { base: 7, ..FIRST }, FIRST.after(1)] {
            let stale = lines(&one, place, 0).unwrap();
            assert_eq!((stale.records.len(), stale.torn), (0, one.len()));
        }
    }

    #[test]
    fn only_a_header_is_a_header() {
        for base in [0, 7, u64::MAX] {
            assert_eq!(base_of(&header(base)), Some(base));
        }
        for bad in ["", "plugpull-oplog 0\n", "plugpull-oplog 000000000000000A\n"] {
            assert_eq!(base_of(bad.as_bytes()), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn every_record_is_read_back(text: String, session: String) {
            let record = LogRecord { session, ..record(1, &text) };
            let line = line(&record, FIRST).unwrap();
            prop_assert_eq!(last_record(&line, FIRST), Some(record.clone()));
            prop_assert_eq!(lines(&line, FIRST, 0).unwrap().records, vec![record]);
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes: Vec<u8>, cut in 0usize..60) {
            let _ = (lines(&bytes, FIRST, 0), last_record(&bytes, FIRST), base_of(&bytes));
            let mut log = log(&["one"]);
            log.truncate(cut);
            log.extend(&bytes);
            let _ = (lines(&log, FIRST, 0), last_record(&log, FIRST));
        }
    }
}
