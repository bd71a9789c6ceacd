//! What a checker changed in a tree, so that it can be undone before the next state.
//!
//! Every directory and every file of the tree is watched by inotify; only what it reports is looked at.
//! A file whose bytes or attributes may be others is compared with what the tree should show, and
//! mended in place. What was removed, replaced, renamed or linked is removed from the disk and from
//! the image that the tree is known to show: the next step finds it missing and makes it again.
//!
//! Files are watched, and not their names alone, because a checker may link a file to a new name, write
//! through that, and remove it. Reports are hints where to look, and never believed further: a store
//! through a shared mapping leaves no other trace on a memory file system than that the file is
//! closed. Where reports were lost, all is written anew. Not for processes that are still running: they
//! must have ended.
#![expect(clippy::disallowed_methods, reason = "the trees of subjects are no files of a store")]

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use faultfs::{DiskImage, FileKind, Inode};
use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};

use super::node::{mend_attributes, mend_file};
use super::step::at;
use super::tree::{Tree, remove_all};

/// A name came or went.
const NAMED: AddWatchFlags = AddWatchFlags::IN_CREATE
    .union(AddWatchFlags::IN_DELETE)
    .union(AddWatchFlags::IN_MOVED_FROM)
    .union(AddWatchFlags::IN_MOVED_TO);

/// The directory itself went.
const LEFT: AddWatchFlags = AddWatchFlags::IN_DELETE_SELF.union(AddWatchFlags::IN_MOVE_SELF);

/// What is reported of a directory.
const DIR: AddWatchFlags = NAMED.union(LEFT).union(AddWatchFlags::IN_ATTRIB);

/// What is reported of a file; a new name of it, too, as its link count is an attribute.
const FILE: AddWatchFlags =
    AddWatchFlags::IN_MODIFY.union(AddWatchFlags::IN_CLOSE_WRITE).union(AddWatchFlags::IN_ATTRIB);

/// The watches on all directories and files of a tree.
#[derive(Debug)]
pub(super) struct Watch {
    inotify: Inotify,
    nodes: BTreeMap<WatchDescriptor, Inode>,
    watches: BTreeMap<Inode, WatchDescriptor>,
    /// Whether reports were lost while nobody looked.
    lost: bool,
}

impl Watch {
    /// Watches a root directory; `None` where the machine has no watch left to give.
    pub(super) fn new(root: &Path) -> Option<Self> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).ok()?;
        let (nodes, watches) = (BTreeMap::new(), BTreeMap::new());
        let mut watch = Self { inotify, nodes, watches, lost: false };
        watch.add(DiskImage::ROOT, root, DIR).then_some(watch)
    }

    fn add(&mut self, node: Inode, path: &Path, mask: AddWatchFlags) -> bool {
        let mask = mask | AddWatchFlags::IN_DONT_FOLLOW;
        let Ok(watch) = self.inotify.add_watch(path, mask) else { return false };
        self.nodes.insert(watch, node);
        self.watches.insert(node, watch);
        true
    }

    /// Ends the watch on a node that goes away, or is gone.
    fn remove(&mut self, node: Inode) {
        if let Some(watch) = self.forget(node) {
            // Fails where the node is gone, and the watch with it.
            let _ = self.inotify.rm_watch(watch);
        }
    }

    /// Forgets the watch on a node that is deleted, which ends it.
    pub(super) fn forget(&mut self, node: Inode) -> Option<WatchDescriptor> {
        let watch = self.watches.remove(&node)?;
        self.nodes.remove(&watch);
        Some(watch)
    }

    /// Drops the reports of our own changes.
    pub(super) fn forget_events(&mut self) {
        self.lost |= self.read().is_none();
    }

    /// All that was reported; `None` when something was lost.
    fn read(&mut self) -> Option<Vec<InotifyEvent>> {
        let mut events = Vec::new();
        loop {
            match self.inotify.read_events() {
                Ok(more) => events.extend(more),
                Err(Errno::EAGAIN) => break,
                Err(Errno::EINTR) => {}
                Err(_) => return None,
            }
        }
        let overflow = |event: &InotifyEvent| event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW);
        (!events.iter().any(overflow)).then_some(events)
    }
}

/// What reports name, in terms of the image that the tree should show.
#[derive(Default)]
struct Suspects {
    /// Names that led nowhere.
    foreign: Vec<(Inode, Vec<u8>)>,
    /// Nodes of which a name or the whole node is gone, or may be another.
    lost: BTreeSet<Inode>,
    /// Nodes whose bytes or attributes may be others.
    touched: BTreeSet<Inode>,
}

impl Tree {
    /// Watches a node that a step made. Without a watch nothing is known of later changes.
    pub(super) fn watch(&mut self, node: Inode, path: &Path, kind: FileKind) {
        let mask = if kind == FileKind::Dir { DIR } else { FILE };
        if self.watch.as_mut().is_some_and(|watch| !watch.add(node, path, mask)) {
            self.watch = None;
        }
    }

