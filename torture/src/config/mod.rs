//! The configuration `plugpull.toml`: which programs a project has checked, and how far each is looked at.
//!
//! [`find`] finds the file, [`file`](self) reads it (every mistake with its line and column), `profile` says what
//! holds for one subject, `subject` makes a [`Request`](crate::request::Request) of it. Where the command
//! line, the environment and the file disagree, the first of them that says anything decides: that is
//! [`Settings::or`]. docs/formats.md lists the keys. Not for running anything.

mod environment;
mod file;
mod find;
mod nearest;
mod profile;
mod read;
mod settings;
mod subject;

#[cfg(feature = "s3")]
pub(crate) use environment::variable;
pub use environment::{VARIABLES, is_ci};
pub use file::{Config, Profile};
pub use find::{FILE, find};
pub use nearest::nearest;
pub use settings::{Given, KEYS, Settings, Wrong};
pub use subject::Subject;
