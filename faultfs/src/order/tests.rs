//! Tests of the order: the golden counts, and what each barrier makes durable.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use crate::{
    Access, DiskImage, Event, Fs, FsFile, FsyncFailure, Inode, Legal, Model, Op, PAGE,
    PersistOrder, SimFs, Trace, Window,
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

/// A disk with `/a` of this many sevens, all durable, and its file open.
fn disk_with_file(len: usize) -> (SimFs, crate::SimFile) {
    let disk = SimFs::new();
    disk.create_new(path("/a"), 0o644).unwrap().write_all_at(&vec![7; len], 0).unwrap();
    let disk = SimFs::on(disk.image());
    let file = disk.open(path("/a"), Access::ReadWrite).unwrap();
    (disk, file)
}

/// Every image that a crash of this run may leave fulfils `holds`, and some image is of `interest`.
fn assert_all(
    trace: &Trace,
    model: &Model,
    interest: impl Fn(&SimFs) -> bool,
    holds: impl Fn(&SimFs) -> bool,
) {
    let order = PersistOrder::new(trace, model);
    let (mut window, mut seen) = (Window::first(&order), 0);
    loop {
        let _all = Legal::all(&window).visit::<()>(&mut |image: &DiskImage, survives| {
            let disk = SimFs::on(image.clone());
            if interest(&disk) {
                seen += 1;
                assert!(holds(&disk), "at {}: {survives:?}", window.point());
            }
            std::ops::ControlFlow::Continue(())
        });
        if !window.advance() {
            assert!(seen > 0, "no state is of interest");
            return;
        }
    }
}

fn exists(disk: &SimFs, name: &str) -> bool {
    disk.metadata(path(name)).is_ok()
}

/// The bytes of a file; none if there is no file.
fn bytes(disk: &SimFs, name: &str) -> Vec<u8> {
    let Ok(file) = disk.open(path(name), Access::Read) else { return Vec::new() };
    let mut bytes = vec![0; usize::try_from(file.metadata().unwrap().len).unwrap()];
    file.read_at(&mut bytes, 0).unwrap();
    bytes
}

/// With the data in the journal, the zeros that a cut writes stood before the cut there, and needed
/// it: a circle, on which the search for legal sets fell.
#[test]
fn a_cut_comes_before_its_zeros_in_the_journal() {
    let disk = SimFs::new();
    let file = disk.create_new(path("/a"), 0o644).unwrap();
    file.write_all_at(&[1], 0).unwrap();
    file.write_all_at(&[2], 4096).unwrap();
    file.set_len(1).unwrap();
    assert_eq!(counts(&disk.trace(), &["sequential", "ext4-data-journal"]), [4, 4]);
}

/// What a late size needs of the journal it needs still when a failed sync took the last of it away.
#[test]
fn a_late_size_comes_behind_what_was_in_the_journal_before_a_lost_change() {
    let (disk, _) = disk_with_file(PAGE);
    disk.create_new(path("/b"), 0o644).unwrap();
    let disk = SimFs::on(disk.image());
    let open = |name| disk.open(path(name), Access::ReadWrite).unwrap();
    disk.mkdir(path("/d"), 0o755).unwrap();
    let file = open("/a");
    file.set_len(2 * PAGE as u64).unwrap();
    open("/b").append(&[1; 10]).unwrap();
    let _ = file.fail_sync(FsyncFailure::Btrfs);
    let appended = |disk: &SimFs| !bytes(disk, "/b").is_empty();
    for name in ["ext4", "xfs"] {
        let model = Model::preset(name).unwrap();
        assert_all(&disk.trace(), model, appended, |disk| exists(disk, "/d"));
    }
}

/// A block of the start image counted as allocated by the first append in it, so that the second one
/// was late, and later metadata could persist without its length.
#[test]
fn appends_in_a_block_from_before_the_run_are_all_in_the_journal() {
    let (disk, file) = disk_with_file(100);
    file.append(&[1; 10]).unwrap();
    file.append(&[2; 10]).unwrap();
    disk.mkdir(path("/d"), 0o755).unwrap();
    let ext4 = Model::preset("ext4").unwrap();
    assert_all(
        &disk.trace(),
        ext4,
        |disk| exists(disk, "/d"),
        |disk| bytes(disk, "/a").len() == 120,
    );
}

