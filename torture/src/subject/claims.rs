//! Reservations and intents of a run: carrying them out, what is owed of them, and the check.
//!
//! A claim is known by its run, an intent by its detail: each has one of its own. A reservation that was
//! granted must be there until its release or, when it holds for no time, until somebody may have swept
//! it; one that was refused must not be. No two may hold the same address for sure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use faultfs::{Fs, SimFs};
use plugpull_store::{Branch, Claim, Error, Reached, Result, Store};

use super::marks::Mark;
use super::perform::Writer;

/// A claim of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Who wants it.
    pub run: String,
    /// What.
    pub addresses: BTreeSet<String>,
    /// It holds for no time at all, so that it is expired at once.
    pub short: bool,
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.run)?;
        self.addresses.iter().try_for_each(|address| write!(f, " {address}"))
    }
}

impl<F: Fs> Writer<'_, F> {
    pub(super) fn claim(&self, wanted: &Wanted) -> Result<()> {
        let Wanted { run, addresses, short } = wanted;
        let claim = Claim::new(run, Branch::new("main")?, addresses, "write");
        let ttl = if *short { Duration::ZERO } else { claim.ttl };
        self.journal.mark(Mark::Claiming(wanted.clone()));
        match self.store.reserve(&Claim { ttl, ..claim }) {
            Ok((reservation, receipt)) => {
                let (run, id) = (run.clone(), reservation.reservation_id);
                self.settle(receipt.reached, Mark::Claimed { run, id });
                Ok(())
            }
            Err(error @ Error::Undecided { .. }) => Err(error),
            Err(error) => {
                self.journal.mark(Mark::Unclaimed { run: run.clone() });
                if matches!(error, Error::Held { .. }) { Ok(()) } else { Err(error) }
            }
        }
    }

    /// The reservation of a run, if there is one.
    fn reserved(&self, run: &str) -> Result<Option<String>> {
        let mut all = self.store.reservations()?.into_iter();
        Ok(all.find(|found| found.run_id == run).map(|found| found.reservation_id))
    }

    pub(super) fn intend(&self, run: &str, address: &str, detail: &str) -> Result<()> {
        let Some(id) = self.reserved(run)? else { return Ok(()) };
        let (run, detail) = (run.to_owned(), detail.to_owned());
        self.journal.mark(Mark::Intending { run: run.clone(), detail: detail.clone() });
        match self.store.intend(&id, [address], "merge", &detail) {
            Ok((_, receipt)) => {
                self.settle(receipt.reached, Mark::Intended { run, detail });
                Ok(())
            }
            Err(error @ Error::Undecided { .. }) => Err(error),
            Err(error) => {
                self.journal.mark(Mark::Unintended { detail });
                // Another writer has ended it meanwhile.
                if matches!(error, Error::NoReservation { .. }) { Ok(()) } else { Err(error) }
            }
        }
    }

    pub(super) fn release(&self, run: &str) -> Result<()> {
        let Some(id) = self.reserved(run)? else { return Ok(()) };
        let run = run.to_owned();
        self.journal.mark(Mark::Releasing { run: run.clone() });
        match self.store.release(&id) {
            Ok(released) => {
                let reached = released.unwrap_or(Reached::Durable);
                self.settle(reached, Mark::Released { run });
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    pub(super) fn sweep_reservations(&self) -> Result<()> {
        let by = self.name.clone();
        self.journal.mark(Mark::Expiring { by: by.clone() });
        self.store.sweep_reservations()?;
        self.journal.mark(Mark::Expired { by });
        Ok(())
    }
}

/// Whether something must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum There {
    Must,
    May,
    MustNot,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Reserved {
    wanted: Wanted,
    id: Option<String>,
    there: There,
    /// Somebody who may not have waited for the answer to its claim is ending it, or has.
    ending: bool,
    /// Its claim has an answer, or nobody waits for one any more.
    answered: bool,
    /// Those who announced then that they would end it: it is gone when one of them is done. One that is
    /// granted meanwhile may stay.
    due: BTreeSet<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Intended {
    run: String,
    there: There,
}

/// What is owed of reservations and intents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Claims {
    reservations: BTreeMap<String, Reserved>,
    /// Those who are sweeping.
    sweeping: BTreeSet<String>,
    intents: BTreeMap<String, Intended>,
}

impl Claims {
    /// Takes in a Mark; says what cannot be true together.
    pub(super) fn enter(&mut self, mark: &Mark) -> Option<String> {
        match mark {
            Mark::Claiming(wanted) => self.announce(wanted),
            Mark::Claimed { run, id } => return self.granted(run, id),
            Mark::Unclaimed { run } => self.refused(run),
            Mark::Intending { run, detail } => {
                let intended = Intended { run: run.clone(), there: There::May };
                self.intents.insert(detail.clone(), intended);
            }
            Mark::Intended { run, detail }
                // Who reserved it may be dead, and nobody has heard that it was granted.
                if self.reservations.get(run).is_some_and(|reserved| !reserved.ending) =>
            {
                self.set(run, There::Must);
                self.set_intent(detail, There::Must);
            }
            Mark::Unintended { detail } => self.set_intent(detail, There::MustNot),
            Mark::Releasing { run } => self.end(run, There::May),
            Mark::Released { run } => self.end(run, There::MustNot),
            Mark::Expiring { by } => {
                self.sweeping.insert(by.clone());
                self.may_end_short(by, &|_| true);
            }
            Mark::Expired { by } => {
                self.sweeping.remove(by);
                self.have_ended_short(by);
            }
            Mark::Killed => self.let_go(),
            _ => {}
        }
        None
    }

    fn announce(&mut self, wanted: &Wanted) {
        let meets = |other: &Wanted| !other.addresses.is_disjoint(&wanted.addresses);
        self.may_end_short(&wanted.run, &meets);
        let mut claiming = self.reservations.values().filter(|held| !held.answered);
        // Whoever sweeps or claims already may come upon this one, when it has expired by then.
        let met = !self.sweeping.is_empty() || claiming.any(|other| meets(&other.wanted));
        let reserved = Reserved {
            wanted: wanted.clone(),
            id: None,
            there: There::May,
            ending: wanted.short && met,
            answered: false,
            due: BTreeSet::new(),
        };
        self.reservations.insert(wanted.run.clone(), reserved);
    }

    fn granted(&mut self, run: &str, id: &str) -> Option<String> {
        let wanted = self.reservations.get(run)?.wanted.clone();
        let meets =
            |other: &Wanted| other.run != run && !other.addresses.is_disjoint(&wanted.addresses);
        let mut held = self.reservations.values();
        let twice = held
            .find(|held| held.there == There::Must && !held.wanted.short && meets(&held.wanted));
        let twice = twice.map(|held| format!(
            "{run} and {} were both granted the same address; expected one of them to be refused",
            held.wanted.run
        ));
        self.have_ended_short(run);
        let reserved = self.reservations.get_mut(run)?;
        reserved.id = Some(id.to_owned());
        reserved.answered = true;
        if !reserved.ending {
            reserved.there = There::Must;
        }
        twice
    }

    fn refused(&mut self, run: &str) {
        self.set(run, There::MustNot);
        if let Some(reserved) = self.reservations.get_mut(run) {
            reserved.answered = true;
        }
    }

    /// Whoever was claiming or ending something is dead.
    fn let_go(&mut self) {
        self.reservations.values_mut().for_each(|held| held.answered = true);
        self.sweeping.clear();
        let undecided = self.reservations.values_mut().filter(|held| held.there == There::May);
        undecided.for_each(|held| held.ending = false);
    }

    fn set(&mut self, run: &str, there: There) {
        if let Some(reserved) = self.reservations.get_mut(run) {
            reserved.there = there;
        }
    }

    fn set_intent(&mut self, detail: &str, there: There) {
        if let Some(intent) = self.intents.get_mut(detail) {
            intent.there = there;
        }
    }

    /// A reservation ends, or may, and so do its intents.
    fn end(&mut self, run: &str, there: There) {
        if let Some(reserved) = self.reservations.get_mut(run) {
            (reserved.there, reserved.ending) = (there, true);
        }
        let intents = self.intents.values_mut();
        intents.filter(|intent| intent.run == run).for_each(|intent| intent.there = there);
    }

    /// Somebody is about to end reservations that have expired.
    fn may_end_short(&mut self, by: &str, which: &dyn Fn(&Wanted) -> bool) {
        let ended = |held: &&mut Reserved| {
            held.wanted.short && held.there != There::MustNot && which(&held.wanted)
        };
        for held in self.reservations.values_mut().filter(ended) {
            (held.there, held.ending) = (There::May, true);
            if held.answered {
                held.due.insert(by.to_owned());
            }
        }
    }

    fn have_ended_short(&mut self, by: &str) {
        for held in self.reservations.values_mut().filter(|held| held.due.contains(by)) {
            held.there = There::MustNot;
        }
    }

    /// Everything that is wrong with the reservations and intents of a store: path, found, expected.
    pub(super) fn wrong(&self, store: &Store<SimFs>) -> Vec<(String, String, String)> {
        let mut wrong = self.wrong_reservations(store);
        wrong.extend(self.wrong_intents(store));
        wrong
    }

    fn wrong_reservations(&self, store: &Store<SimFs>) -> Vec<(String, String, String)> {
        let dir = store.layout().reservations().display().to_string();
        let found = match store.reservations() {
            Ok(found) => found,
            Err(e) => return vec![(dir, e.to_string(), "readable reservations".to_owned())],
        };
        let mut wrong = Vec::new();
        for held in &found {
            let right = |reserved: &Reserved| {
                reserved.there != There::MustNot
                    && reserved.wanted.addresses == held.addresses
                    && reserved.id.as_ref().is_none_or(|id| *id == held.reservation_id)
            };
            if !self.reservations.get(&held.run_id).is_some_and(right) {
                let what = format!("a reservation of {}", held.run_id);
                wrong.push((dir.clone(), what, "none of that run".to_owned()));
            }
        }
        let musts = self.reservations.iter().filter(|(_, held)| held.there == There::Must);
        for (run, _) in musts.filter(|(run, _)| !found.iter().any(|held| held.run_id == **run)) {
            wrong.push((dir.clone(), "missing".to_owned(), format!("the reservation of {run}")));
        }
        wrong
    }

    fn wrong_intents(&self, store: &Store<SimFs>) -> Vec<(String, String, String)> {
        let dir = store.layout().intents().display().to_string();
        let found = match store.intents() {
            Ok(found) => found,
            Err(e) => return vec![(dir, e.to_string(), "readable intents".to_owned())],
        };
        let mut wrong = Vec::new();
        for intent in &found {
            let right =
                |known: &Intended| known.there != There::MustNot && known.run == intent.run_id;
            if !self.intents.get(&intent.detail).is_some_and(right) {
                let what = format!("the intent {:?} of {}", intent.detail, intent.run_id);
                wrong.push((dir.clone(), what, "no such intent".to_owned()));
            }
        }
        let musts = self.intents.iter().filter(|(_, intent)| intent.there == There::Must);
        for (detail, _) in musts.filter(|(detail, _)| !found.iter().any(|i| i.detail == **detail)) {
            wrong.push((dir.clone(), "missing".to_owned(), format!("the intent {detail:?}")));
        }
        wrong
    }
}
