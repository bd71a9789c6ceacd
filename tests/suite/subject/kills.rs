//! Every workload, killed after every call: nothing acknowledged is lost, and nothing else is there.

use faultfs::Event;
use plugpull::subject::{ALL_PAIRS, STORIES, Workload, check};

use super::{check_after, marks_before, record, text_of};

/// Size of the traces that are looked at exhaustively.
const SMALL: usize = 2;

/// Longest small trace.
const MOST_OPS: usize = 60;

#[track_caller]
fn nothing_is_lost(workload: Workload, seeds: std::ops::Range<u64>, size: usize) {
    for seed in seeds {
        let recorded = record(workload, seed, size);
        let failed = recorded.trace.events.iter().find_map(|event| match event {
            Event::Mark(text) if text.starts_with(b"failed") => Some(String::from_utf8_lossy(text)),
            _ => None,
        });
        assert_eq!(failed, None, "{} {seed}", workload.name());
        let mut image = recorded.trace.start.clone();
        for k in 0..=recorded.trace.events.len() {
            let violations = if k % 3 == 0 {
                check_after(&recorded, &image, k)
            } else {
                check(&recorded.expected, &image, marks_before(&recorded, k)).violations
            };
            assert_eq!(violations, [""; 0], "{} seed {seed} after {k} events", workload.name());
            if let Some(Event::Op { op, time, .. }) = recorded.trace.events.get(k) {
                op.apply(&mut image, *time);
            }
        }
    }
}

#[test]
fn puts() {
    nothing_is_lost(Workload::Put, 0..4, 4);
    nothing_is_lost(Workload::PutFromPath, 0..4, 4);
}

#[test]
fn restores() {
    nothing_is_lost(Workload::Restore, 0..6, 6);
}

#[test]
fn commits_and_branches() {
    nothing_is_lost(Workload::Commit, 0..3, 8);
    nothing_is_lost(Workload::Branches, 0..6, 8);
}

#[test]
fn two_writers_of_one_branch() {
    nothing_is_lost(Workload::CasRace, 0..8, 16);
}

#[test]
fn a_collection_beside_a_writer() {
    nothing_is_lost(Workload::GcBesideWriter, 0..12, 12);
}

#[test]
fn repairs_and_leftovers() {
    nothing_is_lost(Workload::Repair, 0..3, 4);
    nothing_is_lost(Workload::OpenAfterCrash, 0..6, 8);
}

#[test]
fn a_store_in_the_making() {
    nothing_is_lost(Workload::Init, 0..1, 1);
    for seed in [15, 19, 32] {
        nothing_is_lost(Workload::InitAfterKill, seed..seed + 1, 1);
    }
}

#[test]
fn an_older_store_that_is_raised() {
    nothing_is_lost(Workload::Raise, 0..40, 1);
}

#[test]
fn those_who_work_together() {
    nothing_is_lost(Workload::State, 0..48, SMALL);
    nothing_is_lost(Workload::State, 0..4, 12);
    nothing_is_lost(Workload::Coordination, 0..96, SMALL);
    nothing_is_lost(Workload::Coordination, 0..12, 12);
    nothing_is_lost(Workload::OpLog, 0..96, SMALL);
    nothing_is_lost(Workload::OpLog, 0..12, 12);
    nothing_is_lost(Workload::Config, 0..30, SMALL);
    nothing_is_lost(Workload::Operations, 0..80, SMALL);
}

#[test]
fn texts_and_opens() {
    nothing_is_lost(Workload::Text, 0..4, 6);
    nothing_is_lost(Workload::OpenRace, 0..8, 8);
}

#[test]
fn commits_of_a_group_and_imports() {
    nothing_is_lost(Workload::Group, 0..6, 8);
    nothing_is_lost(Workload::Import, 0..3, 8);
}

#[test]
fn who_builds_on_what_a_dead_one_left() {
    nothing_is_lost(Workload::AfterKill, 0..8 * STORIES, SMALL);
}

#[test]
fn packs_that_are_fetched_and_swept() {
    nothing_is_lost(Workload::Packs, 0..8, 8);
    nothing_is_lost(Workload::PacksAfterKill, 0..48, SMALL);
}

#[test]
fn two_operations_of_any_two_kinds() {
    nothing_is_lost(Workload::Pairs, 0..ALL_PAIRS, SMALL);
}

#[test]
fn all_of_it() {
    nothing_is_lost(Workload::Mixed, 0..12, 12);
}

#[test]
fn a_recovery_that_is_cut_off_is_made_again() {
    let recorded = record(Workload::OpenAfterCrash, 1, 4);
    let first = check(&recorded.expected, &recorded.trace.start, 0);
    assert!(first.recovery.ops().count() > 6, "the recovery had little to do");
    for k in 0..=first.recovery.events.len() {
        let violations = check_after(&recorded, &first.recovery.image_after(k), 0);
        assert_eq!(violations, [""; 0], "recovery cut off after {k} events");
    }
}

#[test]
fn the_same_seed_is_the_same_trace() {
    for workload in Workload::ALL {
        for seed in 0..3 {
            let [one, other] = [0, 1].map(|_| record(workload, seed, 24));
            assert_eq!(text_of(&one), text_of(&other), "{} {seed}", workload.name());
        }
        let different = text_of(&record(workload, 7, 24)) != text_of(&record(workload, 8, 24));
        assert_eq!(different, workload != Workload::Init, "{}", workload.name());
    }
}

#[test]
fn small_traces_are_small_and_long_ones_are_long() {
    let inits = [Workload::Init, Workload::InitAfterKill, Workload::Raise];
    for workload in Workload::ALL.into_iter().filter(|workload| !inits.contains(workload)) {
        for seed in 0..20 {
            let small = record(workload, seed, SMALL).trace.ops().count();
            assert!((1..=MOST_OPS).contains(&small), "{} {seed}: {small}", workload.name());
        }
        // Most of many claims are refused, and a refusal changes nothing.
        if workload == Workload::Coordination {
            continue;
        }
        let long = record(workload, 1, 200).trace.ops().count();
        assert!((300..=3000).contains(&long), "{}: {long}", workload.name());
    }
}

#[test]
fn a_workload_is_known_by_its_name() {
    for workload in Workload::ALL {
        assert_eq!(Workload::parse(workload.name()), Some(workload));
    }
    assert_eq!(Workload::parse("no-such"), None);
}
