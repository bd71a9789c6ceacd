//! Plans of those who work together: merges and rebases, reservations, the operation log.
//!
//! The seed chooses the story, one of four, and counts through its calls where somebody is killed. Not for
//! what each step does.

use super::claims::Wanted;
use super::plan::{Damage, Draw, Killed, Moment, Plan, Step, Then};
use super::workload::alone;

/// One of the steps that any writer may do beside its others; the first one also what only one may do.
pub(super) fn step(draw: &mut Draw, first: bool) -> Step {
    match draw.rng.u32(0..8) {
        0 if first => Step::Merge { ours: "main", theirs: "a", path: "file" },
        1 if first => Step::EndMerge,
        2 if first => Step::Rebase { branch: "a", onto: "main" },
        3 if first => Step::Checkpoint,
        4 if first => Step::Compact,
        0..4 => Step::Append(draw.text()),
        4..6 => draw.claim(false),
        6 => draw.release(),
        _ => Step::SweepReservations,
    }
}

/// Somebody who is killed when so many of its calls are missing.
fn killed(steps: Vec<Step>, missing: u64) -> Vec<Killed> {
    vec![Killed { init: false, steps, at: Moment::BeforeEnd(missing) }]
}

/// Begins a merge, or goes on with it.
pub(super) const MERGE: Step = Step::Merge { ours: "main", theirs: "topic", path: "file" };
/// Begins a rebase, or goes on with it.
pub(super) const REBASE: Step = Step::Rebase { branch: "topic", onto: "main" };

pub(super) fn state(draw: &mut Draw, seed: u64, size: usize) -> Plan {
    let before = vec![draw.commit("main"), draw.commit("topic")];
    let missing = seed / 4;
    match seed % 4 {
        // A merge or rebase is all that leads to what a collection looks at.
        1 => {
            let begin = if missing.is_multiple_of(2) { MERGE } else { REBASE };
            let mut steps = vec![begin, Step::Delete { branch: "topic" }, Step::Gc];
            steps.extend((3..size).map(|_| state_step(draw)));
            Plan { before, ..alone(steps) }
        }
        // One is ended by somebody who is killed, and a collection comes then.
        2 => {
            let before = [before, vec![MERGE, Step::Delete { branch: "topic" }]].concat();
            let steps = vec![Step::Gc; size.div_ceil(8).max(1)];
            Plan { before, killed: killed(vec![Step::EndMerge], missing), ..alone(steps) }
        }
        // A commit that a dead writer made is merged.
        3 => {
            let files = vec![("file", draw.bytes())];
            let step = |then| Step::GoOn { branch: "main", files: files.clone(), then };
            let killed = killed(vec![step(Then::Move)], missing);
            let mut steps = vec![step(Then::Merge)];
            steps.extend((2..size).map(|_| state_step(draw)));
            Plan { before, killed, ..alone(steps) }
        }
        _ => {
            let mut steps = vec![MERGE];
            steps.extend((1..size).map(|_| state_step(draw)));
            Plan { before, ..alone(steps) }
        }
    }
}

fn state_step(draw: &mut Draw) -> Step {
    match draw.rng.u32(0..8) {
        0..2 => MERGE,
        2..4 => Step::EndMerge,
        4..6 => REBASE,
        6 => Step::EndRebase,
        _ => draw.commit("main"),
    }
}

pub(super) fn coordination(draw: &mut Draw, seed: u64, size: usize) -> Plan {
    let missing = seed / 4;
    match seed % 4 {
        // Two want the same at the same time.
        1 => {
            let first = draw.claim(false);
            let each = size.div_ceil(2);
            let one = with_first(first.clone(), each, || coordination_step(draw));
            let other = with_first(again(first), each, || coordination_step(draw));
            Plan { writers: vec![one, other], ..Plan::default() }
        }
        // One that has expired is claimed by another, or swept.
        2 => {
            let first = draw.claim(true);
            let then = if missing.is_multiple_of(2) {
                again(first.clone())
            } else {
                Step::SweepReservations
            };
            let steps = with_first(then, size, || coordination_step(draw));
            Plan { before: vec![first], ..alone(steps) }
        }
        // What somebody has reserved who is killed is taken further by another one.
        3 => {
            let (first, intend, release) = (draw.claim(false), draw.intend(), draw.release());
            let mut steps = vec![first, intend.clone(), release.clone()];
            if missing % 4 < 2 {
                steps.pop();
            }
            let before = if missing.is_multiple_of(2) { vec![steps.remove(0)] } else { Vec::new() };
            let killed = killed(steps, missing / 4);
            Plan { before, killed, ..alone(vec![intend, release]) }
        }
        _ => {
            let first = vec![draw.claim(false), draw.intend()];
            let rest = (2..size).map(|_| coordination_step(draw));
            alone(first.into_iter().chain(rest).collect())
        }
    }
}

/// A step, and others up to so many in all.
fn with_first(first: Step, count: usize, others: impl FnMut() -> Step) -> Vec<Step> {
    let others = std::iter::repeat_with(others).take(count.saturating_sub(1));
    std::iter::once(first).chain(others).collect()
}

/// The same claim by another run.
fn again(claim: Step) -> Step {
    match claim {
        Step::Claim(wanted) => {
            Step::Claim(Wanted { run: format!("{}-again", wanted.run), short: false, ..wanted })
        }
        other => other,
    }
}

fn coordination_step(draw: &mut Draw) -> Step {
    match draw.rng.u32(0..8) {
        0..3 => draw.claim(false),
        3 => draw.claim(true),
        4 => draw.intend(),
        5..7 => draw.release(),
        _ => Step::SweepReservations,
    }
}

pub(super) fn oplog(draw: &mut Draw, seed: u64, size: usize) -> Plan {
    let missing = seed / 4;
    let [one, two, three] = [draw.text(), draw.text(), draw.text()].map(Step::Append);
    match seed % 4 {
        1 => {
            let each = size.div_ceil(2);
            let writer = with_first(two, each, || log_step(draw));
            let other = with_first(three, each, || Step::Append(draw.text()));
            Plan { before: vec![one], writers: vec![writer, other], ..Plan::default() }
        }
        2 => {
            let steps = with_first(two, size, || log_step(draw));
            Plan { before: vec![one], damage: Damage::TornLog, ..alone(steps) }
        }
        // What a dead writer appended is covered, what it covered is dropped, what it compacted is
        // appended to.
        3 => {
            let (before, steps, then) = match missing % 3 {
                0 => (vec![], vec![one], vec![Step::Checkpoint, three]),
                1 => (vec![one], vec![two, Step::Checkpoint], vec![Step::Compact, three]),
                _ => (vec![one, Step::Checkpoint], vec![Step::Compact], vec![three]),
            };
            Plan { before, killed: killed(steps, missing / 3), ..alone(then) }
        }
        _ => alone(with_first(one, size, || log_step(draw))),
    }
}

fn log_step(draw: &mut Draw) -> Step {
    match draw.rng.u32(0..6) {
        0..3 => Step::Append(draw.text()),
        3..5 => Step::Checkpoint,
        _ => Step::Compact,
    }
}
