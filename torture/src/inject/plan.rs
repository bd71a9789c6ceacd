//! Which calls fail and how: the kinds of calls, the errors that fit each, and the lanes in which they are
//! tried one after the other.
//!
//! Not for what a fault does to the disk (`faultfs`).

use std::fmt;

use clap::ValueEnum;
use faultfs::{CallKind, Errno, Fault, FaultPlan, FaultRule, FsyncFailure, Model, Pattern};
use serde::{Deserialize, Serialize};

/// A kind of calls, as programs know them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[value(rename_all = "snake_case")]
#[serde(try_from = "String", into = "String")]
#[expect(missing_docs, reason = "each variant is the system call of that name")]
pub enum Kind {
    Fsync,
    Fdatasync,
    FsyncDir,
    Write,
    Rename,
    Create,
    Unlink,
    Mkdir,
    Rmdir,
    Link,
    Symlink,
    Truncate,
    Open,
    Read,
    Chmod,
    Utimes,
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[expect(missing_docs, reason = "each variant is the error of that name")]
pub enum Failing {
    /// As this error; an fsync fails as on each file system.
    #[value(name = "EIO")]
    Eio,
    #[value(name = "ENOSPC")]
    Enospc,
    #[value(name = "EDQUOT")]
    Edquot,
    #[value(name = "EROFS")]
    Erofs,
    #[value(name = "EMFILE")]
    Emfile,
    #[value(name = "EINTR")]
    Eintr,
    /// A write writes its beginning only.
    #[value(name = "short_write")]
    ShortWrite,
    /// EIO of an fsync, as on ext4.
    #[value(name = "ext4_ordered")]
    Ext4Ordered,
    /// The same with journaled data.
    #[value(name = "ext4_data")]
    Ext4Data,
    /// The same on XFS.
    #[value(name = "xfs")]
    Xfs,
    /// The same on btrfs.
    #[value(name = "btrfs")]
    Btrfs,
    /// EIO of an fsync that can be tried again, as on FreeBSD.
    #[value(name = "redirty")]
    Redirty,
}

const METADATA: &[Failing] = &[Failing::Eio, Failing::Enospc, Failing::Edquot];

const PERSONALITIES: &[Failing] =
    &[Failing::Ext4Ordered, Failing::Ext4Data, Failing::Xfs, Failing::Btrfs, Failing::Redirty];

impl Kind {
    /// The kinds that are tried unless others are named.
    pub const DEFAULT: [Self; 12] = [
        Self::Fsync,
        Self::Fdatasync,
        Self::FsyncDir,
        Self::Write,
        Self::Rename,
        Self::Create,
        Self::Unlink,
        Self::Mkdir,
        Self::Rmdir,
        Self::Link,
        Self::Symlink,
        Self::Truncate,
    ];

    /// The calls of faultfs that it stands for.
    pub fn calls(self) -> &'static [CallKind] {
        match self {
            Self::Fsync => &[CallKind::SyncAll],
            Self::Fdatasync => &[CallKind::SyncData],
            Self::FsyncDir => &[CallKind::SyncDir],
            Self::Write => &[CallKind::WriteAt, CallKind::Append],
            Self::Rename => &[CallKind::Rename, CallKind::RenameNoReplace, CallKind::Exchange],
            Self::Create => &[CallKind::CreateNew],
            Self::Unlink => &[CallKind::Unlink],
            Self::Mkdir => &[CallKind::Mkdir],
            Self::Rmdir => &[CallKind::Rmdir],
            Self::Link => &[CallKind::Link],
            Self::Symlink => &[CallKind::Symlink],
            Self::Truncate => &[CallKind::SetLen],
            Self::Open => &[CallKind::Open],
            Self::Read => &[CallKind::ReadAt],
            Self::Chmod => &[CallKind::SetMode],
            Self::Utimes => &[CallKind::SetModified],
        }
    }

