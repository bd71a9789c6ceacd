//! The naive model: a flat map from paths to nodes and plain byte vectors, without sharing or sums.
//!
//! Not for speed, and for none of the cleverness that it is there to check.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::change::{Bytes, Change, What};
use super::tree::{Seen, Tree, add, split};
use crate::FileKind;
use crate::image::{Attributes, DiskImage, Inode, PAGE, Page};

#[derive(Clone)]
struct Node {
    seen: Seen,
    /// Of a file: all bytes on disk, those beyond the length included.
    stored: Vec<u8>,
}

/// Paths to inode numbers, and what these stand for. The root is not in it.
pub(in crate::image) struct Model {
    paths: BTreeMap<String, u64>,
    nodes: BTreeMap<u64, Node>,
}

fn is_below(path: &str, dir: &str) -> bool {
    path.strip_prefix(dir).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Model {
    pub(in crate::image) fn new() -> Self {
        Self { paths: BTreeMap::new(), nodes: BTreeMap::new() }
    }

    pub(super) fn tree(&self) -> Tree {
        let mut first = BTreeMap::new();
        let see = |(path, number): (&String, &u64)| {
            let group = first.entry(*number).or_insert_with(|| path.clone()).clone();
            (path.clone(), Seen { group, ..self.nodes[number].seen.clone() })
        };
        self.paths.iter().map(see).collect()
    }

    /// The inode of the directory a path is in.
    fn dir(&self, path: &str) -> Inode {
        match split(path).0 {
            "" => DiskImage::ROOT,
            dir => Inode(self.paths[dir]),
        }
    }

    /// One of the paths to things of these kinds.
    fn pick(&self, number: usize, kinds: &[FileKind]) -> Option<String> {
        let kind = |inode: &u64| self.nodes[inode].seen.kind;
        let fits = self.paths.iter().filter(|(_, inode)| kinds.contains(&kind(inode)));
        let fits: Vec<_> = fits.map(|(path, _)| path).collect();
        fits.get(number.checked_rem(fits.len())?).map(|path| (*path).clone())
    }

    /// Makes the change here and in the image; false if there is nothing to change.
    pub(in crate::image) fn apply(&mut self, change: &Change, image: &mut DiskImage) -> bool {
        self.try_apply(change, image).is_some()
    }

    fn try_apply(&mut self, change: &Change, image: &mut DiskImage) -> Option<()> {
        use FileKind::{Dir, File, Symlink};
        let mut dirs = vec![String::new()];
        dirs.extend(
            self.paths.keys().filter(|p| self.nodes[&self.paths[*p]].seen.kind == Dir).cloned(),
        );
        let dir = &dirs[change.dir % dirs.len()];
        let new =
            if dir.is_empty() { change.name.clone() } else { format!("{dir}/{}", change.name) };
        let pick = |kinds| self.pick(change.path, kinds);
        match &change.what {
            What::Create => self.insert(&new, File, b"", image),
            What::Mkdir => self.insert(&new, Dir, b"", image),
            What::Symlink(to) => self.insert(&new, Symlink, &[b'a' + to], image),
            What::Link => self.link(&pick(&[File, Symlink])?, &new, image),
            What::Rename => self.rename(&pick(&[File, Dir, Symlink])?, &new, image),
            What::Remove => {
                let path = pick(&[File, Dir, Symlink])?;
                image.set_entry(self.dir(&path), split(&path).1, None);
                self.paths.retain(|other, _| !is_below(other, &path));
                Some(())
            }
            What::Bytes(bytes) => {
                let inode = self.paths[&pick(&[File])?];
                self.nodes.get_mut(&inode)?.change_bytes(bytes, Inode(inode), image);
                Some(())
            }
            What::Mode(mode) => {
                let inode = self.paths[&pick(&[File, Dir, Symlink])?];
                let seen = &mut self.nodes.get_mut(&inode)?.seen;
                // That of a symbolic link is set in the image only: it must not count.
                seen.mode = if seen.kind == Symlink { 0 } else { *mode };
                let old = image.attributes(Inode(inode))?.clone();
                image.set_attributes(Inode(inode), Attributes { mode: *mode, ..old });
                Some(())
            }
            What::Xattr(name, value) => {
                // Linux has no `user` attributes of symbolic links.
                let inode = self.paths[&pick(&[File, Dir])?];
                let ours = &mut self.nodes.get_mut(&inode)?.seen.xattrs;
                let name = format!("user.{name}").into_bytes();
                match value {
                    Some(value) => drop(ours.insert(name, vec![*value])),
                    None => drop(ours.remove(&name)),
                }
                let xattrs = ours.iter().map(|(name, value)| (name.clone(), value[..].into()));
                let xattrs = Arc::new(xattrs.collect());
                let old = image.attributes(Inode(inode))?.clone();
                image.set_attributes(Inode(inode), Attributes { xattrs, ..old });
                Some(())
            }
            What::DiscardHidden => {
                for node in self.nodes.values_mut() {
                    node.stored.truncate(node.seen.content.len());
                }
                image.discard_hidden();
                Some(())
            }
        }
    }

    fn link(&mut self, old: &str, new: &str, image: &mut DiskImage) -> Option<()> {
        if self.paths.contains_key(new) {
            return None;
        }
        let inode = self.paths[old];
        image.set_entry(self.dir(new), split(new).1, Some(Inode(inode)));
        self.paths.insert(new.to_owned(), inode);
        Some(())
    }

    fn insert(
        &mut self,
        path: &str,
        kind: FileKind,
        target: &[u8],
        image: &mut DiskImage,
    ) -> Option<()> {
        let dir = self.dir(path);
        if self.paths.contains_key(path) {
            return None;
        }
        let number = image.last_inode().0 + 1;
        let mode = match kind {
            FileKind::Symlink => 0,
            FileKind::Dir => 0o755,
            _ => 0o644,
        };
        let (xattrs, content, group) = (BTreeMap::new(), target.to_vec(), String::new());
        let seen = Seen { kind, mode, xattrs, content, group };
        self.nodes.insert(number, Node { seen: seen.clone(), stored: Vec::new() });
        self.paths.insert(path.to_owned(), number);
        add(image, Inode(number), &seen);
        image.set_entry(dir, split(path).1, Some(Inode(number)));
        Some(())
    }

    /// What was at the new path goes; a directory put below itself goes, too.
    fn rename(&mut self, old: &str, new: &str, image: &mut DiskImage) -> Option<()> {
        let (from, to, number) = (self.dir(old), self.dir(new), self.paths[old]);
        if self.paths.get(new) == Some(&number) {
            return None;
        }
        let moved: Vec<_> = self.paths.iter().filter(|(path, _)| is_below(path, old)).collect();
        let moved: Vec<_> = moved
            .into_iter()
            .filter(|_| !is_below(new, old))
            .map(|(path, number)| (format!("{new}{}", &path[old.len()..]), *number))
            .collect();
        self.paths.retain(|path, _| !is_below(path, old) && !is_below(path, new));
        self.paths.extend(moved);
        image.set_entry(to, split(new).1, Some(Inode(number)));
        if image.lookup(from, split(old).1) == Some(Inode(number)) {
            image.set_entry(from, split(old).1, None);
        }
        Some(())
    }
}

impl Node {
    fn change_bytes(&mut self, change: &Bytes, inode: Inode, image: &mut DiskImage) {
        let mut len = self.seen.content.len();
        match change {
            Bytes::Write(at, bytes) => {
                if !bytes.is_empty() {
                    self.store(*at, bytes);
                    len = len.max(at + bytes.len());
                }
                image.write(inode, bytes, *at as u64);
            }
            Bytes::SetPage(index, page) => {
                let page = page.as_ref().map(|bytes| Page::new(bytes));
                let bytes = page.as_ref().map_or([0; PAGE], |page| page.bytes().into_owned());
                self.store(index * PAGE, &bytes);
                image.set_page(inode, *index as u64, page.map(Arc::new));
            }
            Bytes::SetLen(to) => {
                if *to < len {
                    self.stored.truncate(*to);
                }
                len = *to;
                image.set_len(inode, *to as u64);
            }
        }
        self.seen.content.clone_from(&self.stored);
        self.seen.content.resize(len, 0);
    }

    fn store(&mut self, at: usize, bytes: &[u8]) {
        let end = at + bytes.len();
        self.stored.resize(self.stored.len().max(end), 0);
        self.stored[at..end].copy_from_slice(bytes);
    }
}
