//! Images against a naive model, by random changes, and each kind of difference by itself.
//!
//! Not for real directories: `directory_tests.rs`.

mod change;
mod model;
mod tree;

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

pub(super) use self::change::change;
pub(super) use self::model::Model;
use super::hash::{self, Domain};
use super::node::Body;
use super::{Attributes, Difference, Differs, DiskImage, ImageHash, Inode, PAGE, Page};
use crate::FileKind;

impl DiskImage {
    /// The hash from scratch: no running sum, no cached term, place or page hash.
    pub(super) fn rehash(&self) -> ImageHash {
        let mut places = BTreeMap::from([(Self::ROOT, hash::ROOT_PLACE)]);
        let mut next = vec![(Self::ROOT, hash::ROOT_PLACE)];
        while let Some((dir, place)) = next.pop() {
            for (name, child) in self.entries(dir) {
                let path = hash::path(place, name);
                let sum = places.entry(child).or_insert(0);
                *sum = sum.wrapping_add(path);
                next.push((child, path));
            }
        }
        let terms = places.into_iter().map(|(inode, place)| {
            let attributes = self.attributes(inode).unwrap();
            let mode = u128::from(attributes.mode) << 64;
            let (domain, content, numbers) = match &self.node(inode).unwrap().body {
                Body::File(file) => (Domain::File, file.rehash(), mode | u128::from(file.len())),
                Body::Dir(_) => (Domain::Dir, 0, mode),
                Body::Symlink(target) => (Domain::Symlink, hash::bytes(target), 0),
            };
            hash::mix(domain, [content, numbers, hash::xattrs(&attributes.xattrs), place])
        });
        ImageHash(terms.fold(0, u128::wrapping_add))
    }
}

proptest! {
    #[test]
    fn an_image_is_what_the_model_is_and_equal_hashes_mean_equal_trees(
        changes in prop::collection::vec(change(), 1..40),
    ) {
        let mut image = DiskImage::new();
        let mut model = Model::new();
        let mut moments = vec![(image.clone(), model.tree())];
        for change in &changes {
            if model.apply(change, &mut image) {
                moments.push((image.clone(), model.tree()));
            }
        }
        let mut again = Vec::new();
        for (image, tree) in &moments {
            prop_assert_eq!(&tree::tree_of(image), tree, "a clone changed, or a change went wrong");
            prop_assert_eq!(image.hash(), image.rehash());
            let built = tree::build(tree);
            prop_assert_eq!(built.hash(), image.hash(), "inodes or the order of changes count");
            prop_assert_eq!(built.diff(image), vec![]);
            again.push(built);
        }
        for (first, one) in &moments {
            for ((second, other), built) in moments.iter().zip(&again) {
                prop_assert_eq!(one == other, first.hash() == second.hash());
                let found = first.diff(second);
                prop_assert_eq!(one == other, found.is_empty());
                prop_assert_eq!(&found, &first.diff(built), "sharing counts");
            }
        }
    }
}

/// The maps of a large image have several levels, which those of the random ones have not.
#[test]
fn a_large_image_shares_and_still_tells_every_change() {
    let mut image = DiskImage::new();
    for number in 10..3_000 {
        image.insert_file(Inode(number), Attributes::new(0o644));
        image.write(Inode(number), &number.to_le_bytes(), 0);
        image.set_entry(DiskImage::ROOT, format!("{number:05}").as_bytes(), Some(Inode(number)));
    }
    let before = image.clone();
    let mut expected = Vec::new();
    for number in (10..3_000).step_by(37) {
        let name = format!("{number:05}");
        let what = match number % 3 {
            0 => {
                image.set_entry(DiskImage::ROOT, name.as_bytes(), None);
                image.forget(Inode(number));
                Differs::OnlyHere(FileKind::File)
            }
            1 => {
                image.write(Inode(number), b"x", 7);
                Differs::Bytes { offset: 7 }
            }
            _ => {
                image.set_attributes(Inode(number), Attributes::new(0o600));
                Differs::Mode { here: 0o644, there: 0o600 }
            }
        };
        expected.push(Difference { path: name.into(), what });
    }
    assert_eq!(before.diff(&image), expected);
    assert_eq!(image.diff(&before).len(), expected.len());
    assert_eq!(tree::build(&tree::tree_of(&image)).diff(&image), []);
    assert_eq!((image.hash(), before.hash()), (image.rehash(), before.rehash()));
}

