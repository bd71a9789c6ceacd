//! The shapes of names: what a file's name has in common with the one that it gets in another run.
//!
//! A name that was not there before the run and is not there after it is a passing one, and may be made of
//! letters drawn at random (mkstemp). It is told by what its file is called in the end: `{temp of conf}`;
//! where the file had no lasting name, by the words in it. Nothing is guessed of names that stay.

use std::collections::BTreeMap;

use faultfs::{DiskImage, Entry, Event, Inode, Op, Trace};

use super::shape::shape_of;

/// Words that a passing name may hold, beside those of few letters: others may be random.
const WORDS: [&str; 12] = [
    "backup",
    "checkpoint",
    "download",
    "journal",
    "manifest",
    "partial",
    "pending",
    "rollback",
    "snapshot",
    "staging",
    "temporary",
    "update",
];

/// Most letters of other words; programs draw six at random, or more.
const WORD: usize = 5;

/// Most letters of a word that a number follows: so short that it is hardly drawn at random.
const NUMBERED: usize = 3;

/// A name in a directory.
type Place = (Inode, Box<[u8]>);

/// The shapes of the passing names of a run; all others are told as they are, without numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    /// Of each file that had such a name.
    passing: BTreeMap<(Place, Inode), String>,
    /// The same by its text, for what checkers and programs say.
    texts: BTreeMap<String, String>,
}

impl Names {
    /// Of this run.
    pub(super) fn of(trace: &Trace) -> Self {
        let ends = [trace.start.clone(), trace.image_after(trace.events.len())];
        let mut names = Self::default();
        for (inode, places) in places(trace) {
            for (n, place) in places.iter().enumerate().filter(|(_, place)| !lasts(&ends, place)) {
                let later = places[n + 1..].iter().find(|later| lasts(&ends, later));
                let shape = match later {
                    Some((_, name)) => {
                        format!("{{temp of {}}}", shape_of(&name.escape_ascii().to_string()))
                    }
                    None => words(&ends, place),
                };
                let text = place.1.escape_ascii().to_string();
                let known = names.texts.entry(text).or_insert_with(|| shape.clone());
                if later.is_some() && !known.starts_with('{') {
                    known.clone_from(&shape);
                }
                names.passing.insert((place.clone(), inode), shape);
            }
        }
        names
    }

    /// The shape of a name that this file has.
    pub(super) fn shape(&self, dir: Inode, name: &[u8], inode: Inode) -> String {
        let shape = self.passing.get(&((dir, name.into()), inode));
        shape.cloned().unwrap_or_else(|| shape_of(&name.escape_ascii().to_string()))
    }

    /// What a text says, without numbers and passing names.
    pub(super) fn class_of(&self, text: &str) -> String {
        let is_name = |c: char| c.is_alphanumeric() || "._-+~#@%=\\".contains(c);
        let mut told = String::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let len = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
            let (word, after) = rest.split_at(len.max(first.len_utf8()));
            let bare = word.trim_end_matches('.');
            match self.texts.get(word).or_else(|| self.texts.get(bare)) {
                Some(shape) => told.push_str(shape),
                // A checker's own temporary directory has another name each time.
                None if len > 0 && (told.ends_with("/tmp/") || told.ends_with("/shm/")) => {
                    told.push('*');
                }
                None => told.push_str(word),
            }
            rest = after;
        }
        shape_of(&told)
    }
}

/// The names that each file got in the run, in their order.
fn places(trace: &Trace) -> BTreeMap<Inode, Vec<Place>> {
    let mut places: BTreeMap<Inode, Vec<Place>> = BTreeMap::new();
    let mut add = |inode: Inode, at: &Entry| {
        places.entry(inode).or_default().push((at.dir, at.name.as_ref().into()));
    };
    for event in &trace.events {
        let Event::Op { op, .. } = event else { continue };
        match op {
            Op::Create { at, inode, .. }
            | Op::Mkdir { at, inode, .. }
            | Op::Symlink { at, inode, .. }
            | Op::Link { at, inode } => add(*inode, at),
            Op::Rename { inode, from, to, replaced, exchange } => {
                add(*inode, to);
                if let Some(other) = replaced.filter(|_| *exchange) {
                    add(other, from);
                }
            }
            _ => {}
        }
    }
    places
}

/// Whether a name is there before the run or after it.
fn lasts(ends: &[DiskImage; 2], (dir, name): &Place) -> bool {
    ends.iter().any(|image| image.lookup(*dir, name).is_some())
}

