//! The reports of `plugpull check` and `explore FILE`: while it runs, and of its outcomes.
//!
//! Everything is told from [`Outcome`]s, so each form tells the same. A new form is a new file here.

pub(crate) mod files;
pub mod github;
pub mod html;
pub mod human;
pub mod json;
pub mod junit;
pub mod sarif;
mod summary;
mod words;

use std::io::{self, Write};

use crate::cli::MessageFormat;
use crate::exit::Exit;
use crate::outcome::{Comparison, Outcome};

pub use files::Reports;
pub use human::write_line;
pub use summary::{baseline, heading, summary};

/// What the checks of all programs showed.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Report {
    /// The version of plugpull.
    pub plugpull: String,
    /// Each program's.
    pub outcomes: Vec<Outcome>,
    /// What changed against the baseline, if there is one.
    pub baseline: Option<Comparison>,
    /// How the command ends.
    pub exit: Exit,
}

impl Report {
    /// Of these outcomes.
    pub fn of(outcomes: Vec<Outcome>) -> Self {
        let exit = Exit::worst(outcomes.iter().map(|outcome| outcome.exit));
        Self { plugpull: env!("CARGO_PKG_VERSION").to_owned(), outcomes, baseline: None, exit }
    }
}

/// A check begins.
pub fn start(out: &mut dyn Write, format: MessageFormat, outcome: &Outcome) -> io::Result<()> {
    match format {
        MessageFormat::Human => human::start(out, outcome),
        MessageFormat::JsonLines => json::start(out, outcome),
    }
}

/// A check is over.
pub fn end(out: &mut dyn Write, format: MessageFormat, outcome: &Outcome) -> io::Result<()> {
    match format {
        MessageFormat::Human => human::end(out, outcome),
        MessageFormat::JsonLines => json::end(out, outcome),
    }
}
