//! A watcher that knows where in the protocol of a commit or an errand a writer is, and kills it there if
//! told.
//!
//! Counted are the calls that change the disk or a lock. A kill before a call that only reads leaves
//! the same state as the kill before the next counted one.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use faultfs::{Call, CallKind, Watcher};

use crate::wire::{Die, Phase, Step};

/// Called once, at the place to die; it must not return, and if it does the writer goes on.
type Fatal = Box<dyn Fn(&Step, &Path) + Send + Sync>;

/// Follows one writer through its commits.
pub struct StepWatcher {
    place: Mutex<Place>,
    die: Option<Die>,
    fatal: Fatal,
}

#[derive(Default)]
struct Place {
    /// Commits begun so far in this life, each with the errand before it.
    commits: u64,
    /// The phase, while a commit or errand is under way.
    phase: Option<Phase>,
    /// Calls of this phase so far, by name.
    of_name: BTreeMap<&'static str, u32>,
    /// All steps of this commit and its errand, for the probe run.
    steps: Vec<Step>,
}

impl StepWatcher {
    /// Calls `fatal` just before the step that `die` names.
    pub fn new(die: Option<Die>, fatal: Fatal) -> Self {
        Self { place: Mutex::default(), die, fatal }
    }

    /// A commit begins, with the errand before it.
    pub fn begin(&self) {
        let mut place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        *place = Place { commits: place.commits + 1, ..Place::default() };
    }

    /// The writer enters its next phase.
    pub fn enter(&self, phase: Phase) {
        let mut place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        place.phase = Some(phase);
        place.of_name.clear();
    }

    /// The commit or errand is done; what follows is no part of it.
    pub fn leave(&self) {
        self.place.lock().unwrap_or_else(PoisonError::into_inner).phase = None;
    }

    /// The steps of the commit that began last, and of its errand.
    pub fn steps(&self) -> Vec<Step> {
        let place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        place.steps.clone()
    }

    /// The pseudo-call between the last call of a commit or errand and telling the runner.
    pub fn before_telling(&self) {
        self.step("tell", Path::new(""));
    }

    fn step(&self, name: &'static str, path: &Path) {
        let mut place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(phase) = place.phase else { return };
        let nth = {
            let nth = place.of_name.entry(name).or_default();
            *nth += 1;
            *nth
        };
        let step = Step { phase, call: name.to_owned(), nth };
        if let Some(die) = &self.die
            && place.commits > die.after
            && step == die.step
        {
            (self.fatal)(&step, path);
        }
        place.steps.push(step);
    }
}

impl Watcher for StepWatcher {
    fn before(&self, call: &Call<'_>) -> io::Result<()> {
        if changes_something(call.kind) {
            self.step(call.kind.name(), call.path);
        }
        Ok(())
    }
}

fn changes_something(kind: CallKind) -> bool {
    !matches!(
        kind,
        CallKind::Open
            | CallKind::Metadata
            | CallKind::ReadDir
            | CallKind::ReadAt
            | CallKind::ReadLink
            | CallKind::FileMetadata
    )
}
