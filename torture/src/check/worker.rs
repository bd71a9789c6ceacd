//! One worker: a thread's tree, its checkers, and one state after another.
//!
//! Not for which states it gets: `pool`.
#![expect(clippy::disallowed_methods, reason = "the file of Marks is none of a store's")]

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use faultfs::DiskImage;

use super::checkers::{Prepared, State};
use super::judge::{Verdict, said};
use super::pool::Setup;
use super::spawn::Spawner;
use super::tree::{Tree, TreeCounts};
use crate::namespace;
use crate::search::Asked;

/// Name of the variable with the path of the file that holds the Marks before the crash.
pub const MARKS_VARIABLE: &str = "PLUGPULL_MARKS";

/// Name of the variable with the directory of the state.
pub const DIR_VARIABLE: &str = "PLUGPULL_DIR";

pub(super) struct Worker {
    setup: Arc<Setup>,
    tree: Tree,
    spawner: Spawner,
    marks_file: PathBuf,
    /// How many Marks the file holds, if it is there.
    marks: Option<u32>,
    /// Why the states are not at their recorded path.
    elsewhere: Option<String>,
}

impl Worker {
    /// Makes the calling thread a worker: with mounts of its own where the machine allows it.
    pub(super) fn new(setup: Arc<Setup>) -> io::Result<Self> {
        let mount = || namespace::enter_thread().and_then(|()| Tree::mount(&setup.dir));
        let is_told = setup.checkers.iter().all(Prepared::is_told_where);
        let (tree, elsewhere) = match (!is_told).then(mount) {
            Some(Ok(tree)) => (tree, None),
            Some(Err(e)) => (scratch()?, Some(e.to_string())),
            None => (scratch()?, None),
        };
        let marks_file = tree.beside().join("marks");
        let variable =
            |name: &str, path: &Path| (OsString::from(name), path.as_os_str().to_owned());
        let env = vec![variable(MARKS_VARIABLE, &marks_file), variable(DIR_VARIABLE, tree.path())];
        let spawner = Spawner::new(tree.path(), setup.timeout, env, setup.orphans)?;
        let spawner = spawner.until(setup.stop.clone());
        Ok(Self { setup, tree, spawner, marks_file, marks: None, elsewhere })
    }

    /// Why the states are not at their recorded path; `None` when they are.
    pub(super) fn elsewhere(&self) -> Option<String> {
        self.elsewhere.clone()
    }

    pub(super) fn counts(&self) -> TreeCounts {
        self.tree.counts()
    }

    /// Judges one state. Whatever goes wrong is told of this state and does not reach the next.
    pub(super) fn judge(&mut self, state: &Asked) -> Verdict {
        if self.setup.stop.asked() {
            return Verdict::given_up();
        }
        let judged = catch_unwind(AssertUnwindSafe(|| self.try_judge(state)));
        if self.setup.stop.asked() && matches!(judged, Ok(Ok(_))) {
            // The checker may have been killed.
            return Verdict::given_up();
        }
        let why = match judged {
            Ok(Ok(verdict)) => return verdict,
            Ok(Err(e)) => e.to_string(),
            Err(panic) => format!("a checker's worker panicked: {}", said(&*panic)),
        };
        self.tree.distrust();
        self.marks = None;
        Verdict::HarnessBroken(why)
    }

    fn try_judge(&mut self, asked: &Asked) -> io::Result<Verdict> {
        let mut shown = false;
        let setup = Arc::clone(&self.setup);
        for checker in &setup.checkers {
            if checker.needs_disk() && !shown {
                self.show(&asked.image, asked.marks)?;
                shown = true;
            }
            let mut state = State {
                image: &asked.image,
                marks: asked.marks as usize,
                dir: self.tree.path(),
                spawner: &mut self.spawner,
            };
            let verdict = checker.judge(&mut state)?;
            if verdict != Verdict::Survived {
                return Ok(verdict);
            }
        }
        Ok(Verdict::Survived)
    }

    /// Brings the state to the disk, after what was done to the last one is undone.
    fn show(&mut self, image: &DiskImage, marks: u32) -> io::Result<()> {
        self.tree.undo();
        self.tree.ensure_in_place()?;
        if self.tree.show(image).is_err() {
            // A checker may have done what the tree's traces do not tell: from the start, then.
            self.tree.distrust();
            self.tree.show(image)?;
        }
        if self.marks != Some(marks) {
            self.marks = None;
            self.write_marks(marks)?;
            self.marks = Some(marks);
        }
        Ok(())
    }

    fn write_marks(&self, count: u32) -> io::Result<()> {
        write_marks(&self.setup, count, &self.marks_file)
    }
}

/// Writes the first Marks of the run, one a line.
pub(super) fn write_marks(setup: &Setup, count: u32, file: &Path) -> io::Result<()> {
    let mut text = Vec::new();
    for mark in setup.marks.iter().take(count as usize) {
        text.extend_from_slice(mark);
        text.push(b'\n');
    }
    std::fs::write(file, text)
}

impl Tree {
    /// Makes sure that programs would find this tree, and not the user's own files, at its path.
    fn ensure_in_place(&self) -> io::Result<()> {
        let [ours, theirs] = [self.root.as_path(), self.path()].map(std::fs::metadata);
        let (ours, theirs) = (ours?, theirs?);
        if (ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino()) {
            return Ok(());
        }
        Err(io::Error::other("the mount over the recorded directory is gone"))
    }
}

/// A tree in memory, if there is a place for it.
fn scratch() -> io::Result<Tree> {
    Tree::scratch(Path::new("/dev/shm")).or_else(|_| Tree::scratch(&std::env::temp_dir()))
}
