//! Where everything lies: the one place that knows the names of files and directories.
//!
//! docs/formats.md tells the same to people. Not for I/O.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::id::{ObjectId, byte_of};
use crate::name::Branch;
use crate::pack::PackKey;

/// The store format that this program writes, and the only one that it opens; an `init` raises an older
/// store to it.
pub(crate) const FORMAT: u32 = 2;

/// How many lock files the branches share; each branch always uses the same one.
pub(crate) const REF_LOCKS: u8 = 16;

/// Prefixes of temps. The part behind says whose it is; see [`is_temp`].
pub(crate) const OBJECT_TEMP: &str = ".obj-tmp-";
pub(crate) const STATE_TEMP: &str = ".state-tmp-";
pub(crate) const RESTORE_TEMP: &str = ".restore-tmp-";

/// The paths of one store.
#[derive(Clone, Debug)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The layout of the store in `root`.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The store's directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The file that makes the directory a store: its format version.
    pub fn format(&self) -> PathBuf {
        self.root.join("format")
    }

    /// Which branch or commit is checked out.
    pub fn head(&self) -> PathBuf {
        self.root.join("HEAD")
    }

    /// The directory of branches.
    pub fn heads(&self) -> PathBuf {
        self.root.join("refs/heads")
    }

    /// A branch's file.
    pub fn branch(&self, branch: &Branch) -> PathBuf {
        self.heads().join(branch.as_str())
    }

    /// The directory that holds the shards; large objects are written here before their id is known.
    pub fn objects(&self) -> PathBuf {
        self.root.join("objects/sha256")
    }

    /// The directory of the objects whose hex id starts with `byte`.
    pub fn shard(&self, byte: u8) -> PathBuf {
        self.below_objects([format!("{byte:02x}").as_ref()])
    }

    /// Which shard a directory beside them is, by its name.
    pub(crate) fn shard_of(name: &OsStr) -> Option<u8> {
        byte_of(name.as_encoded_bytes())
    }

    /// An object's file.
    pub fn object(&self, id: &ObjectId) -> PathBuf {
        let hex = id.hex();
        let (shard, rest) = hex.split_at(2);
        self.below_objects([shard.as_ref(), rest.as_ref()])
    }

    /// A file in a shard.
    pub(crate) fn in_shard(&self, shard: u8, name: &OsStr) -> PathBuf {
        self.below_objects([format!("{shard:02x}").as_ref(), name])
    }

    /// Without a path for each directory on the way: an audit asks for thousands.
    fn below_objects<const N: usize>(&self, names: [&OsStr; N]) -> PathBuf {
        let mut path = PathBuf::with_capacity(self.root.as_os_str().len() + 84);
        path.push(&self.root);
        path.push("objects/sha256");
        path.extend(names);
        path
    }

    /// Where corrupt objects go when their good bytes are put again.
    pub fn quarantine(&self) -> PathBuf {
        self.root.join("quarantine")
    }

    /// The directory of lock files.
    pub fn locks(&self) -> PathBuf {
        self.root.join("locks")
    }

    /// The lock that every writer shares and a garbage collection takes alone.
    pub fn pin_lock(&self) -> PathBuf {
        self.locks().join("pin")
    }

    /// The lock that a garbage collection takes first, so that no new pin comes in its way while it
    /// waits for the ones that are held.
    pub(crate) fn gate_lock(&self) -> PathBuf {
        self.locks().join("gate")
    }

    /// The lock of whoever looks for temps of dead writers.
    pub(crate) fn sweep_lock(&self) -> PathBuf {
        self.locks().join("sweep")
    }

    /// The lock of all branches with this number.
    pub(crate) fn ref_lock(&self, number: u8) -> PathBuf {
        self.locks().join(format!("ref-{number:02}"))
    }

    /// What an unfinished garbage collection was deleting.
    pub fn condemned(&self) -> PathBuf {
        self.root.join("condemned")
    }

    /// The list of directories that were restored into, one file each.
    pub fn restores(&self) -> PathBuf {
        self.root.join("restores")
    }

    /// The merge in progress.
    pub fn merge_state(&self) -> PathBuf {
        self.root.join("MERGE_STATE.json")
    }

    /// The rebase in progress.
    pub fn rebase_state(&self) -> PathBuf {
        self.root.join("REBASE_STATE.json")
    }

    /// The lock of both.
    pub(crate) fn state_lock(&self) -> PathBuf {
        self.locks().join("state")
    }

    /// Settings of the store.
    pub fn config(&self) -> PathBuf {
        self.root.join("config.toml")
    }

    /// The lock of the settings.
    pub(crate) fn config_lock(&self) -> PathBuf {
        self.locks().join("config")
    }

    /// Who works on what, one file for each reservation.
    pub fn reservations(&self) -> PathBuf {
        self.root.join("coordination/reservations")
    }

    /// What holders of reservations are about to do, one file each.
    pub fn intents(&self) -> PathBuf {
        self.root.join("coordination/intents")
    }

    /// The lock of reservations and intents.
    pub(crate) fn coordination_lock(&self) -> PathBuf {
        self.locks().join("coordination")
    }

    /// The directory of the operation log.
    pub fn oplog(&self) -> PathBuf {
        self.root.join("oplog")
    }

    /// The operation log itself.
    pub fn log(&self) -> PathBuf {
        self.oplog().join("log")
    }

    /// How far somebody has taken it into account.
    pub fn log_checkpoint(&self) -> PathBuf {
        self.oplog().join("checkpoint.json")
    }

    /// The lock of the operation log.
    pub(crate) fn oplog_lock(&self) -> PathBuf {
        self.locks().join("oplog")
    }

    /// What operations over several files are about to do, one file each.
    pub fn operations(&self) -> PathBuf {
        self.root.join("operations")
    }

    /// The operation under way.
    pub fn pending_operation(&self) -> PathBuf {
        self.operations().join("pending")
    }

    /// The record of an operation that has ended, until that is durable.
    pub fn ended_operation(&self) -> PathBuf {
        self.operations().join("ended")
    }

    /// The lock of those.
    pub(crate) fn operation_lock(&self) -> PathBuf {
        self.locks().join("operation")
    }

    /// Until when each transient pack is kept.
    pub fn leases(&self) -> PathBuf {
        self.root.join("leases")
    }

    /// The lock of the leases.
    pub(crate) fn leases_lock(&self) -> PathBuf {
        self.locks().join("leases")
    }

    /// Transient packs, where they are kept beside the store's other files.
    pub fn packs(&self) -> PathBuf {
        self.root.join("packs")
    }

    /// The lease of a pack.
    pub fn lease(&self, key: &PackKey) -> PathBuf {
        self.leases().join(key.to_string())
    }

    /// A pack, where it is kept beside the store's other files.
    pub fn pack(&self, key: &PackKey) -> PathBuf {
        self.packs().join(key.to_string())
    }

    /// Directories of state files, which only hold files, in the order of a sweep.
    pub(crate) fn state_dirs(&self) -> [PathBuf; 8] {
        [
            self.root.clone(),
            self.restores(),
            self.reservations(),
            self.intents(),
            self.oplog(),
            self.operations(),
            self.leases(),
            self.packs(),
        ]
    }

    /// Whether a path is that of a file some writer of a store is writing under a name of its own.
    pub fn is_temp(path: &Path) -> bool {
        let prefixes = [OBJECT_TEMP, STATE_TEMP, RESTORE_TEMP];
        path.file_name().is_some_and(|name| prefixes.iter().any(|prefix| is_temp(name, prefix)))
    }

    /// All directories of a store but its own and the shards, parents first.
    pub(crate) fn upper_dirs(&self) -> Vec<PathBuf> {
        vec![
            self.locks(),
            self.quarantine(),
            self.restores(),
            self.root.join("coordination"),
            self.reservations(),
            self.intents(),
            self.oplog(),
            self.operations(),
            self.leases(),
            self.packs(),
            self.root.join("refs"),
            self.heads(),
            self.root.join("objects"),
            self.objects(),
        ]
    }

    /// The directories of objects.
    pub(crate) fn shards(&self) -> impl Iterator<Item = PathBuf> {
        (0..=u8::MAX).map(|byte| self.shard(byte))
    }

    /// All lock files.
    pub(crate) fn lock_files(&self) -> Vec<PathBuf> {
        let refs = (0..REF_LOCKS).map(|number| self.ref_lock(number));
        let others = [
            self.gate_lock(),
            self.pin_lock(),
            self.sweep_lock(),
            self.state_lock(),
            self.coordination_lock(),
            self.oplog_lock(),
            self.config_lock(),
            self.operation_lock(),
            self.leases_lock(),
        ];
        refs.chain(others).collect()
    }
}

