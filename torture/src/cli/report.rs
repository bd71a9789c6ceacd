//! Arguments that ask for reports beside what is printed.

use std::path::PathBuf;

use clap::Args;

/// Where `--help` lists them.
const HEADING: &str = "Reports";

/// Which reports are written, and where.
#[derive(Clone, Debug, Default, Args)]
pub struct ReportArgs {
    /// Write a report to this file: JUnit XML, a test case for each model
    #[arg(long, value_name = "FILE", help_heading = HEADING)]
    pub junit: Option<PathBuf>,
    /// Write a report to this file: SARIF 2.1.0, for code scanning
    #[arg(long, value_name = "FILE", help_heading = HEADING)]
    pub sarif: Option<PathBuf>,
    /// Write a report to this file: a page for the browser, with a timeline of each finding
    #[arg(long, value_name = "FILE", help_heading = HEADING)]
    pub html: Option<PathBuf>,
    /// Annotate the run of GitHub Actions, and write its step summary [default: when GITHUB_ACTIONS is
    /// true]
    #[arg(long, conflicts_with = "no_github", help_heading = HEADING)]
    pub github: bool,
    /// Do neither
    #[arg(long, help_heading = HEADING)]
    pub no_github: bool,
}

impl ReportArgs {
    /// Whether any report was asked for by name.
    pub fn names_any(&self) -> bool {
        self.github || self.junit.is_some() || self.sarif.is_some() || self.html.is_some()
    }
}
