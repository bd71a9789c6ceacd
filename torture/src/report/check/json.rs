//! For machines: one JSON object a line; docs/formats.md has the fields.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Value, json};

use crate::outcome::Outcome;

/// The search begins.
pub fn start(out: &mut dyn Write, outcome: &Outcome) -> io::Result<()> {
    let bound = &outcome.bound;
    let line = json!({
        "event": "start",
        "version": 1,
        "plugpull": env!("CARGO_PKG_VERSION"),
        "subject": outcome.subject,
        "command": outcome.command,
        "dir": outcome.dir,
        "operations": outcome.operations,
        "marks": outcome.marks,
        "seconds": outcome.seconds,
        "warnings": outcome.warnings,
        "unseen": outcome.not_looked_at,
        "models": bound.models,
        "fail_on": bound.fail_on,
        "tier": bound.tier,
        "window": bound.window,
        "seed": bound.seed,
        "jobs": bound.jobs,
        "checkers": outcome.checkers,
    });
    writeln!(out, "{line}")
}

/// The search is over.
pub fn end(out: &mut dyn Write, outcome: &Outcome) -> io::Result<()> {
    for searched in &outcome.searched {
        event(out, "searched", outcome, searched)?;
    }
    for finding in &outcome.findings {
        event(out, "finding", outcome, finding)?;
    }
    let line = json!({
        "event": "end",
        "subject": outcome.subject,
        "exit": outcome.exit,
        "error": outcome.error,
        "findings": outcome.findings.len(),
        "unexplained": outcome.unexplained,
        "judged": outcome.judged,
        "recrash": outcome.recrash,
        "control": outcome.control,
        "recording": outcome.recording,
        "not_looked_at": outcome.not_looked_at,
    });
    writeln!(out, "{line}")
}

/// A part of the outcome as an event of its own.
fn event(
    out: &mut dyn Write,
    name: &str,
    outcome: &Outcome,
    what: &impl Serialize,
) -> io::Result<()> {
    let mut line = json!({ "event": name, "subject": outcome.subject });
    let fields = serde_json::to_value(what).map_err(io::Error::other)?;
    if let (Some(line), Value::Object(fields)) = (line.as_object_mut(), fields) {
        line.extend(fields);
    }
    writeln!(out, "{line}")
}
