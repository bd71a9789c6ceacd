//! The form in which the settings were written, line by line.
//!
//! `toml_edit` keeps all that means something, and writes each line with a line feed: a file of another
//! system would come back with every line changed. So lines that are the same before and after a change are
//! taken from the file as it was. Not for what a change is.

use toml_edit::DocumentMut;

const BOM: char = '\u{feff}';

/// A text as it was read.
#[derive(Clone, Debug, Default)]
pub(super) struct Written {
    /// It began with a mark of its encoding, which stays there.
    bom: bool,
    text: String,
    /// As `toml_edit` writes it.
    plain: String,
}

impl Written {
    pub(super) fn new(text: &str, document: &DocumentMut) -> Self {
        let rest = text.strip_prefix(BOM);
        let (bom, text) = (rest.is_some(), rest.unwrap_or(text).to_owned());
        Self { bom, text, plain: document.to_string() }
    }

    /// The text that `toml_edit` writes after a change, with the lines that are no part of it as they were.
    pub(super) fn with(&self, after: &str) -> String {
        let mut text = if self.bom { BOM.to_string() } else { String::new() };
        let old: Vec<_> = self.text.split_inclusive('\n').collect();
        let plain: Vec<_> = self.plain.lines().collect();
        let new: Vec<_> = after.lines().collect();
        if old.len() != plain.len() {
            text.push_str(after);
            return text;
        }
        let first = same(plain.iter().zip(&new));
        let last = same(plain.iter().rev().zip(new.iter().rev()));
        let last = last.min(plain.len().min(new.len()) - first);
        text.extend(old.iter().take(first).copied());
        let changed = first..new.len() - last;
        // What follows a last line that had no end.
        if !changed.is_empty() && first > 0 && !text.ends_with('\n') {
            text.push_str(self.line_end(0));
        }
        for at in changed {
            text.push_str(new[at]);
            text.push_str(self.line_end(at));
        }
        text.extend(old.iter().skip(old.len() - last).copied());
        text
    }

    /// What the line at this place ends with; a line that is new or had no end, what the first one ends with.
    fn line_end(&self, at: usize) -> &'static str {
        let line = |at| self.text.split_inclusive('\n').nth(at).filter(|line| line.ends_with('\n'));
        let line = line(at).or_else(|| line(0));
        if line.is_some_and(|line| line.ends_with("\r\n")) { "\r\n" } else { "\n" }
    }
}

/// How many pairs are the same before the first one that is not.
fn same<T: PartialEq>(pairs: impl Iterator<Item = (T, T)>) -> usize {
    pairs.take_while(|(one, other)| one == other).count()
}
