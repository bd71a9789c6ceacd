//! `plugpull audit`: the store's audit, printed.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use faultfs::RealFs;
use plugpull_store::{AuditCounts, Problem, audit};
use serde_json::json;

use crate::cli::{AuditArgs, MessageFormat};
use crate::exit::{Exit, Failure};

/// Audits and prints each problem as it is found.
pub fn run(args: &AuditArgs) -> Result<Exit, Failure> {
    let out = Mutex::new((io::stdout(), Ok(())));
    let counts = audit(&RealFs, &args.dir, &|problem| {
        let mut out = out.lock().unwrap_or_else(PoisonError::into_inner);
        let (stdout, written) = &mut *out;
        if written.is_ok() {
            *written = print_problem(stdout, args.message_format, &problem);
        }
    })?;
    let (mut stdout, written) = out.into_inner().unwrap_or_else(PoisonError::into_inner);
    written?;
    match args.message_format {
        MessageFormat::Human => print_counts(&mut stdout, &counts)?,
        MessageFormat::JsonLines => writeln!(stdout, "{}", counts_json(&counts))?,
    }
    Ok(if counts.problems == 0 { Exit::Clean } else { Exit::Violation })
}

fn print_problem(out: &mut impl Write, format: MessageFormat, problem: &Problem) -> io::Result<()> {
    let (kind, path, detail) = (problem.kind.name(), &problem.path, &problem.detail);
    match format {
        MessageFormat::Human => writeln!(out, "{kind}: {}: {detail}", path.display()),
        MessageFormat::JsonLines => {
            let path = path.to_string_lossy();
            let line = json!({ "event": "problem", "kind": kind, "path": path, "detail": detail });
            writeln!(out, "{line}")
        }
    }
}

fn print_counts(out: &mut impl Write, counts: &AuditCounts) -> io::Result<()> {
    writeln!(
        out,
        "{} objects ({} bytes) hashed, {} of them commits and {} snapshots; {} branches",
        counts.objects, counts.bytes, counts.commits, counts.snapshots, counts.branches
    )?;
    let notes = [
        (counts.live_temps, "temps of writers at work"),
        (counts.unsettled, "objects that a failed fsync may lose; put them again"),
        (counts.quarantined, "corrupt objects in quarantine, replaced by good ones"),
        (counts.packs, "transient packs in the store's own directory"),
        (counts.leases, "leases of transient packs; `plugpull store leases` lists them"),
        (counts.reservations, "reservations"),
        (counts.intents, "intents"),
        (counts.logged, "records in the operation log"),
        (counts.condemned, "objects an interrupted gc has left to delete; the next open does it"),
    ];
    for (count, what) in notes.iter().filter(|(count, _)| *count > 0) {
        writeln!(out, "note: {count} {what}")?;
    }
    match counts.problems {
        0 => writeln!(out, "no problem found"),
        problems => writeln!(out, "{problems} problems"),
    }
}

fn counts_json(counts: &AuditCounts) -> serde_json::Value {
    json!({
        "event": "audit",
        "version": 1,
        "objects": counts.objects,
        "bytes": counts.bytes,
        "commits": counts.commits,
        "snapshots": counts.snapshots,
        "branches": counts.branches,
        "live_temps": counts.live_temps,
        "unsettled": counts.unsettled,
        "quarantined": counts.quarantined,
        "condemned": counts.condemned,
        "packs": counts.packs,
        "leases": counts.leases,
        "reservations": counts.reservations,
        "intents": counts.intents,
        "logged": counts.logged,
        "problems": counts.problems,
    })
}
