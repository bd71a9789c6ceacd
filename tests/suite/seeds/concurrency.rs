//! Many writers at once. Each thread's failure fails the test.

use plugpull_store::{ObjectId, Outcome};

use crate::scratch::{Scratch, at_once, commit, random_bytes};

/// Distinct contents whose ids all start with the same byte, so that all go into one shard.
fn contents_of_one_shard(count: usize) -> Vec<Vec<u8>> {
    let numbered = (0_u64..).map(|n| format!("object {n}").into_bytes());
    numbered.filter(|bytes| ObjectId::of(bytes).hex().starts_with("5a")).take(count).collect()
}

#[test]
fn two_hundred_writers_into_one_shard_lose_nothing() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let contents = contents_of_one_shard(200);
    let ids = at_once(200, |n| {
        let put = store.put(&contents[n]).unwrap();
        assert_eq!(put.receipt.outcome, Outcome::Created);
        assert_eq!(store.get(&put.id).unwrap().as_ref(), Some(&contents[n]), "read your write");
        put.id
    });
    for (id, content) in ids.iter().zip(&contents) {
        assert_eq!(store.get(id).unwrap().as_ref(), Some(content));
    }
    assert_eq!(scratch.object_files().len(), 200);
    scratch.assert_clean();
}

#[test]
fn a_hundred_writers_of_commits_lose_nothing() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let message = |n: usize| format!("commit number {n}");
    let ids = at_once(100, |n| commit(&store, &message(n)));
    for (n, id) in ids.iter().enumerate() {
        assert_eq!(store.read_commit(id).unwrap().unwrap().message, message(n));
    }
    assert_eq!(store.read_commit(&ObjectId::of(b"none")).unwrap(), None);
    assert_eq!(scratch.audit().counts.commits, 100);
    scratch.assert_clean();
}

#[test]
fn fifty_writers_leave_no_temp_and_all_their_objects() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let content = |n: usize| random_bytes(n as u64, 4096);
    let ids = at_once(50, |n| store.put(&content(n)).unwrap().id);
    scratch.assert_no_temps();
    for (n, id) in ids.iter().enumerate() {
        assert_eq!(store.get(id).unwrap(), Some(content(n)));
    }
}

#[test]
fn fifty_writers_of_the_same_object_all_succeed_and_one_creates_it() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let content = random_bytes(4, 4096);
    let puts = at_once(50, |_| store.put(&content).unwrap());
    let created = puts.iter().filter(|put| put.receipt.outcome == Outcome::Created).count();
    let found = puts.iter().filter(|put| put.receipt.outcome == Outcome::AlreadyThere).count();
    assert_eq!((created, found), (1, 49));
    assert_eq!(store.get(&puts[0].id).unwrap(), Some(content));
    assert_eq!(scratch.object_files().len(), 1);
    scratch.assert_clean();
}
