//! What changes between two images of one origin, node by node: for a tree on disk that is brought
//! from one crash state to the next.
//!
//! All of it costs the changes, as shared parts of the maps are skipped. Not for people: `diff.rs`
//! tells differences by paths.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use imbl::ordmap::DiffItem;

use super::diff::{first_difference, key};
use super::{DiskImage, Inode, PAGE};

/// What a changed name led to before, and leads to now.
pub type ChangedEntry<'a> = (&'a [u8], Option<Inode>, Option<Inode>);

impl DiskImage {
    /// The nodes that are not the very same in both images. Whether something of them differs is
    /// not said: equal nodes that were made apart count, too. A node whose paths changed counts.
    pub fn changed_nodes(&self, other: &Self) -> impl Iterator<Item = Inode> {
        self.nodes().diff(other.nodes()).map(|item| *key(&item))
    }

    /// The names of a directory that lead elsewhere in the other image, sorted. A directory that
    /// one image does not have is empty there.
    pub fn changed_entries<'a>(&'a self, other: &'a Self, dir: Inode) -> Vec<ChangedEntry<'a>> {
        match (self.dir_entries(dir), other.dir_entries(dir)) {
            (Some(here), Some(there)) => here
                .diff(there)
                .map(|item| match item {
                    DiffItem::Add(name, inode) => (&**name, None, Some(*inode)),
                    DiffItem::Remove(name, inode) => (&**name, Some(*inode), None),
                    DiffItem::Update { old: (name, old), new: (_, new) } => {
                        (&**name, Some(*old), Some(*new))
                    }
                })
                .collect(),
            (here, there) => {
                let gone = here.into_iter().flatten().map(|(name, to)| (&**name, Some(*to), None));
                let new = there.into_iter().flatten().map(|(name, to)| (&**name, None, Some(*to)));
                gone.chain(new).collect()
            }
        }
    }

    /// The pages of a file whose visible bytes may differ in the other image, where the file must
    /// be, too. Lengths do not count: what a smaller one cuts off is not listed.
    pub fn differing_pages(&self, other: &Self, inode: Inode) -> BTreeSet<u64> {
        let (Some(here), Some(there)) = (self.file(inode), other.file(inode)) else {
            return BTreeSet::new();
        };
        let mut pages: BTreeSet<u64> =
            here.pages().diff(there.pages()).map(|item| *key(&item)).collect();
        if here.len() < there.len() {
            // What was hidden here may show there, though the page is the same.
            pages.extend(other.pages_from(inode, here.len() / PAGE as u64).map(|(index, _)| index));
        }
        pages.retain(|index| there.visible(*index) > 0);
        pages
    }

    /// The first offset below both lengths at which a file here and one there differ.
    pub fn first_difference(&self, file: Inode, other: &Self, its: Inode) -> Option<u64> {
        first_difference(self.file(file)?, other.file(its)?)
    }

    /// Whether a path leads to the node from the root.
    pub fn is_reachable(&self, inode: Inode) -> bool {
        self.place(inode).is_some()
    }

    /// One path that leads to the node, from the root, which has the empty path.
    pub fn path(&self, inode: Inode) -> Option<PathBuf> {
        self.place(inode)?;
        let mut components = Vec::new();
        let mut at = inode;
        while at != Self::ROOT {
            let names = &self.node(at)?.names;
            let (dir, name) = names.iter().find(|(dir, _)| self.is_reachable(*dir))?;
            components.push(OsStr::from_bytes(name));
            at = *dir;
        }
        Some(components.into_iter().rev().collect())
    }

    /// What a path from the root leads to; symbolic links are not followed, and `..` leads nowhere.
    pub fn find(&self, path: &Path) -> Option<Inode> {
        path.components().try_fold(Self::ROOT, |at, component| match component {
            Component::Normal(name) => self.lookup(at, name.as_bytes()),
            Component::CurDir | Component::RootDir => Some(at),
            Component::ParentDir | Component::Prefix(_) => None,
        })
    }

