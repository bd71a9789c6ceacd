//! Files and directories that nothing of the run touches any more, with the event after which that is so.
//!
//! Without a name they can be dropped then, so that a disk holds what it holds and not every temporary
//! file that there ever was. Whether one has a name is for the disk to say: here is only known that no
//! effect will give or take one any more.

use std::collections::BTreeMap;

use super::effect::Effect;
use super::pending::parts;
use super::{Change, Step};
use crate::Inode;

/// Tells each step of those that are touched for the last time by it.
pub(super) fn tell(effects: &[Effect], steps: &mut [Step]) {
    let mut last: BTreeMap<Inode, u32> =
        effects.iter().flat_map(loses_names).map(|inode| (inode, 0)).collect();
    let mut touch = |inode: Inode, point: u32| {
        if let Some(last) = last.get_mut(&inode) {
            *last = point.max(*last);
        }
    };
    for (step, point) in steps.iter().zip(1..) {
        step.node.iter().for_each(|node| touch(node.inode, point));
        step.fills.iter().for_each(|(inode, _, _)| touch(*inode, point));
    }
    for effect in effects {
        let settled = effect.settled_from();
        parts(effect).for_each(|(inode, _)| touch(inode, settled));
    }
    for (inode, point) in last {
        let step = point.checked_sub(1).and_then(|step| steps.get_mut(step as usize));
        if let Some(step) = step {
            step.dead.push(inode);
        }
    }
}

/// What an effect takes a name from.
fn loses_names(effect: &Effect) -> impl Iterator<Item = Inode> {
    effect.changes.iter().filter_map(|change| match change {
        Change::Name { before, .. } => *before,
        _ => None,
    })
}
