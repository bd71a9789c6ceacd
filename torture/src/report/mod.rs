//! How a torture run is told: for people or for machines.
//!
//! A report is told what happens and prints; it counts nothing itself. A new format is a new file
//! here. Words: never "safe", never "proved"; what was looked at, and what was not.

pub mod check;
mod human;
pub mod inject;
mod json;
pub mod power_cut;

use std::io::{self, IsTerminal};
use std::time::Duration;

use crate::cli::MessageFormat;
use crate::exit::{Exit, Failure};
use crate::kill::Outcome;
use crate::options::Options;
use crate::oracle::Finding;
use crate::power_cut::{Row, Summary};
use crate::wire::{Phase, Step};

/// What is known before the first writer starts.
pub struct Start<'a> {
    /// What was asked for.
    pub options: &'a Options,
    /// Short name of the kill plan.
    pub plan: &'a str,
    /// How many kills it has.
    pub kills: u64,
    /// How many steps one commit and the errands have.
    pub steps: usize,
    /// Where the store is.
    pub dir: &'a std::path::Path,
}

/// How far a run is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Commits acknowledged.
    pub commits: u64,
    /// Commits to reach.
    pub of: u64,
    /// Writers killed.
    pub kills: u64,
    /// Since the first writer was started.
    pub elapsed: Duration,
}

/// What is known when everything was looked at.
pub struct End<'a> {
    /// What was asked for.
    pub options: &'a Options,
    /// What happened.
    pub outcome: &'a Outcome,
    /// How many kills were planned.
    pub kills: u64,
    /// The steps of a commit and the errands.
    pub steps: &'a [Step],
    /// What the power cuts showed, if any were looked at.
    pub power_cuts: Option<&'a Summary>,
    /// How the program will exit.
    pub exit: Exit,
    /// Where the store was kept, if it was.
    pub kept: Option<&'a std::path::Path>,
}

/// One format.
pub trait Report {
    /// The run begins.
    fn start(&mut self, start: &Start<'_>) -> Result<(), Failure>;
    /// The run goes on; called often, prints seldom.
    fn progress(&mut self, progress: &Progress);
    /// A writer was killed: at which step, or (at a random time) in which phase.
    fn kill(&mut self, slot: u32, step: Option<&Step>, phase: Option<Phase>);
    /// Something was found.
    fn finding(&mut self, finding: &Finding);
    /// A recorded run was explored under a model.
    fn power_cut(&mut self, row: &Row<'_>) -> Result<(), Failure>;
    /// The run is over.
    fn end(&mut self, end: &End<'_>) -> Result<(), Failure>;
}

/// The report for this format.
pub fn of(format: MessageFormat) -> Box<dyn Report> {
    match format {
        MessageFormat::Human => Box::new(human::Human::new(io::stderr().is_terminal())),
        MessageFormat::JsonLines => Box::new(json::JsonLines::default()),
    }
}

/// What a run of this kind cannot see; said by every report.
pub fn not_looked_at(power_cuts: Option<&Summary>) -> &'static str {
    match power_cuts {
        Some(_) => {
            "power cuts of the runs that were killed (those of recorded runs were), failing disks, and \
             more than one machine"
        }
        None => {
            "power cuts (SIGKILL keeps the page cache, so a missing fsync does not show), failing \
             disks, and more than one machine"
        }
    }
}
