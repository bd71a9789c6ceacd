//! A directory that somebody else has just made may not be durable.
//!
//! A writer was killed between its mkdir and the barrier of the directory above. The next one found the
//! directory there, wrote its file into it, synced both and acknowledged; the power cut took the directory
//! and the file with it. Found when two processes were recorded in one trace, the first of them killed.

use std::path::Path;

use faultfs::{Fs, Model, PersistOrder, SimFs, Window};
use plugpull_store::{Options, Store, write_text_atomic};

use crate::subject::find;

/// What is sure to be there at the end of a run.
fn is_durable(disk: &SimFs, path: &str) -> bool {
    let trace = disk.trace();
    let order = PersistOrder::new(&trace, Model::preset("posix").unwrap());
    let end = Window::at(&order, u32::try_from(trace.events.len()).unwrap());
    find(end.durable(), path).is_some()
}

fn left_by_a_dead_writer(dir: &str) -> SimFs {
    let disk = SimFs::new();
    disk.mkdir(Path::new(dir), 0o755).unwrap();
    disk
}

#[test]
fn a_text_is_not_lost_with_a_directory_that_was_there() {
    for path in ["/dir/file", "/dir/new/file"] {
        let disk = left_by_a_dead_writer("/dir");
        let _receipt = write_text_atomic(&disk, Path::new(path), "text", Options::default());
        assert!(is_durable(&disk, path), "{path}");
    }
}

#[test]
fn a_restored_file_is_not_lost_with_a_directory_that_was_there() {
    let disk = left_by_a_dead_writer("/dir");
    let store = Store::init_on(disk.clone(), Path::new("/store"), Options::default()).unwrap();
    let id = store.put(b"text").unwrap().id;
    disk.mkdir(Path::new("/dir/tree"), 0o755).unwrap();
    let _receipt = store.restore(&id, Path::new("/dir/tree/file"), false).unwrap();
    assert!(is_durable(&disk, "/dir/tree/file"));
}

#[test]
fn a_new_store_is_not_lost_with_a_directory_that_was_there() {
    for path in ["/dir", "/dir/store"] {
        let disk = left_by_a_dead_writer("/dir");
        let _store = Store::init_on(disk.clone(), Path::new(path), Options::default()).unwrap();
        assert!(is_durable(&disk, &format!("{path}/format")), "{path}");
    }
}
