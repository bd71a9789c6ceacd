//! Power cuts, told to people and to machines; part of the reports of `torture` and `explore`.

use std::io::{self, Write};

use indicatif::HumanCount;
use serde_json::{Value, json};

use crate::explore::Coverage;
use crate::power_cut::{Finding, Lost, Row, Summary, label};

/// How many findings are printed; the others are counted.
const MOST: usize = 10;

/// How many pending effects of a finding are printed.
const MOST_PENDING: usize = 12;

/// The table: a line for each model.
pub fn table(out: &mut dyn Write, summary: &Summary) -> io::Result<()> {
    writeln!(
        out,
        "  power cuts under       runs   sets made   states checked   cut again   too large   \
         violations"
    )?;
    for tally in &summary.models {
        let note = if tally.control { "  (control: no barrier holds)" } else { "" };
        writeln!(
            out,
            "  {:<20} {:>6} {:>11} {:>16} {:>11} {:>11} {:>12}{note}",
            tally.model,
            HumanCount(tally.runs).to_string(),
            HumanCount(tally.sets).to_string(),
            HumanCount(tally.states).to_string(),
            HumanCount(tally.recrashed).to_string(),
            HumanCount(tally.skipped).to_string(),
            HumanCount(tally.violations).to_string(),
        )?;
    }
    for run in &summary.toothless {
        writeln!(out, "  warning: the control found nothing in {run}: its check shows no teeth")?;
    }
    Ok(())
}

/// What was found, with the line that makes it again.
pub fn findings(out: &mut dyn Write, summary: &Summary) -> io::Result<()> {
    for finding in summary.findings.iter().take(MOST) {
        tell(out, finding)?;
    }
    if summary.findings.len() > MOST {
        writeln!(out, "  and {} more", summary.findings.len() - MOST)?;
    }
    Ok(())
}

fn tell(out: &mut dyn Write, finding: &Finding) -> io::Result<()> {
    writeln!(
        out,
        "  VIOLATION in {} under {}, power cut after event {} of {} ({} such states)",
        finding.run, finding.model, finding.point, finding.events, finding.states
    )?;
    for what in &finding.violation.what {
        writeln!(out, "    {what}")?;
    }
    if let Some(again) = &finding.violation.again {
        writeln!(out, "    after a second power cut during the recovery, {again}")?;
    }
    effects(out, &finding.pending[..finding.pending.len().min(MOST_PENDING)])?;
    if finding.pending.len() > MOST_PENDING {
        writeln!(out, "    and {} more pending effects", finding.pending.len() - MOST_PENDING)?;
    }
    writeln!(out, "    again: plugpull explore --store {}", finding.replay)
}

/// A line for each pending effect: lost or kept.
pub fn effects(out: &mut dyn Write, pending: &[Lost]) -> io::Result<()> {
    for effect in pending {
        let fate = if effect.lost { "lost" } else { "kept" };
        writeln!(out, "    {fate}  {} (event {})", effect.what, effect.event)?;
    }
    Ok(())
}

/// The pending effects, for machines.
pub fn effects_json(pending: &[Lost]) -> Value {
    let effect =
        |effect: &Lost| json!({ "event": effect.event, "what": effect.what, "lost": effect.lost });
    pending.iter().map(effect).collect()
}

/// What was looked at in each tier, for machines.
pub fn tiers_json(coverage: &Coverage) -> Value {
    let tier = |count: &crate::explore::TierCount| {
        json!({
            "tier": count.tier.to_string(),
            "sets": count.enumerated,
            "states": count.distinct,
            "complete": count.complete,
        })
    };
    coverage.tiers.iter().map(tier).collect()
}

/// One run under one model, for machines.
pub fn row(row: &Row<'_>) -> Value {
    let coverage = row.coverage;
    let skipped = coverage.skipped.iter();
    let skipped = skipped.map(|s| json!({ "point": s.point, "pending": s.pending }));
    json!({
        "event": "power-cut",
        "run": label(row.run),
        "workload": row.run.workload.name(),
        "seed": row.run.seed,
        "size": row.run.size,
        "model": row.model.name,
        "events": row.events,
        "tiers": tiers_json(coverage),
        "exhaustive": coverage.is_exhaustive(),
        "too_large": skipped.collect::<Vec<_>>(),
        "recrashed": row.recrashed,
        "violations": row.violations,
    })
}

/// A finding, for machines.
pub fn finding(finding: &Finding) -> Value {
    json!({
        "event": "power-cut-finding",
        "run": finding.run,
        "model": finding.model,
        "point": finding.point,
        "events": finding.events,
        "states": finding.states,
        "violations": finding.violation.what,
        "second_crash": finding.violation.again,
        "pending": effects_json(&finding.pending),
        "replay": finding.replay,
    })
}

/// What came of each model, for machines.
pub fn tallies(summary: &Summary) -> Value {
    let tally = |tally: &crate::power_cut::Tally| {
        json!({
            "model": tally.model,
            "control": tally.control,
            "runs": tally.runs,
            "exhaustive_runs": tally.exhaustive,
            "sets": tally.sets,
            "states": tally.states,
            "recrashed": tally.recrashed,
            "too_large": tally.skipped,
            "complete": tally.complete,
            "violations": tally.violations,
        })
    };
    summary.models.iter().map(tally).collect()
}

/// The bound in words, for the line that gives the verdict.
pub fn bound(summary: &Summary) -> String {
    let models: Vec<_> = summary.gate().map(|tally| tally.model.as_str()).collect();
    let runs: u64 = summary.gate().map(|tally| tally.runs).sum();
    let exhaustive: u64 = summary.gate().map(|tally| tally.exhaustive).sum();
    let all = if exhaustive == runs {
        "every legal set of every crash point".to_owned()
    } else {
        format!("every legal set in {exhaustive} of {runs} searches")
    };
    let of_runs = match (summary.runs, summary.of_runs) {
        (runs, of_runs) if runs == of_runs => of_runs.to_string(),
        (runs, of_runs) => format!("{runs} of {of_runs}"),
    };
    format!(
        "{} crash states of {of_runs} recorded runs, {all}, models {}",
        HumanCount(summary.states()),
        models.join(" ")
    )
}
