//! `plugpull::test` as the author of a store uses it: an append log over the seam, with its mistakes and
//! without.
//!
//! Not for what the search finds in general (`litmus`, `findings`).

mod program;

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use faultfs::{Access, Fs, FsFile, SimFs};
use plugpull::exit::{Exit, Failure};
use plugpull::explore::Tier;
use plugpull::outcome::{FindingTold, Outcome};
use plugpull::test::Explore;

const LOG: &str = "/log";

/// What the log leaves out.
#[derive(Clone, Copy, PartialEq)]
enum Mistake {
    None,
    /// The entry is acknowledged before it is durable.
    Entry,
    /// The log's name is not made durable.
    Name,
}

/// Appends three numbered entries of eight bytes, each acknowledged.
fn write(disk: &SimFs, mistake: Mistake) -> io::Result<()> {
    let log = disk.create_new(Path::new(LOG), 0o644)?;
    if mistake != Mistake::Name {
        disk.sync_dir(Path::new("/"))?;
    }
    for entry in 0..3_u64 {
        log.write_all_at(&(entry + 1).to_le_bytes(), entry * 8)?;
        if mistake != Mistake::Entry {
            log.sync_data()?;
        }
        disk.mark(format!("{}", entry + 1).as_bytes());
    }
    Ok(())
}

/// What was acknowledged is read back, in order; an unfinished entry at the end is no fault.
fn check(disk: &SimFs, marks: &[String]) -> Result<(), String> {
    let mut bytes = [0; 64];
    let read = disk.open(Path::new(LOG), Access::Read);
    let n = read.and_then(|log| log.read_full_at(&mut bytes, 0)).unwrap_or(0);
    let entries = bytes[..n].chunks_exact(8).map(|b| u64::from_le_bytes(b.try_into().unwrap()));
    let good = entries.zip(1..).take_while(|(found, entry)| found == entry).count();
    if good < marks.len() {
        return Err(format!("{} entries were acknowledged, {good} can be read", marks.len()));
    }
    Ok(())
}

fn explored(mistake: Mistake) -> Outcome {
    Explore::new("append log").run(|disk| write(disk, mistake), check).unwrap()
}

#[test]
fn a_log_that_syncs_in_time_passes_and_its_check_has_teeth() {
    let outcome = explored(Mistake::None);
    outcome.assert_no_violation();
    assert!(outcome.control.contains("with no barrier at all the checker fails"), "{outcome:#?}");
}

#[test]
fn the_missing_barrier_of_each_mistake_is_named() {
    // The fsync of a new file makes its name durable on ext4, xfs and btrfs, but POSIX owes that to nobody.
    let named =
        [(Mistake::Entry, "fsync(log)", Exit::Violation), (Mistake::Name, "fsync(.)", Exit::Clean)];
    for (mistake, barrier, exit) in named {
        let outcome = explored(mistake);
        assert_eq!(outcome.exit, exit, "{}", outcome.text());
        let missing: Vec<_> = outcome.findings.iter().map(FindingTold::missing).collect();
        assert!(missing.iter().any(|text| text.contains(barrier)), "{missing:#?}");
    }
    let strict = Explore::new("append log").fail_on(&["posix"]);
    let outcome = strict.run(|disk| write(disk, Mistake::Name), check).unwrap();
    assert_eq!(outcome.exit, Exit::Violation);
}

#[test]
fn the_panic_reads_like_the_report() {
    let outcome = explored(Mistake::Entry);
    let panic = std::panic::catch_unwind(|| outcome.assert_no_violation()).unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    for part in
        ["a power cut breaks a promise", "FINDING ", "--- power cut ---", "missing: ", "LOST"]
    {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
}

#[test]
fn a_run_shows_the_same_on_any_number_of_threads() {
    let run = |jobs| {
        let explore = Explore::new("append log").jobs(jobs);
        let outcome = explore.run(|disk| write(disk, Mistake::Name), check).unwrap();
        (outcome.findings, outcome.searched, outcome.judged)
    };
    assert_eq!(run(1), run(4));
}

#[test]
fn a_token_makes_its_state_again() {
    let token = explored(Mistake::Entry).findings[0].token.clone();
    let replay =
        |mistake| Explore::new("append log").replay(&token, |disk| write(disk, mistake), check);
    assert!(replay(Mistake::Entry).unwrap().unwrap_err().contains("can be read"));
    assert!(replay(Mistake::None).is_err(), "the token of another run");
}

#[test]
fn a_check_that_panics_is_a_violation_and_the_search_goes_on() {
    let asked = AtomicUsize::new(0);
    let outcome = Explore::new("append log").models(&["ext4"]).tier(Tier::T1).run(
        |disk| write(disk, Mistake::None),
        |disk, marks| {
            asked.fetch_add(1, Ordering::Relaxed);
            assert!(disk.metadata(Path::new(LOG)).is_ok(), "no log for {marks:?}");
            Ok(())
        },
    );
    let outcome = outcome.unwrap();
    assert_eq!(outcome.exit, Exit::Violation);
    assert!(outcome.findings[0].message.contains("the check panicked: no log"), "{outcome:#?}");
    assert!(asked.into_inner() > 5);
}

#[test]
fn what_tells_nothing_is_no_clean_outcome() {
    let explore = Explore::new("append log");
    let broken = explore.run(|disk| write(disk, Mistake::None), |_, _| Err("always".to_owned()));
    assert!(matches!(broken, Err(Failure::Harness(why)) if why.contains("always")));
    let failing = explore.run(|_| Err(io::Error::other("full")), check);
    assert!(matches!(failing, Err(Failure::Program(why)) if why.contains("full")));
    let idle = explore.run(|_| Ok(()), check).unwrap();
    assert_eq!(idle.exit, Exit::NothingDone);
    assert!(std::panic::catch_unwind(|| idle.assert_no_violation()).is_err());
    let unknown = explore.models(&["fat12"]).run(|disk| write(disk, Mistake::None), check);
    assert!(matches!(unknown, Err(Failure::Usage(_))));
}
