//! Shared by the benches: reading what criterion measured, and holding it against limits.
