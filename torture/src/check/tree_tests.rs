//! Random images shown one after another, with random changes behind the tree's back in between: what
//! is on disk is always the image.
//!
//! The changes are made by a checker that knows no mercy: any path, any call, links and directories
//! that come and go. Not for mounts, which need a machine that allows them.
#![expect(clippy::disallowed_methods, reason = "the tests look at the disk behind the tree's back")]

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use faultfs::{Attributes, DiskImage, FileKind, Inode, PAGE};
use proptest::prelude::*;
use tempfile::TempDir;

use super::Tree;

/// Numbers by which a change picks what it does, and to what.
type Pick = (u8, usize, usize, u8);

fn picks(count: usize) -> impl Strategy<Value = Vec<Pick>> {
    prop::collection::vec((any::<u8>(), 0..64usize, 0..64usize, any::<u8>()), 0..count)
}

/// All nodes of a kind with a path, in their order.
fn nodes(image: &DiskImage, dirs: bool) -> Vec<Inode> {
    let all = (1..=image.last_inode().0).map(Inode).filter(|node| image.is_reachable(*node));
    all.filter(|node| (image.kind(*node) == Some(FileKind::Dir)) == dirs).collect()
}

fn name(number: u8) -> [u8; 1] {
    [b'a' + number % 5]
}

fn is_below(image: &DiskImage, dir: Inode, above: Inode) -> bool {
    std::iter::successors(Some(dir), |dir| image.parent(*dir)).any(|dir| dir == above)
}

/// Makes one random change of an image.
fn change(image: &mut DiskImage, (what, one, other, byte): Pick) {
    let (dirs, files) = (nodes(image, true), nodes(image, false));
    let dir = dirs[one % dirs.len()];
    let new = Inode(image.last_inode().0 + 1);
    let file = files.get(other % files.len().max(1)).copied();
    let name = name(byte);
    match (what % 9, file) {
        (0, _) => {
            image.insert_dir(new, Attributes::new(0o700 + u32::from(byte % 8)));
            image.set_entry(dir, &name, Some(new));
        }
        (1, _) => {
            image.insert_file(new, Attributes::new(0o600));
            image.write(new, &[byte; 100], u64::from(byte) * 40);
            image.set_entry(dir, &name, Some(new));
        }
        (2, _) => image.set_entry(dir, &name, None),
        (3, Some(file)) => image.set_entry(dir, &name, Some(file)),
        (4, _) => {
            let moved = dirs[other % dirs.len()];
            if !is_below(image, dir, moved) {
                image.set_entry(dir, &name, Some(moved));
            }
        }
        (5, _) if byte % 4 == 0 => {
            image.insert_symlink(new, vec![b'x', b'0' + byte % 10], Attributes::new(0o777));
            image.set_entry(dir, &name, Some(new));
        }
        (6, Some(file)) if image.kind(file) == Some(FileKind::File) => {
            image.set_len(file, u64::from(byte) * 50);
        }
        (7, Some(file)) if image.kind(file) == Some(FileKind::File) => {
            let mut attributes = Attributes::new(0o600 + u32::from(byte));
            Arc::make_mut(&mut attributes.xattrs).insert(b"user.x".to_vec(), [byte].into());
            image.set_attributes(file, attributes);
        }
        (_, Some(file)) if image.kind(file) == Some(FileKind::File) => {
            image.write(file, &[byte; PAGE], u64::from(byte) * 50);
        }
        _ => {}
    }
}

/// All paths below a directory, itself first.
fn paths(dir: &Path) -> Vec<PathBuf> {
    let mut paths = vec![dir.to_owned()];
    let mut next = 0;
    while let Some(path) = paths.get(next).cloned() {
        next += 1;
        if path.symlink_metadata().is_ok_and(|found| found.is_dir()) {
            let mut below: Vec<_> =
                std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
            below.sort();
            paths.extend(below);
        }
    }
    paths
}

/// Makes one random change behind the tree's back; what cannot be done is not done.
fn spoil(root: &Path, (what, one, other, byte): Pick) -> io::Result<()> {
    let paths = paths(root);
    let (one, other) = (&paths[one % paths.len()], &paths[other % paths.len()]);
    let new = one.join(str::from_utf8(&name(byte)).unwrap());
    let write =
        |path: &Path| std::fs::File::options().write(true).create(true).truncate(false).open(path);
    match what % 12 {
        0 => std::fs::write(new, [byte; 30]),
        1 => std::fs::create_dir(new),
        2 if one != root => std::fs::remove_file(one).or_else(|_| std::fs::remove_dir_all(one)),
        3 => std::fs::hard_link(other, new),
        4 | 5 => std::fs::rename(other, new),
        6 => write(one)?.write_all_at(&[byte; 10], u64::from(byte) * 20),
        7 => write(one)?.set_len(u64::from(byte)),
        8 => std::fs::set_permissions(one, Permissions::from_mode(0o700 + u32::from(byte) % 0o100)),
        9 => xattr::set(one, "user.y", &[byte]),
        10 => through_a_link(root, one, byte),
        11 if one != root => {
            let away = root.join("away");
            std::fs::rename(one, &away)?;
            std::fs::rename(other, one)?;
            std::fs::rename(away, other)
        }
        _ => Ok(()),
    }
}

