//! Images whose bytes stay on disk, against those that were read in.
#![expect(clippy::disallowed_methods, reason = "the trees of subjects are no files of a store")]

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use crate::image::directory::ReadIn;
use crate::image::tests::{Model as Tree, change};
use crate::{
    Access, DiskImage, Fs, FsFile, ImageHash, Inode, Legal, Model, PAGE, Page, PersistOrder, SimFs,
    Trace, Window,
};

const ROOT: Inode = DiskImage::ROOT;
const MIB: usize = 1 << 20;

/// Leaves files of every length on disk.
fn leave_all(dir: &Path) -> DiskImage {
    ReadIn::new(0, usize::MAX).read(dir).unwrap().0
}

fn resolved(image: &DiskImage) -> DiskImage {
    let mut image = image.clone();
    image.resolve().unwrap();
    image
}

/// A directory with one file, `base`.
fn directory(bytes: &[u8]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("base"), bytes).unwrap();
    dir
}

/// No two pages alike, the second one zeros, the last one not full.
fn five_pages() -> Vec<u8> {
    let mut bytes: Vec<u8> = (1..=251).cycle().step_by(3).take(4 * PAGE + 1000).collect();
    bytes[PAGE..2 * PAGE].fill(0);
    bytes
}

fn lookup(image: &DiskImage) -> Inode {
    image.lookup(ROOT, b"base").unwrap()
}

#[test]
fn a_page_knows_its_bytes_wherever_they_are() {
    let bytes = five_pages();
    let dir = directory(&bytes);
    let lazy = leave_all(dir.path());
    let page = |image: &DiskImage| Arc::clone(image.page(lookup(image), 2).unwrap());
    let right: &[u8; PAGE] = bytes[2 * PAGE..].first_chunk().unwrap();
    let mut wrong = *right;
    wrong[PAGE - 1] ^= 1;
    for page in [page(&lazy), page(&resolved(&lazy)), Arc::new(Page::from(*right))] {
        assert!(page.holds(right));
        assert!(!page.holds(&wrong));
    }
}

#[test]
fn large_files_take_no_memory() {
    let dir = tempfile::tempdir().unwrap();
    let mut large = fs::File::create(dir.path().join("large")).unwrap();
    for number in 1..=64 {
        large.write_all(&vec![number; MIB]).unwrap();
    }
    large.seek(SeekFrom::Current(64 << 20)).unwrap();
    large.write_all(b"behind a hole").unwrap();
    let (mut lazy, special) = DiskImage::read_in_lazily(dir.path()).unwrap();
    assert!(special.is_empty());
    let eager = DiskImage::read_in(dir.path()).unwrap();
    let inode = lazy.lookup(ROOT, b"large").unwrap();
    for _ in 0..2 {
        assert_eq!(lazy.bytes_here(), 0);
        assert_eq!(lazy.size(), 64 * MIB as u64 + 13);
        assert_eq!((lazy.len(inode), lazy.size()), (eager.len(inode), eager.size()));
        assert_eq!(lazy.pages(inode).count(), 64 * MIB / PAGE + 1);
        let mut bytes = [0; 2];
        assert_eq!(lazy.read(inode, &mut bytes, 3 * MIB as u64 - 1), 2);
        assert_eq!(bytes, [3, 4]);
        lazy.resolve().unwrap();
    }
    assert_eq!(eager.bytes_here(), 64 * MIB as u64 + PAGE as u64);
    assert_eq!(lazy.hash(), eager.hash());
    assert_eq!(lazy.diff(&eager), []);
}

#[test]
fn small_files_and_those_beyond_the_limit_are_read() {
    let dir = tempfile::tempdir().unwrap();
    for (name, len) in [("a", 4096), ("b", 4097), ("c", 4098), ("d", 4099)] {
        fs::write(dir.path().join(name), vec![b'x'; len]).unwrap();
    }
    let (image, _) = ReadIn::new(PAGE as u64, 2).read(dir.path()).unwrap();
    let is_here = |name| {
        let inode = image.lookup(ROOT, name).unwrap();
        image.pages(inode).all(|(_, page)| page.is_here())
    };
    assert_eq!([b"a", b"b", b"c", b"d"].map(|name| is_here(name)), [true, false, false, true]);
    assert_eq!(image.bytes_here(), 3 * PAGE as u64);
    assert_eq!(resolved(&image).hash(), DiskImage::read_in(dir.path()).unwrap().hash());
}

