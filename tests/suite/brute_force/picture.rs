//! Images as plain maps: what a set of effects leaves, and what a walk through a `DiskImage` finds.
//!
//! A picture shows what a program can tell apart: paths, kinds, modes, bytes, and which names lead
//! to one file. Not for times.

use std::collections::BTreeMap;
use std::rc::Rc;

use faultfs::{DiskImage, FileKind, Fill, Inode, Trace};

use super::definition::{Definition, Place, Put, index, page_end};

/// Bytes in runs; neighbours are different.
pub(super) type Runs = Vec<(u8, u64)>;

/// Stands for any byte of the fill; programs write only smaller ones.
pub(super) const FILL: u8 = 255;

/// No program of these tests writes such a byte, or a greater one.
pub(super) const UNWRITTEN: u8 = 100;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shown {
    kind: u8,
    mode: u32,
    /// The first path that leads to the same node.
    first: Vec<u8>,
    bytes: Rc<Runs>,
}

/// By path.
pub(super) type Picture = BTreeMap<Vec<u8>, Shown>;

/// The pictures of the sets of one trace.
pub(super) struct Painter<'t> {
    trace: &'t Trace,
    definition: &'t Definition,
    /// Files that were drawn: by inode, and by which of the effects on it survived.
    drawn: BTreeMap<(Inode, u64), Rc<Runs>>,
}

impl<'t> Painter<'t> {
    pub(super) fn new(trace: &'t Trace, definition: &'t Definition) -> Self {
        Self { trace, definition, drawn: BTreeMap::new() }
    }

    /// The disk on which the effects of this set survived: bit n stands for effect n.
    pub(super) fn paint(&mut self, set: u64) -> Picture {
        let mut names = BTreeMap::new();
        let mut modes = BTreeMap::new();
        for (inode, kind) in &self.definition.kinds {
            let start = self.trace.start.attributes(*inode).map(|attributes| attributes.mode);
            modes.insert(*inode, start.unwrap_or_else(|| self.created_mode(*inode)));
            if *kind == FileKind::Dir {
                let entries = self.trace.start.entries(*inode);
                names.extend(entries.map(|(name, to)| ((*inode, name.to_vec()), to)));
            }
        }
        for (number, effect) in self.definition.effects.iter().enumerate() {
            if set >> number & 1 == 0 {
                continue;
            }
            match &effect.put {
                Put::Names(list) => {
                    for (dir, name, to) in list {
                        match to {
                            Some(to) => names.insert((*dir, name.clone()), *to),
                            None => names.remove(&(*dir, name.clone())),
                        };
                    }
                }
                Put::Mode(mode) => drop(modes.insert(effect.content.unwrap(), *mode)),
                _ => {}
            }
        }
        let mut picture = Picture::new();
        let mut first = BTreeMap::new();
        let mut todo = vec![(DiskImage::ROOT, Vec::new())];
        while let Some((inode, path)) = todo.pop() {
            let kind = self.definition.kinds[&inode];
            let children =
                names.range((inode, Vec::new())..).take_while(|((dir, _), _)| *dir == inode);
            for ((_, name), to) in children {
                todo.push((*to, below(&path, name)));
            }
            let bytes = if kind == FileKind::File { self.draw(inode, set) } else { Rc::default() };
            show(&mut picture, &mut first, path, inode, kind, modes[&inode], bytes);
        }
        finish(picture, &first)
    }

    fn created_mode(&self, inode: Inode) -> u32 {
        self.trace
            .ops()
            .find_map(|op| match op {
                faultfs::Op::Create { inode: new, mode, .. }
                | faultfs::Op::Mkdir { inode: new, mode, .. } => (*new == inode).then_some(*mode),
                _ => None,
            })
            .unwrap_or(0o777)
    }

    fn draw(&mut self, inode: Inode, set: u64) -> Rc<Runs> {
        let effects = &self.definition.effects;
        let of_inode = |n: &usize| effects[*n].content == Some(inode);
        let own = (0..effects.len()).filter(of_inode).fold(0, |own, n| own | 1 << n);
        let key = (inode, set & own);
        if let Some(drawn) = self.drawn.get(&key) {
            return Rc::clone(drawn);
        }
        let drawn = Rc::new(runs(&self.bytes(inode, set & own)));
        self.drawn.insert(key, Rc::clone(&drawn));
        drawn
    }

