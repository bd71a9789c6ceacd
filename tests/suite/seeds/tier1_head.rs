//! Tier 1: HEAD.

use plugpull_store::{Branch, Error, Head, ObjectId};

use super::text;
use crate::protocol::{Write, recorded};
use crate::scratch::{Scratch, at_once, branch, commit};

/// HEAD is set twice; each time through a temp of its own, in the order of the protocol.
fn assert_head_goes_through_a_temp(head: impl Fn(&Scratch) -> Head) {
    let scratch = Scratch::new();
    let head = head(&scratch);
    let (recorder, store) = recorded(&scratch);
    let path = scratch.layout().head();
    let calls = [(); 2].map(|()| {
        let _ = store.set_head(&head).unwrap();
        recorder.take()
    });
    let writes = calls.each_ref().map(|calls| Write::of(calls, &path));
    for write in &writes {
        write.assert_temp(&scratch.root(), ".state-tmp-");
        write.assert_order();
    }
    assert_ne!(writes[0].temp, writes[1].temp);
}

#[test]
fn a_branch_is_written_in_exactly_its_form() {
    let scratch = Scratch::new();
    let head = Head::Branch(branch("feat/x"));
    let store = scratch.open();
    let _ = store.set_head(&head).unwrap();
    assert_eq!(text(&scratch.layout().head()), "ref: refs/heads/feat/x\n");
    assert_eq!(store.head().unwrap(), Some(head));
}

#[test]
fn a_branch_goes_through_a_temp() {
    assert_head_goes_through_a_temp(|_| Head::Branch(branch("main")));
}

#[test]
fn a_bad_branch_name_is_refused() {
    let error = Branch::new("bad/../../traversal").unwrap_err();
    assert!(matches!(error, Error::BadBranch { .. }), "{error}");
    assert!(error.to_string().contains("bad/../../traversal"), "{error}");
}

#[test]
fn a_commit_is_written_in_exactly_its_form() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let id = commit(&store, "detached");
    let _ = store.set_head(&Head::Detached(id)).unwrap();
    assert_eq!(text(&scratch.layout().head()), format!("commit: {id}\n"));
    assert_eq!(store.head().unwrap(), Some(Head::Detached(id)));
}

#[test]
fn a_commit_goes_through_a_temp() {
    assert_head_goes_through_a_temp(|scratch| Head::Detached(commit(&scratch.open(), "detached")));
}

#[test]
fn a_short_id_is_refused_and_the_form_is_named() {
    let error = "abc123".parse::<ObjectId>().unwrap_err();
    assert!(error.to_string().contains("sha256"), "{error}");
}

#[test]
fn an_id_that_is_not_hex_is_refused() {
    for bad in ["z".repeat(64), format!("sha256:{}", "z".repeat(64))] {
        assert!(matches!(bad.parse::<ObjectId>(), Err(Error::BadId { .. })), "{bad}");
    }
}

#[test]
fn a_commit_that_is_not_there_is_refused_and_head_stays() {
    let scratch = Scratch::new();
    let error = scratch.open().set_head(&Head::Detached(ObjectId::of(b"none"))).unwrap_err();
    assert!(matches!(error, Error::Dangling { .. }), "{error}");
    assert_eq!(text(&scratch.layout().head()), "ref: refs/heads/main\n");
}

#[test]
fn head_is_readable_while_fifty_threads_switch_it() {
    let scratch = Scratch::new();
    let store = scratch.open();
    at_once(50, |n| {
        let _ = store.set_head(&Head::Branch(branch(&format!("feat-{n:03}")))).unwrap();
        let seen = text(&scratch.layout().head());
        assert!(seen.starts_with("ref: refs/heads/feat-") && seen.ends_with('\n'), "{seen:?}");
        assert!(matches!(store.head().unwrap(), Some(Head::Branch(_))));
    });
    scratch.assert_clean();
}