/// Writes to a file by a name that is gone afterwards, in a directory that is, too.
fn through_a_link(root: &Path, file: &Path, byte: u8) -> io::Result<()> {
    let dir = root.join("new");
    std::fs::create_dir(&dir)?;
    std::fs::hard_link(file, dir.join("link"))?;
    let link = std::fs::File::options().write(true).open(dir.join("link"))?;
    link.write_all_at(&[byte], 3)?;
    std::fs::remove_dir_all(dir)
}

#[track_caller]
fn assert_shows(tree: &Tree, image: &DiskImage) {
    let found = DiskImage::read_in(tree.path()).unwrap();
    assert!(found.hash() == image.hash(), "{:?}", image.diff(&found));
    assert_eq!(std::fs::read_dir(tree.beside().join("stage")).unwrap().count(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

    #[test]
    fn the_tree_shows_the_image_whatever_was_done_to_it(
        rounds in prop::collection::vec((picks(25), picks(6)), 1..6)
    ) {
        let dir = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap();
        let mut tree = Tree::scratch(dir.path()).unwrap();
        let mut image = DiskImage::new();
        for (changes, spoils) in rounds {
            for pick in changes {
                change(&mut image, pick);
            }
            tree.show(&image).unwrap();
            assert_shows(&tree, &image);
            for pick in spoils {
                let _ = spoil(tree.path(), pick);
            }
            tree.undo();
        }
        tree.show(&image).unwrap();
        assert_shows(&tree, &image);
        // Whatever was done was mended piece by piece.
        prop_assert_eq!(tree.counts().rebuilt, 0);
    }
}

/// A directory with a file of two names, and one beside it.
fn sample() -> DiskImage {
    let mut image = DiskImage::new();
    for (node, dir, file) in [(2, b"one", b"f"), (4, b"two", b"g")] {
        image.insert_dir(Inode(node), Attributes::new(0o755));
        image.set_entry(DiskImage::ROOT, dir, Some(Inode(node)));
        image.insert_file(Inode(node + 1), Attributes::new(0o644));
        image.write(Inode(node + 1), &[7; 3 * PAGE], 0);
        image.set_entry(Inode(node), file, Some(Inode(node + 1)));
    }
    image.set_entry(Inode(4), b"link", Some(Inode(3)));
    image
}

#[test]
fn a_quiet_checker_costs_no_mending_and_no_change_a_rebuild() {
    let dir = TempDir::new().unwrap();
    let mut tree = Tree::scratch(dir.path()).unwrap();
    let image = sample();
    tree.show(&image).unwrap();
    tree.undo();
    assert_eq!((tree.counts().mended, tree.counts().rebuilt), (0, 0));
    std::fs::write(tree.path().join("one/f"), b"bad").unwrap();
    std::fs::remove_dir_all(tree.path().join("two")).unwrap();
    tree.undo();
    tree.show(&image).unwrap();
    assert_shows(&tree, &image);
    assert_eq!((tree.counts().mended, tree.counts().rebuilt), (1, 0));
}

#[test]
fn more_changes_than_are_reported_make_the_tree_anew() {
    let dir = TempDir::new().unwrap();
    let mut tree = Tree::scratch(dir.path()).unwrap();
    tree.show(&sample()).unwrap();
    let limit = std::fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let limit: usize = limit.trim().parse().unwrap();
    let [one, two] = ["one/f", "two/g"].map(|name| tree.path().join(name));
    for number in 0..limit {
        let file = if number % 2 == 0 { &one } else { &two };
        std::fs::File::options().write(true).open(file).unwrap().set_len(9).unwrap();
    }
    tree.undo();
    assert_eq!(tree.counts().rebuilt, 1);
    tree.show(&sample()).unwrap();
    assert_shows(&tree, &sample());
}

#[test]
fn images_without_a_common_origin_follow_each_other() {
    let dir = TempDir::new().unwrap();
    let mut tree = Tree::scratch(dir.path()).unwrap();
    tree.show(&sample()).unwrap();
    let mut other = DiskImage::new();
    other.insert_symlink(Inode(2), b"to".to_vec(), Attributes::new(0o777));
    other.set_entry(DiskImage::ROOT, b"one", Some(Inode(2)));
    tree.show(&other).unwrap();
    assert_shows(&tree, &other);
}
