//! Reading a TOML file so that every mistake in it is told with its line and column, all of them at once.
//!
//! Not for what the keys mean (`file`, `settings`).

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::nearest::hint;
use super::settings::{Given, Wrong};
use crate::exit::Failure;

/// A file that is read, and what is wrong with it.
pub(super) struct Reader<'t> {
    file: &'t Path,
    text: &'t str,
    problems: Vec<(usize, String)>,
}

/// A key of a table, and where it stands.
#[derive(Clone, Copy)]
pub(super) struct Entry<'t> {
    pub(super) key: &'t str,
    pub(super) at: usize,
    pub(super) value: &'t Spanned<DeValue<'t>>,
}

impl<'t> Reader<'t> {
    pub(super) fn new(file: &'t Path, text: &'t str) -> Self {
        Self { file, text, problems: Vec::new() }
    }

    /// Something is wrong at this byte.
    pub(super) fn problem(&mut self, at: usize, text: impl Into<String>) {
        self.problems.push((at, text.into()));
    }

    /// A key that means nothing here.
    pub(super) fn unknown(&mut self, entry: Entry<'_>, what: &str, known: &[&str]) {
        let hint = hint(entry.key, known.iter().copied());
        self.problem(entry.at, format!("unknown {what} `{}`{hint}", entry.key));
    }

    /// What is at fault where, or nothing.
    pub(super) fn finish(mut self) -> Result<(), Failure> {
        self.problems.sort();
        let told: Vec<_> = self.problems.iter().map(|(at, text)| self.line(*at, text)).collect();
        if told.is_empty() { Ok(()) } else { Err(Failure::Usage(told.join("\n"))) }
    }

    /// The file as tables; nothing where it is no TOML.
    pub(super) fn parse(&mut self) -> Option<DeTable<'t>> {
        match DeTable::parse(self.text) {
            Ok(table) => Some(table.into_inner()),
            Err(error) => {
                let at = error.span().map_or(0, |span| span.start);
                self.problem(at, error.message().replace('\n', ", "));
                None
            }
        }
    }

    fn line(&self, at: usize, text: &str) -> String {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        format!("{}:{line}:{column}: {text}", self.file.display())
    }

    /// The table that is the value of this key.
    pub(super) fn table<'e>(&mut self, entry: Entry<'e>, right: &str) -> Vec<Entry<'e>> {
        if let DeValue::Table(table) = entry.value.get_ref() {
            return entries(table);
        }
        self.problem(entry.at, format!("`{}` is a table: {right}", entry.key));
        Vec::new()
    }

    /// The value of a key, if it is of a kind that any key has.
    pub(super) fn given(&mut self, entry: Entry<'_>) -> Option<Given> {
        match given(entry) {
            Ok(given) => Some(given),
            Err((at, text)) => {
                self.problem(at, text);
                None
            }
        }
    }

    /// What was made of a value, if it could be used.
    pub(super) fn take<T>(&mut self, entry: Entry<'_>, made: Result<T, Wrong>) -> Option<T> {
        match made {
            Ok(made) => Some(made),
            Err(wrong) => {
                let items = entry.value.get_ref().as_array();
                let item = wrong.item.and_then(|item| items?.get(item));
                let at = item.unwrap_or(entry.value).span().start;
                self.problem(at, wrong.text);
                None
            }
        }
    }
}

/// The keys of a table, in the order in which they stand in the file.
pub(super) fn entries<'t>(table: &'t DeTable<'t>) -> Vec<Entry<'t>> {
    let pairs = table.iter();
    let entry = pairs.map(|(key, value)| Entry { key: key.get_ref(), at: key.span().start, value });
    let mut entries: Vec<_> = entry.collect();
    entries.sort_by_key(|entry| entry.at);
    entries
}

fn given(entry: Entry<'_>) -> Result<Given, (usize, String)> {
    let at = entry.value.span().start;
    match entry.value.get_ref() {
        DeValue::String(text) => Ok(Given::Text(text.to_string())),
        DeValue::Integer(number) => {
            let read = u64::from_str_radix(number.as_str(), number.radix());
            read.map(Given::Number).map_err(|_| {
                (at, format!("`{}` is a number from 0 on, not {}", entry.key, number.as_str()))
            })
        }
        DeValue::Array(items) => {
            let text = |item: &Spanned<DeValue<'_>>| match item.get_ref() {
                DeValue::String(text) => Ok(text.to_string()),
                other => {
                    let text =
                        format!("`{}` is an array of texts, not of a {}", entry.key, kind(other));
                    Err((item.span().start, text))
                }
            };
            items.iter().map(text).collect::<Result<_, _>>().map(Given::List)
        }
        other => Err((at, format!("`{}` cannot be a {}", entry.key, kind(other)))),
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "number",
        DeValue::Float(_) => "number with a point",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "date",
        DeValue::Array(_) => "list",
        DeValue::Table(_) => "table",
    }
}
