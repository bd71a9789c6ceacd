//! The table of docs/findings.md: what was found in each sample program.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::{Form, MODELS, Observed};

const BEGIN: &str = "<!-- subjects: printed by plugpull-subjects -->\n";
const END: &str = "<!-- end of subjects -->\n";

/// Where the table is kept.
pub fn document() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/findings.md")
}

/// The part of the document that is printed.
pub fn kept(document: &str) -> Option<&str> {
    let (_, rest) = document.split_once(BEGIN)?;
    Some(rest.split_once(END)?.0)
}

/// The table as it stands in the document: verdicts and barriers, which are the same in every run.
pub fn render(rows: &[(Form, Observed)]) -> String {
    let mut text = String::from("| subject |");
    for model in MODELS {
        let _ = write!(text, " {model} |");
    }
    text.push_str(" says | missing barrier |\n|---|");
    text.push_str(&"---|".repeat(MODELS.len() + 2));
    text.push('\n');
    for (form, observed) in rows {
        let _ = write!(text, "| {} |", form.name);
        for model in MODELS {
            let verdict = observed.verdicts.get(model).map_or("not measured", |v| v.word());
            let _ = write!(text, " {verdict} |");
        }
        let mut classes: Vec<_> = observed.messages.iter().map(|m| class(m)).collect();
        classes.sort_unstable();
        classes.dedup();
        let barriers: Vec<_> = observed.barriers.iter().map(String::as_str).collect();
        let barriers = barriers.join("; ").replace('`', "");
        let _ = writeln!(text, " {} | {barriers} |", classes.join(", "));
    }
    text
}

/// The first word of a message.
fn class(message: &str) -> &str {
    message.split(':').next().unwrap_or_default()
}
