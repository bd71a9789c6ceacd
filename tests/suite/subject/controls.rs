//! What the check must find: each kind of damage, named by its path and what was expected there.

use std::path::Path;

use faultfs::{DiskImage, Event};
use plugpull::subject::{Recorded, Workload, check};
use plugpull_store::{Layout, ObjectId};

use super::{after_damage, files, find, put, record, remove};

#[track_caller]
fn assert_finds(violations: &[String], path: &str, expected: &str) {
    let found = violations.iter().any(|v| v.contains(path) && v.contains(expected));
    assert!(found, "no violation names {path:?} and {expected:?}: {violations:#?}");
}

/// The last Mark that starts so, without that.
fn last_mark(recorded: &Recorded, start: &str) -> String {
    let mut marks = recorded.trace.events.iter().filter_map(|event| match event {
        Event::Mark(text) => std::str::from_utf8(text).unwrap().strip_prefix(start),
        Event::Op { .. } => None,
    });
    marks.next_back().unwrap().to_owned()
}

fn path_of(id: &str) -> String {
    let layout = Layout::new(Path::new("/store"));
    layout.object(&id.parse().unwrap()).to_str().unwrap().to_owned()
}

fn read(image: &DiskImage, path: &str) -> Vec<u8> {
    let inode = find(image, path).unwrap();
    let mut bytes = vec![0; usize::try_from(image.len(inode)).unwrap()];
    image.read(inode, &mut bytes, 0);
    bytes
}

#[test]
fn an_acknowledged_object_that_is_gone() {
    let recorded = record(Workload::Put, 1, 4);
    let path = path_of(&last_mark(&recorded, "put "));
    let violations = after_damage(&recorded, |image| remove(image, &path));
    assert_finds(&violations, &path, "expected the acknowledged object");
}

#[test]
fn an_object_is_not_owed_before_it_is_acknowledged() {
    let recorded = record(Workload::Put, 1, 1);
    let path = path_of(&last_mark(&recorded, "put "));
    let mut image = recorded.trace.image_after(recorded.trace.events.len());
    remove(&mut image, &path);
    let marks = recorded.expected.marks();
    assert_eq!(check(&recorded.expected, &image, marks - 1).violations, [""; 0]);
    assert_eq!(check(&recorded.expected, &image, marks).violations.len(), 1);
}

#[test]
fn an_acknowledged_object_with_other_bytes_or_a_mark_of_doubt() {
    let recorded = record(Workload::Put, 1, 4);
    let path = path_of(&last_mark(&recorded, "put "));
    let torn = after_damage(&recorded, |image| {
        let inode = find(image, &path).unwrap();
        image.set_len(inode, 3);
    });
    assert_finds(&torn, &path, "expected a clean audit");
    assert_finds(&torn, &path, "bytes that were put");
    let unsettled = after_damage(&recorded, |image| {
        let bytes = read(image, &path);
        put(image, &path, &bytes, 0o440);
    });
    assert_finds(&unsettled, &path, "expected 444");
}

#[test]
fn a_branch_at_an_older_value() {
    let recorded = record(Workload::Commit, 1, 12);
    let branch = "/store/refs/heads/main";
    let first = recorded
        .trace
        .events
        .iter()
        .position(|event| matches!(event, Event::Mark(text) if text.starts_with(b"ref main")));
    let old = read(&recorded.trace.image_after(first.unwrap()), branch);
    let violations = after_damage(&recorded, |image| put(image, branch, &old, 0o644));
    let new = last_mark(&recorded, "ref main ");
    assert_finds(&violations, branch, &format!("expected {new}"));
    let gone = after_damage(&recorded, |image| remove(image, branch));
    assert_finds(&gone, branch, &format!("at absent; expected {new}"));
}

#[test]
fn a_branch_that_leads_to_something_missing() {
    let recorded = record(Workload::Commit, 1, 4);
    let path = path_of(&last_mark(&recorded, "ref main "));
    let violations = after_damage(&recorded, |image| remove(image, &path));
    assert_finds(&violations, "/store/refs/heads/main", "dangling");
}

