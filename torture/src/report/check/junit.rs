//! JUnit XML, as Jenkins reads it (junit-10.xsd): a test suite for each program, a test case for each model.
//!
//! A case fails when a finding that fails the run has states under its model; what was not looked at is
//! skipped, never passed. Not for what a finding is.

use std::fmt::Write as _;
use std::io;

use quick_junit::{NonSuccessKind, Property, Report as Xml, TestCase, TestCaseStatus, TestSuite};

use crate::exit::Exit;
use crate::outcome::{Comparison, FindingTold, Outcome, SearchedTold};

use super::Report;
use super::human::verdict;
use super::words::{Level, body, lacking, visible};

/// Most findings that are told in full in one case; the others are counted.
const MOST: usize = 50;

/// The report.
pub fn text(report: &Report) -> io::Result<String> {
    let mut xml = Xml::new("plugpull");
    for outcome in &report.outcomes {
        xml.add_test_suite(suite(outcome));
    }
    if let Some(baseline) = &report.baseline {
        xml.add_test_suite(ratchet(baseline));
    }
    let text = xml.to_string().map_err(io::Error::other)?;
    Ok(without_skipped(&text))
}

/// The library counts what was skipped in `testsuites` too, where Jenkins refuses it.
fn without_skipped(text: &str) -> String {
    let tag = text.find("<testsuites").unwrap_or_default();
    let end = text[tag..].find('>').map_or(text.len(), |end| tag + end);
    let Some(from) = text[tag..end].find(" skipped=\"").map(|at| tag + at) else {
        return text.to_owned();
    };
    let value = from + " skipped=\"".len();
    let to = text[value..end].find('"').map_or(end, |quote| value + quote + 1);
    format!("{}{}", &text[..from], &text[to..])
}

fn suite(outcome: &Outcome) -> TestSuite {
    let mut suite = TestSuite::new(visible(&outcome.subject));
    let bound = &outcome.bound;
    let window = bound.window.to_string();
    let seed = bound.seed.to_string();
    let judged = outcome.judged.to_string();
    let recording = outcome.recording.as_deref().map(|path| path.display().to_string());
    let properties = [
        ("command", outcome.command.join(" ")),
        ("dir", outcome.dir.display().to_string()),
        ("checkers", outcome.checkers.join(", ")),
        ("models", bound.models.join(" ")),
        ("fail_on", bound.fail_on.join(" ")),
        ("tier", bound.tier.clone()),
        ("window", window),
        ("seed", seed),
        ("judged", judged),
        ("recording", recording.unwrap_or_default()),
    ];
    for (name, value) in properties {
        suite.add_property(Property::new(name, visible(&value)));
    }
    suite.add_test_case(control(outcome));
    let names = bound.models.iter().map(String::as_str);
    let searched = outcome.searched.iter().map(|searched| searched.model.as_str());
    let further = searched.filter(|name| !bound.models.iter().any(|model| model == name));
    for model in names.chain(further) {
        suite.add_test_case(case(outcome, model));
    }
    suite.set_system_out(visible(&summary(outcome)));
    suite
}

/// What is said of a program as a whole.
fn summary(outcome: &Outcome) -> String {
    let warnings = outcome.warnings.iter().map(|warning| format!("warning: {warning}\n"));
    let not_looked_at = format!("not looked at: {}\n", outcome.not_looked_at.join("; "));
    let unexplained = match outcome.unexplained {
        0 => String::new(),
        states => format!("{states} states with violations were not looked into\n"),
    };
    let warnings: String = warnings.collect();
    format!("{}\n{warnings}{unexplained}{not_looked_at}", verdict(outcome))
}

/// Whether the program and the checker can be trusted at all.
fn control(outcome: &Outcome) -> TestCase {
    let status = match &outcome.error {
        Some(error) if outcome.exit == Exit::Interrupted => skipped(error),
        Some(error) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            let kind = match outcome.exit {
                Exit::ProgramFailed => "program-failed",
                Exit::HarnessBroken => "harness-broken",
                Exit::Environment => "environment",
                _ => "error",
            };
            status.set_message(first_line(error)).set_type(kind);
            status.set_description(visible(error));
            status
        }
        None if outcome.control.is_empty() => skipped("nothing was tested"),
        None => TestCaseStatus::success(),
    };
    let mut case = named(outcome, "control", status);
    if !outcome.control.is_empty() {
        case.set_system_out(visible(&outcome.control));
    }
    case
}

