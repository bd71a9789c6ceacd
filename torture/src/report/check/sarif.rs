//! SARIF 2.1.0, for code scanning: a rule for each kind of finding, a result for each finding, its tale as a
//! code flow.
//!
//! All programs are one run, because GitHub takes only one of a tool and category. A finding is of a
//! program and not of a line of its source; it is shown at the program's file (`words::place`). Not for
//! what a finding is.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;

use serde::Serialize;
use serde_json::{Value, json};

use crate::outcome::{FindingTold, Outcome, RemedyTold, TaleLine};

use super::Report;
use super::words::{Level, UNSTEADY, models, place, visible};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// The kinds of findings: what would have prevented them.
const RULES: [Rule; 3] = [
    Rule {
        id: "missing-barrier",
        name: "MissingBarrier",
        short: "A power cut breaks what the program promised; an fsync is missing",
        full: "In at least one state that a power cut may leave, the checker fails. With the \
               barrier that is named put into the recorded run, it fails in none of them.",
        help: "Add the fsync (or fdatasync) that the message names, at the place that it names. \
               The replay line makes the state again and runs the checker in it.",
    },
    Rule {
        id: "wrong-order",
        name: "WrongOrder",
        short: "A power cut breaks what the program promised; no barrier alone prevents it",
        full: "In at least one state that a power cut may leave, the checker fails, and no barrier \
               that was put into the recorded run prevents it: the steps are in the wrong order, \
               or a file is changed in place.",
        help: "Write a new file, fsync it, rename it over the old one, and fsync the directory. The \
               replay line makes the state again and runs the checker in it.",
    },
    Rule {
        id: "violation",
        name: "Violation",
        short: "A power cut breaks what the program promised",
        full: "In at least one state that a power cut may leave, the checker fails. No barrier was \
               tried that could have prevented it.",
        help: "The replay line makes the state again and runs the checker in it.",
    },
];

