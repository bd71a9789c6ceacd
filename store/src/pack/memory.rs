//! Packs in memory, for tests: gone with the process, and told to fail on demand.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::durability::Reached;
use crate::error::{Error, Result};
use crate::pack::{PackBackend, PackKey, Ttl};

/// Packs in memory, and a count of what was asked.
#[derive(Debug, Default)]
pub struct PackMemory {
    without_urls: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    packs: BTreeMap<PackKey, Vec<u8>>,
    deletions: Vec<PackKey>,
    refusals: VecDeque<String>,
}

impl PackMemory {
    /// A place without URLs.
    pub fn without_urls() -> Self {
        Self { without_urls: true, ..Self::default() }
    }

    /// The keys of the packs that are there.
    pub fn keys(&self) -> Vec<PackKey> {
        self.state().packs.keys().copied().collect()
    }

    /// Every deletion that was asked for, also those that were refused.
    pub fn deletions(&self) -> Vec<PackKey> {
        self.state().deletions.clone()
    }

    /// Lets the next `times` deletions fail, saying this.
    pub fn refuse_deletions(&self, times: usize, why: &str) {
        let refusals = std::iter::repeat_n(why.to_owned(), times);
        self.state().refusals.extend(refusals);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PackBackend for PackMemory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn has_urls(&self) -> bool {
        !self.without_urls
    }

    fn put(&self, key: &PackKey, bytes: &[u8]) -> Result<Reached> {
        self.state().packs.insert(*key, bytes.to_vec());
        Ok(Reached::Durable)
    }

    fn get(&self, key: &PackKey) -> Result<Option<Vec<u8>>> {
        Ok(self.state().packs.get(key).cloned())
    }

    fn exists(&self, key: &PackKey) -> Result<bool> {
        Ok(self.state().packs.contains_key(key))
    }

    fn delete(&self, key: &PackKey) -> Result<()> {
        let mut state = self.state();
        state.deletions.push(*key);
        if let Some(problem) = state.refusals.pop_front() {
            return Err(Error::PackBackend { op: "delete", backend: "memory".to_owned(), problem });
        }
        state.packs.remove(key);
        Ok(())
    }

    fn url(&self, key: &PackKey, ttl: Ttl) -> Result<String> {
        Ok(format!("memory:{key}?ttl={}", ttl.get().as_secs()))
    }
}
