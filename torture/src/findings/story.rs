//! The story of a run: what each event did, in words, and as a shape that repeats.
//!
//! Programs do the same thing again and again: two events have one shape when they differ only in numbers,
//! in the names of temporary files (`names`), or in where they write. Not for what a crash keeps of an
//! event.

use std::collections::BTreeMap;

use faultfs::{DiskImage, Entry, Event, Inode, Op, Trace};

use super::names::Names;
use super::shape::shape_of;

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
    names: Names,
}

impl Story {
    /// Of this run.
    pub fn of(trace: &Trace) -> Self {
        let mut teller = Teller {
            image: trace.start.clone(),
            names: Names::of(trace),
            paths: BTreeMap::new(),
            shapes: BTreeMap::new(),
        };
        let steps = trace.events.iter().map(|event| teller.tell(event)).collect();
        Self { steps, paths: teller.paths, names: teller.names }
    }

    /// What an inode was called first; `.` is the directory of the program.
    pub fn path(&self, inode: Inode) -> &str {
        self.paths.get(&inode).map_or(".", String::as_str)
    }

    /// What a checker says of a state of this run, without what differs from state to state.
    pub fn class_of(&self, message: &str) -> String {
        self.names.class_of(message)
    }
}

/// Whom an event is told to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Voice {
    /// To people: with the names of its time.
    Text,
    /// To the grouping: with the shapes of names.
    Shape,
}

struct Teller {
    image: DiskImage,
    names: Names,
    /// The first path of every inode, in each voice.
    paths: BTreeMap<Inode, String>,
    shapes: BTreeMap<Inode, String>,
}

impl Teller {
    fn tell(&mut self, event: &Event) -> Step {
        match event {
            Event::Mark(text) => {
                let text = format!("mark \"{}\"", text.escape_ascii());
                let shape = self.names.class_of(&text);
                let dirs = Vec::new();
                Step { text, shape, kind: Kind::Mark, inode: None, dirs, names: false }
            }
            Event::Op { op, time, .. } => {
                let [text, shape] = [Voice::Text, Voice::Shape].map(|voice| self.words(op, voice));
                op.apply(&mut self.image, *time);
                let shape = shape_of(&shape);
                let kind = if op.is_barrier() { Kind::Barrier } else { Kind::Change };
                let text = format!("{text}{}", place_of(op));
                let names = matches!(op, Op::Rename { .. } | Op::Link { .. });
                Step { text, shape, kind, inode: Some(inode_of(op)), dirs: dirs_of(op), names }
            }
        }
    }

    /// What is done to what.
    fn words(&mut self, op: &Op, voice: Voice) -> String {
        match op {
            Op::Create { at, inode, .. } => self.new_name("create", at, *inode, voice),
            Op::Mkdir { at, inode, .. } => self.new_name("mkdir", at, *inode, voice),
            Op::Symlink { at, inode, target } => {
                let link = self.new_name("symlink", at, *inode, voice);
                format!("{link} -> {}", target.escape_ascii())
            }
            Op::Link { at, inode } => {
                format!("link {} {}", self.path(*inode, voice), self.at(at, *inode, voice))
            }
            Op::Unlink { at, inode } => {
                self.path(*inode, voice);
                format!("unlink {}", self.at(at, *inode, voice))
            }
            Op::Rmdir { at, inode } => format!("rmdir {}", self.at(at, *inode, voice)),
            Op::Rename { inode, from, to, exchange, .. } => {
                self.path(*inode, voice);
                let arrow = if *exchange { "<->" } else { "->" };
                let [from, to] = [from, to].map(|at| self.at(at, *inode, voice));
                format!("rename {from} {arrow} {to}")
            }
            Op::SetMode { inode, mode } => format!("chmod {mode:o} {}", self.path(*inode, voice)),
            Op::SetXattr { inode, name, .. } => {
                format!("setxattr {} {}", self.path(*inode, voice), name.escape_ascii())
            }
            _ => format!("{} {}", verb(op), self.path(inode_of(op), voice)),
        }
    }

    fn new_name(&mut self, verb: &str, at: &Entry, inode: Inode, voice: Voice) -> String {
        let path = self.at(at, inode, voice);
        self.known(voice).insert(inode, path.clone());
        format!("{verb} {path}")
    }

    fn known(&mut self, voice: Voice) -> &mut BTreeMap<Inode, String> {
        match voice {
            Voice::Text => &mut self.paths,
            Voice::Shape => &mut self.shapes,
        }
    }

    /// A path to an inode now, or the first one it had.
    fn path(&mut self, inode: Inode, voice: Voice) -> String {
        let now = match voice {
            Voice::Text => path_of(&self.image, inode),
            Voice::Shape => self.shape_of_path(inode),
        };
        let path = now.or_else(|| self.known(voice).get(&inode).cloned());
        let path = path.unwrap_or_else(|| format!("the unnamed file {}", inode.0));
        self.known(voice).entry(inode).or_insert_with(|| path.clone());
        path
    }

    /// The same for the same file in every run: of several names that which comes first in them is random.
    fn shape_of_path(&self, inode: Inode) -> Option<String> {
        if inode == DiskImage::ROOT {
            return Some(".".to_owned());
        }
        let shape = |(dir, name): (Inode, &[u8])| {
            let name = self.names.shape(dir, name, inode);
            match dir {
                DiskImage::ROOT => Some(name),
                dir => Some(format!("{}/{name}", self.shape_of_path(dir)?)),
            }
        };
        self.image.names(inode).filter_map(shape).min()
    }

