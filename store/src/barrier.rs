//! The barriers of the store: every place where it waits for the disk, by name.
//!
//! One line a barrier, with what would be lost without it. The calls themselves are made in `disk`, and
//! nowhere else. Each barrier can be left out on purpose (feature `planted`), to show that it is needed.

/// Writes the enum and its tables from one list, so that none can lag behind.
macro_rules! barriers {
    ($($variant:ident, $name:literal, $place:literal, $guards:literal;)*) => {
        /// A place where the store waits until the disk has what was written.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Barrier {
            $(#[doc = concat!("Without it: ", $guards, ".")] $variant,)*
        }

        impl Barrier {
            /// All of them, in the order of the list.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Its name in reports.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The file (of `store/src`) and the function that waits.
            pub fn place(self) -> (&'static str, &'static str) {
                let place = match self { $(Self::$variant => $place,)* };
                place.split_once(' ').unwrap_or((place, ""))
            }

            /// What a power cut could do without it.
            pub fn guards(self) -> &'static str {
                match self { $(Self::$variant => $guards,)* }
            }
        }
    };
}

barriers! {
    ObjectFile, "object-file", "object.rs place",
        "an object has its name and not its bytes";
    ObjectDir, "object-dir", "object.rs place",
        "an object that was acknowledged is gone";
    RepairedDir, "repaired-dir", "object.rs place",
        "an object whose repair was acknowledged is corrupt again";
    KnownFile, "known-file", "object.rs confirm",
        "the renewed time of an object put again is lost, and a collection takes it within its grace";
    KnownDir, "known-dir", "object.rs confirm",
        "an object is gone although a second put of it was acknowledged, its first writer being dead";
    QuarantineDir, "quarantine-dir", "object.rs quarantine",
        "the bytes of a corrupt object are gone after its repair, and nobody can look at them";
    BlobOfSnapshot, "blob-of-snapshot", "snapshot.rs put_snapshot",
        "a durable snapshot names a blob that a dead writer had made visible only";
    SnapshotOfCommit, "snapshot-of-commit", "commit.rs put_commit",
        "a durable commit names a snapshot that a dead writer had made visible only";
    ParentOfCommit, "parent-of-commit", "commit.rs put_commit",
        "a durable commit names a parent that a dead writer had made visible only";
    CommitOfBranch, "commit-of-branch", "refs.rs update_branch",
        "a durable branch leads to a commit that a dead writer had made visible only";
    CommitOfHead, "commit-of-head", "head.rs write_head",
        "HEAD leads to a commit that a dead writer had made visible only";
    BranchFile, "branch-file", "refs.rs write_branch",
        "a branch is empty or torn, since its new name is there and its bytes are not";
    BranchDir, "branch-dir", "refs.rs write_branch",
        "a branch is where it was before an acknowledged update";
    BranchFolder, "branch-folder", "refs.rs make_folders",
        "a branch in a new folder is gone with the folder";
    DeletedBranch, "deleted-branch", "refs.rs delete_branch",
        "a branch is back although its deletion was acknowledged";
    GroupFile, "group-file", "group/draft.rs sync",
        "an object of a whole commit has its name and not its bytes";
    GroupBlobs, "group-blobs", "group/objects.rs sync_dirs",
        "a durable snapshot of a whole commit names a blob that is gone";
    GroupSnapshots, "group-snapshots", "group/objects.rs sync_dirs",
        "a durable commit, made whole, names a snapshot that is gone";
    GroupCommits, "group-commits", "group/objects.rs sync_dirs",
        "a durable branch leads to a commit, made whole, that is gone";
    GroupTipFile, "group-tip-file", "group/draft.rs sync",
        "a branch that a shared batch moved is empty or torn";
    GroupTips, "group-tips", "group/batch.rs move_branches",
        "a branch is where it was before a commit that its shared batch acknowledged";
    ImportFiles, "import-files", "import.rs sync_files",
        "an imported object, the list that takes it back, or a branch has its name and not its bytes";
    ImportList, "import-list", "import.rs name_all",
        "commits of half a batch are there and lead to others that are gone, and no list takes them back";
    ImportNames, "import-names", "import.rs sync_names",
        "a branch leads to an imported commit that is gone";
    ImportTips, "import-tips", "import.rs move_all",
        "a branch is where it was before a batch that was acknowledged";
    HeadFile, "head-file", "head.rs write_head",
        "HEAD is empty or torn";
    HeadDir, "head-dir", "head.rs write_head",
        "HEAD is what it was before an acknowledged change";
    ConfigFile, "config-file", "config/mod.rs edit_config",
        "the settings are empty or torn";
    ConfigDir, "config-dir", "config/mod.rs edit_config",
        "the settings are what they were before an acknowledged change";
    OperationFile, "operation-file", "operation.rs operate",
        "the record of an operation over several files is empty or torn, and half of it stays";
    OperationDir, "operation-dir", "operation.rs operate",
        "half of an operation over several files is there, and no record to finish it";
    KnownOperation, "known-operation", "operation.rs finish_found",
        "half of an operation is there that was finished by a record which a dead writer had made visible only";
    CommitOfOperation, "commit-of-operation", "operation.rs checkout",
        "an operation leads to a commit that a dead writer had made visible only";
    CheckedOutRemovals, "checked-out-removals", "operation.rs remove_all",
        "a file is back that an acknowledged checkout removed";
    EndedOperation, "ended-operation", "operation.rs end_operation",
        "an operation is done again after its end, over what came later";
    KnownEnd, "known-end", "operation.rs finish_found",
        "an operation whose end a dead writer had made visible only is done again, over what came later";
    StateFile, "state-file", "state.rs write_state",
        "a merge or rebase state is empty or torn";
    StateDir, "state-dir", "state.rs write_state",
        "a merge or rebase is where it was before an acknowledged change";
    CommitOfState, "commit-of-state", "state.rs write_state",
        "a merge or rebase leads to a commit that a dead writer had made visible only";
    ClearedState, "cleared-state", "state.rs clear_state",
        "a merge or rebase is in progress again although its end was acknowledged";
    ReservationFile, "reservation-file", "coordination.rs reserve",
        "a reservation is empty or torn, and nobody can reserve anything";
    ReservationDir, "reservation-dir", "coordination.rs reserve",
        "a reservation that was granted is gone, and somebody else gets what it holds";
    IntentFile, "intent-file", "coordination.rs intend",
        "an intent is empty or torn";
    IntentDir, "intent-dir", "coordination.rs intend",
        "an intent that was acknowledged is gone";
    ReservationOfIntent, "reservation-of-intent", "coordination.rs intend",
        "an intent belongs to a reservation that a dead writer had made visible only";
    EndedIntents, "ended-intents", "coordination.rs end_intents",
        "an intent is back after its reservation ended";
    ReleasedReservation, "released-reservation", "coordination.rs release",
        "a reservation holds again what was released";
    ExpiredReservations, "expired-reservations", "coordination.rs remove_expired",
        "an expired reservation is back beside the one that took its place";
    KnownRelease, "known-release", "coordination.rs reserve",
        "a reservation whose end a dead writer had made visible only is back beside the one that took its place";
    LogFile, "log-file", "oplog.rs make_log",
        "the operation log has its name and not its header";
    KnownLog, "known-log", "oplog.rs settle_log",
        "an acknowledged record is gone with a log that a dead writer had made visible only";
    KnownRecords, "known-records", "oplog.rs settle_log",
        "a record that a dead writer had made visible only is gone from before an acknowledged one";
    LogRecord, "log-record", "oplog.rs append_line",
        "an acknowledged record of the operation log is gone or torn";
    CheckpointFile, "checkpoint-file", "oplog.rs checkpoint_log",
        "a checkpoint is empty or torn";
    CheckpointDir, "checkpoint-dir", "oplog.rs checkpoint_log",
        "an acknowledged checkpoint is gone";
    KnownCheckpoint, "known-checkpoint", "oplog.rs compact_log",
        "records are gone whose checkpoint a dead writer had made visible only";
    CompactedFile, "compacted-file", "oplog.rs compact_log",
        "the compacted operation log is empty or torn";
    CompactedDir, "compacted-dir", "oplog.rs compact_log",
        "a record that was appended to the compacted log is gone, since the old one is back";
    TextFile, "text-file", "atomic.rs write_bytes",
        "a text or JSON file is empty or torn";
    TextDir, "text-dir", "atomic.rs write_bytes",
        "a text or JSON file is what it was before an acknowledged write";
    TextParents, "text-parents", "atomic.rs write_bytes",
        "an acknowledged text or JSON file is gone with a directory made for it";
    UndoFile, "undo-file", "undo.rs rewrite",
        "a file whose update failed is empty or torn, neither old nor new";
    UndoDir, "undo-dir", "undo.rs put_back",
        "an update that failed, and was taken back, is there after all";
    RestoreFile, "restore-file", "restore.rs restore",
        "a restored file is empty or torn";
    RestoreDir, "restore-dir", "restore.rs restore",
        "a file is what it was before an acknowledged restore";
    RestoreParents, "restore-parents", "restore.rs restore",
        "an acknowledged restored file is gone with a directory made for it";
    RecordFile, "record-file", "restore.rs register",
        "the record of a directory restored into is empty, and nobody finds the temps in it";
    RecordDir, "record-dir", "restore.rs register",
        "the record of a directory restored into is gone, and nobody finds the temps in it";
    PrunedDir, "pruned-dir", "restore.rs prune_restores",
        "a temp that was removed is back after its record went, and nobody finds it";
    PrunedRecords, "pruned-records", "restore.rs prune_restores",
        "a damaged record that a collection removed is back";
    CollectedBranches, "collected-branches", "gc.rs settle_refs",
        "a branch that a dead writer had moved or deleted is back, and its history was collected";
    CollectedHead, "collected-head", "gc.rs settle_refs",
        "a HEAD that a dead writer had moved is back, and its history was collected";
    ListFile, "list-file", "gc.rs condemn",
        "the list of a collection is torn, and no store can be opened that has such a list";
    ListDir, "list-dir", "gc.rs condemn",
        "a collection is half done and not known, so that a history is taken for whole";
    KnownList, "known-list", "gc.rs delete_found",
        "a collection that was taken over is half done again and not known";
    DeletedObjects, "deleted-objects", "gc.rs delete",
        "some of the objects deleted are back and others are not, and no list tells";
    EndedList, "ended-list", "gc.rs end_list",
        "the list of a finished collection is back, and takes what was put again since";
    SweptTemps, "swept-temps", "sweep.rs sweep",
        "a temp that an open told to have removed is back";
    LeaseFile, "lease-file", "pack/lease.rs write_lease",
        "the lease of a pack is empty or torn, and nobody knows until when the pack is promised";
    LeaseDir, "lease-dir", "pack/lease.rs write_lease",
        "a pack has no lease and is never deleted, or an older one and goes too early";
    ReleasedLease, "released-lease", "pack/lease.rs release_lease",
        "the lease of a deleted pack is back";
    PackFile, "pack-file", "pack/directory.rs put",
        "a promised pack is empty or torn";
    PackDir, "pack-dir", "pack/directory.rs put",
        "a promised pack is gone";
    DeletedPack, "deleted-pack", "pack/directory.rs delete",
        "a deleted pack is back after its lease went, and is never deleted";
    StoreParents, "store-parents", "open.rs init_on",
        "a new store is gone with its directory, or with one above it";
    Skeleton, "skeleton", "open.rs make_skeleton",
        "a new store lacks directories or locks";
    FirstHeadFile, "first-head-file", "open.rs init_on",
        "a new store has an empty HEAD";
    FirstHeadDir, "first-head-dir", "open.rs init_on",
        "a new store has no HEAD";
    FormatFile, "format-file", "open.rs init_on",
        "a new or raised store has an empty format file and cannot be opened";
    FormatDir, "format-dir", "open.rs open_on",
        "a store that was opened is none, or is of the older format again, since an init had made its \
         format visible only";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    #[test]
    fn every_barrier_has_a_name_of_its_own_and_a_place() {
        let names: BTreeSet<_> = Barrier::ALL.iter().map(|barrier| barrier.name()).collect();
        assert_eq!(names.len(), Barrier::ALL.len());
        for barrier in Barrier::ALL {
            let (file, function) = barrier.place();
            assert!(Path::new(file).extension().is_some() && !function.is_empty(), "{barrier:?}");
        }
    }
}
