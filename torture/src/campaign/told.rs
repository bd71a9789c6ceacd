//! What is told of a campaign: round by round for machines, findings and a table for people.
//!
//! Not for deciding anything.

use std::io::{self, Write};
use std::path::PathBuf;

use faultfs::{CrashState, Event, Model};
use serde_json::json;

use super::draw::{Plan, What};
use super::is_json;
use crate::cli::{MessageFormat, TortureArgs};
use crate::exit::Exit;
use crate::record::{Program, RunEnd};

/// What became of a round.
pub(super) struct Round {
    number: u64,
    what: What,
    /// Whether the program ended by itself before its moment came.
    ended: bool,
    ops: u64,
    marks: u64,
    pub(super) model: String,
    /// How many pending effects were lost.
    pub(super) lost: usize,
    pub(super) violation: Option<String>,
    token: String,
    recording: Option<PathBuf>,
}

impl Round {
    pub(super) fn new(number: u64, plan: &Plan, ran: &RunEnd, events: &[Event]) -> Self {
        let marks = events.iter().filter(|event| matches!(event, Event::Mark(_))).count() as u64;
        Self {
            number,
            what: plan.what,
            ended: *ran != RunEnd::Killed,
            ops: events.len() as u64 - marks,
            marks,
            model: String::new(),
            lost: 0,
            violation: None,
            token: String::new(),
            recording: None,
        }
    }

    pub(super) fn keep(&mut self, state: &CrashState, recording: PathBuf) {
        self.token = state.to_string();
        self.recording = Some(recording);
    }

    fn word(&self) -> &'static str {
        match self.what {
            What::Kill => "kill",
            What::Cut(_) => "power-cut",
            What::Finish => "finished",
        }
    }

    fn replay(&self) -> String {
        let file = self.recording.as_deref().map(|path| path.display().to_string());
        format!("plugpull replay {} --recording {}", self.token, file.unwrap_or_default())
    }
}

/// What all rounds did.
#[derive(Default)]
pub(super) struct Tally {
    rounds: u64,
    pub(super) kills: u64,
    pub(super) cuts: u64,
    finished: u64,
    /// Kills and cuts whose moment never came: the program had ended.
    pub(super) missed: u64,
    /// Power cuts that lost something.
    losses: u64,
    ops: u64,
    marks: u64,
    pub(super) violations: u64,
}

impl Tally {
    pub(super) fn add(&mut self, round: &Round) {
        self.rounds += 1;
        match round.what {
            What::Kill => self.kills += 1,
            What::Cut(_) => self.cuts += 1,
            What::Finish => self.finished += 1,
        }
        self.missed += u64::from(round.ended && round.what != What::Finish);
        self.losses += u64::from(round.lost > 0);
        self.ops += round.ops;
        self.marks += round.marks;
        self.violations += u64::from(round.violation.is_some());
    }
}

/// Tells it.
pub(super) struct Teller<W> {
    format: MessageFormat,
    out: W,
}

impl<W: Write> Teller<W> {
    pub(super) fn new(format: MessageFormat, out: W) -> Self {
        Self { format, out }
    }

    pub(super) fn start(
        &mut self,
        program: &Program,
        models: &[Model],
        args: &TortureArgs,
        seed: u64,
    ) -> io::Result<()> {
        let command: Vec<_> = program.command.iter().map(|arg| arg.to_string_lossy()).collect();
        let models: Vec<_> = models.iter().map(|model| model.name.as_str()).collect();
        let rounds = args.live.rounds;
        if is_json(self.format) {
            let line = json!({
                "event": "start", "version": 1, "plugpull": env!("CARGO_PKG_VERSION"), "command": command,
                "dir": program.dir, "rounds": rounds, "models": models, "seed": seed,
                "checkers": args.live.checker,
            });
            return writeln!(self.out, "{line}");
        }
        writeln!(
            self.out,
            "plugpull {}: up to {rounds} rounds of `{}` in {}\n  checked by {}; models {}, seed {seed}\n",
            env!("CARGO_PKG_VERSION"),
            command.join(" "),
            program.dir.display(),
            args.live.checker.join(", "),
            models.join(" ")
        )
    }

    pub(super) fn round(&mut self, round: &Round) -> io::Result<()> {
        if is_json(self.format) {
            let line = json!({
                "event": "round", "round": round.number, "end": round.word(), "missed": round.ended &&
                round.what != What::Finish, "model": round.model, "operations": round.ops,
                "marks": round.marks, "lost": round.lost, "violated": round.violation.is_some(),
            });
            writeln!(self.out, "{line}")?;
        }
        let Some(message) = &round.violation else { return Ok(()) };
        if is_json(self.format) {
            let line = json!({
                "event": "finding", "round": round.number, "message": message, "model": round.model,
                "end": round.word(), "token": round.token, "replay": round.replay(),
                "recording": round.recording,
            });
            return writeln!(self.out, "{line}");
        }
        writeln!(self.out, "VIOLATION in round {}: {message}", round.number)?;
        let after = format!("after {} operations and {} marks of it", round.ops, round.marks);
        match round.what {
            What::Cut(_) => writeln!(
                self.out,
                "  power cut {after}, under {}: {} pending effects lost",
                round.model, round.lost
            )?,
            What::Kill => writeln!(self.out, "  killed {after}; nothing was lost")?,
            What::Finish => writeln!(self.out, "  it ended by itself {after}; nothing was lost")?,
        }
        writeln!(self.out, "  again: {}\n", round.replay())
    }

    pub(super) fn end(&mut self, tally: &Tally, exit: Exit, seed: u64) -> io::Result<()> {
        if is_json(self.format) {
            let line = json!({
                "event": "end", "exit": exit, "rounds": tally.rounds, "kills": tally.kills,
                "power_cuts": tally.cuts, "finished": tally.finished, "missed": tally.missed,
                "losses": tally.losses, "operations": tally.ops, "marks": tally.marks,
                "states": tally.rounds, "violations": tally.violations,
            });
            return writeln!(self.out, "{line}");
        }
        let rows = [
            ("rounds, each checked", tally.rounds),
            ("killed", tally.kills),
            ("power cut", tally.cuts),
            ("of these lost something", tally.losses),
            ("had ended before", tally.missed),
            ("left to end", tally.finished),
            ("operations", tally.ops),
            ("marks", tally.marks),
            ("violations", tally.violations),
        ];
        for (what, count) in rows {
            writeln!(self.out, "  {what:<26} {count:>10}")?;
        }
        let told = match exit {
            Exit::Violation => "a violation was found",
            Exit::Interrupted => "ended early, no violation until then",
            Exit::NothingDone => "no kill and no power cut came in time, so nothing was tested",
            _ => "no violation",
        };
        writeln!(self.out, "  {told}; {} states checked, seed {seed}", tally.rounds)
    }
}
