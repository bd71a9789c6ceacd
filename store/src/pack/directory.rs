//! Packs in the store's own directory `packs`, by the protocol of every write.
//!
//! A directory has no URLs of its own. Where some server serves it, that server's address is given, and
//! a URL is that and the key: it is not signed and ends only with the pack.

use faultfs::{Access, Fs, FsFile};

use crate::atomic::{Barriers, replace};
use crate::barrier::Barrier;
use crate::disk::{Disk, is_there};
use crate::durability::Reached;
use crate::error::{At, Result, found};
use crate::layout::Layout;
use crate::open::Store;
use crate::pack::{PackBackend, PackKey, Ttl};
use crate::planted::Bug;

/// The name of every store's own directory in its leases.
pub(crate) const DIRECTORY: &str = "directory";

/// The packs of a store in its own directory.
pub struct PackDirectory<'s, F: Fs> {
    disk: Disk<'s, F>,
    layout: &'s Layout,
    served_at: Option<String>,
}

impl<F: Fs> Store<F> {
    /// The store's own place for packs; `served_at` is the address under which a server serves the
    /// store's directory `packs`. Without one there are no URLs.
    pub fn pack_directory(&self, served_at: Option<&str>) -> PackDirectory<'_, F> {
        let served_at = served_at.map(|url| url.trim_end_matches('/').to_owned());
        PackDirectory { disk: self.disk(), layout: self.layout(), served_at }
    }
}

impl<F: Fs> PackBackend for PackDirectory<'_, F> {
    fn name(&self) -> &'static str {
        DIRECTORY
    }

    fn has_urls(&self) -> bool {
        self.served_at.is_some()
    }

    /// Writes it also when it is there: who has put it may have been killed before the barriers.
    fn put(&self, key: &PackKey, bytes: &[u8]) -> Result<Reached> {
        const PACK: Barriers = Barriers { file: Barrier::PackFile, dir: Barrier::PackDir };
        if self.disk.has(Bug::PackTrusted) && self.exists(key)? {
            return Ok(Reached::Durable);
        }
        Ok(replace(self.disk, &self.layout.pack(key), bytes, PACK)?.reached)
    }

    fn get(&self, key: &PackKey) -> Result<Option<Vec<u8>>> {
        let path = self.layout.pack(key);
        let Some(file) = found(self.disk.fs.open(&path, Access::Read)).at("open", &path)? else {
            return Ok(None);
        };
        let len = file.metadata().at("stat", &path)?.len;
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
        let n = file.read_full_at(&mut bytes, 0).at("read", &path)?;
        bytes.truncate(n);
        Ok(Some(bytes))
    }

    fn exists(&self, key: &PackKey) -> Result<bool> {
        let path = self.layout.pack(key);
        is_there(self.disk.fs, &path)
    }

    /// The barrier also when it was not there: who removed it may have been killed before.
    fn delete(&self, key: &PackKey) -> Result<()> {
        if self.disk.has(Bug::PackDeletesObject) {
            let _ = self.disk.fs.unlink(&self.layout.object(&key.id));
        }
        let path = self.layout.pack(key);
        found(self.disk.fs.unlink(&path)).at("remove", &path)?;
        self.disk.sync_dir(Barrier::DeletedPack, &self.layout.packs()).map(|_| ())
    }

    fn url(&self, key: &PackKey, _: Ttl) -> Result<String> {
        Ok(format!("{}/{key}", self.served_at.as_deref().unwrap_or_default()))
    }
}
