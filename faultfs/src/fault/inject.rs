//! A plan at work: the watcher that lets calls fail, makes them badly, and counts.
//!
//! Not for what a crash does to an image: `crash` has that. With one thread, equal plans and equal
//! calls give equal faults; with more, a rule counts calls in the order in which they come.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, raise};

use super::rng::Rng;
use super::sectors::Sectors;
use super::{Errno, Fault, FaultPlan, FaultRule};
use crate::{Call, CallKind, FsFile, FsyncFailure, Watcher};

/// A [`FaultPlan`] at work. Give it to [`Faulty`](super::Faulty) in an `Arc`, and keep a clone of
/// that to read what fired, at any time.
pub struct Faults(Mutex<State>);

pub(super) struct State {
    pub(super) rules: Vec<Armed>,
    power_is_off: bool,
    /// What sectors held before, kept only when a rule may show it.
    sectors: Sectors,
}

/// A rule at work.
pub(super) struct Armed {
    pub(super) rule: FaultRule,
    pub(super) rng: Rng,
    met: u64,
    fired: u64,
}

impl Armed {
    fn new(rule: FaultRule) -> Self {
        let rng = Rng::new(rule.seed);
        Self { rule, rng, met: 0, fired: 0 }
    }

    /// Whether the fault hits the call; counts it if the rule is for it.
    fn hits(&mut self, call: &Call<'_>) -> bool {
        self.rule.is_for(call) && self.hits_next()
    }

    /// Whether the fault hits the next of the calls that its rule is for.
    pub(super) fn hits_next(&mut self) -> bool {
        let hit = self.rule.when.hits(self.met, &mut self.rng);
        self.met += 1;
        self.fired += u64::from(hit);
        hit
    }

    /// Flips a bit of what a read returned, if the rule says so.
    fn flips(&mut self, call: &Call<'_>, read: &mut [u8]) -> bool {
        let flips = self.rule.fault == Fault::BitFlip && !read.is_empty() && self.hits(call);
        if flips {
            read[self.rng.index(read.len())] ^= 1 << self.rng.below(8);
        }
        flips
    }
}

impl Faults {
    /// The plan, before the first call.
    pub fn new(plan: &FaultPlan) -> Self {
        let rules = plan.rules.iter().cloned().map(Armed::new).collect();
        Self(Mutex::new(State { rules, power_is_off: false, sectors: Sectors::default() }))
    }

    /// One rule more, behind the others. It counts the calls from now on.
    pub fn add(&self, rule: FaultRule) {
        self.state().rules.push(Armed::new(rule));
    }

    /// No rule any more: calls are made as they are asked.
    pub fn clear(&self) {
        self.state().rules.clear();
    }

    /// How often each rule fired so far, in the plan's order.
    pub fn fired(&self) -> Vec<u64> {
        self.state().rules.iter().map(|armed| armed.fired).collect()
    }

