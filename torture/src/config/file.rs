//! The file as it is read: subjects, profiles, and everything that is wrong with them.
//!
//! Not for what holds in the end (`profile`).
#![expect(clippy::disallowed_methods, reason = "a file of the user's, which no store is over")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::nearest::hint;
use super::profile::DEFAULT;
use super::read::{Entry, Reader, entries};
use super::settings::{KEYS, REPORTS, Settings};
use super::subject::{self, Subject};
use crate::exit::Failure;

/// How a subject begins, for messages.
const SUBJECT: &str = "[subject.NAME], with `run` and `check`";

/// The keys of a profile beside the settings.
const PROFILE_KEYS: [&str; 2] = ["inherits", "subject"];

/// A configuration, read and found right.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file.
    pub path: PathBuf,
    /// Its directory: paths in the file are relative to it.
    pub root: PathBuf,
    /// The programs, in the order of the file.
    pub subjects: Vec<Subject>,
    /// The profiles.
    pub profiles: BTreeMap<String, Profile>,
}

/// A named set of settings.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// The profile that holds where this one says nothing.
    pub inherits: Option<String>,
    /// What it says of all subjects.
    pub settings: Settings,
    /// What it says of single ones.
    pub subjects: BTreeMap<String, Settings>,
    /// Where these are named: the profile it inherits, and the subjects.
    named: Vec<(usize, Named)>,
}

#[derive(Clone, Debug)]
enum Named {
    Profile(String),
    Subject(String),
}

impl Config {
    /// Reads the file.
    pub fn load(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path).map_err(|e| {
            Failure::Usage(format!("cannot read the configuration {}: {e}", path.display()))
        })?;
        let whole = std::path::absolute(path)
            .map_err(|e| Failure::system(format!("find {}", path.display()), e))?;
        Self::parse(path, whole.parent().unwrap_or(&whole), &text)
    }

    /// Reads its text; `root` is what its paths are relative to.
    pub fn parse(path: &Path, root: &Path, text: &str) -> Result<Self, Failure> {
        let mut reader = Reader::new(path, text);
        let mut config = Self {
            path: path.to_owned(),
            root: root.to_owned(),
            subjects: Vec::new(),
            profiles: BTreeMap::new(),
        };
        if let Some(table) = reader.parse() {
            let table = entries(&table);
            config.read(&mut reader, &table);
            config.relate(&mut reader);
            if !table.iter().any(|entry| entry.key == "subject") {
                reader.problem(
                    0,
                    format!(
                        "there is no subject: add one as {SUBJECT}, or see \
                    `plugpull init --stdout`"
                    ),
                );
            }
        }
        reader.finish().map(|()| config)
    }

    fn read(&mut self, reader: &mut Reader<'_>, table: &[Entry<'_>]) {
        for entry in table {
            match entry.key {
                "subject" => self.subjects(reader, *entry),
                "profile" => {
                    for entry in reader.table(*entry, "[profile.NAME]") {
                        if let Some(profile) = profile(reader, entry, &self.root) {
                            self.profiles.insert(entry.key.to_owned(), profile);
                        }
                    }
                }
                _ => reader.unknown(*entry, "key", &["subject", "profile"]),
            }
        }
    }

    fn subjects(&mut self, reader: &mut Reader<'_>, entry: Entry<'_>) {
        let tables = reader.table(entry, SUBJECT);
        if tables.is_empty() && entry.value.get_ref().is_table() {
            reader.problem(entry.at, format!("there is no subject: add one as {SUBJECT}"));
        }
        for entry in tables {
            if let Some(subject) = subject::read(reader, entry, &self.root) {
                self.subjects.push(subject);
            }
        }
    }

    /// What profiles name must be there, and no profile inherit itself.
    fn relate(&self, reader: &mut Reader<'_>) {
        let profiles = || self.profiles.keys().map(String::as_str);
        let subjects = || self.subjects.iter().map(|subject| subject.name.as_str());
        for (name, profile) in &self.profiles {
            for (at, named) in &profile.named {
                match named {
                    Named::Profile(wanted)
                        if wanted != DEFAULT && !self.profiles.contains_key(wanted) =>
                    {
                        let others = profiles().filter(|other| other != name);
                        let others = others.filter(|other| *other != DEFAULT).chain([DEFAULT]);
                        let hint = hint(wanted, others);
                        reader.problem(*at, format!("unknown profile `{wanted}`{hint}"));
                    }
                    Named::Profile(_) => {
                        let chain = self.chain(name);
                        if chain.last() == chain.first() && chain.len() > 1 {
                            let chain = chain.join(" -> ");
                            let text = format!("the profile inherits itself: {chain}");
                            reader.problem(*at, text);
                        }
                    }
                    Named::Subject(wanted) if !subjects().any(|known| known == wanted) => {
                        let hint = hint(wanted, subjects());
                        reader.problem(*at, format!("unknown subject `{wanted}`{hint}"));
                    }
                    Named::Subject(_) => {}
                }
            }
        }
    }
}

/// A name that can be typed, printed in a table and used in a path.
pub(super) fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    !name.is_empty() && !name.starts_with(['.', '-']) && name.chars().all(plain)
}

pub(super) const NAMES: &str = "has letters, digits, `-`, `_` and `.`, and begins with none of `-` \
    and `.`";

fn profile(reader: &mut Reader<'_>, entry: Entry<'_>, root: &Path) -> Option<Profile> {
    if !is_name(entry.key) {
        reader.problem(entry.at, format!("the name of a profile {NAMES}"));
        return None;
    }
    let mut profile = Profile::default();
    let known = [&KEYS[..], &REPORTS, &PROFILE_KEYS].concat();
    for entry in reader.table(entry, "[profile.NAME]") {
        match entry.key {
            "inherits" => {
                let Some(given) = reader.given(entry) else { continue };
                let name = given.text(entry.key, "the name of a profile").map(str::to_owned);
                if let Some(name) = reader.take(entry, name) {
                    let at = entry.value.span().start;
                    profile.named.push((at, Named::Profile(name.clone())));
                    profile.inherits = Some(name);
                }
            }
            "subject" => {
                for entry in reader.table(entry, "[profile.NAME.subject.NAME]") {
                    let mut settings = Settings::default();
                    for entry in reader.table(entry, "settings for this subject") {
                        setting(reader, entry, &mut settings, &KEYS);
                    }
                    settings.relative_to(root);
                    profile.named.push((entry.at, Named::Subject(entry.key.to_owned())));
                    profile.subjects.insert(entry.key.to_owned(), settings);
                }
            }
            _ => setting(reader, entry, &mut profile.settings, &known),
        }
    }
    profile.settings.relative_to(root);
    Some(profile)
}

/// Takes in a key that is a setting, or tells that it is none.
pub(super) fn setting(
    reader: &mut Reader<'_>,
    entry: Entry<'_>,
    settings: &mut Settings,
    known: &[&str],
) {
    if !known.contains(&entry.key) {
        reader.unknown(entry, "key", known);
        return;
    }
    if let Some(given) = reader.given(entry) {
        let set = settings.set(entry.key, &given);
        reader.take(entry, set);
    }
}
