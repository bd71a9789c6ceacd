//! The reference store as a subject of power cuts: what is recorded, what the check finds and does not.
//!
//! Power is cut here without any loss: the disk is as after some call. What a disk may lose besides is
//! not tried here.

mod controls;
mod every_fault;
mod failing_syncs;
mod faults;
mod gc_race;
mod interleave;
mod kills;

use faultfs::{DiskImage, Event, FileKind, Inode};
use plugpull::subject::{Recorded, Run, Workload, check, check_further};

/// How many Marks are among the first `events`.
fn marks_before(recorded: &Recorded, events: usize) -> usize {
    let before = recorded.trace.events.iter().take(events);
    before.filter(|event| matches!(event, Event::Mark(_))).count()
}

/// The whole run as text, for comparing.
fn text_of(recorded: &Recorded) -> Vec<u8> {
    recorded.trace.write_to(Vec::new()).unwrap()
}

/// The disk after the first `events`, and all that is wrong with it.
fn check_after(recorded: &Recorded, image: &DiskImage, events: usize) -> Vec<String> {
    let marks = marks_before(recorded, events);
    let checked = check(&recorded.expected, image, marks);
    let mut violations = checked.violations.clone();
    if violations.is_empty() {
        violations = check_further(&recorded.expected, &checked.recovered());
    }
    violations
}

/// What the end of a finished run shows after `damage`.
fn after_damage(recorded: &Recorded, damage: impl FnOnce(&mut DiskImage)) -> Vec<String> {
    let events = recorded.trace.events.len();
    let mut image = recorded.trace.image_after(events);
    assert_eq!(check_after(recorded, &image, events), [""; 0], "the control is not clean");
    damage(&mut image);
    check(&recorded.expected, &image, recorded.expected.marks()).violations
}

/// What lies at an absolute path.
pub(crate) fn find(image: &DiskImage, path: &str) -> Option<Inode> {
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    parts.try_fold(DiskImage::ROOT, |dir, part| image.lookup(dir, part.as_bytes()))
}

/// Every file below a directory, by path.
fn files(image: &DiskImage, dir: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (name, inode) in image.entries(find(image, dir).unwrap()) {
        let path = format!("{dir}/{}", std::str::from_utf8(name).unwrap());
        match image.kind(inode) {
            Some(FileKind::Dir) => found.extend(files(image, &path)),
            _ => found.push(path),
        }
    }
    found
}

/// Removes the entry at a path.
fn remove(image: &mut DiskImage, path: &str) {
    let (dir, name) = path.rsplit_once('/').unwrap();
    let dir = find(image, dir).unwrap();
    image.set_entry(dir, name.as_bytes(), None);
}

/// Makes or replaces a file.
fn put(image: &mut DiskImage, path: &str, bytes: &[u8], mode: u32) {
    let (dir, name) = path.rsplit_once('/').unwrap();
    let dir = find(image, dir).unwrap();
    let inode = Inode(image.last_inode().0 + 1);
    image.insert_file(inode, faultfs::Attributes::new(mode));
    image.write(inode, bytes, 0);
    image.set_entry(dir, name.as_bytes(), Some(inode));
}

fn record(workload: Workload, seed: u64, size: usize) -> Recorded {
    Run::new(workload, seed, size).record()
}
