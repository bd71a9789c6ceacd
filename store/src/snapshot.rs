//! Snapshots: which blob is at which path.

use std::collections::BTreeMap;

use faultfs::Fs;
use serde::{Deserialize, Serialize};

use crate::barrier::Barrier;
use crate::canonical::{Canonical, encode};
use crate::durability::Reached;
use crate::error::{Error, Result};
use crate::id::ObjectId;
use crate::name::check_snapshot_path;
use crate::object::Put;
use crate::open::Store;

/// A set of files: relative path -> blob. Stored as canonical JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    files: BTreeMap<String, FileEntry>,
    kind: Kind,
}

/// One file of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Whether a restored copy may be executed.
    pub executable: bool,
    /// The file's bytes.
    pub id: ObjectId,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Kind {
    #[default]
    #[serde(rename = "snapshot")]
    Snapshot,
}

impl Snapshot {
    /// A snapshot of plain files.
    pub fn of<P: Into<String>>(files: impl IntoIterator<Item = (P, ObjectId)>) -> Result<Self> {
        let mut snapshot = Self::default();
        for (path, id) in files {
            snapshot.set(path, FileEntry { executable: false, id })?;
        }
        Ok(snapshot)
    }

    /// Puts a file, replacing what was at that path; refuses a path that could leave a directory or
    /// that goes through another file.
    pub fn set(&mut self, path: impl Into<String>, entry: FileEntry) -> Result<()> {
        let path = path.into();
        check_snapshot_path(&path)?;
        if let Some(problem) = self.file_in_the_way(&path) {
            return Err(Error::BadPath { path, problem });
        }
        self.files.insert(path, entry);
        Ok(())
    }

    /// Removes a file; says what it was.
    pub fn remove(&mut self, path: &str) -> Option<FileEntry> {
        self.files.remove(path)
    }

    /// The files, in byte order of their paths.
    pub fn files(&self) -> impl Iterator<Item = (&str, &FileEntry)> {
        self.files.iter().map(|(path, entry)| (path.as_str(), entry))
    }

    /// The id it has when it is stored.
    pub fn id(&self) -> Result<ObjectId> {
        let text = encode(self).map_err(|problem| Error::BadValue { kind: Self::KIND, problem })?;
        Ok(ObjectId::of(&text))
    }

    /// `a` and `a/b` cannot both be files.
    fn file_in_the_way(&self, path: &str) -> Option<&'static str> {
        let above = path.match_indices('/').any(|(at, _)| self.files.contains_key(&path[..at]));
        let folder = format!("{path}/");
        let below = self.files.range(folder.clone()..).next();
        let below = below.is_some_and(|(other, _)| other.starts_with(&folder));
        (above || below).then_some("it is both a file and a folder")
    }
}

impl Canonical for Snapshot {
    const KIND: &'static str = "snapshot";
    const START: &'static [u8] = br#"{"files":{"#;

    fn check(&self) -> std::result::Result<(), String> {
        for path in self.files.keys() {
            check_snapshot_path(path).map_err(|e| e.to_string())?;
            if let Some(problem) = self.file_in_the_way(path) {
                return Err(format!("{path:?}: {problem}"));
            }
        }
        Ok(())
    }
}

impl<F: Fs> Store<F> {
    /// Stores a snapshot; every blob it names must be in the store.
    pub fn put_snapshot(&self, snapshot: &Snapshot) -> Result<Put> {
        let _pin = self.pin()?;
        let mut reached = Reached::Durable;
        for (path, entry) in snapshot.files() {
            let from = || format!("the snapshot's {path:?}");
            reached =
                reached.max(self.require_any(&entry.id, "blob", Barrier::BlobOfSnapshot, &from)?);
        }
        Ok(self.put_canonical(snapshot)?.after(reached))
    }

    /// Reads a snapshot; `None` when there is no such object.
    pub fn read_snapshot(&self, id: &ObjectId) -> Result<Option<Snapshot>> {
        self.read_canonical(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canonical::decode;
    use proptest::prelude::*;

    #[test]
    fn the_text_is_sorted_and_has_no_white_space() {
        let id = ObjectId::of(b"");
        let snapshot = Snapshot::of([("b", id), ("a/c", id)]).unwrap();
        let entry = format!(r#"{{"executable":false,"id":"{id}"}}"#);
        let text = format!(r#"{{"files":{{"a/c":{entry},"b":{entry}}},"kind":"snapshot"}}"#);
        assert_eq!(String::from_utf8(encode(&snapshot).unwrap()).unwrap(), text);
    }

    #[test]
    fn a_path_is_a_file_or_a_folder() {
        let id = ObjectId::of(b"");
        for pair in [["a", "a/b"], ["a/b", "a"], ["a/b/c", "a"]] {
            assert!(Snapshot::of(pair.map(|path| (path, id))).is_err(), "{pair:?}");
        }
        assert!(Snapshot::of(["a", "a.b", "ab/c"].map(|path| (path, id))).is_ok());
    }

    #[test]
    fn another_way_to_say_the_same_is_refused() {
        let text = encode(&Snapshot::default()).unwrap();
        assert!(decode::<Snapshot>(&text).is_ok());
        for other in [
            &br#"{"files":{}, "kind":"snapshot"}"#[..],
            br#"{"kind":"snapshot","files":{}}"#,
            br#"{"files":{},"kind":"snapshot","x":1}"#,
            br#"{"files":{},"kind":"commit"}"#,
        ] {
            assert!(decode::<Snapshot>(other).is_err());
        }
    }

    proptest! {
        #[test]
        fn every_snapshot_is_read_back(paths in prop::collection::btree_set("[a-z\u{e9}\"\\\\ ]{1,4}(/[a-z]{1,2})?", 0..6)) {
            let mut snapshot = Snapshot::default();
            for path in paths {
                let entry = FileEntry { executable: path.len() % 2 == 0, id: ObjectId::of(path.as_bytes()) };
                let _ = snapshot.set(path, entry);
            }
            let text = encode(&snapshot).unwrap();
            prop_assert_eq!(decode::<Snapshot>(&text).unwrap(), snapshot);
        }
    }
}
