//! Deleting packs whose time is over, each once, and what failed again later.
//!
//! Not for when a sweep is made: see `timers`. The open of a store makes one over its own directory.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use faultfs::Fs;

use crate::error::{Error, Result};
use crate::open::Store;
use crate::pack::lease::{HeldLease, Hold, latest_due, read_lease};
use crate::pack::{Lease, LeaseState, PackBackend, PackKey, Ttl, ttl};
use crate::planted::Bug;

/// How often a deletion is tried before it is given up and listed.
const ATTEMPTS: u32 = 16;

/// A deletion that failed is tried again after this, then after twice that, ... but never later than
/// after the second one: sixteen attempts take an hour and a half.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_mins(15);

/// So much further away than any, as the clocks of two machines may differ.
const AHEAD: Duration = Ttl::LONGEST.get();

/// So many leases an open looks at; with more, the rest is left to the next sweep.
const AT_OPEN: usize = 256;

/// How a sweep runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackSweep {
    /// What is due at this time.
    pub now: SystemTime,
    /// Deletions at the same time; at least one.
    pub at_once: usize,
    /// Also those that were given up, from the first attempt on.
    pub dead: bool,
}

impl PackSweep {
    /// One after the other, and none of those that were given up.
    pub fn at(now: SystemTime) -> Self {
        Self { now, at_once: 1, dead: false }
    }
}

/// What a sweep did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SweptPacks {
    /// Packs that are gone, with their leases.
    pub deleted: Vec<PackKey>,
    /// Deletions that failed now; they are tried again.
    pub failed: Vec<PackKey>,
    /// Deletions that failed too often, now or before.
    pub dead: Vec<PackKey>,
    /// Leases that go on, and when each is looked at again, in milliseconds since 1970.
    pub kept: Vec<(PackKey, u64)>,
    /// Leases that somebody else works with.
    pub busy: Vec<PackKey>,
    /// Leases that could not be read, or were of a time that no clock can have set; their packs are kept
    /// for as long as any, from now on. They are among `kept`, too.
    pub mended: u64,
    /// Leases of other places, and those that cannot be read and whose pack is not here.
    pub others: u64,
}

/// A lease as [`Store::leases`] lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseEntry {
    /// Whose.
    pub key: PackKey,
    /// What it says, or why it cannot be read.
    pub lease: std::result::Result<Lease, String>,
}

/// What became of one lease.
enum Fate {
    Deleted,
    Failed(u64),
    Dead,
    Kept(u64),
    Mended(u64),
    Busy,
    Other,
    Gone,
}

impl SweptPacks {
    fn enter(&mut self, key: PackKey, fate: &Fate) {
        match fate {
            Fate::Deleted => self.deleted.push(key),
            Fate::Failed(retry) => {
                self.failed.push(key);
                self.kept.push((key, *retry));
            }
            Fate::Dead => self.dead.push(key),
            Fate::Kept(until) => self.kept.push((key, *until)),
            Fate::Mended(until) => {
                self.mended += 1;
                self.kept.push((key, *until));
            }
            Fate::Busy => self.busy.push(key),
            Fate::Other => self.others += 1,
            Fate::Gone => {}
        }
    }
}

impl<F: Fs> Store<F> {
    /// Deletes the packs of `backend` whose time is over at `now`. A deletion that fails is no error: it
    /// is tried again by a later sweep, and listed when that failed too often. An error is one of this
    /// store's disk, told after all other leases were looked at.
    pub fn sweep_packs(
        &self,
        backend: &(impl PackBackend + ?Sized),
        now: SystemTime,
    ) -> Result<SweptPacks> {
        self.sweep_packs_with(backend, PackSweep::at(now))
    }

    /// As [`Store::sweep_packs`], with all that can be chosen.
    pub fn sweep_packs_with(
        &self,
        backend: &(impl PackBackend + ?Sized),
        sweep: PackSweep,
    ) -> Result<SweptPacks> {
        self.sweep_these(backend, sweep, &self.lease_keys()?)
    }

    /// All leases, sorted by their keys, also those of other places.
    pub fn leases(&self) -> Result<Vec<LeaseEntry>> {
        let mut entries = Vec::new();
        for key in self.lease_keys()? {
            let lease = match read_lease(self.fs(), self.layout(), &key) {
                Ok(None) => continue,
                Ok(Some(lease)) => Ok(lease),
                Err(Error::Corrupt { problem, .. }) => Err(problem),
                Err(e) => return Err(e),
            };
            entries.push(LeaseEntry { key, lease });
        }
        Ok(entries)
    }

    /// The sweep of an open: of the store's own directory, which is never slow.
    pub(crate) fn sweep_packs_at_open(&self) -> Result<SweptPacks> {
        let mut keys = self.lease_keys()?;
        keys.truncate(AT_OPEN);
        if keys.is_empty() {
            return Ok(SweptPacks::default());
        }
        let sweep = PackSweep::at(self.fs().now());
        self.sweep_these(&self.pack_directory(None), sweep, &keys)
    }

