//! The baseline in one run of a check: read before anything runs, held against each outcome, written at the
//! end where that was asked for.

use std::path::{Path, PathBuf};

use super::known::Baseline;
use super::save::{Saved, refuse_in_ci, why_not};
use crate::cli::CheckArgs;
use crate::config::Config;
use crate::exit::{Exit, Failure};
use crate::outcome::Outcome;
use crate::report::check::Report;

/// What a run does with a baseline; nothing where there is none.
#[derive(Clone, Debug, Default)]
pub struct Ratchet {
    /// What is known, and the file it is in.
    baseline: Option<Baseline>,
    /// Whether it is written anew.
    save: bool,
    /// Whether every subject runs, so that one that does not is missed.
    all: bool,
}

impl Ratchet {
    /// What the command line says, and whether there is such a file.
    pub fn of(args: &CheckArgs, config: Option<&Config>) -> Result<Self, Failure> {
        let save = args.project.save_baseline;
        if save {
            refuse_in_ci()?;
        }
        let named = args.project.baseline.clone();
        let beside = config
            .map(|config| Baseline::beside(config.path.parent().unwrap_or_else(|| Path::new(""))));
        let Some(file) = named.clone().or(beside) else {
            if save {
                let text = "--save-baseline needs a file for a program behind `--`: name one with \
                            --baseline FILE";
                return Err(Failure::Usage(text.to_owned()));
            }
            return Ok(Self::default());
        };
        let all = config.is_some() && args.project.subject.is_empty();
        let baseline = match Baseline::load(&file)? {
            Some(baseline) => Some(baseline),
            None if save => Some(Baseline::empty(file)),
            None if named.is_some() => return Err(missing(&file)),
            None => None,
        };
        Ok(Self { baseline, save, all })
    }

    /// One that only compares, with all subjects that the file names.
    pub fn reading(file: Option<&Path>) -> Result<Self, Failure> {
        let Some(file) = file else { return Ok(Self::default()) };
        let baseline = Baseline::load(file)?.ok_or_else(|| missing(file))?;
        Ok(Self { baseline: Some(baseline), save: false, all: true })
    }

    /// Marks what is known of an outcome.
    pub fn mark(&self, outcome: &mut Outcome, interrupted: bool) {
        if let Some(baseline) = &self.baseline {
            baseline.mark(outcome, interrupted);
        }
    }

    /// Compares, and writes the file if that was asked for; the report then says how the run ends.
    pub fn finish(&self, report: &mut Report, interrupted: bool) -> Result<Option<Saved>, Failure> {
        let Some(baseline) = &self.baseline else { return Ok(None) };
        let comparison = baseline.compare(&report.outcomes, self.all);
        let worse = !comparison.worse.is_empty();
        // What was not looked at because somebody ended the run is not missed.
        report.baseline = Some(comparison).filter(|_| !interrupted);
        if interrupted && !self.save {
            return Ok(None);
        }
        if !self.save {
            let compared = worse.then_some(Exit::WorseThanBaseline);
            report.exit = Exit::worst([report.exit].into_iter().chain(compared));
            return Ok(None);
        }
        if let Some(why) = why_not(&report.outcomes) {
            eprintln!("plugpull: {} is not written: {why}", baseline.file.display());
            return Ok(None);
        }
        let new = baseline.renewed(&report.outcomes, self.all);
        let saved = new.save(baseline)?;
        // What was found is known from now on.
        for outcome in &mut report.outcomes {
            new.mark(outcome, interrupted);
        }
        report.exit = Exit::worst(report.outcomes.iter().map(|outcome| outcome.exit));
        Ok(Some(saved))
    }
}

fn missing(file: &Path) -> Failure {
    let file = file.display();
    Failure::Usage(format!("there is no baseline {file}; --save-baseline writes it"))
}

impl Baseline {
    /// One in which nothing is known.
    pub fn empty(file: PathBuf) -> Self {
        Self { file, ..Self::default() }
    }
}
