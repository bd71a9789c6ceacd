//! The one protocol of every write, checked over the calls that were recorded.
//!
//! Per file, not "some fsync before some rename": create a uniquely named temp -> lock it -> write,
//! mode, times -> sync that temp, after its last change -> rename that temp -> sync the directory of
//! the new name. What the calls do to a disk is not looked at here.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use faultfs::CallKind as Kind;
use plugpull_store::Durability;

use crate::scratch::{Scratch, WatchedStore};
use crate::taps::{Recorder, Seen};

const CHANGES: [Kind; 5] =
    [Kind::WriteAt, Kind::Append, Kind::SetLen, Kind::SetMode, Kind::SetModified];

/// One write as it was recorded.
pub(crate) struct Write<'c> {
    calls: &'c [Seen],
    target: &'c Path,
    pub(crate) temp: PathBuf,
    renamed: usize,
}

impl<'c> Write<'c> {
    /// The write that gave `target` its content; there must be exactly one.
    #[track_caller]
    pub(crate) fn of(calls: &'c [Seen], target: &'c Path) -> Self {
        let renames = calls.iter().enumerate().filter(|(_, call)| {
            matches!(call.kind, Kind::Rename | Kind::RenameNoReplace)
                && call.to.as_deref() == Some(target)
        });
        let renames: Vec<_> = renames.collect();
        let [(at, rename)] = renames[..] else {
            panic!("{} renames to {}", renames.len(), target.display())
        };
        Self { calls, target, temp: rename.path.clone(), renamed: at }
    }

    fn of_temp(&self) -> impl Iterator<Item = (usize, Kind)> {
        let calls = self.calls.iter().enumerate().filter(|(_, call)| call.path == self.temp);
        calls.map(|(at, call)| (at, call.kind))
    }

    /// A temp of its own name, with this prefix, in this directory, created as new and never opened.
    #[track_caller]
    pub(crate) fn assert_temp(&self, dir: &Path, prefix: &str) {
        assert_eq!(self.temp.parent(), Some(dir));
        let name = self.temp.file_name().unwrap().to_str().unwrap();
        let unique = name.strip_prefix(prefix).unwrap_or_else(|| panic!("{name} has no {prefix}"));
        assert!(unique.contains('-') && unique.len() > 2, "{name} has no part of its own");
        let count = |kind| self.of_temp().filter(|(_, k)| *k == kind).count();
        assert_eq!((count(Kind::CreateNew), count(Kind::Open)), (1, 0), "how {name} came to be");
        let touches_target = self.calls.iter().filter(|call| call.path == self.target);
        let changed = touches_target.filter(|call| CHANGES.contains(&call.kind)).count();
        assert_eq!(changed, 0, "{} is never written in place", self.target.display());
    }

    /// The order of the whole protocol.
    #[track_caller]
    pub(crate) fn assert_order(&self) {
        let kinds: Vec<_> = self.of_temp().map(|(_, kind)| kind).collect();
        assert_eq!(kinds[..2], [Kind::CreateNew, Kind::TryLock], "owned before anything else");
        let last = |kinds: &[Kind]| self.of_temp().filter(|(_, k)| kinds.contains(k)).last();
        let (changed, _) = last(&CHANGES).expect("something is written");
        let (synced, _) = last(&[Kind::SyncAll]).expect("the temp is synced");
        assert!(changed < synced, "synced after its last change: {kinds:?}");
        assert!(synced < self.renamed, "synced before it gets its name: {kinds:?}");
        let dir = self.target.parent().unwrap();
        let named = self.calls[self.renamed..].iter();
        let barriers = named.filter(|call| call.kind == Kind::SyncDir && call.path == dir);
        assert!(barriers.count() > 0, "{} is synced after the rename", dir.display());
    }
}

/// Where in `calls` the first one of this kind for this path is.
#[track_caller]
pub(crate) fn position(calls: &[Seen], kind: Kind, path: &Path) -> usize {
    let found = calls.iter().position(|call| call.kind == kind && call.path == path);
    found.unwrap_or_else(|| panic!("no {} of {}", kind.name(), path.display()))
}

/// A store whose calls are recorded from here on.
pub(crate) fn recorded(scratch: &Scratch) -> (Arc<Recorder>, WatchedStore<Recorder>) {
    let recorder = Arc::new(Recorder::default());
    let store = scratch.watched(&recorder, Durability::Strict);
    recorder.take();
    (recorder, store)
}
