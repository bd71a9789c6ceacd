//! The text of the settings: values at dotted keys, and all else as it was written.
//!
//! Not for files and locks.

use std::fmt;

use toml_edit::{DocumentMut, Item, Key, Table, TableLike, Value};

use crate::error::{Error, Result};

/// Settings as they were read, with changes that are not written yet.
#[derive(Clone, Debug, Default)]
pub struct Config {
    document: DocumentMut,
}

impl Config {
    /// Reads a text; an error names line and column.
    pub(super) fn parse(bytes: &[u8]) -> std::result::Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|e| e.to_string())?;
        let document = text.parse().map_err(|e: toml_edit::TomlError| {
            e.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
        })?;
        Ok(Self { document })
    }

    /// The value at a dotted key (`remotes.origin.url`; quotes around a part that has dots itself), as text:
    /// a string without its quotes, anything else as it is written.
    pub fn value(&self, key: &str) -> Result<Option<String>> {
        let keys = parts(key)?;
        let mut item = self.document.as_item();
        for part in &keys {
            let Some(below) = item.get(part.get()) else { return Ok(None) };
            item = below;
        }
        match item.as_value() {
            Some(value) => Ok(Some(text_of(value))),
            None => Err(bad(format!("{key:?} is a table; name a value in it"))),
        }
    }

    /// Sets a string; a comment beside an older value stays.
    pub fn set(&mut self, key: &str, value: &str) -> Result<()> {
        let keys = parts(key)?;
        let (last, above) = keys.split_last().ok_or_else(|| bad("the key is empty".to_owned()))?;
        let table = table_of(self.document.as_table_mut(), above)?;
        let mut value = Value::from(value);
        match table.get_mut(last.get()) {
            Some(Item::Value(old)) => {
                *value.decor_mut() = old.decor().clone();
                *old = value;
            }
            Some(Item::None) | None => {
                table.insert(last.get(), Item::Value(value));
            }
            Some(_) => return Err(bad(format!("{key:?} is a table; name a value in it"))),
        }
        Ok(())
    }

    /// Removes the value; says whether there was one.
    pub fn unset(&mut self, key: &str) -> Result<bool> {
        if self.value(key)?.is_none() {
            return Ok(false);
        }
        let keys = parts(key)?;
        let (last, above) = keys.split_last().ok_or_else(|| bad("the key is empty".to_owned()))?;
        Ok(table_of(self.document.as_table_mut(), above)?.remove(last.get()).is_some())
    }

    /// Removes a whole table; says whether there was one.
    pub(super) fn remove_table(&mut self, above: &str, name: &str) -> bool {
        let above = self.document.get_mut(above).and_then(Item::as_table_like_mut);
        above.is_some_and(|table| table.remove(name).is_some())
    }

    /// The names of the tables in a table.
    pub(super) fn tables_in(&self, above: &str) -> Vec<String> {
        let above = self.document.get(above).and_then(Item::as_table_like);
        let tables = above.into_iter().flat_map(TableLike::iter);
        let tables = tables.filter(|(_, item)| item.is_table_like());
        tables.map(|(name, _)| name.to_owned()).collect()
    }

    /// All values with their dotted keys, in the order of the file.
    pub fn values(&self) -> Vec<(String, String)> {
        let mut values = Vec::new();
        collect(self.document.as_table(), "", &mut values);
        values
    }
}

/// The text as it is written.
impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.document.fmt(f)
    }
}

fn collect(table: &dyn TableLike, above: &str, values: &mut Vec<(String, String)>) {
    for (name, item) in table.iter() {
        let key = format!("{above}{}", Key::new(name).display_repr());
        match item.as_value() {
            Some(value) if !value.is_inline_table() => values.push((key, text_of(value))),
            _ => item
                .as_table_like()
                .into_iter()
                .for_each(|below| collect(below, &format!("{key}."), values)),
        }
    }
}

