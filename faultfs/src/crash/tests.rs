//! Tests of crash states: windows keep what they say.

use std::path::Path;

use crate::{
    Access, DiskImage, Fill, Fs, FsFile, Inode, Legal, Model, PersistOrder, Rules, SimFile, SimFs,
    Tear, Trace, Window,
};

/// Some calls on one file, `/a`, that is empty and durable before them.
fn run(calls: impl FnOnce(&SimFile)) -> Trace {
    let disk = SimFs::new();
    drop(disk.create_new(Path::new("/a"), 0o644).unwrap());
    let disk = SimFs::on(disk.image());
    calls(&disk.open(Path::new("/a"), Access::ReadWrite).unwrap());
    disk.trace()
}

/// What is lost with each effect is taken out of the full image and put in again: the same images as
/// those that never held it, and those that always did.
fn assert_undone_and_done_again(trace: &Trace, rules: impl FnOnce(&mut Rules)) {
    let model = Model::preset("posix").unwrap().with(rules);
    let order = PersistOrder::new(trace, &model);
    let window = Window::at(&order, order.events());
    for position in 0..window.pending().len() {
        let lost = window.lost_with(&[position]);
        let kept: Vec<_> = lost.iter().map(|lost| !lost).collect();
        let mut image: DiskImage = window.full().clone();
        for position in (0..lost.len()).rev().filter(|position| lost[*position]) {
            window.undo(position, &mut image);
        }
        assert_eq!(image.hash(), window.image(&kept).hash(), "without {position}");
        for position in (0..lost.len()).filter(|position| lost[*position]) {
            window.apply(position, &mut image);
        }
        assert_eq!(image.hash(), window.full().hash(), "with {position} again");
    }
}

/// Taking a length out cut the file, and with it the bytes beyond that had survived: the image of
/// a lost cut showed zeros where a later write had survived.
#[test]
fn a_length_that_is_taken_out_leaves_the_bytes_beyond_it() {
    let trace = run(|file| {
        file.write_all_at(&[1], 4096).unwrap();
        file.set_len(513).unwrap();
        file.write_all_at(&[2; 514], 0).unwrap();
    });
    assert_undone_and_done_again(&trace, |_| {});
}

/// A cut at the end of a page takes a part of the unit that lies across it, and did not wait for the
/// bytes there: taken out, they came back behind the cut.
#[test]
fn a_unit_that_a_cut_takes_a_part_of_is_ordered_with_it() {
    let trace = run(|file| {
        file.write_all_at(&[1; 1000], 4000).unwrap();
        file.set_len(4096).unwrap();
        file.set_len(6000).unwrap();
    });
    assert_undone_and_done_again(&trace, |rules| rules.tear = Tear::Bytes(1000));
}

/// The page of a cut was a hole, so the cut wrote no zeros that the next bytes there could follow.
/// They did not follow the cut either, and what the disk held covered them.
#[test]
fn bytes_in_the_page_of_a_cut_follow_it_also_when_it_was_a_hole() {
    let trace = run(|file| {
        file.write_all_at(&[1], 4096).unwrap();
        file.set_len(512).unwrap();
        file.write_all_at(&[2; 600], 0).unwrap();
    });
    assert_undone_and_done_again(&trace, |rules| {
        rules.tear = Tear::Page;
        rules.fill = Fill::Garbage;
    });
}

/// How many files and directories the two disks at the ends of a window hold, the root among them.
fn nodes(window: &Window<'_>) -> [usize; 2] {
    let is_there = |image: &DiskImage, number: u64| image.kind(Inode(number)).is_some();
    let count =
        |image: &DiskImage| (0..=image.last_inode().0).filter(|n| is_there(image, *n)).count();
    [window.durable(), window.full()].map(count)
}

/// Disks held every file that there ever was, so that a state of a long run cost twice one of a short run.
#[test]
fn files_that_are_gone_for_good_are_dropped() {
    let disk = SimFs::new();
    for round in 0..4 {
        let file = disk.create_new(Path::new("/new"), 0o644).unwrap();
        file.write_all_at(&[round], 0).unwrap();
        file.sync_all().unwrap();
        disk.rename(Path::new("/new"), Path::new("/a")).unwrap();
        disk.sync_dir(Path::new("/")).unwrap();
    }
    let trace = disk.trace();
    for name in ["posix", "ext4", "xfs", "btrfs"] {
        let order = PersistOrder::new(&trace, Model::preset(name).unwrap());
        let last = Window::at(&order, order.events());
        assert_eq!(nodes(&last), [2, 2], "{name}: the root and /a");
        let before = Window::at(&order, order.events() - 1);
        assert_eq!(nodes(&before), [3, 3], "{name}: the name may still lead to the file before");
        assert!(before.pending().len() > last.pending().len(), "{name}");
    }
    let order = PersistOrder::new(&trace, Model::preset("lying-disk").unwrap());
    assert_eq!(nodes(&Window::at(&order, order.events())), [5, 5], "any of them may be there");
}

/// A program may write to a file that it has open and that has no name any more.
#[test]
fn a_file_without_a_name_stays_as_long_as_it_is_written() {
    let disk = SimFs::new();
    let file = disk.create_new(Path::new("/a"), 0o644).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    disk.unlink(Path::new("/a")).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    for number in 0..3 {
        file.write_all_at(&[number], u64::from(number)).unwrap();
    }
    file.sync_all().unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    let trace = disk.trace();
    for model in Model::presets() {
        let order = PersistOrder::new(&trace, model);
        let mut window = Window::first(&order);
        while window.advance() {}
        let expected = if model.name == "lying-disk" { [2, 2] } else { [1, 1] };
        assert_eq!(nodes(&window), expected, "{}", model.name);
    }
}

/// Two imports at once, each with some temps, had 268 million sets at one crash point and 262,674 states: nearly all
/// sets held bytes of files whose names were lost.
#[test]
fn bytes_of_a_file_whose_name_is_lost_are_in_one_set_only() {
    let disk = SimFs::new();
    for number in 0..3 {
        let file = disk.create_new(Path::new(&format!("/temp-{number}")), 0o644).unwrap();
        file.write_all_at(&[1], 0).unwrap();
    }
    let trace = disk.trace();
    let sets = |model| {
        let order = PersistOrder::new(&trace, Model::preset(model).unwrap());
        let window = Window::at(&order, order.events());
        let (all, new) = (Legal::all(&window), Legal::new_ones(&window));
        let of = |legal: Legal| [legal.count(1000), legal.without_unseen().count(1000)];
        [of(all), of(new)]
    };
    // Of each file a name, a byte and a length: eight sets, or four with the name and one without it. Of the last one the
    // new sets hold the byte or the length: six, or three with the name and two without it.
    assert_eq!(sets("posix"), [[8 * 8 * 8, 5 * 5 * 5], [8 * 8 * 6, 5 * 5 * 5]]);
    // Here names survive in their order, and a length only with its byte: three with the name, two or one without it.
    let (all, seen) = (8 + 4 * 3 + 2 * 9 + 27, 1 + 3 + 9 + 27);
    // Those that hold something of the last file's bytes, with its name and without.
    let (all_new, seen_new) = ((27 - 9) + (4 + 6 + 9), (27 - 9) + (1 + 3 + 9));
    assert_eq!(sets("ext4"), [[all, seen], [all_new, seen_new]]);
}
