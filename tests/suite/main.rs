//! The one integration test binary: this file is its table of contents.
//!
//! What the store does when a disk call fails or a process is killed is shown on the real file
//! system. The tests look at the disk behind the store's back, so the seam's lints are off here.
#![expect(
    clippy::disallowed_methods,
    reason = "the tests look at the disk behind the store's back"
)]
#![expect(clippy::unwrap_used, reason = "what the fixtures need and do not get fails the test")]

mod any_program;
mod bad_input;
mod baseline;
mod bench;
mod browser;
mod brute_force;
mod by_hand;
mod check;
mod child;
mod cli;
mod config;
mod conformance;
mod explore;
mod findings;
mod group_core;
mod guide;
mod inject;
mod library;
mod litmus;
mod machine;
mod manual;
mod matrix;
mod models;
mod mount;
mod pin_count;
mod planted;
mod power_cut;
mod program;
mod protocol;
mod reports;
mod scratch;
mod seeds;
mod store;
mod subject;
mod subjects;
mod taps;
mod tidy;
mod timing;
mod torture_run;
