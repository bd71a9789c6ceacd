//! Plans in which a process is killed and another one builds on what it left.
//!
//! A kill loses nothing, so the second process sees all that the first one did; but the first one never
//! came to its barriers, and a power cut that follows loses what only was visible. In one trace, so what
//! was pending stays pending.
//!
//! Not for what lies on the disk durably when a run begins: see `start`.

use super::plan::{Begin, Bytes, Damage, Draw, Killed, Moment, Plan, Step, Then};
use super::workload::{RESTORED, alone, leftovers, put_again, times};

/// How many things the two may do; the seed counts through them first.
pub const STORIES: u64 = 17;

/// The story that the seed chooses.
pub(super) fn plan(draw: &mut Draw, seed: u64, size: usize) -> Plan {
    let missing = seed / STORIES;
    let killed = |steps| vec![Killed { init: false, steps, at: Moment::BeforeEnd(missing) }];
    let count = size.div_ceil(8);
    match seed % STORIES {
        0 => {
            let puts: Vec<_> = times(count, || put_again(&draw.bytes()));
            Plan { killed: killed(puts.clone()), ..alone(puts) }
        }
        1 => go_on(draw, count, missing, Then::Move),
        2 => go_on(draw, count, missing, Then::Head),
        3 => go_on(draw, count, missing, Then::Child),
        4 => {
            let commits = times(count, || draw.commit("new/deep/branch"));
            Plan { killed: killed(commits.clone()), ..alone(commits) }
        }
        5 => {
            let before = vec![draw.commit("main"), draw.commit("topic")];
            let delete = vec![Step::Delete { branch: "topic" }];
            Plan { before, killed: killed(delete), ..alone(collect(draw, count)) }
        }
        6 => {
            let before = vec![
                draw.commit("main"),
                draw.commit("topic"),
                Step::Detach { branch: "topic" },
                Step::Delete { branch: "topic" },
            ];
            // The collector is older than the one that is killed: its open makes nothing durable.
            let attach = killed(vec![Step::Attach { branch: "main" }]);
            let begin = Begin::OpenFirst;
            Plan { begin, before, killed: attach, ..alone(collect(draw, count)) }
        }
        7 | 15 => {
            // Its history is collected, and then written again; also by a writer that is older than the
            // collection.
            let begin = if seed % STORIES == 7 { Begin::Open } else { Begin::OpenFirst };
            let topic = draw.commit("topic");
            let before = vec![draw.commit("main"), topic.clone(), Step::Delete { branch: "topic" }];
            let again = times(count, || topic.clone());
            Plan { begin, before, killed: killed(vec![Step::Gc]), ..alone(again) }
        }
        8 => {
            let before = times(4, || draw.put(false));
            let restores = times(count, || draw.restore("tree"));
            Plan { before, killed: killed(restores.clone()), ..alone(restores) }
        }
        9 => {
            let before = times(4, || draw.put(false));
            let restores = times(count, || draw.restore("tree"));
            Plan { before, killed: killed(restores), ..alone(collect(draw, count)) }
        }
        10 => {
            let plan = leftovers(draw);
            Plan { killed: killed(Vec::new()), writers: vec![collect(draw, count)], ..plan }
        }
        11 => {
            let corrupt: Vec<Bytes> = times(count, || draw.bytes());
            let puts: Vec<_> = corrupt.iter().map(put_again).collect();
            let (before, damage) = (puts.clone(), Damage::Corrupt(corrupt));
            Plan { before, damage, killed: killed(puts.clone()), ..alone(puts) }
        }
        12 => {
            let texts = times(count, || draw.write_text());
            Plan { begin: Begin::Texts, killed: killed(texts.clone()), ..alone(texts) }
        }
        13 => {
            let before = vec![draw.commit("main"), draw.commit("topic")];
            let delete = times(count, || Step::Delete { branch: "topic" });
            Plan { before, killed: killed(delete.clone()), ..alone(delete) }
        }
        14 => {
            let before = vec![draw.commit("main")];
            let damage = Damage::BadRecord;
            Plan { before, damage, killed: killed(vec![Step::Gc]), ..alone(collect(draw, count)) }
        }
        _ => {
            // Two dead ones: what the sweep of the second removed may come back to the third.
            let plan = leftovers(draw);
            let restore =
                Step::Restore { bytes: draw.known(), to: RESTORED.to_owned(), executable: false };
            let [first, second] = [missing / 8, missing % 8].map(Moment::BeforeEnd);
            let first = Killed { init: false, steps: vec![restore], at: first };
            let second = Killed { init: false, steps: vec![Step::Gc], at: second };
            Plan { killed: vec![first, second], writers: vec![collect(draw, count)], ..plan }
        }
    }
}

/// An init that is killed, and one that is not. The seed counts through three ways of it: the first one's
/// calls from the end; from the start; and from the end, with all that it did durable.
pub(super) fn init(seed: u64) -> Plan {
    let calls = seed / 3;
    let at = match seed % 3 {
        0 => Moment::BeforeEnd(calls),
        1 => Moment::After(calls),
        _ => {
            let init_before = Some(Moment::BeforeEnd(calls));
            return Plan { begin: Begin::Init, init_before, ..Plan::default() };
        }
    };
    let killed = vec![Killed { init: true, steps: Vec::new(), at }];
    Plan { begin: Begin::Init, killed, ..Plan::default() }
}

/// An init of an older store that is killed, and one that is not. The seed counts through the first one's
/// calls, from the end and from the start.
pub(super) fn raise(draw: &mut Draw, seed: u64) -> Plan {
    let calls = seed / 2;
    let at = if seed.is_multiple_of(2) { Moment::BeforeEnd(calls) } else { Moment::After(calls) };
    let killed = vec![Killed { init: true, steps: Vec::new(), at }];
    let before = vec![draw.commit("main"), Step::Attach { branch: "topic" }];
    let (begin, damage) = (Begin::Raise, Damage::OlderFormat);
    Plan { begin, before, damage, killed, ..Plan::default() }
}

/// A writer makes commits, and is killed; the next one takes up what is visible of them.
fn go_on(draw: &mut Draw, count: usize, missing: u64, then: Then) -> Plan {
    let files = || vec![("file", draw.bytes())];
    let all: Vec<_> = times(count, files);
    let step = |files: &Vec<_>, then| Step::GoOn { branch: "main", files: files.clone(), then };
    let steps = all.iter().map(|files| step(files, Then::Move)).collect();
    let killed = vec![Killed { init: false, steps, at: Moment::BeforeEnd(missing) }];
    Plan { killed, ..alone(all.iter().map(|files| step(files, then)).collect()) }
}

/// Collections with puts of what they may have collected between them.
fn collect(draw: &mut Draw, count: usize) -> Vec<Step> {
    let mut steps = vec![Step::Gc];
    steps.extend((1..count).flat_map(|_| [put_again(&draw.bytes()), Step::Gc]));
    steps
}
