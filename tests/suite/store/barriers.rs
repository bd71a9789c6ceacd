//! Every wait for the disk has a name, and each name is a wait that happens.
//!
//! Not for showing that each is needed: that is for power cuts to tell.

use std::fs;
use std::path::Path;

use plugpull_store::{Barrier, Options};

use super::workload::{Log, everything, failures};
use crate::scratch::files_below;

fn both(options: Options) -> [Log; 2] {
    [everything(options), failures(options)]
}

#[test]
fn each_barrier_is_passed_and_leaving_it_out_changes_nothing_else() {
    let [whole, failing] = both(Options::default());
    for barrier in Barrier::ALL {
        let [less, failing_less] = both(Options::default().without(*barrier));
        let undo = matches!(barrier, Barrier::UndoFile | Barrier::UndoDir);
        let (all, left) = if undo { (&failing, &failing_less) } else { (&whole, &less) };
        assert!(left.syncs() < all.syncs(), "{barrier:?} is never passed");
        assert_eq!(less.others(), whole.others(), "{barrier:?}");
        assert_eq!(less.answers, whole.answers, "{barrier:?}");
    }
}

#[test]
fn there_is_no_other_wait_for_the_disk() {
    let none = Barrier::ALL.iter().fold(Options::default(), |options, b| options.without(*b));
    let [whole, failing] = both(none);
    assert_eq!((whole.syncs(), failing.syncs()), (0, 0));
}

/// The sources of the store but the planted mistakes, by their names.
fn sources() -> Vec<(String, String)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("store/src");
    let files = files_below(&dir).into_iter().filter(|path| !path.ends_with("planted/wrong.rs"));
    let name = |path: &Path| path.strip_prefix(&dir).unwrap().display().to_string();
    files.map(|path| (name(&path), fs::read_to_string(&path).unwrap())).collect()
}

#[test]
fn only_one_file_calls_fsync() {
    for (name, text) in sources() {
        let bare = [".sync_all(", ".sync_data(", "file.sync_fs(", "fs.sync_dir(", "fs().sync_dir("];
        let calls = bare.iter().any(|call| text.contains(call));
        assert_eq!(calls, name == "disk.rs", "{name}");
    }
}

/// The text of a function, from its name to its closing brace.
fn body<'t>(text: &'t str, function: &str) -> &'t str {
    let at = text.find(&format!("fn {function}")).expect(function);
    let line = text[..at].rfind('\n').unwrap_or(0) + 1;
    let indent = &text[line..line + text[line..].find(|c| c != ' ').unwrap()];
    let end = text[at..].find(&format!("\n{indent}}}\n")).expect(function);
    &text[at..at + end]
}

#[test]
fn each_barrier_is_where_its_table_says() {
    let sources = sources();
    for barrier in Barrier::ALL {
        let (file, function) = barrier.place();
        let (_, text) = sources.iter().find(|(name, _)| name == file).expect(file);
        assert!(text.contains(&format!("Barrier::{barrier:?}")), "{barrier:?} is not in {file}");
        // Some stand in a constant of the file, with the other barrier of the same write.
        let passes = ["Barrier::", "HEAD", "BRANCH", "STATE", "RESERVATION", "INTENT"];
        let passes = [&passes[..], &["CHECKPOINT", "COMPACTED", "CONFIG", "RECORD"]].concat();
        let body = body(text, function);
        assert!(passes.iter().any(|word| body.contains(word)), "{function} passes no barrier");
    }
}
