//! What environment variables say: over the file, under the command line.
//!
//! Only the variables of the list mean anything; an empty one says nothing, as CI systems set them so.

use std::ffi::OsString;

use super::settings::{Given, Settings};
use crate::exit::Failure;

/// Each variable, and the key that it stands for. Lists are parted by commas.
pub const VARIABLES: [(&str, &str); 10] = [
    ("PLUGPULL_MODELS", "models"),
    ("PLUGPULL_FAIL_ON", "fail-on"),
    ("PLUGPULL_BUDGET", "budget"),
    ("PLUGPULL_TIER", "tier"),
    ("PLUGPULL_WINDOW", "window"),
    ("PLUGPULL_SEED", "seed"),
    ("PLUGPULL_JOBS", "jobs"),
    ("PLUGPULL_TIMEOUT", "timeout"),
    ("PLUGPULL_RUN_TIMEOUT", "run-timeout"),
    ("PLUGPULL_MEMORY", "memory"),
];

/// The profile, where the command line names none.
pub(super) const PROFILE: &str = "PLUGPULL_PROFILE";

/// Set by the systems that build and test without anybody looking.
const CI: &str = "CI";

/// A variable that says something.
pub(crate) fn variable(name: &str) -> Option<String> {
    said(std::env::var_os(name))
}

fn said(value: Option<OsString>) -> Option<String> {
    value.map(|text| text.to_string_lossy().trim().to_owned()).filter(|text| !text.is_empty())
}

/// Whether this is a run that nobody is watching.
pub fn is_ci() -> bool {
    means_ci(variable(CI).as_deref())
}

fn means_ci(value: Option<&str>) -> bool {
    value.is_some_and(|value| !["false", "0"].contains(&value.to_ascii_lowercase().as_str()))
}

impl Settings {
    /// What the environment says.
    pub fn from_environment() -> Result<Self, Failure> {
        Self::from_variables(&variable)
    }

    fn from_variables(get: &dyn Fn(&str) -> Option<String>) -> Result<Self, Failure> {
        let mut settings = Self::default();
        for (name, key) in VARIABLES {
            let Some(text) = get(name) else { continue };
            let set = settings.set(key, &Given::Text(text.clone()));
            set.map_err(|e| Failure::Usage(format!("{name}={text}: {}", e.text)))?;
        }
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore_command::Budget;

    #[test]
    fn each_variable_says_what_its_key_says() {
        let get = |name: &str| match name {
            "PLUGPULL_BUDGET" => Some("500".to_owned()),
            "PLUGPULL_MODELS" => Some("ext4, xfs".to_owned()),
            "PLUGPULL_JOBS" => Some("3".to_owned()),
            _ => None,
        };
        let settings = Settings::from_variables(&get).unwrap();
        assert_eq!(settings.budget, Some(Budget::States(500)));
        assert_eq!(settings.models, Some(vec!["ext4".to_owned(), "xfs".to_owned()]));
        assert_eq!((settings.jobs, settings.tier), (Some(3), None));
    }

    #[test]
    fn a_wrong_one_is_named() {
        let get = |name: &str| (name == "PLUGPULL_TIER").then(|| "all".to_owned());
        let error = Settings::from_variables(&get).unwrap_err().to_string();
        assert_eq!(error, "PLUGPULL_TIER=all: `tier` is a number from 0 to 3");
    }

    #[test]
    fn ci_is_what_the_systems_set() {
        for (value, is) in [
            (None, false),
            (Some("false"), false),
            (Some("False"), false),
            (Some("0"), false),
            (Some("true"), true),
            (Some("1"), true),
            (Some("woodpecker"), true),
        ] {
            assert_eq!(means_ci(value), is, "{value:?}");
        }
        assert_eq!(said(Some(OsString::from("  "))), None);
    }
}
