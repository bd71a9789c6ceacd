//! In what two images differ, told by paths.
//!
//! Images of one origin share most nodes, and only what is not shared is looked at: the changed
//! nodes are found by comparing the maps, and the walk from the root goes only where these lie.
//! Images without a common origin are compared in full.
//!
//! Not for times (see [`DiskImage`]), and not for guessing renames: a moved name is missing at one
//! path and new at the other.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use imbl::ordmap::DiffItem;

use super::file::Content;
use super::node::{Name, Node};
use super::{DiskImage, Inode, PAGE};
use crate::FileKind;

/// One difference between two images, `here` (the first) and `there` (the other).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// Where, from the root; empty for the root itself.
    pub path: PathBuf,
    /// What.
    pub what: Differs,
}

/// What differs at a path.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "here and there are the two images' values")]
pub enum Differs {
    /// Only the first image has the path. What lies below a directory is not listed again.
    OnlyHere(FileKind),
    /// Only the other image has the path. What lies below a directory is not listed again.
    OnlyThere(FileKind),
    /// The path leads to different kinds of things; nothing else is compared then.
    Kind { here: FileKind, there: FileKind },
    /// The bytes that both have differ, first at this offset.
    Bytes { offset: u64 },
    /// The lengths differ.
    Length { here: u64, there: u64 },
    /// The permission bits differ.
    Mode { here: u32, there: u32 },
    /// This extended attribute is missing in one, or has another value.
    Xattr { name: Vec<u8> },
    /// The symbolic links lead elsewhere.
    Target,
    /// The file has other paths beside this one.
    HardLinks,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let here = if self.path.as_os_str().is_empty() { Path::new(".") } else { &self.path };
        write!(f, "{}: ", here.display())?;
        match &self.what {
            Differs::OnlyHere(kind) => write!(f, "only in the first ({})", word(*kind)),
            Differs::OnlyThere(kind) => write!(f, "only in the second ({})", word(*kind)),
            Differs::Kind { here, there } => write!(f, "{} against {}", word(*here), word(*there)),
            Differs::Bytes { offset } => write!(f, "bytes differ from offset {offset}"),
            Differs::Length { here, there } => write!(f, "{here} against {there} bytes long"),
            Differs::Mode { here, there } => write!(f, "mode {here:04o} against {there:04o}"),
            Differs::Xattr { name } => write!(f, "xattr {} differs", name.escape_ascii()),
            Differs::Target => write!(f, "symbolic links lead elsewhere"),
            Differs::HardLinks => write!(f, "hard links differ"),
        }
    }
}

fn word(kind: FileKind) -> &'static str {
    match kind {
        FileKind::File => "file",
        FileKind::Dir => "directory",
        FileKind::Symlink => "symbolic link",
        FileKind::Other => "special file",
    }
}

impl DiskImage {
    /// In what the other image differs, in the order of a walk by sorted names. Empty if and only
    /// if the hashes are equal. Costs the changes where images have a common origin.
    pub fn diff(&self, other: &Self) -> Vec<Difference> {
        let mut diff =
            Diff { here: self, there: other, suspects: suspects(self, other), found: Vec::new() };
        diff.walk();
        diff.found
    }
}

/// Where two maps differ.
pub(super) fn key<'a, K, V>(item: &DiffItem<'a, 'a, K, V>) -> &'a K {
    match item {
        DiffItem::Add(key, _)
        | DiffItem::Remove(key, _)
        | DiffItem::Update { old: (key, _), .. } => key,
    }
}

/// For each directory the names that lead to a changed node, or on the way to one.
///
/// The names in the first image suffice. Where the other image has another way to a changed node,
/// the ways part at some directory: its entries differ, so it is a changed node itself, and the way
/// to it is the same in both.
type Suspects = BTreeMap<Inode, BTreeSet<Name>>;

fn suspects(here: &DiskImage, there: &DiskImage) -> Suspects {
    let mut suspects = Suspects::new();
    for inode in here.nodes().diff(there.nodes()).map(|item| key(&item)) {
        suspect(here, *inode, &mut suspects);
    }
    suspects
}

/// Marks all names of a node, and those of the directories above it. What is marked already has
/// its way to the root marked, too; that also ends the walk where names go in circles.
fn suspect(image: &DiskImage, inode: Inode, suspects: &mut Suspects) {
    let mut next = vec![inode];
    while let Some(inode) = next.pop() {
        let Some(node) = image.node(inode) else { continue };
        for (dir, name) in node.names.iter() {
            if suspects.entry(*dir).or_default().insert(name.clone()) {
                next.push(*dir);
            }
        }
    }
}

struct Diff<'a> {
    here: &'a DiskImage,
    there: &'a DiskImage,
    suspects: Suspects,
    found: Vec<Difference>,
}