struct Rule {
    id: &'static str,
    name: &'static str,
    short: &'static str,
    full: &'static str,
    help: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Log {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    tool: Value,
    automation_details: Value,
    invocations: Vec<Value>,
    original_uri_base_ids: Value,
    column_kind: &'static str,
    results: Vec<Found>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    rule_id: &'static str,
    rule_index: usize,
    level: &'static str,
    kind: &'static str,
    message: Text,
    locations: [Location; 1],
    partial_fingerprints: BTreeMap<&'static str, String>,
    code_flows: [CodeFlow; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline_state: Option<&'static str>,
    properties: Value,
}

#[derive(Serialize)]
struct Text {
    text: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CodeFlow {
    thread_flows: [ThreadFlow; 1],
}

#[derive(Serialize)]
struct ThreadFlow {
    locations: Vec<Step>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Step {
    location: Location,
    execution_order: usize,
    importance: &'static str,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    #[serde(rename = "physicalLocation")]
    physical: Value,
    #[serde(rename = "logicalLocations")]
    logical: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Value>,
}

/// The report.
pub fn text(report: &Report) -> io::Result<String> {
    let results = report.outcomes.iter().flat_map(|outcome| {
        let place = location(outcome);
        let against = report.baseline.is_some();
        outcome.findings.iter().map(move |finding| found(outcome, finding, &place, against))
    });
    let run = Run {
        tool: tool(report),
        // Ends with a slash: a category without the id of one run.
        automation_details: json!({ "id": "plugpull/" }),
        invocations: report.outcomes.iter().map(invocation).collect(),
        original_uri_base_ids: json!({
            "%SRCROOT%": { "description": { "text": "the directory in which plugpull was started" } }
        }),
        column_kind: "unicodeCodePoints",
        results: results.collect(),
    };
    let log = Log { schema: SCHEMA, version: "2.1.0", runs: [run] };
    Ok(serde_json::to_string_pretty(&log)? + "\n")
}

fn tool(report: &Report) -> Value {
    let rules = RULES.iter().map(|rule| {
        json!({
            "id": rule.id,
            "name": rule.name,
            "shortDescription": { "text": rule.short },
            "fullDescription": { "text": rule.full },
            "help": { "text": rule.help },
            "defaultConfiguration": { "level": "error" },
            "properties": { "tags": ["crash-consistency", "durability"], "precision": "high" },
        })
    });
    json!({
        "driver": {
            "name": "plugpull",
            "semanticVersion": report.plugpull,
            "rules": rules.collect::<Vec<_>>(),
        }
    })
}

/// A program that was looked at, and why not when it was not.
fn invocation(outcome: &Outcome) -> Value {
    let note =
        |level: &str, text: &str| json!({ "level": level, "message": { "text": plain(text) } });
    let errors = outcome.error.iter().map(|error| note("error", error));
    let warnings = outcome.warnings.iter().map(|warning| note("warning", warning));
    let skipped = outcome.not_looked_at.iter().map(|what| format!("not looked at: {what}"));
    let skipped = skipped.map(|text| note("note", &text));
    json!({
        "executionSuccessful": outcome.error.is_none(),
        "exitCode": u8::from(outcome.exit),
        "commandLine": visible(&outcome.command.join(" ")),
        "toolExecutionNotifications": errors.chain(warnings).chain(skipped).collect::<Vec<_>>(),
        "properties": {
            "subject": outcome.subject,
            "judged": outcome.judged,
            "control": outcome.control,
            "models": outcome.bound.models,
            "failOn": outcome.bound.fail_on,
            "tier": outcome.bound.tier,
            "window": outcome.bound.window,
            "seed": outcome.bound.seed,
            "searched": outcome.searched,
        },
    })
}

fn found(outcome: &Outcome, finding: &FindingTold, place: &Location, against: bool) -> Found {
    let rule = rule_of(finding);
    let rule_index = RULES.iter().position(|known| known.id == rule).unwrap_or_default();
    let (level, baseline) = match Level::of(finding) {
        Level::Gate => ("error", "new"),
        Level::Warning => ("warning", "new"),
        Level::Known => ("note", "unchanged"),
    };
    Found {
        rule_id: rule,
        rule_index,
        level,
        kind: "fail",
        message: Text { text: plain(&message(outcome, finding)) },
        locations: [place.clone()],
        partial_fingerprints: BTreeMap::from([("plugpullFinding/v1", finding.id.clone())]),
        code_flows: [CodeFlow { thread_flows: [ThreadFlow { locations: flow(finding, place) }] }],
        baseline_state: against.then_some(baseline),
        properties: json!({
            "subject": outcome.subject,
            "token": finding.token,
            "firstPowerCut": finding.recrash.as_ref().map(|second| &second.first),
            "replay": finding.replay,
            "models": finding.models,
            "steady": finding.steady,
            "missing": finding.missing(),
        }),
    }
}

fn rule_of(finding: &FindingTold) -> &'static str {
    match finding.remedy {
        Some(RemedyTold::Found { .. }) => "missing-barrier",
        Some(RemedyTold::None { tried, .. }) if tried > 0 => "wrong-order",
        _ => "violation",
    }
}

fn message(outcome: &Outcome, finding: &FindingTold) -> String {
    let mut parts = vec![
        format!("{}: {}", outcome.subject, finding.message),
        format!("In states that {} may leave under {}.", cuts(finding), models(finding)),
        finding.missing(),
    ];
    if !finding.steady {
        parts.push(UNSTEADY.to_owned());
    }
    parts.push(format!("again: {}", finding.replay));
    parts.join("\n")
}

/// What it takes.
fn cuts(finding: &FindingTold) -> &'static str {
    match finding.recrash {
        None => "a power cut",
        Some(_) => "a second power cut, during the recovery from a first one,",
    }
}

/// What led to the state, step by step.
fn flow(finding: &FindingTold, place: &Location) -> Vec<Step> {
    let at =
        |text: String| Location { message: Some(json!({ "text": plain(&text) })), ..place.clone() };
    let step = |text: String, execution_order, is_essential| Step {
        location: at(text),
        execution_order,
        importance: if is_essential { "essential" } else { "important" },
    };
    let tale = |tale: &[TaleLine], whose: &str, begin: usize| {
        let line = |line: &TaleLine| {
            let fate = if line.fate.is_empty() { "" } else { ": " };
            let text = format!("{whose}{} {}{fate}{}", line.event, line.what, line.fate);
            step(text, begin + line.event, line.fate.starts_with("LOST"))
        };
        tale.iter().map(line).collect::<Vec<_>>()
    };
    let (point, message) = (finding.point as usize, &finding.message);
    let mut steps = tale(&finding.tale, "", 0);
    let cut = format!("power cut under {} after event {point}", finding.model);
    let Some(second) = &finding.recrash else {
        steps.push(step(format!("{cut}: {message}"), point, true));
        return steps;
    };
    steps.push(step(cut, point, true));
    steps.extend(tale(&second.tale, "recovery: ", point + 1));
    let cut = format!("second power cut after operation {} of the recovery", second.point);
    steps.push(step(format!("{cut}: {message}"), point + 1 + second.point as usize, true));
    steps
}

/// Where GitHub shows it: it wants a file and a line.
fn location(outcome: &Outcome) -> Location {
    Location {
        physical: json!({
            "artifactLocation": { "uri": uri(&place(outcome)), "uriBaseId": "%SRCROOT%" },
            "region": { "startLine": 1 },
        }),
        logical: vec![json!({ "name": visible(&outcome.subject), "kind": "module" })],
        message: None,
    }
}

/// A relative path as a URI.
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/+@".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

/// A text that is no link: `[text](target)` would be one.
fn plain(text: &str) -> String {
    let text = visible(text);
    if !text.contains("](") {
        return text;
    }
    text.replace('\\', "\\\\").replace('[', "\\[").replace(']', "\\]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_uris_and_texts_no_links() {
        assert_eq!(uri("a b/\u{e4}%"), "a%20b/%C3%A4%25");
        assert_eq!(plain("f [x] is torn"), "f [x] is torn");
        assert_eq!(plain("[x](http://y)"), "\\[x\\](http://y)");
    }
}
