//! Names that come from outside and become paths: branch names and paths in a snapshot.
//!
//! Checked once, on entry; a [`Branch`] in hand is good. No part of a branch name starts with a dot,
//! so no branch can be taken for a temp, and none leaves its folder.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Longest branch name, and longest part of a path, in bytes (NAME_MAX of Linux).
const MAX_NAME: usize = 255;

/// Longest path in a snapshot, in bytes (PATH_MAX of Linux, with its closing NUL).
const MAX_PATH: usize = 4095;

/// A checked branch name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Branch(String);

impl Branch {
    /// Checks `name`: parts joined by `/`; no part is empty, starts or ends with a dot or ends with
    /// `.lock`; no control character, space, or any of `\ : ? * [ ~ ^`; at most 255 bytes in all.
    pub fn new(name: &str) -> Result<Self> {
        match problem_of_branch(name) {
            None => Ok(Self(name.to_owned())),
            Some(problem) => Err(Error::BadBranch { name: name.to_owned(), problem }),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Branch> for String {
    fn from(branch: Branch) -> Self {
        branch.0
    }
}

impl TryFrom<String> for Branch {
    type Error = Error;

    fn try_from(name: String) -> Result<Self> {
        Self::new(&name)
    }
}

impl fmt::Display for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn problem_of_branch(name: &str) -> Option<&'static str> {
    if name.len() > MAX_NAME {
        return Some("it is longer than 255 bytes");
    }
    if name.contains(|c: char| c.is_control() || "\\:?*[~^ ".contains(c)) {
        return Some("it has a space, a control character or one of \\ : ? * [ ~ ^");
    }
    name.split('/').find_map(|part| match part {
        "" => Some("it has an empty part"),
        _ if part.starts_with('.') => Some("a part starts with a dot"),
        _ if part.ends_with('.') => Some("a part ends with a dot"),
        _ if part.strip_suffix(".lock").is_some() => Some("a part ends with .lock"),
        _ => None,
    })
}

/// Checks a path of a snapshot: relative, `/` between parts, no `.` or `..`, nothing empty, no NUL.
pub(crate) fn check_snapshot_path(path: &str) -> Result<()> {
    let problem = if path.len() > MAX_PATH {
        Some("it is longer than 4095 bytes")
    } else if path.contains('\0') {
        Some("it has a NUL")
    } else {
        path.split('/').find_map(|part| match part {
            "" => Some("it has an empty part"),
            "." | ".." => Some("it has a part `.` or `..`"),
            _ if part.len() > MAX_NAME => Some("a part is longer than 255 bytes"),
            _ => None,
        })
    };
    match problem {
        None => Ok(()),
        Some(problem) => Err(Error::BadPath { path: path.to_owned(), problem }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::{Component, Path};

    #[test]
    fn good_names_pass() {
        for name in ["main", "feat/my-thing", "a.b/c", "\u{fc}ber", &"x".repeat(255)] {
            assert_eq!(Branch::new(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn names_that_would_leave_their_folder_or_look_like_a_temp_are_refused() {
        let bad = [
            "",
            "/",
            "a//b",
            "/a",
            "a/",
            "..",
            "../escape",
            "bad/../../traversal",
            ".hidden",
            "feat/.state-tmp-x",
            "a.",
            "a/b.lock",
            "a b",
            "a\\b",
            "a\nb",
            "a\0b",
            &"x".repeat(256),
        ];
        for name in bad {
            assert!(matches!(Branch::new(name), Err(Error::BadBranch { .. })), "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn a_good_name_is_a_path_of_plain_parts(name in "[a-z./-]{0,12}") {
            if let Ok(branch) = Branch::new(&name) {
                let path = Path::new(branch.as_str());
                prop_assert!(path.components().all(|c| matches!(c, Component::Normal(_))));
                prop_assert_eq!(path.components().count(), name.split('/').count());
            }
            if check_snapshot_path(&name).is_ok() {
                let mut parts = Path::new(&name).components();
                prop_assert!(parts.all(|c| matches!(c, Component::Normal(_))));
            }
        }
    }
}
