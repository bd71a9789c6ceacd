//! Trace files: what is written is read back, and nothing else is.

use std::path::Path;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;

use super::*;
use crate::{Access, Entry, Fs, FsFile, FsyncFailure, Inode, Reverted, SimFs};

/// A small trace over a start image with all that an image can hold, and every kind of Op.
fn small() -> Trace {
    let disk = SimFs::new();
    let at = Path::new;
    disk.mkdir(at("/d"), 0o755).unwrap();
    let file = disk.create_new(at("/d/f"), 0o640).unwrap();
    file.write_all_at(b"start", 5000).unwrap();
    disk.link(at("/d/f"), at("/hard")).unwrap();
    disk.symlink(at("d/f"), at("/soft")).unwrap();
    let disk = SimFs::on(disk.image());
    let file = disk.open(at("/hard"), Access::ReadWrite).unwrap();
    file.write_all_at(b"more", 3).unwrap();
    file.set_len(100).unwrap();
    file.set_mode(0o600).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH - Duration::from_millis(1500)).unwrap();
    file.sync_data().unwrap();
    file.sync_all().unwrap();
    disk.mark(b"committed 1\n");
    file.write_all_at(b"lost", 4).unwrap();
    file.fail_sync(FsyncFailure::Btrfs).unwrap_err();
    disk.mkdir(at("/e"), 0o700).unwrap();
    disk.create_new(at("/e/new"), 0o644).unwrap();
    disk.symlink(at("x"), at("/e/link")).unwrap();
    disk.link(at("/e/new"), at("/e/second")).unwrap();
    disk.rename(at("/e/new"), at("/hard")).unwrap();
    disk.exchange(at("/e"), at("/soft")).unwrap();
    disk.unlink(at("/soft/link")).unwrap();
    disk.rename(at("/d/f"), at("/f")).unwrap();
    disk.rmdir(at("/d")).unwrap();
    disk.sync_dir(at("/")).unwrap();
    let mut trace = disk.trace();
    trace.events.extend(of_a_mount(Inode(6)));
    trace
}

/// Ops that only a mount records.
fn of_a_mount(inode: Inode) -> impl Iterator<Item = Event> {
    let name: Arc<[u8]> = Arc::from(*b"user.color");
    let ops = [
        Op::SetXattr { inode, name: name.clone(), value: Some(Arc::from(*b"red")) },
        Op::SetXattr { inode, name, value: None },
        Op::WriteBack { inode, offset: 0, bytes: Arc::from(*b"stored") },
        Op::SyncRange { inode, offset: 0, len: 6, all: true },
        Op::SyncFs,
    ];
    ops.into_iter().map(|op| Event::Op { thread: 1, time: SystemTime::UNIX_EPOCH, op })
}

fn bytes_of(trace: &Trace) -> Vec<u8> {
    trace.write_to(Vec::new()).unwrap()
}

#[test]
fn a_trace_is_read_back() {
    let trace = small();
    let again = Trace::read_from(bytes_of(&trace).as_slice()).unwrap();
    assert_eq!(again.events, trace.events);
    assert_eq!(again.start.hash(), trace.start.hash());
    assert_eq!(again.start.diff(&trace.start), []);
    let all = trace.events.len();
    assert_eq!(again.image_after(all).hash(), trace.image_after(all).hash());
    assert_eq!(bytes_of(&again), bytes_of(&trace));
}

#[test]
fn a_trace_whose_start_was_left_out_is_read_over_it_and_over_no_other() {
    let trace = small();
    let without = Trace { start: DiskImage::new(), events: trace.events.clone() };
    let bytes = bytes_of(&without);
    let read = |start: &DiskImage| -> Result<Vec<Event>, TraceError> {
        let mut reader = TraceReader::begin(&bytes[..])?.over(start);
        std::iter::from_fn(|| reader.event().transpose()).collect()
    };
    assert_eq!(read(&trace.start).unwrap(), trace.events);
    assert!(read(&DiskImage::new()).is_err());
}

#[test]
fn every_changed_byte_is_an_error_that_names_its_place() {
    let good = bytes_of(&small());
    for at in 0..good.len() {
        for change in [1, 0x80, 0xff] {
            let mut bad = good.clone();
            bad[at] ^= change;
            if at == 8 && bad[at] == 2 {
                // An older version, which is read.
                continue;
            }
            let error = Trace::read_from(bad.as_slice()).expect_err("a changed byte was not seen");
            if let TraceError::Damaged { offset, .. } | TraceError::CutOff { offset } = error {
                assert!(offset <= at as u64, "byte {at} was changed, the error names {offset}");
            } else {
                assert!(at < 16, "byte {at}: {error}");
            }
        }
    }
}

