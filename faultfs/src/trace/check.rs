//! Whether records fit together: a file with right checksums may still be made by hand or by a bug, and
//! an image must never be asked for what it does not have.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::record::{Content, Record};
use crate::{Attributes, DiskImage, Entry, Event, FileKind, Inode, Op, PAGE, Page, Reverted};

/// Longest name of a directory entry, in bytes.
const NAME_MAX: usize = 255;

/// Largest file, as on Linux: offsets are signed.
const MAX_LEN: u64 = i64::MAX as u64;

/// What is known of a trace that is being read.
pub(super) struct Check {
    image: DiskImage,
    kinds: BTreeMap<Inode, FileKind>,
}

type Checked = Result<(), &'static str>;

impl Check {
    pub(super) fn new() -> Self {
        let kinds = BTreeMap::from([(DiskImage::ROOT, FileKind::Dir)]);
        Self { image: DiskImage::new(), kinds }
    }

    /// With a start image that is known.
    pub(super) fn over(start: &DiskImage) -> Self {
        let mut check = Self { image: start.clone(), ..Self::new() };
        let mut dirs = vec![DiskImage::ROOT];
        while let Some(dir) = dirs.pop() {
            for (_, inode) in start.entries(dir) {
                let Some(kind) = start.kind(inode) else { continue };
                if check.kinds.insert(inode, kind).is_none() && kind == FileKind::Dir {
                    dirs.push(inode);
                }
            }
        }
        check
    }

    /// The start image, once it is complete.
    pub(super) fn image(&self) -> &DiskImage {
        &self.image
    }

    /// Adds a record of the start image, if it fits.
    pub(super) fn add(&mut self, record: &Record) -> Checked {
        match record {
            Record::Node { inode, attributes, content } => {
                self.add_node(*inode, attributes.into(), content)
            }
            Record::Page { inode, index, bytes } => self.add_page(*inode, *index, bytes),
            Record::Name { dir, name, inode } => self.add_name(*dir, name, *inode),
            _ => Err("an event before the start image is complete"),
        }
    }

    fn add_node(&mut self, inode: Inode, attributes: Attributes, content: &Content) -> Checked {
        if inode == DiskImage::ROOT {
            if *content != Content::Dir {
                return Err("the root is no directory");
            }
            self.image.set_attributes(inode, attributes);
            return Ok(());
        }
        match content {
            Content::File { len } => {
                is_len(*len)?;
                self.new_inode(inode, FileKind::File)?;
            }
            Content::Dir => self.new_inode(inode, FileKind::Dir)?,
            Content::Symlink { .. } => self.new_inode(inode, FileKind::Symlink)?,
        }
        match content {
            Content::File { len } => {
                self.image.insert_file(inode, attributes);
                self.image.set_len(inode, *len);
            }
            Content::Dir => self.image.insert_dir(inode, attributes),
            Content::Symlink { target } => {
                self.image.insert_symlink(inode, target.to_vec(), attributes);
            }
        }
        Ok(())
    }

    fn add_page(&mut self, inode: Inode, index: u64, bytes: &[u8]) -> Checked {
        self.is(inode, FileKind::File)?;
        is_page(index, bytes, self.image.len(inode))?;
        self.image.set_page(inode, index, Some(Arc::new(Page::new(bytes))));
        Ok(())
    }

    fn add_name(&mut self, dir: Inode, name: &[u8], inode: Inode) -> Checked {
        self.is(dir, FileKind::Dir)?;
        is_name(name)?;
        self.is_known(inode)?;
        let is_dir = self.kinds.get(&inode) == Some(&FileKind::Dir);
        if is_dir && (inode == DiskImage::ROOT || self.image.parent(inode).is_some()) {
            return Err("a directory with two names");
        }
        if self.image.lookup(dir, name).is_some() {
            return Err("a name that is there twice");
        }
        self.image.set_entry(dir, name, Some(inode));
        Ok(())
    }

