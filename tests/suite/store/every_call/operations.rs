//! Operations over several files, with each of their calls failing once: the old state, or a record by which
//! whoever comes next finishes it.

use super::*;
use crate::scratch::merge_of;

const DESK: &str = "/work/desk";

/// A branch with another file than the commit that is checked out.
fn checked_out(world: &mut World) -> Head {
    let [first, _] = two_commits(world);
    let blob = world.store().put(b"new").unwrap().id;
    let store = world.store();
    let snapshot = Snapshot::of([("other", blob)]).unwrap();
    let snapshot = store.put_snapshot(&snapshot).unwrap().id;
    let next = Commit::new([first], snapshot, "tester", "next", TIME);
    let next = store.put_commit(&next).unwrap().id;
    let main = branch("main");
    let _ = store.update_branch(&main, next, Expected::Absent).unwrap();
    let _ = store.checkout(&Head::Detached(first), Path::new(DESK)).unwrap().unwrap();
    Head::Branch(main)
}

#[test]
fn a_checkout() {
    let prepare = |world: &mut World| {
        checked_out(world);
    };
    at_every_call(prepare, |world| {
        let to = Head::Branch(branch("main"));
        let done = world.store().checkout(&to, Path::new(DESK))?;
        assert!(done.is_some());
        Ok(())
    });
}

#[test]
fn an_end_of_a_merge() {
    let [first, second] = ids();
    let state = merge_of(first, second);
    let name = branch("feat/x");
    let prepare = |world: &mut World| {
        two_commits(world);
        let _ = world.store().write_merge_state(&state, Known::Absent).unwrap();
    };
    at_every_call(prepare, |world| {
        let store = world.store();
        match store.conclude_merge(&name, second, &state) {
            // The attempt before was recorded, and the pin of this one has finished it.
            Err(Error::RefConflict { .. } | Error::StateConflict { .. })
                if store.merge_state()?.is_none() && store.read_branch(&name)? == Some(second) =>
            {
                Ok(())
            }
            done => done.map(drop),
        }
    });
}
