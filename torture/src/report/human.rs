//! For people: a progress bar at a terminal, a line every few seconds elsewhere, a table at the end.

use std::io::{self, Write};
use std::time::Duration;

use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{End, Progress, Report, Start, not_looked_at, power_cut};
use crate::exit::{Exit, Failure};
use crate::oracle::Finding;
use crate::power_cut::Row;
use crate::wire::{Phase, Step};

/// Time between two lines where no bar can be drawn.
const HEARTBEAT: Duration = Duration::from_secs(3);

/// How many findings and missed steps are printed; the others are counted.
const MOST: usize = 10;

/// The human report.
pub(super) struct Human {
    bar: ProgressBar,
    /// Elapsed time at which the next line is due; none at a terminal, which has the bar.
    next_line: Option<Duration>,
}

impl Human {
    pub(super) fn new(terminal: bool) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
        Self { bar, next_line: (!terminal).then_some(HEARTBEAT) }
    }
}

impl Report for Human {
    fn start(&mut self, start: &Start<'_>) -> Result<(), Failure> {
        let options = start.options;
        let mut out = io::stdout().lock();
        writeln!(
            out,
            "plugpull {} torture: {} commits by {} writers, {} kills, seed {}",
            env!("CARGO_PKG_VERSION"),
            HumanCount(options.commits),
            options.writers,
            HumanCount(start.kills),
            options.seed,
        )?;
        writeln!(
            out,
            "  kill plan {}: every second kill before one of the {} calls of a commit and the errands, the \
             others at a random time",
            start.plan, start.steps
        )?;
        writeln!(out, "  errands between two commits: {}", options.errands)?;
        writeln!(out, "  store {}", start.dir.display())?;
        if let Some(bug) = &options.planted {
            writeln!(out, "  planted mistake: {bug}")?;
        }
        self.bar.set_length(options.commits);
        if let Ok(style) = ProgressStyle::with_template("  {bar:40} {pos}/{len} commits  {msg}") {
            self.bar.set_style(style);
        }
        Ok(())
    }

    fn progress(&mut self, progress: &Progress) {
        let Some(due) = self.next_line else {
            self.bar.set_position(progress.commits.min(progress.of));
            self.bar.set_message(format!("{} kills  {}", progress.kills, eta(progress)));
            return;
        };
        if progress.elapsed >= due {
            self.next_line = Some(progress.elapsed + HEARTBEAT);
            eprintln!(
                "  {} of {} commits, {} kills, {}",
                HumanCount(progress.commits),
                HumanCount(progress.of),
                HumanCount(progress.kills),
                eta(progress)
            );
        }
    }

    fn kill(&mut self, _: u32, _: Option<&Step>, _: Option<Phase>) {}

    fn finding(&mut self, finding: &Finding) {
        self.bar.suspend(|| eprintln!("  found: {}: {}", finding.kind, finding.detail));
    }

    fn power_cut(&mut self, row: &Row<'_>) -> Result<(), Failure> {
        self.bar.set_message(format!(
            "power cuts: {} under {}",
            row.run.workload.name(),
            row.model.name
        ));
        Ok(())
    }

    fn end(&mut self, end: &End<'_>) -> Result<(), Failure> {
        self.bar.finish_and_clear();
        let mut out = io::stdout().lock();
        kills(&mut out, end)?;
        counts(&mut out, end)?;
        let timing = &end.outcome.timing;
        if !timing.is_empty() {
            writeln!(out)?;
            timing.write(&mut out, "the commits that were acknowledged")?;
        }
        if let Some(summary) = end.power_cuts {
            writeln!(out)?;
            power_cut::table(&mut out, summary)?;
        }
        verdict(&mut out, end)
    }
}

fn eta(progress: &Progress) -> String {
    let left = progress.of.saturating_sub(progress.commits);
    if progress.commits == 0 || left == 0 {
        return String::new();
    }
    let left = progress.elapsed.as_secs_f64() * as_f64(left) / as_f64(progress.commits);
    format!("about {} left", HumanDuration(Duration::from_secs_f64(left)))
}

#[expect(clippy::cast_precision_loss, reason = "for people, who read three digits of it")]
fn as_f64(count: u64) -> f64 {
    count as f64
}

