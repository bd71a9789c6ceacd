//! The audit of what is in progress: merges and rebases, reservations and intents, the operation log.
//!
//! Reservations and the log are looked at under their locks, shared: so nothing is half way there.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;

use faultfs::{Fs, LockMode};

use super::ProblemKind;
use super::walk::Auditor;
use crate::coordination::{coordination_files, read_named};
use crate::error::{Error, Result};
use crate::id::ObjectId;
use crate::lock::lock;
use crate::merge::MergeState;
use crate::operation::Operation;
use crate::oplog::read_log;
use crate::rebase::RebaseState;
use crate::reservation::{Intent, Named, Reservation, file_name};
use crate::sealed::{Sealed, read_sealed};
use crate::state::State;
use crate::time::Time;

impl<F: Fs> Auditor<'_, F> {
    /// Merges and rebases, and what a process that died was at, which the next open finishes.
    pub(super) fn in_progress(&self) -> Result<()> {
        self.sealed(&MergeState::path(self.layout), MergeState::commits)?;
        self.sealed(&RebaseState::path(self.layout), RebaseState::commits)?;
        self.sealed(&self.layout.pending_operation(), Operation::commits)
    }

    /// A file that names commits, which must be there unless it has gone on meanwhile.
    fn sealed<T: Sealed + PartialEq>(
        &self,
        path: &Path,
        commits: impl Fn(&T) -> Vec<ObjectId>,
    ) -> Result<()> {
        let read = || read_sealed::<F, T>(self.fs, path);
        match read() {
            Ok(None) => {}
            Ok(Some(found)) => {
                let unmoved = || matches!(read(), Ok(Some(now)) if now == found);
                for commit in commits(&found) {
                    self.must_be_commit(path, &commit, unmoved)?;
                }
            }
            Err(e) => self.bad(ProblemKind::BadState, path, e),
        }
        Ok(())
    }

    pub(super) fn coordination(&self) -> Result<()> {
        let _lock = lock(self.fs, &self.layout.coordination_lock(), LockMode::Shared)?;
        let reservations: Vec<Reservation> = self.named(&self.layout.reservations())?;
        let intents: Vec<Intent> = self.named(&self.layout.intents())?;
        self.totals.reservations.store(reservations.len() as u64, Relaxed);
        self.totals.intents.store(intents.len() as u64, Relaxed);
        self.held_twice(&reservations);
        let ids: BTreeSet<_> = reservations.iter().map(Named::id).collect();
        for intent in intents.iter().filter(|intent| !ids.contains(&*intent.reservation_id)) {
            let path = self.layout.intents().join(file_name(intent.id()));
            let detail = format!("reservation {} is missing", intent.reservation_id);
            self.problem(ProblemKind::Dangling, &path, detail);
        }
        Ok(())
    }

    fn named<T: Named>(&self, dir: &Path) -> Result<Vec<T>> {
        let mut all = Vec::new();
        for path in coordination_files(self.fs, dir)? {
            match read_named(self.fs, &path) {
                Ok(found) => all.extend(found),
                Err(e) => self.bad(ProblemKind::BadReservation, &path, e),
            }
        }
        Ok(all)
    }

    /// Of two that hold the same address now, none may be exclusive.
    fn held_twice(&self, reservations: &[Reservation]) {
        let now = Time::of(self.fs.now());
        let live: Vec<_> = reservations.iter().filter(|held| held.is_live(now)).collect();
        for (n, one) in live.iter().enumerate() {
            let meets = |other: &&&Reservation| {
                (one.exclusive || other.exclusive) && !one.addresses.is_disjoint(&other.addresses)
            };
            if let Some(other) = live[..n].iter().find(meets) {
                let path = self.layout.reservations().join(file_name(one.id()));
                let detail = format!("it holds something that {} holds, too", other.id());
                self.problem(ProblemKind::BadReservation, &path, detail);
            }
        }
    }

    pub(super) fn log(&self) -> Result<()> {
        let _lock = lock(self.fs, &self.layout.oplog_lock(), LockMode::Shared)?;
        let path = self.layout.log();
        match read_log(self.fs, self.layout, 0) {
            Ok(log) => {
                self.totals.logged.store(log.records.len() as u64, Relaxed);
                if log.torn > 0 {
                    let detail = format!(
                        "its last {} bytes are no record; the next open cuts them",
                        log.torn
                    );
                    self.problem(ProblemKind::BadLog, &path, detail);
                }
            }
            Err(e) => self.bad(ProblemKind::BadLog, &path, e),
        }
        Ok(())
    }

    /// A file that cannot be read; what is wrong is told of the file that the error names.
    fn bad(&self, kind: ProblemKind, path: &Path, error: Error) {
        match error {
            Error::Corrupt { path, problem } => self.problem(kind, &path, problem),
            error => self.problem(kind, path, error.to_string()),
        }
    }
}
