//! Audit: is every byte and every reference of a store what it must be?
//!
//! Verified: the format, the skeleton, HEAD, every branch; every object's hash; that every commit and
//! snapshot names only what is there, and so does what is in progress; that no address is held twice; the
//! operation log; that no temp of a dead writer is left; that nothing foreign lies among the objects. It
//! changes nothing and may run beside writers.
//!
//! Not verified: whether what is right in the page cache has reached the medium, and whether anything
//! is missing that nothing refers to.
//!
//! Memory does not grow with the store: objects are streamed and references are checked where they
//! stand. Only when a commit or snapshot names something missing are all histories walked, to tell
//! damage (something reachable is missing) from bytes that merely look like a commit.

mod packs;
mod progress;
mod walk;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use faultfs::Fs;

use crate::error::Result;
use crate::layout::Layout;
use crate::open::check_format;
use walk::Auditor;

/// What kind of problem an audit found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProblemKind {
    /// An object's bytes do not have its id, or it cannot be read.
    CorruptObject,
    /// A ref, commit or snapshot names something that is not there or of another kind.
    Dangling,
    /// A temp whose owner is dead; the next open of the store removes it.
    OrphanTemp,
    /// A branch file that is no branch.
    BadRef,
    /// HEAD is missing or unreadable.
    BadHead,
    /// A directory of the store is missing or is something else.
    BadSkeleton,
    /// A file that the store did not write.
    Foreign,
    /// The state of a merge or rebase is unreadable.
    BadState,
    /// A reservation or intent is unreadable, or two hold what only one may.
    BadReservation,
    /// The operation log or its checkpoint is damaged, or ends in a torn record.
    BadLog,
    /// The list of an interrupted garbage collection, or of directories restored into, is unreadable.
    BadList,
    /// A lease that cannot be read.
    BadLease,
    /// A lease whose pack could not be deleted, and is not tried any more.
    DeadLease,
    /// A pack that nothing will delete.
    PackWithoutLease,
}

impl ProblemKind {
    /// The name in machine-readable reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::CorruptObject => "corrupt-object",
            Self::Dangling => "dangling",
            Self::OrphanTemp => "orphan-temp",
            Self::BadRef => "bad-ref",
            Self::BadHead => "bad-head",
            Self::BadSkeleton => "bad-skeleton",
            Self::Foreign => "foreign",
            Self::BadState => "bad-state",
            Self::BadReservation => "bad-reservation",
            Self::BadLog => "bad-log",
            Self::BadList => "bad-list",
            Self::BadLease => "bad-lease",
            Self::DeadLease => "dead-lease",
            Self::PackWithoutLease => "pack-without-lease",
        }
    }
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// What kind.
    pub kind: ProblemKind,
    /// The file it is about.
    pub path: PathBuf,
    /// What is wrong, for a person.
    pub detail: String,
}

/// What an audit looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditCounts {
    /// Objects hashed.
    pub objects: u64,
    /// Bytes hashed.
    pub bytes: u64,
    /// Commits among the objects.
    pub commits: u64,
    /// Snapshots among the objects.
    pub snapshots: u64,
    /// Branches read.
    pub branches: u64,
    /// Temps of writers that are at work.
    pub live_temps: u64,
    /// Objects that a failed barrier may lose; putting them again mends it.
    pub unsettled: u64,
    /// Corrupt objects kept aside after their good bytes were put again.
    pub quarantined: u64,
    /// Objects an interrupted garbage collection has left to delete; the next open does it.
    pub condemned: u64,
    /// Transient packs in the store's own directory.
    pub packs: u64,
    /// Leases of transient packs, wherever these lie.
    pub leases: u64,
    /// Reservations, expired ones included.
    pub reservations: u64,
    /// Intents.
    pub intents: u64,
    /// Records of the operation log that are kept.
    pub logged: u64,
    /// Problems found.
    pub problems: u64,
}

/// An audit with its problems collected and sorted; [`audit`] hands them over as they are found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// What was looked at.
    pub counts: AuditCounts,
    /// What was found.
    pub problems: Vec<Problem>,
}

impl Audit {
    /// Audits the store in `root`; see [`audit`].
    pub fn run<F: Fs>(fs: &F, root: &Path) -> Result<Self> {
        let problems = Mutex::new(Vec::new());
        let counts = audit(fs, root, &|problem| {
            problems.lock().unwrap_or_else(PoisonError::into_inner).push(problem);
        })?;
        let mut problems = problems.into_inner().unwrap_or_else(PoisonError::into_inner);
        problems.sort_unstable();
        Ok(Self { counts, problems })
    }
}

/// Audits the store in `root`; `report` is called for each problem, from several threads. An error
/// means that the audit could not be done, not that the store is bad.
///
/// Many objects, and large ones, are hashed with as many threads as rayon's pool has. A few small ones
/// the calling thread takes alone, so that audits of many small stores side by side are not in each
/// other's way.
pub fn audit<F: Fs>(fs: &F, root: &Path, report: &(dyn Fn(Problem) + Sync)) -> Result<AuditCounts> {
    let layout = Layout::new(root);
    check_format(fs, &layout)?;
    let auditor = Auditor::new(fs, &layout, report);
    let Some(shards) = auditor.skeleton()? else {
        return Ok(auditor.counts());
    };
    let temps = auditor.temps_without_owner(shards.temps)?;
    auditor.head()?;
    auditor.branches()?;
    auditor.in_progress()?;
    auditor.coordination()?;
    auditor.log()?;
    auditor.objects(shards.few)?;
    auditor.suspects()?;
    auditor.orphans(temps)?;
    auditor.packs()?;
    auditor.leftovers()?;
    Ok(auditor.counts())
}