/// The file name of a temp: prefix, process id, counter.
pub(crate) fn temp_name(prefix: &str, nonce: u64) -> String {
    format!("{prefix}{:x}-{:x}", nonce >> 32, nonce & 0xffff_ffff)
}

/// Whether a file name is one that [`temp_name`] makes; a user's `.restore-tmp-notes` is not.
pub(crate) fn is_temp(name: &OsStr, prefix: &str) -> bool {
    let hex = |part: &str| {
        (1..=8).contains(&part.len())
            && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    name.to_str()
        .and_then(|name| name.strip_prefix(prefix))
        .and_then(|rest| rest.split_once('-'))
        .is_some_and(|(pid, count)| hex(pid) && hex(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_lies_under_its_first_two_digits() {
        let id = ObjectId::of(b"");
        let path = Layout::new(Path::new("/s")).object(&id);
        assert_eq!(
            path.to_str().unwrap(),
            "/s/objects/sha256/e3/b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    #[test]
    fn a_temp_is_told_from_a_users_file() {
        let name = temp_name(RESTORE_TEMP, (0x1234 << 32) | 7);
        assert_eq!(name, ".restore-tmp-1234-7");
        assert!(is_temp(OsStr::new(&name), RESTORE_TEMP));
        for other in [".restore-tmp-notes", ".restore-tmp-", ".restore-tmp-12", ".obj-tmp-1-2"] {
            assert!(!is_temp(OsStr::new(other), RESTORE_TEMP), "{other}");
        }
    }
}