    /// Sweeps only these.
    pub(crate) fn sweep_these(
        &self,
        backend: &(impl PackBackend + ?Sized),
        sweep: PackSweep,
        keys: &[PackKey],
    ) -> Result<SweptPacks> {
        let next = AtomicUsize::new(0);
        let done = Mutex::new((SweptPacks::default(), None));
        let work = || {
            while let Some(key) = keys.get(next.fetch_add(1, Ordering::Relaxed)) {
                let fate = self.sweep_one(backend, sweep, key);
                let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                match fate {
                    Ok(fate) => done.0.enter(*key, &fate),
                    Err(e) => drop(done.1.get_or_insert(e)),
                }
            }
        };
        // One alone does it without a thread.
        std::thread::scope(|scope| {
            (1..sweep.at_once.min(keys.len())).for_each(|_| drop(scope.spawn(work)));
            work();
        });
        match done.into_inner().unwrap_or_else(PoisonError::into_inner) {
            (_, Some(error)) => Err(error),
            (swept, None) => Ok(swept.sorted()),
        }
    }

    fn sweep_one(
        &self,
        backend: &(impl PackBackend + ?Sized),
        sweep: PackSweep,
        key: &PackKey,
    ) -> Result<Fate> {
        let held = match self.hold_lease(key)? {
            Hold::Gone => return Ok(Fate::Gone),
            Hold::Busy(..) => return Ok(Fate::Busy),
            // Of which place it is, only that place knows.
            Hold::Torn(_file) => {
                return match backend.exists(key) {
                    Ok(true) => self.mend(Lease::of_unknown(*key, backend.name(), sweep.now)),
                    Ok(false) => Ok(Fate::Other),
                    Err(_) => Ok(Fate::Busy),
                };
            }
            Hold::Held(held) => held,
        };
        let (lease, now) = (&held.lease, ttl::millis(sweep.now));
        if lease.backend != backend.name() {
            return Ok(Fate::Other);
        }
        let latest = latest_due(sweep.now);
        match lease.state {
            // The clock was set back since: nobody knows how much of its time is over.
            LeaseState::Live if lease.due > latest.saturating_add(ttl::of(AHEAD)) => {
                self.mend(Lease { due: latest, ..lease.clone() })
            }
            LeaseState::Live if lease.due > now => Ok(Fate::Kept(lease.due)),
            LeaseState::Dead if !sweep.dead => Ok(Fate::Dead),
            LeaseState::Deleting if waits(lease.retry, now) && !sweep.dead => {
                Ok(Fate::Kept(lease.retry))
            }
            _ => self.delete_pack(backend, held, sweep),
        }
    }

    fn mend(&self, lease: Lease) -> Result<Fate> {
        let due = lease.due;
        self.write_lease(lease)?;
        Ok(Fate::Mended(due))
    }

    /// Deletes a pack and then releases its lease, which is held.
    fn delete_pack<'s>(
        &'s self,
        backend: &(impl PackBackend + ?Sized),
        mut held: HeldLease<'s, F>,
        sweep: PackSweep,
    ) -> Result<Fate> {
        let key = held.lease.key();
        if backend.acts_late() && held.lease.state != LeaseState::Deleting {
            let lease = Lease { state: LeaseState::Deleting, ..held.lease.clone() };
            (held, _) = self.write_lease(lease)?;
        }
        if self.has(Bug::ReleasedFirst) {
            self.release_lease(&held)?;
        }
        match backend.delete(&key) {
            Err(error) if self.has(Bug::DeletionTold) => Err(error),
            Err(error) if !self.has(Bug::DeletionForgotten) => self.failed(&held, sweep, &error),
            _ => self.release_lease(&held).map(|()| Fate::Deleted),
        }
    }

    /// Writes down that a deletion failed, and when it is tried again.
    fn failed(&self, held: &HeldLease<'_, F>, sweep: PackSweep, error: &Error) -> Result<Fate> {
        let mut lease = held.lease.clone();
        if lease.state == LeaseState::Dead {
            lease.attempts = 0;
        }
        lease.attempts += 1;
        lease.keep_error(error);
        let dead = lease.attempts >= ATTEMPTS;
        lease.state = if dead { LeaseState::Dead } else { LeaseState::Deleting };
        lease.retry = ttl::millis(sweep.now).saturating_add(ttl::of(pause(lease.attempts)));
        let retry = lease.retry;
        self.write_lease(lease)?;
        Ok(if dead { Fate::Dead } else { Fate::Failed(retry) })
    }
}

impl SweptPacks {
    /// In the order of the keys, however many were at work.
    fn sorted(mut self) -> Self {
        for keys in [&mut self.deleted, &mut self.failed, &mut self.dead, &mut self.busy] {
            keys.sort_unstable();
        }
        self.kept.sort_unstable();
        self
    }
}

/// How long to wait after so many failures.
fn pause(attempts: u32) -> Duration {
    let doubled = 1u32.checked_shl(attempts.saturating_sub(1)).unwrap_or(u32::MAX);
    FIRST_RETRY.saturating_mul(doubled).min(LAST_RETRY)
}

/// Whether a retry is still to come. One that is further away than any pause was set by another clock.
fn waits(retry: u64, now: u64) -> bool {
    retry > now && retry - now <= ttl::of(LAST_RETRY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_quarter_of_an_hour() {
        let pauses: Vec<_> = (1..ATTEMPTS).map(|n| pause(n).as_secs()).collect();
        assert_eq!(pauses[..4], [1, 2, 4, 8]);
        assert_eq!(pauses[10..], [900; 5]);
        assert_eq!(pause(u32::MAX), LAST_RETRY);
        let all: u64 = pauses.iter().sum();
        assert_eq!(all, 5523);
    }

    #[test]
    fn a_retry_of_another_clock_is_not_waited_for() {
        assert!(waits(1001, 1000) && !waits(1000, 1000) && !waits(999, 1000));
        assert!(!waits(ttl::of(LAST_RETRY) + 1, 0));
    }
}
