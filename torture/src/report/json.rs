//! For machines: one JSON object a line on standard output; docs/formats.md has the fields.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::{Value, json};

use super::{End, Progress, Report, Start, not_looked_at, power_cut};
use crate::exit::Failure;
use crate::oracle::Finding;
use crate::power_cut::Row;
use crate::wire::{Phase, Step};

/// Version of the lines; a field may be added without a new version, none is renamed or removed.
const VERSION: u32 = 1;

/// Time between two progress lines.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// The report in JSON lines.
#[derive(Default)]
pub(super) struct JsonLines {
    next_line: Duration,
}

/// A reader that has closed the pipe has seen enough; the exit code still tells the verdict.
fn line(value: &Value) -> io::Result<()> {
    match writeln!(io::stdout().lock(), "{value}") {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(e),
        _ => Ok(()),
    }
}

impl Report for JsonLines {
    fn start(&mut self, start: &Start<'_>) -> Result<(), Failure> {
        let options = start.options;
        line(&json!({
            "event": "start",
            "version": VERSION,
            "plugpull": env!("CARGO_PKG_VERSION"),
            "commits": options.commits,
            "writers": options.writers,
            "kills": start.kills,
            "errands": options.errands.to_string(),
            "seed": options.seed,
            "plan": start.plan,
            "calls": start.steps,
            "dir": start.dir,
            "planted": options.planted,
        }))?;
        Ok(())
    }

    fn progress(&mut self, progress: &Progress) {
        if progress.elapsed < self.next_line {
            return;
        }
        self.next_line = progress.elapsed + HEARTBEAT;
        let _ = line(&json!({
            "event": "progress",
            "commits": progress.commits,
            "kills": progress.kills,
            "seconds": progress.elapsed.as_secs_f64(),
        }));
    }

    fn kill(&mut self, slot: u32, step: Option<&Step>, phase: Option<Phase>) {
        let _ = line(&json!({
            "event": "kill",
            "writer": slot,
            "phase": phase.map(Phase::name),
            "call": step.map(|step| &step.call),
            "nth": step.map(|step| step.nth),
        }));
    }

    fn finding(&mut self, finding: &Finding) {
        let (kind, detail) = (finding.kind, &finding.detail);
        let _ = line(&json!({ "event": "finding", "kind": kind, "detail": detail }));
    }

    fn power_cut(&mut self, row: &Row<'_>) -> Result<(), Failure> {
        Ok(line(&power_cut::row(row))?)
    }

    fn end(&mut self, end: &End<'_>) -> Result<(), Failure> {
        for finding in end.power_cuts.iter().flat_map(|summary| &summary.findings) {
            line(&power_cut::finding(finding))?;
        }
        let audit = &end.outcome.audit;
        let tally = &end.outcome.tally;
        line(&json!({
            "event": "end",
            "exit": end.exit as u8,
            "findings": end.outcome.findings.len()
                + end.power_cuts.map_or(0, |summary| summary.findings.len()),
            "power_cuts": end.power_cuts.map(power_cut::tallies),
            "tally": serde_json::to_value(tally)?,
            "timing": (!end.outcome.timing.is_empty()).then(|| end.outcome.timing.json()),
            "calls_hit": end.steps.len() - tally.missed(end.steps).len(),
            "calls_missed": tally.missed(end.steps),
            "store": {
                "objects": audit.objects,
                "bytes": audit.bytes,
                "commits": audit.commits,
                "branches": audit.branches,
                "problems": audit.problems,
            },
            "kept": end.kept,
            "not_looked_at": not_looked_at(end.power_cuts),
        }))?;
        Ok(())
    }
}