    /// The files that paths lead to, each with one of its paths, sorted by path.
    pub fn files(&self) -> Vec<(PathBuf, Inode)> {
        let mut files = BTreeMap::new();
        let mut dirs = vec![(PathBuf::new(), Self::ROOT)];
        while let Some((path, dir)) = dirs.pop() {
            for (name, inode) in self.entries(dir) {
                let path = path.join(OsStr::from_bytes(name));
                if self.file(inode).is_some() {
                    files.insert(path, inode);
                } else if self.dir_entries(inode).is_some() {
                    dirs.push((path, inode));
                }
            }
        }
        files.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Attributes;

    const DIR: Inode = Inode(2);
    const FILE: Inode = Inode(3);
    const OTHER: Inode = Inode(4);

    fn sample() -> DiskImage {
        let mut image = DiskImage::new();
        image.insert_dir(DIR, Attributes::new(0o755));
        image.insert_file(FILE, Attributes::new(0o644));
        image.insert_file(OTHER, Attributes::new(0o644));
        image.set_entry(DiskImage::ROOT, b"dir", Some(DIR));
        image.set_entry(DIR, b"file", Some(FILE));
        image.set_entry(DIR, b"other", Some(OTHER));
        image.write(FILE, &[7; 3 * PAGE], 0);
        image
    }

    fn nodes(here: &DiskImage, there: &DiskImage) -> Vec<Inode> {
        here.changed_nodes(there).collect()
    }

    #[test]
    fn only_what_was_touched_has_changed() {
        let (here, mut there) = (sample(), sample());
        assert_eq!(nodes(&here, &here.clone()), []);
        there.clone_from(&here);
        there.write(FILE, b"x", PAGE as u64 + 1);
        assert_eq!(nodes(&here, &there), [FILE]);
        assert_eq!(here.differing_pages(&there, FILE), BTreeSet::from([1]));
        assert_eq!(here.first_difference(FILE, &there, FILE), Some(PAGE as u64 + 1));
        assert_eq!(here.first_difference(FILE, &there, OTHER), None);
        there.set_len(FILE, PAGE as u64);
        assert_eq!(here.differing_pages(&there, FILE), BTreeSet::new());
        assert_eq!(there.differing_pages(&here, FILE), BTreeSet::from([1, 2]));
    }

    #[test]
    fn names_that_lead_elsewhere_are_told_with_both_ends() {
        let here = sample();
        let mut there = here.clone();
        there.set_entry(DIR, b"file", Some(OTHER));
        there.set_entry(DIR, b"other", None);
        there.set_entry(DIR, b"third", Some(FILE));
        let expected: [ChangedEntry; 3] = [
            (b"file", Some(FILE), Some(OTHER)),
            (b"other", Some(OTHER), None),
            (b"third", None, Some(FILE)),
        ];
        assert_eq!(here.changed_entries(&there, DIR), expected);
        assert_eq!(here.changed_entries(&DiskImage::new(), DIR).len(), 2);
        assert_eq!(nodes(&here, &there), [DIR, FILE, OTHER]);
    }

    #[test]
    fn a_moved_directory_changes_all_below_it() {
        let here = sample();
        let mut there = here.clone();
        there.set_entry(DiskImage::ROOT, b"moved", Some(DIR));
        assert_eq!(nodes(&here, &there), [DiskImage::ROOT, DIR, FILE, OTHER]);
        assert_eq!(there.path(FILE), Some("moved/file".into()));
        assert_eq!(there.find(Path::new("/moved/./file")), Some(FILE));
        assert_eq!(there.find(Path::new("moved/../moved")), None);
        there.set_entry(DiskImage::ROOT, b"moved", None);
        assert_eq!((there.path(FILE), there.is_reachable(FILE)), (None, false));
        assert_eq!((here.path(DiskImage::ROOT), there.files().len()), (Some(PathBuf::new()), 0));
        assert_eq!(here.files()[1], ("dir/other".into(), OTHER));
    }

    #[test]
    fn what_was_hidden_differs_when_it_shows() {
        let mut here = DiskImage::new();
        here.insert_file(FILE, Attributes::new(0o644));
        here.set_entry(DiskImage::ROOT, b"file", Some(FILE));
        here.write(FILE, &[1; 2 * PAGE], 0);
        let page = here.page(FILE, 1).cloned();
        here.set_len(FILE, 10);
        here.set_page(FILE, 1, page);
        let mut there = here.clone();
        there.set_len(FILE, 2 * PAGE as u64);
        assert_eq!(here.differing_pages(&there, FILE), BTreeSet::from([0, 1]));
    }
}
