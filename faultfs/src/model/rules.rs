//! The rules of a persistence model: their values, what each says, and the words for both.
//!
//! Not for what follows from them: `order` turns a rule into an order between effects. A new rule is
//! one entry here, its use there, and a litmus pair.

use std::fmt;
use std::str::FromStr;

use crate::FsyncFailure;
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, Serializer};

/// One rule as it is explained to people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its key in a model's file.
    pub name: &'static str,
    /// The question it answers.
    pub says: &'static str,
    /// Its values and what each means.
    pub values: &'static [(&'static str, &'static str)],
}

/// A rule whose values are plain words.
macro_rules! rules {
    ($($type:ident $name:literal $says:literal { $($value:ident $word:literal $meaning:literal,)* })*) => {
        $(
            #[doc = $says]
            #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
            #[derive(serde::Serialize, serde::Deserialize)]
            pub enum $type {
                $(
                    #[doc = $meaning]
                    #[serde(rename = $word)]
                    $value,
                )*
            }

            impl $type {
                /// The rule in words.
                pub const RULE: Rule =
                    Rule { name: $name, says: $says, values: &[$(($word, $meaning),)*] };

                /// All values.
                pub const ALL: &[Self] = &[$(Self::$value,)*];

                /// The value's word in a model's file.
                pub const fn word(self) -> &'static str {
                    match self {
                        $(Self::$value => $word,)*
                    }
                }
            }

            impl fmt::Display for $type {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str(self.word())
                }
            }
        )*
    };
}

rules! {
    MetadataOrder "metadata_order" "In which order names, sizes and attributes persist." {
        None "none" "In any order; only changes of the same name, size or attributes follow each other.",
        PerDirectory "per_directory" "The changes of one directory's names persist in their order.",
        Journal "journal" "In the order in which they were made: a crash keeps a prefix.",
    }
    DataOrder "data_order" "In which order bytes persist." {
        Free "free" "In any order, before or after the metadata around them.",
        Journal "journal" "In their place in the order of the metadata.",
    }
    RenameAtomicity "rename" "Whether a rename can be half done." {
        Atomic "atomic" "Both names change at once.",
        Split "split" "Each name changes by itself; a directory still moves at once.",
    }
    Allocation "allocation" "When a size that needs a new block takes its place in the metadata order." {
        AtWrite "at_write" "At once, as any other metadata.",
        Delayed "delayed" "When its bytes are written back, so that later metadata can persist before it.",
    }
    Append "append" "Whether a size may persist before the bytes below it." {
        Free "free" "Yes.",
        InBlockFree "in_block_free" "Only inside a block that is allocated already; a new block waits for all earlier bytes of its file.",
        DataFirst "data_first" "No: a size waits for all earlier bytes of its file.",
    }
    Fill "fill" "What a range reads as when its size persisted and its bytes did not." {
        Zero "zero" "Zeros.",
        Stale "stale" "What the disk held there before: this file's bytes before it was cut, else another file's.",
        Garbage "garbage" "A pattern that no program wrote.",
    }
    FsyncFile "fsync_file" "What fsync of a file makes durable." {
        Inode "inode" "Its bytes, size and attributes; not its name.",
        CreatingEntry "creating_entry" "These, and the name it was created with, and the directories that were created for that.",
        OwnEntries "own_entries" "These, and every name of it, also by link and rename, and the directories that were created for them.",
        Journal "journal" "Its bytes, and all metadata up to its own last change.",
    }
    Fdatasync "fdatasync" "What fdatasync makes durable beside bytes and size." {
        WithoutJournal "without_journal" "Nothing.",
        WithJournal "with_journal" "What fsync does, if the size or the file's existence is not durable yet.",
    }
    FsyncDir "fsync_dir" "What fsync of a directory makes durable." {
        Entries "entries" "The names in it.",
        Journal "journal" "All metadata up to the last change of a name in it.",
        Checkpoint "checkpoint" "All metadata.",
    }
    Replace "replace_by_rename" "What a rename over an existing file does for the bytes of the new one." {
        None "none" "Nothing.",
        FlushStarted "flush_started" "It starts to write them and does not wait: no promise, the same states as none.",
        FlushWaited "flush_waited" "It persists after them.",
    }
    Truncated "replace_by_truncate" "What is done for the bytes of a file that was cut to nothing and written again." {
        None "none" "Nothing.",
        FlushStarted "flush_started" "They are written when the file is closed, not waited for: no promise, the same states as none.",
        FlushWaited "flush_waited" "Later metadata persists after them.",
    }
    Barriers "barriers" "Whether a barrier does what it says." {
        Honoured "honoured" "Yes.",
        Ignored "ignored" "No: the disk acknowledges the flush and keeps nothing.",
    }
}

impl FsyncFailure {
    /// The rule in words.
    pub const RULE: Rule = Rule {
        name: "fsync_failure",
        says: "What a failed fsync leaves in the cache and on the disk, and who is told.",
        values: &[
            (
                "ext4_ordered",
                "The pages are marked clean and keep the new bytes, which will not be written; each open file is told once.",
            ),
            (
                "ext4_data",
                "As ext4_ordered, but the failing fsync succeeds and the next one fails.",
            ),
            ("xfs", "As ext4_ordered."),
            ("btrfs", "The file reverts to what was synced last; each open file is told once."),
            ("redirty", "The pages stay dirty, and the next fsync tries again (FreeBSD)."),
        ],
    };
}

impl fmt::Display for FsyncFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ext4Ordered => "ext4_ordered",
            Self::Ext4Data => "ext4_data",
            Self::Xfs => "xfs",
            Self::Btrfs => "btrfs",
            Self::Redirty => "redirty",
        })
    }
}

/// The unit in which one write can be partial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tear {
    /// A write is there whole, with its size, or not at all.
    None,
    /// Pages of 4096 bytes.
    Page,
    /// Sectors of 512 bytes.
    Sector,
    /// Units of this many bytes, counted from the file's start.
    Bytes(u32),
}

impl Tear {
    /// The rule in words.
    pub const RULE: Rule = Rule {
        name: "tear",
        says: "The unit in which one write can be partial.",
        values: &[
            ("none", "A write persists whole, with its size, or not at all."),
            ("page", "Pages of 4096 bytes."),
            ("sector", "Sectors of 512 bytes."),
            ("bytes(N)", "Units of N bytes, counted from the file's start."),
        ],
    };

    /// The unit in bytes; `None` when a write is whole.
    pub fn unit(self) -> Option<u64> {
        match self {
            Self::None => None,
            Self::Page => Some(crate::PAGE as u64),
            Self::Sector => Some(512),
            Self::Bytes(n) => Some(u64::from(n)),
        }
    }
}

impl fmt::Display for Tear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Page => f.write_str("page"),
            Self::Sector => f.write_str("sector"),
            Self::Bytes(n) => write!(f, "bytes({n})"),
        }
    }
}

impl FromStr for Tear {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let bytes = || word.strip_prefix("bytes(")?.strip_suffix(')')?.parse().ok();
        match (word, bytes()) {
            ("none", _) => Ok(Self::None),
            ("page", _) => Ok(Self::Page),
            ("sector", _) => Ok(Self::Sector),
            (_, Some(n)) if n > 0 => Ok(Self::Bytes(n)),
            _ => Err(format!(
                "unknown tear `{word}`, expected one of `none`, `page`, `sector`, `bytes(N)` with N of 1 or more"
            )),
        }
    }
}

impl Serialize for Tear {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Tear {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}