#[test]
fn a_branch_nobody_made_and_a_head_nobody_set() {
    let recorded = record(Workload::Branches, 1, 6);
    let commit = read(&recorded.trace.start, "/store/refs/heads/main");
    let branch = after_damage(&recorded, |image| {
        put(image, "/store/refs/heads/other", &commit, 0o644);
    });
    assert_finds(&branch, "/store/refs/heads/other", "expected no such branch");
    let head = after_damage(&recorded, |image| {
        put(image, "/store/HEAD", b"ref: refs/heads/other\n", 0o644);
    });
    assert_finds(&head, "/store/HEAD", "branch other; expected");
}

#[test]
fn an_object_nobody_put() {
    let recorded = record(Workload::Put, 1, 4);
    let path = path_of(&ObjectId::of(b"foreign").to_string());
    let violations = after_damage(&recorded, |image| put(image, &path, b"foreign", 0o444));
    assert_finds(&violations, &path, "expected none");
}

#[test]
fn files_nobody_wrote() {
    let recorded = record(Workload::Restore, 1, 4);
    for path in ["/other", "/store/other", "/work/other"] {
        let violations = after_damage(&recorded, |image| put(image, path, b"x", 0o644));
        assert_finds(&violations, path, "foreign");
    }
}

#[test]
fn a_torn_restored_file() {
    let recorded = record(Workload::Restore, 3, 6);
    let said = last_mark(&recorded, "restored ");
    let (path, id) = said.rsplit_once(' ').unwrap();
    let torn = after_damage(&recorded, |image| {
        let inode = find(image, path).unwrap();
        image.set_len(inode, image.len(inode) - 1);
    });
    assert_finds(&torn, path, &format!("expected the bytes of {id}"));
    let gone = after_damage(&recorded, |image| remove(image, path));
    assert_finds(&gone, path, "missing");
}

#[test]
fn a_temp_that_the_recovery_takes_is_no_violation() {
    let recorded = record(Workload::Restore, 1, 4);
    let said = last_mark(&recorded, "restored ");
    let dir = said.rsplit_once(' ').unwrap().0.rsplit_once('/').unwrap().0;
    for dir in ["/store", "/store/objects/sha256", "/store/refs/heads", dir] {
        let prefix = match dir {
            _ if dir.starts_with("/work") => ".restore-tmp",
            "/store/objects/sha256" => ".obj-tmp",
            _ => ".state-tmp",
        };
        let path = format!("{dir}/{prefix}-1-ffff");
        let violations = after_damage(&recorded, |image| put(image, &path, b"half", 0o600));
        assert_eq!(violations, [""; 0], "{path}");
    }
    // Where the recovery does not look, a temp is a file nobody wrote.
    let violations = after_damage(&recorded, |image| {
        put(image, "/work/.restore-tmp-1-ffff", b"half", 0o600);
    });
    assert_finds(&violations, "/work/.restore-tmp-1-ffff", "foreign bytes; expected no file");
}

#[test]
fn a_repair_that_did_not_happen_or_kept_nothing() {
    let recorded = record(Workload::Repair, 1, 3);
    let path = path_of(&last_mark(&recorded, "put "));
    let corrupt = read(&recorded.trace.start, &path);
    let again = after_damage(&recorded, |image| put(image, &path, &corrupt, 0o444));
    assert_finds(&again, &path, "bytes that were put");
    let end = recorded.trace.image_after(recorded.trace.events.len());
    let kept = files(&end, "/store/quarantine");
    assert_eq!(kept.len(), 3);
    let lost = after_damage(&recorded, |image| remove(image, &kept[0]));
    assert_finds(&lost, &kept[0], "expected the corrupt bytes");
    let other = after_damage(&recorded, |image| put(image, &kept[0], b"x", 0o444));
    assert_finds(&other, &kept[0], "foreign bytes");
}

#[test]
fn a_store_that_was_acknowledged_and_is_none() {
    let recorded = record(Workload::Init, 1, 1);
    let violations = after_damage(&recorded, |image| remove(image, "/store/format"));
    assert_finds(&violations, "/store", "expected that it can be opened");
    let mut image = recorded.trace.image_after(recorded.trace.events.len());
    remove(&mut image, "/store/format");
    let checked = check(&recorded.expected, &image, recorded.expected.marks() - 1);
    assert_eq!(checked.violations, [""; 0]);
}
