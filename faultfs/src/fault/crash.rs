//! Faults of the moment in which the power goes, put on a disk image: torn writes, lost pages, cut
//! files.
//!
//! Not for what a working disk may leave: this is a disk that breaks its word about what it wrote.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::inject::Armed;
use super::sectors::SECTOR;
use super::{Fault, Faults, Torn, glob};
use crate::{DiskImage, FileKind, Inode, PAGE};

impl Faults {
    /// Puts the plan's crash-time faults on `image`, the disk after a power cut, and counts them as
    /// fired.
    ///
    /// `before` is the disk before the writes that may be broken: before one Op, to tear that Op;
    /// as the last barrier left it, to tear what is pending. What a rule's pattern goes over are,
    /// in the order of paths, changed files for a torn write, changed pages for a dropped page,
    /// files that are not empty for a truncated file. A file with several names goes by the first
    /// of them.
    pub fn crash(&self, before: &DiskImage, image: &mut DiskImage) {
        let files = files(image);
        for armed in &mut self.state().rules {
            for (path, inode) in &files {
                if glob::matches(&armed.rule.path, path) {
                    break_file(armed, before, image, *inode);
                }
            }
        }
    }
}

fn break_file(armed: &mut Armed, before: &DiskImage, image: &mut DiskImage, inode: Inode) {
    let fault = armed.rule.fault;
    match fault {
        Fault::TornWrite(tear) => {
            let sectors = changed(before, image, inode, SECTOR);
            if !sectors.is_empty() && armed.hits_next() {
                for sector in lost(armed, tear, sectors) {
                    restore(before, image, inode, sector, SECTOR);
                }
            }
        }
        Fault::DroppedPage => {
            for page in changed(before, image, inode, PAGE) {
                if armed.hits_next() {
                    restore(before, image, inode, page, PAGE);
                }
            }
        }
        Fault::TruncatedFile if image.len(inode) > 0 && armed.hits_next() => {
            image.set_len(inode, armed.rng.below(image.len(inode)));
        }
        _ => {}
    }
}

/// Which of the changed sectors are not written: at least one.
fn lost(armed: &mut Armed, tear: Torn, sectors: Vec<u64>) -> Vec<u64> {
    let first = armed.rng.index(sectors.len());
    let mut is_lost = |n: usize| match tear {
        Torn::Prefix => n >= first,
        Torn::Subset => n == first || armed.rng.below(2) == 0,
    };
    let sectors = sectors.into_iter().enumerate();
    sectors.filter(|(n, _)| is_lost(*n)).map(|(_, sector)| sector).collect()
}

/// Where the blocks of a file begin that hold other bytes than before, as far as it is long.
fn changed(before: &DiskImage, image: &DiskImage, inode: Inode, block: usize) -> Vec<u64> {
    let pages = image.changed_pages(before, inode).into_iter();
    let starts = pages.flat_map(|page| {
        let start = page.saturating_mul(PAGE as u64);
        (start..start.saturating_add(PAGE as u64)).step_by(block)
    });
    let differs = |start: &u64| {
        let (mut old, mut new) = ([0; PAGE], [0; PAGE]);
        let n = image.read(inode, &mut new[..block], *start);
        before.read(inode, &mut old[..n], *start);
        old != new
    };
    starts.filter(differs).collect()
}

/// Makes a block what it was; where there was nothing, zeros. The length stays.
fn restore(before: &DiskImage, image: &mut DiskImage, inode: Inode, start: u64, block: usize) {
    let mut bytes = [0; PAGE];
    let n = image.read(inode, &mut bytes[..block], start);
    bytes.fill(0);
    before.read(inode, &mut bytes[..n], start);
    image.write(inode, &bytes[..n], start);
}

/// All files that a path leads to, by the first of their paths.
fn files(image: &DiskImage) -> Vec<(PathBuf, Inode)> {
    let mut files = Vec::new();
    let mut dirs = vec![(PathBuf::from("/"), DiskImage::ROOT)];
    while let Some((path, dir)) = dirs.pop() {
        for (name, inode) in image.entries(dir) {
            let path = path.join(OsStr::from_bytes(name));
            match image.kind(inode) {
                Some(FileKind::Dir) => dirs.push((path, inode)),
                Some(FileKind::File) => files.push((path, inode)),
                _ => {}
            }
        }
    }
    files.sort_unstable();
    let mut seen = BTreeSet::new();
    files.retain(|(_, inode)| seen.insert(*inode));
    files
}
