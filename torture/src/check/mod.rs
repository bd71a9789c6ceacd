//! Judging crash states of any program, by running checkers in them.
//!
//! A state is a [`faultfs::DiskImage`]; a worker shows it in its private [`Tree`], runs the checkers
//! there one after another (`spawn`), and the first that is not content decides the [`Verdict`]. What a
//! checker changed is undone before the next state, so that each state costs its difference from the
//! one before, and the start of the checker.
//!
//! A survived state means that these checkers were content with it, no more. Not for choosing the
//! states (`explore`), and not for what is reported of them.

mod changes;
mod checkers;
mod judge;
pub(crate) mod leftover;
mod node;
mod output;
mod pool;
mod recorded;
mod spawn;
#[cfg(test)]
mod spawn_tests;
mod step;
mod tree;
#[cfg(test)]
mod tree_tests;
mod versions;
mod worker;

pub(crate) use checkers::{Ask, NoProgram, look_up};
pub use checkers::{Builtin, Checker, CheckerError, Prepared};
pub(crate) use judge::judge_closure;
pub use judge::{Verdict, Violation, judge};
pub use output::Output;
pub use pool::{Pool, Setup};
pub use recorded::{can_write, record_checkers};
pub use spawn::{Ran, Spawner, Status, Task};
pub use tree::{Tree, TreeCounts};
pub use worker::{DIR_VARIABLE, MARKS_VARIABLE};
