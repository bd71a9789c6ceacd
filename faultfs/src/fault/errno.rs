//! The errors that a call can be made to fail with.

use std::io;

use nix::errno::Errno as Number;
use serde::{Deserialize, Serialize};

/// An errno, written in a plan as C writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Errno {
    /// The medium failed.
    Eio,
    /// No space left.
    Enospc,
    /// The user's quota is used up.
    Edquot,
    /// A signal came first.
    Eintr,
    /// Too many open files.
    Emfile,
    /// The file system became read-only.
    Erofs,
    /// The two names are on two file systems.
    Exdev,
    /// The file system does not take these arguments.
    Einval,
    /// The kernel does not have the call.
    Enosys,
    /// The file system does not have the call.
    Eopnotsupp,
}

impl From<Errno> for io::Error {
    fn from(errno: Errno) -> Self {
        Self::from(match errno {
            Errno::Eio => Number::EIO,
            Errno::Enospc => Number::ENOSPC,
            Errno::Edquot => Number::EDQUOT,
            Errno::Eintr => Number::EINTR,
            Errno::Emfile => Number::EMFILE,
            Errno::Erofs => Number::EROFS,
            Errno::Exdev => Number::EXDEV,
            Errno::Einval => Number::EINVAL,
            Errno::Enosys => Number::ENOSYS,
            Errno::Eopnotsupp => Number::EOPNOTSUPP,
        })
    }
}
