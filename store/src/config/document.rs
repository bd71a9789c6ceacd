//! The text of the settings: values at dotted keys, and all else as it was written.
//!
//! Not for files and locks, nor for how what is not changed keeps its form: see `written` and `removal`.

use std::fmt;

use toml_edit::{DocumentMut, Item, Key, Table, TableLike, Value};

use super::written::Written;
use crate::error::{Error, Result};

/// Settings as they were read, with changes that are not written yet.
#[derive(Clone, Debug, Default)]
pub struct Config {
    pub(super) document: DocumentMut,
    written: Written,
}

impl Config {
    /// Reads a text; an error names line and column.
    pub(super) fn parse(bytes: &[u8]) -> std::result::Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|e| e.to_string())?;
        let document: DocumentMut = text.parse().map_err(|e: toml_edit::TomlError| {
            e.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
        })?;
        let written = Written::new(text, &document);
        Ok(Self { document, written })
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
        f.write_str(&self.written.with(&self.document.to_string()))
    }
}

pub(super) fn collect(table: &dyn TableLike, above: &str, values: &mut Vec<(String, String)>) {
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

pub(super) fn parts(key: &str) -> Result<Vec<Key>> {
    Key::parse(key).map_err(|_| {
        bad(format!("{key:?} is no key; it is words with dots between, as remotes.origin.url"))
    })
}

/// The table at this place, made where it is missing.
pub(super) fn table_of<'d>(
    mut table: &'d mut dyn TableLike,
    keys: &[Key],
) -> Result<&'d mut dyn TableLike> {
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

pub(super) fn bad(problem: String) -> Error {
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
    fn line_ends_stay_as_they_are() {
        let written = "\u{feff}# by hand\r\n[a]\r\nb = 'x' # of b\r\nc = \"\"\"1\r\n2\"\"\"";
        assert_eq!(config(written).to_string(), written);
        let mut changed = config(written);
        changed.set("a.b", "y").unwrap();
        assert_eq!(changed.to_string(), written.replace("'x'", "\"y\""));
        changed.set("a.d", "z").unwrap();
        let expected = written.replace("'x'", "\"y\"") + "\r\nd = \"z\"\r\n";
        assert_eq!(changed.to_string(), expected);
        assert!(changed.unset("a.b").unwrap());
        assert_eq!(changed.to_string(), expected.replace("b = \"y\" # of b\r\n", ""));
    }

    #[test]
    fn comments_above_what_is_removed_stay() {
        let written = "# of the file\n\n# of a\na = 1 # beside it\nb = 2\n\n# of t\n[t]\nc = 3\n";
        let mut changed = config(written);
        assert!(changed.unset("a").unwrap());
        let expected = written.replace("a = 1 # beside it\n", "");
        assert_eq!(changed.to_string(), expected);
        assert!(changed.unset("t.c").unwrap());
        assert_eq!(changed.to_string(), expected.replace("c = 3\n", ""));
        let remote = "# first\n[remotes.x] # it\nurl = \"u\"\n\n[remotes.y]\nurl = \"v\"\n";
        let mut changed = config(remote);
        changed.remove_remote("x");
        assert_eq!(changed.to_string(), "# first\n\n[remotes.y]\nurl = \"v\"\n");
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

    /// One line of settings: blank, a comment, or a value whose number is its key.
    fn line((n, (kind, end)): (usize, (u8, bool))) -> String {
        let end = if end { "\r\n" } else { "\n" };
        match kind {
            0 => end.to_owned(),
            1 => format!("# {n} \"c\"{end}"),
            2 => format!("[t{n}] # of it{end}"),
            _ => format!("  k{n}  =  '{n}'\t# beside{end}"),
        }
    }

    proptest! {
        #[test]
        fn all_but_the_line_of_a_change_stays(
            lines in proptest::collection::vec((0..6u8, proptest::bool::ANY), 0..12),
            chosen in 0..12usize,
            unset in proptest::bool::ANY,
            cut in proptest::bool::ANY,
        ) {
            let mut lines: Vec<_> = lines.into_iter().enumerate().map(line).collect();
            if let Some(last) = lines.last_mut().filter(|_| cut) {
                last.truncate(last.trim_end_matches(['\r', '\n']).len());
            }
            let mut changed = config(&lines.concat());
            prop_assert_eq!(changed.to_string(), lines.concat());
            let of_line = format!("k{chosen}");
            let keys = changed.values().into_iter().map(|(key, _)| key);
            let key = keys.into_iter().find(|key| key.rsplit('.').next() == Some(&of_line));
            let Some(key) = key else { return Ok(()) };
            if unset {
                prop_assert!(changed.unset(&key).unwrap());
                lines[chosen].clear();
            } else {
                changed.set(&key, "new").unwrap();
                lines[chosen] = lines[chosen].replace(&format!("'{chosen}'"), "\"new\"");
            }
            let (found, expected) = (changed.to_string(), lines.concat());
            // A last line that is changed gets an end.
            prop_assert_eq!(found.trim_end(), expected.trim_end());
            prop_assert!(found == expected || cut);
        }

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
