//! Shared by the benches: measuring beside the bare system calls, and limits on the result.
//!
//! The machine is shared and noisy, so no limit compares a number of today with one of yesterday.
//! The two sides of a comparison take turns, call by call, and each limit holds for medians of the
//! same run. Criterion reports the same samples with its own statistics and keeps its history.
//!
//! `cargo bench -p plugpull-benches --no-fail-fast` runs them all in about half a minute and fails
//! when a limit is exceeded. Where the disk is: `PLUGPULL_BENCH_DIR`.
//!
//! Not for what fsync costs on a disk: that is `plugpull bench`.
#![forbid(unsafe_code)]

pub mod budget;
mod calls;
mod limit;
mod pairs;
mod place;
mod quick;
mod raw;
pub mod world;

pub use calls::Counter;
pub use limit::{Limit, Table};
pub use pairs::{Medians, Pairs};
pub use place::Place;
pub use quick::quick;
pub use raw::{RawObjects, replace};
