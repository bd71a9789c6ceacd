//! Tests of the order: the golden counts, and what each barrier makes durable.

use std::collections::BTreeSet;
use std::path::Path;

use crate::{
    Access, DiskImage, Fs, FsFile, FsyncFailure, Legal, Model, PAGE, PersistOrder, SimFs, Trace,
    Window,
};

/// The hashes of all images that a crash of this run may leave.
fn outcomes(trace: &Trace, model: &Model) -> BTreeSet<crate::ImageHash> {
    let order = PersistOrder::new(trace, model);
    let mut window = Window::first(&order);
    let mut found = BTreeSet::new();
    loop {
        let _all = Legal::all(&window).visit::<()>(&mut |image: &DiskImage, _| {
            found.insert(image.hash());
            std::ops::ControlFlow::Continue(())
        });
        if !window.advance() {
            return found;
        }
    }
}

/// The number of outcomes under each of these presets.
fn counts(trace: &Trace, models: &[&str]) -> Vec<usize> {
    let count = |name: &&str| outcomes(trace, Model::preset(name).unwrap()).len();
    models.iter().map(count).collect()
}

fn path(name: &str) -> &Path {
    Path::new(name)
}

/// Create a temp, write one block, rename it to a new name.
fn create_by_rename(synced: bool) -> Trace {
    let disk = SimFs::new();
    let file = disk.create_new(path("/tmp"), 0o644).unwrap();
    file.write_all_at(&[7; 512], 0).unwrap();
    if synced {
        file.sync_all().unwrap();
    }
    disk.rename(path("/tmp"), path("/name")).unwrap();
    disk.trace()
}

#[test]
fn golden_counts_of_ferrite_come_out() {
    let models = ["sequential", "ext4"];
    assert_eq!(counts(&create_by_rename(false), &models), [4, 5]);
    assert_eq!(counts(&create_by_rename(true), &models), [4, 4]);
    let disk = SimFs::new();
    let file = disk.create_new(path("/log"), 0o644).unwrap();
    file.write_all_at(&[1; 2509], 0).unwrap();
    let disk = SimFs::on(disk.image());
    let file = disk.open(path("/log"), Access::ReadWrite).unwrap();
    file.append(&[2; 13]).unwrap();
    file.append(&[3; 2500]).unwrap();
    assert_eq!(counts(&disk.trace(), &["sequential", "ext4", "ext4-nodelalloc"]), [3, 7, 4]);
}

const SHORT: u64 = 2 * PAGE as u64;
const LONG: u64 = SHORT + 10;

/// A page overwritten and ten bytes appended, a sync that fails, and another one.
fn failed_sync(how: FsyncFailure) -> Trace {
    let disk = SimFs::new();
    let file = disk.create_new(path("/file"), 0o644).unwrap();
    file.write_all_at(&[b'o'; 2 * PAGE], 0).unwrap();
    let disk = SimFs::on(disk.image());
    let file = disk.open(path("/file"), Access::ReadWrite).unwrap();
    file.write_all_at(&[b'n'; PAGE], 0).unwrap();
    file.append(&[b'a'; 10]).unwrap();
    let _ = file.fail_sync(how);
    let _ = file.sync_all();
    disk.trace()
}

/// First byte, first appended byte and length of the file in all states after the last event.
fn last_states(trace: &Trace, model: &Model) -> BTreeSet<(u8, u8, u64)> {
    let order = PersistOrder::new(trace, model);
    let window = Window::at(&order, order.events());
    let mut found = BTreeSet::new();
    let _all = Legal::all(&window).visit::<()>(&mut |image: &DiskImage, _| {
        let file = image.lookup(DiskImage::ROOT, b"file").unwrap();
        let byte = |offset| {
            let mut byte = [0];
            image.read(file, &mut byte, offset);
            byte[0]
        };
        found.insert((byte(0), byte(SHORT), image.len(file)));
        std::ops::ControlFlow::Continue(())
    });
    found
}

#[test]
fn what_a_failed_sync_dropped_never_reaches_the_disk() {
    let (ext4, btrfs) = (Model::preset("ext4").unwrap(), Model::preset("btrfs").unwrap());
    let states = |how, model| Vec::from_iter(last_states(&failed_sync(how), model));
    let old = |len| (b'o', 0, len);
    assert_eq!(states(FsyncFailure::Ext4Ordered, ext4), [old(LONG)]);
    // The second sync only told of the error, so the size may be there or not.
    assert_eq!(states(FsyncFailure::Ext4Data, ext4), [old(SHORT), old(LONG)]);
    assert_eq!(states(FsyncFailure::Btrfs, btrfs), [old(SHORT)]);
    assert_eq!(states(FsyncFailure::Redirty, ext4), [(b'n', b'a', LONG)]);
}

#[test]
fn a_page_written_again_after_a_failed_sync_brings_the_lost_bytes_back() {
    let disk = SimFs::new();
    let file = disk.create_new(path("/file"), 0o644).unwrap();
    file.write_all_at(b"lost", 0).unwrap();
    let _ = file.fail_sync(FsyncFailure::Ext4Ordered);
    file.write_all_at(b"+", 4).unwrap();
    file.sync_all().unwrap();
    let order = PersistOrder::new(&disk.trace(), Model::preset("ext4").unwrap());
    let window = Window::at(&order, order.events());
    let mut bytes = [0; 5];
    let inode = window.durable().lookup(DiskImage::ROOT, b"file").unwrap();
    window.durable().read(inode, &mut bytes, 0);
    assert_eq!(&bytes, b"lost+");
}
