//! The list of deliberate mistakes: what each is, and which kind of run should find it.
//!
//! Not for what they do: that stands beside the line each of them breaks.

use crate::barrier::Barrier;

/// Which kind of run shows a mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Run {
    /// The states that a power cut can leave.
    PowerCut,
    /// A process killed between two of its calls.
    Kill,
    /// Several writers at once.
    Race,
    /// Calls that fail, and bytes that rot.
    Fault,
}

impl Run {
    /// Its name in a table.
    pub fn name(self) -> &'static str {
        match self {
            Self::PowerCut => "power cut",
            Self::Kill => "kill",
            Self::Race => "race",
            Self::Fault => "fault",
        }
    }
}

/// Writes the enum and its tables from one list.
macro_rules! bugs {
    ($($variant:ident, $name:literal, $run:ident, [$($omits:ident),*], $about:literal;)*) => {
        /// A mistake that can be switched on with `Options::planted` (feature `planted`).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Bug {
            $(#[doc = $about] $variant,)*
        }

        impl Bug {
            /// All of them, in the order of the list.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name that the hidden option of the runner takes.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What is done wrong, in one sentence.
            pub fn about(self) -> &'static str {
                match self { $(Self::$variant => $about,)* }
            }

            /// Which kind of run should find it.
            pub fn found_by(self) -> Run {
                match self { $(Self::$variant => Run::$run,)* }
            }

            /// The barriers it leaves out; for most of those that do, that is all of the mistake.
            pub fn omits(self) -> &'static [Barrier] {
                match self { $(Self::$variant => &[$(Barrier::$omits),*],)* }
            }
        }
    };
}

