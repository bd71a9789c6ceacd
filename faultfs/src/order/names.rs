//! Names: what a crash may keep of creations, links, renames and removals.

use super::build::{Builder, Place};
use super::effect::{Change, EffectId};
use crate::{Entry, FileKind, Inode, MetadataOrder, Op, RenameAtomicity, Replace};

impl Builder {
    pub(super) fn change_names(&mut self, op: &Op) {
        match op {
            Op::Create { at, inode, .. }
            | Op::Mkdir { at, inode, .. }
            | Op::Symlink { at, inode, .. } => {
                let id = self.add_names(&[(at, Some(*inode))]);
                self.created.insert(*inode, id);
            }
            Op::Link { at, inode } => {
                self.add_names(&[(at, Some(*inode))]);
            }
            Op::Unlink { at, inode } | Op::Rmdir { at, inode } => {
                self.add_names(&[(at, None)]);
                self.free(*inode);
            }
            Op::Rename { inode, from, to, replaced, exchange } => {
                let other = replaced.filter(|_| *exchange);
                let over_file = replaced.is_some_and(|replaced| !self.is_dir(replaced));
                self.rename(*inode, (from, other), to, over_file && !exchange);
                if let Some(replaced) = replaced {
                    self.free(*replaced);
                }
            }
            _ => {}
        }
    }

    fn rename(
        &mut self,
        inode: Inode,
        (from, other): (&Entry, Option<Inode>),
        to: &Entry,
        replaces: bool,
    ) {
        let moves_dir = [Some(inode), other].into_iter().flatten().any(|inode| self.is_dir(inode));
        let (old, new) = ((from, other), (to, Some(inode)));
        if self.rules.rename == RenameAtomicity::Split && !moves_dir {
            let id = self.add_names(&[new]);
            self.replace(id, inode, replaces);
            let id = self.add_names(&[old]);
            self.replace(id, inode, replaces);
            return;
        }
        let id = self.add_names(&[old, new]);
        self.replace(id, inode, replaces);
        if moves_dir {
            self.follow(id, Place::DirMoves);
        }
    }

    /// What the kernel does for the bytes of a file that takes another's place.
    fn replace(&mut self, id: EffectId, inode: Inode, replaces: bool) {
        if replaces && self.rules.replace_by_rename == Replace::FlushWaited {
            let content: Vec<_> = self.pending.content_of(inode).collect();
            // The rename itself changes names only.
            self.effect(id).needs.extend(content);
        }
    }

    fn add_names(&mut self, names: &[(&Entry, Option<Inode>)]) -> EffectId {
        let mut changes = Vec::with_capacity(names.len());
        let mut places = Vec::new();
        for (at, after) in names {
            let before = self.full.lookup(at.dir, &at.name);
            changes.push(Change::Name { at: (*at).clone(), before, after: *after });
            places.push(Place::Name(at.dir, at.name.clone()));
            if self.rules.metadata_order == MetadataOrder::PerDirectory {
                places.push(Place::Dir(at.dir));
            }
        }
        let id = self.add(changes, &places);
        self.journal(id);
        id
    }

    fn is_dir(&self, inode: Inode) -> bool {
        self.full.kind(inode) == Some(FileKind::Dir)
    }
}
