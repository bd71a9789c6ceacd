//! The story of a run: what each event did, in words, and as a shape that repeats.
//!
//! Programs do the same thing again and again: two events have one shape when they differ in numbers
//! only, in their names or in where they write. Not for what a crash keeps of an event.

use std::collections::BTreeMap;

use faultfs::{DiskImage, Entry, Event, Inode, Op, Trace};

/// What an event is for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It changes something.
    Change,
    /// It makes changes durable.
    Barrier,
    /// It is a promise to the outside.
    Mark,
}

/// One event.
#[derive(Clone, Debug)]
pub struct Step {
    /// What it did: `rename conf.tmp -> conf`.
    pub text: String,
    /// The same for events that do the same thing.
    pub shape: String,
    /// What it is for the disk.
    pub kind: Kind,
    /// The file or directory that it is about.
    pub inode: Option<Inode>,
    /// The directories whose names it changes.
    pub dirs: Vec<Inode>,
    /// Whether the file gets a name by it that it did not have when it was created.
    pub names: bool,
}

/// All events of a run, and the paths they speak of.
#[derive(Clone, Debug)]
pub struct Story {
    /// The events, in their order.
    pub steps: Vec<Step>,
    /// The first path of every inode.
    paths: BTreeMap<Inode, String>,
}

impl Story {
    /// Of this run.
    pub fn of(trace: &Trace) -> Self {
        let mut teller = Teller { image: trace.start.clone(), paths: BTreeMap::new() };
        let steps = trace.events.iter().map(|event| teller.tell(event)).collect();
        Self { steps, paths: teller.paths }
    }

    /// What an inode was called first; `.` is the directory of the program.
    pub fn path(&self, inode: Inode) -> &str {
        self.paths.get(&inode).map_or(".", String::as_str)
    }
}

struct Teller {
    image: DiskImage,
    paths: BTreeMap<Inode, String>,
}

impl Teller {
    fn tell(&mut self, event: &Event) -> Step {
        match event {
            Event::Mark(text) => {
                let text = format!("mark \"{}\"", text.escape_ascii());
                let shape = shape_of(&text);
                let dirs = Vec::new();
                Step { text, shape, kind: Kind::Mark, inode: None, dirs, names: false }
            }
            Event::Op { op, time, .. } => {
                let (text, place) = self.words(op);
                op.apply(&mut self.image, *time);
                let shape = shape_of(&text);
                let kind = if op.is_barrier() { Kind::Barrier } else { Kind::Change };
                let text = format!("{text}{place}");
                let names = matches!(op, Op::Rename { .. } | Op::Link { .. });
                Step { text, shape, kind, inode: Some(inode_of(op)), dirs: dirs_of(op), names }
            }
        }
    }

    /// What is done to what, and where in it.
    fn words(&mut self, op: &Op) -> (String, String) {
        let text = match op {
            Op::Create { at, inode, .. } => self.new_name("create", at, *inode),
            Op::Mkdir { at, inode, .. } => self.new_name("mkdir", at, *inode),
            Op::Symlink { at, inode, target } => {
                format!("{} -> {}", self.new_name("symlink", at, *inode), target.escape_ascii())
            }
            Op::Link { at, inode } => format!("link {} {}", self.path(*inode), self.at(at)),
            Op::Unlink { at, inode } => {
                self.path(*inode);
                format!("unlink {}", self.at(at))
            }
            Op::Rmdir { at, .. } => format!("rmdir {}", self.at(at)),
            Op::Rename { inode, from, to, exchange, .. } => {
                self.path(*inode);
                let arrow = if *exchange { "<->" } else { "->" };
                format!("rename {} {arrow} {}", self.at(from), self.at(to))
            }
            Op::Write { inode, .. } => format!("write {}", self.path(*inode)),
            Op::WriteBack { inode, .. } => format!("store through a map of {}", self.path(*inode)),
            Op::SetLen { inode, .. } => format!("truncate {}", self.path(*inode)),
            Op::SetMode { inode, mode } => format!("chmod {mode:o} {}", self.path(*inode)),
            Op::SetModified { inode, .. } => format!("utimes {}", self.path(*inode)),
            Op::SetXattr { inode, name, .. } => {
                format!("setxattr {} {}", self.path(*inode), name.escape_ascii())
            }
            Op::SyncData { inode } => format!("fdatasync {}", self.path(*inode)),
            Op::SyncAll { inode } => format!("fsync {}", self.path(*inode)),
            Op::SyncRange { inode, all, .. } => {
                format!("{} {}", if *all { "O_SYNC" } else { "O_DSYNC" }, self.path(*inode))
            }
            Op::SyncFailed { inode, .. } => format!("failed fsync {}", self.path(*inode)),
        };
        (text, place_of(op))
    }

    fn new_name(&mut self, verb: &str, at: &Entry, inode: Inode) -> String {
        let path = self.at(at);
        self.paths.insert(inode, path.clone());
        format!("{verb} {path}")
    }

