//! The steps that concern transient packs.

use std::path::Path;
use std::time::{Duration, SystemTime};

use faultfs::{Fs, SimFs};
use plugpull_store::{
    Branch, Commit, Error, ObjectId, Options, PackAccess, PackKey, PackMemory, Result, Snapshot,
    Store, Ttl,
};

use super::{STORE, TIME, Writer, settle, text_of};
use crate::subject::journal::Journal;
use crate::subject::marks::Mark;
use crate::subject::plan::Bytes;

/// Where a server might serve the packs.
const SERVED_AT: &str = "http://packs.example";

/// A time of a plan: so many seconds after the run began.
pub(in crate::subject) fn after(seconds: u64) -> SystemTime {
    let start = u64::try_from(TIME).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_secs(start + seconds)
}

/// In milliseconds since 1970.
fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl<F: Fs> Writer<'_, F> {
    /// A pack of what a branch leads to; nothing where there is no such branch.
    pub(super) fn fetch(&self, branch: &str, have: Option<&str>, ttl: u64) -> Result<()> {
        let Some(tip) = self.store.read_branch(&Branch::new(branch)?)? else { return Ok(()) };
        let have = match have {
            Some(have) => self.store.read_branch(&Branch::new(have)?)?,
            None => None,
        };
        let have: Vec<_> = have.into_iter().collect();
        let (served_at, ttl) = match ttl {
            0 => (None, Ttl::default()),
            seconds => (Some(SERVED_AT), Ttl::new(Duration::from_secs(seconds))?),
        };
        let place = self.store.pack_directory(served_at);
        let fetched = self.store.fetch_pack(&place, &[tip], &have, ttl)?;
        match fetched.access {
            PackAccess::Inline(bytes) if ObjectId::of(&bytes) != fetched.id => {
                self.journal.mark(Mark::Failed("fetch: other bytes than said".to_owned()));
            }
            PackAccess::Inline(_) => {}
            // At least twice its time, whatever the store says.
            PackAccess::Url { key, due, reached, .. } => {
                let due = due.max(millis(after(2 * ttl.get().as_secs())));
                settle(self.journal, reached, Mark::Packed { key, due });
            }
        }
        Ok(())
    }

    /// Puts the bytes of a pack as an object.
    pub(super) fn keep_pack(&self, branch: &str) -> Result<()> {
        let Some(tip) = self.store.read_branch(&Branch::new(branch)?)? else { return Ok(()) };
        self.put(&bytes_of(&self.store, tip)?).map(|_| ())
    }

    /// Deletes what is due then.
    pub(super) fn sweep_packs(&self, seconds: u64) -> Result<()> {
        let now = after(seconds);
        self.journal.mark(Mark::Sweeping(millis(now)));
        let place = self.store.pack_directory(None);
        let swept = match self.store.sweep_packs(&place, now) {
            Err(Error::Io { path, source, .. })
                if path.starts_with(self.store.layout().packs()) =>
            {
                self.journal.mark(Mark::Told(source.to_string()));
                return Ok(());
            }
            swept => swept?,
        };
        tell_swept(self.journal, &swept.deleted, &swept.failed);
        Ok(())
    }

    /// Takes in a pack that another store has made.
    pub(super) fn import(&self, branch: &Branch, files: &[(&str, Bytes)]) -> Result<()> {
        let (other, commit) = self.elsewhere(files)?;
        let _held = self.pin()?;
        let tip = self.store.read_branch(branch)?;
        let imported = self.store.import_pack(&bytes_of(&other, commit)?)?;
        settle(self.journal, imported.reached, Mark::Put(commit));
        self.move_branch(branch, tip, Some(commit)).map(|_| ())
    }

    /// Another store with one commit, of which all is about to be written here.
    fn elsewhere(&self, files: &[(&str, Bytes)]) -> Result<(Store<SimFs>, ObjectId)> {
        let other = Store::init_on(SimFs::new(), Path::new(STORE), Options::default())?;
        let mut blobs = Vec::new();
        for (path, bytes) in files {
            let _ = other.put(bytes)?;
            blobs.push((*path, self.journal.writing(bytes, Vec::new())));
        }
        let ids = blobs.iter().map(|(_, id)| *id).collect();
        let snapshot = Snapshot::of(blobs)?;
        let _ = other.put_snapshot(&snapshot)?;
        let snapshot = self.journal.writing(&text_of(&snapshot), ids);
        let message = format!("{} step {}, elsewhere", self.name, self.steps);
        let commit = Commit::new([], snapshot, "writer", message, TIME);
        let _ = other.put_commit(&commit)?;
        let id = self.journal.writing(&text_of(&commit), vec![snapshot]);
        Ok((other, id))
    }
}

/// What a sweep has deleted, and what it could not delete.
pub(super) fn tell_swept(journal: &Journal, deleted: &[PackKey], failed: &[PackKey]) {
    for key in deleted {
        journal.mark(Mark::Unpacked(*key));
    }
    for key in failed {
        journal.mark(Mark::Failed(format!("delete {key}: to be tried again")));
    }
}

/// The bytes of the pack of all that a commit leads to.
fn bytes_of<F: Fs>(store: &Store<F>, tip: ObjectId) -> Result<Vec<u8>> {
    let place = PackMemory::without_urls();
    match store.fetch_pack(&place, &[tip], &[], Ttl::default())?.access {
        PackAccess::Inline(bytes) => Ok(bytes),
        PackAccess::Url { .. } => unreachable!("there are no URLs"),
    }
}
