//! Files that change below the programs that use them: pages whose write-back failed, and files that are cut off.
//!
//! Both are recorded as what they look like to a program, so that power cuts after them are those of a trace. Not
//! for faults of calls (`faults`).

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;

use faultfs::{DiskImage, FileKind, Inode, Op, PAGE, PersistOrder, Reverted, Trace, Window};

use super::session::below;
use super::{Answer, Pages, Session};
use crate::exit::Failure;

impl Session {
    /// Pages of a file that are not durable become what is on disk, and no later barrier brings them back. The
    /// length stays, as it does on file systems that keep it in their journal.
    pub(super) fn drop_pages(&self, file: &Path, pages: Option<&Pages>) -> Result<Answer, Failure> {
        let model = self.settings.model.clone();
        let path = self.path_on_disk(file);
        let decide = |trace: &Trace, now: &DiskImage| {
            let inode = file_at(now, &path)?;
            let order = PersistOrder::new(trace, &model);
            let window = Window::at(&order, order.events());
            let lost = Lost { now, durable: window.durable(), inode };
            // Those that show now; what is cut off and not durably so is a matter of the length.
            let changed = window.durable().differing_pages(now, inode);
            let (dropped, kept): (Vec<_>, Vec<_>) =
                changed.into_iter().partition(|page| pages.is_none_or(|p| p.contains(*page)));
            let ops = if dropped.is_empty() { Vec::new() } else { lost.ops(&kept) };
            Ok::<_, Failure>((ops, (dropped, kept)))
        };
        let (pages, kept) = self.mount.change_below(decide).map_err(below)??;
        Ok(Answer::Drop { file: path, pages, kept })
    }

    /// A file loses its end, in memory and on disk.
    pub(super) fn truncate(&self, file: &Path, after: u64) -> Result<Answer, Failure> {
        let path = self.path_on_disk(file);
        let decide = |_: &Trace, now: &DiskImage| {
            let inode = file_at(now, &path)?;
            let before = now.len(inode);
            if after > before {
                return Err(Failure::Usage(format!("{path} has only {before} bytes")));
            }
            let ops = vec![Op::SetLen { inode, len: after }, Op::SyncData { inode }];
            Ok((if after == before { Vec::new() } else { ops }, before))
        };
        let before = self.mount.change_below(decide).map_err(below)??;
        Ok(Answer::Truncate { file: path, before, after })
    }

    /// A path from the root of the mount, for people.
    fn path_on_disk(&self, file: &Path) -> String {
        let below = file.strip_prefix(&self.settings.dir).unwrap_or(file);
        below.display().to_string()
    }
}

fn file_at(image: &DiskImage, path: &str) -> Result<Inode, Failure> {
    let found = image.find(Path::new(OsStr::new(path)));
    let inode =
        found.ok_or_else(|| Failure::Usage(format!("there is no file {path} on the disk")))?;
    if image.kind(inode) != Some(FileKind::File) {
        return Err(Failure::Usage(format!("{path} is no file")));
    }
    Ok(inode)
}

/// A file whose pages are lost.
struct Lost<'a> {
    now: &'a DiskImage,
    durable: &'a DiskImage,
    inode: Inode,
}

impl Lost<'_> {
    /// First all goes back to what is on disk, as nothing less can be said of a file in a trace; then what is to
    /// stay is written once more.
    fn ops(&self, kept: &[u64]) -> Vec<Op> {
        let inode = self.inode;
        let (len, durable_len) = (self.now.len(inode), self.durable.len(inode));
        let back = self.now.differing_pages(self.durable, inode).into_iter();
        let pages = back.map(|page| (page, without_zeros(self.page_of(self.durable, page))));
        let reverted = Reverted { len: durable_len, pages: pages.collect() };
        let mut ops = vec![Op::SyncFailed { inode, drops: true, reverted: Some(reverted) }];
        if len != durable_len {
            ops.push(Op::SetLen { inode, len });
        }
        let written = kept.iter().map(|page| (page * PAGE as u64, self.page_of(self.now, *page)));
        let written = written.filter(|(_, bytes)| !bytes.is_empty());
        ops.extend(written.map(|(offset, bytes)| Op::Write { inode, offset, bytes: bytes.into() }));
        ops
    }

    /// A page as far as the file goes.
    fn page_of(&self, image: &DiskImage, page: u64) -> Vec<u8> {
        let mut bytes = vec![0; PAGE];
        let count = image.read(self.inode, &mut bytes, page * PAGE as u64);
        bytes.truncate(count);
        bytes
    }
}

fn without_zeros(mut bytes: Vec<u8>) -> Arc<[u8]> {
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    bytes.truncate(used);
    bytes.into()
}
