//! An outcome as a test tells it: the report for people, and a panic where something is wrong.

use crate::exit::{Exit, Failure};
use crate::outcome::Outcome;
use crate::report::check::human;

/// The variable that CI sets to 1, so that nothing is skipped there unseen.
const REQUIRE_ALL: &str = "PLUGPULL_REQUIRE_ALL";

/// For a test that may run where programs cannot be recorded: it says there on standard error that nothing was
/// measured, and gets nothing. With `PLUGPULL_REQUIRE_ALL=1`, which belongs into CI, it fails instead.
///
/// # Panics
///
/// With every other failure.
#[track_caller]
pub fn measured(outcome: Result<Outcome, Failure>) -> Option<Outcome> {
    match outcome {
        Ok(outcome) => Some(outcome),
        Err(Failure::Machine(why))
            if std::env::var_os(REQUIRE_ALL).is_none_or(|all| all != "1") =>
        {
            eprintln!("not measured: {why}");
            None
        }
        Err(failure) => panic!("{failure}"),
    }
}

impl Outcome {
    /// The report as `plugpull check` prints it.
    pub fn text(&self) -> String {
        let mut text = Vec::new();
        // Writing to memory cannot fail.
        let _ = human::start(&mut text, self).and_then(|()| human::end(&mut text, self));
        String::from_utf8_lossy(&text).into_owned()
    }

    /// For a test. A check that was never seen to fail is told on standard error.
    ///
    /// # Panics
    ///
    /// With the report, unless all that was asked for was looked at and nothing was found that fails the run.
    #[track_caller]
    pub fn assert_no_violation(&self) {
        assert!(self.exit == Exit::Clean, "{}\n\n{}", self.why(), self.text());
        if self.control.starts_with("warning") {
            eprintln!("{}: {}", self.subject, self.control);
        }
    }

    /// Why this is no clean outcome, in a line.
    fn why(&self) -> &'static str {
        match self.exit {
            Exit::Violation => "a power cut breaks a promise",
            Exit::Partial => "the budget ended before everything was looked at",
            Exit::NothingDone => "nothing was tested: the workload changes nothing on the disk",
            _ => "not everything was looked at",
        }
    }
}
