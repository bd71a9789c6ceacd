//! Names: the entries that make nodes a tree.
//!
//! Each change of a name goes through [`DiskImage::set_entry`], which keeps entries, the names a
//! node knows of itself, and its place (see `hash.rs`) in step. Only the move of a directory costs
//! more than its own name: all below it has new paths.
//!
//! Not for POSIX: what may replace what is the caller's to decide.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use imbl::OrdMap;

use super::hash;
use super::node::{Body, Name, Node};
use super::{DiskImage, Inode};
use crate::{DirEntry, FileKind};

impl DiskImage {
    /// What a name in a directory leads to; `None` too if `dir` is no directory.
    pub fn lookup(&self, dir: Inode, name: &[u8]) -> Option<Inode> {
        self.dir_entries(dir)?.get(name).copied()
    }

    /// The entries of a directory, sorted by name; none if `dir` is no directory.
    pub fn entries(&self, dir: Inode) -> impl Iterator<Item = (&[u8], Inode)> {
        let entries = self.dir_entries(dir).into_iter().flatten();
        entries.map(|(name, inode)| (&**name, *inode))
    }

    /// The entries of a directory as a program lists them; none if `dir` is no directory.
    pub(crate) fn list(&self, dir: Inode) -> Vec<DirEntry> {
        self.node(dir).map_or_else(Vec::new, |node| self.list_node(node))
    }

    /// As [`Self::list`], each entry with the listing of what it leads to.
    pub(crate) fn list_twice(&self, dir: Inode) -> Vec<(DirEntry, Vec<DirEntry>)> {
        let Some(node) = self.node(dir) else { return Vec::new() };
        let mut listed = Vec::with_capacity(node.entry_count());
        listed.extend(self.children(node).map(|(entry, child)| (entry, self.list_node(child))));
        listed
    }

    fn list_node(&self, node: &Node) -> Vec<DirEntry> {
        let mut listed = Vec::with_capacity(node.entry_count());
        listed.extend(self.children(node).map(|(entry, _)| entry));
        listed
    }

    /// The entries of a directory with the nodes they lead to.
    fn children(&self, node: &Node) -> impl Iterator<Item = (DirEntry, &Node)> {
        let entries = match &node.body {
            Body::Dir(dir) if !dir.entries.is_empty() => Some(dir.entries.iter()),
            _ => None,
        };
        // What was made in the order of its names is found by going on, which is a lot faster.
        let mut beside = None;
        entries.into_iter().flatten().filter_map(move |(name, inode)| {
            let child = match beside.as_mut().and_then(Iterator::next) {
                Some((next, child)) if next == inode => child,
                _ => {
                    let nodes = beside.insert(self.nodes().range(*inode..));
                    nodes.next().filter(|(next, _)| *next == inode)?.1
                }
            };
            let name = OsStr::from_bytes(name).to_owned();
            Some((DirEntry { name, kind: child.kind() }, &**child))
        })
    }

    /// Every name of a node: the directory that holds it, and the component.
    pub fn names(&self, inode: Inode) -> impl Iterator<Item = (Inode, &[u8])> {
        let names = self.node(inode).into_iter().flat_map(|node| node.names.iter());
        names.map(|(dir, name)| (*dir, &**name))
    }

    /// The directory that holds a directory's name; `None` for the root, without a name, and for
    /// everything but directories.
    pub fn parent(&self, dir: Inode) -> Option<Inode> {
        let node = self.node(dir).filter(|node| matches!(node.body, Body::Dir(_)))?;
        node.names.first().map(|(parent, _)| *parent)
    }

    pub(super) fn dir_entries(&self, dir: Inode) -> Option<&OrdMap<Name, Inode>> {
        match &self.node(dir)?.body {
            Body::Dir(dir) => Some(&dir.entries),
            _ => None,
        }
    }

    /// Creates, replaces or removes one name; what it led to before loses it and stays.
    ///
    /// A directory has one name: giving it another one takes the first away, which is what a file
    /// system check makes of a directory found twice (e2fsck pass 2 clears the second entry). A
    /// directory put below itself is thereby cut off from the root, with all that it holds.
    ///
    /// # Panics
    ///
    /// If `dir` is no directory, `to` does not exist or is the root, or the name is none.
    #[track_caller]
    pub fn set_entry(&mut self, dir: Inode, name: &[u8], to: Option<Inode>) {
        assert!(is_component(name), "{:?} is no name", String::from_utf8_lossy(name));
        let old = self.lookup(dir, name);
        if old == to {
            return;
        }
        if let Some(old) = old {
            self.remove_name(dir, name, old);
        }
        let Some(new) = to else { return };
        assert_ne!(new, Self::ROOT, "the root has no name");
        if self.kind(new) == Some(FileKind::Dir)
            && let Some((parent, name)) =
                self.node(new).and_then(|node| node.names.first().cloned())
        {
            self.remove_name(parent, &name, new);
        }
        self.add_name(dir, name, new);
    }

    fn remove_name(&mut self, dir: Inode, name: &[u8], child: Inode) {
        let is_dir = self.kind(child) == Some(FileKind::Dir);
        let place = self.place(dir);
        self.change(dir, |node| {
            node.dir().entries.remove(name);
            node.dir().subdirs -= u64::from(is_dir);
        });
        let before = self.place(child);
        self.change(child, |node| {
            Arc::make_mut(&mut node.names).remove(&(dir, name.into()));
            if let Some(place) = place {
                node.remove_path(hash::path(place, name));
            }
        });
        self.carry(child, before);
    }

    #[track_caller]
    fn add_name(&mut self, dir: Inode, name: &[u8], child: Inode) {
        let shared = Name::from(name);
        let is_dir = self.kind(child) == Some(FileKind::Dir);
        let place = self.place(dir);
        let before = self.place(child);
        self.change(child, |node| {
            Arc::make_mut(&mut node.names).insert((dir, Arc::clone(&shared)));
            if let Some(place) = place {
                node.add_path(hash::path(place, name));
            }
        });
        self.change(dir, |node| {
            node.dir().entries.insert(shared, child);
            node.dir().subdirs += u64::from(is_dir);
        });
        self.carry(child, before);
    }

    /// Corrects the paths of all that lies below a directory whose place changed. As directories
    /// have one name, and cycles are never reached from the root, each is visited once.
    fn carry(&mut self, inode: Inode, before: Option<u128>) {
        let mut moved = vec![(inode, before)];
        while let Some((dir, before)) = moved.pop() {
            let after = self.place(dir);
            if before == after {
                continue;
            }
            let Some(entries) = self.dir_entries(dir).cloned() else { continue };
            for (name, child) in &entries {
                let child_before = self.place(*child);
                self.change(*child, |node| {
                    if let Some(before) = before {
                        node.remove_path(hash::path(before, name));
                    }
                    if let Some(after) = after {
                        node.add_path(hash::path(after, name));
                    }
                });
                moved.push((*child, child_before));
            }
        }
    }
}

/// Whether a name can be one component of a path.
fn is_component(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..") && !name.iter().any(|byte| matches!(byte, 0 | b'/'))
}
