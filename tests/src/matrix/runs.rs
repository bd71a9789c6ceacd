//! Which runs are made to find a mistake, in their order: a fixed list for each.

use std::sync::Arc;

use faultfs::{
    CallKind, Errno, Fault, FaultPlan, FaultRule, Faults, Faulty, FsyncFailure, Pattern,
};
use plugpull::explore::{Bounds, Tier};
use plugpull::subject::{ALL_PAIRS, Recorded, Run, STORIES, Workload};
use plugpull_store::{Barrier, Bug, Options};

use super::Mistake;

/// One run, perhaps with a fault in it.
#[derive(Clone, Debug)]
pub struct Try {
    /// What is done.
    pub workload: Workload,
    /// See [`Run::seed`].
    pub seed: u64,
    /// See [`Run::size`].
    pub size: usize,
    /// The one call that fails.
    pub fault: Option<FaultRule>,
}

impl Try {
    fn new(workload: Workload, seed: u64, size: usize) -> Self {
        Self { workload, seed, size, fault: None }
    }

    /// Makes the run; `None` when its fault did not happen.
    pub fn record(&self, options: Options) -> Option<Recorded> {
        let run = Run { options, ..Run::new(self.workload, self.seed, self.size) };
        let Some(rule) = &self.fault else { return Some(run.record()) };
        let faults = Arc::new(Faults::new(&FaultPlan { rules: vec![rule.clone()] }));
        let recorded = run.record_over(&|disk| Faulty::new(disk, Arc::clone(&faults)));
        (faults.unfired().is_empty()).then_some(recorded)
    }

    /// How far it is explored under one preset: making a store takes many calls, and as many again in
    /// the recovery of each state.
    pub(super) fn bounds(&self) -> Bounds {
        let in_trace = self.workload == Workload::InitAfterKill && self.seed % 3 < 2;
        let init = self.workload == Workload::Init || in_trace;
        Bounds { budget: if init { 150 } else { 3000 }, window: 256, ..Bounds::of(Tier::T2) }
    }

    /// Its name in the tables.
    pub fn name(&self) -> String {
        let run = format!("{} {} {}", self.workload.name(), self.seed, self.size);
        let Some(rule) = &self.fault else { return run };
        let calls: Vec<_> = rule.calls.iter().map(|call| call.name()).collect();
        format!("{run}, {} at {} {}", rule.fault.kind(), calls.join("/"), rule.when)
    }
}

/// The runs of a mistake.
pub fn runs(mistake: Mistake) -> Vec<Try> {
    match mistake {
        Mistake::Without(barrier) => of_barrier(barrier),
        Mistake::Planted(bug) => of_bug(bug),
    }
}

/// These seeds of a workload.
fn seeds(workload: Workload, seeds: std::ops::Range<u64>, size: usize) -> Vec<Try> {
    seeds.map(|seed| Try::new(workload, seed, size)).collect()
}

/// A story in which a process is killed, with each of its last calls missing once.
fn story(story: u64, most: u64) -> Vec<Try> {
    (1..=most).map(|missing| Try::new(Workload::AfterKill, missing * STORIES + story, 2)).collect()
}

/// One of the four stories of those who work together, with each of so many calls missing once where
/// somebody is killed in it.
fn together(workload: Workload, story: u64, count: u64, size: usize) -> Vec<Try> {
    (0..count).map(|missing| Try::new(workload, 4 * missing + story, size)).collect()
}

/// A run with this fault at each of the first calls.
fn faulty(workload: Workload, seeds: u64, size: usize, rule: &FaultRule, most: u64) -> Vec<Try> {
    let at = |seed, n| {
        let fault = Some(rule.clone().when(Pattern::nth(n)));
        Try { fault, ..Try::new(workload, seed, size) }
    };
    (1..=seeds).flat_map(|seed| (1..=most).map(move |n| at(seed, n))).collect()
}

