//! The seam between a durable program and its disk.
//!
//! A program written over [`Fs`] runs unchanged on the real file system ([`RealFs`]) and under a
//! [`Watcher`] that sees every call before it is made and may let it fail ([`Watched`]). Dispatch
//! is static: over [`RealFs`] a call through the seam is the system call.
//!
//! With the feature `fault`, a `FaultPlan` says which calls fail and how; `Faulty` is any file system
//! under such a plan.
//!
//! With the feature `sim` there is a simulated disk as well: `SimFs` behaves like Linux in memory,
//! and writes down a `Trace` of all that happened to it. What a power cut may leave of a Trace follows
//! from a `Model`: its `PersistOrder` tells what can survive with what, and a `Window` yields the
//! crash states of one crash point.
//!
//! With the feature `fuse`, a `Mount` serves a `SimFs` over a directory, so that its Trace tells what any
//! program does there.
//!
//! # Words
//!
//! One word per thing, here and in the whole project:
//!
//! | word | meaning |
//! |---|---|
//! | Call | one call of the seam, whether or not it changes the disk |
//! | barrier | a call that makes earlier changes durable: `sync_data`, `sync_all`, `sync_dir` |
//! | inode | the identity of a file, which paths and open files are not |
//! | Op | a call that changed the disk, or a barrier, in terms of inodes |
//! | Mark | what the program promised to the outside, in the same order as the Ops |
//! | Trace | start image + ordered Ops and Marks of one run |
//! | Effect | the smallest change of an Op that can persist by itself: bytes, a length, a name, attributes |
//! | Model | named persistence model: the rules saying what a crash may lose, reorder or tear |
//! | PersistOrder | for one Trace and one Model: which Effect needs which, and which barrier made it durable |
//! | crash point | between two events of a Trace; the power goes there |
//! | pending | said of an Effect at a crash point: made, and not durable |
//! | legal set | Effects that can be all that survived at a crash point |
//! | CrashState | a crash point and a legal set |
//! | DiskImage | the file tree a disk holds at one moment |
//! | temp | a file that is being written under a name of its own, before it gets its real name |
//! | orphan | a temp whose owner is dead |
//!
//! # What it is not for
//!
//! It does not choose among crash states and checks none, and it is no portable file API: the contracts
//! are those of Linux.

#[cfg(feature = "sim")]
mod crash;
#[cfg(feature = "fault")]
mod fault;
mod fs;
mod fsync_failure;
#[cfg(feature = "sim")]
mod image;
#[cfg(feature = "sim")]
mod model;
#[cfg(feature = "fuse")]
mod mount;
#[cfg(feature = "sim")]
mod op;
#[cfg(feature = "sim")]
mod order;
mod real;
#[cfg(feature = "sim")]
mod sim;
#[cfg(feature = "system")]
mod system;
#[cfg(feature = "sim")]
mod time;
#[cfg(feature = "sim")]
mod trace;
mod watch;

#[cfg(feature = "sim")]
pub use crash::{CrashState, Legal, StateError, Window};
#[cfg(feature = "fault")]
pub use fault::{Errno, Fault, FaultPlan, FaultRule, Faults, Faulty, Pattern, PatternError, Torn};
pub use fs::{Access, DirEntry, FileKind, Fs, FsFile, Listed, LockMode, Metadata, PassTurn};
pub use fsync_failure::FsyncFailure;
#[cfg(feature = "sim")]
pub use image::{
    Attributes, ChangedEntry, Difference, Differs, DiskImage, ImageHash, Inode, PAGE, Page, Xattrs,
};
#[cfg(feature = "sim")]
pub use model::{
    Allocation, Append, Barriers, DataOrder, Fdatasync, Fill, FsyncDir, FsyncFile, MetadataOrder,
    Model, ModelError, RenameAtomicity, Replace, Rule, Rules, Tear, Truncated,
};
#[cfg(feature = "fuse")]
pub use mount::{
    AskedCall, Calls, Fusermount, Mount, MountHelper, MountOptions, Probe, Seen, probe,
};
#[cfg(feature = "sim")]
pub use op::{Entry, Op, Reverted};
#[cfg(feature = "sim")]
pub use order::{Change, Changes, Effect, EffectId, PersistOrder};
pub use real::{RealFile, RealFs};
#[cfg(feature = "sim")]
pub use sim::{SimFile, SimFs};
#[cfg(feature = "system")]
pub use system::{Chain, sync_file_range};
#[cfg(feature = "sim")]
pub use trace::{Event, Notes, Trace, TraceError, TraceReader, TraceWriter};
pub use watch::{Call, CallKind, Watched, WatchedFile, Watcher};
