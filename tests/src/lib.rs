//! The package of the integration tests (`suite/`), of the binaries they run, and of the matrix.

pub mod matrix;
