//! Plans with transient packs: fetches, sweeps at several times, imports.
//!
//! Times are seconds after the run began, whose own clock hardly goes on meanwhile: what is swept is said
//! by the plan.

use super::plan::{Damage, Draw, Killed, Moment, Plan, Step};
use super::workload::{alone, times};

/// How long packs are to be read, in seconds. They are kept twice as long.
const TTLS: [u64; 2] = [30, 3600];

/// When packs are swept: before any is due, after those of the first time, after all of them.
const SWEEPS: [u64; 3] = [10, 70, 8000];

/// A pack of the shorter time.
pub(super) const FETCH: Step = Step::Fetch { branch: "topic", have: None, ttl: TTLS[0] };

/// When packs of the shorter time are due.
pub(super) const SWEEP: Step = Step::SweepPacks { after: SWEEPS[1] };

/// Later than every pack of a plan is due.
pub(super) const LATE: u64 = 100_000;

/// One or two writers that fetch what one of them commits.
pub(super) fn plan(draw: &mut Draw, size: usize) -> Plan {
    let mut before = vec![draw.commit("main"), draw.commit("topic")];
    let keeps = draw.rng.u8(0..4) == 0;
    if keeps {
        // An object with the bytes of a pack that will be deleted.
        before.push(Step::KeepPack { branch: "topic" });
    }
    let damage = if draw.rng.bool() { Damage::OldPacks } else { Damage::None };
    let mut first = vec![FETCH];
    if keeps {
        first.push(SWEEP);
    }
    first.extend((first.len()..size).map(|_| step(draw)));
    let mut writers = vec![first];
    if size > 4 && draw.rng.bool() {
        writers.push(times(size / 3, || step(draw)));
    }
    Plan { before, damage, writers, ..Plan::default() }
}

fn step(draw: &mut Draw) -> Step {
    match draw.rng.u32(0..10) {
        0..4 => fetch(draw, "topic"),
        4 => fetch(draw, "main"),
        5..8 => sweep(draw),
        8 => draw.commit("main"),
        _ => Step::Import { branch: "imported", files: vec![("file", draw.bytes())] },
    }
}

/// A fetch of one of the two times, or of the bytes at once; half of the time of what `main` does not
/// lead to.
pub(super) fn fetch(draw: &mut Draw, branch: &'static str) -> Step {
    let have = (branch != "main" && draw.rng.bool()).then_some("main");
    let ttl = if draw.rng.u8(0..8) == 0 { 0 } else { TTLS[draw.rng.usize(..TTLS.len())] };
    Step::Fetch { branch, have, ttl }
}

/// A sweep at one of the three times.
pub(super) fn sweep(draw: &mut Draw) -> Step {
    Step::SweepPacks { after: SWEEPS[draw.rng.usize(..SWEEPS.len())] }
}

/// How many things those of [`after_kill`] may do.
const STORIES: u64 = 4;

/// One that is killed, so many calls before its end, and another one.
pub(super) fn after_kill(draw: &mut Draw, seed: u64, size: usize) -> Plan {
    let before = vec![draw.commit("topic")];
    let at = Moment::BeforeEnd(seed / STORIES);
    let killed = |steps| vec![Killed { init: false, steps, at }];
    let count = size.div_ceil(4);
    match seed % STORIES {
        // The same again: of what the first one did it only sees that it is there.
        0 => Plan { before, killed: killed(vec![FETCH]), ..alone(times(count, || FETCH)) },
        // A longer time on top of one that is not certain yet, and a sweep that is to leave it.
        1 => {
            let longer = Step::Fetch { branch: "topic", have: None, ttl: TTLS[1] };
            let writer = times(count, || longer.clone()).into_iter().chain([SWEEP]).collect();
            Plan { before, killed: killed(vec![FETCH]), ..alone(writer) }
        }
        // A deletion that is gone on with.
        2 => {
            let before = [before, vec![FETCH]].concat();
            Plan { before, killed: killed(vec![SWEEP]), ..alone(times(count, || SWEEP)) }
        }
        // And a new pack of equal content.
        _ => {
            let before = [before, vec![FETCH]].concat();
            let writer = times(count, || FETCH).into_iter().chain([SWEEP]).collect();
            Plan { before, killed: killed(vec![SWEEP]), ..alone(writer) }
        }
    }
}