/// What the disk held in the blocks of an append was shown where the cut before it was lost, too,
/// over the file's old and durable bytes.
#[test]
fn a_file_whose_cut_is_lost_has_its_old_bytes_and_not_the_fill() {
    let (disk, file) = disk_with_file(5000);
    file.set_len(100).unwrap();
    file.append(&[1; 4500]).unwrap();
    let model = Model::preset("ext4-writeback").unwrap();
    for fill in [crate::Fill::Stale, crate::Fill::Garbage] {
        let model = model.with(|rules| rules.fill = fill);
        let old = |disk: &SimFs| bytes(disk, "/a").len() == 5000;
        assert_all(&disk.trace(), &model, old, |disk| {
            bytes(disk, "/a").iter().all(|byte| *byte == 7)
        });
    }
}

/// i_datasync_tid: a change of the mode is not what fdatasync commits, but it counted as one.
#[test]
fn fdatasync_of_a_new_file_leaves_a_later_mode_pending() {
    let disk = SimFs::new();
    let file = disk.create_new(path("/a"), 0o644).unwrap();
    file.set_mode(0o600).unwrap();
    file.sync_data().unwrap();
    assert_eq!(counts(&disk.trace(), &["ext4", "sequential"]), [3, 3]);
    let order = PersistOrder::new(&disk.trace(), Model::preset("ext4").unwrap());
    assert_eq!(Window::at(&order, 3).pending().len(), 1);
}

/// Bytes waited for the last cut only, if it was before them; an older one could be lost.
#[test]
fn bytes_wait_for_every_cut_that_they_reach_behind() {
    let (disk, file) = disk_with_file(4096);
    file.set_len(0).unwrap();
    file.set_len(12_000).unwrap();
    file.set_len(8192).unwrap();
    file.write_all_at(&[1], 0).unwrap();
    let written = |disk: &SimFs| bytes(disk, "/a").first() == Some(&1);
    let posix = Model::preset("posix").unwrap();
    assert_all(&disk.trace(), posix, written, |disk| !bytes(disk, "/a").contains(&7));
}

/// A whole write that extends a file did not wait for the zeros of the cut before it.
#[test]
fn a_whole_write_shows_no_bytes_from_before_a_cut() {
    let (disk, file) = disk_with_file(4096);
    file.set_len(100).unwrap();
    file.write_all_at(&[1], 8192).unwrap();
    let model = Model::preset("posix").unwrap().with(|rules| rules.tear = crate::Tear::None);
    let written = |disk: &SimFs| bytes(disk, "/a").len() == 8193;
    assert_all(&disk.trace(), &model, written, |disk| bytes(disk, "/a")[100] == 0);
}

/// With split renames only the new name waited for the bytes of the file that replaces another.
#[test]
fn both_halves_of_a_rename_wait_where_the_kernel_flushes_before_it() {
    let (disk, _) = disk_with_file(10);
    let temp = disk.create_new(path("/temp"), 0o644).unwrap();
    temp.write_all_at(&[1; 20], 0).unwrap();
    disk.rename(path("/temp"), path("/a")).unwrap();
    let model = Model::preset("posix-split-rename").unwrap();
    let model = model.with(|rules| rules.replace_by_rename = crate::Replace::FlushWaited);
    let order = PersistOrder::new(&disk.trace(), &model);
    let last = order.effects().len() - 1;
    let window = Window::at(&order, order.events());
    let kept = window.kept_with(last);
    assert!(!exists(&SimFs::on(window.image(&kept)), "/temp"), "it is the old name's half");
    assert!(kept[1..3].iter().all(|kept| *kept), "bytes and length are there: {kept:?}");
}

/// fsync of a file took along the changes of the directory that it was moved out of, and so made
/// names durable that nobody had synced.
#[test]
fn own_entries_do_not_reach_the_directory_that_a_file_left() {
    let disk = SimFs::new();
    disk.mkdir(path("/d"), 0o755).unwrap();
    let file = disk.create_new(path("/d/a"), 0o644).unwrap();
    let disk = SimFs::on(disk.image());
    disk.rename(path("/d/a"), path("/a")).unwrap();
    disk.rename(path("/d"), path("/e")).unwrap();
    drop(file);
    disk.open(path("/a"), Access::ReadWrite).unwrap().sync_all().unwrap();
    let order = PersistOrder::new(&disk.trace(), Model::preset("btrfs").unwrap());
    assert_eq!(Window::at(&order, 3).pending().len(), 1, "the directory's move is pending");
}

