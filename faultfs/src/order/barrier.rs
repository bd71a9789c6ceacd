//! Barriers: which effects a sync makes durable under the model, with all that these need.

use std::ops::Range;

use super::build::{Builder, Place};
use super::effect::{EffectId, NEVER};
use crate::{Barriers, Fdatasync, FileKind, FsyncDir, FsyncFile, Inode};

impl Builder {
    /// fsync (`all`) or fdatasync of a file or of the bytes in a `range` of it, or fsync of a directory.
    pub(super) fn barrier(&mut self, inode: Inode, all: bool, range: Option<&Range<u64>>) {
        self.step().kind = super::StepKind::Barrier;
        if self.rules.barriers == Barriers::Ignored {
            return;
        }
        let mut synced = Vec::new();
        if self.full.kind(inode) == Some(FileKind::Dir) {
            self.sync_dir(inode, &mut synced);
        } else {
            self.sync_file(inode, all, range, &mut synced);
        }
        if range.is_none() {
            self.content.synced(inode);
        }
        self.make_durable(synced);
    }

    fn sync_file(
        &self,
        inode: Inode,
        all: bool,
        range: Option<&Range<u64>>,
        synced: &mut Vec<EffectId>,
    ) {
        let content = self.pending_where(|effect| {
            let beside = range.is_some_and(|range| effect.data && !effect.touches(range));
            effect.content_of(inode) && !beside && (all || !effect.is_attributes())
        });
        let is_new = self.created.get(&inode).is_some_and(|id| self.is_pending(*id));
        let commits = all
            || self.rules.fdatasync == Fdatasync::WithJournal
                && (is_new || content.iter().any(|id| self.effects[id.index()].resizes()));
        synced.extend(&content);
        if commits {
            self.sync_names(inode, synced);
        }
        if commits && self.rules.fsync_file == FsyncFile::Journal {
            self.commit_for_file(inode, &content, synced);
        }
    }

    /// The journal up to the inode's last change; up to now if its size enters the journal only now.
    fn commit_for_file(&self, inode: Inode, content: &[EffectId], synced: &mut Vec<EffectId>) {
        let now = content.iter().map(|id| &self.effects[id.index()]);
        let now = now.clone().any(|effect| effect.resizes() && !effect.journaled);
        let last = self.pending_where(|effect| effect.journaled && (now || effect.renames(inode)));
        let own = content.iter().filter(|id| self.effects[id.index()].journaled);
        self.commit(last.iter().chain(own).max().copied(), synced);
    }

    fn sync_dir(&self, dir: Inode, synced: &mut Vec<EffectId>) {
        let is_own = |effect: &super::Effect| {
            effect.content_of(dir) || effect.entries().any(|(at, _, _)| at.dir == dir)
        };
        let entries = self.pending_where(is_own);
        match self.rules.fsync_dir {
            FsyncDir::Entries => {}
            FsyncDir::Journal => {
                // Its own creation or move is a change of its inode as well.
                let last = self.pending_where(|effect| is_own(effect) || effect.renames(dir));
                self.commit(last.last().copied(), synced);
            }
            FsyncDir::Checkpoint => self.commit(self.pending.last().copied(), synced),
        }
        synced.extend(entries);
        self.sync_names(dir, synced);
    }

    /// All journaled metadata up to an effect.
    fn commit(&self, last: Option<EffectId>, synced: &mut Vec<EffectId>) {
        let Some(last) = last else { return };
        let pending = self.pending.iter().copied().take_while(|id| *id <= last);
        synced.extend(pending.filter(|id| self.effects[id.index()].journaled));
    }

    /// The names that a sync makes durable with their inode, and the new directories above them.
    fn sync_names(&self, inode: Inode, synced: &mut Vec<EffectId>) {
        let mut next = vec![inode];
        let mut seen = Vec::new();
        while let Some(inode) = next.pop() {
            if seen.contains(&inode) {
                continue;
            }
            seen.push(inode);
            let created = self.created.get(&inode).copied().filter(|id| self.is_pending(*id));
            let names = match self.rules.fsync_file {
                FsyncFile::Inode | FsyncFile::Journal => Vec::new(),
                FsyncFile::CreatingEntry => created.into_iter().collect(),
                FsyncFile::OwnEntries => self.pending_where(|effect| effect.names(inode)),
            };
            for id in &names {
                let entries = self.effects[id.index()].entries();
                let given = entries.filter(|(_, _, after)| *after == Some(inode));
                next.extend(given.map(|(at, _, _)| at.dir));
            }
            synced.extend(names);
        }
    }

    /// Marks effects as durable from now on, with all that they cannot survive without.
    fn make_durable(&mut self, synced: Vec<EffectId>) {
        let point = self.point();
        let mut next = synced;
        let mut durable = Vec::new();
        while let Some(id) = next.pop() {
            let effect = &mut self.effects[id.index()];
            if effect.durable_from != NEVER {
                continue;
            }
            effect.durable_from = point;
            durable.push(id);
            let effect = &self.effects[id.index()];
            next.extend(
                effect.needs.iter().filter(|id| self.effects[id.index()].gone_from > point),
            );
        }
        durable.sort_unstable();
        self.pending.retain(|id| durable.binary_search(id).is_err());
        self.step().durable = durable;
    }

    fn pending_where(&self, is: impl Fn(&super::Effect) -> bool) -> Vec<EffectId> {
        self.pending.iter().copied().filter(|id| is(&self.effects[id.index()])).collect()
    }

    pub(super) fn is_pending(&self, id: EffectId) -> bool {
        self.pending.binary_search(&id).is_ok()
    }

    /// After a failed fsync: the bytes of a file that are not durable will never be, nor, where the
    /// file `reverts`, its length.
    pub(super) fn give_up(&mut self, inode: Inode, reverts: bool) {
        let point = self.point();
        let mut gone = self.pending_where(|effect| {
            effect.content_of(inode) && (effect.data || reverts && effect.resizes())
        });
        // What a later cut takes away matters no more, and the cut itself is not lost.
        let cuts = self.pending_where(|effect| effect.cuts() && effect.content_of(inode));
        let cut_away = cuts.iter().flat_map(|id| &self.effects[id.index()].needs);
        let cut_away: Vec<_> = cut_away.copied().collect();
        gone.retain(|id| reverts || !cut_away.contains(id));
        for id in gone.iter().rev() {
            self.effect(*id).gone_from = point;
            let effect = &self.effects[id.index()];
            effect.undo(&mut self.full);
        }
        self.pending.retain(|id| gone.binary_search(id).is_err());
        self.bridge(&gone);
        self.content.synced(inode);
        self.step().gone = gone;
    }

    /// What followed a lost effect follows what that followed.
    fn bridge(&mut self, gone: &[EffectId]) {
        let is_gone = |id: &EffectId| gone.binary_search(id).is_ok();
        for id in self.pending.clone() {
            let mut next: Vec<_> = self.effects[id.index()].needs.clone();
            next.retain(is_gone);
            while let Some(lost) = next.pop() {
                for needed in self.effects[lost.index()].needs.clone() {
                    if is_gone(&needed) {
                        next.push(needed);
                    } else {
                        self.need(id, needed);
                    }
                }
            }
        }
        let journaled = self.pending_where(|effect| effect.journaled).last().copied();
        self.last.retain(|place, id| !is_gone(id) || *place == Place::Journal);
        match (self.last.get(&Place::Journal).is_some_and(is_gone), journaled) {
            (true, Some(last)) => drop(self.last.insert(Place::Journal, last)),
            (true, None) => drop(self.last.remove(&Place::Journal)),
            (false, _) => {}
        }
    }
}
