//! Tier 2: the states of a merge and of a rebase.

use std::path::PathBuf;

use plugpull_store::{Known, MergeState, ObjectId, RebaseState};
use serde_json::{Value, from_str};

use super::{assert_temps_of_their_own, text};
use crate::protocol::{Write, recorded};
use crate::scratch::{Scratch, branch, commit};

fn merge(commits: [ObjectId; 3], paths: &[&str]) -> MergeState {
    let [base_commit, ours_commit, theirs_commit] = commits;
    let conflict_paths = paths.iter().map(|path| (*path).to_owned()).collect();
    MergeState { base_commit, ours_commit, theirs_commit, conflict_paths, other_branch: None }
}

fn rebase([head, onto, next]: [ObjectId; 3], squash: bool) -> RebaseState {
    RebaseState {
        original_branch: branch("main"),
        original_head: head,
        onto,
        remaining: vec![next],
        completed: Vec::new(),
        squash,
    }
}

fn with_commits() -> (Scratch, [ObjectId; 3]) {
    let scratch = Scratch::new();
    let commits = ["base", "ours", "theirs"].map(|name| commit(&scratch.open(), name));
    (scratch, commits)
}

#[test]
fn a_merge_state_is_json_with_its_commits_and_sorted_conflicts() {
    let (scratch, commits) = with_commits();
    let state = merge(commits, &["b.py", "a.py"]);
    let _ = scratch.open().write_merge_state(&state, Known::Absent).unwrap();
    let json: Value = from_str(&text(&scratch.layout().merge_state())).unwrap();
    for (key, id) in ["base_commit", "ours_commit", "theirs_commit"].iter().zip(commits) {
        assert_eq!(json[key], id.to_string());
    }
    assert_eq!(json["conflict_paths"], serde_json::json!(["a.py", "b.py"]));
    assert_eq!(scratch.open().merge_state().unwrap(), Some(state));
}

#[test]
fn a_merge_state_goes_through_a_temp_of_its_own_name_and_is_synced() {
    let (scratch, commits) = with_commits();
    let (recorder, store) = recorded(&scratch);
    let path: PathBuf = scratch.layout().merge_state();
    assert_temps_of_their_own(&recorder, ".state-tmp-", |content| {
        let paths = if content == "one" { &[][..] } else { &["a.py"] };
        let _ = store.write_merge_state(&merge(commits, paths), Known::Any).unwrap();
        path.clone()
    });
    let _ = store.write_merge_state(&merge(commits, &[]), Known::Any).unwrap();
    Write::of(&recorder.take(), &path).assert_order();
}

#[test]
fn no_temp_is_left_after_a_merge_state() {
    let (scratch, commits) = with_commits();
    let store = scratch.open();
    let _ = store.write_merge_state(&merge(commits, &["a.py"]), Known::Absent).unwrap();
    scratch.assert_clean();
    assert!(store.clear_merge_state(Known::Any).unwrap().is_some());
    assert!(!scratch.layout().merge_state().exists());
    scratch.assert_clean();
}

#[test]
fn a_rebase_state_is_json_with_all_its_fields() {
    let (scratch, commits) = with_commits();
    let state = rebase(commits, true);
    let _ = scratch.open().write_rebase_state(&state, Known::Absent).unwrap();
    let json: Value = from_str(&text(&scratch.layout().rebase_state())).unwrap();
    assert_eq!(json["original_branch"], "main");
    assert_eq!(json["original_head"], commits[0].to_string());
    assert_eq!(json["onto"], commits[1].to_string());
    assert_eq!(json["remaining"], serde_json::json!([commits[2].to_string()]));
    assert_eq!(json["completed"], serde_json::json!([]));
    assert_eq!(json["squash"], true);
    assert_eq!(scratch.open().rebase_state().unwrap(), Some(state));
}

#[test]
fn a_rebase_state_goes_through_a_temp_of_its_own_name_and_is_synced() {
    let (scratch, commits) = with_commits();
    let (recorder, store) = recorded(&scratch);
    let path: PathBuf = scratch.layout().rebase_state();
    assert_temps_of_their_own(&recorder, ".state-tmp-", |content| {
        let _ = store.write_rebase_state(&rebase(commits, content == "one"), Known::Any).unwrap();
        path.clone()
    });
    let _ = store.write_rebase_state(&rebase(commits, true), Known::Any).unwrap();
    Write::of(&recorder.take(), &path).assert_order();
}

#[test]
fn no_temp_is_left_after_a_rebase_state() {
    let (scratch, commits) = with_commits();
    let store = scratch.open();
    let _ = store.write_rebase_state(&rebase(commits, false), Known::Absent).unwrap();
    scratch.assert_clean();
    assert!(store.clear_rebase_state(Known::Any).unwrap().is_some());
    assert!(!scratch.layout().rebase_state().exists());
    scratch.assert_clean();
}
