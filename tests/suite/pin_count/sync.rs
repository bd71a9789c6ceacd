//! The lock of the model checker, under the name that the store's core of the pins uses.

pub(crate) use loom::sync::{Mutex, MutexGuard};
