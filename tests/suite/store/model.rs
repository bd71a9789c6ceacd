//! Random sequences of operations on the store and on a model of three maps; both must agree after
//! every step.

use std::collections::BTreeMap;

use plugpull_store::{Error, Expected, Head, ObjectId, Outcome, Store};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::scratch::{Scratch, branch, commit};

const NAMES: [&str; 5] = ["a", "b", "a/x", "a/y/z", "b/x"];
const COMMITS: usize = 3;

/// What a step expects of a branch, told by the number of a commit.
#[derive(Clone, Copy, Debug)]
enum Belief {
    Absent,
    At(usize),
    Right,
    Force,
}

#[derive(Clone, Debug)]
enum Step {
    Put(u8),
    Update(usize, usize, Belief),
    Delete(usize, Belief),
    HeadBranch(usize),
    HeadDetached(usize),
    Reopen,
}

fn belief() -> impl Strategy<Value = Belief> {
    prop_oneof![
        1 => Just(Belief::Absent),
        1 => (0..COMMITS).prop_map(Belief::At),
        3 => Just(Belief::Right),
        1 => Just(Belief::Force),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let name = 0..NAMES.len();
    prop_oneof![
        2 => (0_u8..6).prop_map(Step::Put),
        6 => (name.clone(), 0..COMMITS, belief()).prop_map(|(n, c, b)| Step::Update(n, c, b)),
        4 => (name.clone(), belief()).prop_map(|(n, b)| Step::Delete(n, b)),
        1 => name.prop_map(Step::HeadBranch),
        1 => (0..COMMITS).prop_map(Step::HeadDetached),
        1 => Just(Step::Reopen),
    ]
}

/// What the store must look like.
struct Model {
    commits: [ObjectId; COMMITS],
    objects: BTreeMap<ObjectId, Vec<u8>>,
    branches: BTreeMap<&'static str, ObjectId>,
    head: Head,
}

impl Model {
    fn expected(&self, name: &str, belief: Belief) -> Expected {
        match belief {
            Belief::Absent => Expected::Absent,
            Belief::At(n) => Expected::At(self.commits[n]),
            Belief::Right => {
                self.branches.get(name).map_or(Expected::Absent, |id| Expected::At(*id))
            }
            Belief::Force => Expected::Force,
        }
    }

    fn conflicts(&self, name: &str, expected: Expected) -> bool {
        let current = self.branches.get(name).copied();
        match expected {
            Expected::Force => false,
            Expected::Absent => current.is_some(),
            Expected::At(id) => current != Some(id),
        }
    }

    /// Whether a branch stands where this name needs a folder, or the other way round.
    fn is_in_the_way(&self, name: &str) -> bool {
        let below = |long: &str, short: &str| long.starts_with(&format!("{short}/"));
        self.branches.keys().any(|other| below(other, name) || below(name, other))
    }
}

/// Does one step on both and compares what the store answers.
fn take(step: &Step, scratch: &Scratch, store: &mut Store, model: &mut Model) {
    match *step {
        Step::Put(n) => {
            let bytes = vec![n; usize::from(n)];
            let put = store.put(&bytes).unwrap();
            let known = model.objects.insert(put.id, bytes).is_some();
            assert_eq!(put.receipt.outcome == Outcome::AlreadyThere, known);
        }
        Step::Update(name, n, belief) => {
            let (name, id) = (NAMES[name], model.commits[n]);
            let expected = model.expected(name, belief);
            let done = store.update_branch(&branch(name), id, expected);
            if model.conflicts(name, expected) {
                assert!(matches!(done, Err(Error::RefConflict { .. })), "{done:?}");
            } else if model.is_in_the_way(name) {
                assert!(matches!(done, Err(Error::NameConflict { .. })), "{done:?}");
            } else {
                assert!(done.is_ok(), "{done:?}");
                model.branches.insert(name, id);
            }
        }
        Step::Delete(name, belief) => {
            let name = NAMES[name];
            let expected = model.expected(name, belief);
            let done = store.delete_branch(&branch(name), expected);
            if model.conflicts(name, expected) {
                assert!(matches!(done, Err(Error::RefConflict { .. })), "{done:?}");
            } else {
                assert_eq!(done.unwrap().is_some(), model.branches.remove(name).is_some());
            }
        }
        Step::HeadBranch(name) => set_head(store, model, Head::Branch(branch(NAMES[name]))),
        Step::HeadDetached(n) => set_head(store, model, Head::Detached(model.commits[n])),
        Step::Reopen => *store = scratch.open(),
    }
}

fn set_head(store: &Store, model: &mut Model, head: Head) {
    let _ = store.set_head(&head).unwrap();
    model.head = head;
}

fn compare(store: &Store, model: &Model) {
    for (id, bytes) in &model.objects {
        assert_eq!(store.get(id).unwrap().as_ref(), Some(bytes));
    }
    for name in NAMES {
        assert_eq!(store.read_branch(&branch(name)).unwrap().as_ref(), model.branches.get(name));
    }
    let listed = store.branches().unwrap();
    let listed: BTreeMap<_, _> = listed.iter().map(|(name, id)| (name.as_str(), *id)).collect();
    assert_eq!(listed, model.branches);
    assert_eq!(store.head().unwrap().as_ref(), Some(&model.head));
}

#[test]
fn the_store_does_what_three_maps_do() {
    let config = Config { cases: 32, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, proptest_rng());
    let sequences = prop::collection::vec(step(), 1..60);
    let outcome = runner.run(&sequences, |steps| {
        let scratch = Scratch::new();
        let mut store = scratch.open();
        let commits = ["one", "two", "three"].map(|message| commit(&store, message));
        let (objects, branches) = (BTreeMap::new(), BTreeMap::new());
        let head = Head::Branch(branch("main"));
        let mut model = Model { commits, objects, branches, head };
        for step in &steps {
            take(step, &scratch, &mut store, &mut model);
            compare(&store, &model);
        }
        scratch.assert_clean();
        Ok(())
    });
    outcome.unwrap();
}

/// The same sequences in every run.
fn proptest_rng() -> prop::test_runner::TestRng {
    prop::test_runner::TestRng::deterministic_rng(prop::test_runner::RngAlgorithm::ChaCha)
}
