//! One step of a tree: from the image it shows to the next, by their differences.
//!
//! Names that go away are taken first, from below; a node that keeps or gets another name waits in the
//! stage meanwhile. Then names are added, directories from above, then the rest; at last bytes
//! and attributes are written. Not for what a checker changed: that was undone before.
#![expect(clippy::disallowed_methods, reason = "the trees of subjects are no files of a store")]

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use faultfs::{DiskImage, FileKind, Inode};

use super::node::{write_attributes, write_file, write_new_file};
use super::tree::Tree;

/// A name that goes or comes: how deep its directory lies, its path on disk, and its node.
struct Name {
    depth: usize,
    path: PathBuf,
    node: Inode,
}

pub(super) struct Step<'t> {
    tree: &'t mut Tree,
    there: &'t DiskImage,
    changed: Vec<Inode>,
    /// Nodes that wait in the stage, or that this step gave a name: where they are.
    placed: BTreeMap<Inode, PathBuf>,
    /// Nodes that were not on disk before.
    new: BTreeSet<Inode>,
}

impl<'t> Step<'t> {
    /// Whether every node that stays is of the kind it was; otherwise its number was given to
    /// something else, and the two images have no common origin.
    pub(super) fn is_possible(here: &DiskImage, there: &DiskImage) -> bool {
        let stays = |node: &Inode| here.kind(*node).is_some() && there.kind(*node).is_some();
        here.changed_nodes(there).filter(stays).all(|node| {
            here.kind(node) == there.kind(node)
                && here.symlink_target(node) == there.symlink_target(node)
        })
    }

    pub(super) fn new(tree: &'t mut Tree, there: &'t DiskImage) -> Self {
        let changed = tree.shown.changed_nodes(there).collect();
        Self { tree, there, changed, placed: BTreeMap::new(), new: BTreeSet::new() }
    }

    pub(super) fn run(mut self) -> io::Result<()> {
        let (mut gone, mut come) = self.names();
        gone.sort_by_key(|name| std::cmp::Reverse(name.depth));
        for name in gone {
            self.take(&name).map_err(at(&name.path))?;
        }
        // Directories first, from above: then every name of a file is where it belongs.
        let is_dir = |name: &Name| self.there.kind(name.node) == Some(FileKind::Dir);
        come.sort_by_key(|name| (!is_dir(name), name.depth));
        for name in come {
            self.put(&name).map_err(at(&name.path))?;
        }
        // What lost one of its names and got no other.
        for staged in self.placed.values().filter(|path| path.starts_with(&self.tree.stage)) {
            std::fs::remove_file(staged).map_err(at(staged))?;
        }
        for node in std::mem::take(&mut self.changed) {
            self.fill(node)?;
        }
        Ok(())
    }

    /// All names that go, and all that come.
    fn names(&self) -> (Vec<Name>, Vec<Name>) {
        let (mut gone, mut come) = (Vec::new(), Vec::new());
        let here = &self.tree.shown;
        let empty = DiskImage::new();
        for dir in self.changed.iter().copied() {
            let is_dir = |image: &DiskImage| image.kind(dir) == Some(FileKind::Dir);
            let path = |image: &DiskImage| image.path(dir).filter(|_| is_dir(image));
            let (before, after) = (path(here), path(self.there));
            // Where a directory is not reachable, nothing of it is on disk.
            let from = if before.is_some() { here } else { &empty };
            let to = if after.is_some() { self.there } else { &empty };
            for (name, old, new) in from.changed_entries(to, dir) {
                let make = |dir: &Option<PathBuf>, to: Option<Inode>| {
                    let (dir, node) = (dir.as_ref()?, to?);
                    let path = self.tree.root.join(dir).join(OsStr::from_bytes(name));
                    Some(Name { depth: dir.components().count(), path, node })
                };
                gone.extend(make(&before, old));
                come.extend(make(&after, new));
            }
        }
        (gone, come)
    }

    /// Takes a name away. The node waits in the stage if it is still needed.
    fn take(&mut self, name: &Name) -> io::Result<()> {
        let is_dir = self.tree.shown.kind(name.node) == Some(FileKind::Dir);
        let stays = self.there.is_reachable(name.node);
        if stays && !self.placed.contains_key(&name.node) {
            let staged = self.tree.stage.join(name.node.0.to_string());
            std::fs::rename(&name.path, &staged)?;
            self.placed.insert(name.node, staged);
            Ok(())
        } else {
            if let Some(watch) = self.tree.watch.as_mut().filter(|_| !stays) {
                watch.forget(name.node);
            }
            if is_dir { std::fs::remove_dir(&name.path) } else { std::fs::remove_file(&name.path) }
        }
    }

    /// Gives a node a name: that of the stage, one more, or its first.
    fn put(&mut self, name: &Name) -> io::Result<()> {
        let kind = self.there.kind(name.node);
        if let Some(known) = self.placed.get(&name.node) {
            if known.starts_with(&self.tree.stage) {
                std::fs::rename(known, &name.path)?;
            } else {
                return std::fs::hard_link(known, &name.path);
            }
        } else if self.tree.shown.is_reachable(name.node) && kind != Some(FileKind::Dir) {
            return std::fs::hard_link(self.kept_name(name.node)?, &name.path);
        } else {
            self.create(name, kind)?;
            self.new.insert(name.node);
        }
        self.placed.insert(name.node, name.path.clone());
        Ok(())
    }

    fn create(&mut self, name: &Name, kind: Option<FileKind>) -> io::Result<()> {
        match kind {
            Some(FileKind::Dir) => {
                std::fs::create_dir(&name.path)?;
                self.tree.watch(name.node, &name.path, FileKind::Dir);
                Ok(())
            }
            Some(FileKind::Symlink) => {
                let target = self.there.symlink_target(name.node).unwrap_or_default();
                std::os::unix::fs::symlink(OsStr::from_bytes(target), &name.path)
            }
            _ => {
                write_new_file(self.there, name.node, &name.path)?;
                self.tree.watch(name.node, &name.path, FileKind::File);
                Ok(())
            }
        }
    }

    /// A path of a node that no step has touched.
    fn kept_name(&self, node: Inode) -> io::Result<PathBuf> {
        let before: BTreeSet<_> = self.tree.shown.names(node).collect();
        let kept = self
            .there
            .names(node)
            .find(|name| before.contains(name) && self.tree.shown.is_reachable(name.0));
        let path = kept.and_then(|(dir, name)| {
            Some(self.tree.root.join(self.there.path(dir)?).join(OsStr::from_bytes(name)))
        });
        path.ok_or_else(|| io::Error::other(format!("{node:?} has no name that stays")))
    }

    /// Writes what a node holds and carries.
    fn fill(&self, node: Inode) -> io::Result<()> {
        let Some(path) = self.there.path(node) else { return Ok(()) };
        let path = self.tree.root.join(path);
        if self.new.contains(&node) {
            return write_attributes(None, self.there, node, &path, true).map_err(at(&path));
        }
        let here = &self.tree.shown;
        let written = match self.there.kind(node) {
            Some(FileKind::File) => write_file(here, self.there, node, &path).map_err(at(&path))?,
            _ => false,
        };
        let attributes = (here.attributes(node), self.there.attributes(node));
        if written || attributes.0 != attributes.1 {
            write_attributes(Some(here), self.there, node, &path, written).map_err(at(&path))?;
        }
        Ok(())
    }
}

/// Adds the path to an error, which system calls leave out.
pub(super) fn at(path: &Path) -> impl Fn(io::Error) -> io::Error {
    move |e| io::Error::new(e.kind(), format!("{}: {e}", path.display()))
}
