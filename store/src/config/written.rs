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
    text: String,
    /// As `toml_edit` writes it.
    plain: String,
}

impl Written {
    pub(super) fn new(text: &str, document: &DocumentMut) -> Self {
        Self { text: text.to_owned(), plain: document.to_string() }
    }

    /// The text that `toml_edit` writes after a change, with the lines that are no part of it as they were.
    pub(super) fn with(&self, after: &str) -> String {
        let (old, plain): (Vec<_>, Vec<_>) =
            (self.text.split_inclusive('\n').collect(), self.plain.lines().collect());
        let new: Vec<_> = after.lines().collect();
        if old.len() != plain.len() {
            return after.to_owned();
        }
        let first = same(plain.iter().zip(&new));
        let last = same(plain.iter().rev().zip(new.iter().rev()));
        let last = last.min(plain.len().min(new.len()) - first);
        let (start, end) = (old.iter().take(first), old.iter().skip(old.len() - last));
        let changed = new.iter().take(new.len() - last).skip(first);
        let mut text: String = start.copied().collect();
        if first == 0 && self.text.starts_with(BOM) && last < old.len() {
            text.push(BOM);
        }
        for line in changed {
            self.end_line(&mut text);
            text.push_str(line);
            text.push_str(self.line_end());
        }
        text.extend(end.copied());
        // The last line was changed, and had no end.
        if last == 0 && first < old.len() && !self.text.ends_with('\n') {
            text.truncate(text.trim_end_matches(['\r', '\n']).len());
        }
        text
    }

    /// What lines end with here.
    fn line_end(&self) -> &'static str {
        let first = self.text.split_inclusive('\n').next();
        if first.is_some_and(|line| line.ends_with("\r\n")) { "\r\n" } else { "\n" }
    }

    /// Another line follows one that had no end.
    fn end_line(&self, text: &mut String) {
        if !text.is_empty() && !text.ends_with(['\n', BOM]) {
            text.push_str(self.line_end());
        }
    }
}

/// How many pairs are the same before the first one that is not.
fn same<'l>(pairs: impl Iterator<Item = (&'l &'l str, &'l &'l str)>) -> usize {
    pairs.take_while(|(one, other)| one == other).count()
}
