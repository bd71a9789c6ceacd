//! The audit of transient packs: each has a lease, and each lease can be read.
//!
//! Looks at the store's own directory; what lies in other places is known by its leases only.

use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;

use faultfs::{FileKind, Fs};

use super::ProblemKind;
use super::walk::Auditor;
use crate::error::{At, Error, Result, found};
use crate::layout::{STATE_TEMP, is_temp};
use crate::open::describe;
use crate::pack::{LeaseState, PackKey, read_lease};

impl<F: Fs> Auditor<'_, F> {
    /// Packs first: whoever deletes one releases its lease afterwards.
    pub(super) fn packs(&self) -> Result<()> {
        for key in self.keys(&self.layout.packs())? {
            self.totals.packs.fetch_add(1, Relaxed);
            let (pack, lease) = (self.layout.pack(&key), self.layout.lease(&key));
            let there = |path: &Path| found(self.fs.metadata(path)).at("stat", path);
            if there(&lease)?.is_none() && there(&pack)?.is_some() {
                let detail = "it has no lease, so nothing deletes it; remove it";
                self.problem(ProblemKind::PackWithoutLease, &pack, detail);
            }
        }
        for key in self.keys(&self.layout.leases())? {
            self.lease(&key)?;
        }
        Ok(())
    }

    fn lease(&self, key: &PackKey) -> Result<()> {
        let path = self.layout.lease(key);
        match read_lease(self.fs, self.layout, key) {
            Ok(None) => {}
            Ok(Some(lease)) => {
                self.totals.leases.fetch_add(1, Relaxed);
                if lease.state == LeaseState::Dead {
                    let detail = format!(
                        "deleting its pack from {} failed {} times ({}); mend that, and run \
                         `plugpull store sweep-packs --dead`",
                        lease.backend, lease.attempts, lease.error
                    );
                    self.problem(ProblemKind::DeadLease, &path, detail);
                }
            }
            Err(Error::Corrupt { problem, .. }) => {
                let detail = format!(
                    "{problem}; a sweep of the place where its pack is mends it, and if that is \
                     nowhere, remove it"
                );
                self.problem(ProblemKind::BadLease, &path, detail);
            }
            Err(e) => return Err(e),
        }
        Ok(())
    }

    /// The keys that the files of a directory are named after; what is none is reported.
    fn keys(&self, dir: &Path) -> Result<Vec<PackKey>> {
        let mut keys = Vec::new();
        for entry in self.fs.read_dir(dir).at("list", dir)? {
            let path = dir.join(&entry.name);
            match entry.name.to_str().map(str::parse) {
                _ if is_temp(&entry.name, STATE_TEMP) => {}
                Some(Ok(key)) if entry.kind == FileKind::File => keys.push(key),
                Some(Ok(_)) => {
                    self.problem(ProblemKind::Foreign, &path, describe(Some(entry.kind)));
                }
                _ => self.problem(ProblemKind::Foreign, &path, "its name is no pack's"),
            }
        }
        Ok(keys)
    }
}
