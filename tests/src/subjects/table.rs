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
        let mut barriers: Vec<_> = observed.barriers.iter().map(|text| lasting(text)).collect();
        barriers.sort_unstable();
        barriers.dedup();
        let barriers = barriers.join("; ").replace('`', "");
        let _ = writeln!(text, " {} | {barriers} |", classes.join(", "));
    }
    text
}

/// Names that are drawn at random, or made of what is in a file, and are others in every run.
fn lasting(text: &str) -> String {
    const DRAWN: [&str; 2] = ["sed", "tmp_obj_"];
    let is_other = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
    let word = |before: char, word: &str| {
        let drawn =
            DRAWN.iter().find(|name| word.len() == name.len() + 6 && word.starts_with(*name));
        let is_hash = word.len() >= 38 && word.bytes().all(|b| b.is_ascii_hexdigit());
        let is_pair =
            before == '/' && word.len() == 2 && word.bytes().all(|b| b.is_ascii_hexdigit());
        match drawn {
            Some(name) => format!("{name}*"),
            None if is_hash || is_pair => "*".to_owned(),
            None => word.to_owned(),
        }
    };
    let mut before = ' ';
    let words = text.split_inclusive(is_other).map(|part| {
        let end = part.find(is_other).unwrap_or(part.len());
        let told = format!("{}{}", word(before, &part[..end]), &part[end..]);
        before = part.chars().next_back().unwrap_or(' ');
        told
    });
    words.collect()
}

/// The first word of a message.
fn class(message: &str) -> &str {
    message.split(':').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_at_random_is_not_in_the_table() {
        assert_eq!(
            lasting("fsync(sedvOCMqu) before `rename sedvOCMqu -> settings`"),
            "fsync(sed*) before `rename sed* -> settings`"
        );
        let git =
            "link objects/83/tmp_obj_bkHqe2 objects/83/baae61804e65cc73a7201a7252750c76066a30";
        assert_eq!(lasting(git), "link objects/*/tmp_obj_* objects/*/*");
        assert_eq!(lasting("fsync(db) before unlink journal"), "fsync(db) before unlink journal");
    }
}
