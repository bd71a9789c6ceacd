//! The one integration test binary: this file is its table of contents.

mod scratch;
mod seeds;
mod taps;