/// A name with a `*` for what may be random in it; the name of a file beside it may be its beginning.
fn words(ends: &[DiskImage; 2], (dir, name): &Place) -> String {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric();
    let start = name.iter().position(is_part).unwrap_or(name.len());
    let beside =
        |end: &usize| !is_part(&name[*end]) && lasts(ends, &(*dir, name[start..*end].into()));
    let known = (start + 1..name.len()).rev().find(beside).unwrap_or(start);
    let mut shape = shape_of(&name[..known].escape_ascii().to_string());
    let rest = name[known..].escape_ascii().to_string();
    let mut rest = rest.as_str();
    while let Some(first) = rest.chars().next() {
        let len = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        if len == 0 {
            shape.push(first);
            rest = &rest[1..];
        } else if let Some(word) = word(&rest[..len]) {
            shape.push_str(&word);
            rest = &rest[len..];
        } else {
            // What is drawn at random may have an underscore or a hyphen in it, but no dot.
            shape.push('*');
            rest = rest.find('.').map_or("", |dot| &rest[dot..]);
        }
    }
    shape
}

/// A part of a name without its number; none where it may be random.
fn word(part: &str) -> Option<String> {
    let letters = part.trim_end_matches(|c: char| c.is_ascii_digit());
    let numbered = letters.len() < part.len();
    let same = |is: fn(&char) -> bool| letters.chars().all(|c| is(&c));
    let one_case = same(char::is_ascii_lowercase) || same(char::is_ascii_uppercase);
    // Python's tempfile puts its eight letters right behind these.
    let is_temp = letters.len() > 3 && letters.starts_with("tmp");
    let most = if numbered { NUMBERED } else { WORD };
    let known = WORDS.contains(&letters) || one_case && !is_temp && letters.len() <= most;
    known.then(|| format!("{letters}{}", if numbered { "#" } else { "" }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing_else(name: &str) -> String {
        words(&[DiskImage::new(), DiskImage::new()], &(DiskImage::ROOT, name.as_bytes().into()))
    }

    #[test]
    fn what_may_be_random_in_a_passing_name_has_no_shape() {
        for (name, shape) in [
            ("sedowdYxL", "*"),
            ("sedabcdef", "*"),
            ("tmpab3_x9q2", "*"),
            ("tmpab_x9q2_", "*"),
            ("tmpabcde", "*"),
            ("tmp.XyZabc1234", "tmp.*"),
            ("tmp_obj_a1B2c3", "tmp_obj_*"),
            (".tmpAbC123", ".*"),
            ("550e8400-e29b-41d4-a716-446655440000.part", "*.part"),
        ] {
            assert_eq!(nothing_else(name), shape, "{name}");
        }
    }

    #[test]
    fn names_that_say_something_are_told_apart() {
        for (name, shape) in [
            ("HEAD.lock", "HEAD.lock"),
            ("x.db-journal", "x.db-journal"),
            ("x.db-wal", "x.db-wal"),
            ("redo", "redo"),
            ("undo", "undo"),
            ("log17", "log#"),
            ("17", "#"),
        ] {
            assert_eq!(nothing_else(name), shape, "{name}");
        }
    }

    #[test]
    fn what_a_checker_says_has_neither_numbers_nor_random_names() {
        let mut names = Names::default();
        names.texts.insert("sedowdYxL".to_owned(), "{temp of conf}".to_owned());
        for (said, class) in [
            ("row 7 of 12 is gone", "row # of # is gone"),
            ("garbage: 'dir/sedowdYxL'", "garbage: 'dir/{temp of conf}'"),
            ("there is a sedowdYxL.", "there is a {temp of conf}"),
            ("diff /tmp/tmp.AbCdEfGhIj/out conf", "diff /tmp/*/out conf"),
            ("sedowdYxLs differ", "sedowdYxLs differ"),
        ] {
            assert_eq!(names.class_of(said), class);
        }
    }

    #[test]
    fn the_name_of_a_file_beside_it_is_no_random_one() {
        let mut start = DiskImage::new();
        start.insert_file(Inode(2), faultfs::Attributes::new(0o644));
        start.set_entry(DiskImage::ROOT, b"accounts.db", Some(Inode(2)));
        let ends = [start, DiskImage::new()];
        let told = |name: &str| words(&ends, &(DiskImage::ROOT, name.as_bytes().into()));
        assert_eq!(told("accounts.db-journal"), "accounts.db-journal");
        assert_eq!(told(".accounts.db.swp"), ".accounts.db.swp");
        assert_eq!(told("accounts.db.XyZabc"), "accounts.db.*");
        assert_eq!(told("holidays.db-journal"), "*.db-journal");
    }
}