/// `a/file` of two pages, `a/twin` its second name, `b/link`, and an empty directory `c`.
fn sample() -> DiskImage {
    let mut image = DiskImage::new();
    for (number, name) in [(2, b"a"), (3, b"b"), (4, b"c")] {
        image.insert_dir(Inode(number), Attributes::new(0o755));
        image.set_entry(DiskImage::ROOT, name, Some(Inode(number)));
    }
    image.insert_file(FILE, Attributes::new(0o644));
    image.write(FILE, &[7; 2 * PAGE], 0);
    image.set_entry(A, b"file", Some(FILE));
    image.set_entry(A, b"twin", Some(FILE));
    image.insert_symlink(LINK, b"../a/file".to_vec(), Attributes::new(0o777));
    image.set_entry(B, b"link", Some(LINK));
    image
}

const A: Inode = Inode(2);
const B: Inode = Inode(3);
const C: Inode = Inode(4);
const FILE: Inode = Inode(5);
const LINK: Inode = Inode(6);
const NEW: Inode = Inode(7);

/// Says what the change of a sample makes different, there and back again.
#[track_caller]
fn assert_diff(change: impl FnOnce(&mut DiskImage), expected: &[(&str, Differs)]) {
    let before = sample();
    let mut after = before.clone();
    change(&mut after);
    let found = before.diff(&after);
    let found: Vec<_> = found.iter().map(|d| (d.path.to_str().unwrap(), d.what.clone())).collect();
    assert_eq!(found, expected);
    assert_ne!(before.hash(), after.hash());
    assert_eq!(after.hash(), after.rehash());
    assert_eq!(after.diff(&before).len(), expected.len());
    assert_eq!(before.diff(&sample()), []);
}

#[test]
fn diff_tells_bytes_and_lengths_at_every_name_of_a_file() {
    let bytes = Differs::Bytes { offset: PAGE as u64 + 9 };
    assert_diff(
        |image| image.write(FILE, &[8], PAGE as u64 + 9),
        &[("a/file", bytes.clone()), ("a/twin", bytes)],
    );
    let length = Differs::Length { here: 2 * PAGE as u64, there: 10 };
    assert_diff(|image| image.set_len(FILE, 10), &[("a/file", length.clone()), ("a/twin", length)]);
    let hole = Differs::Bytes { offset: 0 };
    assert_diff(
        |image| image.set_page(FILE, 0, None),
        &[("a/file", hole.clone()), ("a/twin", hole)],
    );
}

#[test]
fn diff_tells_attributes_targets_and_kinds() {
    assert_diff(
        |image| image.set_attributes(C, Attributes::new(0o700)),
        &[("c", Differs::Mode { here: 0o755, there: 0o700 })],
    );
    assert_diff(
        |image| image.set_attributes(DiskImage::ROOT, Attributes::new(0o700)),
        &[("", Differs::Mode { here: 0o755, there: 0o700 })],
    );
    let mut attributes = Attributes::new(0o755);
    Arc::make_mut(&mut attributes.xattrs).insert(b"user.x".to_vec(), Arc::from(*b"1"));
    assert_diff(
        |image| image.set_attributes(C, attributes),
        &[("c", Differs::Xattr { name: b"user.x".to_vec() })],
    );
    assert_diff(
        |image| {
            image.insert_symlink(NEW, b"elsewhere".to_vec(), Attributes::new(0o777));
            image.set_entry(B, b"link", Some(NEW));
        },
        &[("b/link", Differs::Target)],
    );
    assert_diff(
        |image| {
            image.insert_file(NEW, Attributes::new(0o755));
            image.set_entry(DiskImage::ROOT, b"c", Some(NEW));
        },
        &[("c", Differs::Kind { here: FileKind::Dir, there: FileKind::File })],
    );
}

#[test]
fn diff_tells_names() {
    assert_diff(
        |image| image.set_entry(DiskImage::ROOT, b"a", None),
        &[("a", Differs::OnlyHere(FileKind::Dir))],
    );
    assert_diff(
        |image| image.set_entry(C, b"moved", Some(B)),
        &[("b", Differs::OnlyHere(FileKind::Dir)), ("c/moved", Differs::OnlyThere(FileKind::Dir))],
    );
    assert_diff(
        |image| image.set_entry(A, b"twin", None),
        &[("a/file", Differs::HardLinks), ("a/twin", Differs::OnlyHere(FileKind::File))],
    );
    assert_diff(
        |image| {
            image.insert_file(NEW, Attributes::new(0o644));
            image.write(NEW, &[7; 2 * PAGE], 0);
            image.set_entry(A, b"twin", Some(NEW));
        },
        &[("a/file", Differs::HardLinks), ("a/twin", Differs::HardLinks)],
    );
}