    /// Whether an event fits what came before; remembers what it makes.
    pub(super) fn event(&mut self, event: &Event) -> Checked {
        let Event::Op { op, .. } = event else { return Ok(()) };
        match op {
            Op::Create { at, inode, .. } => self.make(at, *inode, FileKind::File),
            Op::Mkdir { at, inode, .. } => self.make(at, *inode, FileKind::Dir),
            Op::Symlink { at, inode, .. } => self.make(at, *inode, FileKind::Symlink),
            Op::Link { inode, at } | Op::Unlink { at, inode } | Op::Rmdir { at, inode } => {
                self.is_entry(at)?;
                self.can_be_named(*inode)
            }
            Op::Rename { inode, from, to, replaced, .. } => {
                self.is_entry(from)?;
                self.is_entry(to)?;
                self.can_be_named(*inode)?;
                replaced.map_or(Ok(()), |replaced| self.can_be_named(replaced))
            }
            Op::Write { inode, offset, bytes } | Op::WriteBack { inode, offset, bytes } => {
                self.is(*inode, FileKind::File)?;
                let end = offset.checked_add(bytes.len() as u64);
                end.filter(|end| *end <= MAX_LEN).map(|_| ()).ok_or("a write beyond any file")
            }
            Op::SetLen { inode, len } => {
                self.is(*inode, FileKind::File)?;
                is_len(*len)
            }
            Op::SyncFailed { inode, reverted: Some(Reverted { len, pages }), .. } => {
                self.is(*inode, FileKind::File)?;
                is_len(*len)?;
                pages.iter().try_for_each(|(index, bytes)| is_page(*index, bytes, *len))
            }
            Op::SyncRange { inode, offset, len, .. } => {
                self.is(*inode, FileKind::File)?;
                offset.checked_add(*len).map(|_| ()).ok_or("a barrier beyond any file")
            }
            Op::SyncFs => Ok(()),
            Op::SetMode { inode, .. }
            | Op::SetXattr { inode, .. }
            | Op::SetModified { inode, .. }
            | Op::SyncData { inode }
            | Op::SyncAll { inode }
            | Op::SyncFailed { inode, reverted: None, .. } => self.is_known(*inode),
        }
    }

    fn make(&mut self, at: &Entry, inode: Inode, kind: FileKind) -> Checked {
        self.is_entry(at)?;
        self.new_inode(inode, kind)
    }

    fn new_inode(&mut self, inode: Inode, kind: FileKind) -> Checked {
        match self.kinds.insert(inode, kind) {
            None => Ok(()),
            Some(_) => Err("an inode that is made twice"),
        }
    }

    fn is_entry(&self, at: &Entry) -> Checked {
        self.is(at.dir, FileKind::Dir)?;
        is_name(&at.name)
    }

    fn is(&self, inode: Inode, kind: FileKind) -> Checked {
        if self.kinds.get(&inode) == Some(&kind) { Ok(()) } else { Err("an inode of another kind") }
    }

    fn can_be_named(&self, inode: Inode) -> Checked {
        if inode == DiskImage::ROOT {
            return Err("the root with a name");
        }
        self.is_known(inode)
    }

    fn is_known(&self, inode: Inode) -> Checked {
        if self.kinds.contains_key(&inode) { Ok(()) } else { Err("an inode that is not there") }
    }
}

fn is_len(len: u64) -> Checked {
    if len > MAX_LEN { Err("a file that is too long") } else { Ok(()) }
}

/// Whether it can be a page of a file of this length, without the zeros at the page's end.
fn is_page(index: u64, bytes: &[u8], len: u64) -> Checked {
    let start = index.checked_mul(PAGE as u64).ok_or("a page beyond any file")?;
    let end = start.checked_add(bytes.len() as u64).filter(|_| bytes.len() <= PAGE);
    end.filter(|end| *end <= len).map(|_| ()).ok_or("bytes beyond the end of their file")
}

fn is_name(name: &[u8]) -> Checked {
    let odd = name.is_empty() || name.len() > NAME_MAX || name == b"." || name == b"..";
    if odd || name.iter().any(|byte| matches!(byte, b'/' | 0)) {
        return Err("a name that no entry can have");
    }
    Ok(())
}
