//! A store that an earlier version of the program wrote is raised by `init`, whenever that is
//! interrupted, and loses nothing.
//!
//! The store comes from tests/corpus: a program of format 1 wrote it. Power cuts while a store is raised
//! are for the workload `raise`.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use faultfs::{RealFs, Watched};
use plugpull_store::{Audit, Error, Expected, Options, Store};

use crate::scratch::{Scratch, branch, commit, files_below};
use crate::taps::{EIO, Failing, Fault};

const STORE: &str = include_str!("../../corpus/store-format-1.txt");

/// Writes the store of format 1.
fn old_store() -> Scratch {
    let scratch = Scratch::in_memory();
    fs::create_dir(scratch.root()).unwrap();
    STORE.lines().for_each(|line| write(&scratch.root(), line));
    scratch
}

fn write(root: &Path, line: &str) {
    let (kind, rest) = line.split_once(' ').unwrap();
    match kind {
        "dir" => fs::create_dir(root.join(rest)).unwrap(),
        "shards" => (0..=255u8)
            .for_each(|byte| fs::create_dir(root.join(rest).join(format!("{byte:02x}"))).unwrap()),
        "file" => {
            let [mode, path, content] = rest.splitn(3, ' ').collect::<Vec<_>>()[..] else {
                panic!("{line}")
            };
            fs::write(root.join(path), serde_json::from_str::<String>(content).unwrap()).unwrap();
            let mode = Permissions::from_mode(u32::from_str_radix(mode, 8).unwrap());
            fs::set_permissions(root.join(path), mode).unwrap();
        }
        _ => assert_eq!(kind, "#"),
    }
}

/// All files but the format, with their bytes.
fn content(scratch: &Scratch) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = files_below(&scratch.root()).into_iter();
    let files = files.filter(|path| *path != scratch.layout().format());
    files.map(|path| (path.clone(), fs::read(&path).unwrap())).collect()
}

#[track_caller]
fn assert_raised(old: &BTreeMap<PathBuf, Vec<u8>>, scratch: &Scratch) {
    assert_eq!(fs::read_to_string(scratch.layout().format()).unwrap(), "plugpull-store 2\n");
    let new = content(scratch);
    assert!(old.iter().all(|(path, bytes)| new.get(path) == Some(bytes)));
    let added = new.iter().filter(|(path, _)| !old.contains_key(*path));
    assert!(added.clone().all(|(path, _)| path.starts_with(scratch.layout().locks())));
    assert_eq!(added.count(), 6);
    scratch.assert_clean();
    let counts = scratch.audit().counts;
    assert_eq!((counts.objects, counts.commits, counts.branches), (7, 2, 2));
}

#[test]
fn an_older_store_is_not_opened_and_the_error_names_the_remedy() {
    let scratch = old_store();
    let opened = Store::open(&scratch.root(), Options::default()).map(drop);
    let audited = Audit::run(&RealFs, &scratch.root()).map(drop);
    for refused in [opened, audited] {
        let error = refused.unwrap_err();
        assert!(matches!(error, Error::OlderFormat { found: 1, needed: 2, .. }), "{error:?}");
        let remedy = format!("`plugpull store init {}`", scratch.root().display());
        assert!(error.to_string().contains(&remedy), "{error}");
    }
}

#[test]
fn an_init_raises_it_and_it_goes_on_where_it_was() {
    let scratch = old_store();
    let old = content(&scratch);
    let store = Store::init(&scratch.root(), Options::default()).unwrap();
    assert_raised(&old, &scratch);
    let tip = store.read_branch(&branch("main")).unwrap().unwrap();
    assert_eq!(store.read_commit(&tip).unwrap().unwrap().message, "second");
    let next = commit(&store, "third");
    let _ = store.update_branch(&branch("main"), next, Expected::At(tip)).unwrap();
    scratch.assert_clean();
}

#[test]
fn one_that_was_interrupted_at_any_call_is_finished_by_the_next() {
    let failing = Arc::new(Failing::default());
    let raise = |scratch: &Scratch| {
        let fs = Watched::new(RealFs, Arc::clone(&failing));
        Store::init_on(fs, &scratch.root(), Options::default()).map(drop)
    };
    let calls = failing.probe(|| raise(&old_store()).unwrap());
    assert!(calls.len() > 30, "{}", calls.len());
    for n in calls {
        let scratch = old_store();
        let old = content(&scratch);
        failing.set(Fault::with(EIO).from(n));
        assert!(raise(&scratch).is_err(), "call {n}");
        assert!(failing.clear() > 0, "call {n}");
        drop(Store::init(&scratch.root(), Options::default()).unwrap());
        assert_raised(&old, &scratch);
    }
}
