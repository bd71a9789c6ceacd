//! Settings: what the command line, the environment, a subject and a profile may each say of a search.
//!
//! What is not said is `None`, and left to the next one. Every value is read by one function, wherever
//! it comes from. Not for what is meant when nobody says anything (`request`).

use std::path::{Path, PathBuf};
use std::time::Duration;

use faultfs::Model;

use super::nearest::hint;
use crate::cli::{JudgeArgs, SearchArgs, bytes};
use crate::explore_command::Budget;

/// The keys, as the file spells them.
pub const KEYS: [&str; 10] = [
    "models",
    "fail-on",
    "budget",
    "tier",
    "window",
    "timeout",
    "run-timeout",
    "memory",
    "seed",
    "jobs",
];

/// The keys of a profile only: one file is written for all subjects.
pub(super) const REPORTS: [&str; 3] = ["junit", "sarif", "html"];

/// What somebody says of a search.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// The models, by name or file.
    pub models: Option<Vec<String>>,
    /// The names of those to fail on; `none` for none.
    pub fail_on: Option<Vec<String>>,
    /// Whether the models were said nearer than those to fail on, which then may name others.
    pub narrowed: bool,
    /// When to end.
    pub budget: Option<Budget>,
    /// The last tier.
    pub tier: Option<u8>,
    /// Most sets of one crash point.
    pub window: Option<u64>,
    /// How long a checker may take.
    pub timeout: Option<Duration>,
    /// How long the program may run.
    pub run_timeout: Option<Duration>,
    /// Most bytes that the program may write.
    pub memory: Option<u64>,
    /// Seed of the sample.
    pub seed: Option<String>,
    /// Checks at the same time.
    pub jobs: Option<usize>,
    /// Where a report for JUnit goes.
    pub junit: Option<PathBuf>,
    /// Where one in SARIF goes.
    pub sarif: Option<PathBuf>,
    /// Where one to look at goes.
    pub html: Option<PathBuf>,
}

/// A value, as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// A text.
    Text(String),
    /// A number.
    Number(u64),
    /// An array of texts.
    List(Vec<String>),
}

/// Why a value cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Which item of an array it is about.
    pub item: Option<usize>,
    /// What is wrong, and what is right.
    pub text: String,
}

impl Settings {
    /// What the command line says.
    pub fn from_args(judge: &JudgeArgs, search: &SearchArgs) -> Self {
        let some = |list: &Vec<String>| (!list.is_empty()).then(|| list.clone());
        Self {
            models: some(&search.model),
            fail_on: some(&judge.fail_on),
            budget: search.budget,
            tier: search.tier,
            window: search.window,
            timeout: judge.timeout,
            seed: search.seed.clone(),
            jobs: search.jobs,
            ..Self::default()
        }
    }

    /// These, and where they say nothing those.
    #[must_use]
    pub fn or(self, those: &Self) -> Self {
        let those = those.clone();
        let narrowed = self.models.is_some() && self.fail_on.is_none() && those.fail_on.is_some();
        Self {
            narrowed: if self.fail_on.is_some() {
                self.narrowed
            } else {
                narrowed || those.narrowed
            },
            models: self.models.or(those.models),
            fail_on: self.fail_on.or(those.fail_on),
            budget: self.budget.or(those.budget),
            tier: self.tier.or(those.tier),
            window: self.window.or(those.window),
            timeout: self.timeout.or(those.timeout),
            run_timeout: self.run_timeout.or(those.run_timeout),
            memory: self.memory.or(those.memory),
            seed: self.seed.or(those.seed),
            jobs: self.jobs.or(those.jobs),
            junit: self.junit.or(those.junit),
            sarif: self.sarif.or(those.sarif),
            html: self.html.or(those.html),
        }
    }

    /// Takes in the value of a key; the key must be a known one.
    pub fn set(&mut self, key: &str, given: &Given) -> Result<(), Wrong> {
        match key {
            "models" => self.models = Some(models(given)?),
            "fail-on" => self.fail_on = Some(given.list(key)?),
            "budget" => self.budget = Some(budget(given)?),
            "tier" => self.tier = Some(tier(given)?),
            "window" => self.window = Some(at_least_one(key, given)?),
            "timeout" => self.timeout = Some(duration(key, given)?),
            "run-timeout" => self.run_timeout = Some(duration(key, given)?),
            "memory" => self.memory = Some(memory(given)?),
            "seed" => self.seed = Some(seed(given)?),
            "jobs" => {
                let jobs = usize::try_from(at_least_one(key, given)?);
                self.jobs = Some(jobs.unwrap_or(usize::MAX));
            }
            "junit" => self.junit = Some(given.text(key, "the path of a file")?.into()),
            "sarif" => self.sarif = Some(given.text(key, "the path of a file")?.into()),
            "html" => self.html = Some(given.text(key, "the path of a file")?.into()),
            _ => return Err(wrong(format!("unknown key `{key}`"))),
        }
        Ok(())
    }

    /// Paths are relative to where the file is that says them.
    pub(super) fn relative_to(&mut self, root: &Path) {
        for model in self.models.iter_mut().flatten().filter(|model| is_file(model)) {
            *model = root.join(&*model).display().to_string();
        }
        for path in [&mut self.junit, &mut self.sarif, &mut self.html].into_iter().flatten() {
            *path = root.join(&*path);
        }
    }
}