    /// A path to an inode now, or the first one it had.
    fn path(&mut self, inode: Inode) -> String {
        let now = path_of(&self.image, inode);
        let path = now.or_else(|| self.paths.get(&inode).cloned());
        let path = path.unwrap_or_else(|| format!("the unnamed file {}", inode.0));
        self.paths.entry(inode).or_insert_with(|| path.clone());
        path
    }

    fn at(&mut self, at: &Entry) -> String {
        let name = at.name.escape_ascii();
        match at.dir {
            DiskImage::ROOT => name.to_string(),
            dir => format!("{}/{name}", self.path(dir)),
        }
    }
}

/// A path to an inode in an image, from the recorded directory; none when no name leads to it.
pub fn path_of(image: &DiskImage, inode: Inode) -> Option<String> {
    let mut names = Vec::new();
    let mut next = inode;
    while next != DiskImage::ROOT {
        let (dir, name) = image.names(next).next()?;
        names.push(name.escape_ascii().to_string());
        next = dir;
    }
    names.reverse();
    Some(if names.is_empty() { ".".to_owned() } else { names.join("/") })
}

fn place_of(op: &Op) -> String {
    match op {
        Op::Write { offset, bytes, .. } | Op::WriteBack { offset, bytes, .. } => {
            format!(" {offset}..{}", offset + bytes.len() as u64)
        }
        Op::SyncRange { offset, len, .. } => format!(" {offset}..{}", offset + len),
        Op::SetLen { len, .. } => format!(" to {len}"),
        _ => String::new(),
    }
}

fn inode_of(op: &Op) -> Inode {
    match op {
        Op::Create { inode, .. }
        | Op::Mkdir { inode, .. }
        | Op::Symlink { inode, .. }
        | Op::Link { inode, .. }
        | Op::Unlink { inode, .. }
        | Op::Rmdir { inode, .. }
        | Op::Rename { inode, .. }
        | Op::Write { inode, .. }
        | Op::WriteBack { inode, .. }
        | Op::SetLen { inode, .. }
        | Op::SetMode { inode, .. }
        | Op::SetModified { inode, .. }
        | Op::SetXattr { inode, .. }
        | Op::SyncData { inode }
        | Op::SyncAll { inode }
        | Op::SyncRange { inode, .. }
        | Op::SyncFailed { inode, .. } => *inode,
    }
}

fn dirs_of(op: &Op) -> Vec<Inode> {
    match op {
        Op::Create { at, .. }
        | Op::Mkdir { at, .. }
        | Op::Symlink { at, .. }
        | Op::Link { at, .. }
        | Op::Unlink { at, .. }
        | Op::Rmdir { at, .. } => vec![at.dir],
        Op::Rename { from, to, .. } if from.dir == to.dir => vec![to.dir],
        Op::Rename { from, to, .. } => vec![to.dir, from.dir],
        _ => Vec::new(),
    }
}

/// Shortest run of hexadecimal digits that is taken for a number if a decimal one is among them: names
/// of objects and of temporary files.
const HEX_NUMBER: usize = 6;

/// A text without its numbers.
pub fn shape_of(text: &str) -> String {
    let mut shape = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if shape.is_empty() || shape.ends_with(['/', ' ']) {
            // Directories of objects are named by two hexadecimal digits.
            let pair =
                rest.as_bytes().get(..2).is_some_and(|p| p.iter().all(u8::is_ascii_hexdigit));
            if pair && rest.as_bytes().get(2).is_none_or(|c| matches!(c, b'/' | b' ')) {
                shape.push('#');
                rest = &rest[2..];
                continue;
            }
        }
        let hex = rest.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(rest.len());
        let number = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let is_hex = hex >= HEX_NUMBER && rest[..hex].contains(|c: char| c.is_ascii_digit());
        let len = if is_hex { hex } else { number };
        if len > 0 {
            shape.push('#');
            rest = &rest[len..];
        } else {
            shape.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    shape
}

#[cfg(test)]
mod tests {
    use super::*;
    use faultfs::{Fs, FsFile, SimFs};
    use std::path::Path;

    #[test]
    fn numbers_and_names_of_objects_have_no_shape() {
        assert_eq!(shape_of("write log.17"), "write log.#");
        assert_eq!(shape_of("rename ab/3f77c0 -> 1b/99abcdef"), "rename #/# -> #/#");
        assert_eq!(shape_of("facade decade"), "facade decade");
    }

    #[test]
    fn a_run_is_told_with_the_names_of_its_time() {
        let disk = SimFs::new();
        let file = disk.create_new(Path::new("/conf.tmp"), 0o644).unwrap();
        file.write_at(b"x", 0).unwrap();
        disk.rename(Path::new("/conf.tmp"), Path::new("/conf")).unwrap();
        file.sync_all().unwrap();
        disk.sync_dir(Path::new("/")).unwrap();
        disk.mark(b"done 1");
        let story = Story::of(&disk.trace());
        let told: Vec<_> = story.steps.iter().map(|step| step.text.as_str()).collect();
        let expected = [
            "create conf.tmp",
            "write conf.tmp 0..1",
            "rename conf.tmp -> conf",
            "fsync conf",
            "fsync .",
            "mark \"done 1\"",
        ];
        assert_eq!(told, expected);
        assert_eq!(story.path(DiskImage::ROOT), ".");
    }
}