impl Diff<'_> {
    fn walk(&mut self) {
        let mut next = vec![(PathBuf::new(), Some(DiskImage::ROOT), Some(DiskImage::ROOT))];
        while let Some((path, here, there)) = next.pop() {
            match (here, there) {
                (Some(here), Some(there)) if self.nodes(&path, here, there) => {
                    // A stack takes the last first, and the walk is to be sorted.
                    for name in self.names_to_visit(here, there).into_iter().rev() {
                        let path = path.join(OsStr::from_bytes(&name));
                        let here = self.here.lookup(here, &name);
                        next.push((path, here, self.there.lookup(there, &name)));
                    }
                }
                (Some(_), Some(_)) | (None, None) => {}
                (Some(here), None) => {
                    let kind = self.here.kind(here).unwrap_or(FileKind::Other);
                    self.add(&path, Differs::OnlyHere(kind));
                }
                (None, Some(there)) => {
                    let kind = self.there.kind(there).unwrap_or(FileKind::Other);
                    self.add(&path, Differs::OnlyThere(kind));
                }
            }
        }
    }

    fn add(&mut self, path: &Path, what: Differs) {
        self.found.push(Difference { path: path.to_owned(), what });
    }

    /// All names of two directories that may lead to different things.
    fn names_to_visit(&self, here: Inode, there: Inode) -> BTreeSet<Name> {
        let entries = (self.here.dir_entries(here), self.there.dir_entries(there));
        let (Some(ours), Some(theirs)) = entries else {
            return BTreeSet::new();
        };
        if here != there {
            return ours.keys().chain(theirs.keys()).cloned().collect();
        }
        let mut names = self.suspects.get(&here).cloned().unwrap_or_default();
        names.extend(ours.diff(theirs).map(|item| key(&item)).cloned());
        names
    }

    /// Compares what one path leads to; says whether both are directories.
    fn nodes(&mut self, path: &Path, here: Inode, there: Inode) -> bool {
        let (Some(a), Some(b)) = (self.here.node(here), self.there.node(there)) else {
            return false;
        };
        if a.kind() != b.kind() {
            self.add(path, Differs::Kind { here: a.kind(), there: b.kind() });
            return false;
        }
        if let (Some(a), Some(b)) = (self.here.file(here), self.there.file(there)) {
            self.contents(path, a, b);
        }
        if self.here.symlink_target(here) != self.there.symlink_target(there) {
            self.add(path, Differs::Target);
        }
        self.attributes(path, a, b);
        let is_dir = a.kind() == FileKind::Dir;
        let linked = !is_dir && a.names.len().max(b.names.len()) > 1;
        if linked && paths(self.here, here) != paths(self.there, there) {
            self.add(path, Differs::HardLinks);
        }
        is_dir
    }

    fn attributes(&mut self, path: &Path, a: &Node, b: &Node) {
        let (mode, other) = (a.attributes().mode, b.attributes().mode);
        if mode != other && a.kind() != FileKind::Symlink {
            self.add(path, Differs::Mode { here: mode, there: other });
        }
        let (a, b) = (&a.attributes().xattrs, &b.attributes().xattrs);
        let names: BTreeSet<_> = a.keys().chain(b.keys()).collect();
        for name in names.into_iter().filter(|name| a.get(*name) != b.get(*name)) {
            self.add(path, Differs::Xattr { name: name.clone() });
        }
    }

    fn contents(&mut self, path: &Path, a: &Content, b: &Content) {
        if let Some(offset) = first_difference(a, b) {
            self.add(path, Differs::Bytes { offset });
        }
        if a.len() != b.len() {
            self.add(path, Differs::Length { here: a.len(), there: b.len() });
        }
    }
}

/// The first offset below both lengths at which the bytes differ.
pub(super) fn first_difference(a: &Content, b: &Content) -> Option<u64> {
    let zeros = [0; PAGE];
    for index in a.pages().diff(b.pages()).map(|item| key(&item)).copied() {
        let common = a.visible(index).min(b.visible(index));
        let bytes = |content: &Content| {
            content.pages().get(&index).map_or(zeros, |page| page.bytes().into_owned())
        };
        let (a, b) = (bytes(a), bytes(b));
        if let Some(at) = a.iter().zip(&b).take(common).position(|(a, b)| a != b) {
            return Some(index * PAGE as u64 + at as u64);
        }
    }
    None
}

/// All paths that lead to a node from the root.
fn paths(image: &DiskImage, inode: Inode) -> BTreeSet<Vec<Name>> {
    let names = image.node(inode).into_iter().flat_map(|node| node.names.iter());
    names.filter_map(|(dir, name)| path_from_root(image, *dir, name)).collect()
}

/// The components of one name's path, last first; `None` if the root is not above it.
fn path_from_root(image: &DiskImage, dir: Inode, name: &Name) -> Option<Vec<Name>> {
    let mut components = vec![name.clone()];
    let mut above = dir;
    image.place(dir)?;
    while above != DiskImage::ROOT {
        let (parent, name) = image.node(above)?.names.first()?;
        components.push(name.clone());
        above = *parent;
    }
    Some(components)
}