impl Given {
    /// A text, which is what this kind of thing.
    pub(super) fn text(&self, key: &str, what: &str) -> Result<&str, Wrong> {
        match self {
            Self::Text(text) if !text.trim().is_empty() => Ok(text),
            _ => Err(wrong(format!("`{key}` is {what}, in quotes"))),
        }
    }

    /// An array of texts, or a text with commas.
    pub(super) fn list(&self, key: &str) -> Result<Vec<String>, Wrong> {
        let list: Vec<_> = match self {
            Self::List(list) => list.clone(),
            Self::Text(text) => text.split(',').map(|part| part.trim().to_owned()).collect(),
            Self::Number(_) => Vec::new(),
        };
        match list.iter().position(String::is_empty) {
            _ if list.is_empty() => Err(wrong(format!("`{key}` is an array of names"))),
            Some(at) => Err(Wrong { item: Some(at), text: format!("a name of `{key}` is empty") }),
            None => Ok(list),
        }
    }
}

fn wrong(text: String) -> Wrong {
    Wrong { item: None, text }
}

/// Whether a model is named by a file.
fn is_file(model: &str) -> bool {
    model.contains('/') || Path::new(model).extension().is_some_and(|end| end == "toml")
}

fn models(given: &Given) -> Result<Vec<String>, Wrong> {
    let list = given.list("models")?;
    let unknown = |model: &String| !is_file(model) && Model::preset(model).is_err();
    if let Some(at) = list.iter().position(unknown) {
        let presets = Model::presets().iter().map(|model| model.name.as_str());
        let hint = hint(&list[at], presets);
        let text = format!("no model `{}`{hint}", list[at]);
        return Err(Wrong { item: Some(at), text });
    }
    Ok(list)
}

fn budget(given: &Given) -> Result<Budget, Wrong> {
    let text = match given {
        Given::Number(states) => states.to_string(),
        given => given.text("budget", "a time or a number of states")?.to_owned(),
    };
    Budget::parse(&text).map_err(|e| wrong(format!("`budget`: {e}")))
}

fn number(given: &Given) -> Option<u64> {
    match given {
        Given::Number(number) => Some(*number),
        Given::Text(text) => text.parse().ok(),
        Given::List(_) => None,
    }
}

fn tier(given: &Given) -> Result<u8, Wrong> {
    let tier = number(given).and_then(|tier| u8::try_from(tier).ok()).filter(|tier| *tier <= 3);
    tier.ok_or_else(|| wrong("`tier` is a number from 0 to 3".to_owned()))
}

fn at_least_one(key: &str, given: &Given) -> Result<u64, Wrong> {
    let number = number(given).filter(|number| *number > 0);
    number.ok_or_else(|| wrong(format!("`{key}` is a number from 1 on")))
}

fn duration(key: &str, given: &Given) -> Result<Duration, Wrong> {
    let what = "a time such as \"10s\" or \"5m\"";
    let text = given.text(key, what)?;
    humantime::parse_duration(text).map_err(|e| wrong(format!("`{key}` is {what}: {e}")))
}

fn memory(given: &Given) -> Result<u64, Wrong> {
    let text = match given {
        Given::Number(bytes) => bytes.to_string(),
        given => given.text("memory", "a number of bytes such as \"500M\"")?.to_owned(),
    };
    bytes(&text).map_err(|e| wrong(format!("`memory`: {e}")))
}

fn seed(given: &Given) -> Result<String, Wrong> {
    match given {
        Given::Number(seed) => Ok(seed.to_string()),
        given => Ok(given.text("seed", "a number or any text")?.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Given {
        Given::Text(text.to_owned())
    }

    #[test]
    fn what_is_said_first_decides() {
        let mut first = Settings::default();
        first.set("tier", &Given::Number(1)).unwrap();
        let mut second = Settings::default();
        second.set("tier", &Given::Number(3)).unwrap();
        second.set("memory", &text("4K")).unwrap();
        let both = first.or(&second);
        assert_eq!((both.tier, both.memory, both.jobs), (Some(1), Some(4096), None));
    }

    #[test]
    fn a_wrong_value_is_answered_by_what_is_right() {
        for (key, given, told) in [
            ("tier", Given::Number(4), "`tier` is a number from 0 to 3"),
            ("jobs", Given::Number(0), "`jobs` is a number from 1 on"),
            ("timeout", text("10"), "`timeout` is a time such as \"10s\""),
            ("timeout", Given::Number(10), "`timeout` is a time such as"),
            ("budget", text("soon"), "say a number of states"),
            ("memory", text("4 elephants"), "500M or 4G"),
            ("models", text("ext5"), "no model `ext5`; did you mean `ext4`?"),
            ("models", Given::List(Vec::new()), "`models` is an array of names"),
            ("fail-on", Given::Number(1), "`fail-on` is an array of names"),
            ("junit", Given::Number(1), "`junit` is the path of a file"),
        ] {
            let error = Settings::default().set(key, &given).unwrap_err().text;
            assert!(error.contains(told), "{key}: {error}");
        }
    }

    #[test]
    fn every_key_can_be_set_and_the_paths_are_relative_to_the_file() {
        let mut settings = Settings::default();
        for key in KEYS.iter().chain(&REPORTS) {
            let known = [Given::Number(2), text("mine.toml"), text("2s")];
            assert!(known.iter().any(|given| settings.set(key, given).is_ok()), "{key}");
        }
        settings.relative_to(Path::new("/p"));
        assert_eq!(settings.models, Some(vec!["/p/mine.toml".to_owned()]));
        assert_eq!(settings.html, Some(PathBuf::from("/p/mine.toml")));
    }
}
