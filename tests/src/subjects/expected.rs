//! What is expected of each form, as its `expected.toml` says it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

/// What is expected of one form.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Expected {
    /// The beginning of the violations' messages.
    #[serde(default)]
    pub message: String,
    /// Further beginnings.
    #[serde(default)]
    pub also: Vec<String>,
    /// The barrier that is missing: what is to be synced stands in the first parentheses.
    #[serde(default)]
    pub barrier: String,
    /// States under each preset that it takes to see all this; 1,500 where it is not said.
    pub states: Option<u64>,
    /// Whether it takes more than some seconds.
    #[serde(default)]
    pub slow: bool,
    /// Why all this is expected.
    pub reason: String,
    /// The verdicts by model, and remarks.
    #[serde(flatten)]
    rest: BTreeMap<String, toml::Value>,
}

impl Expected {
    /// `survived` or `violated`.
    pub fn verdict(&self, model: &str) -> Option<&str> {
        self.rest.get(model)?.as_str()
    }

    /// The verdict with a second crash inside the recovery, if one is expected.
    pub fn recrash(&self) -> Option<&str> {
        self.rest.get("recrash")?.as_str()
    }

    /// The beginnings of all messages that may come.
    pub fn classes(&self) -> impl Iterator<Item = &str> {
        let all = std::iter::once(&self.message).chain(&self.also);
        all.map(String::as_str).filter(|class| !class.is_empty())
    }

    /// What the missing barrier is to sync.
    pub fn barrier_target(&self) -> Option<&str> {
        let (_, rest) = self.barrier.split_once('(')?;
        Some(rest.split_once(')')?.0)
    }
}

/// One form of one subject.
#[derive(Clone, Debug)]
pub struct Form {
    /// `03-rename-without-dirsync/buggy`.
    pub name: String,
    /// Its directory.
    pub dir: PathBuf,
    /// What is expected of it.
    pub expected: Expected,
}

impl Form {
    /// A script of the form, if it has it.
    pub fn script(&self, name: &str) -> Option<PathBuf> {
        let own = self.dir.join(name);
        own.is_file().then_some(own)
    }
}

/// All forms, by name; an error names the file that is wrong.
pub fn forms() -> Result<Vec<Form>, String> {
    let mut forms = Vec::new();
    let entries = std::fs::read_dir(super::directory()).map_err(|e| e.to_string())?;
    for entry in entries.flatten() {
        let file = entry.path().join("expected.toml");
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        let table: BTreeMap<String, toml::Value> =
            toml::from_str(&text).map_err(|e| format!("{}: {e}", file.display()))?;
        for (name, value) in table {
            // What is no table is about all forms.
            if !value.is_table() {
                continue;
            }
            let wrong = |e: toml::de::Error| format!("{}: {name}: {e}", file.display());
            let expected = Expected::deserialize(value).map_err(wrong)?;
            let subject = entry.file_name().to_string_lossy().into_owned();
            let dir = entry.path().join(&name);
            forms.push(Form { name: format!("{subject}/{name}"), dir, expected });
        }
    }
    forms.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(forms)
}
