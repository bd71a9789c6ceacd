//! The seam between a durable program and its disk.
//!
//! A program written over [`Fs`] runs unchanged on the real file system ([`RealFs`]) and under a
//! [`Watcher`] that sees every call before it is made and may let it fail ([`Watched`]). Dispatch
//! is static: over [`RealFs`] a call through the seam is the system call.
//!
//! # Words
//!
//! One word per thing, here and in the whole project:
//!
//! | word | meaning |
//! |---|---|
//! | Call | one call of the seam, whether or not it changes the disk |
//! | barrier | a call that makes earlier changes durable: `sync_data`, `sync_all`, `sync_dir` |
//! | temp | a file that is being written under a name of its own, before it gets its real name |
//! | orphan | a temp whose owner is dead |
//!
//! # What it is not for
//!
//! It does not decide what survives a power cut, and it is no portable file API: the contracts are
//! those of Linux.

mod fs;
mod real;
mod watch;

pub use fs::{Access, DirEntry, FileKind, Fs, FsFile, LockMode, Metadata};
pub use real::{RealFile, RealFs};
pub use watch::{Call, CallKind, Watched, WatchedFile, Watcher};