/// The power cuts under one model.
fn case(outcome: &Outcome, model: &str) -> TestCase {
    let searched = outcome.searched.iter().find(|searched| searched.model == model);
    let of_model = outcome.findings.iter().filter(|finding| finding.models.contains_key(model));
    // A model that is not to fail on does not fail with one that is.
    let gates = outcome.bound.fail_on.iter().any(|name| name == model);
    let (failing, other): (Vec<_>, Vec<_>) =
        of_model.partition(|finding| gates && Level::of(finding) == Level::Gate);
    let status = match failing.split_first() {
        Some((first, more)) => failed(first, more),
        None => not_measured(outcome, searched)
            .map_or_else(TestCaseStatus::success, |why| skipped(&why)),
    };
    let mut case = named(outcome, &format!("power cuts under {model}"), status);
    let mut out = searched.map(looked_at).unwrap_or_default();
    out.push_str(&bodies(&other));
    if !out.is_empty() {
        case.set_system_out(visible(&out));
    }
    case
}

fn failed(first: &FindingTold, more: &[&FindingTold]) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    let others = match more.len() {
        0 => String::new(),
        n => format!(" (and {n} more)"),
    };
    status.set_message(format!("{} [{}]{others}", first_line(&first.message), first.id));
    status.set_type("violation");
    let all: Vec<_> = std::iter::once(first).chain(more.iter().copied()).collect();
    status.set_description(visible(&bodies(&all)));
    status
}

fn bodies(findings: &[&FindingTold]) -> String {
    let told: Vec<_> = findings.iter().take(MOST).map(|finding| body(finding)).collect();
    let mut text = told.join("\n");
    if findings.len() > MOST {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "\nand {} more", findings.len() - MOST);
    }
    text
}

/// Why a model is not passed although nothing was found under it.
fn not_measured(outcome: &Outcome, searched: Option<&SearchedTold>) -> Option<String> {
    let Some(searched) = searched else {
        return Some(match (&outcome.error, outcome.exit) {
            (Some(error), _) => format!("not looked at: {}", first_line(error)),
            (None, Exit::NothingDone) => "not looked at: the program changed nothing".to_owned(),
            _ => "not looked at".to_owned(),
        });
    };
    if searched.complete && searched.judged() > 0 {
        return None;
    }
    let lacking = lacking(outcome, searched);
    Some(lacking.unwrap_or_else(|| "no state was judged".to_owned()))
}

fn looked_at(searched: &SearchedTold) -> String {
    format!(
        "{} crash points, {} sets made, {} states judged, {} violated, {} not judged\n",
        searched.crash_points,
        searched.sets(),
        searched.judged(),
        searched.violated,
        searched.not_measured
    )
}

/// The comparison with the committed baseline.
fn ratchet(baseline: &Comparison) -> TestSuite {
    let mut suite = TestSuite::new("baseline");
    let status = if baseline.worse.is_empty() {
        TestCaseStatus::success()
    } else {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_message(format!("worse than the baseline: {}", first_line(&baseline.worse[0])));
        status.set_type("baseline").set_description(visible(&baseline.worse.join("\n")));
        status
    };
    let mut case = TestCase::new(format!("not worse than {}", baseline.file.display()), status);
    case.set_classname("plugpull.baseline");
    if !baseline.better.is_empty() {
        case.set_system_out(visible(&format!("better:\n{}\n", baseline.better.join("\n"))));
    }
    suite.add_test_case(case);
    suite
}

fn skipped(why: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(first_line(why));
    status
}

fn named(outcome: &Outcome, name: &str, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(name, status);
    case.set_classname(format!("plugpull.{}", visible(&outcome.subject)));
    case
}

fn first_line(text: &str) -> String {
    visible(text.lines().next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jenkins_refuses_a_count_of_what_was_skipped_in_all() {
        let text = "<?xml?>\n<testsuites name=\"a\" skipped=\"3\" errors=\"0\">\n<testsuite skipped=\"3\">";
        let without = "<?xml?>\n<testsuites name=\"a\" errors=\"0\">\n<testsuite skipped=\"3\">";
        assert_eq!(without_skipped(text), without);
        assert_eq!(without_skipped(without), without);
    }
}
