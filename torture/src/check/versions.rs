//! What the recorded run's files held at each Mark: what a crash state is held against by checkers that
//! know the run.
//!
//! Between Mark m and Mark m + 1 a file may be what it was at either: the first was acknowledged, and the
//! other one was on its way. Versions in between were never settled. Images share what they have in
//! common, so that a version costs its difference. Not for files that symbolic links lead to.

use std::path::Path;

use faultfs::{DiskImage, Event, Inode, Trace};

/// The disk at the start, at each Mark, and at the end of a run.
pub(super) struct Versions {
    /// One more than there are Marks.
    at_marks: Vec<DiskImage>,
    end: DiskImage,
}

impl Versions {
    pub(super) fn of(trace: &Trace) -> Self {
        let mut disk = trace.start.clone();
        let mut at_marks = vec![disk.clone()];
        for event in &trace.events {
            match event {
                Event::Op { op, time, .. } => op.apply(&mut disk, *time),
                Event::Mark(_) => at_marks.push(disk.clone()),
            }
        }
        Self { at_marks, end: disk }
    }

    /// The disk at the last Mark before a crash with so many Marks before it.
    pub(super) fn acknowledged(&self, marks: usize) -> &DiskImage {
        self.at_marks.get(marks).unwrap_or(&self.end)
    }

    /// The disk at the Mark that did not come, or at the end of the run.
    pub(super) fn next(&self, marks: usize) -> &DiskImage {
        self.at_marks.get(marks + 1).unwrap_or(&self.end)
    }

    /// The disk at the end of the run.
    pub(super) fn end(&self) -> &DiskImage {
        &self.end
    }

    /// The disk at the start and at each Mark before the last acknowledged one.
    pub(super) fn older(&self, marks: usize) -> &[DiskImage] {
        &self.at_marks[..marks.min(self.at_marks.len())]
    }
}

/// The file at a path: `None` when there is nothing, or something else.
pub(super) fn file(image: &DiskImage, path: &Path) -> Option<Inode> {
    image.find(path).filter(|node| image.kind(*node) == Some(faultfs::FileKind::File))
}

/// Whether a path leads to files with the same bytes in both images, or to no file in both.
pub(super) fn same_file(one: &DiskImage, other: &DiskImage, path: &Path) -> bool {
    match (file(one, path), file(other, path)) {
        (Some(here), Some(there)) => {
            one.len(here) == other.len(there) && one.first_difference(here, other, there).is_none()
        }
        (here, there) => here == there && one.find(path).is_some() == other.find(path).is_some(),
    }
}
