//! What the runner looks at: after a kill, before a garbage collection, and at the end.

use std::time::Duration;

use faultfs::RealFs;
use plugpull_store::{
    Audit, AuditCounts, Error, GcOptions, GcReport, Options as StoreOptions, ProblemKind, Store,
};

use super::{Outcome, Runner};
use crate::exit::Failure;
use crate::oracle::Finding;
use crate::process::Event;
use crate::workload::Work;

/// Garbage collections in one run, spread evenly over its commits.
const COLLECTIONS: u64 = 8;

impl Runner<'_> {
    pub(super) fn audit(&mut self, unfinished: Work) -> Result<(), Failure> {
        self.tally.audits += 1;
        let mut findings = self.oracle.audit(&self.store)?;
        findings.extend(self.oracle.audit_unfinished(&self.store, unfinished)?);
        let desk = self.desk(unfinished.slot);
        findings.extend(self.promises.audit(&self.store, unfinished.slot, &desk)?);
        self.found_all(findings);
        Ok(())
    }

    /// Hashes everything and follows every reference. Orphan temps are a matter of the next open.
    pub(super) fn full_audit(&mut self) -> Result<AuditCounts, Failure> {
        self.tally.full_audits += 1;
        let audit = Audit::run(&RealFs, &self.dir)?;
        let writers_live = !self.writers.is_empty();
        for problem in audit.problems {
            if problem.kind == ProblemKind::OrphanTemp && writers_live {
                continue;
            }
            let detail = format!("{}: {}", problem.path.display(), problem.detail);
            self.found(Finding::new(problem.kind.name(), detail));
        }
        Ok(audit.counts)
    }

    fn found_all(&mut self, findings: Vec<Finding>) {
        for finding in findings {
            self.found(finding);
        }
    }

    pub(super) fn found(&mut self, finding: Finding) {
        self.report.finding(&finding);
        self.findings.push(finding);
    }

    /// A collection without any grace beside the writers: their pins alone must protect them. Before
    /// it, a full audit, so that it does not take away what a killed writer left broken.
    pub(super) fn collect_if_due(&mut self) -> Result<(), Failure> {
        let due = (self.tally.collections + 1) * self.options.commits / COLLECTIONS;
        if self.collects() || self.tally.commits < due || self.tally.collections >= COLLECTIONS {
            return Ok(());
        }
        self.full_audit()?;
        self.tally.collections += 1;
        // On a thread of its own: it waits for writers, which may wait until they are heard.
        let (dir, events) = (self.dir.clone(), self.sender.clone());
        self.collection = Some(std::thread::spawn(move || {
            let options = GcOptions { grace: Duration::ZERO, dry_run: false };
            let store = Store::open(&dir, StoreOptions::default());
            let report = store.and_then(|mut store| {
                let swept_by_open = store.recovery().orphans.clone();
                let mut report = store.gc(options)?;
                report.orphans.extend(swept_by_open);
                Ok(report)
            });
            // The run may be over and nobody listening.
            let _ = events.send(Event::Collected(report));
        }));
        Ok(())
    }

    pub(super) fn collected(
        &mut self,
        report: plugpull_store::Result<GcReport>,
    ) -> Result<(), Failure> {
        match report {
            Ok(report) => {
                self.tally.collected += report.deleted;
                self.tally.orphans += report.orphans.len() as u64;
            }
            Err(error @ Error::Corrupt { .. }) => {
                self.found(Finding::new("corrupt", format!("garbage collection: {error}")));
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    pub(super) fn final_audit(mut self, interrupted: bool) -> Result<Outcome, Failure> {
        // A new open, as after a restart of everything: it sweeps what the last writers left.
        let options = StoreOptions::durability(self.options.durability);
        match Store::open(&self.dir, options) {
            Ok(store) => {
                self.tally.orphans += store.recovery().orphans.len() as u64;
                self.tally.condemned += store.recovery().condemned;
                let mut findings = self.oracle.final_audit(&store)?;
                for slot in 0..self.options.writers {
                    let desk = self.desk(slot);
                    findings.extend(self.promises.audit(&store, slot, &desk)?);
                }
                self.found_all(findings);
            }
            Err(error) => self.found(Finding::new("cannot-open", error.to_string())),
        }
        let audit = self.full_audit()?;
        let Self { tally, timing, findings, .. } = self;
        Ok(Outcome { tally, timing, findings, audit, interrupted })
    }
}
