//! Checkouts and ends of merges: what they change, what they leave, and who finishes them.
//!
//! Power cuts, kills and failing calls are for the workload `operations`.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use faultfs::{Call, CallKind, Fs};
use plugpull_store::{
    Commit, Durability, Error, Expected, Head, Known, MergeState, ObjectId, Snapshot, Store,
};

use crate::scratch::{Scratch, branch, commit, merge_of};
use crate::taps::{EIO, Failing, Fault, Hook};

/// A commit of files that hold their names.
fn commit_of(store: &Store, names: &[&str]) -> ObjectId {
    let file = |name: &&str| (name.to_string(), store.put(name.as_bytes()).unwrap().id);
    let snapshot = Snapshot::of(names.iter().map(file)).unwrap();
    let snapshot = store.put_snapshot(&snapshot).unwrap().id;
    store.put_commit(&Commit::new([], snapshot, "me", names.join(" "), 0)).unwrap().id
}

fn files(dir: &Path) -> Vec<String> {
    let files = crate::scratch::files_below(dir).into_iter();
    files.map(|path| path.strip_prefix(dir).unwrap().display().to_string()).collect()
}

#[test]
fn a_checkout_brings_its_files_and_takes_those_of_the_one_before() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let [one, two] = [&["a", "deep/b"][..], &["a", "c"]].map(|names| commit_of(&store, names));
    let _ = store.update_branch(&branch("main"), two, Expected::Absent).unwrap();
    let desk = scratch.beside("desk");
    let _ = store.checkout(&Head::Detached(one), &desk).unwrap().unwrap();
    fs::write(desk.join("mine"), "not the store's").unwrap();
    assert_eq!(files(&desk), ["a", "deep/b", "mine"]);
    let to = Head::Branch(branch("main"));
    let _ = store.checkout(&to, &desk).unwrap().unwrap();
    assert_eq!(files(&desk), ["a", "c", "mine"]);
    assert_eq!((store.head().unwrap(), files(&scratch.layout().operations()).len()), (Some(to), 0));
    assert_eq!(store.checkout(&Head::Branch(branch("none")), &desk).unwrap(), None);
    scratch.assert_clean();
}

#[test]
fn what_could_not_be_done_is_done_by_the_next_open() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let one = commit_of(&store, &["a", "deep/b"]);
    let desk = scratch.beside("desk");
    fs::create_dir(&desk).unwrap();
    fs::write(desk.join("deep"), "in the way").unwrap();
    assert!(store.checkout(&Head::Detached(one), &desk).is_err());
    let unfinished = scratch.open().recovery().unfinished.clone();
    assert!(unfinished.is_some_and(|why| why.contains("deep")));
    fs::remove_file(desk.join("deep")).unwrap();
    let store = scratch.open();
    assert!(store.recovery().operation);
    assert_eq!(store.head().unwrap(), Some(Head::Detached(one)));
    assert_eq!(files(&desk), ["a", "deep/b"]);
    assert!(!scratch.open().recovery().operation);
    scratch.assert_clean();
}

#[test]
fn what_can_never_be_done_is_given_up() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let one = commit_of(&store, &["a"]);
    let desk = scratch.beside("desk");
    fs::write(&desk, "no directory").unwrap();
    assert!(store.checkout(&Head::Detached(one), &desk).is_err());
    assert!(store.checkout(&Head::Detached(one), &scratch.beside("other")).is_err());
    assert!(store.abandon_operation().unwrap());
    assert!(!store.abandon_operation().unwrap());
    let _ = store.checkout(&Head::Detached(one), &scratch.beside("other")).unwrap().unwrap();
    scratch.assert_clean();
}

/// A checkout that failed at its last step, HEAD, stays recorded. The open after it set HEAD back over what
/// somebody else had set it to meanwhile, durably.
#[test]
fn a_head_that_is_set_after_a_dead_checkout_stays() {
    let scratch = Scratch::new();
    let other = scratch.open();
    let one = commit_of(&other, &["a"]);
    let failing = Arc::new(Failing::default());
    let dying = scratch.watched(&failing, Durability::Strict);
    // Of the store's own directory: the temp of HEAD.
    let root = scratch.root();
    let of_head = move |path: &Path| path.parent() == Some(&*root);
    failing.set(Fault::with(EIO).on(&[CallKind::Rename]).at(of_head));
    assert!(dying.checkout(&Head::Detached(one), &scratch.beside("desk")).is_err());
    assert!(failing.clear() > 0);
    drop(dying);
    let set = Head::Branch(branch("topic"));
    let _ = other.set_head(&set).unwrap();
    assert_eq!(scratch.open().head().unwrap(), Some(set));
    assert_eq!(files(&scratch.beside("desk")), ["a"]);
    scratch.assert_clean();
}

/// As above, with a branch that went on and came back.
#[test]
fn a_branch_that_comes_back_after_a_dead_end_of_a_merge_stays() {
    let scratch = Scratch::new();
    let other = scratch.open();
    let main = branch("main");
    let ([ours, theirs, end], state) = begun(&other);
    let failing = Arc::new(Failing::default());
    let dying = scratch.watched(&failing, Durability::Strict);
    // As if it had been killed before it moved the branch.
    let record = scratch.layout().operations();
    failing.set(
        Fault::with(EIO)
            .on(&[CallKind::Rename, CallKind::Unlink])
            .at(move |path| !path.starts_with(&record) || path.ends_with("pending")),
    );
    let _ = dying.conclude_merge(&main, end, &state).unwrap_err();
    assert!(failing.clear() > 0);
    drop(dying);
    for to in [theirs, ours] {
        let _pin = other.pin().unwrap();
        let at = other.read_branch(&main).unwrap().unwrap();
        let _ = other.update_branch(&main, to, Expected::At(at)).unwrap();
    }
    assert_eq!(scratch.open().read_branch(&main).unwrap(), Some(ours));
    assert_eq!(files(&scratch.layout().operations()), [""; 0]);
    scratch.assert_clean();
}

