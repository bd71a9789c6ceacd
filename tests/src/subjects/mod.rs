//! The sample programs of `tests/subjects`, run under `plugpull check` and held to what is expected of
//! them.
//!
//! Each directory there has one `expected.toml`, and a directory for each form: `run`, `check`, and
//! sometimes `setup`. Not for the expectations themselves: they stand beside the programs, with their
//! reasons, and were written before anything ran.
#![expect(clippy::disallowed_methods, reason = "it looks at programs and starts them, no store")]

mod expected;
mod live;
mod observed;
mod table;

use std::path::{Path, PathBuf};
use std::process::Command;

pub use expected::{Expected, Form, forms};
pub use live::{Lived, live};
pub use observed::{Observed, observe};
pub use table::{document, kept, render};

/// The models that expectations are about.
pub const MODELS: [&str; 4] = ["ext4", "xfs", "btrfs", "posix"];

/// Where the sample programs are.
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("subjects")
}

/// Compiles the programs that need it into `bin`.
pub fn build(bin: &Path) -> Result<(), String> {
    let built = Command::new(directory().join("build")).arg(bin).status();
    match built {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("tests/subjects/build: {status}")),
        Err(e) => Err(format!("tests/subjects/build: {e}")),
    }
}

/// In what an observation differs from what was expected; empty if in nothing.
pub fn differences(form: &Form, observed: &Observed) -> Vec<String> {
    let expected = &form.expected;
    let mut wrong = observed.trouble.clone();
    for model in MODELS {
        let (Some(expected), Some(observed)) =
            (expected.verdict(model), observed.verdicts.get(model))
        else {
            wrong.push(format!("{model} was not looked at"));
            continue;
        };
        if expected != observed.word() {
            wrong.push(format!("{model}: expected {expected}, {}", observed.word()));
        }
    }
    if let Some(expected) = expected.recrash() {
        let observed = observed.recrash.filter(|observed| observed.states > 0);
        let word = observed.map_or("not looked at", |observed| observed.word());
        if expected != word {
            wrong.push(format!("after a second crash: expected {expected}, {word}"));
        }
    }
    let is_expected = |message: &String| expected.classes().any(|class| message.starts_with(class));
    for message in observed.messages.iter().filter(|message| !is_expected(message)) {
        wrong.push(format!("unexpected message: {message}"));
    }
    // Where nothing is to be found without a fault, no barrier is named.
    let finds = MODELS.iter().any(|model| expected.verdict(model) == Some("violated"))
        || expected.recrash() == Some("violated");
    if let Some(target) = expected.barrier_target().filter(|_| finds) {
        let names = |text: &String| {
            text.contains(&format!("({target})")) || text.contains(&format!("/{target})"))
        };
        if !observed.barriers.iter().any(names) {
            wrong.push(format!(
                "expected the barrier `{}`, named were {:?}",
                expected.barrier, observed.barriers
            ));
        }
    }
    wrong
}
