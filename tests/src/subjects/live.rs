//! The sample programs under `plugpull torture`: killed and cut off their power while they run.
//!
//! Under the models for which a violation is expected one must be found, under the others none. Not for all
//! states of a run, which `observed` looks at.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::{Form, MODELS};

/// Rounds after which a mistake must have been found. A round is one state; of all states of a form with a
/// mistake a few in a hundred show it, or more.
const ROUNDS: u64 = 1000;

/// What came of one form.
#[derive(Clone, Debug, Default)]
pub struct Lived {
    /// Rounds, power cuts, and those of them that lost something, under the models without a violation.
    pub clean: [u64; 3],
    /// Rounds until the mistake was found, if there is one.
    pub found_after: Option<u64>,
    /// What was not as expected, in words.
    pub wrong: Vec<String>,
}

/// Lets a form live: for this time, and no more than so many rounds, where nothing is to be found.
pub fn live(plugpull: &Path, form: &Form, bin: &Path, (time, rounds): (Duration, u64)) -> Lived {
    let mut lived = Lived::default();
    let of = |verdict: &str| -> Vec<&str> {
        let all = MODELS.into_iter();
        all.filter(|model| form.expected.verdict(model) == Some(verdict)).collect()
    };
    let (bad, good) = (of("violated"), of("survived"));
    if !bad.is_empty() {
        match torture(plugpull, form, bin, &bad, &["--rounds", &ROUNDS.to_string()]) {
            Ok(lines) => lived.is_found(form, &lines),
            Err(why) => lived.wrong.push(why),
        }
    }
    // What takes a second power cut may be met here as well.
    if !good.is_empty() && form.expected.recrash() != Some("violated") {
        let (time, rounds) = (format!("{}ms", time.as_millis()), rounds.to_string());
        match torture(plugpull, form, bin, &good, &["--duration", &time, "--rounds", &rounds]) {
            Ok(lines) => lived.is_clean(&lines),
            Err(why) => lived.wrong.push(why),
        }
    }
    lived
}

impl Lived {
    fn is_found(&mut self, form: &Form, lines: &[Value]) {
        let Some(finding) = event(lines, "finding") else {
            self.wrong.push(format!("no violation in {ROUNDS} rounds"));
            return;
        };
        let message = finding["message"].as_str().unwrap_or_default();
        self.found_after = finding["round"].as_u64();
        if !form.expected.classes().any(|class| message.starts_with(class)) {
            self.wrong.push(format!("unexpected message: {message}"));
        }
    }

    fn is_clean(&mut self, lines: &[Value]) {
        let count = |field: &str| {
            event(lines, "end").and_then(|end| end[field].as_u64()).unwrap_or_default()
        };
        self.clean = ["rounds", "power_cuts", "losses"].map(count);
        if let Some(finding) = event(lines, "finding") {
            self.wrong.push(format!("violated under {}: {finding}", finding["model"]));
        }
    }
}

fn event<'l>(lines: &'l [Value], name: &str) -> Option<&'l Value> {
    lines.iter().find(|line| line["event"] == name)
}

fn torture(
    plugpull: &Path,
    form: &Form,
    bin: &Path,
    models: &[&str],
    more: &[&str],
) -> Result<Vec<Value>, String> {
    let dir = tempfile::tempdir().map_err(|e| format!("no temporary directory: {e}"))?;
    let (Some(run), Some(check)) = (form.script("run"), form.script("check")) else {
        return Err("the form lacks `run` or `check`".to_owned());
    };
    let mut command = Command::new(plugpull);
    command.args(["torture", "--message-format", "json-lines", "--dir"]).arg(dir.path());
    // They do not go on with what is left: each begins with its first version.
    command.arg("--afresh").arg("--checker").arg(check).args(more);
    for model in models {
        command.args(["--model", model]);
    }
    if let Some(setup) = form.script("setup") {
        command.arg("--setup").arg(setup);
    }
    command.arg("--").arg(run);
    command.env("PLUGPULL_SUBJECTS_BIN", bin).env("PLUGPULL", plugpull);
    let output = command.output().map_err(|e| format!("{}: {e}", plugpull.display()))?;
    if !matches!(output.status.code(), Some(0 | 100)) {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{}: {}", output.status, said.trim()));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}
