//! Coordination: which agent works on what, so that two of them do not change the same thing.
//!
//! A *reservation* says that a run holds some addresses on a branch until it expires; an *intent* says
//! what the holder is about to do with them. Both are written once and never changed, a file each.
//!
//! One lock is held from looking who holds an address until the new reservation is durable, so of many
//! who want the same address exactly one gets it. An expired reservation holds nothing. It is removed,
//! durably, before somebody else gets what it held: a clock that is set back does not bring it to life.
//!
//! Advisory: nothing keeps an agent from changing what it has not reserved. Addresses are compared as
//! texts; what they mean is their users'.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use faultfs::{Fs, LockMode};

use crate::atomic::{Barriers, remove, replace};
use crate::barrier::Barrier;
use crate::durability::{Reached, Receipt};
use crate::error::{At, Error, Result};
use crate::layout::{STATE_TEMP, is_temp};
use crate::lock::lock;
use crate::open::Store;
use crate::planted::Bug;
use crate::reservation::{Claim, Intent, Named, Reservation, file_name, fresh_id, id_of, is_id};
use crate::sealed::{Sealed, read_sealed, seal};
use crate::time::Time;

const RESERVATION: Barriers =
    Barriers { file: Barrier::ReservationFile, dir: Barrier::ReservationDir };
const INTENT: Barriers = Barriers { file: Barrier::IntentFile, dir: Barrier::IntentDir };

impl<F: Fs> Store<F> {
    /// Reserves what a claim names. Who holds it already is named by [`Error::Held`].
    pub fn reserve(&self, claim: &Claim) -> Result<(Reservation, Receipt)> {
        let _lock = self.lock_coordination()?;
        let now = Time::of(self.fs().now());
        let all = self.reservations()?;
        let meets = |held: &&Reservation| !held.addresses.is_disjoint(&claim.addresses);
        let excludes = |held: &&Reservation| held.exclusive || claim.exclusive;
        let mut held = all.iter().filter(meets).filter(|held| held.is_live(now));
        if let Some(held) = held.find(excludes) {
            return Err(refusal(held, claim));
        }
        let expired = all.iter().filter(meets).filter(|held| !held.is_live(now));
        let expired: Vec<_> = expired.map(|held| held.reservation_id.as_str()).collect();
        let ended = if expired.is_empty() {
            // Who ended what this one asks for may have been killed before its barrier.
            self.disk().sync_dir(Barrier::KnownRelease, &self.layout().reservations())?
        } else {
            self.remove_expired(&expired)?
        };
        let reservation = self.granted(claim, now)?;
        let path = self.reservation_file(&reservation.reservation_id);
        let receipt = replace(self.disk(), &path, &seal(&reservation)?, RESERVATION)?;
        Ok((reservation, receipt.after(ended)))
    }

    fn granted(&self, claim: &Claim, now: Time) -> Result<Reservation> {
        let expires_at = now.after(claim.ttl).ok_or_else(|| Error::BadValue {
            kind: Reservation::KIND,
            problem: "its time to live goes beyond the end of all times".to_owned(),
        })?;
        let Claim { run_id, branch, addresses, operation, exclusive, .. } = claim.clone();
        let mut reservation = Reservation {
            reservation_id: String::new(),
            run_id,
            branch,
            addresses,
            operation,
            exclusive,
            created_at: now,
            expires_at,
        };
        reservation.reservation_id = fresh_id(&seal(&reservation)?, self.fs().nonce());
        Ok(reservation)
    }

    /// Says what the holder of a reservation is about to do with some of its addresses.
    pub fn intend(
        &self,
        reservation_id: &str,
        addresses: impl IntoIterator<Item = impl Into<String>>,
        operation: impl Into<String>,
        detail: impl Into<String>,
    ) -> Result<(Intent, Receipt)> {
        let _lock = self.lock_coordination()?;
        let created_at = Time::of(self.fs().now());
        let reservation = self.reservation(reservation_id)?;
        let reservation = reservation.filter(|found| found.is_live(created_at));
        let absent = || Error::NoReservation { id: reservation_id.to_owned() };
        let Reservation { reservation_id, run_id, branch, addresses: held, .. } =
            reservation.ok_or_else(absent)?;
        let addresses: BTreeSet<String> = addresses.into_iter().map(Into::into).collect();
        if let Some(other) = addresses.difference(&held).next() {
            let problem = format!("its reservation does not hold {other:?}");
            return Err(Error::BadValue { kind: Intent::KIND, problem });
        }
        // Who reserved may have been killed before its barrier.
        let reached =
            self.disk().sync_dir(Barrier::ReservationOfIntent, &self.layout().reservations())?;
        let mut intent = Intent {
            intent_id: String::new(),
            reservation_id,
            run_id,
            branch,
            addresses,
            operation: operation.into(),
            detail: detail.into(),
            created_at,
        };
        intent.intent_id = fresh_id(&seal(&intent)?, self.fs().nonce());
        let path = self.layout().intents().join(file_name(&intent.intent_id));
        let receipt = replace(self.disk(), &path, &seal(&intent)?, INTENT)?;
        Ok((intent, receipt.after(reached)))
    }

