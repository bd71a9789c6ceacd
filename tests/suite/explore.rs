//! The search among crash states: complete, counted, and the same on any number of threads.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;

use faultfs::{Fs, FsFile, ImageHash, Legal, Model, PersistOrder, SimFs, Trace, Window};
use plugpull::explore::{self, Bounds, Coverage, Tier, Until, explore};

/// Files that are written, some synced, with a Mark after each sync.
fn run(files: u32) -> Trace {
    let disk = SimFs::new();
    for n in 0..files {
        let path = format!("/file-{n}");
        let file = disk.create_new(Path::new(&path), 0o644).unwrap();
        file.write_all_at(format!("content {n}").as_bytes(), 0).unwrap();
        if n % 3 == 0 {
            file.sync_all().unwrap();
            disk.sync_dir(Path::new("/")).unwrap();
            disk.mark(path.as_bytes());
        }
    }
    disk.trace()
}

/// A run in which nothing is synced.
fn unsynced(files: u32) -> Trace {
    let disk = SimFs::new();
    for n in 0..files {
        disk.create_new(Path::new(&format!("/file-{n}")), 0o644).unwrap();
    }
    disk.trace()
}

/// So much found, and nobody who asks for the end.
fn until(found: u64) -> Until<'static> {
    Until { found, stop: &|| false }
}

fn order(trace: &Trace, model: &str) -> PersistOrder {
    PersistOrder::new(trace, Model::preset(model).unwrap())
}

/// All states within the bounds, in the order of the search: crash point, Marks, image.
fn states(order: &PersistOrder, bounds: Bounds) -> (Vec<(u32, u32, ImageHash)>, Coverage) {
    let mut found = Vec::new();
    let coverage = explore(order, bounds, &mut |state| {
        found.push((state.window.point(), state.window.marks(), state.image.hash()));
        ControlFlow::Continue(())
    });
    (found, coverage)
}

#[test]
fn the_second_tier_finds_every_legal_set_once() {
    for model in Model::names() {
        let order = order(&run(5), model);
        let bounds = Bounds { window: 1 << 20, ..Bounds::of(Tier::T2) };
        let (found, coverage) = states(&order, bounds);
        let mut all = BTreeSet::new();
        let mut window = Window::first(&order);
        loop {
            let _all = Legal::all(&window).visit::<()>(&mut |image: &faultfs::DiskImage, _| {
                all.insert((window.marks(), image.hash()));
                ControlFlow::Continue(())
            });
            if !window.advance() {
                break;
            }
        }
        let distinct: BTreeSet<_> = found.iter().map(|(_, marks, hash)| (*marks, *hash)).collect();
        assert_eq!(distinct.len(), found.len(), "{model}: a state was looked at twice");
        assert!(distinct == all, "{model}: {} states of {}", distinct.len(), all.len());
        assert!(coverage.is_exhaustive() && coverage.is_complete(), "{model}: {coverage:?}");
        assert_eq!(coverage.states(), found.len() as u64, "{model}");
        assert!(coverage.enumerated() >= coverage.states(), "{model}");
    }
}

#[test]
fn crash_points_after_a_barrier_or_a_mark_come_first() {
    let order = order(&run(4), "posix");
    let (found, coverage) = states(&order, Bounds::of(Tier::T0));
    let telling = |(point, ..): &(u32, u32, ImageHash)| order.is_telling(*point);
    let first_other = found.iter().position(|state| !telling(state)).unwrap();
    assert!(first_other > 4 && !found[first_other..].iter().any(telling), "{found:?}");
    assert_eq!(coverage.points, order.events() + 1);
}

#[test]
fn the_budget_ends_the_search_and_is_told() {
    let order = order(&unsynced(12), "posix");
    let bounds = Bounds { budget: 100, ..Bounds::of(Tier::T3) };
    let (found, coverage) = states(&order, bounds);
    assert_eq!(found.len(), 100);
    assert!(!coverage.is_complete() && !coverage.is_exhaustive());
    let all = states(&order, Bounds::of(Tier::T3)).0;
    assert_eq!(all.len(), 1 << 12);
    assert_eq!(found, all[..100]);
}

#[test]
fn a_window_that_is_too_large_is_named_and_sampled() {
    let order = order(&unsynced(40), "posix");
    let bounds = Bounds { window: 1000, budget: 20_000, ..Bounds::of(Tier::T3) };
    let (_, coverage) = states(&order, bounds);
    // New sets double with each file: 512 with the tenth, 1024 with the eleventh.
    let points: Vec<_> = coverage.skipped.iter().map(|skipped| skipped.point).collect();
    assert_eq!(points, (11..=40).collect::<Vec<_>>());
    assert!(coverage.skipped.iter().all(|skipped| skipped.pending == skipped.point as usize));
    assert!(coverage.tiers[2].complete && !coverage.is_exhaustive());
    assert_eq!(coverage.states(), 20_000);
    // Another seed draws other sets, the same seed the same ones.
    let seeded = |seed| states(&order, Bounds { seed, ..bounds }).0;
    assert_eq!(seeded(1), seeded(1));
    assert_ne!(seeded(1), seeded(2));
}

#[test]
fn what_is_found_does_not_depend_on_the_number_of_threads() {
    let order = order(&run(9), "posix");
    let check = |jobs| {
        explore::check(&order, Bounds::of(Tier::T2), jobs, until(u64::MAX), &|checked| {
            // Any property will do that holds for some states and not for others.
            (checked.image.hash().0 % 3 == 0).then(|| checked.image.hash())
        })
    };
    let (coverage, found) = check(1);
    assert!(found.len() > 20 && (found.len() as u64) < coverage.states());
    for jobs in [2, 3, 8] {
        assert!(check(jobs) == (coverage.clone(), found.clone()), "{jobs} jobs");
    }
    for found in found {
        let again: faultfs::CrashState = found.state.to_string().parse().unwrap();
        assert_eq!(again.image(&order).unwrap().hash(), found.what);
    }
}

#[test]
fn a_panic_of_the_checker_ends_the_run() {
    let order = order(&unsynced(12), "posix");
    let run = || {
        explore::check::<()>(&order, Bounds::of(Tier::T2), 2, until(1), &|_| panic!("checker"));
    };
    assert!(std::panic::catch_unwind(run).is_err());
}

#[test]
fn a_search_ends_when_enough_was_found_on_any_number_of_threads() {
    let order = order(&unsynced(14), "posix");
    let bounds = Bounds::of(Tier::T2);
    let check = |jobs| explore::check(&order, bounds, jobs, until(100), &|_| Some(()));
    let (coverage, found) = check(1);
    assert_eq!((coverage.states(), found.len()), (1024, 1024));
    assert!(!coverage.is_complete());
    assert!(check(3) == (coverage, found));
}