fn parts(key: &str) -> Result<Vec<Key>> {
    Key::parse(key).map_err(|_| {
        bad(format!("{key:?} is no key; it is words with dots between, as remotes.origin.url"))
    })
}

/// The table at this place, made where it is missing.
fn table_of<'d>(mut table: &'d mut dyn TableLike, keys: &[Key]) -> Result<&'d mut dyn TableLike> {
    for key in keys {
        let item = table.entry(key.get()).or_insert_with(|| {
            let mut made = Table::new();
            // Without a header of its own while it holds only tables.
            made.set_implicit(true);
            Item::Table(made)
        });
        table = item
            .as_table_like_mut()
            .ok_or_else(|| bad(format!("{:?} is a value, and no table", key.get())))?;
    }
    Ok(table)
}

fn text_of(value: &Value) -> String {
    match value.as_str() {
        Some(text) => text.to_owned(),
        None => value.clone().decorated("", "").to_string(),
    }
}

fn bad(problem: String) -> Error {
    Error::BadValue { kind: "setting", problem }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const WRITTEN: &str =
        "# by hand\ntop = 1 # stays\n\n[user]\nname = \"me\" # who\nunknown = [1, 2]\n";

    fn config(text: &str) -> Config {
        Config::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn what_is_not_changed_stays_as_it_was_written() {
        assert_eq!(config(WRITTEN).to_string(), WRITTEN);
        let mut changed = config(WRITTEN);
        changed.set("user.name", "you").unwrap();
        assert_eq!(changed.to_string(), WRITTEN.replace("\"me\"", "\"you\""));
        changed.set("user.name", "me").unwrap();
        changed.set("remotes.a.url", "http://a").unwrap();
        assert_eq!(changed.to_string(), format!("{WRITTEN}\n[remotes.a]\nurl = \"http://a\"\n"));
    }

    #[test]
    fn a_value_is_read_as_text() {
        let config = config(WRITTEN);
        for (key, value) in [("top", "1"), ("user.name", "me"), ("user.unknown", "[1, 2]")] {
            assert_eq!(config.value(key).unwrap().as_deref(), Some(value));
        }
        assert_eq!(config.value("user.none").unwrap(), None);
        let keys: Vec<_> = config.values().into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["top", "user.name", "user.unknown"]);
    }

    #[test]
    fn a_table_is_no_value_and_a_value_no_table() {
        let mut config = config(WRITTEN);
        for key in ["user", "user.", "", "a b"] {
            assert!(config.value(key).is_err(), "{key:?}");
            assert!(config.set(key, "x").is_err(), "{key:?}");
        }
        assert!(config.set("top.below", "x").is_err());
        assert_eq!(config.to_string(), WRITTEN);
    }

    #[test]
    fn what_is_no_toml_is_told_with_its_line() {
        let problem = Config::parse(b"a = 1\nb = \n").unwrap_err();
        assert!(problem.contains("line 2"), "{problem}");
        assert!(Config::parse(b"\xff").is_err());
    }

    proptest! {
        #[test]
        fn edits_are_those_of_a_map(
            edits in proptest::collection::vec((0..3usize, 0..3usize, proptest::option::of(".{0,6}")), 0..12)
        ) {
            let mut model = BTreeMap::new();
            let mut changed = config("# kept\n");
            for (table, key, value) in edits {
                let key = format!("{}.\"{}\"", ["a", "b", "a.deep"][table], ["x", "y.z", " "][key]);
                if let Some(value) = value {
                    changed.set(&key, &value).unwrap();
                    model.insert(key, value);
                } else {
                    let was_there = model.remove(&key).is_some();
                    prop_assert_eq!(changed.unset(&key).unwrap(), was_there);
                }
                changed = config(&changed.to_string());
                for (key, value) in &model {
                    prop_assert_eq!(changed.value(key).unwrap(), Some(value.clone()));
                }
                prop_assert_eq!(changed.values().len(), model.len());
                prop_assert!(changed.to_string().contains("# kept"));
            }
        }
    }
}
