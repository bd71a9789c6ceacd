//! A trace as JSON lines, for people and their tools: with paths, and lengths instead of bytes.
//!
//! Not for reading back: the trace file is.

use std::io::{self, Write};
use std::time::SystemTime;

use serde_json::{Value, json};

use super::{Event, Trace};
use crate::{DiskImage, Entry, Inode, Op, Reverted, time};

impl Trace {
    /// Writes one JSON object for each event. Paths are those at the time of the event; bytes that are
    /// not UTF-8 are replaced.
    pub fn write_lines(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut image = self.start.clone();
        for (n, event) in self.events.iter().enumerate() {
            let line = match event {
                Event::Mark(text) => json!({ "n": n, "mark": text_of(text) }),
                Event::Op { thread, time, op } => {
                    let mut line = describe(&image, op);
                    line["n"] = n.into();
                    line["thread"] = (*thread).into();
                    line["time"] = seconds(*time);
                    op.apply(&mut image, *time);
                    line
                }
            };
            writeln!(out, "{line}")?;
        }
        Ok(())
    }
}

fn describe(image: &DiskImage, op: &Op) -> Value {
    let at = |entry: &Entry| format!("{}/{}", dir_path(image, entry.dir), text_of(&entry.name));
    let file = |inode: &Inode| path_of(image, *inode);
    match op {
        Op::Create { at: entry, inode, mode } => {
            json!({ "op": "create", "path": at(entry), "inode": inode, "mode": mode })
        }
        Op::Mkdir { at: entry, inode, mode } => {
            json!({ "op": "mkdir", "path": at(entry), "inode": inode, "mode": mode })
        }
        Op::Symlink { at: entry, inode, target } => {
            json!({ "op": "symlink", "path": at(entry), "inode": inode, "target": text_of(target) })
        }
        Op::Link { inode, at: entry } => {
            json!({ "op": "link", "path": file(inode), "inode": inode, "to": at(entry) })
        }
        Op::Unlink { at: entry, inode } => {
            json!({ "op": "unlink", "path": at(entry), "inode": inode })
        }
        Op::Rmdir { at: entry, inode } => {
            json!({ "op": "rmdir", "path": at(entry), "inode": inode })
        }
        Op::Rename { inode, from, to, replaced, exchange } => json!({
            "op": if *exchange { "exchange" } else { "rename" },
            "path": at(from), "inode": inode, "to": at(to), "replaced": replaced,
        }),
        Op::Write { inode, offset, bytes } | Op::WriteBack { inode, offset, bytes } => json!({
            "op": if matches!(op, Op::Write { .. }) { "write" } else { "write_back" },
            "path": file(inode), "inode": inode,
            "offset": offset, "len": bytes.len(),
        }),
        Op::SetLen { inode, len } => {
            json!({ "op": "set_len", "path": file(inode), "inode": inode, "len": len })
        }
        Op::SetMode { inode, mode } => {
            json!({ "op": "set_mode", "path": file(inode), "inode": inode, "mode": mode })
        }
        Op::SetModified { inode, time } => json!({
            "op": "set_modified", "path": file(inode), "inode": inode, "to": seconds(*time),
        }),
        Op::SetXattr { inode, name, value } => json!({
            "op": if value.is_some() { "set_xattr" } else { "remove_xattr" },
            "path": file(inode), "inode": inode, "name": text_of(name),
            "len": value.as_ref().map(|value| value.len()),
        }),
        Op::SyncRange { inode, offset, len, all } => json!({
            "op": if *all { "sync_all" } else { "sync_data" },
            "path": file(inode), "inode": inode, "offset": offset, "len": len,
        }),
        Op::SyncData { inode } => {
            json!({ "op": "sync_data", "path": file(inode), "inode": inode })
        }
        Op::SyncFs => json!({ "op": "sync_fs" }),
        Op::SyncAll { inode } => json!({ "op": "sync_all", "path": file(inode), "inode": inode }),
        Op::SyncFailed { inode, drops, reverted } => {
            let pages = |r: &Reverted| r.pages.iter().map(|(index, _)| *index).collect::<Vec<_>>();
            let reverted = reverted.as_ref().map(|r| json!({ "len": r.len, "pages": pages(r) }));
            json!({
                "op": "sync_failed", "path": file(inode), "inode": inode,
                "drops": drops, "reverted": reverted,
            })
        }
    }
}

/// Deepest path that is told. A trace made by hand may hold directories below themselves.
const DEEPEST: usize = 4096;

/// A path of the inode; none when no name leads to it any more.
fn path_of(image: &DiskImage, inode: Inode) -> Option<String> {
    let mut names = Vec::new();
    let mut next = inode;
    while next != DiskImage::ROOT {
        let (dir, name) = image.names(next).next()?;
        names.push(text_of(name));
        next = dir;
        if names.len() > DEEPEST {
            return None;
        }
    }
    names.reverse();
    Some(format!("/{}", names.join("/")))
}

/// The path of a directory, without a slash at its end.
fn dir_path(image: &DiskImage, dir: Inode) -> String {
    path_of(image, dir).filter(|path| path != "/").unwrap_or_default()
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn seconds(at: SystemTime) -> Value {
    let (seconds, nanos) = time::to_parts(at);
    #[expect(clippy::cast_precision_loss, reason = "for people; the trace file has it exactly")]
    let seconds = seconds as f64 + f64::from(nanos) / 1e9;
    seconds.into()
}
