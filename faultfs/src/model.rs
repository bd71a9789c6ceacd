//! Persistence models: what a crash may lose, reorder or tear, as named rules.
//!
//! A model is data. The presets lie in `faultfs/models`, a user's own file has the same form and may
//! extend any preset. `docs/persistence-models.md` numbers the rules, with the evidence for each.
//!
//! Not for what follows for one run: that is `order`.

mod rules;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::FsyncFailure;

pub use rules::{
    Allocation, Append, Barriers, DataOrder, Fdatasync, Fill, FsyncDir, FsyncFile, MetadataOrder,
    RenameAtomicity, Replace, Rule, Tear, Truncated,
};

/// A named persistence model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// Its name, as `--model` takes it.
    pub name: String,
    /// What it stands for.
    pub about: String,
    /// Its rules.
    pub rules: Rules,
    /// Where each rule's value comes from, by the rule's name.
    pub sources: BTreeMap<String, String>,
}

/// What is wrong with a model's file, or with a name.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The text is not a model; says where and what is allowed there.
    #[error("{0}")]
    Text(#[from] toml::de::Error),
    /// A rule has no value, neither in the file nor by `extends`.
    #[error("model `{model}`: rule `{rule}` is missing; set it, or say `extends = \"...\"`")]
    Missing {
        /// The model's name.
        model: String,
        /// The rule.
        rule: &'static str,
    },
    /// No preset has this name.
    #[error("there is no model `{name}`; there are {}", Model::names().join(", "))]
    Unknown {
        /// The name that was asked for.
        name: String,
    },
    /// A source is given for something that is no rule.
    #[error("model `{model}`: `{rule}` in [sources] is no rule; the rules are {}", rule_names())]
    NoSuchRule {
        /// The model's name.
        model: String,
        /// The word.
        rule: String,
    },
}

/// Everything that has one field for each rule is made here, so that none is forgotten.
macro_rules! model_rules {
    ($($(#[$doc:meta])* $field:ident: $type:ident,)*) => {
        /// One value for each rule.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct Rules {
            $(
                #[doc = concat!("See [`", stringify!($type), "`].")]
                pub $field: $type,
            )*
        }

        /// The rules as a file gives them: what is missing is taken from the model it extends.
        #[derive(Default, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct GivenRules {
            $($field: Option<$type>,)*
        }

        impl GivenRules {
            fn over(self, base: Option<&Rules>, model: &str) -> Result<Rules, ModelError> {
                Ok(Rules {
                    $(
                        $field: self.$field.or(base.map(|base| base.$field)).ok_or_else(|| {
                            let rule = stringify!($field);
                            ModelError::Missing { model: model.to_owned(), rule }
                        })?,
                    )*
                })
            }
        }

        impl Rules {
            /// All rules in words.
            pub const ALL: &[Rule] = &[$($type::RULE,)*];

            /// Each rule with the word of its value here.
            pub fn words(&self) -> Vec<(Rule, String)> {
                vec![$(($type::RULE, self.$field.to_string()),)*]
            }
        }
    };
}

model_rules! {
    metadata_order: MetadataOrder,
    data_order: DataOrder,
    rename: RenameAtomicity,
    allocation: Allocation,
    append: Append,
    fill: Fill,
    tear: Tear,
    fsync_file: FsyncFile,
    fdatasync: Fdatasync,
    fsync_dir: FsyncDir,
    replace_by_rename: Replace,
    replace_by_truncate: Truncated,
    barriers: Barriers,
    fsync_failure: FsyncFailure,
}

/// A model's file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    about: String,
    extends: Option<String>,
    #[serde(default)]
    rules: GivenRules,
    #[serde(default)]
    sources: BTreeMap<String, String>,
}

/// The presets' files, each after the one that it extends.
const FILES: [&str; 11] = [
    include_str!("../models/sequential.toml"),
    include_str!("../models/posix.toml"),
    include_str!("../models/posix-split-rename.toml"),
    include_str!("../models/ext4.toml"),
    include_str!("../models/ext4-bob.toml"),
    include_str!("../models/ext4-writeback.toml"),
    include_str!("../models/ext4-data-journal.toml"),
    include_str!("../models/ext4-nodelalloc.toml"),
    include_str!("../models/xfs.toml"),
    include_str!("../models/btrfs.toml"),
    include_str!("../models/lying-disk.toml"),
];

static PRESETS: LazyLock<Vec<Model>> = LazyLock::new(|| {
    FILES.iter().fold(Vec::new(), |mut known, text| {
        known.push(Model::read(text, &known).expect("a preset is right, or its test fails"));
        known
    })
});

impl Model {
    /// All presets, the control first.
    pub fn presets() -> &'static [Self] {
        &PRESETS
    }

    /// The names of all presets.
    pub fn names() -> Vec<&'static str> {
        Self::presets().iter().map(|model| model.name.as_str()).collect()
    }

    /// The preset of that name.
    pub fn preset(name: &str) -> Result<&'static Self, ModelError> {
        find(Self::presets(), name)
    }

    /// A model from the text of a file. It may extend a preset.
    pub fn parse(text: &str) -> Result<Self, ModelError> {
        Self::read(text, Self::presets())
    }

    fn read(text: &str, known: &[Self]) -> Result<Self, ModelError> {
        let file: File = toml::from_str(text)?;
        let base = file.extends.as_deref().map(|name| find(known, name)).transpose()?;
        let rules = file.rules.over(base.map(|base| &base.rules), &file.name)?;
        let mut sources = base.map(|base| base.sources.clone()).unwrap_or_default();
        for (rule, source) in file.sources {
            if !Rules::ALL.iter().any(|known| known.name == rule) {
                return Err(ModelError::NoSuchRule { model: file.name, rule });
            }
            sources.insert(rule, source);
        }
        Ok(Self { name: file.name, about: file.about, rules, sources })
    }

    /// The model with other rules, for a comparison; the name tells that it is changed.
    #[must_use]
    pub fn with(&self, change: impl FnOnce(&mut Rules)) -> Self {
        let mut model = self.clone();
        change(&mut model.rules);
        model.name = format!("{} (changed)", self.name);
        model
    }
}

fn find<'m>(known: &'m [Model], name: &str) -> Result<&'m Model, ModelError> {
    let found = known.iter().find(|model| model.name == name);
    found.ok_or_else(|| ModelError::Unknown { name: name.to_owned() })
}

fn rule_names() -> String {
    Rules::ALL.iter().map(|rule| rule.name).collect::<Vec<_>>().join(", ")
}
