//! `store[:DIR]`: the reference store opens, which recovers it, and its audit finds nothing.
//!
//! Runs in this process, on the worker's thread: only that sees the worker's mounts. A directory that is
//! no store yet is fine until a Mark came when it was one.

use std::cell::OnceCell;
use std::io;
use std::path::PathBuf;

use faultfs::{DiskImage, RealFs, Trace};
use plugpull_store::{Audit, Layout, Options, Store};
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::super::judge::Verdict;
use super::super::versions::{Versions, file};
use super::{Judge, State};

pub(super) struct StoreAudit {
    dir: PathBuf,
    versions: Versions,
}

thread_local! {
    /// The audit's other threads would look at the directory that the mount hides.
    static ALONE: OnceCell<Option<ThreadPool>> = const { OnceCell::new() };
}

impl StoreAudit {
    pub(super) fn new(dir: PathBuf, trace: &Trace) -> Self {
        Self { dir, versions: Versions::of(trace) }
    }

    /// Whether the last file of a new store is there.
    fn is_store(&self, image: &DiskImage) -> bool {
        file(image, &Layout::new(&self.dir).format()).is_some()
    }
}

impl Judge for StoreAudit {
    fn judge(&self, state: &mut State) -> io::Result<Verdict> {
        if !self.is_store(state.image) {
            let gone = "the store is gone";
            let promised = self.is_store(self.versions.acknowledged(state.marks));
            return Ok(if promised { Verdict::violated(gone) } else { Verdict::Survived });
        }
        let dir = state.dir.join(&self.dir);
        let checked = || -> plugpull_store::Result<Audit> {
            drop(Store::open(&dir, Options::default())?);
            Audit::run(&RealFs, &dir)
        };
        let checked = ALONE.with(|alone| {
            let build =
                || ThreadPoolBuilder::new().num_threads(1).use_current_thread().build().ok();
            alone.get_or_init(build).as_ref().map(|pool| pool.install(checked))
        });
        Ok(match checked {
            None => Verdict::HarnessBroken("the audit cannot be kept on one thread".to_owned()),
            Some(Err(e)) => Verdict::violated(e.to_string()),
            Some(Ok(audit)) => match audit.problems.first() {
                None => Verdict::Survived,
                Some(problem) => {
                    let (kind, path) = (problem.kind.name(), problem.path.display());
                    Verdict::violated(format!("{kind}: {path}: {}", problem.detail))
                }
            },
        })
    }
}
