//! Power cuts in a `#[test]`: a store that is written over [`Fs`](faultfs::Fs), checked in process.
//!
//! [`Explore`] runs a workload on a simulated disk, makes every disk that a power cut may leave of it,
//! and asks a closure of yours about each: no mount, no root, no child process. It is the search of
//! `plugpull check`, with its controls, its findings and its missing barriers.
//!
//! Not for programs that make system calls themselves: those are for `plugpull check`.

mod closure;
mod explore;
mod told;

pub use explore::Explore;
