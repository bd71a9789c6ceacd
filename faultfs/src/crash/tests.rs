//! Tests of crash states: tokens name exactly one state, windows keep what they say.
