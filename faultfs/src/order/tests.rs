//! Tests of the order: the golden counts, and what each barrier makes durable.

use std::collections::BTreeSet;
use std::path::Path;

use crate::{Access, DiskImage, Fs, FsFile, Legal, Model, PersistOrder, SimFs, Trace, Window};

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
