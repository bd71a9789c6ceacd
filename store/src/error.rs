//! What can go wrong, told so that the reader knows what to do next.
//!
//! One enum for the crate; every variant that concerns a file names its path, and the message of a
//! system error ends with the remedy. Not for exit codes: those belong to the command.

use std::io;
use std::path::{Path, PathBuf};

use crate::id::ObjectId;
use crate::time::Time;

// Linux error numbers for which std has no stable `ErrorKind`.
const EIO: i32 = 5;
const ENFILE: i32 = 23;
const EMFILE: i32 = 24;
pub(crate) const ELOOP: i32 = 40;

/// Result of every operation of the store.
pub type Result<T> = std::result::Result<T, Error>;

/// Why an operation did not succeed. Nothing was acknowledged, and no temp is left behind unless
/// removing it failed as well (then the next open removes it).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A system call failed.
    #[error("cannot {op} {}: {source}{}", path.display(), remedy(source))]
    Io {
        /// What was being done.
        op: &'static str,
        /// To which file or directory.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The directory holds no store.
    #[error(
        "{} is not a store: {why}; name the right directory, or make a store there with \
         `plugpull store init {}`", path.display(), path.display()
    )]
    NotAStore {
        /// The directory that was opened.
        path: PathBuf,
        /// What was expected and not found.
        why: String,
    },
    /// Refused to make a store in a directory that holds something else.
    #[error(
        "{} holds other files ({found:?}) and no store; choose an empty or a new directory",
        path.display()
    )]
    NotEmpty {
        /// The directory.
        path: PathBuf,
        /// The first foreign entry.
        found: String,
    },
    /// The store, or a state file, was written by a later version of this program.
    #[error(
        "{} has format {found}, and this program knows formats up to {supported}; \
         use a newer plugpull", path.display()
    )]
    NewerFormat {
        /// The format file of the store, or a state file.
        path: PathBuf,
        /// Version found.
        found: u32,
        /// Newest version this program knows.
        supported: u32,
    },
    /// The store was written by an earlier version of this program.
    #[error(
        "{} has store format {found}, and this program works with format {needed}; raise it with \
         `plugpull store init {}`, which adds what is new and keeps all that is there",
        path.display(), path.display()
    )]
    OlderFormat {
        /// The store's directory.
        path: PathBuf,
        /// Version found.
        found: u32,
        /// The version this program works with.
        needed: u32,
    },
    /// Something stands where a directory of the store should be, or it is missing.
    #[error(
        "{} should be a directory of the store, but {found}; move away what stands there and run \
         `plugpull store init` on the store, which puts back what is missing", path.display()
    )]
    Skeleton {
        /// The place.
        path: PathBuf,
        /// What was found instead.
        found: String,
    },
    /// Bytes on disk are not what they must be.
    #[error("integrity check failed for {}: {problem}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// How it shows.
        problem: String,
    },
    /// The bytes given do not have the id given.
    #[error("integrity: the bytes given hash to {actual}, not to {expected}; nothing was written")]
    Mismatch {
        /// The id the caller named.
        expected: ObjectId,
        /// The id of the bytes.
        actual: ObjectId,
    },
    /// A source file changed, or is not a regular file.
    #[error("cannot take {}: {problem}", path.display())]
    Source {
        /// The source file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Text that is no object id.
    #[error("{text:?} is no object id: {problem}; an id is `sha256:` and 64 lower-case hex digits")]
    BadId {
        /// The text.
        text: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Text that is no branch name.
    #[error(
        "{name:?} is no branch name: {problem}; a name is one or more parts joined by `/`, and no \
         part is empty or starts with a dot"
    )]
    BadBranch {
        /// The text.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A path that a snapshot cannot hold.
    #[error("{path:?} cannot be in a snapshot: {problem}; give a relative path inside it")]
    BadPath {
        /// The path.
        path: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Something refers to an object that is not there.
    #[error("{from} refers to {what} {id}, which is not in the store; put it first")]
    Dangling {
        /// What refers.
        from: String,
        /// What kind of object it needs.
        what: &'static str,
        /// The object's id.
        id: ObjectId,
    },
    /// Something refers to an object that a failed barrier may lose.
    #[error("{from} refers to {what} {id}, whose fsync failed when it was put; put it again first")]
    NotDurable {
        /// What refers.
        from: String,
        /// What kind of object it needs.
        what: &'static str,
        /// The object's id.
        id: ObjectId,
    },
    /// An object is of another kind than its use needs.
    #[error("{id} is not a {expected}: {problem}")]
    WrongKind {
        /// The object.
        id: ObjectId,
        /// What it was used as.
        expected: &'static str,
        /// How it shows.
        problem: String,
    },
    /// A value that cannot be written down canonically.
    #[error("this {kind} cannot be stored: {problem}")]
    BadValue {
        /// Which kind of object.
        kind: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The branch is not where the caller expected it.
    #[error(
        "branch {branch} is at {}, not at {} as expected; read it again and retry",
        or_absent(current.as_ref()), or_absent(expected.as_ref())
    )]
    RefConflict {
        /// The branch.
        branch: String,
        /// Where the caller expected it; `None` is "does not exist".
        expected: Option<ObjectId>,
        /// Where it is; `None` is "does not exist".
        current: Option<ObjectId>,
    },
    /// `a` and `a/b` cannot both be branches.
    #[error(
        "branch {branch} cannot exist beside {other}: a name is a branch or a folder, not both"
    )]
    NameConflict {
        /// The branch asked for.
        branch: String,
        /// What is in its way.
        other: String,
    },
    /// A merge or rebase is not as the caller believed.
    #[error("{} cannot be changed: {problem}; read the {kind} again and retry", path.display())]
    StateConflict {
        /// Which kind of state.
        kind: &'static str,
        /// Its file.
        path: PathBuf,
        /// What is there instead.
        problem: &'static str,
    },
    /// Somebody else holds what was to be reserved.
    #[error(
        "{address:?} is held by {holder} (reservation {reservation_id}) until {} ms after 1970; wait, \
         or ask them to release it", expires_at.millis()
    )]
    Held {
        /// The first address that is held.
        address: String,
        /// Who holds it.
        holder: String,
        /// By which reservation.
        reservation_id: String,
        /// Until when.
        expires_at: Time,
    },
    /// An intent for a reservation that is not there, or holds nothing any more.
    #[error("there is no reservation {id}, or it has expired; reserve anew")]
    NoReservation {
        /// The id given.
        id: String,
    },
    /// A write failed at its last barrier, and putting the old content back failed as well.
    #[error(
        "{failed}; and the old content of {} could not be put back ({undo}): whether it holds the \
         old or the new one after a power cut is not known, read it again before you rely on it",
        path.display()
    )]
    Undecided {
        /// The file.
        path: PathBuf,
        /// Why the write failed.
        failed: Box<Error>,
        /// Why it could not be undone.
        undo: Box<Error>,
    },
    /// Time for which no URL of a pack can be valid.
    #[error("{given:?} is no time for a pack to be read in; give whole seconds, 30 to 3600")]
    BadTtl {
        /// The time that was asked for.
        given: std::time::Duration,
    },
    /// Bytes that are no pack.
    #[error("these bytes are no pack: {problem}; fetch it again")]
    BadPack {
        /// What is wrong with them.
        problem: String,
    },
    /// A fetch needs more than fits into one pack.
    #[error(
        "the pack would be larger than {most} bytes; fetch older commits first, and name them as \
         known in the next fetch"
    )]
    PackTooLarge {
        /// The most bytes that a pack has.
        most: u64,
    },
    /// The place where packs lie did not do what it was asked for.
    #[error("cannot {op} a pack in {backend}: {problem}; see whether that service works")]
    PackBackend {
        /// What was asked.
        op: &'static str,
        /// The place's name.
        backend: String,
        /// Its answer.
        problem: String,
    },
    /// The thread that wrote a shared batch panicked in the middle of it.
    #[error(
        "whether the commit on {branch} was made is not known, because the thread that wrote it \
         together with its own panicked; read the branch again"
    )]
    Abandoned {
        /// The branch.
        branch: String,
    },
    /// Another process interfered again and again.
    #[error("gave up on {} after {attempts} attempts: {problem}; try again", path.display())]
    Contended {
        /// The file or directory.
        path: PathBuf,
        /// How often it was tried.
        attempts: u32,
        /// What happened each time.
        problem: &'static str,
    },
}