bugs! {
    RenameBeforeWrite, "rename-before-write", Kill, [],
        "An object gets its name before its bytes are written.";
    RefInPlace, "ref-in-place", Kill, [],
        "A branch file is cut and overwritten in place.";
    SweepLiveTemps, "sweep-live-temps", Race, [],
        "The sweep at open takes every temp by its prefix, also that of a live writer.";
    LostUpdate, "lost-update", Race, [],
        "A branch update does not look whether the branch moved.";
    AckBeforeCommit, "ack-before-commit", Kill, [],
        "The runner's writers report a commit before the branch points at it.";
    ObjectNotSynced, "object-not-synced", PowerCut, [ObjectFile],
        "An object's temp is renamed without fsync; only the directory is synced.";
    ObjectDirNotSynced, "object-dir-not-synced", PowerCut, [ObjectDir],
        "A new object's directory is not synced.";
    FolderNotSynced, "folder-not-synced", PowerCut, [BranchFolder],
        "The folder of a nested branch is made and its own entry is not synced.";
    RefNotSynced, "ref-not-synced", PowerCut, [BranchFile],
        "A branch's temp is renamed without fsync.";
    AckBeforeSync, "ack-before-sync", PowerCut, [BranchDir],
        "A branch update is acknowledged before its directory is synced.";
    DeleteNotSynced, "delete-not-synced", PowerCut, [DeletedBranch],
        "A branch is deleted without a sync of its directory.";
    QuarantineNotSynced, "quarantine-not-synced", PowerCut, [QuarantineDir],
        "A corrupt object is replaced before the copy in the quarantine is durable.";
    GcBeforeList, "gc-before-list", PowerCut, [ListFile, ListDir],
        "A collection deletes before its list is durable.";
    ExistsMeansDurable, "exists-means-durable", PowerCut, [KnownFile, KnownDir],
        "A put that finds its object takes it for durable.";
    VisibleMeansDurable, "visible-means-durable", PowerCut,
        [BlobOfSnapshot, SnapshotOfCommit, ParentOfCommit, CommitOfBranch, CommitOfHead],
        "A reference is written to whatever can be seen.";
    SyncBeforeWrite, "sync-before-write", PowerCut, [ObjectFile],
        "An object's temp is synced through another handle before its bytes are written.";
    SourceDirSynced, "source-dir-synced", PowerCut, [ObjectDir, RepairedDir],
        "Objects come from a common directory, and that one is synced instead of the target.";
    DirSyncBeforeRename, "dir-sync-before-rename", PowerCut, [],
        "The directory of a state file is synced before the rename.";
    SyncBeforeLastWrite, "sync-before-last-write", PowerCut, [],
        "A state file's temp is synced with fdatasync before the last part is written.";
    ChmodAfterSync, "chmod-after-sync", PowerCut, [],
        "An object gets its mode after its fsync.";
    RefBeforeCommit, "ref-before-commit", PowerCut, [ObjectDir],
        "The directories of new objects are synced only after the branch that leads to them.";
    CommitInPlace, "commit-in-place", Kill, [],
        "A commit is written to its final name, without a temp.";
    HeadInPlace, "head-in-place", Kill, [],
        "HEAD is overwritten in place and then cut to its length.";
    TextTruncated, "text-truncated", Kill, [],
        "A text file is truncated and written again.";
    UnlinkThenRename, "unlink-then-rename", Kill, [],
        "A state file is removed before the new one is renamed to its name.";
    RestoreInPlace, "restore-in-place", Kill, [],
        "A file is restored by overwriting what is there.";
    RestoreWithoutRecord, "restore-without-record", Kill, [],
        "A directory is restored into without a record, so that a temp in it is never found.";
    RepairInPlace, "repair-in-place", Kill, [],
        "A corrupt object is overwritten in place by its good bytes.";
    GcWithoutList, "gc-without-list", Kill, [],
        "A collection deletes without writing down what.";
    GcForgetsList, "gc-forgets-list", Kill, [],
        "A collection removes its list before the objects on it.";
    GcIgnoresPins, "gc-ignores-pins", Race, [],
        "A collection deletes while others hold pins.";
    FixedTempName, "fixed-temp-name", Race, [],
        "All temps of a directory have one name, which is opened if it is there.";
    CasWithoutLock, "cas-without-lock", Race, [],
        "A branch is compared and swapped without its lock.";
    SweepsAtOnce, "sweeps-at-once", Race, [],
        "Sweeps do not take turns, so that one takes for owned what another is trying.";
    PackWithoutLease, "pack-without-lease", Kill, [],
        "A pack's end is known to the process that made it, and no lease is written.";
    LeaseAfterPack, "lease-after-pack", Kill, [],
        "A pack's lease is written after the pack.";
    EarlierTimer, "earlier-timer", Kill, [],
        "A second fetch of equal content does not make the lease longer.";
    PackDeletesObject, "pack-deletes-object", Kill, [],
        "Deleting a pack takes an object of equal bytes with it.";
    ReleasedFirst, "released-first", Kill, [],
        "A lease is removed before its pack.";
    PackTrusted, "pack-trusted", PowerCut, [],
        "A fetch that finds its pack takes it for durable.";
    DeletionTold, "deletion-told", Fault, [],
        "A failed deletion of a pack is an error of the caller.";
    DeletionForgotten, "deletion-forgotten", Fault, [],
        "A pack whose deletion failed loses its lease nevertheless.";
    GroupDirsOnly, "group-dirs-only", PowerCut, [GroupFile, GroupTipFile],
        "A whole commit syncs directories only, as if that wrote the files in them.";
    GroupAcksEarly, "group-acks-early", PowerCut, [GroupTips],
        "A shared batch acknowledges its commits before its branches are durable.";
    GroupNamesFirst, "group-names-first", PowerCut, [],
        "A whole commit gives its objects their names before their files are synced.";
    GroupErrorToFirst, "group-error-to-first", Fault, [],
        "The error of a barrier that several commits share is told to the first of them only.";
    ImportMovesFirst, "import-moves-first", PowerCut, [],
        "An import moves its branches before the objects that they lead to are durable.";
    ImportWithoutList, "import-without-list", Kill, [],
        "An import gives its objects their names without a list that takes them back.";
    SyncErrorSwallowed, "sync-error-swallowed", Fault, [],
        "A failed fsync is taken for success.";
    SyncRetried, "sync-retried", Fault, [],
        "A failed fsync is tried again, and the second answer is believed.";
    NoUndo, "no-undo", Fault, [],
        "An update whose last fsync failed is an error, and its new value stays.";
    TempLeftBehind, "temp-left-behind", Fault, [],
        "A write that fails leaves its temp.";
    FailedObjectTrusted, "failed-object-trusted", Fault, [],
        "An object whose fsync failed is not marked, and the next put believes in it.";
    ShortWriteIgnored, "short-write-ignored", Fault, [],
        "A write that wrote less than it was asked is taken for the whole.";
    ExistingTrusted, "existing-trusted", Fault, [],
        "A put that finds its object does not look at its bytes.";
    StateInPlace, "state-in-place", Kill, [],
        "A merge or rebase state is cut and overwritten in place.";
    ClearNotSynced, "clear-not-synced", PowerCut, [ClearedState],
        "A merge or rebase is ended without a sync of the directory.";
    GcIgnoresStates, "gc-ignores-states", Kill, [],
        "A collection takes what only a merge or rebase in progress leads to.";
    CheckoutMovesHeadFirst, "checkout-moves-head-first", Kill, [],
        "A checkout sets HEAD before it writes down what it is about to do.";
    OperationWithoutRecord, "operation-without-record", Kill, [],
        "The steps of an operation over several files are done without a record.";
    ConfigWithoutLock, "config-without-lock", Race, [],
        "The settings are read, changed and written without their lock.";
    ClaimWithoutLock, "claim-without-lock", Race, [],
        "A reservation is granted to whoever sees nobody holding it, without the lock.";
    ReleaseBeforeIntents, "release-before-intents", Kill, [],
        "A reservation is removed before its intents.";
    CheckpointBeforeRecords, "checkpoint-before-records", PowerCut, [],
        "A checkpoint is written before the records it covers are durable.";
    TornTailTrusted, "torn-tail-trusted", Kill, [],
        "A record is appended behind a torn one.";
}

impl Bug {
    /// The mistake of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|bug| bug.name() == name)
    }
}