#[test]
fn a_hash_before_resolving_tells_places_apart_and_not_bytes() {
    let dir = directory(&five_pages());
    let (one, same) = (leave_all(dir.path()), leave_all(dir.path()));
    assert_eq!(one.hash(), same.hash());
    assert_eq!(one.diff(&same), []);
    let mut cut = one.clone();
    cut.set_page(lookup(&one), 2, None);
    assert_ne!(one.hash(), cut.hash());
    assert_eq!(one.diff(&resolved(&one)), []);
    assert_ne!(one.hash(), resolved(&one).hash());
}

/// What a recorder does: the directory is covered by what the program sees.
#[test]
fn files_are_found_when_their_directory_is_out_of_sight() {
    let dir = tempfile::tempdir().unwrap();
    let (path, aside) = (dir.path().join("start"), dir.path().join("aside"));
    fs::create_dir(&path).unwrap();
    fs::write(path.join("base"), five_pages()).unwrap();
    let (eager, mut lazy) = (DiskImage::read_in(&path).unwrap(), leave_all(&path));
    fs::rename(&path, aside).unwrap();
    fs::create_dir(&path).unwrap();
    fs::write(path.join("base"), b"of the program").unwrap();
    lazy.resolve().unwrap();
    assert_eq!(lazy.hash(), eager.hash());
    let out = tempfile::tempdir().unwrap();
    lazy.write_out(out.path()).unwrap();
    assert_eq!(fs::read(out.path().join("base")).unwrap(), five_pages());
}

#[track_caller]
fn assert_noticed(change: impl FnOnce(&Path)) {
    let dir = directory(&five_pages());
    let path = dir.path().join("base");
    let mut image = leave_all(dir.path());
    image.check_base().unwrap();
    // Longer than a tick of any file system's clock.
    std::thread::sleep(Duration::from_millis(20));
    change(&path);
    let expected = format!("{} changed while it was being recorded", path.display());
    assert_eq!(image.check_base().unwrap_err().to_string(), expected);
    assert_eq!(image.resolve().unwrap_err().to_string(), expected);
    let trace = Trace { start: image.clone(), events: Vec::new() };
    let refused = trace.write_to(Vec::new()).unwrap_err();
    assert!(refused.to_string().ends_with(&expected), "{refused}");
    let out = tempfile::tempdir().unwrap();
    assert_eq!(image.write_out(out.path()).unwrap_err().to_string(), expected);
}

#[test]
fn a_file_that_changed_meanwhile_is_an_error() {
    assert_noticed(|path| {
        let mut file = fs::File::options().append(true).open(path).unwrap();
        file.write_all(b"x").unwrap();
    });
    assert_noticed(|path| fs::write(path, five_pages()).unwrap());
    assert_noticed(|path| fs::File::options().write(true).open(path).unwrap().set_len(9).unwrap());
}

#[test]
fn what_cannot_be_read_is_zeros_and_remembered() {
    let dir = directory(&five_pages());
    let image = leave_all(dir.path());
    let inode = lookup(&image);
    let file = fs::File::options().write(true).open(dir.path().join("base")).unwrap();
    file.set_len(10).unwrap();
    let mut bytes = [1; 20];
    assert_eq!(image.read(inode, &mut bytes, 0), 20);
    assert_eq!(bytes[..10], five_pages()[..10]);
    assert_eq!(bytes[10..], [0; 10]);
    assert!(image.base[0].failed.load(std::sync::atomic::Ordering::Relaxed));
    image.check_base().unwrap_err();
    image.check_base().unwrap_err();
}

#[test]
fn a_trace_file_has_the_bytes() {
    let dir = directory(&five_pages());
    fs::write(dir.path().join("other"), vec![b'o'; 3 * PAGE]).unwrap();
    let write = |start| Trace { start, events: Vec::new() }.write_to(Vec::new()).unwrap();
    let eager = DiskImage::read_in(dir.path()).unwrap();
    let lazy = leave_all(dir.path());
    assert_eq!(lazy.bytes_here(), 0);
    let written = write(lazy.clone());
    assert_eq!(written, write(eager.clone()));
    assert_eq!(written, write(resolved(&lazy)));
    assert_eq!(Trace::read_from(&*written).unwrap().start.hash(), eager.hash());
}

/// A run on the file: within its pages, over their edges, behind its end.
fn run(start: &DiskImage) -> Trace {
    let disk = SimFs::on(start.clone());
    let file = disk.open(Path::new("/base"), Access::ReadWrite).unwrap();
    file.write_all_at(b"in a page", 100).unwrap();
    file.write_all_at(&[b'e'; 600], PAGE as u64 - 300).unwrap();
    file.sync_all().unwrap();
    file.set_len(3 * PAGE as u64 + 77).unwrap();
    file.append(&[b'a'; 3000]).unwrap();
    file.sync_all().unwrap();
    file.set_len(0).unwrap();
    file.write_all_at(b"all new", 2000).unwrap();
    drop(file);
    disk.rename(Path::new("/base"), Path::new("/moved")).unwrap();
    disk.trace()
}

