//! Advisory locks of the simulated disk, as flock(2) gives them to open files.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Inode, LockMode};

/// Who holds which lock.
#[derive(Default)]
pub(super) struct Locks(BTreeMap<Inode, Holders>);

#[derive(Default)]
struct Holders {
    exclusive: Option<u64>,
    shared: BTreeSet<u64>,
}

impl Locks {
    /// Takes the lock for an open file if nobody is in the way; says whether it did. A lock that the
    /// file holds is given up first, also when the new one is refused (flock(2): converting a lock is
    /// not atomic), unless it is the same.
    pub(super) fn take(&mut self, inode: Inode, handle: u64, mode: LockMode) -> bool {
        let holders = self.0.entry(inode).or_default();
        let held = match mode {
            LockMode::Exclusive => holders.exclusive == Some(handle),
            LockMode::Shared => holders.shared.contains(&handle),
        };
        if held {
            return true;
        }
        holders.release(handle);
        let free = match mode {
            LockMode::Exclusive => holders.exclusive.is_none() && holders.shared.is_empty(),
            LockMode::Shared => holders.exclusive.is_none(),
        };
        match mode {
            _ if !free => {}
            LockMode::Exclusive => holders.exclusive = Some(handle),
            LockMode::Shared => {
                holders.shared.insert(handle);
            }
        }
        free
    }

    /// Gives back what the open file holds, if anything.
    pub(super) fn release(&mut self, inode: Inode, handle: u64) {
        if let Some(holders) = self.0.get_mut(&inode) {
            holders.release(handle);
            if holders.exclusive.is_none() && holders.shared.is_empty() {
                self.0.remove(&inode);
            }
        }
    }
}

impl Holders {
    fn release(&mut self, handle: u64) {
        self.exclusive = self.exclusive.filter(|holder| *holder != handle);
        self.shared.remove(&handle);
    }
}