fn eio(call: CallKind, path: &str) -> FaultRule {
    FaultRule::new(Fault::Errno(Errno::Eio)).on(&[call]).at(path)
}

fn failed_sync() -> FaultRule {
    FaultRule::new(Fault::FailedSync(FsyncFailure::Ext4Ordered)).on(&[CallKind::SyncAll])
}

fn of_barrier(barrier: Barrier) -> Vec<Try> {
    match barrier {
        Barrier::ObjectFile | Barrier::ObjectDir => seeds(Workload::Put, 1..3, 2),
        Barrier::RepairedDir | Barrier::QuarantineDir => seeds(Workload::Repair, 1..3, 2),
        Barrier::KnownFile | Barrier::KnownDir => story(0, 4),
        Barrier::BlobOfSnapshot | Barrier::SnapshotOfCommit | Barrier::CommitOfBranch => {
            story(1, 30)
        }
        Barrier::ParentOfCommit => story(3, 30),
        Barrier::CommitOfHead => story(2, 30),
        Barrier::BranchFile | Barrier::BranchDir => seeds(Workload::Commit, 1..3, 4),
        Barrier::BranchFolder => story(4, 10),
        Barrier::GroupFile
        | Barrier::GroupBlobs
        | Barrier::GroupSnapshots
        | Barrier::GroupCommits
        | Barrier::GroupTipFile
        | Barrier::GroupTips => seeds(Workload::Group, 1..9, 4),
        Barrier::ImportFiles | Barrier::ImportList | Barrier::ImportNames | Barrier::ImportTips => {
            seeds(Workload::Import, 1..5, 4)
        }
        Barrier::DeletedBranch => [seeds(Workload::Branches, 1..8, 4), story(13, 4)].concat(),
        Barrier::HeadFile | Barrier::HeadDir => seeds(Workload::Branches, 1..4, 2),
        Barrier::StateFile | Barrier::StateDir | Barrier::ClearedState => {
            seeds(Workload::State, 0..9, 4)
        }
        Barrier::OperationFile
        | Barrier::OperationDir
        | Barrier::KnownOperation
        | Barrier::EndedOperation
        | Barrier::KnownEnd
        | Barrier::CommitOfOperation
        | Barrier::CheckedOutRemovals => seeds(Workload::Operations, 0..120, 2),
        Barrier::ConfigFile | Barrier::ConfigDir => seeds(Workload::Config, 1..6, 2),
        Barrier::CommitOfState => together(Workload::State, 3, 32, 2),
        Barrier::ReservationFile
        | Barrier::ReservationDir
        | Barrier::IntentFile
        | Barrier::IntentDir => together(Workload::Coordination, 0, 8, 4),
        Barrier::ReservationOfIntent | Barrier::EndedIntents | Barrier::ReleasedReservation => {
            together(Workload::Coordination, 3, 64, 2)
        }
        Barrier::KnownRelease => {
            (0..16).map(|n| Try::new(Workload::Pairs, RELEASED + n * ALL_PAIRS, 2)).collect()
        }
        Barrier::ExpiredReservations => together(Workload::Coordination, 2, 8, 2),
        Barrier::LogFile
        | Barrier::LogRecord
        | Barrier::CheckpointFile
        | Barrier::CheckpointDir => together(Workload::OpLog, 0, 16, 4),
        Barrier::KnownLog
        | Barrier::KnownRecords
        | Barrier::KnownCheckpoint
        | Barrier::CompactedFile
        | Barrier::CompactedDir => together(Workload::OpLog, 3, 32, 2),
        Barrier::TextFile | Barrier::TextDir | Barrier::TextParents => {
            [seeds(Workload::Text, 1..4, 3), story(12, 8)].concat()
        }
        Barrier::UndoFile | Barrier::UndoDir => {
            let rule = eio(CallKind::SyncDir, "/store/refs/heads");
            let sync_dir = faulty(Workload::Branches, 3, 4, &rule, 2);
            let head = eio(CallKind::SyncDir, "/store");
            [sync_dir, faulty(Workload::Branches, 3, 4, &head, 3)].concat()
        }
        Barrier::RestoreFile | Barrier::RestoreDir | Barrier::RestoreParents => {
            seeds(Workload::Restore, 1..5, 4)
        }
        Barrier::RecordFile | Barrier::RecordDir => {
            [seeds(Workload::Restore, 1..5, 2), story(8, 8)].concat()
        }
        Barrier::PrunedDir => [story(10, 8), story(16, 64)].concat(),
        Barrier::PrunedRecords => [seeds(Workload::AfterKill, 14..15, 2), story(14, 6)].concat(),
        Barrier::CollectedBranches => story(5, 6),
        Barrier::CollectedHead => story(6, 6),
        Barrier::ListFile | Barrier::ListDir | Barrier::DeletedObjects => {
            [vec![Try::new(Workload::AfterKill, 7, 2)], gc()].concat()
        }
        Barrier::EndedList => [vec![Try::new(Workload::AfterKill, 7, 2)], gc()].concat(),
        Barrier::KnownList => story(15, 16),
        Barrier::LeaseDir => [packs(), packs_after_kill(1, 16)].concat(),
        Barrier::ReleasedLease | Barrier::DeletedPack => [packs(), packs_after_kill(2, 8)].concat(),
        Barrier::LeaseFile | Barrier::PackFile | Barrier::PackDir => packs(),
        Barrier::SweptTemps => seeds(Workload::OpenAfterCrash, 1..3, 2),
        Barrier::StoreParents => vec![Try::new(Workload::InitAfterKill, 4, 1)],
        Barrier::Skeleton => vec![Try::new(Workload::Init, 1, 1)],
        // Goes on behind the skeleton.
        Barrier::FirstHeadFile
        | Barrier::FirstHeadDir
        | Barrier::FormatFile
        | Barrier::FormatDir => vec![Try::new(Workload::InitAfterKill, 32, 1)],
    }
}