    /// The errors that are tried unless others are named.
    fn default_errors(self) -> Vec<Failing> {
        match self {
            Self::Fsync | Self::Fdatasync => {
                [PERSONALITIES, &[Failing::Enospc, Failing::Edquot]].concat()
            }
            Self::Write => [METADATA, &[Failing::ShortWrite]].concat(),
            Self::Open => vec![Failing::Eio, Failing::Emfile],
            Self::Unlink | Self::Rmdir | Self::Read | Self::Chmod | Self::Utimes => {
                vec![Failing::Eio]
            }
            _ => METADATA.to_vec(),
        }
    }

    /// What an error that was named means for it; nothing if it does not fit.
    fn errors_for(self, named: Failing) -> Vec<Failing> {
        let is_file_sync = matches!(self, Self::Fsync | Self::Fdatasync);
        match named {
            Failing::Eio if is_file_sync => PERSONALITIES.to_vec(),
            Failing::ShortWrite if self != Self::Write => Vec::new(),
            personality if personality.personality().is_some() && !is_file_sync => Vec::new(),
            error => vec![error],
        }
    }

    /// Whether it makes things durable.
    pub fn is_sync(self) -> bool {
        matches!(self, Self::Fsync | Self::Fdatasync | Self::FsyncDir)
    }
}

impl Failing {
    /// The file system whose failed sync it is.
    pub fn personality(self) -> Option<FsyncFailure> {
        Some(match self {
            Self::Ext4Ordered => FsyncFailure::Ext4Ordered,
            Self::Ext4Data => FsyncFailure::Ext4Data,
            Self::Xfs => FsyncFailure::Xfs,
            Self::Btrfs => FsyncFailure::Btrfs,
            Self::Redirty => FsyncFailure::Redirty,
            _ => return None,
        })
    }

    /// What happens to the call.
    pub(crate) fn fault(self) -> Fault {
        if let Some(how) = self.personality() {
            return Fault::FailedSync(how);
        }
        Fault::Errno(match self {
            Self::ShortWrite => return Fault::ShortWrite,
            Self::Enospc => Errno::Enospc,
            Self::Edquot => Errno::Edquot,
            Self::Erofs => Errno::Erofs,
            Self::Emfile => Errno::Emfile,
            Self::Eintr => Errno::Eintr,
            _ => Errno::Eio,
        })
    }

    /// The models whose power cuts fit: those of the file system whose sync fails that way, or all.
    pub fn models(self, all: &[Model]) -> Vec<Model> {
        let fits = |model: &&Model| match self.personality() {
            None | Some(FsyncFailure::Redirty) => model.name != DATA_JOURNAL || all.len() == 1,
            Some(how) => model.rules.fsync_failure == how,
        };
        all.iter().filter(fits).cloned().collect()
    }
}

/// The model whose syncs fail late, which is looked at for those only.
const DATA_JOURNAL: &str = "ext4-data-journal";

impl TryFrom<String> for Kind {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Self::from_str(&name, false).map_err(|_| format!("{name} is no kind of calls"))
    }
}

impl From<Kind> for String {
    fn from(kind: Kind) -> Self {
        name_of(&kind)
    }
}

impl TryFrom<String> for Failing {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Self::from_str(&name, true).map_err(|_| format!("{name} is no error that a call can have"))
    }
}

impl From<Failing> for String {
    fn from(error: Failing) -> Self {
        name_of(&error)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(name_of(self).as_str())
    }
}

impl fmt::Display for Failing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = name_of(self);
        f.pad(&match self.personality() {
            Some(_) => format!("EIO, {name}"),
            None => name,
        })
    }
}

/// As the command line spells it.
pub(crate) fn name_of(value: &impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// A kind of calls that fail in one way.
#[derive(Clone, Debug)]
pub struct Lane {
    /// The kind.
    pub kind: Kind,
    /// How they fail.
    pub error: Failing,
    /// The models under which power cuts are looked at.
    pub models: Vec<Model>,
}

/// One run: the n-th call fails, or all from there on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attempt {
    /// The kind of calls.
    pub kind: Kind,
    /// How it fails.
    pub error: Failing,
    /// Which one, counted from 1.
    pub nth: u64,
    /// Whether all later ones fail, too.
    pub for_ever: bool,
}