    /// Undoes what others did to the tree since the last image was shown, or takes note of it, so that
    /// the next image is shown right. All who could still change something must have ended.
    pub fn undo(&mut self) {
        let known = self.known;
        let watch = self.watch.as_mut().filter(|watch| known && !watch.lost);
        let events = watch.and_then(Watch::read);
        match events.map(|events| self.suspects(events)) {
            Some(Some(suspects)) if suspects.is_empty() => {}
            Some(Some(suspects)) => {
                self.counts.mended += 1;
                let mended = self.mend(suspects);
                let heard = self.watch.as_mut().is_some_and(|watch| watch.read().is_some());
                if mended.is_err() || !heard {
                    self.distrust();
                }
            }
            // It is to be written from the start anyway.
            _ if !known => {}
            _ => self.distrust(),
        }
    }

    /// What the reports name; `None` when that cannot be mended piece by piece.
    fn suspects(&self, events: Vec<InotifyEvent>) -> Option<Suspects> {
        let mut suspects = Suspects::default();
        let watch = self.watch.as_ref()?;
        for event in events {
            // Of a watch that we ended something may be left.
            if let Some(node) = watch.nodes.get(&event.wd).copied() {
                suspects.add(&self.shown, node, event)?;
            }
        }
        Some(suspects)
    }

    fn mend(&mut self, suspects: Suspects) -> io::Result<()> {
        // Directories first, from above: below a lost one nothing is where it should be.
        let depth = |node: &Inode| {
            let is_dir = self.shown.kind(*node) == Some(FileKind::Dir);
            let depth = self.shown.path(*node).map(|path| path.components().count());
            (!is_dir, depth)
        };
        let mut lost: Vec<_> = suspects.lost.iter().map(|node| (depth(node), *node)).collect();
        lost.sort_unstable();
        for (_, node) in lost {
            self.lose(node)?;
        }
        for (dir, name) in suspects.foreign {
            if let Some(path) = self.disk_path(dir) {
                let path = path.join(OsStr::from_bytes(&name));
                remove_all(&path).map_err(at(&path))?;
            }
        }
        for node in suspects.touched {
            self.mend_node(node)?;
        }
        Ok(())
    }

    /// Where a node is on disk, if a path leads to it.
    fn disk_path(&self, node: Inode) -> Option<PathBuf> {
        Some(self.root.join(self.shown.path(node)?))
    }

    /// Removes whatever is at a node's names, and these from what the tree shows.
    fn lose(&mut self, node: Inode) -> io::Result<()> {
        self.unwatch(node);
        for (dir, name) in self.names_on_disk(node) {
            if let Some(path) = self.disk_path(dir) {
                let path = path.join(OsStr::from_bytes(&name));
                remove_all(&path).map_err(at(&path))?;
            }
            self.shown.set_entry(dir, &name, None);
        }
        Ok(())
    }

    /// Ends the watches on a node and, if it is a directory, on all that is left without a path
    /// when it goes; a file below it may have other names and stay.
    fn unwatch(&mut self, node: Inode) {
        let mut dirs = vec![node];
        while let Some(node) = dirs.pop() {
            if let Some(watch) = &mut self.watch {
                watch.remove(node);
            }
            for (_, child) in self.shown.entries(node) {
                let goes = self.shown.kind(child) == Some(FileKind::Dir)
                    || self.shown.names(child).count() == 1;
                if goes {
                    dirs.push(child);
                }
            }
        }
    }

    /// The names of a node in directories that are on disk.
    fn names_on_disk(&self, node: Inode) -> Vec<(Inode, Vec<u8>)> {
        let names = self.shown.names(node).filter(|(dir, _)| self.shown.is_reachable(*dir));
        names.map(|(dir, name)| (dir, name.to_vec())).collect()
    }

    /// Compares a node that still has its names with what it should be.
    fn mend_node(&mut self, node: Inode) -> io::Result<()> {
        let Some(path) = self.disk_path(node) else { return Ok(()) };
        let found = std::fs::symlink_metadata(&path).map_err(at(&path))?;
        if self.shown.kind(node) == Some(FileKind::File) {
            // With a further name, or one that is missing, it can be changed from elsewhere.
            if !found.is_file() || found.nlink() != self.names_on_disk(node).len() as u64 {
                return self.lose(node);
            }
            mend_file(&self.shown, node, &path).map_err(at(&path))?;
        }
        mend_attributes(&self.shown, node, &path, &found).map_err(at(&path))
    }
}

impl Suspects {
    fn is_empty(&self) -> bool {
        self.foreign.is_empty() && self.lost.is_empty() && self.touched.is_empty()
    }

    /// Adds what one report names; `None` when that cannot be mended piece by piece.
    fn add(&mut self, shown: &DiskImage, node: Inode, event: InotifyEvent) -> Option<()> {
        let of_child = event.name.filter(|_| event.mask.intersects(NAMED));
        if let Some(name) = of_child.map(OsString::into_vec) {
            match shown.lookup(node, &name) {
                None => self.foreign.push((node, name)),
                Some(child) => _ = self.lost.insert(child),
            }
        } else if event.mask.intersects(LEFT.union(AddWatchFlags::IN_IGNORED)) {
            // The root cannot be made again by a step.
            self.lost.insert(Some(node).filter(|node| *node != DiskImage::ROOT)?);
        } else {
            self.touched.insert(node);
        }
        Some(())
    }
}
