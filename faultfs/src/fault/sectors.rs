//! What sectors of files held before they were last overwritten, for reads that miss the last
//! write.
//!
//! Not for files that are changed behind the watched disk: their old bytes are unknown.

use std::collections::BTreeMap;
use std::io;

use crate::FsFile;

/// Bytes of a sector: what a disk writes in one step.
pub(super) const SECTOR: usize = 512;

/// The old sectors, by inode and by their number in the file.
#[derive(Default)]
pub(super) struct Sectors(BTreeMap<(u64, u64), [u8; SECTOR]>);

/// Bytes of a read, and what was there before: where in the read they begin, and the old ones.
type Stale<'a> = (usize, &'a [u8]);

impl Sectors {
    /// Keeps what is in the sectors that a write is about to touch. Those beyond the end are not
    /// overwritten, but new.
    pub(super) fn remember(
        &mut self,
        file: &dyn FsFile,
        offset: u64,
        len: usize,
    ) -> io::Result<()> {
        let inode = file.metadata()?.inode;
        for sector in touched(offset, len) {
            let mut old = [0; SECTOR];
            if file.read_full_at(&mut old, sector * SECTOR as u64)? > 0 {
                self.0.insert((inode, sector), old);
            }
        }
        Ok(())
    }

    /// The parts of a read that were something else before, sector by sector.
    pub(super) fn stale(
        &self,
        file: &dyn FsFile,
        offset: u64,
        read: &[u8],
    ) -> io::Result<Vec<Stale<'_>>> {
        let inode = file.metadata()?.inode;
        let mut stale = Vec::new();
        // Where in the read, and in its first sector, the next part begins.
        let mut at = 0;
        let mut skip = usize::try_from(offset % SECTOR as u64).expect("less than a sector");
        for sector in touched(offset, read.len()) {
            let len = (SECTOR - skip).min(read.len() - at);
            if let Some(old) = self.0.get(&(inode, sector)) {
                let old = &old[skip..skip + len];
                if *old != read[at..at + len] {
                    stale.push((at, old));
                }
            }
            at += len;
            skip = 0;
        }
        Ok(stale)
    }
}

/// The sectors that a range lies in.
fn touched(offset: u64, len: usize) -> std::ops::Range<u64> {
    let end = offset.saturating_add(len as u64);
    offset / SECTOR as u64..end.div_ceil(SECTOR as u64)
}