fn states(trace: &Trace, model: &Model) -> Vec<ImageHash> {
    let order = PersistOrder::new(trace, model);
    let mut window = Window::first(&order);
    let mut found = Vec::new();
    loop {
        let _all = Legal::all(&window).visit::<()>(&mut |image: &DiskImage, _| {
            found.push(image.hash());
            ControlFlow::Continue(())
        });
        if !window.advance() {
            return found;
        }
    }
}

#[test]
fn crash_states_are_the_same() {
    let dir = directory(&five_pages());
    let [eager, mut lazy] =
        [DiskImage::read_in(dir.path()).unwrap(), leave_all(dir.path())].map(|image| run(&image));
    assert_eq!(lazy.events, eager.events);
    lazy.start.resolve().unwrap();
    for model in Model::presets() {
        let expected = states(&eager, model);
        assert!(expected.len() > lazy.events.len(), "{}", model.name);
        assert_eq!(states(&lazy, model), expected, "{}", model.name);
    }
}

/// What is done to the file, with numbers of pages and bytes.
#[derive(Clone, Debug)]
enum Change {
    Write(u64, usize),
    SetLen(u64),
    Take(u64),
    Move(u64, u64),
    DiscardHidden,
    Resolve,
}

fn file_change() -> impl Strategy<Value = Change> {
    let page = PAGE as u64;
    let place = move || {
        prop_oneof![
            prop::sample::select(vec![0, page, 2 * page, 3 * page, 4 * page, 5 * page, 7 * page]),
            0..6 * page
        ]
    };
    prop_oneof![
        4 => (place(), prop::sample::select(vec![1, 700, PAGE, 5000]))
            .prop_map(|(at, len)| Change::Write(at, len)),
        3 => place().prop_map(Change::SetLen),
        1 => (0..6u64).prop_map(Change::Take),
        1 => (0..6u64, 0..6u64).prop_map(|(from, to)| Change::Move(from, to)),
        1 => Just(Change::DiscardHidden),
        1 => Just(Change::Resolve),
    ]
}

fn make(change: &Change, image: &mut DiskImage, inode: Inode) {
    match *change {
        Change::Write(at, len) => image.write(inode, &vec![b'w'; len], at),
        Change::SetLen(len) => image.set_len(inode, len),
        Change::Take(index) => image.set_page(inode, index, None),
        Change::Move(from, to) => {
            let page: Option<Arc<Page>> = image.page(inode, from).cloned();
            image.set_page(inode, to, page);
        }
        Change::DiscardHidden => image.discard_hidden(),
        Change::Resolve => image.resolve().unwrap(),
    }
}

fn content(image: &DiskImage, inode: Inode) -> Vec<u8> {
    let mut bytes = vec![1; usize::try_from(image.len(inode)).unwrap()];
    assert_eq!(image.read(inode, &mut bytes, 0), bytes.len());
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn changes_make_the_same_of_a_file_on_disk(
        changes in prop::collection::vec(file_change(), 1..12),
    ) {
        let dir = directory(&five_pages());
        let [mut eager, mut lazy] =
            [DiskImage::read_in(dir.path()).unwrap(), leave_all(dir.path())];
        let inode = lookup(&eager);
        for change in &changes {
            make(change, &mut eager, inode);
            make(change, &mut lazy, inode);
            prop_assert_eq!(content(&lazy, inode), content(&eager, inode));
            prop_assert_eq!(lazy.diff(&eager), vec![]);
            let known = resolved(&lazy);
            prop_assert_eq!(known.hash(), eager.hash());
            prop_assert_eq!(known.pages(inode).count(), eager.pages(inode).count());
            prop_assert_eq!(known.hash(), known.rehash());
            prop_assert_eq!(eager.hash(), eager.rehash());
        }
    }

    #[test]
    fn any_tree_gets_the_hash_of_the_one_that_was_read_in(
        changes in prop::collection::vec(change(), 1..40),
    ) {
        let mut image = DiskImage::new();
        let mut tree = Tree::new();
        for change in &changes {
            tree.apply(change, &mut image);
        }
        let real = tempfile::tempdir().unwrap();
        image.write_out(real.path()).unwrap();
        let lazy = leave_all(real.path());
        prop_assert_eq!(lazy.bytes_here(), 0);
        let known = resolved(&lazy);
        prop_assert_eq!(known.hash(), image.hash());
        prop_assert_eq!(known.hash(), DiskImage::read_in(real.path()).unwrap().hash());
        prop_assert_eq!(known.diff(&image), vec![]);
        prop_assert_eq!(known.bytes_here(), 0);
    }
}
