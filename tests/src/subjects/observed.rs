//! What `plugpull check` says of a form.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Form, MODELS};

/// What came of one model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// States that were judged.
    pub states: u64,
    /// Those with a violation.
    pub violated: u64,
}

impl Verdict {
    /// In the word of `expected.toml`.
    pub fn word(self) -> &'static str {
        if self.violated > 0 { "violated" } else { "survived" }
    }
}

/// What was observed of one form.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// By model.
    pub verdicts: BTreeMap<String, Verdict>,
    /// With a second crash, where the form expects something of that.
    pub recrash: Option<Verdict>,
    /// What the checker said, of each finding.
    pub messages: Vec<String>,
    /// The barriers that were named.
    pub barriers: BTreeSet<String>,
    /// The exit code.
    pub exit: i32,
    /// How long it took.
    pub took: Duration,
    /// Why the observation is none, or not whole.
    pub trouble: Vec<String>,
}

/// States that are looked at under each preset: all of most forms, and a number that no machine's speed
/// decides on.
const STATES: u64 = 1500;

/// Runs `plugpull check` on a form.
#[expect(clippy::disallowed_methods, reason = "how long it takes is a part of what is observed")]
pub fn observe(plugpull: &Path, form: &Form, bin: &Path) -> Observed {
    let dir = match tempfile::tempdir() {
        Ok(dir) => dir,
        Err(e) => return trouble(&format!("no temporary directory: {e}")),
    };
    let (Some(run), Some(check)) = (form.script("run"), form.script("check")) else {
        return trouble("the form lacks `run` or `check`");
    };
    let mut command = Command::new(plugpull);
    command.args(["check", "--message-format", "json-lines", "--dir"]).arg(dir.path());
    command.arg("--checker").arg(check);
    let states = form.expected.states.unwrap_or(STATES);
    command.args(["--tier", "2", "--budget", &states.to_string()]);
    for model in MODELS {
        command.args(["--model", model]);
    }
    if form.expected.recrash().is_some() {
        command.args(["--recrash", "1"]);
    }
    if let Some(setup) = form.script("setup") {
        command.arg("--setup").arg(setup);
    }
    command.arg("--").arg(run);
    command.env("PLUGPULL_SUBJECTS_BIN", bin).env("PLUGPULL", plugpull);
    let began = Instant::now();
    let output = match command.output() {
        Ok(output) => output,
        Err(e) => return trouble(&format!("{}: {e}", plugpull.display())),
    };
    let mut observed = read(&String::from_utf8_lossy(&output.stdout));
    observed.took = began.elapsed();
    observed.exit = output.status.code().unwrap_or(-1);
    // 5: there are more states than were asked for.
    if !matches!(observed.exit, 0 | 5 | 100) {
        let said = String::from_utf8_lossy(&output.stderr);
        observed.trouble.push(format!("exit code {}: {}", observed.exit, said.trim()));
    }
    observed
}

fn trouble(what: &str) -> Observed {
    Observed { trouble: vec![what.to_owned()], ..Observed::default() }
}

/// The lines of `--message-format json-lines`.
fn read(lines: &str) -> Observed {
    let mut observed = Observed::default();
    for line in lines.lines() {
        let Ok(line) = serde_json::from_str::<Value>(line) else {
            observed.trouble.push(format!("no JSON: {line}"));
            continue;
        };
        match line["event"].as_str() {
            Some("searched") => {
                let count = |field: &str| line[field].as_u64().unwrap_or(0);
                let violated = count("violated");
                let states = count("survived") + violated;
                let model = line["model"].as_str().unwrap_or_default().to_owned();
                observed.verdicts.insert(model, Verdict { states, violated });
            }
            Some("end") if line["recrash"].is_object() => {
                let count = |field: &str| line["recrash"][field].as_u64().unwrap_or(0);
                let (states, violated) = (count("judged"), count("violated"));
                observed.recrash = Some(Verdict { states, violated });
            }
            Some("finding") => {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                observed.messages.push(text(&line["message"]));
                let barrier = text(&line["remedy"]["found"]["barrier"]);
                if !barrier.is_empty() {
                    observed.barriers.insert(barrier);
                }
            }
            _ => {}
        }
    }
    observed
}
