//! The operation log of a run: writing to it, what is owed of it, and the check.
//!
//! A record is known by the hash of its text; each text is written once. An acknowledged record must be
//! there under its number, unless a compaction may have dropped it, which only drops what a checkpoint
//! covers. Reading from the checkpoint on must give the same as reading all.

use std::collections::{BTreeMap, BTreeSet};

use faultfs::{Fs, SimFs};
use plugpull_store::{Error, Log, ObjectId, Result, Store};

use super::marks::Mark;
use super::perform::Writer;
use super::sequence::Sequence;

impl<F: Fs> Writer<'_, F> {
    pub(super) fn append(&self, text: &[u8]) -> Result<()> {
        let (id, text) = (ObjectId::of(text), String::from_utf8_lossy(text));
        self.journal.mark(Mark::Logging(id));
        match self.store.append_log(&self.name, &text) {
            Ok((record, receipt)) => {
                self.settle(receipt.reached, Mark::Logged { seq: record.seq, id });
                Ok(())
            }
            Err(error) => {
                if !matches!(error, Error::Undecided { .. }) {
                    self.journal.mark(Mark::Unlogged(id));
                }
                Err(error)
            }
        }
    }

    /// A checkpoint of everything that can be seen.
    pub(super) fn checkpoint(&self) -> Result<()> {
        let log = self.store.log(0)?;
        let covers = log.records.last().map_or(log.base, |record| record.seq);
        self.journal.mark(Mark::Checkpointing(covers));
        match self.store.checkpoint_log(covers, "all of it") {
            Ok((_, receipt)) => {
                self.settle(receipt.reached, Mark::Checkpointed(covers));
                Ok(())
            }
            Err(error) => {
                if !matches!(error, Error::Undecided { .. }) {
                    self.journal.mark(Mark::Uncheckpointed(covers));
                }
                Err(error)
            }
        }
    }

    pub(super) fn compact(&self) -> Result<()> {
        self.journal.mark(Mark::Compacting);
        self.store.compact_log().map(|_| ())
    }
}

/// What is owed of the operation log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Logbook {
    /// Texts that may be there, with their numbers where those were told.
    texts: BTreeMap<ObjectId, Option<u64>>,
    checkpoint: Sequence<u64>,
    /// Where the log may begin.
    bases: BTreeSet<u64>,
}

impl Default for Logbook {
    fn default() -> Self {
        Self { texts: BTreeMap::new(), checkpoint: Sequence::at(0), bases: [0].into() }
    }
}

impl Logbook {
    pub(super) fn enter(&mut self, mark: &Mark) {
        match mark {
            Mark::Logging(id) => drop(self.texts.insert(*id, None)),
            Mark::Logged { seq, id } => drop(self.texts.insert(*id, Some(*seq))),
            Mark::Unlogged(id) => drop(self.texts.remove(id)),
            Mark::Checkpointing(covers) => self.checkpoint.announce_any(*covers),
            Mark::Checkpointed(covers) => {
                self.checkpoint.acknowledge(covers);
            }
            Mark::Uncheckpointed(covers) => self.checkpoint.refuse(covers),
            Mark::Compacting => self.bases.extend(self.checkpoint.allowed()),
            _ => {}
        }
    }

    /// Everything that is wrong with the log of a store: found, expected.
    pub(super) fn wrong(&self, store: &Store<SimFs>) -> Vec<(String, String)> {
        let read = |since| store.log(since);
        let covers = store.log_checkpoint().map(|found| found.map_or(0, |found| found.covers));
        let (all, covers) = match (read(0), covers) {
            (Ok(all), Ok(covers)) => (all, covers),
            (Err(e), _) | (_, Err(e)) => {
                return vec![(e.to_string(), "a log that can be read".to_owned())];
            }
        };
        let mut wrong = self.wrong_records(&all);
        let allowed = self.checkpoint.allowed();
        if !allowed.contains(&covers) {
            wrong.push((format!("a checkpoint of {covers}"), format!("one of {allowed:?}")));
        }
        let rest = read(covers).map(|log| log.records).unwrap_or_default();
        if !all.records.ends_with(&rest)
            || all.records.iter().any(|r| r.seq > covers) == rest.is_empty()
        {
            let what = format!("{} records behind the checkpoint", rest.len());
            wrong.push((what, format!("those of {} that follow it", all.records.len())));
        }
        wrong
    }

    fn wrong_records(&self, log: &Log) -> Vec<(String, String)> {
        let mut wrong = Vec::new();
        if !self.bases.contains(&log.base) {
            let expected = format!("that it begins behind one of {:?}", self.bases);
            wrong.push((format!("it begins behind {}", log.base), expected));
        }
        let mut found = BTreeMap::new();
        for record in &log.records {
            let id = ObjectId::of(record.text.as_bytes());
            if !self.texts.contains_key(&id) || found.insert(id, record.seq).is_some() {
                wrong.push((format!("record {} has a foreign text", record.seq), id.to_string()));
            }
        }
        for (id, seq) in &self.texts {
            let Some(seq) = seq else { continue };
            if *seq > log.base && found.get(id) != Some(seq) {
                let expected = format!("the acknowledged record {seq} of text {id}");
                wrong.push((format!("its place is {:?}", found.get(id)), expected));
            }
        }
        wrong
    }
}
