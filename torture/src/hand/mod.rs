//! A simulated disk in somebody's hand: it stays mounted over a directory, and does what it is told through a
//! control socket, while any programs use it.
//!
//! `plugpull mount` keeps it (`session`), `plugpull ctl` talks to it (`protocol`, `socket`). Each thing
//! that it can be told has a file of its own. Not for running or checking programs (`check_command`).

mod cut;
mod damage;
mod faults;
mod mounts;
mod pending;
mod protocol;
mod server;
mod session;
mod socket;
mod told;

pub use protocol::{FailedAs, Keep, Pages, Times};

pub(crate) use mounts::{Listed, Place, left_behind, place_of};
pub(crate) use protocol::{Answer, Request, Response};
pub(crate) use server::{Call, listen};
pub(crate) use session::{Session, Settings};
pub(crate) use socket::{Door, ask, default_path};
pub(crate) use told::tell;
