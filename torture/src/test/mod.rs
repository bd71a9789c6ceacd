//! Power cuts in a `#[test]`.
//!
//! [`Explore`] runs a workload on a simulated disk, makes every disk that a power cut may leave of it,
//! and asks a closure of yours about each. It is the search of `plugpull check`, with its controls, its
//! findings and its missing barriers. A store that is written over [`Fs`](faultfs::Fs) needs no mount, no
//! root, no child process. [`Explore::program`] does the same to any program, on a disk that is mounted for it.
//!
//! Not for `main`: a command line, configuration, baselines and reports are those of `plugpull check`.

mod closure;
mod explore;
mod program;
mod told;

pub use explore::Explore;
pub use program::ExploreProgram;
pub use told::measured;
