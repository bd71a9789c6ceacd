//! Rules of the house that no lint knows, held by reading the sources.

use std::fs;
use std::path::{Path, PathBuf};

use crate::scratch::files_below;

/// A file longer than this is two rooms.
const LONGEST_FILE: usize = 500;

/// The README is read before anything works; it must be short.
const LONGEST_README: usize = 100;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// All sources, with their paths from the project's root.
fn sources() -> Vec<(PathBuf, String)> {
    let crates = ["faultfs", "store", "torture", "tests", "benches"];
    let files = crates.iter().flat_map(|name| files_below(&root().join(name)));
    let sources = files.filter(|path| path.extension().is_some_and(|end| end == "rs"));
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        (path.strip_prefix(root()).unwrap().to_owned(), text)
    };
    let sources: Vec<_> = sources.map(read).collect();
    assert!(sources.len() > 40, "only {} sources were found", sources.len());
    sources
}

#[track_caller]
fn assert_none(rule: &str, broken: impl Iterator<Item = PathBuf>) {
    let broken: Vec<_> = broken.collect();
    assert!(broken.is_empty(), "{rule}: {broken:?}");
}

#[test]
fn every_file_opens_by_saying_what_it_is_for() {
    let silent = sources().into_iter().filter(|(_, text)| !text.starts_with("//! "));
    assert_none("no `//!` at the top", silent.map(|(path, _)| path));
}

#[test]
fn sources_are_ascii() {
    let other = sources().into_iter().filter(|(_, text)| !text.is_ascii());
    assert_none("not ASCII", other.map(|(path, _)| path));
}

#[test]
fn a_file_can_be_held_in_the_head() {
    let long = sources().into_iter().filter(|(_, text)| text.lines().count() > LONGEST_FILE);
    assert_none("too long", long.map(|(path, _)| path));
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    assert!(readme.lines().count() <= LONGEST_README);
}

#[test]
fn unsafe_code_and_silent_lints_do_not_occur() {
    // The one file that makes system calls nobody else offers.
    let excepted = ["tests/suite/tidy.rs", "faultfs/src/system.rs"].map(Path::new);
    let loud = sources().into_iter().filter(|(path, text)| {
        !excepted.contains(&path.as_path())
            && (text.contains("#[allow(") || text.contains("unsafe "))
    });
    assert_none("`allow` or `unsafe`", loud.map(|(path, _)| path));
}

#[test]
fn what_the_documents_link_to_is_there() {
    let documents = [
        "README.md",
        "CHANGELOG.md",
        "docs/bench.md",
        "docs/design.md",
        "docs/findings.md",
        "docs/formats.md",
        "docs/guide.md",
        "docs/limits.md",
        "docs/persistence-models.md",
    ];
    for document in documents {
        let path = root().join(document);
        let text = fs::read_to_string(&path).unwrap();
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.contains("://") && !link.starts_with('#')) {
            let file = link.split('#').next().unwrap();
            let target = path.parent().unwrap().join(file);
            assert!(target.exists(), "{document} links to {link}, which is not there");
        }
    }
}