#[test]
fn every_cut_is_an_error() {
    let good = bytes_of(&small());
    for len in 0..good.len() {
        let error = Trace::read_from(&good[..len]).expect_err("a cut was not seen");
        match error {
            TraceError::NotATrace => assert!(len < 8),
            TraceError::CutOff { offset } => assert!(offset <= len as u64),
            other => panic!("cut at {len}: {other}"),
        }
    }
    let mut longer = good.clone();
    longer.push(0);
    let told = Trace::read_from(longer.as_slice()).unwrap_err().to_string();
    assert!(told.contains("behind the end"), "{told}");
}

#[test]
fn notes_are_read_back_and_do_not_matter_to_the_trace() {
    let trace = small();
    let notes = Notes::from([("plugpull".to_owned(), "{}".to_owned())]);
    let mut writer = TraceWriter::begin_with(Vec::new(), &notes, &trace.start).unwrap();
    for event in &trace.events {
        writer.event(event).unwrap();
    }
    let bytes = writer.finish().unwrap();
    assert_eq!(TraceReader::begin(bytes.as_slice()).unwrap().notes(), &notes);
    assert_eq!(Trace::read_from(bytes.as_slice()).unwrap().events, trace.events);
}

#[test]
fn the_first_version_is_read() {
    let disk = SimFs::new();
    disk.create_new(Path::new("/file"), 0o644).unwrap();
    let mut first = bytes_of(&disk.trace());
    first[8] = 1;
    assert_eq!(Trace::read_from(first.as_slice()).unwrap().events, disk.trace().events);
}

#[test]
fn a_newer_file_is_refused_with_the_remedy() {
    let mut newer = bytes_of(&small());
    newer[8] = 4;
    let told = Trace::read_from(newer.as_slice()).unwrap_err().to_string();
    assert!(told.contains("format 4") && told.contains("use a newer plugpull"), "{told}");
}

#[test]
fn a_reader_needs_no_more_than_one_record_at_a_time() {
    let trace = small();
    let bytes = bytes_of(&trace);
    let mut reader = TraceReader::begin(bytes.as_slice()).unwrap();
    assert_eq!(reader.start().hash(), trace.start.hash());
    for event in &trace.events {
        assert_eq!(reader.event().unwrap().as_ref(), Some(event));
    }
    assert_eq!(reader.event().unwrap(), None);
    assert_eq!(reader.event().unwrap(), None);
}

#[test]
fn the_lines_name_paths_as_they_were() {
    let mut out = Vec::new();
    small().write_lines(&mut out).unwrap();
    let lines: Vec<serde_json::Value> = String::from_utf8(out)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), small().events.len());
    assert_eq!(lines[0]["op"], "write");
    assert_eq!(lines[0]["len"], 4);
    assert_eq!(lines[6]["mark"], "committed 1\n");
    assert_eq!(lines[8]["op"], "sync_failed");
    assert_eq!(lines[8]["drops"], true);
    assert_eq!(lines[8]["reverted"], serde_json::json!({ "len": 100, "pages": [0] }));
    let exchange = lines.iter().find(|line| line["op"] == "exchange").unwrap();
    assert_eq!((&exchange["path"], &exchange["to"]), (&"/e".into(), &"/soft".into()));
    let unlink = lines.iter().find(|line| line["op"] == "unlink").unwrap();
    assert_eq!(unlink["path"], "/soft/link");
    let [.., sync, set, removed, back, ranged, all] = lines.as_slice() else {
        panic!("too few lines")
    };
    assert_eq!(sync["path"], "/");
    assert_eq!((&set["op"], &set["len"]), (&"set_xattr".into(), &3.into()));
    assert_eq!(removed["op"], "remove_xattr");
    assert_eq!((&back["op"], &back["path"]), (&"write_back".into(), &"/hard".into()));
    assert_eq!((&ranged["op"], &ranged["len"]), (&"sync_all".into(), &6.into()));
    assert_eq!(all["op"], "sync_fs");
}

/// The payloads of a good file's frames.
fn payloads(file: &[u8]) -> Vec<Vec<u8>> {
    let mut payloads = Vec::new();
    let mut rest = &file[16..];
    while let Some((len, behind)) = rest.split_first_chunk::<4>() {
        let (payload, behind) = behind[8..].split_at(u32::from_le_bytes(*len) as usize);
        payloads.push(payload.to_vec());
        rest = behind;
    }
    payloads
}

