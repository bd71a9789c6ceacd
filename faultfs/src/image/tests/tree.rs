//! A tree as a program sees it, in plain maps and vectors: read off an image, and made into one.
//!
//! Not for changes: `model.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::FileKind;
use crate::image::{Attributes, DiskImage, Inode};

/// What a program can tell of a node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Seen {
    pub(super) kind: FileKind,
    pub(super) mode: u32,
    pub(super) xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    /// The bytes of a file, or the target of a symbolic link.
    pub(super) content: Vec<u8>,
    /// The first of all paths that lead to the node.
    pub(super) group: String,
}

/// Everything a program can tell of a disk, by path.
pub(super) type Tree = BTreeMap<String, Seen>;

/// The directory and the last component of a path.
pub(super) fn split(path: &str) -> (&str, &[u8]) {
    let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
    (dir, name.as_bytes())
}

/// Adds a node without a name.
pub(super) fn add(image: &mut DiskImage, inode: Inode, seen: &Seen) {
    let xattrs = seen.xattrs.iter().map(|(name, value)| (name.clone(), value.as_slice().into()));
    let xattrs = Arc::new(xattrs.collect());
    let attributes = Attributes { xattrs, ..Attributes::new(seen.mode) };
    match seen.kind {
        FileKind::Dir => image.insert_dir(inode, attributes),
        FileKind::Symlink => image.insert_symlink(inode, seen.content.clone(), attributes),
        _ => {
            image.insert_file(inode, attributes);
            image.write(inode, &seen.content, 0);
        }
    }
}

/// An image of a tree, with other inodes than the one it came from, in another order.
pub(super) fn build(tree: &Tree) -> DiskImage {
    let mut image = DiskImage::new();
    let inodes: BTreeMap<&String, Inode> = tree.keys().rev().zip((100..).map(Inode)).collect();
    for (path, seen) in tree.iter().rev() {
        if *path == seen.group {
            add(&mut image, inodes[path], seen);
        }
    }
    for (path, seen) in tree.iter().rev() {
        let (dir, name) = split(path);
        let dir = if dir.is_empty() { DiskImage::ROOT } else { inodes[&dir.to_owned()] };
        image.set_entry(dir, name, Some(inodes[&seen.group]));
    }
    image
}

/// What an image says that it holds, by its own reading functions.
pub(super) fn tree_of(image: &DiskImage) -> Tree {
    let mut paths = BTreeMap::new();
    let mut next = vec![(String::new(), DiskImage::ROOT)];
    while let Some((dir, inode)) = next.pop() {
        for (name, child) in image.entries(inode) {
            let name = std::str::from_utf8(name).unwrap();
            let path = if dir.is_empty() { name.to_owned() } else { format!("{dir}/{name}") };
            assert!(image.names(child).any(|(parent, _)| parent == inode));
            paths.insert(path.clone(), child);
            next.push((path, child));
        }
    }
    let mut first = BTreeMap::new();
    let see = |(path, inode): (&String, &Inode)| {
        let group = first.entry(*inode).or_insert_with(|| path.clone()).clone();
        (path.clone(), see(image, *inode, group))
    };
    paths.iter().map(see).collect()
}

fn see(image: &DiskImage, inode: Inode, group: String) -> Seen {
    let kind = image.kind(inode).unwrap();
    let attributes = image.attributes(inode).unwrap();
    let mode = if kind == FileKind::Symlink { 0 } else { attributes.mode };
    let xattrs = attributes.xattrs.iter().map(|(name, value)| (name.clone(), value.to_vec()));
    let xattrs = xattrs.collect();
    let content = image.symlink_target(inode).map_or_else(
        || {
            // More than the file has: a read must stop at its end.
            let mut bytes = vec![9; usize::try_from(image.len(inode)).unwrap() + 10];
            let count = image.read(inode, &mut bytes, 0);
            bytes.truncate(count);
            bytes
        },
        <[u8]>::to_vec,
    );
    Seen { kind, mode, xattrs, content, group }
}
