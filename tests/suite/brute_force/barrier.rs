//! What each barrier makes durable, by the definition. Not for what needs what.

use std::collections::BTreeSet;

use faultfs::{Barriers, Fdatasync, FileKind, FsyncDir, FsyncFile, Inode};

use super::definition::{Definition, Effect, Put};

impl Definition {
    /// Marks what is durable after a barrier; `all` tells fsync from fdatasync.
    pub(super) fn barrier(&mut self, event: usize, inode: Inode, all: bool) {
        // What is ignored is no barrier for the kernel's rescue heuristics either.
        if self.rules.barriers == Barriers::Ignored {
            return;
        }
        if let Some(file) = self.files.get_mut(&inode) {
            file.emptied = false;
        }
        let marked = match self.kinds[&inode] {
            FileKind::Dir => self.dir_barrier(inode),
            _ => self.file_barrier(inode, all),
        };
        for number in marked {
            for needed in self.closure(number) {
                self.durable_from[needed].get_or_insert(event + 1);
            }
        }
    }

    /// The numbers of the pending effects for which something holds.
    fn pending_that(&self, holds: impl Fn(&Effect) -> bool) -> Vec<usize> {
        let numbers = 0..self.effects.len();
        numbers.filter(|n| self.durable_from[*n].is_none() && holds(&self.effects[*n])).collect()
    }

    fn file_barrier(&self, inode: Inode, all: bool) -> BTreeSet<usize> {
        let own = |effect: &Effect| {
            effect.content == Some(inode) && (all || !matches!(effect.put, Put::Mode(_)))
        };
        let mut marked: BTreeSet<_> = self.pending_that(own).into_iter().collect();
        let sized = !self.pending_that(|e| e.sizes && e.content == Some(inode)).is_empty();
        let created = self.created_by.get(&inode);
        let is_new = created.is_some_and(|number| self.durable_from[*number].is_none());
        let more = self.rules.fdatasync == Fdatasync::WithJournal && (sized || is_new);
        if !all && !more {
            return marked;
        }
        self.mark_names(inode, &mut marked);
        if self.rules.fsync_file == FsyncFile::Journal {
            let late = self.pending_that(|e| e.late && e.content == Some(inode));
            let journaled = self.pending_that(|e| e.journaled);
            let until =
                self.pending_that(|e| e.journaled && (own(e) || e.renames.contains(&inode)));
            let until = if late.is_empty() { until.last() } else { journaled.last() };
            marked.extend(journaled.iter().filter(|n| until.is_some_and(|until| *n <= until)));
        }
        marked
    }

    fn dir_barrier(&self, dir: Inode) -> BTreeSet<usize> {
        let is_own = |e: &Effect| e.dirs().contains(&dir) || e.content == Some(dir);
        let own = self.pending_that(is_own);
        let mut marked: BTreeSet<_> = own.iter().copied().collect();
        let journaled = self.pending_that(|e| e.journaled);
        match self.rules.fsync_dir {
            FsyncDir::Entries => {}
            FsyncDir::Journal => {
                // Its own creation or move changes its inode as well.
                let is_own = |e: &Effect| is_own(e) || e.renames.contains(&dir);
                let own = self.pending_that(is_own);
                let until = own.last();
                marked.extend(journaled.iter().filter(|n| until.is_some_and(|until| *n <= until)));
            }
            FsyncDir::Checkpoint => marked.extend(journaled),
        }
        self.mark_names(dir, &mut marked);
        marked
    }

    /// The names that an inode's own barrier makes durable, upwards.
    fn mark_names(&self, inode: Inode, marked: &mut BTreeSet<usize>) {
        let mut seen = BTreeSet::new();
        let mut todo = vec![inode];
        while let Some(inode) = todo.pop() {
            if !seen.insert(inode) {
                continue;
            }
            let giving: Vec<usize> = match self.rules.fsync_file {
                FsyncFile::Inode | FsyncFile::Journal => Vec::new(),
                FsyncFile::CreatingEntry => self
                    .pending_that(|_| true)
                    .into_iter()
                    .filter(|n| self.created_by.get(&inode) == Some(n))
                    .collect(),
                FsyncFile::OwnEntries => self.pending_that(|e| !dirs_naming(e, inode).is_empty()),
            };
            for number in giving {
                marked.insert(number);
                todo.extend(dirs_naming(&self.effects[number], inode));
            }
        }
    }
}

/// The directories in which an effect gives an inode a name.
fn dirs_naming(effect: &Effect, inode: Inode) -> Vec<Inode> {
    let Put::Names(names) = &effect.put else { return Vec::new() };
    names.iter().filter(|(_, _, to)| *to == Some(inode)).map(|(dir, ..)| *dir).collect()
}
