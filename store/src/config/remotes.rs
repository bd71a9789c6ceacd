//! Remotes: other stores by name, in the settings as `[remotes.NAME]` with a `url`.
//!
//! Not for talking to them.

use std::collections::BTreeMap;

use faultfs::Fs;

use super::Config;
use crate::durability::Receipt;
use crate::error::{Error, Result};
use crate::open::Store;
use crate::state::Known;

/// The table of all of them.
const REMOTES: &str = "remotes";

/// Longest name and URL.
const MOST: usize = 2048;

impl Config {
    /// All remotes, by name.
    pub fn remotes(&self) -> Result<BTreeMap<String, String>> {
        let mut remotes = BTreeMap::new();
        for name in self.tables_in(REMOTES) {
            if let Some(url) = self.remote(&name)? {
                remotes.insert(name, url);
            }
        }
        Ok(remotes)
    }

    /// Where a remote is.
    pub fn remote(&self, name: &str) -> Result<Option<String>> {
        self.value(&key(name))
    }

    /// Adds a remote, or says anew where it is.
    pub fn set_remote(&mut self, name: &str, url: &str) -> Result<()> {
        check(name, url)?;
        self.set(&key(name), url)
    }

    /// Removes a remote, with all that is said about it; says whether there was one.
    pub fn remove_remote(&mut self, name: &str) -> bool {
        self.remove_table(REMOTES, name)
    }
}

impl<F: Fs> Store<F> {
    /// All remotes, by name.
    pub fn remotes(&self) -> Result<BTreeMap<String, String>> {
        self.config()?.remotes()
    }

    /// Adds a remote, or says anew where it is, if it is where it is `known` to be.
    pub fn set_remote(&self, name: &str, url: &str, known: Known<'_, String>) -> Result<Receipt> {
        check(name, url)?;
        self.set_config_value(&key(name), url, known)
    }

    /// Removes a remote; `None` when there was none.
    pub fn remove_remote(&self, name: &str) -> Result<Option<Receipt>> {
        let (there, receipt) = self.edit_config(|config| Ok(config.remove_remote(name)))?;
        Ok(there.then_some(receipt))
    }
}

fn key(name: &str) -> String {
    format!("{REMOTES}.{}.url", toml_edit::Key::new(name).display_repr())
}

fn check(name: &str, url: &str) -> Result<()> {
    let bad = |problem: &str| Error::BadValue { kind: "remote", problem: problem.to_owned() };
    let of_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.len() > MOST || !name.chars().all(of_name) {
        return Err(bad("its name is letters, digits, `-`, `_` and `.`"));
    }
    if url.is_empty() || url.len() > MOST || url.chars().any(char::is_control) {
        return Err(bad("its URL is one line of at most 2048 bytes"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_no_line_could_hold_is_refused() {
        let mut config = Config::default();
        for (name, url) in [("", "u"), ("a b", "u"), ("a/b", "u"), ("a", ""), ("a", "u\nv")] {
            assert!(config.set_remote(name, url).is_err(), "{name:?} {url:?}");
        }
        config.set_remote("a.b", "u").unwrap();
        assert_eq!(config.to_string(), "[remotes.\"a.b\"]\nurl = \"u\"\n");
        assert_eq!(config.remotes().unwrap(), BTreeMap::from([("a.b".to_owned(), "u".to_owned())]));
        assert!(config.remove_remote("a.b") && !config.remove_remote("a.b"));
        assert_eq!(config.to_string(), "");
    }
}
