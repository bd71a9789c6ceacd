//! What holds for a subject under a profile.
//!
//! The nearer decides: what the profile says of this subject, what the subject says of itself, what the
//! profile says of all. A profile is followed by the one it inherits; `default` is the last of every chain.

use super::environment::{PROFILE, variable};
use super::file::Config;
use super::nearest::hint;
use super::settings::Settings;
use super::subject::Subject;
use crate::exit::Failure;

/// The profile that holds where none is named. The file need not have it.
pub(super) const DEFAULT: &str = "default";

impl Config {
    /// The profile of this run: the one of the command line, or of the environment, or the default one.
    pub fn profile(&self, named: Option<&str>) -> Result<String, Failure> {
        let from = variable(PROFILE);
        let (name, whose) = match (named, &from) {
            (Some(name), _) => (name, "--profile"),
            (None, Some(name)) => (name.as_str(), PROFILE),
            (None, None) => return Ok(DEFAULT.to_owned()),
        };
        if name != DEFAULT && !self.profiles.contains_key(name) {
            let hint = hint(name, self.profiles.keys().map(String::as_str));
            let file = self.path.display();
            return Err(Failure::Usage(format!("{whose}: no profile `{name}` in {file}{hint}")));
        }
        Ok(name.to_owned())
    }

    /// What the file says of a subject under a profile.
    pub fn settings(&self, subject: &Subject, profile: &str) -> Settings {
        let chain: Vec<_> =
            self.chain(profile).iter().filter_map(|name| self.profiles.get(*name)).collect();
        let own = chain.iter().filter_map(|profile| profile.subjects.get(&subject.name));
        let all = chain.iter().map(|profile| &profile.settings);
        let layers = own.chain([&subject.settings]).chain(all);
        layers.fold(Settings::default(), Settings::or)
    }

    /// What a profile says of the run as a whole.
    pub fn reports(&self, profile: &str) -> Settings {
        let chain = self.chain(profile);
        let chain = chain.iter().filter_map(|name| self.profiles.get(*name));
        chain.map(|profile| &profile.settings).fold(Settings::default(), Settings::or)
    }

    /// The profile and those that it inherits; ends where one comes for the second time.
    pub(super) fn chain<'c>(&'c self, profile: &'c str) -> Vec<&'c str> {
        let mut chain = vec![profile];
        let mut last = profile;
        while let Some(next) = self.profiles.get(last).and_then(|found| found.inherits.as_deref()) {
            let again = chain.contains(&next);
            chain.push(next);
            last = next;
            if again {
                return chain;
            }
        }
        if last != DEFAULT {
            chain.push(DEFAULT);
        }
        chain
    }
}
