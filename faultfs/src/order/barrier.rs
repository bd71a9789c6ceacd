//! Barriers: which effects a sync makes durable under the model, with all that these need.

use std::collections::BTreeSet;
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
        let synced = self.synced_by(inode, all, range);
        if range.is_none() {
            self.content.synced(inode);
        }
        self.make_durable(synced);
    }

    /// syncfs: all that can still become durable does.
    pub(super) fn barrier_of_all(&mut self) {
        self.step().kind = super::StepKind::Barrier;
        if self.rules.barriers == Barriers::Ignored {
            return;
        }
        self.content.all_synced();
        let pending = self.pending.all().collect();
        self.make_durable(pending);
    }

    /// What a barrier is for, without what that needs.
    pub(super) fn synced_by(
        &self,
        inode: Inode,
        all: bool,
        range: Option<&Range<u64>>,
    ) -> Vec<EffectId> {
        let mut synced = Vec::new();
        match self.full.kind(inode) {
            _ if self.rules.barriers == Barriers::Ignored => {}
            Some(FileKind::Dir) => self.sync_dir(inode, &mut synced),
            _ => self.sync_file(inode, all, range, &mut synced),
        }
        synced
    }

    fn sync_file(
        &self,
        inode: Inode,
        all: bool,
        range: Option<&Range<u64>>,
        synced: &mut Vec<EffectId>,
    ) {
        let content = self.pending.content_of(inode).filter(|id| {
            let effect = &self.effects[id.index()];
            let beside = range.is_some_and(|range| effect.data && !effect.touches(range));
            !beside && (all || !effect.is_attributes())
        });
        let content: Vec<_> = content.collect();
        let is_new = self.created.get(&inode).is_some_and(|id| self.pending.contains(*id));
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
        let journaled = |id: &EffectId| self.effects[id.index()].journaled;
        let last = if now {
            self.pending.last_journaled()
        } else {
            self.pending.names_of(inode).rev().find(journaled)
        };
        let own = content.iter().copied().rev().find(journaled);
        self.commit(last.max(own), synced);
    }

    fn sync_dir(&self, dir: Inode, synced: &mut Vec<EffectId>) {
        let own = self.pending.content_of(dir).chain(self.pending.entries_of(dir));
        let own: Vec<_> = own.collect();
        match self.rules.fsync_dir {
            FsyncDir::Entries => {}
            FsyncDir::Journal => {
                // Its own creation or move is a change of its inode as well.
                let last = own.iter().copied().chain(self.pending.names_of(dir)).max();
                self.commit(last, synced);
            }
            FsyncDir::Checkpoint => self.commit(self.pending.last(), synced),
        }
        synced.extend(own);
        self.sync_names(dir, synced);
    }

    /// All journaled metadata up to an effect.
    fn commit(&self, last: Option<EffectId>, synced: &mut Vec<EffectId>) {
        synced.extend(last.into_iter().flat_map(|last| self.pending.journaled_to(last)));
    }

    /// The names that a sync makes durable with their inode, and the new directories above them.
    fn sync_names(&self, inode: Inode, synced: &mut Vec<EffectId>) {
        let mut next = vec![inode];
        let mut seen = BTreeSet::new();
        while let Some(inode) = next.pop() {
            if !seen.insert(inode) {
                continue;
            }
            let created = self.created.get(&inode).copied();
            let created = created.filter(|id| self.pending.contains(*id));
            let names = match self.rules.fsync_file {
                FsyncFile::Inode | FsyncFile::Journal => Vec::new(),
                FsyncFile::CreatingEntry => created.into_iter().collect(),
                FsyncFile::OwnEntries => {
                    let names = |id: &EffectId| self.effects[id.index()].names(inode);
                    self.pending.names_of(inode).filter(names).collect()
                }
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
        let durable = self.with_needs(synced, point);
        for id in &durable {
            self.effect(*id).durable_from = point;
        }
        self.no_longer_pending(&durable);
        self.step().durable = durable;
    }

    /// These effects and all that they cannot survive without, as far as that is not durable, in their order.
    pub(super) fn with_needs(&self, synced: Vec<EffectId>, point: u32) -> Vec<EffectId> {
        let mut next = synced;
        let mut all = BTreeSet::new();
        while let Some(id) = next.pop() {
            let effect = &self.effects[id.index()];
            if effect.durable_from != NEVER || !all.insert(id) {
                continue;
            }
            let needs = effect.needs.iter();
            next.extend(needs.filter(|id| self.effects[id.index()].gone_from > point));
        }
        all.into_iter().collect()
    }

    fn no_longer_pending(&mut self, ids: &[EffectId]) {
        for id in ids {
            self.pending.remove(*id, &self.effects[id.index()]);
        }
    }

    /// After a failed fsync: the bytes of a file that are not durable will never be, nor, where the
    /// file `reverts`, its length.
    pub(super) fn give_up(&mut self, inode: Inode, reverts: bool) {
        let point = self.point();
        let content: Vec<_> = self.pending.content_of(inode).collect();
        let effects = content.iter().map(|id| (*id, &self.effects[id.index()]));
        // What a later cut takes away matters no more, and the cut itself is not lost.
        let cuts = effects.clone().filter(|(_, effect)| effect.cuts());
        let cut_away: BTreeSet<_> = cuts.flat_map(|(_, cut)| cut.needs.iter().copied()).collect();
        let gone = effects.filter(|(id, effect)| {
            (effect.data || reverts && effect.resizes()) && (reverts || !cut_away.contains(id))
        });
        let gone: Vec<_> = gone.map(|(id, _)| id).collect();
        for id in gone.iter().rev() {
            self.effect(*id).gone_from = point;
            let effect = &self.effects[id.index()];
            effect.undo(&mut self.full);
        }
        self.no_longer_pending(&gone);
        self.bridge(&gone);
        self.content.synced(inode);
        self.step().gone = gone;
    }

    /// What followed a lost effect follows what that followed.
    fn bridge(&mut self, gone: &[EffectId]) {
        let is_gone = |id: &EffectId| gone.binary_search(id).is_ok();
        let pending: Vec<_> = self.pending.all().collect();
        for id in pending {
            let needs = self.effects[id.index()].needs.iter().copied();
            let mut next: Vec<_> = needs.filter(is_gone).collect();
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
        let journaled = self.pending.last_journaled();
        self.last.retain(|place, id| !is_gone(id) || *place == Place::Journal);
        match (self.last.get(&Place::Journal).is_some_and(is_gone), journaled) {
            (true, Some(last)) => drop(self.last.insert(Place::Journal, last)),
            (true, None) => drop(self.last.remove(&Place::Journal)),
            (false, _) => {}
        }
    }
}
