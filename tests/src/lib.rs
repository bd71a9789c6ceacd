//! The package of the integration tests (`suite/`), of the binaries they run, of the matrix of the store,
//! and of the runner of the sample programs in `subjects/`.
#![forbid(unsafe_code)]

pub mod matrix;
pub mod subjects;
