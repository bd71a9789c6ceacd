//! The two files of a mount that are no files of the disk: each line written to them is a Mark.
//!
//! They are never listed and never recorded. Not for telling who wrote a line: a shell and its
//! children share one standard output.

use std::sync::Mutex;

use super::shared::lock;
use crate::{DiskImage, Inode, SimFs};

/// A line is a Mark at the latest when it has this many bytes.
const LONGEST: usize = 1 << 20;

/// Where a program's standard output is handed on to.
pub(super) type Output = Box<dyn FnMut(&[u8]) + Send>;

/// One of the two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Special {
    /// Lines are Marks, and nothing else.
    Marks,
    /// The same for standard output, which is handed on as well.
    Stdout,
}

impl Special {
    /// Its name in the root.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Marks => ".plugpull-marks",
            Self::Stdout => ".plugpull-stdout",
        }
    }

    /// Its inode: no disk has so many.
    pub(super) fn inode(self) -> Inode {
        match self {
            Self::Marks => Inode(i64::MAX as u64),
            Self::Stdout => Inode(i64::MAX as u64 - 1),
        }
    }

    /// Whether an inode is one of them.
    pub(super) fn of(inode: Inode) -> Option<Self> {
        [Self::Marks, Self::Stdout].into_iter().find(|special| special.inode() == inode)
    }

    /// Whether a name is one of theirs.
    pub(super) fn at(dir: Inode, name: &[u8]) -> Option<Self> {
        let is_here = |special: &Self| dir == DiskImage::ROOT && name == special.name().as_bytes();
        [Self::Marks, Self::Stdout].into_iter().find(is_here)
    }
}

/// What was written to the two files.
pub(super) struct Marks {
    plain: Mutex<Lines>,
    stdout: Mutex<Lines>,
    output: Mutex<Output>,
}

/// What was written to one of them.
#[derive(Default)]
struct Lines {
    /// The line that is not complete yet.
    partial: Vec<u8>,
    /// The length that the file shows.
    len: u64,
}

impl Marks {
    pub(super) fn new(output: Output) -> Self {
        Self { plain: Mutex::default(), stdout: Mutex::default(), output: Mutex::new(output) }
    }

    fn lines(&self, of: Special) -> &Mutex<Lines> {
        match of {
            Special::Marks => &self.plain,
            Special::Stdout => &self.stdout,
        }
    }

    /// The length that the file shows: as much as was written since it was cut.
    pub(super) fn len(&self, of: Special) -> u64 {
        lock(self.lines(of)).len
    }

    /// Cuts the file, or extends it. What is a Mark already remains one.
    pub(super) fn set_len(&self, of: Special, len: u64) {
        lock(self.lines(of)).len = len;
    }

    /// Bytes were written, wherever: they go on where the last ones ended.
    pub(super) fn write(&self, of: Special, offset: u64, bytes: &[u8], disk: &SimFs) {
        let lines = &mut *lock(self.lines(of));
        lines.len = lines.len.max(offset.saturating_add(bytes.len() as u64));
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            lines.partial.extend_from_slice(part);
            match lines.partial.strip_suffix(b"\n") {
                Some(line) => disk.mark(line),
                None if lines.partial.len() >= LONGEST => disk.mark(&lines.partial),
                None => continue,
            }
            lines.partial.clear();
        }
        if of == Special::Stdout {
            lock(&self.output)(bytes);
        }
    }

    /// The last lines, which never got their ends.
    pub(super) fn finish(&self, disk: &SimFs) {
        for of in [Special::Marks, Special::Stdout] {
            let partial = std::mem::take(&mut lock(self.lines(of)).partial);
            if !partial.is_empty() {
                disk.mark(&partial);
            }
        }
    }
}
