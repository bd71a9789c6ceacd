//! Crash states: what the disk may hold when the power goes at a crash point.
//!
//! A crash point lies between two events of the trace. A [`CrashState`] is a crash point and the
//! effects that did not survive: all that is durable there survives, nothing from after the point
//! does, and nothing survives without what it needs. Not for the choice of states to look at: that
//! is the explorer's.

mod legal;
mod state;
#[cfg(test)]
mod state_tests;
#[cfg(test)]
mod tests;
mod unseen;
mod window;

pub use legal::Legal;
pub use state::{CrashState, StateError};
pub use window::Window;