impl Error {
    /// The same once more, for a further writer that it concerns.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::Io { op, path, source } => {
                let source = source.raw_os_error().map_or_else(
                    || io::Error::new(source.kind(), source.to_string()),
                    io::Error::from_raw_os_error,
                );
                Self::Io { op, path: path.clone(), source }
            }
            other => Self::Io {
                op: "write a batch with",
                path: PathBuf::new(),
                source: io::Error::other(other.to_string()),
            },
        }
    }
}

fn or_absent(id: Option<&ObjectId>) -> String {
    id.map_or_else(|| "no commit (absent)".to_owned(), ToString::to_string)
}

/// What a person can do about a system error; empty where there is nothing to add.
fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull => "; free space or inodes on that file system and try again",
        io::ErrorKind::QuotaExceeded => "; free space within the quota and try again",
        io::ErrorKind::PermissionDenied => "; check the owner and mode of that path",
        io::ErrorKind::ReadOnlyFilesystem => "; remount it writable, or choose another directory",
        io::ErrorKind::NotADirectory => "; a part of that path is not a directory",
        _ => match error.raw_os_error() {
            Some(EIO) => "; the medium failed: check the disk and the kernel log",
            Some(ENFILE | EMFILE) => "; too many open files: raise `ulimit -n`",
            Some(ELOOP) => "; a symbolic link stands where a file of its own is needed",
            _ => "",
        },
    }
}

/// Puts what was being done, and to which path, to a system error.
pub(crate) trait At<T> {
    /// `op` is a verb that fits "cannot ... PATH".
    fn at(self, op: &'static str, path: &Path) -> Result<T>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, op: &'static str, path: &Path) -> Result<T> {
        self.map_err(|source| Error::Io { op, path: path.to_owned(), source })
    }
}

/// Turns "not found" into `None`, which is an answer and no failure.
pub(crate) fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}