/// A file with these payloads in frames with right checksums: made by hand, not by damage.
fn framed(payloads: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut file = bytes_of(&small())[..16].to_vec();
    for payload in payloads {
        let sum = file::checksum(&payload, file.len() as u64);
        file.extend(u32::try_from(payload.len()).unwrap().to_le_bytes());
        file.extend(sum.to_le_bytes());
        file.extend(payload);
    }
    file
}

/// Reads whatever it is, and if it is a trace, goes through it.
fn go_through(file: &[u8]) -> bool {
    let read = Trace::read_from(file);
    read.is_ok_and(|trace| {
        trace.image_after(trace.events.len());
        trace.write_lines(&mut std::io::sink()).is_ok()
    })
}

#[test]
fn frames_made_by_hand_are_read_when_they_are_right() {
    let good = bytes_of(&small());
    assert_eq!(framed(payloads(&good)), good);
    assert!(go_through(&good));
}

#[test]
fn directories_below_themselves_are_no_endless_path() {
    let mut trace = small();
    let entry = |dir| Entry { dir, name: Arc::from(*b"x") };
    let [one, other] = [Inode(1000), Inode(1001)];
    let mode = 0o755;
    let ops = [
        Op::Mkdir { at: entry(DiskImage::ROOT), inode: one, mode },
        Op::Mkdir { at: entry(one), inode: other, mode },
        Op::Link { inode: one, at: entry(other) },
        Op::SyncAll { inode: one },
    ];
    for op in ops {
        trace.events.push(Event::Op { thread: 0, time: SystemTime::UNIX_EPOCH, op });
    }
    assert!(go_through(&bytes_of(&trace)));
}

#[test]
fn a_failed_sync_that_reverts_what_cannot_be_is_refused() {
    let read_with = |inode, len, index, bytes: &[u8]| {
        let mut trace = small();
        let reverted = Some(Reverted { len, pages: vec![(index, bytes.into())] });
        let op = Op::SyncFailed { inode, drops: true, reverted };
        trace.events.push(Event::Op { thread: 0, time: SystemTime::UNIX_EPOCH, op });
        let read = Trace::read_from(bytes_of(&trace).as_slice());
        read.map(|_| ()).map_err(|error| error.to_string())
    };
    let file = *small()
        .ops()
        .find_map(|op| {
            match op {
                Op::Write { inode, .. } => Some(inode),
                _ => None,
            }
            .copied()
        })
        .as_ref()
        .unwrap();
    assert_eq!(read_with(file, 4100, 1, b"four"), Ok(()));
    let cases = [
        (DiskImage::ROOT, 4100, 1, &b"four"[..], "another kind"),
        (file, 4099, 1, b"four", "beyond the end"),
        (file, u64::MAX, 1, b"four", "too long"),
        (file, 4100, u64::MAX, b"four", "beyond any file"),
        (file, 9000, 0, &[1; 4097], "beyond the end"),
    ];
    for (inode, len, index, bytes, problem) in cases {
        let told = read_with(inode, len, index, bytes).unwrap_err();
        assert!(told.contains(problem), "{told}");
    }
}

/// The end of a trace of so many records.
fn end(records: usize) -> Vec<u8> {
    postcard::to_allocvec(&record::Record::End { records: records as u64 }).unwrap()
}

proptest! {
    #[test]
    fn no_payload_makes_the_reader_panic(strange: Vec<Vec<u8>>, keep in 0usize..60) {
        let mut payloads = payloads(&bytes_of(&small()));
        payloads.truncate(keep);
        payloads.extend(strange);
        payloads.push(end(payloads.len()));
        go_through(&framed(payloads));
    }

    /// The records of a good file with some of them moved, left out, or there twice.
    #[test]
    fn no_order_of_records_makes_the_reader_panic(
        moves in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..3), 1..6)
    ) {
        let mut payloads = payloads(&bytes_of(&small()));
        payloads.pop();
        for (from, to, how) in moves {
            let (from, to) = (from.index(payloads.len()), to.index(payloads.len()));
            match how {
                0 => payloads.swap(from, to),
                1 => drop(payloads.remove(from)),
                _ => payloads.insert(to, payloads[from].clone()),
            }
        }
        payloads.push(end(payloads.len()));
        go_through(&framed(payloads));
    }

    /// The records of a good file with bytes of one of them changed, under a right checksum.
    #[test]
    fn no_changed_record_makes_the_reader_panic(
        which: prop::sample::Index, at: prop::sample::Index, byte: u8
    ) {
        let mut payloads = payloads(&bytes_of(&small()));
        let which = which.index(payloads.len());
        let at = at.index(payloads[which].len());
        payloads[which][at] = byte;
        go_through(&framed(payloads));
    }
}
