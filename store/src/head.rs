//! HEAD: which branch or commit is checked out.
//!
//! Two exact forms: `ref: refs/heads/<branch>\n` and `commit: <id>\n`.

use faultfs::Fs;

use crate::atomic::{Barriers, replace};
use crate::barrier::Barrier;
use crate::commit::Commit;
use crate::durability::{Reached, Receipt};
use crate::error::{Error, Result};
use crate::id::ObjectId;
use crate::name::Branch;
use crate::open::{Store, read_state};
use crate::planted::{Bug, wrong};

const HEAD: Barriers = Barriers { file: Barrier::HeadFile, dir: Barrier::HeadDir };

const BRANCH_FORM: &str = "ref: refs/heads/";
const COMMIT_FORM: &str = "commit: ";

/// What is checked out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Head {
    /// A branch, which need not have a commit yet.
    Branch(Branch),
    /// A commit, on no branch.
    Detached(ObjectId),
}

impl Head {
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Branch(branch) => format!("{BRANCH_FORM}{branch}\n"),
            Self::Detached(id) => format!("{COMMIT_FORM}{id}\n"),
        }
    }

    pub(crate) fn parse(bytes: &[u8]) -> std::result::Result<Self, String> {
        let line = std::str::from_utf8(bytes).ok().and_then(|text| text.strip_suffix('\n'));
        let line = line.ok_or("it is not one line of text")?;
        if let Some(name) = line.strip_prefix(BRANCH_FORM) {
            Branch::new(name).map(Self::Branch).map_err(|e| e.to_string())
        } else if let Some(id) = line.strip_prefix(COMMIT_FORM) {
            id.parse().map(Self::Detached).map_err(|e: Error| e.to_string())
        } else {
            Err("it names neither a branch nor a commit".to_owned())
        }
    }
}

impl<F: Fs> Store<F> {
    /// Sets HEAD; a commit must be in the store, a branch need not exist yet. Waits for a checkout that is
    /// under way, and first finishes one whose process died.
    pub fn set_head(&self, head: &Head) -> Result<Receipt> {
        let _pin = self.pin_as_it_is()?;
        let _lock = self.begin_operations()?;
        self.write_head(head)
    }

    /// Sets HEAD, also as a step of an operation over several files. Under the lock of those.
    pub(crate) fn write_head(&self, head: &Head) -> Result<Receipt> {
        let reached = match head {
            Head::Detached(id) => {
                self.require::<Commit>(id, Barrier::CommitOfHead, &|| "HEAD".to_owned())?
            }
            Head::Branch(_) => Reached::Durable,
        };
        let _lock = self.lock_ref("HEAD")?;
        let (path, text) = (self.layout().head(), head.text());
        if self.has(Bug::HeadInPlace) {
            return wrong::overwrite(self.fs(), &path, text.as_bytes());
        }
        Ok(replace(self.disk(), &path, text.as_bytes(), HEAD)?.after(reached))
    }

    /// Reads HEAD; `None` when the file is missing, which no operation of the store leaves behind.
    pub fn head(&self) -> Result<Option<Head>> {
        let path = self.layout().head();
        let Some(bytes) = read_state(self.fs(), &path)? else {
            return Ok(None);
        };
        Head::parse(&bytes).map(Some).map_err(|problem| Error::Corrupt { path, problem })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn only_the_two_forms_are_read(bytes: Vec<u8>, name in "[a-z/.]{0,8}") {
            for text in [bytes, format!("ref: refs/heads/{name}\n").into_bytes()] {
                if let Ok(head) = Head::parse(&text) {
                    prop_assert_eq!(head.text().into_bytes(), text);
                }
            }
        }
    }
}
