//! The objects of one commit get their names, one stage after the other: what each writer does by itself.
//!
//! A stage is durable before the next one begins, so in no crash state does an object lead to one that is missing.
//! Nearly always these directories are no other commit's at the same moment, so there is nothing to share but what the
//! disk shares by itself: it serves the barriers that wait together with one flush, and a journal with one commit.
//!
//! Not for the branch, whose directory all commits share: see `batch`.

use std::collections::BTreeSet;
use std::sync::Arc;

use faultfs::Fs;

use super::draft::{Body, Draft, Part, Stage};
use crate::atomic::parent;
use crate::barrier::Barrier;
use crate::durability::Reached;
use crate::error::Result;
use crate::object::Named;
use crate::open::Store;

impl<F: Fs> Draft<'_, F> {
    /// Gives the objects of a stage their names, and makes these durable.
    pub(super) fn name(&mut self, store: &Store<F>, stage: Stage) -> Result<()> {
        let parts = self.parts.iter_mut().filter(|part| part.stage == stage);
        for part in parts {
            self.tip.reached = self.tip.reached.max(name_part(store, part)?);
        }
        self.sync_dirs(store, stage)
    }

    /// The barriers of the names of a stage, one for each directory.
    fn sync_dirs(&mut self, store: &Store<F>, stage: Stage) -> Result<()> {
        let barrier = match stage {
            Stage::Blobs => Barrier::GroupBlobs,
            Stage::Snapshots => Barrier::GroupSnapshots,
            Stage::Commits => Barrier::GroupCommits,
        };
        let parts = || self.parts.iter().filter(|part| part.stage == stage);
        let dirs: BTreeSet<_> = parts().map(|part| parent(&part.path)).collect();
        for dir in dirs {
            let passed = store.disk().sync_dir(barrier, dir);
            for part in parts().filter(|part| parent(&part.path) == dir) {
                settle(store, part, &passed);
            }
            self.tip.reached = self.tip.reached.max(passed?);
        }
        Ok(())
    }
}

/// Gives an object its name.
fn name_part<F: Fs>(store: &Store<F>, part: &mut Part<'_, F>) -> Result<Reached> {
    let Body::New(temp) = &mut part.body else { return Ok(Reached::Durable) };
    let (file, reached) = match store.name(temp, &part.path, &part.id)? {
        Named::New | Named::Instead => (temp.shared_file(), Reached::Durable),
        // Another writer's object, and perhaps not synced.
        Named::Before(file) => {
            let passed = store.disk().sync_file(Barrier::KnownFile, &file, &part.path);
            let reached = store.settle(&file, passed)?;
            (Arc::new(file), reached)
        }
    };
    part.body = Body::Named(file);
    Ok(reached)
}

/// Remembers an object as durable, or marks it as not.
fn settle<F: Fs>(store: &Store<F>, part: &Part<'_, F>, passed: &Result<Reached>) {
    match (&part.body, passed) {
        (_, Ok(Reached::Durable | Reached::Unsupported)) => store.note(part.id),
        (Body::Named(file), _) => drop(store.settle(file, Ok(Reached::Degraded))),
        (Body::New(_), _) => {}
    }
}
