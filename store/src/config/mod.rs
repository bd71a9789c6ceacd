//! Settings of the store: `config.toml`, which people and other programs write as well.
//!
//! A change reads the file, changes one value and writes the whole of it by the protocol of every state
//! file, all under one lock: of ten writers that each add a remote none is lost. Comments, order, line
//! ends, permissions and all that this program does not know stay as they are; a file that is no TOML is an
//! error and is not touched. What a value means is up to its readers; the store reads none itself.

mod document;
mod remotes;
mod removal;
mod written;

use faultfs::{Fs, LockMode};

use crate::atomic::{Barriers, replace_alike};
use crate::barrier::Barrier;
use crate::durability::Receipt;
use crate::error::{Error, Result};
use crate::lock::lock;
use crate::open::{Store, read_up_to};
use crate::planted::Bug;
use crate::state::Known;

pub use document::Config;

const CONFIG: Barriers = Barriers { file: Barrier::ConfigFile, dir: Barrier::ConfigDir };

/// Longest file that is read, in bytes.
const MOST: u64 = 1 << 20;

impl<F: Fs> Store<F> {
    /// All settings; none where there is no file.
    pub fn config(&self) -> Result<Config> {
        let path = self.layout().config();
        let bytes = read_up_to(self.fs(), &path, MOST)?.unwrap_or_default();
        Config::parse(&bytes).map_err(|problem| {
            let problem = format!("{problem}; mend the line by hand, nothing else writes there");
            Error::Corrupt { path, problem }
        })
    }

    /// Changes the settings: nobody else does between the reading and the end of the writing. When `edit`
    /// fails nothing is written.
    pub fn edit_config<T>(
        &self,
        edit: impl FnOnce(&mut Config) -> Result<T>,
    ) -> Result<(T, Receipt)> {
        let lock = || lock(self.fs(), &self.layout().config_lock(), LockMode::Exclusive);
        let _lock = if self.has(Bug::ConfigWithoutLock) { None } else { Some(lock()?) };
        let mut config = self.config()?;
        let done = edit(&mut config)?;
        let text = config.to_string();
        let receipt = replace_alike(self.disk(), &self.layout().config(), text.as_bytes(), CONFIG)?;
        Ok((done, receipt))
    }

    /// The value at a dotted key, as text; `None` when there is none.
    pub fn config_value(&self, key: &str) -> Result<Option<String>> {
        self.config()?.value(key)
    }

    /// Gives the dotted key a value, if it has the one that is `known`.
    pub fn set_config_value(
        &self,
        key: &str,
        value: &str,
        known: Known<'_, String>,
    ) -> Result<Receipt> {
        let set = |config: &mut Config| {
            self.compare(known, config.value(key)?)?;
            config.set(key, value)
        };
        self.edit_config(set).map(|((), receipt)| receipt)
    }

    /// Removes the value that is `known` at the dotted key; `None` when there was none.
    pub fn unset_config_value(
        &self,
        key: &str,
        known: Known<'_, String>,
    ) -> Result<Option<Receipt>> {
        let unset = |config: &mut Config| {
            self.compare(known, config.value(key)?)?;
            config.unset(key)
        };
        self.edit_config(unset).map(|(there, receipt)| there.then_some(receipt))
    }

    /// Fails unless the value is as the caller believes.
    fn compare(&self, known: Known<'_, String>, found: Option<String>) -> Result<()> {
        let problem = match (known, found) {
            (Known::Any, _) | (Known::Absent, None) => return Ok(()),
            (Known::Is(known), Some(found)) if found == *known => return Ok(()),
            (Known::Absent, Some(_)) => "the value is there already",
            (Known::Is(_), None) => "the value is not there",
            (Known::Is(_), Some(_)) => "the value is another one meanwhile",
        };
        let path = self.layout().config();
        Err(Error::StateConflict { kind: "setting", path, problem })
    }
}
