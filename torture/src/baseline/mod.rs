//! The ratchet `plugpull.baseline`: what a project knows already, so that only what is worse fails.
//!
//! A committed file holds the known findings of each subject and how far it was looked at when the file was
//! written. [`Baseline::mark`] takes known findings out of what fails a check; [`Baseline::compare`]
//! tells what is worse and what is better; `save` writes the file anew. What is compared must not hang on the
//! speed of the machine: complete tiers, bounds, checkers and the size of the run, never numbers of states.
//! Not for finding anything out (`examine`).

mod compare;
mod known;
mod ratchet;
mod save;
#[cfg(test)]
mod tests;
mod text;

pub use compare::{afresh, is_smaller};
pub use known::{Baseline, Entry, Looked, Subject};
pub use ratchet::Ratchet;
pub use save::{Saved, refuse_in_ci, why_not};
pub use text::FILE;