/// Which part of a commit, and which errand, the kills hit.
fn kills(out: &mut dyn Write, end: &End<'_>) -> Result<(), Failure> {
    let tally = &end.outcome.tally;
    writeln!(out)?;
    writeln!(out, "  killed during   before a call   at random   calls hit")?;
    let errands = end.options.errands.all().map(Phase::Errand);
    for phase in Phase::OF_COMMIT.into_iter().chain(errands) {
        let kills = tally.by_phase.get(&phase).copied().unwrap_or_default();
        let of_phase = || end.steps.iter().filter(|step| step.phase == phase);
        let hit = of_phase().filter(|step| tally.steps_hit.contains_key(step)).count();
        writeln!(
            out,
            "  {:<15} {:>13} {:>11} {:>8} of {}",
            phase.name(),
            count(kills.at_call),
            count(kills.at_time),
            hit,
            of_phase().count()
        )?;
    }
    writeln!(
        out,
        "  {:<15} {:>13} {:>11}",
        "between commits",
        "",
        HumanCount(tally.kills_between)
    )?;
    let missed = tally.missed(end.steps);
    for step in missed.iter().take(MOST) {
        writeln!(out, "  not hit: {} {} #{}", step.phase.name(), step.call, step.nth)?;
    }
    if missed.len() > MOST {
        writeln!(out, "  not hit: {} more", missed.len() - MOST)?;
    }
    Ok(())
}

fn counts(out: &mut dyn Write, end: &End<'_>) -> Result<(), Failure> {
    let (tally, audit) = (&end.outcome.tally, &end.outcome.audit);
    writeln!(out)?;
    writeln!(
        out,
        "  commits acknowledged  {} in {:.1} s ({:.0} a second)",
        HumanCount(tally.commits),
        tally.elapsed.as_secs_f64(),
        tally.commits_per_second()
    )?;
    writeln!(out, "  errands acknowledged  {}", HumanCount(tally.errands))?;
    writeln!(
        out,
        "  writers killed        {}, {} of them within a commit or an errand",
        HumanCount(tally.kills),
        HumanCount(tally.kills_inside)
    )?;
    writeln!(
        out,
        "  audits                {} after a kill, {} of everything",
        HumanCount(tally.audits),
        HumanCount(tally.full_audits)
    )?;
    writeln!(out, "  orphan temps          {} found and removed", HumanCount(tally.orphans))?;
    writeln!(
        out,
        "  garbage collections   {} beside the writers, {} objects deleted",
        tally.collections,
        HumanCount(tally.collected)
    )?;
    writeln!(
        out,
        "  in the store          {} objects, {} bytes, {} commits, {} branches, all hashed",
        HumanCount(audit.objects),
        HumanCount(audit.bytes),
        HumanCount(audit.commits),
        HumanCount(audit.branches)
    )?;
    Ok(())
}

fn verdict(out: &mut dyn Write, end: &End<'_>) -> Result<(), Failure> {
    let (tally, findings) = (&end.outcome.tally, &end.outcome.findings);
    writeln!(out)?;
    for finding in findings.iter().take(MOST) {
        writeln!(out, "  VIOLATION {}: {}", finding.kind, finding.detail)?;
    }
    if findings.len() > MOST {
        writeln!(out, "  and {} more", findings.len() - MOST)?;
    }
    if let Some(summary) = end.power_cuts {
        power_cut::findings(out, summary)?;
    }
    match end.kept {
        Some(kept) => writeln!(out, "  the store was kept in {}", kept.display())?,
        None => writeln!(out, "  the store is being removed; --keep would keep it")?,
    }
    let seed = end.options.seed;
    let line = match end.exit {
        Exit::Clean => format!(
            "no violation in {} audits after {} kills, every call of a commit and the errands hit, seed {seed}",
            tally.audits + tally.full_audits,
            tally.kills
        ),
        Exit::Violation => {
            let cut = end.power_cuts.map_or(0, |summary| summary.findings.len());
            format!("{} violations, seed {seed}", findings.len() + cut)
        }
        Exit::Interrupted => "ended early; what is above is what was seen until then".to_owned(),
        Exit::NothingDone => "no kill hit a commit or an errand: nothing was tested".to_owned(),
        _ => format!(
            "no violation, but not everything was looked at: {} of {} commits, {} of {} kills, {} \
             calls not hit, seed {seed}",
            tally.commits,
            end.options.commits,
            tally.kills,
            end.kills,
            tally.missed(end.steps).len()
        ),
    };
    writeln!(out, "  {line}")?;
    if let Some(summary) = end.power_cuts.filter(|summary| summary.findings.is_empty()) {
        writeln!(out, "  no violation in {}", power_cut::bound(summary))?;
    }
    writeln!(out, "  not looked at: {}", not_looked_at(end.power_cuts))?;
    Ok(())
}

/// A count as text that can be aligned.
fn count(count: u64) -> String {
    HumanCount(count).to_string()
}
