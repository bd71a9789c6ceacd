//! Nodes: what stands behind an inode, and the running sum over all that a path leads to.
//!
//! Each change of a node goes through [`DiskImage::change`], which keeps the sum; no other place
//! writes it. Not for names (`tree.rs`) or bytes (`file.rs`).

use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::Arc;

use imbl::{OrdMap, OrdSet};

use super::file::Content;
use super::hash::{self, Domain, ImageHash};
use super::{Attributes, DiskImage, Inode};
use crate::{FileKind, Metadata};

/// One component of a path.
pub(super) type Name = Arc<[u8]>;

/// A shared node. Equal means the very same, so that a comparison of maps finds what may differ
/// without looking into nodes.
#[derive(Clone)]
pub(super) struct NodeRef(Arc<Node>);

impl PartialEq for NodeRef {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Deref for NodeRef {
    type Target = Node;

    fn deref(&self) -> &Node {
        &self.0
    }
}

#[derive(Clone)]
pub(super) struct Node {
    pub(super) body: Body,
    attributes: Attributes,
    xattrs_hash: u128,
    /// Every name, also those in directories that no path leads to.
    pub(super) names: Arc<BTreeSet<(Inode, Name)>>,
    /// How many paths lead here from the root, and the sum of their hashes.
    paths: u64,
    place: u128,
    /// What this node adds to the image's sum.
    term: u128,
}

#[derive(Clone)]
pub(super) enum Body {
    File(Content),
    Dir(Dir),
    Symlink(Arc<[u8]>),
}

#[derive(Clone, Default)]
pub(super) struct Dir {
    pub(super) entries: OrdMap<Name, Inode>,
    pub(super) subdirs: u64,
}

impl Node {
    fn new(body: Body, attributes: Attributes) -> Self {
        let xattrs_hash = hash::xattrs(&attributes.xattrs);
        let names = Arc::default();
        Self { body, attributes, xattrs_hash, names, paths: 0, place: 0, term: 0 }
    }

    pub(super) fn kind(&self) -> FileKind {
        match self.body {
            Body::File(_) => FileKind::File,
            Body::Dir(_) => FileKind::Dir,
            Body::Symlink(_) => FileKind::Symlink,
        }
    }

    pub(super) fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    pub(super) fn len(&self) -> u64 {
        match &self.body {
            Body::File(content) => content.len(),
            Body::Symlink(target) => target.len() as u64,
            Body::Dir(_) => 0,
        }
    }

    fn links(&self, inode: Inode) -> u64 {
        match &self.body {
            Body::Dir(dir) if !self.names.is_empty() || inode == DiskImage::ROOT => 2 + dir.subdirs,
            _ => self.names.len() as u64,
        }
    }

    pub(super) fn entry_count(&self) -> usize {
        match &self.body {
            Body::Dir(dir) => dir.entries.len(),
            _ => 0,
        }
    }

    fn fresh_term(&self) -> u128 {
        if self.paths == 0 {
            return 0;
        }
        let mode = u128::from(self.attributes.mode) << 64;
        let (domain, content, numbers) = match &self.body {
            Body::File(content) => (Domain::File, content.sum(), mode | u128::from(content.len())),
            Body::Dir(_) => (Domain::Dir, 0, mode),
            Body::Symlink(target) => (Domain::Symlink, hash::bytes(target), 0),
        };
        hash::mix(domain, [content, numbers, self.xattrs_hash, self.place])
    }

    pub(super) fn add_path(&mut self, path: u128) {
        self.paths += 1;
        self.place = self.place.wrapping_add(path);
    }

    pub(super) fn remove_path(&mut self, path: u128) {
        self.paths -= 1;
        self.place = self.place.wrapping_sub(path);
    }

    #[track_caller]
    pub(super) fn content(&mut self) -> &mut Content {
        match &mut self.body {
            Body::File(content) => content,
            _ => panic!("only files have bytes"),
        }
    }

    #[track_caller]
    pub(super) fn dir(&mut self) -> &mut Dir {
        match &mut self.body {
            Body::Dir(dir) => dir,
            _ => panic!("only directories have entries"),
        }
    }
}

impl DiskImage {
    /// The root directory, which always exists and has no name.
    pub const ROOT: Inode = Inode(1);

    /// An empty root directory of mode 0755, last changed at the epoch.
    pub fn new() -> Self {
        let (nodes, hidden) = (OrdMap::new(), OrdSet::new());
        let mut image = Self { nodes, sum: 0, hidden, base: Arc::default() };
        image.insert_dir(Self::ROOT, Attributes::new(0o755));
        image.change(Self::ROOT, |root| root.add_path(hash::ROOT_PLACE));
        image
    }

    /// The image's identity; O(1).
    pub fn hash(&self) -> ImageHash {
        ImageHash(self.sum)
    }

