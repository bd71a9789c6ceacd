//! SARIF: valid by its schema, with what code scanning needs.

use std::process::Command;

use plugpull::report::check::sarif::text;
use serde_json::Value;

use super::made::{clean, every_case, large};
use super::{assert_modest, run_over, schema};
use crate::machine::not_measured;

/// Reads a schema from its argument and a document from standard input.
const VALIDATE: &str = "import json, sys, jsonschema
schema = json.load(open(sys.argv[1]))
errors = list(jsonschema.Draft7Validator(schema).iter_errors(json.load(sys.stdin)))
for error in errors[:5]: print(list(error.path), error.message[:300])
sys.exit(1 if errors else 0)";

#[track_caller]
pub(super) fn assert_valid(sarif: &str) {
    // The one that the system's packages are for may not be the first in the path.
    let has_it = |python: &&str| {
        let told = Command::new(python).args(["-c", "import jsonschema"]).output();
        told.is_ok_and(|told| told.status.success())
    };
    let Some(python) = ["python3", "/usr/bin/python3"].into_iter().find(has_it) else {
        return not_measured("python3 has no jsonschema").unwrap_or_default();
    };
    let mut validate = Command::new(python);
    validate.args(["-c", VALIDATE]).arg(schema("sarif-schema-2.1.0.json"));
    let told = run_over(&mut validate, sarif).unwrap();
    let [out, err] = [&told.stdout, &told.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(told.status.success(), "{out}{err}");
}

fn parsed(sarif: &str) -> Value {
    serde_json::from_str(sarif).unwrap()
}

#[test]
fn the_schema_takes_every_report() {
    for report in [every_case(), clean(), large()] {
        let sarif = text(&report).unwrap();
        assert_valid(&sarif);
        assert_modest(&sarif);
    }
}

#[test]
fn a_result_has_a_level_a_place_a_fingerprint_and_its_tale() {
    let sarif = parsed(&text(&every_case()).unwrap());
    // GitHub takes one run of a tool and category.
    assert_eq!(sarif["runs"].as_array().unwrap().len(), 1);
    let run = &sarif["runs"][0];
    let results = run["results"].as_array().unwrap();
    let told: Vec<_> = results
        .iter()
        .map(|result| ["ruleId", "level"].map(|name| result[name].as_str().unwrap()))
        .collect();
    let expected = [
        ["missing-barrier", "error"],
        ["wrong-order", "error"],
        ["wrong-order", "error"],
        ["missing-barrier", "warning"],
        ["violation", "warning"],
        ["violation", "note"],
    ];
    assert_eq!(told, expected);
    for result in results {
        let rule = &run["tool"]["driver"]["rules"]
            [usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
        assert_eq!(rule["id"], result["ruleId"]);
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "tools/save.py");
        assert_eq!(place["region"]["startLine"], 1);
        assert!(result["properties"]["token"].as_str().unwrap().starts_with("pp1:"));
    }
    let first = &results[0];
    assert_eq!(first["partialFingerprints"]["plugpullFinding/v1"], "5a63d600abbe");
    assert_eq!(first["locations"][0]["logicalLocations"][0]["name"], "settings");
    let message = first["message"]["text"].as_str().unwrap();
    assert!(
        message.contains("missing: fsync(settings.tmp)") && message.contains("plugpull replay")
    );
    let steps = first["codeFlows"][0]["threadFlows"][0]["locations"].as_array().unwrap();
    assert_eq!(steps.len(), 6);
    assert_eq!(steps[1]["importance"], "essential");
    assert_eq!(steps[1]["location"]["message"]["text"], "25 write settings.tmp 0..48: LOST");
    // No message is a link to elsewhere.
    let nasty = results[2]["message"]["text"].as_str().unwrap();
    assert!(nasty.contains("\\[x\\](http") && !nasty.contains('\u{202e}'), "{nasty}");
    assert_eq!(results[5]["baselineState"], "unchanged");
}

#[test]
fn a_program_that_was_not_looked_at_is_no_successful_invocation() {
    let sarif = parsed(&text(&every_case()).unwrap());
    let invocations = sarif["runs"][0]["invocations"].as_array().unwrap();
    let successful: Vec<_> =
        invocations.iter().map(|one| one["executionSuccessful"].as_bool().unwrap()).collect();
    assert_eq!(successful, [true, true, false, true]);
    let told = &invocations[2]["toolExecutionNotifications"][0];
    assert_eq!((&told["level"], &invocations[2]["exitCode"]), (&"error".into(), &101.into()));
    assert!(told["message"]["text"].as_str().unwrap().contains("no such table"));
}
