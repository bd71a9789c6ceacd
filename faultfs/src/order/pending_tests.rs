//! Tests of what is pending: found by each part, and by none when it is gone.

use super::Pending;
use crate::order::effect::{Change, Effect, EffectId, NEVER};
use crate::{Entry, Inode};

const DIR: Inode = Inode(2);
const OLD: Inode = Inode(3);
const NEW: Inode = Inode(4);

fn effect(changes: Vec<Change>) -> Effect {
    Effect {
        event: 0,
        changes: changes.into(),
        needs: Vec::new(),
        durable_from: NEVER,
        gone_from: NEVER,
        journaled: false,
        data: false,
    }
}

fn name(dir: Inode, before: Option<Inode>, after: Option<Inode>) -> Change {
    let at = Entry { dir, name: b"name".as_slice().into() };
    Change::Name { at, before, after }
}

#[test]
fn an_effect_is_found_by_all_that_it_changes_until_it_is_removed() {
    let replace = effect(vec![name(DIR, Some(OLD), Some(NEW)), name(Inode(1), Some(NEW), None)]);
    let grow = effect(vec![Change::Len { inode: NEW, before: 0, after: 1 }]);
    let mut pending = Pending::default();
    let [first, second] = [EffectId(7), EffectId(9)];
    pending.add(first, &replace);
    pending.add(second, &grow);
    pending.journal(second);
    for dir in [DIR, Inode(1)] {
        assert!(pending.entries_of(dir).eq([first]));
    }
    for inode in [OLD, NEW] {
        assert!(pending.names_of(inode).eq([first]));
    }
    assert!(pending.content_of(NEW).eq([second]));
    assert_eq!(pending.content_of(OLD).count(), 0);
    assert_eq!((pending.last(), pending.last_journaled()), (Some(second), Some(second)));
    assert_eq!(pending.journaled_to(first).count(), 0);
    pending.remove(first, &replace);
    pending.remove(second, &grow);
    assert!(!pending.contains(first) && pending.all().next().is_none());
    assert_eq!((pending.names_of(NEW).count(), pending.entries_of(DIR).count()), (0, 0));
    assert_eq!((pending.content_of(NEW).count(), pending.last_journaled()), (0, None));
}