impl Attempt {
    /// The plan for a mount.
    pub fn plan(&self) -> FaultPlan {
        let when = match (self.nth, self.for_ever) {
            (n, false) => Pattern::nth(n),
            (1, true) => Pattern::always(),
            (n, true) => format!(".{{{}}}x*", n - 1).parse().unwrap_or_else(|_| Pattern::always()),
        };
        let rule = FaultRule::new(self.error.fault()).on(self.kind.calls()).when(when);
        FaultPlan { rules: vec![rule.seed(self.nth)] }
    }

    /// What happens, in words.
    pub fn words(&self) -> String {
        let how = if self.for_ever { "and all later ones fail" } else { "fails" };
        format!("{} {} {how} ({})", self.kind, self.nth, self.error)
    }

    /// The same for the name of a file.
    pub fn file_name(&self) -> String {
        let error = name_of(&self.error);
        let mode = if self.for_ever { "on" } else { "once" };
        format!("{}-{error}-{}-{mode}", self.kind, self.nth)
    }
}

/// The lanes of these kinds and errors, or the usual ones, in the order in which they are tried.
pub fn lanes(kinds: &[Kind], errors: &[Failing], models: &[Model], named: bool) -> Vec<Lane> {
    let mut lanes: Vec<Lane> = Vec::new();
    for kind in kinds {
        let fitting = match errors {
            [] => kind.default_errors(),
            named => named.iter().flat_map(|error| kind.errors_for(*error)).collect(),
        };
        for error in fitting {
            let mut fitting = error.models(models);
            // Models of one's own choice are looked at even where they do not fit an error of one's choice.
            if fitting.is_empty() && errors.contains(&error) && named {
                fitting = models.to_vec();
            }
            let known = lanes.iter().any(|lane| lane.kind == *kind && lane.error == error);
            if !fitting.is_empty() && !known {
                lanes.push(Lane { kind: *kind, error, models: fitting });
            }
        }
    }
    lanes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn models(names: &[&str]) -> Vec<Model> {
        names.iter().map(|name| Model::preset(name).unwrap().clone()).collect()
    }

    #[test]
    fn a_sync_fails_as_the_models_file_system_does() {
        let told = |names: &[&str], errors: &[Failing]| -> Vec<_> {
            let lanes = lanes(&[Kind::Fsync], errors, &models(names), true);
            let names =
                |lane: &Lane| lane.models.iter().map(|m| m.name.clone()).collect::<Vec<_>>();
            lanes.iter().map(|lane| (name_of(&lane.error), names(lane).join(" "))).collect()
        };
        let told = |names: &[&str], errors: &[Failing]| -> Vec<String> {
            told(names, errors).into_iter().map(|(e, m)| format!("{e}: {m}")).collect()
        };
        assert_eq!(
            told(&["ext4", "xfs", "btrfs", DATA_JOURNAL], &[Failing::Eio]),
            [
                "ext4_ordered: ext4",
                "ext4_data: ext4-data-journal",
                "xfs: xfs",
                "btrfs: btrfs",
                "redirty: ext4 xfs btrfs"
            ]
        );
        assert_eq!(told(&["xfs"], &[Failing::Eio]), ["xfs: xfs", "redirty: xfs"]);
        assert_eq!(told(&["xfs"], &[Failing::Btrfs]), ["btrfs: xfs"]);
        assert_eq!(told(&["xfs"], &[Failing::ShortWrite]), [""; 0]);
    }

    #[test]
    fn once_and_for_ever_hit_the_call_and_those_behind_it() {
        let attempt =
            |nth, for_ever| Attempt { kind: Kind::Write, error: Failing::Eio, nth, for_ever };
        let when =
            |nth, for_ever| String::from(attempt(nth, for_ever).plan().rules[0].when.clone());
        assert_eq!([when(1, false), when(3, false)], ["x", ".{2}x"]);
        assert_eq!([when(1, true), when(3, true)], ["x*", ".{2}x*"]);
        assert_eq!(attempt(3, true).words(), "write 3 and all later ones fail (EIO)");
    }
}