/// The seed of `pairs` in which somebody claims who had the store open when another one was killed in a release.
const RELEASED: u64 = 2059;

fn packs() -> Vec<Try> {
    seeds(Workload::Packs, 1..9, 2)
}

/// A story in which one is killed at work with a pack, with each of its last calls missing once.
fn packs_after_kill(story: u64, most: u64) -> Vec<Try> {
    let seeds = (1..=most).map(|missing| missing * 4 + story);
    seeds.map(|seed| Try::new(Workload::PacksAfterKill, seed, 2)).collect()
}

/// A deletion of a pack that fails, each of the first ones once.
fn undeletable() -> Vec<Try> {
    faulty(Workload::Packs, 12, 6, &eio(CallKind::Unlink, "/store/packs/*"), 3)
}

fn gc() -> Vec<Try> {
    seeds(Workload::GcBesideWriter, 1..9, 8)
}

fn of_bug(bug: Bug) -> Vec<Try> {
    match bug {
        Bug::RenameBeforeWrite
        | Bug::ObjectNotSynced
        | Bug::ObjectDirNotSynced
        | Bug::SyncBeforeWrite
        | Bug::SourceDirSynced
        | Bug::ChmodAfterSync => seeds(Workload::Put, 1..3, 2),
        Bug::RefInPlace
        | Bug::RefNotSynced
        | Bug::AckBeforeSync
        | Bug::DirSyncBeforeRename
        | Bug::SyncBeforeLastWrite
        | Bug::RefBeforeCommit
        | Bug::CommitInPlace
        | Bug::AckBeforeCommit => seeds(Workload::Commit, 1..3, 8),
        Bug::UnlinkThenRename | Bug::HeadInPlace | Bug::DeleteNotSynced => {
            seeds(Workload::Branches, 1..17, 6)
        }
        Bug::FolderNotSynced => story(4, 10),
        Bug::GroupDirsOnly | Bug::GroupAcksEarly | Bug::GroupNamesFirst => {
            seeds(Workload::Group, 1..3, 4)
        }
        Bug::GroupErrorToFirst => {
            // For ever: else the barrier of the first one's undo is the second one's as well.
            let for_ever = eio(CallKind::SyncDir, "/store/refs/heads").when(Pattern::always());
            let run = |seed| {
                let fault = Some(for_ever.clone());
                Try { fault, ..Try::new(Workload::Group, seed, 4) }
            };
            (1..33).map(run).collect()
        }
        Bug::ImportMovesFirst | Bug::ImportWithoutList => seeds(Workload::Import, 1..5, 4),
        Bug::QuarantineNotSynced | Bug::RepairInPlace | Bug::ExistingTrusted => {
            seeds(Workload::Repair, 1..3, 2)
        }
        Bug::GcBeforeList | Bug::GcWithoutList | Bug::GcForgetsList => {
            [vec![Try::new(Workload::AfterKill, 7, 2)], gc()].concat()
        }
        Bug::ExistsMeansDurable => story(0, 4),
        Bug::VisibleMeansDurable => story(1, 30),
        Bug::TextTruncated => seeds(Workload::Text, 1..6, 8),
        Bug::RestoreInPlace | Bug::RestoreWithoutRecord => seeds(Workload::Restore, 1..5, 4),
        Bug::SweepLiveTemps | Bug::GcIgnoresPins => seeds(Workload::GcBesideWriter, 1..33, 16),
        Bug::LostUpdate | Bug::FixedTempName | Bug::CasWithoutLock => {
            seeds(Workload::CasRace, 1..33, 16)
        }
        Bug::CheckoutMovesHeadFirst | Bug::OperationWithoutRecord => {
            seeds(Workload::Operations, 0..9, 2)
        }
        Bug::ConfigWithoutLock => seeds(Workload::Config, 0..33, 8),
        Bug::PackWithoutLease | Bug::LeaseAfterPack => packs(),
        Bug::EarlierTimer => packs_after_kill(1, 16),
        Bug::PackDeletesObject | Bug::ReleasedFirst => seeds(Workload::Packs, 1..33, 4),
        Bug::PackTrusted => packs_after_kill(0, 16),
        Bug::DeletionTold | Bug::DeletionForgotten => undeletable(),
        Bug::SweepsAtOnce => seeds(Workload::OpenRace, 1..65, 2),
        Bug::SyncErrorSwallowed | Bug::SyncRetried => {
            faulty(Workload::Put, 2, 4, &failed_sync(), 4)
        }
        Bug::NoUndo => {
            faulty(Workload::Commit, 2, 8, &eio(CallKind::SyncDir, "/store/refs/heads"), 2)
        }
        Bug::TempLeftBehind => faulty(Workload::Put, 1, 4, &eio(CallKind::WriteAt, "**"), 4),
        Bug::FailedObjectTrusted => {
            faulty(Workload::Put, 4, 12, &eio(CallKind::SyncDir, "/store/objects/**"), 8)
        }
        Bug::StateInPlace | Bug::ClearNotSynced => seeds(Workload::State, 0..9, 4),
        Bug::GcIgnoresStates => together(Workload::State, 1, 2, 2),
        Bug::ClaimWithoutLock => together(Workload::Coordination, 1, 64, 8),
        Bug::ReleaseBeforeIntents => together(Workload::Coordination, 3, 16, 2),
        Bug::CheckpointBeforeRecords => together(Workload::OpLog, 3, 32, 2),
        Bug::TornTailTrusted => together(Workload::OpLog, 2, 4, 2),
        Bug::ShortWriteIgnored => {
            let short = FaultRule::new(Fault::ShortWrite).on(&[CallKind::WriteAt]);
            faulty(Workload::Put, 1, 4, &short, 4)
        }
    }
}
