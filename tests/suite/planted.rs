//! Planted mistakes that the torture run must find, or a clean run means nothing.
//!
//! Those that its writers do not come by, or that only show without power, are not for here.

use plugpull_store::Bug;

use crate::program::plugpull;

/// Seed of all runs here; printed by the run itself.
const SEED: &str = "1";

/// Twice as many as there are calls, so that each is hit.
const KILLS: &str = "480";

fn torture_with(bug: Option<&str>) -> crate::program::Ended {
    let mut args = vec!["torture", "--commits", "1000", "--kills", KILLS, "--seed", SEED];
    args.extend(["--power-cuts", "0"]);
    args.extend(["--message-format", "json-lines"]);
    if let Some(bug) = bug {
        args.extend(["--planted", bug]);
    }
    plugpull(args)
}

/// Finds the mistake, keeps the store and says which kind of violation it was.
#[track_caller]
fn assert_found(bug: &str, kinds: &[&str]) {
    assert!(Bug::named(bug).is_some());
    let ended = torture_with(Some(bug));
    ended.assert(100, &[]);
    let end = &ended.events("end")[0];
    let kept = end["kept"].as_str().unwrap();
    std::fs::remove_dir_all(std::path::Path::new(kept).parent().unwrap()).unwrap();
    let found = ended.events("finding");
    let kind = found[0]["kind"].as_str().unwrap();
    assert!(kinds.contains(&kind), "{bug} was found as {found:#?}");
}

#[test]
fn an_object_named_before_it_is_written() {
    assert_found("rename-before-write", &["corrupt", "corrupt-object", "writer-failed"]);
}

#[test]
fn a_branch_written_in_place() {
    assert_found("ref-in-place", &["corrupt", "bad-ref", "writer-failed"]);
}

#[test]
fn a_sweep_that_takes_the_temps_of_live_writers() {
    assert_found("sweep-live-temps", &["writer-failed"]);
}

#[test]
fn a_branch_update_that_overwrites_somebody_elses() {
    assert_found("lost-update", &["lost-commit", "history-rewritten", "acknowledged-twice"]);
}

#[test]
fn a_commit_acknowledged_before_its_branch_moved() {
    assert_found("ack-before-commit", &["lost-commit", "acknowledged-twice"]);
}

#[test]
fn the_control_without_a_mistake_is_not_flagged() {
    let ended = torture_with(None);
    ended.assert(0, &[]);
    assert_eq!(ended.events("finding").len(), 0);
}

#[test]
fn a_mistake_that_there_is_not_is_refused() {
    plugpull(["torture", "--planted", "no-such"])
        .assert(2, &["no planted mistake", "ref-in-place"]);
}