/// Found by the workload `pairs` (a commit beside the end of a merge): the end told success, and had done
/// nothing.
#[test]
fn a_branch_that_moves_while_a_merge_is_about_to_end_is_told() {
    let scratch = Scratch::new();
    let other = scratch.open();
    let main = branch("main");
    let ([ours, theirs, end], state) = begun(&other);
    let pending = scratch.layout().pending_operation();
    let meanwhile = Arc::new(Hook(|call: &Call<'_>| {
        if call.kind == CallKind::Rename && call.to == Some(&pending) {
            let _ = other.update_branch(&main, theirs, Expected::At(ours)).unwrap();
        }
    }));
    let store = scratch.watched(&meanwhile, Durability::Strict);
    let moved = store.conclude_merge(&main, end, &state).unwrap_err();
    assert!(
        matches!(moved, Error::RefConflict { current, .. } if current == Some(theirs)),
        "{moved}"
    );
    assert_eq!(store.read_branch(&main).unwrap(), Some(theirs));
    assert_eq!(store.merge_state().unwrap(), Some(state));
    assert_eq!(files(&scratch.layout().operations()), [""; 0]);
    scratch.assert_clean();
}

/// Whether the branch had moved was not known, and the record was removed all the same.
#[test]
fn a_merge_of_which_nobody_knows_whether_it_ended_ends_at_the_next_open() {
    let scratch = Scratch::new();
    let failing = Arc::new(Failing::default());
    let store = scratch.watched(&failing, Durability::Strict);
    let ([_, _, end], state) = begun(&store);
    let heads = scratch.layout().heads();
    failing.set(Fault::with(EIO).on(&[CallKind::SyncDir]).at(move |path| path == heads));
    let error = store.conclude_merge(&branch("main"), end, &state).unwrap_err();
    assert!(matches!(error, Error::Undecided { .. }), "{error}");
    assert!(failing.clear() > 1);
    assert_eq!(files(&scratch.layout().operations()), ["pending"]);
    drop(store);
    let store = scratch.open();
    assert!(store.recovery().operation);
    assert_eq!(store.read_branch(&branch("main")).unwrap(), Some(end));
    assert_eq!(store.merge_state().unwrap(), None);
    scratch.assert_clean();
}

/// Where renames are not atomic, a power cut leaves one record under both names, and rename(2) between two
/// names of one file does nothing: each open finished it again.
#[test]
fn a_record_under_both_names_is_finished_once() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let one = commit_of(&store, &["a"]);
    let desk = scratch.beside("desk");
    fs::write(&desk, "in the way").unwrap();
    assert!(store.checkout(&Head::Detached(one), &desk).is_err());
    fs::remove_file(&desk).unwrap();
    let layout = scratch.layout();
    fs::hard_link(layout.pending_operation(), layout.ended_operation()).unwrap();
    assert!(scratch.open().recovery().operation);
    assert_eq!(files(&desk), ["a"]);
    assert!(!scratch.open().recovery().operation);
    assert_eq!(files(&layout.operations()).len(), 0);
    scratch.assert_clean();
}

/// A merge into `main`, which is at the first of these commits, of the second one; the third may end it.
fn begun<F: Fs>(store: &Store<F>) -> ([ObjectId; 3], MergeState) {
    let commits = ["ours", "theirs", "end"].map(|name| commit(store, name));
    let [ours, theirs, _] = commits;
    let state = merge_of(ours, theirs);
    let _ = store.update_branch(&branch("main"), ours, Expected::Absent).unwrap();
    let _ = store.write_merge_state(&state, Known::Absent).unwrap();
    (commits, state)
}

#[test]
fn a_merge_ends_with_its_commit_or_goes_on() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let [ours, theirs, end] = ["ours", "theirs", "end"].map(|name| commit(&store, name));
    let main = branch("main");
    let _ = store.update_branch(&main, ours, Expected::Absent).unwrap();
    let state = merge_of(ours, theirs);
    let none = store.conclude_merge(&main, end, &state).unwrap_err();
    assert!(matches!(none, Error::StateConflict { .. }), "{none}");
    let _ = store.write_merge_state(&state, Known::Absent).unwrap();
    let _ = store.update_branch(&main, theirs, Expected::At(ours)).unwrap();
    let moved = store.conclude_merge(&main, end, &state).unwrap_err();
    assert!(matches!(moved, Error::RefConflict { .. }), "{moved}");
    assert_eq!(store.merge_state().unwrap().as_ref(), Some(&state));
    let _ = store.update_branch(&main, ours, Expected::At(theirs)).unwrap();
    let _ = store.conclude_merge(&main, end, &state).unwrap();
    assert_eq!(store.merge_state().unwrap(), None);
    assert_eq!(store.read_branch(&main).unwrap(), Some(end));
    scratch.assert_clean();
}