    fn at(&mut self, at: &Entry, inode: Inode, voice: Voice) -> String {
        let name = match voice {
            Voice::Text => at.name.escape_ascii().to_string(),
            Voice::Shape => self.names.shape(at.dir, &at.name, inode),
        };
        match at.dir {
            DiskImage::ROOT => name,
            dir => format!("{}/{name}", self.path(dir, voice)),
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

/// What is done, where the file that it is done to is all that there is to say.
fn verb(op: &Op) -> &'static str {
    match op {
        Op::Write { .. } => "write",
        Op::WriteBack { .. } => "store through a map of",
        Op::SetLen { .. } => "truncate",
        Op::SetModified { .. } => "utimes",
        Op::SyncData { .. } => "fdatasync",
        Op::SyncAll { .. } => "fsync",
        Op::SyncFs => "syncfs",
        Op::SyncRange { all: true, .. } => "O_SYNC",
        Op::SyncRange { all: false, .. } => "O_DSYNC",
        Op::SyncFailed { .. } => "failed fsync",
        Op::Create { .. }
        | Op::Mkdir { .. }
        | Op::Symlink { .. }
        | Op::Link { .. }
        | Op::Unlink { .. }
        | Op::Rmdir { .. }
        | Op::Rename { .. }
        | Op::SetMode { .. }
        | Op::SetXattr { .. } => "change",
    }
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
        Op::SyncFs => DiskImage::ROOT,
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

#[cfg(test)]
mod tests {
    use super::*;
    use faultfs::{Fs, FsFile, SimFs};
    use std::path::Path;

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

    /// The shapes of a run that replaces `file` by way of a temporary, after `before`.
    fn shapes(temp: &str, file: &str, before: fn(&SimFs)) -> Vec<String> {
        let disk = SimFs::new();
        before(&disk);
        let [temp, file] = [temp, file].map(|name| Path::new("/").join(name));
        let made = disk.create_new(&temp, 0o600).unwrap();
        made.write_at(b"x", 0).unwrap();
        disk.rename(&temp, &file).unwrap();
        made.sync_all().unwrap();
        disk.mark(format!("{} is in place", temp.display()).as_bytes());
        Story::of(&disk.trace()).steps.into_iter().map(|step| step.shape).collect()
    }

    #[test]
    fn the_name_of_a_temporary_has_the_shape_of_what_it_becomes() {
        let expected = [
            "create {temp of app.conf}",
            "write {temp of app.conf}",
            "rename {temp of app.conf} -> app.conf",
            "fsync app.conf",
            "mark \"/{temp of app.conf} is in place\"",
        ];
        for temp in ["sedowdYxL", "sedabcdef", "tmpab3_x9q2", "app.conf.new"] {
            assert_eq!(shapes(temp, "app.conf", |_| ()), expected);
        }
    }

    #[test]
    fn a_temporary_that_becomes_several_things_is_told_by_each() {
        let before = |disk: &SimFs| {
            disk.create_new(Path::new("/next"), 0o600).unwrap();
            disk.rename(Path::new("/next"), Path::new("/other")).unwrap();
        };
        let told = shapes("next", "app", before);
        assert_eq!(told[..2], ["create {temp of other}", "rename {temp of other} -> other"]);
        assert_eq!(told[2..4], ["create {temp of app}", "write {temp of app}"]);
    }

    /// What was there when the run began is no temporary, whatever becomes of it.
    #[test]
    fn a_name_that_was_there_before_the_run_is_told_as_it_is() {
        let disk = SimFs::new();
        disk.create_new(Path::new("/spool_aXb9Zq"), 0o600).unwrap();
        let made = disk.trace().events.len();
        disk.rename(Path::new("/spool_aXb9Zq"), Path::new("/done")).unwrap();
        let whole = disk.trace();
        let later = Trace { start: whole.image_after(made), events: whole.events[made..].to_vec() };
        assert_eq!(Story::of(&later).steps[0].shape, "rename spool_aXb#Zq -> done");
        assert_eq!(Story::of(&whole).steps[0].shape, "create {temp of done}");
    }

    #[test]
    fn files_that_become_different_things_have_different_shapes() {
        let [one, other] = ["app.conf", "log"].map(|file| shapes("sedowdYxL", file, |_| ()));
        assert!(one.iter().zip(&other).all(|(one, other)| one != other), "{one:?} {other:?}");
    }

    /// What git does: another name by a link, and then the first one goes.
    #[test]
    fn while_a_file_has_two_names_it_is_told_by_the_lasting_one() {
        for temp in ["tmp_obj_a1B2c3", "0_tmp"] {
            let disk = SimFs::new();
            let file = disk.create_new(Path::new("/").join(temp).as_path(), 0o600).unwrap();
            disk.link(&Path::new("/").join(temp), Path::new("/3f77c0")).unwrap();
            file.sync_all().unwrap();
            disk.unlink(&Path::new("/").join(temp)).unwrap();
            let story = Story::of(&disk.trace());
            let told: Vec<_> = story.steps.iter().map(|step| step.shape.as_str()).collect();
            let expected =
                ["create {temp of #}", "link {temp of #} #", "fsync #", "unlink {temp of #}"];
            assert_eq!(told, expected);
        }
    }
}