/// Three pages, durable; then these Ops on them.
fn on_three_pages(ops: impl FnOnce(Inode) -> Vec<Op>) -> Trace {
    let disk = SimFs::new();
    let file = disk.create_new(path("/file"), 0o644).unwrap();
    file.write_all_at(&[1; 3 * PAGE], 0).unwrap();
    let disk = SimFs::on(disk.image());
    let inode = disk.open(path("/file"), Access::Read).unwrap().metadata().unwrap().inode;
    let time = std::time::SystemTime::UNIX_EPOCH;
    let mut trace = disk.trace();
    let events = ops(Inode(inode)).into_iter().map(|op| Event::Op { thread: 0, time, op });
    trace.events.extend(events);
    trace
}

fn page_of(byte: u8) -> Arc<[u8]> {
    Arc::from([byte; PAGE])
}

#[test]
fn pages_stored_through_a_map_have_no_order_even_where_all_others_have() {
    let bytes: Arc<[u8]> = Arc::from([2; 2 * PAGE]);
    let written = on_three_pages(|inode| {
        let half = |n: u64| Op::Write { inode, offset: n * PAGE as u64, bytes: page_of(2) };
        vec![half(0), half(1)]
    });
    assert_eq!(counts(&written, &["sequential", "ext4"]), [3, 4]);
    let stored = on_three_pages(|inode| vec![Op::WriteBack { inode, offset: 0, bytes }]);
    assert_eq!(counts(&stored, &["sequential", "ext4"]), [4, 4]);
}

/// The case of a descriptor with `O_DSYNC` next to a normal one on the same file.
#[test]
fn a_synchronous_write_makes_its_own_bytes_durable_and_not_those_beside_them() {
    let trace = on_three_pages(|inode| {
        let page = PAGE as u64;
        vec![
            Op::Write { inode, offset: 0, bytes: page_of(2) },
            Op::Write { inode, offset: 2 * page, bytes: page_of(2) },
            Op::SyncRange { inode, offset: 2 * page, len: page, all: false },
        ]
    });
    for name in ["posix", "ext4", "xfs", "btrfs"] {
        let order = PersistOrder::new(&trace, Model::preset(name).unwrap());
        let window = Window::at(&order, 3);
        let pages = window.pending().iter().flat_map(|id| order.effect(*id).changes.iter());
        let pending = pages.map(|change| match change {
            crate::Change::Page { index, .. } => *index,
            crate::Change::Bytes { offset, .. } => offset / PAGE as u64,
            other => panic!("{name}: {other:?}"),
        });
        assert_eq!(pending.collect::<BTreeSet<_>>(), BTreeSet::from([0]), "{name}");
    }
}

/// What an fsync would make durable is what one does that comes next, under every model.
#[test]
fn an_fsync_that_is_asked_for_makes_durable_what_a_real_one_does() {
    let disk = SimFs::new();
    disk.mkdir(path("/d"), 0o755).unwrap();
    let file = disk.create_new(path("/d/a"), 0o644).unwrap();
    file.write_all_at(b"one", 0).unwrap();
    file.sync_all().unwrap();
    file.write_all_at(&[b'2'; 9000], 0).unwrap();
    disk.create_new(path("/b"), 0o644).unwrap().write_all_at(b"b", 0).unwrap();
    disk.rename(path("/b"), path("/d/b")).unwrap();
    disk.unlink(path("/d/a")).unwrap();
    let (trace, image) = (disk.trace(), disk.image());
    let mut inodes = vec![DiskImage::ROOT];
    inodes.extend(image.files().into_iter().map(|(_, inode)| inode));
    inodes.push(image.find(path("d")).unwrap());
    for model in Model::presets() {
        let pending = |order: &PersistOrder| Window::at(order, order.events()).pending().to_vec();
        let before = pending(&PersistOrder::new(&trace, model));
        for (inode, told) in inodes.iter().zip(PersistOrder::fsyncs(&trace, model, &inodes)) {
            let mut later = trace.clone();
            let Some(Event::Op { thread, time, .. }) = later.events.last().cloned() else {
                panic!("the run ends with a change");
            };
            later.events.push(Event::Op { thread, time, op: Op::SyncAll { inode: *inode } });
            let after = pending(&PersistOrder::new(&later, model));
            let done: Vec<_> = before.iter().copied().filter(|id| !after.contains(id)).collect();
            assert_eq!(told, done, "{} of {inode:?}", model.name);
        }
    }
}