    /// The bytes of a file on which these effects survived, put in one after the other.
    fn bytes(&self, inode: Inode, set: u64) -> Vec<u8> {
        let start = &self.trace.start;
        let mut bytes = vec![0; index(start.len(inode))];
        start.read(inode, &mut bytes, 0);
        let mut len = bytes.len();
        let effects = &self.definition.effects;
        for (number, effect) in effects.iter().enumerate().filter(|(n, _)| set >> n & 1 == 1) {
            match &effect.put {
                Put::Data(units) => put_all(&mut bytes, units),
                Put::Length(new_len, range) => {
                    len = index(*new_len);
                    let survived = |at: u64| {
                        let unit = self.definition.rules.tear.unit().unwrap();
                        let place = Place::Unit(inode, at / unit);
                        let here = effects.iter().enumerate().take(number);
                        let mut here = here.filter(|(_, data)| data.event == effect.event);
                        here.any(|(n, data)| set >> n & 1 == 1 && data.places.contains(&place))
                    };
                    if self.definition.rules.fill != Fill::Zero {
                        for at in range.clone().filter(|at| !survived(*at)) {
                            put(&mut bytes, at, &[FILL]);
                        }
                    }
                }
                Put::Cut(new_len) => {
                    len = index(*new_len);
                    bytes.truncate(index(page_end(*new_len)));
                }
                Put::Whole(pages, new_len) => {
                    put_all(&mut bytes, pages);
                    len = new_len.map_or(len, index);
                }
                Put::Names(_) | Put::Mode(_) => {}
            }
        }
        bytes.resize(len, 0);
        bytes
    }
}

fn put_all(bytes: &mut Vec<u8>, parts: &[(u64, Vec<u8>)]) {
    for (at, value) in parts {
        put(bytes, *at, value);
    }
}

fn put(bytes: &mut Vec<u8>, at: u64, value: &[u8]) {
    let (start, end) = (index(at), index(at) + value.len());
    bytes.resize(bytes.len().max(end), 0);
    bytes[start..end].copy_from_slice(value);
}

/// What a walk through an image finds.
pub(super) fn photograph(image: &DiskImage) -> Picture {
    let mut picture = Picture::new();
    let mut first = BTreeMap::new();
    let mut todo = vec![(DiskImage::ROOT, Vec::new())];
    while let Some((inode, path)) = todo.pop() {
        let kind = image.kind(inode).unwrap();
        todo.extend(image.entries(inode).map(|(name, to)| (to, below(&path, name))));
        let len = if kind == FileKind::File { image.len(inode) } else { 0 };
        let mut bytes = vec![0; index(len)];
        image.read(inode, &mut bytes, 0);
        let mode = image.attributes(inode).unwrap().mode;
        show(&mut picture, &mut first, path, inode, kind, mode, Rc::new(runs(&bytes)));
    }
    finish(picture, &first)
}

fn below(dir: &[u8], name: &[u8]) -> Vec<u8> {
    assert!(dir.len() < 100, "a directory lies below itself: {}", dir.escape_ascii());
    [dir, b"/", name].concat()
}

fn show(
    picture: &mut Picture,
    first: &mut BTreeMap<Inode, Vec<u8>>,
    path: Vec<u8>,
    inode: Inode,
    kind: FileKind,
    mode: u32,
    bytes: Rc<Runs>,
) {
    let known = first.entry(inode).or_insert_with(|| path.clone());
    *known = known.clone().min(path.clone());
    // The inode stands here until all paths are known.
    let number = inode.0.to_be_bytes().to_vec();
    picture.insert(path, Shown { kind: kind as u8, mode, first: number, bytes });
}

fn finish(mut picture: Picture, first: &BTreeMap<Inode, Vec<u8>>) -> Picture {
    for shown in picture.values_mut() {
        let number = u64::from_be_bytes(shown.first[..].try_into().unwrap());
        shown.first.clone_from(&first[&Inode(number)]);
    }
    picture
}

fn runs(bytes: &[u8]) -> Runs {
    let mut runs = Runs::new();
    for part in bytes.chunk_by(|one, other| one == other) {
        runs.push((part[0], part.len() as u64));
    }
    runs
}

/// Whether a photograph shows what was painted; the fill may be any byte, and under `Garbage` one
/// that no program wrote.
pub(super) fn agree(painted: &Picture, photo: &Picture, fill: Fill) -> bool {
    if fill == Fill::Zero {
        return painted == photo;
    }
    let plain = |shown: &Shown| Shown { bytes: Rc::default(), ..shown.clone() };
    painted.len() == photo.len()
        && painted.iter().zip(photo).all(|((path, one), (other_path, other))| {
            path == other_path
                && plain(one) == plain(other)
                && bytes_agree(&one.bytes, &other.bytes, fill)
        })
}

fn bytes_agree(painted: &Runs, photo: &Runs, fill: Fill) -> bool {
    let flat = |runs: &Runs| -> Vec<u8> {
        runs.iter().flat_map(|(byte, count)| std::iter::repeat_n(*byte, index(*count))).collect()
    };
    let (painted, photo) = (flat(painted), flat(photo));
    let fits = |(one, other): (&u8, &u8)| {
        one == other || *one == FILL && (fill == Fill::Stale || *other >= UNWRITTEN)
    };
    painted.len() == photo.len() && painted.iter().zip(&photo).all(fits)
}