    /// Adds an empty file without a name; panics if the inode is taken.
    #[track_caller]
    pub fn insert_file(&mut self, inode: Inode, attributes: Attributes) {
        self.insert(inode, Body::File(Content::default()), attributes);
    }

    /// Adds an empty directory without a name; panics if the inode is taken.
    #[track_caller]
    pub fn insert_dir(&mut self, inode: Inode, attributes: Attributes) {
        self.insert(inode, Body::Dir(Dir::default()), attributes);
    }

    /// Adds a symbolic link without a name; panics if the inode is taken.
    #[track_caller]
    pub fn insert_symlink(&mut self, inode: Inode, target: Vec<u8>, attributes: Attributes) {
        self.insert(inode, Body::Symlink(target.into()), attributes);
    }

    #[track_caller]
    fn insert(&mut self, inode: Inode, body: Body, attributes: Attributes) {
        let before = self.nodes.insert(inode, NodeRef(Arc::new(Node::new(body, attributes))));
        assert!(before.is_none(), "{inode:?} is taken");
    }

    /// Drops a node that has no name. What a directory still held loses that name.
    ///
    /// # Panics
    ///
    /// If the node has a name, is the root, or does not exist.
    #[track_caller]
    pub fn forget(&mut self, inode: Inode) {
        assert_ne!(inode, Self::ROOT, "the root stays");
        let node = self.node(inode).unwrap_or_else(|| panic!("{inode:?} does not exist"));
        assert!(node.names.is_empty(), "{inode:?} has a name");
        if let Body::Dir(dir) = &node.body {
            for name in dir.entries.clone().keys() {
                self.set_entry(inode, name, None);
            }
        }
        self.nodes.remove(&inode);
        self.hidden.remove(&inode);
    }

    /// What the node is; `None` if there is none.
    pub fn kind(&self, inode: Inode) -> Option<FileKind> {
        self.node(inode).map(Node::kind)
    }

    /// The node's attributes; `None` if there is no such node.
    pub fn attributes(&self, inode: Inode) -> Option<&Attributes> {
        self.node(inode).map(Node::attributes)
    }

    /// Replaces all attributes of a node.
    #[track_caller]
    pub fn set_attributes(&mut self, inode: Inode, attributes: Attributes) {
        self.change(inode, |node| {
            if !Arc::ptr_eq(&node.attributes.xattrs, &attributes.xattrs) {
                node.xattrs_hash = hash::xattrs(&attributes.xattrs);
            }
            node.attributes = attributes;
        });
    }

    /// How many names the node has. For a directory with a name, and for the root, it is 2 and one
    /// for each subdirectory, as ext4 and xfs count; without a name it is 0. Unknown inodes have 0.
    pub fn links(&self, inode: Inode) -> u64 {
        self.node(inode).map_or(0, |node| node.links(inode))
    }

    /// What stat tells of a node; `None` if there is none.
    pub(crate) fn metadata(&self, inode: Inode) -> Option<Metadata> {
        let node = self.node(inode)?;
        Some(Metadata {
            kind: node.kind(),
            len: node.len(),
            mode: node.attributes.mode,
            links: node.links(inode),
            inode: inode.0,
            modified: node.attributes.modified,
        })
    }

    /// Where a symbolic link leads; `None` for everything else.
    pub fn symlink_target(&self, inode: Inode) -> Option<&[u8]> {
        match &self.node(inode)?.body {
            Body::Symlink(target) => Some(target),
            _ => None,
        }
    }

    /// The highest inode in use, for a caller that continues the numbering of an image.
    pub fn last_inode(&self) -> Inode {
        self.nodes.get_max().map_or(Self::ROOT, |(inode, _)| *inode)
    }

    pub(super) fn nodes(&self) -> &OrdMap<Inode, NodeRef> {
        &self.nodes
    }

    pub(super) fn node(&self, inode: Inode) -> Option<&Node> {
        self.nodes.get(&inode).map(|node| &**node)
    }

    /// Changes one node and keeps the sum.
    #[track_caller]
    pub(super) fn change<R>(&mut self, inode: Inode, change: impl FnOnce(&mut Node) -> R) -> R {
        let Some(shared) = self.nodes.get_mut(&inode) else {
            panic!("{inode:?} does not exist");
        };
        let node = Arc::make_mut(&mut shared.0);
        let before = node.term;
        let result = change(node);
        node.term = node.fresh_term();
        self.sum = self.sum.wrapping_sub(before).wrapping_add(node.term);
        result
    }

    /// The sum of the hashes of a node's paths; `None` if no path leads there.
    pub(super) fn place(&self, inode: Inode) -> Option<u128> {
        self.node(inode).filter(|node| node.paths > 0).map(|node| node.place)
    }
}
