//! The scheduler: turns are fair enough, waiting gives them away, and a deadlock is told.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use faultfs::{Access, Event, Fs, FsFile, LockMode, SimFs};
use plugpull::subject::interleave::{Turns, interleave};
use plugpull::subject::{Run, Workload};
use plugpull_store::{Bug, Options};

fn disk_with_locks() -> SimFs {
    let disk = SimFs::new();
    for name in ["/one", "/two"] {
        disk.create_new(Path::new(name), 0o644).unwrap();
    }
    disk
}

fn lock(fs: &Turns<SimFs>, path: &str) -> impl FsFile + use<> {
    let file = fs.open(Path::new(path), Access::Read).unwrap();
    file.lock(LockMode::Exclusive).unwrap();
    file
}

#[test]
fn calls_of_several_writers_are_mixed_and_locks_hold() {
    let disk = disk_with_locks();
    let inside = AtomicU32::new(0);
    interleave(1, 3, &|| disk.clone(), &|_, fs| fs, &|n, fs| {
        for round in 0..10 {
            let held = lock(&fs, "/one");
            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
            fs.mkdir(Path::new(&format!("/{n}-{round}")), 0o755).unwrap();
            inside.fetch_sub(1, Ordering::SeqCst);
            drop(held);
            fs.mkdir(Path::new(&format!("/{n}-{round}-free")), 0o755).unwrap();
        }
    });
    let threads: Vec<_> = disk
        .trace()
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Op { thread, .. } => Some(*thread),
            Event::Mark(_) => None,
        })
        .collect();
    let changes = threads.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!(changes > 15, "{threads:?}");
}

#[test]
#[should_panic(expected = "deadlock: everybody waits for a lock: writer 0 for /")]
fn a_deadlock_is_told() {
    let disk = disk_with_locks();
    // Some of these orders let both take their first lock.
    for seed in 0..100 {
        interleave(seed, 2, &|| disk.clone(), &|_, fs| fs, &|n, fs| {
            let names = if n == 0 { ["/one", "/two"] } else { ["/two", "/one"] };
            let _both = names.map(|name| lock(&fs, name));
        });
    }
}

#[test]
#[should_panic(expected = "the first cause")]
fn a_panic_of_one_writer_ends_them_all() {
    let disk = disk_with_locks();
    interleave(1, 2, &|| disk.clone(), &|_, fs| fs, &|n, fs| {
        let _held = lock(&fs, "/one");
        assert_ne!(n, 1, "the first cause");
    });
}

#[test]
fn a_race_that_both_writers_win_is_a_contradiction() {
    let found = (0..10).filter(|seed| {
        let options = Options::default().planted(Bug::LostUpdate);
        let run = Run { options, ..Run::new(Workload::CasRace, *seed, 24) };
        let recorded = run.record();
        let end = recorded.trace.image_after(recorded.trace.events.len());
        let marks = recorded.expected.marks();
        let checked = plugpull::subject::check(&recorded.expected, &end, marks);
        checked.violations.iter().any(|v| v.contains("expected one of the two to be refused"))
    });
    let found = found.count();
    assert!(found > 3, "{found}");
}

/// The Marks of a run.
fn marks(workload: Workload, seed: u64) -> Vec<String> {
    let events = Run::new(workload, seed, 24).record().trace.events;
    let text = |event: &Event| match event {
        Event::Mark(text) => Some(String::from_utf8_lossy(text).into_owned()),
        Event::Op { .. } => None,
    };
    events.iter().filter_map(text).collect()
}

#[test]
fn writers_meet_in_most_runs() {
    let mut refused = 0;
    let mut beside = 0;
    for seed in 0..20 {
        let race = marks(Workload::CasRace, seed);
        refused += u32::from(race.iter().any(|mark| mark.starts_with("refused")));
        let gc = marks(Workload::GcBesideWriter, seed);
        let begins = gc.iter().position(|mark| mark == "gc begins").unwrap();
        let ends = gc.iter().position(|mark| mark == "gc").unwrap();
        beside += u32::from(ends > begins + 1 && ends + 1 < gc.len());
    }
    assert!(refused > 10, "{refused} races of 20 had a loser");
    assert!(beside > 10, "{beside} collections of 20 had a writer beside them");
}
