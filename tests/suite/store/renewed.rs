//! Why a put of an object that is there syncs its file: the time from which its grace is counted.
//!
//! A litmus pair, since no search shows it: crash states that differ in times only are one state there.

use std::path::Path;
use std::time::SystemTime;

use faultfs::{DiskImage, Fs, Model, PersistOrder, SimFs, Window};
use plugpull_store::{Barrier, ObjectId, Options, Store};

use crate::subject::find;

const TEXT: &[u8] = b"put twice";

fn time(image: &DiskImage, path: &str) -> SystemTime {
    image.attributes(find(image, path).unwrap()).unwrap().modified
}

/// The object's time as the second put left it, and as it is certain to be after a power cut.
fn times(options: Options) -> [SystemTime; 2] {
    let first = SimFs::new();
    let store = Store::init_on(first.clone(), Path::new("/store"), options).unwrap();
    let path = store.layout().object(&ObjectId::of(TEXT));
    let path = path.to_str().unwrap().to_owned();
    let _put = store.put(TEXT).unwrap();
    // The first put is long ago, and durable. The clock of another disk begins anew.
    let disk = SimFs::on(first.image());
    while disk.now() <= time(&first.image(), &path) {}
    let store = Store::open_on(disk.clone(), Path::new("/store"), options).unwrap();
    let _put = store.put(TEXT).unwrap();
    let trace = disk.trace();
    let order = PersistOrder::new(&trace, Model::preset("posix").unwrap());
    let end = Window::at(&order, u32::try_from(trace.events.len()).unwrap());
    assert!(time(end.full(), &path) > time(&first.image(), &path), "the time was not renewed");
    [end.full(), end.durable()].map(|image| time(image, &path))
}

#[test]
fn the_time_of_an_object_put_again_is_durable() {
    let [seen, kept] = times(Options::default());
    assert_eq!(seen, kept);
    let [seen, kept] = times(Options::default().without(Barrier::KnownFile));
    assert!(kept < seen, "the barrier is not what keeps it");
}
