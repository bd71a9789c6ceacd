//! What the records of a trace file say: the start image piece by piece, then the events.

use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::time;
use crate::{Attributes, DiskImage, Event, FileKind, Inode, PAGE};

/// One record. The order of the variants is part of the format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Record {
    /// A node of the start image; the root comes first.
    Node { inode: Inode, attributes: Carried, content: Content },
    /// Bytes of a file of the start image: one page, without the zeros at its end.
    Page { inode: Inode, index: u64, bytes: Arc<[u8]> },
    /// A name in the start image.
    Name { dir: Inode, name: Arc<[u8]>, inode: Inode },
    /// The start image is complete; events follow.
    Started,
    /// Something happened.
    Event(Event),
    /// The trace is complete; how many records came before this one.
    End { records: u64 },
    /// Something known about the run; before the start image.
    Note { name: String, value: String },
}

/// Attributes as they are written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Carried {
    mode: u32,
    #[serde(with = "time")]
    modified: SystemTime,
    xattrs: Vec<(Vec<u8>, Arc<[u8]>)>,
}

/// What kind of node it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Content {
    File { len: u64 },
    Dir,
    Symlink { target: Arc<[u8]> },
}

impl From<&Attributes> for Carried {
    fn from(attributes: &Attributes) -> Self {
        let xattrs = attributes.xattrs.iter();
        Self {
            mode: attributes.mode,
            modified: attributes.modified,
            xattrs: xattrs.map(|(name, value)| (name.clone(), Arc::clone(value))).collect(),
        }
    }
}

impl From<&Carried> for Attributes {
    fn from(carried: &Carried) -> Self {
        let xattrs = carried.xattrs.iter().cloned().collect();
        Self { mode: carried.mode, modified: carried.modified, xattrs: Arc::new(xattrs) }
    }
}

/// Hands every record of a start image to `put`: each node before its bytes and its names, directories
/// before what is in them. Nodes that no name leads to are not written.
pub(super) fn of_image<E>(
    image: &DiskImage,
    put: &mut dyn FnMut(&Record) -> Result<(), E>,
) -> Result<(), E> {
    let mut seen = std::collections::BTreeSet::from([DiskImage::ROOT]);
    let mut dirs = vec![DiskImage::ROOT];
    put(&node(image, DiskImage::ROOT))?;
    while let Some(dir) = dirs.pop() {
        for (name, inode) in image.entries(dir) {
            if seen.insert(inode) {
                put(&node(image, inode))?;
                of_pages(image, inode, put)?;
                if image.kind(inode) == Some(FileKind::Dir) {
                    dirs.push(inode);
                }
            }
            put(&Record::Name { dir, name: name.into(), inode })?;
        }
    }
    put(&Record::Started)
}

fn of_pages<E>(
    image: &DiskImage,
    inode: Inode,
    put: &mut dyn FnMut(&Record) -> Result<(), E>,
) -> Result<(), E> {
    if image.kind(inode) != Some(FileKind::File) {
        return Ok(());
    }
    for (index, page) in image.pages(inode) {
        let start = index.saturating_mul(PAGE as u64);
        let bytes = page.bytes();
        let visible = image.len(inode).saturating_sub(start).min(PAGE as u64);
        let visible = bytes.get(..usize::try_from(visible).unwrap_or(PAGE)).unwrap_or_default();
        let used = visible.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        if used > 0 {
            put(&Record::Page { inode, index, bytes: visible[..used].into() })?;
        }
    }
    Ok(())
}

fn node(image: &DiskImage, inode: Inode) -> Record {
    let attributes = image.attributes(inode).cloned().unwrap_or_else(|| Attributes::new(0));
    let content = match image.kind(inode) {
        Some(FileKind::File) => Content::File { len: image.len(inode) },
        Some(FileKind::Symlink) => {
            Content::Symlink { target: image.symlink_target(inode).unwrap_or_default().into() }
        }
        _ => Content::Dir,
    };
    Record::Node { inode, attributes: Carried::from(&attributes), content }
}
