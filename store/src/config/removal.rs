//! Taking something out of the settings, while the comments above it stay.
//!
//! `toml_edit` keeps comments and blank lines with the key or header below them, so that both would go: also
//! the head of a file. Where there are some, a mark is put in place of what goes, and then the line of the mark is taken
//! out of the text. A comment beside what goes, and those within a table that goes, go with it.

use toml_edit::{DocumentMut, Item, Key, RawString, Table, value};

use super::Config;
use super::document::{bad, collect, parts, table_of};
use crate::error::Result;

impl Config {
    /// Removes the value; says whether there was one.
    pub fn unset(&mut self, key: &str) -> Result<bool> {
        if self.value(key)?.is_none() {
            return Ok(false);
        }
        let keys = parts(key)?;
        let (last, tables) = keys.split_last().ok_or_else(|| bad("the key is empty".to_owned()))?;
        let mark = self.mark();
        let before = self.document.clone();
        let table = table_of(self.document.as_table_mut(), tables)?;
        let above = table.key(last.get()).and_then(|key| key.leaf_decor().prefix());
        if above.is_some_and(|above| has(above, '\n'))
            && let Some(item) = table.get_mut(last.get())
        {
            *item = value(mark.as_str());
            if let Some(rest) = without(&self.document.to_string(), &mark, 0) {
                self.document = rest;
                return Ok(true);
            }
            self.document = before;
        }
        table_of(self.document.as_table_mut(), tables)?.remove(last.get());
        Ok(true)
    }

    /// Removes a whole table; says whether there was one.
    pub(super) fn remove_table(&mut self, above: &str, name: &str) -> bool {
        let mark = self.mark();
        let above_it = self.document.get_mut(above).and_then(Item::as_table_like_mut);
        match above_it.and_then(|above| above.get_mut(name)).and_then(Item::as_table_mut) {
            Some(table) if table.is_dotted() => {
                self.unset_all(&format!("{above}.{}.", Key::new(name).display_repr()));
            }
            Some(table) if table.decor().prefix().is_some_and(|above| has(above, '#')) => {
                only_mark(table, &mark);
                if let Some(rest) = without(&self.document.to_string(), &mark, 1) {
                    self.document = rest;
                    return true;
                }
            }
            _ => {}
        }
        let above = self.document.get_mut(above).and_then(Item::as_table_like_mut);
        above.is_some_and(|above| above.remove(name).is_some())
    }

    /// Removes all values whose keys begin so.
    fn unset_all(&mut self, start: &str) {
        let mut values = Vec::new();
        collect(self.document.as_table(), "", &mut values);
        for (key, _) in values.iter().filter(|(key, _)| key.starts_with(start)) {
            // It is the key of a value that is there.
            let _ = self.unset(key);
        }
    }

    /// A text that the settings do not hold.
    fn mark(&self) -> String {
        let text = self.document.to_string();
        let mut marks = (0..=text.len()).map(|n| format!("removed {n}"));
        marks.find(|mark| !text.contains(mark)).unwrap_or_default()
    }
}

fn has(above: &RawString, sign: char) -> bool {
    above.as_str().is_some_and(|above| above.contains(sign))
}

/// Leaves nothing in a table but the mark.
fn only_mark(table: &mut Table, mark: &str) {
    table.clear();
    table.set_implicit(false);
    table.insert("mark", value(mark));
}

/// The text without the line of a mark and so many above it; `None` where something else stands on that
/// line, or the rest says nothing any more.
fn without(text: &str, mark: &str, above: usize) -> Option<DocumentMut> {
    let mut lines: Vec<_> = text.split_inclusive('\n').collect();
    let at = lines.iter().position(|line| line.trim_end().ends_with(&format!("= \"{mark}\"")))?;
    lines.drain(at.checked_sub(above)?..=at);
    lines.concat().parse().ok()
}
