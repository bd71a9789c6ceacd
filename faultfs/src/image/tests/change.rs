//! Random changes, as data: what is done, and numbers by which the model picks the paths.
//!
//! Not for deciding whether a change makes sense: `model.rs`.

use proptest::prelude::*;

use crate::image::PAGE;

/// One random change. Paths are picked among those there are when it is made.
#[derive(Clone, Debug)]
pub(in crate::image) struct Change {
    pub(super) what: What,
    /// Picks the path that is changed.
    pub(super) path: usize,
    /// Picks the directory of a new path.
    pub(super) dir: usize,
    /// The last component of a new path.
    pub(super) name: String,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    Create,
    Mkdir,
    Symlink(u8),
    Link,
    Rename,
    Remove,
    Bytes(Bytes),
    Mode(u32),
    Xattr(u8, Option<u8>),
    DiscardHidden,
}

#[derive(Clone, Debug)]
pub(super) enum Bytes {
    Write(usize, Vec<u8>),
    SetLen(usize),
    SetPage(usize, Option<Vec<u8>>),
}

/// Few names and lengths, so that changes meet and come back.
pub(in crate::image) fn change() -> impl Strategy<Value = Change> {
    let make = |(what, path, dir, name)| Change { what, path, dir, name };
    (what(), 0..60usize, 0..60usize, "[a-d]").prop_map(make)
}

fn what() -> impl Strategy<Value = What> {
    prop_oneof![
        7 => Just(What::Create),
        5 => Just(What::Mkdir),
        1 => (0..2u8).prop_map(What::Symlink),
        2 => Just(What::Link),
        4 => Just(What::Rename),
        1 => Just(What::Remove),
        9 => bytes().prop_map(What::Bytes),
        1 => prop::sample::select(vec![0o700, 0o755]).prop_map(What::Mode),
        2 => (0..2u8, prop::option::of(0..2u8)).prop_map(|(name, value)| What::Xattr(name, value)),
        1 => Just(What::DiscardHidden),
    ]
}

fn bytes() -> impl Strategy<Value = Bytes> {
    let offset = || prop::sample::select(vec![0, 1, 100, 4095, 4096, 5000, 8192]);
    let bytes =
        |counts| (prop::sample::select(counts), 0..3u8).prop_map(|(count, byte)| vec![byte; count]);
    let page = prop::option::of(bytes(vec![0, 1, 100, PAGE]));
    prop_oneof![
        (offset(), bytes(vec![0, 1, 100, PAGE, 5000])).prop_map(|(at, b)| Bytes::Write(at, b)),
        offset().prop_map(Bytes::SetLen),
        (0..3usize, page).prop_map(|(index, page)| Bytes::SetPage(index, page)),
    ]
}
