//! The planted mistakes: each does something wrong, and does nothing unless it is planted.
//!
//! That each is found is for the runs that each names; here, only that none is dead.

use std::collections::BTreeSet;

use plugpull_store::{Bug, Options};

use super::workload::{everything, failures};

#[test]
fn each_mistake_changes_what_the_store_does() {
    let options = Options::default();
    let (whole, failing) = (everything(options), failures(options));
    for bug in Bug::ALL {
        // One is made by the writers of the runner, the other takes a failing barrier of several threads.
        if [Bug::AckBeforeCommit, Bug::GroupErrorToFirst].contains(bug) {
            continue;
        }
        let planted = options.planted(*bug);
        let same = everything(planted) == whole && failures(planted) == failing;
        assert!(!same, "{} does nothing", bug.name());
    }
}

#[test]
fn a_run_without_a_mistake_can_be_made_again() {
    let options = Options::default();
    assert!(everything(options) == everything(options));
    assert!(failures(options) == failures(options));
}

#[test]
fn each_mistake_has_a_name_of_its_own() {
    let names: BTreeSet<_> = Bug::ALL.iter().map(|bug| bug.name()).collect();
    assert_eq!(names.len(), Bug::ALL.len());
    for bug in Bug::ALL {
        assert_eq!(Bug::named(bug.name()), Some(*bug));
        assert!(bug.name().bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{bug:?}");
        assert!(bug.about().ends_with('.') && !bug.found_by().name().is_empty());
    }
    assert_eq!(Bug::named("no such"), None);
}
