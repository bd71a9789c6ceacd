//! What is a store and what is not, and how one is made.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use faultfs::{RealFs, Watched};
use plugpull_store::{Error, Expected, Head, Options, Result, Store};

use crate::scratch::{Scratch, branch, commit};
use crate::taps::{EIO, Failing, Fault};

fn open(root: &Path) -> Result<Store> {
    Store::open(root, Options::default())
}

fn init(root: &Path) -> Result<Store> {
    Store::init(root, Options::default())
}

#[track_caller]
fn error_of(opened: Result<Store>) -> Error {
    opened.err().expect("it is refused")
}

#[test]
fn what_is_no_store_is_not_opened() {
    let scratch = Scratch::without_store();
    fs::create_dir(scratch.beside("empty")).unwrap();
    fs::write(scratch.beside("file"), "x").unwrap();
    for name in ["empty", "file", "missing"] {
        let error = error_of(open(&scratch.beside(name)));
        assert!(matches!(error, Error::NotAStore { .. }), "{name}: {error:?}");
        assert!(error.to_string().contains(name), "{error}");
    }
    assert!(!scratch.beside("missing").exists(), "an open makes nothing");
}

#[test]
fn a_newer_format_is_refused_by_its_number() {
    let scratch = Scratch::new();
    fs::write(scratch.layout().format(), "plugpull-store 3\n").unwrap();
    for opened in [open(&scratch.root()), init(&scratch.root())] {
        let error = error_of(opened);
        assert!(matches!(error, Error::NewerFormat { found: 3, supported: 2, .. }), "{error:?}");
    }
}

#[test]
fn a_damaged_format_file_is_corrupt() {
    let scratch = Scratch::new();
    let no_lines = ["", "plugpull-store ", "plugpull-store 2", "plugpull-store two\n", "\0\0\0\0"];
    for bad in no_lines.into_iter().chain(["plugpull-store 0\n", "plugpull-store 02\n"]) {
        fs::write(scratch.layout().format(), bad).unwrap();
        let error = error_of(open(&scratch.root()));
        assert!(matches!(error, Error::Corrupt { .. }), "{bad:?}: {error:?}");
    }
}

#[test]
fn a_link_or_a_file_where_a_directory_should_be_is_refused() {
    for by in ["link", "file"] {
        let scratch = Scratch::new();
        let layout = scratch.layout();
        for dir in [layout.quarantine(), layout.restores(), layout.shard(0x7f)] {
            fs::remove_dir(&dir).unwrap();
            if by == "link" {
                symlink(scratch.root(), &dir).unwrap();
            } else {
                fs::write(&dir, "x").unwrap();
            }
            for opened in [open(&scratch.root()), init(&scratch.root())] {
                match error_of(opened) {
                    Error::Skeleton { path, .. } => assert_eq!(path, dir),
                    other => panic!("{other:?}"),
                }
            }
            fs::remove_file(&dir).unwrap();
            fs::create_dir(&dir).unwrap();
        }
        drop(scratch.open());
    }
}

#[test]
fn a_second_init_puts_back_what_is_missing_and_keeps_the_content() {
    let scratch = Scratch::new();
    let tip = commit(&scratch.open(), "kept");
    let store = scratch.open();
    let _ = store.update_branch(&branch("main"), tip, Expected::Absent).unwrap();
    let _ = store.set_head(&Head::Branch(branch("other"))).unwrap();
    let empty = (0..=255).map(|byte| scratch.layout().shard(byte));
    let lost = empty.filter(|shard| fs::remove_dir(shard).is_ok()).count();
    assert!(lost >= 253);
    fs::remove_file(scratch.layout().pin_lock()).unwrap();
    assert!(matches!(error_of(open(&scratch.root())), Error::Skeleton { .. }));

    let store = init(&scratch.root()).unwrap();
    assert_eq!(store.read_branch(&branch("main")).unwrap(), Some(tip));
    assert_eq!(store.head().unwrap(), Some(Head::Branch(branch("other"))));
    scratch.assert_clean();
    assert_eq!(scratch.audit().counts.objects, 3);
}

#[test]
fn a_store_is_not_made_among_other_files() {
    let scratch = Scratch::without_store();
    fs::create_dir(scratch.root()).unwrap();
    fs::write(scratch.root().join("thesis.txt"), "mine").unwrap();
    let error = error_of(init(&scratch.root()));
    assert!(matches!(error, Error::NotEmpty { .. }), "{error:?}");
    assert!(error.to_string().contains("thesis.txt"), "{error}");
    let names = fs::read_dir(scratch.root()).unwrap().count();
    assert_eq!(names, 1, "nothing was made");
}

#[test]
fn a_store_is_made_with_its_parents() {
    let scratch = Scratch::without_store();
    let root = scratch.beside("a/b/store");
    drop(init(&root).unwrap());
    drop(open(&root).unwrap());
}

/// Every call from the n-th on fails, as if the process had been killed there: what is left is no
/// store or a whole one, and `init` makes a whole one of it.
#[test]
fn an_init_interrupted_at_any_call_is_finished_by_the_next() {
    let failing = Arc::new(Failing::default());
    let make = |scratch: &Scratch| {
        let fs = Watched::new(RealFs, Arc::clone(&failing));
        Store::init_on(fs, &scratch.root(), Options::default()).map(drop)
    };
    let calls = failing.probe(|| make(&Scratch::without_store()).unwrap());
    let mut unfinished = 0;
    for n in calls {
        let scratch = Scratch::without_store();
        failing.set(Fault::with(EIO).from(n));
        assert!(make(&scratch).is_err(), "call {n}");
        assert!(failing.clear() > 0, "call {n}");
        if scratch.layout().format().exists() {
            // Only opens from here on.
            drop(open(&scratch.root()).unwrap());
            continue;
        }
        unfinished += 1;
        let refused = error_of(open(&scratch.root()));
        assert!(matches!(refused, Error::NotAStore { .. }), "call {n}: {refused:?}");
        let store = init(&scratch.root()).unwrap_or_else(|e| panic!("call {n}: {e}"));
        assert_eq!(store.head().unwrap(), Some(Head::Branch(branch("main"))));
        scratch.assert_clean();
    }
    assert!(unfinished >= 30, "{unfinished}: directories, locks, barriers and two files take more");
}
