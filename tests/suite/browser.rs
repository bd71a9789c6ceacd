//! A page in a real browser: nothing goes wrong, nothing is fetched, all of it has a name and fits on a telephone.
//!
//! browser.py says what is there. With PLUGPULL_SHOTS=DIR it leaves pictures. Not for what only one kind of page has.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::machine::not_measured;

fn chromium() -> Option<PathBuf> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let dirs = std::env::split_paths(&std::env::var_os("PATH")?).collect::<Vec<_>>();
    let found = names.iter().flat_map(|name| dirs.iter().map(move |dir| dir.join(name)));
    found.into_iter().find(|path| path.is_file())
}

/// What a person would notice of a page; what must hold of every one is asserted.
#[track_caller]
pub(crate) fn looked_at(name: &str, html: &str) -> Option<Value> {
    let Some(chromium) = chromium() else { return not_measured("chromium is not installed") };
    let dir = TempDir::new().unwrap();
    let page = dir.path().join(format!("{name}.html"));
    fs::write(&page, html).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("suite/browser.py");
    let mut python = Command::new("python3");
    python.arg(script).arg(chromium).arg(&page);
    if let Some(shots) = std::env::var_os("PLUGPULL_SHOTS") {
        let shots = Path::new(&shots).join(name);
        fs::create_dir_all(&shots).unwrap();
        fs::copy(&page, shots.join("page.html")).unwrap();
        python.arg(shots);
    }
    let Ok(told) = python.output() else { return not_measured("python3 is not installed") };
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let seen: Value = serde_json::from_slice(&told.stdout).unwrap();
    for nothing in ["errors", "requests", "dialogs", "unnamed", "same_ids"] {
        assert_eq!(seen[nothing], Value::Array(Vec::new()), "{nothing}");
    }
    assert_ne!(seen["dark"], seen["light"]);
    for (width, needed) in seen["widths"].as_object().unwrap() {
        let width: u64 = width.parse().unwrap();
        assert!(needed.as_u64().unwrap() <= width, "{needed} wide on a screen of {width}");
    }
    let mut level = 0;
    for heading in seen["headings"].as_array().unwrap() {
        let heading = heading.as_u64().unwrap();
        assert!(heading <= level + 1, "a heading {heading} below a heading {level}");
        level = heading;
    }
    Some(seen)
}
