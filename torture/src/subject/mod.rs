//! The reference store as a subject of power cuts, in process: what is recorded, and what is checked.
//!
//! A [`Run`] names a [`Workload`], a seed and a size. [`Run::record`] makes it on a simulated disk and
//! yields a [`Recorded`]: the trace, and an [`Expected`] that knows what was owed at every moment of
//! it. [`check`] takes one disk a power cut may have left, lets the store recover on it, and tells what
//! it owes and has not; [`check_further`] goes on to use the recovered store.
//!
//! The parts: [`workload`] draws a plan of steps from the seed, `start` makes the disk it begins on,
//! `perform` carries the steps out and writes a [`Mark`] for each promise, [`interleave`] lets several
//! writers take turns call by call, `mortal` kills one at a chosen call, `owed` folds the Marks into
//! what is owed.
//!
//! Not for choosing crash states or deciding what a disk may lose.

mod after_kill;
mod check;
mod claims;
mod expected;
mod further;
pub mod interleave;
mod journal;
mod logbook;
mod look;
mod marks;
mod mortal;
mod operations;
mod owed;
mod packs;
mod pairs;
mod perform;
mod plan;
mod progress;
mod record;
mod sequence;
mod settings;
mod start;
mod together;
mod turns;
pub mod workload;

pub use after_kill::STORIES;
pub use check::{Checked, check};
pub use expected::Expected;
pub use further::check_further;
pub use marks::Mark;
pub use pairs::{ALL_PAIRS, PAIRS};
pub use record::{Recorded, Run};
pub use workload::Workload;

/// Where the store lies on the simulated disk.
pub const STORE: &str = "/store";

/// Where objects are restored to.
pub const WORK: &str = "/work";

/// Where texts are written.
const TEXTS: &str = "/work/texts";

/// Where the files lie that are stored by their path.
pub const SOURCES: &str = "/sources";
