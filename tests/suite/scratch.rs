//! Scratch stores in temporary directories.