#[test]
fn times_open_files_and_stored_zeros_do_not_count() {
    let mut image = sample();
    let later = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(9);
    image.set_attributes(FILE, Attributes { modified: later, ..Attributes::new(0o644) });
    image.insert_file(NEW, Attributes::new(0o600));
    image.write(NEW, b"unlinked", 0);
    assert_eq!((image.hash(), image.diff(&sample())), (sample().hash(), vec![]));
    let mut stored = image.clone();
    image.set_len(FILE, 5 * PAGE as u64);
    stored.write(FILE, &[0; 3 * PAGE], 2 * PAGE as u64);
    assert_eq!((image.hash(), image.diff(&stored)), (stored.hash(), vec![]));
    assert!(image.page(FILE, 4).is_none());
    assert!(stored.page(FILE, 4).is_some());
}

#[test]
fn the_order_of_pages_and_the_owner_of_bytes_count() {
    let (one, two) = (Page::new(&[1; PAGE]), Page::new(&[2; PAGE]));
    let write = |first: &Page, second: &Page| {
        let mut image = sample();
        image.write(FILE, &*first.bytes(), 0);
        image.write(FILE, &*second.bytes(), PAGE as u64);
        image.hash()
    };
    assert_ne!(write(&one, &two), write(&two, &one));
    let exchange = |left: &[u8], right: &[u8]| {
        let mut image = DiskImage::new();
        for (inode, name, bytes) in [(A, b"a", left), (B, b"b", right)] {
            image.insert_file(inode, Attributes::new(0o644));
            image.write(inode, bytes, 0);
            image.set_entry(DiskImage::ROOT, name, Some(inode));
        }
        image.hash()
    };
    assert_ne!(exchange(b"left", b"right"), exchange(b"right", b"left"));
}

#[test]
fn data_and_size_give_the_same_file_in_either_order() {
    let page = Arc::new(Page::new(&[1; PAGE]));
    let (mut data_first, mut size_first) = (sample(), sample());
    data_first.set_page(FILE, 2, Some(Arc::clone(&page)));
    assert_eq!(data_first.hash(), sample().hash());
    data_first.set_len(FILE, 2 * PAGE as u64 + 5);
    size_first.set_len(FILE, 2 * PAGE as u64 + 5);
    assert_ne!(size_first.hash(), data_first.hash());
    size_first.set_page(FILE, 2, Some(page));
    assert_eq!(size_first.hash(), data_first.hash());
    // The tail of the third page is hidden until the length says otherwise.
    data_first.discard_hidden();
    assert_eq!(size_first.hash(), data_first.hash());
    data_first.set_len(FILE, 3 * PAGE as u64);
    size_first.set_len(FILE, 3 * PAGE as u64);
    assert_ne!(size_first.hash(), data_first.hash());
    assert_eq!(data_first.hash(), data_first.rehash());
}

#[test]
fn links_and_parents_are_counted_as_linux_does() {
    let mut image = sample();
    assert_eq!(image.links(DiskImage::ROOT), 5);
    assert_eq!((image.links(FILE), image.links(A), image.parent(A)), (2, 2, Some(DiskImage::ROOT)));
    image.set_entry(A, b"sub", Some(C));
    assert_eq!((image.links(DiskImage::ROOT), image.links(A), image.parent(C)), (4, 3, Some(A)));
    image.set_entry(A, b"sub", None);
    assert_eq!((image.links(A), image.links(C), image.parent(C)), (2, 0, None));
    image.forget(C);
    assert_eq!((image.kind(C), image.last_inode()), (None, LINK));
}

#[test]
fn a_directory_put_below_itself_is_cut_off_and_can_come_back() {
    let mut image = sample();
    image.set_entry(A, b"b", Some(B));
    let before = image.clone();
    image.set_entry(B, b"a", Some(A));
    assert_eq!(image.rehash(), image.hash());
    assert_eq!(image.entries(DiskImage::ROOT).count(), 1);
    image.set_entry(DiskImage::ROOT, b"a", Some(A));
    assert_eq!((image.hash(), image.diff(&before)), (before.hash(), vec![]));
}

#[test]
#[should_panic(expected = "is no name")]
fn a_name_with_a_slash_is_refused() {
    sample().set_entry(DiskImage::ROOT, b"../etc", Some(FILE));
}
