//! What errands promised, and whether the store keeps it.
//!
//! Of each writer and kind one value is known to be there or to have been begun. Not for reading it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use plugpull_store::{PackBackend as _, PackKey, Store};

use super::seen::seen;
use super::{Errand, Rule};
use crate::exit::Failure;
use crate::oracle::Finding;
use crate::workload::Work;

/// One writer's errands of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Register {
    /// The last one that was acknowledged, if its value stays.
    kept: Option<Work>,
    /// Those that were begun since.
    begun: BTreeSet<Work>,
    /// The pack that the last one made, which outlasts the run.
    pack: Option<PackKey>,
}

/// Knows all errands of one run.
#[derive(Debug, Default)]
pub struct Promises {
    registers: BTreeMap<(u32, Errand), Register>,
    acknowledged: u64,
}

impl Promises {
    /// A writer begins an errand: from now on its value may be there.
    pub fn begun(&mut self, errand: Errand, work: Work) {
        self.registers.entry((work.slot, errand)).or_default().begun.insert(work);
    }

    /// A writer said that it is done.
    pub fn kept(&mut self, errand: Errand, work: Work, pack: Option<PackKey>) {
        let register = self.registers.entry((work.slot, errand)).or_default();
        let kept = (errand.rule() == Rule::Stays).then_some(work);
        *register = Register { kept, begun: BTreeSet::new(), pack };
        self.acknowledged += 1;
    }

    /// How many were acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// Holds the store to the errands of one writer, which does none at the moment.
    pub fn audit(&self, store: &Store, slot: u32, desk: &Path) -> Result<Vec<Finding>, Failure> {
        let of_slot = (slot, Errand::ALL[0])..=(slot, Errand::ALL[Errand::ALL.len() - 1]);
        let mut findings = Vec::new();
        for ((_, errand), register) in self.registers.range(of_slot) {
            let seen = seen(store, *errand, slot, desk)?;
            let gone = register.lost_pack(store)?;
            findings.extend(register.judge(seen).into_iter().chain(gone).map(|problem| {
                let detail = format!("{} of writer {slot}: {problem}", errand.name());
                Finding::new("errand", detail)
            }));
        }
        Ok(findings)
    }
}

impl Register {
    /// A pack that was promised and is not there.
    fn lost_pack(&self, store: &Store) -> Result<Option<String>, Failure> {
        let Some(key) = self.pack else { return Ok(None) };
        let there = store.pack_directory(None).exists(&key)?;
        Ok((!there).then(|| format!("pack {key} was acknowledged, and is gone before its time")))
    }

    /// What is wrong with the value that was seen.
    fn judge(&self, seen: Result<Option<Work>, String>) -> Option<String> {
        let tell = |work: Option<Work>| work.map_or("nothing".to_owned(), Work::message);
        match seen {
            Err(problem) => Some(problem),
            Ok(seen) if seen == self.kept => None,
            Ok(Some(seen)) if self.begun.contains(&seen) => None,
            Ok(seen) => {
                Some(format!("{} was acknowledged, {} is there", tell(self.kept), tell(seen)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(n: u64) -> Work {
        Work { slot: 1, life: 2, n }
    }

    #[test]
    fn a_value_is_the_one_acknowledged_or_one_begun_since() {
        let mut promises = Promises::default();
        promises.begun(Errand::Restore, work(1));
        promises.kept(Errand::Restore, work(1), None);
        promises.begun(Errand::Restore, work(4));
        let register = &promises.registers[&(1, Errand::Restore)];
        for (seen, fine) in [
            (Ok(Some(work(1))), true),
            (Ok(Some(work(4))), true),
            (Ok(Some(work(3))), false),
            (Ok(None), false),
            (Err("it is garbage".to_owned()), false),
        ] {
            assert_eq!(register.judge(seen.clone()).is_none(), fine, "{seen:?}");
        }
        assert_eq!(promises.acknowledged(), 1);
    }
}
