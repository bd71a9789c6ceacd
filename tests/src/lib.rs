//! The package holds only the integration tests (`suite/`) and the binary they run.
