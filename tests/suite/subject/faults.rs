//! Runs on a failing disk: the workload goes on, and promises only what it reached.

use std::sync::Arc;

use faultfs::{CallKind, Event, Watched};
use plugpull::subject::{Recorded, Run, Workload, check};
use plugpull_store::{Durability, Options};

use crate::taps::{EIO, Failing, Fault};

fn failed(recorded: &Recorded) -> usize {
    let is = |event: &&Event| matches!(event, Event::Mark(text) if text.starts_with(b"failed"));
    recorded.trace.events.iter().filter(is).count()
}

fn run(workload: Workload, options: Options, fault: Fault) -> (Recorded, u64) {
    let failing = Arc::new(Failing::default());
    failing.set(fault);
    let run = Run { options, ..Run::new(workload, 1, 24) };
    let recorded = run.record_over(&|disk| Watched::new(disk, Arc::clone(&failing)));
    (recorded, failing.clear())
}

#[test]
fn what_a_failing_disk_leaves_is_owed_only_as_far_as_it_was_promised() {
    for workload in Workload::ALL {
        for seed in 0..6 {
            let fault = Fault::with(EIO).percent(6, seed);
            let (recorded, fired) = run(workload, Options::default(), fault);
            assert!(fired > 0 && failed(&recorded) > 0, "{}", workload.name());
            let end = recorded.trace.image_after(recorded.trace.events.len());
            let checked = check(&recorded.expected, &end, recorded.expected.marks());
            assert_eq!(checked.violations, [""; 0], "{} {seed}", workload.name());
        }
    }
}

#[test]
fn a_degraded_write_is_no_promise() {
    let options = Options::durability(Durability::BestEffort);
    let fault = Fault::with(EIO).on(&[CallKind::SyncAll]);
    let (recorded, fired) = run(Workload::Put, options, fault);
    assert!(fired > 0);
    let puts = recorded
        .trace
        .events
        .iter()
        .filter(|event| matches!(event, Event::Mark(text) if text.starts_with(b"put ")));
    assert_eq!(puts.count(), 0);
    assert!(failed(&recorded) > 10);
}