    /// Ends a reservation and its intents; `None` when it was not there, else how durable that is. Also
    /// one that cannot be read.
    pub fn release(&self, reservation_id: &str) -> Result<Option<Reached>> {
        let _lock = self.lock_coordination()?;
        if !is_id(reservation_id) {
            return Ok(None);
        }
        let path = self.reservation_file(reservation_id);
        if self.has(Bug::ReleaseBeforeIntents) {
            let released = remove(self.disk(), &path, Barrier::ReleasedReservation);
            return self.end_intents(&[reservation_id]).and(released);
        }
        let ended = self.end_intents(&[reservation_id])?;
        let released = remove(self.disk(), &path, Barrier::ReleasedReservation)?;
        Ok(released.map(|reached| reached.max(ended)))
    }

    /// Takes back an intent before its reservation ends; `None` when it was not there, else how durable
    /// that is. Also one that cannot be read.
    pub fn withdraw(&self, intent_id: &str) -> Result<Option<Reached>> {
        let _lock = self.lock_coordination()?;
        if !is_id(intent_id) {
            return Ok(None);
        }
        let path = self.layout().intents().join(file_name(intent_id));
        remove(self.disk(), &path, Barrier::EndedIntents)
    }

    /// Removes expired reservations and their intents, durably; returns those reservations.
    pub fn sweep_reservations(&self) -> Result<Vec<Reservation>> {
        let _lock = self.lock_coordination()?;
        let now = Time::of(self.fs().now());
        let mut expired = self.reservations()?;
        expired.retain(|reservation| !reservation.is_live(now));
        let ids: Vec<_> = expired.iter().map(|found| found.reservation_id.as_str()).collect();
        let _ = self.remove_expired(&ids)?;
        Ok(expired)
    }

    /// First their intents, so that none is ever without its reservation. The barriers also when there are
    /// none: who removed them may have been killed before these.
    fn remove_expired(&self, ids: &[&str]) -> Result<Reached> {
        let ended = self.end_intents(ids)?;
        for id in ids {
            let path = self.reservation_file(id);
            self.fs().unlink(&path).at("remove", &path)?;
        }
        let dir = self.layout().reservations();
        Ok(ended.max(self.disk().sync_dir(Barrier::ExpiredReservations, &dir)?))
    }

    /// Removes the intents of these reservations. The barrier also when there are none, see above.
    fn end_intents(&self, reservation_ids: &[&str]) -> Result<Reached> {
        for intent in self.intents()? {
            if reservation_ids.contains(&&*intent.reservation_id) {
                let path = self.layout().intents().join(file_name(&intent.intent_id));
                self.fs().unlink(&path).at("remove", &path)?;
            }
        }
        self.disk().sync_dir(Barrier::EndedIntents, &self.layout().intents())
    }

    /// A reservation, expired or not; `None` when there is none of this id.
    pub fn reservation(&self, id: &str) -> Result<Option<Reservation>> {
        if is_id(id) { read_named(self.fs(), &self.reservation_file(id)) } else { Ok(None) }
    }

    /// All reservations, also expired ones, in the order of their ids.
    pub fn reservations(&self) -> Result<Vec<Reservation>> {
        all_in(self.fs(), &self.layout().reservations())
    }

    /// All intents, in the order of their ids.
    pub fn intents(&self) -> Result<Vec<Intent>> {
        all_in(self.fs(), &self.layout().intents())
    }

    /// Who holds an address now.
    pub fn holders(&self, address: &str) -> Result<Vec<Reservation>> {
        let now = Time::of(self.fs().now());
        let mut holders = self.reservations()?;
        holders.retain(|held| held.is_live(now) && held.addresses.contains(address));
        Ok(holders)
    }

    fn reservation_file(&self, id: &str) -> PathBuf {
        self.layout().reservations().join(file_name(id))
    }

    fn lock_coordination(&self) -> Result<Option<F::File>> {
        if self.has(Bug::ClaimWithoutLock) {
            return Ok(None);
        }
        lock(self.fs(), &self.layout().coordination_lock(), LockMode::Exclusive).map(Some)
    }
}

/// The error of a claim that meets a reservation.
fn refusal(held: &Reservation, claim: &Claim) -> Error {
    let address = held.addresses.intersection(&claim.addresses).next().cloned();
    Error::Held {
        address: address.unwrap_or_default(),
        holder: held.run_id.clone(),
        reservation_id: held.reservation_id.clone(),
        expires_at: held.expires_at,
    }
}

fn all_in<F: Fs, T: Named>(fs: &F, dir: &Path) -> Result<Vec<T>> {
    let mut all = Vec::new();
    for path in coordination_files(fs, dir)? {
        // Without the lock, one may be gone meanwhile.
        all.extend(read_named(fs, &path)?);
    }
    Ok(all)
}

/// All files in the directory of reservations or of intents but temps, by name.
pub(crate) fn coordination_files<F: Fs>(fs: &F, dir: &Path) -> Result<Vec<PathBuf>> {
    let mut entries = fs.read_dir(dir).at("list", dir)?;
    entries.retain(|entry| !is_temp(&entry.name, STATE_TEMP));
    Ok(entries.into_iter().map(|entry| dir.join(entry.name)).collect())
}

/// A reservation or intent, under the name that it has; `None` when it is gone.
pub(crate) fn read_named<F: Fs, T: Named>(fs: &F, path: &Path) -> Result<Option<T>> {
    let corrupt = |problem: &str| Error::Corrupt {
        path: path.to_owned(),
        problem: format!("{problem}; look at it, and remove it by hand"),
    };
    let id = path.file_name().and_then(id_of);
    let id = id.ok_or_else(|| corrupt("its name is not one of the store's"))?;
    match read_sealed::<F, T>(fs, path)? {
        Some(found) if found.id() != id => Err(corrupt("it is another one under this name")),
        found => Ok(found),
    }
}