    /// How often each kind of fault that is in the plan fired so far.
    pub fn fired_by_kind(&self) -> BTreeMap<&'static str, u64> {
        let mut kinds = BTreeMap::new();
        for armed in &self.state().rules {
            *kinds.entry(armed.rule.fault.kind()).or_default() += armed.fired;
        }
        kinds
    }

    /// The rules that never fired. A test whose fault is among them showed nothing.
    pub fn unfired(&self) -> Vec<FaultRule> {
        let rules = &self.state().rules;
        rules.iter().filter(|armed| armed.fired == 0).map(|armed| armed.rule.clone()).collect()
    }

    /// Whether a planned power cut has come. What a program promises from then on nobody hears: it
    /// must not become a Mark.
    pub fn power_is_off(&self) -> bool {
        self.state().power_is_off
    }

    /// The rules of the plan.
    pub fn rules(&self) -> Vec<FaultRule> {
        self.state().rules.iter().map(|armed| armed.rule.clone()).collect()
    }

    /// How many of its `len` bytes a write writes.
    #[cfg(feature = "fuse")]
    pub(crate) fn shorten(&self, call: &Call<'_>, len: usize) -> usize {
        self.state().shorten(call, len)
    }

    /// Changes what a read returned; says whether it did.
    #[cfg(feature = "fuse")]
    pub(crate) fn flip_bits(&self, call: &Call<'_>, read: &mut [u8]) -> bool {
        let flip = |armed: &mut Armed| armed.flips(call, read);
        self.state().rules.iter_mut().map(flip).fold(false, |any, flipped| any | flipped)
    }

    /// A panic of a user's thread leaves the counts as they are.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What comes of a call before it is made, and how much later that is.
    fn before(&mut self, call: &Call<'_>) -> (Duration, io::Result<()>) {
        let mut delay = Duration::ZERO;
        if self.power_is_off {
            return (delay, Err(Errno::Eio.into()));
        }
        for armed in &mut self.rules {
            let fault = armed.rule.fault;
            match fault {
                Fault::SlowCall { micros } if armed.hits(call) => {
                    delay += Duration::from_micros(micros);
                }
                Fault::Errno(errno) if armed.hits(call) => return (delay, Err(errno.into())),
                Fault::PowerCut if armed.hits(call) => {
                    self.power_is_off = true;
                    return (delay, Err(Errno::Eio.into()));
                }
                Fault::Sigkill if armed.hits(call) => {
                    return (delay, raise(Signal::SIGKILL).map_err(io::Error::from));
                }
                _ => {}
            }
        }
        (delay, Ok(()))
    }

    fn shorten(&mut self, call: &Call<'_>, mut len: usize) -> usize {
        for armed in &mut self.rules {
            if armed.rule.fault == Fault::ShortWrite && len > 1 && armed.hits(call) {
                len = 1 + armed.rng.index(len - 1);
            }
        }
        len
    }

    fn may_show_stale(&self, call: &Call<'_>) -> bool {
        let read = Call { kind: CallKind::ReadAt, ..*call };
        let stale = |armed: &Armed| armed.rule.fault == Fault::StaleSector;
        self.rules.iter().any(|armed| stale(armed) && armed.rule.is_for(&read))
    }
}

impl Watcher for Faults {
    fn before(&self, call: &Call<'_>) -> io::Result<()> {
        let (delay, answer) = self.state().before(call);
        // Without the lock: a slow call holds up nobody else.
        std::thread::sleep(delay);
        answer
    }

    fn after_read(
        &self,
        call: &Call<'_>,
        file: &dyn FsFile,
        offset: u64,
        read: &mut [u8],
    ) -> io::Result<()> {
        let State { rules, sectors, .. } = &mut *self.state();
        for armed in rules {
            match armed.rule.fault {
                Fault::BitFlip => {
                    armed.flips(call, read);
                }
                Fault::StaleSector => {
                    let stale = sectors.stale(file, offset, read)?;
                    if !stale.is_empty() && armed.hits(call) {
                        let (at, old) = stale[armed.rng.index(stale.len())];
                        read[at..at + old.len()].copy_from_slice(old);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn len_to_write(
        &self,
        call: &Call<'_>,
        file: &dyn FsFile,
        offset: Option<u64>,
        len: usize,
    ) -> io::Result<usize> {
        let mut state = self.state();
        let len = state.shorten(call, len);
        if state.may_show_stale(call) {
            let offset = offset.map_or_else(|| file.metadata().map(|now| now.len), Ok)?;
            state.sectors.remember(file, offset, len)?;
        }
        Ok(len)
    }

    fn sync_failure(&self, call: &Call<'_>) -> Option<FsyncFailure> {
        self.state().rules.iter_mut().find_map(|armed| {
            let Fault::FailedSync(how) = armed.rule.fault else { return None };
            armed.hits(call).then_some(how)
        })
    }
}
