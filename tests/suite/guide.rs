//! docs/guide.md, followed word by word: its files are written, its commands run, its exit codes asserted.
//!
//! A comment before a block says what it is: `run, exit N`, `file NAME`, `append NAME`, `not run`.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::Command;

use crate::machine::{is_root, not_measured};
use crate::program::PLUGPULL;

const GUIDE: &str = include_str!("../../docs/guide.md");

/// One block of the guide, and what its comment says.
struct Block {
    what: String,
    text: String,
}

fn blocks() -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = GUIDE.lines();
    while let Some(line) = lines.next() {
        let comment = line.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->"));
        let Some(what) = comment else { continue };
        let fence = lines.next().unwrap_or_default();
        assert!(fence.starts_with("```"), "no block after {line}");
        let text = lines.by_ref().take_while(|line| *line != "```");
        let text: String = text.flat_map(|line| [line, "\n"]).collect();
        blocks.push(Block { what: what.to_owned(), text });
    }
    blocks
}

/// Runs a block of commands, with `plugpull` being ours; its exit code and all that it printed.
fn run(dir: &Path, text: &str) -> (i32, String) {
    let path = std::env::var("PATH").unwrap();
    let ran = Command::new("sh")
        .args(["-ec", text])
        .current_dir(dir)
        .env("PATH", format!("{}:{path}", dir.join("../bin").display()))
        .env("TMPDIR", dir.join("../tmp"))
        .env_remove("CI")
        .env_remove("GITHUB_ACTIONS")
        .output()
        .unwrap();
    let told = [ran.stdout, ran.stderr].concat();
    (ran.status.code().unwrap_or(-1), String::from_utf8_lossy(&told).into_owned())
}

#[test]
fn the_guide_is_true_to_the_letter() {
    if !is_root() || File::options().read(true).write(true).open("/dev/fuse").is_err() {
        return not_measured("recording as root needs root and /dev/fuse").unwrap_or_default();
    }
    let base = tempfile::tempdir().unwrap();
    let dir = base.path().join("shop");
    for name in ["shop", "bin", "tmp"] {
        fs::create_dir(base.path().join(name)).unwrap();
    }
    std::os::unix::fs::symlink(PLUGPULL, base.path().join("bin/plugpull")).unwrap();
    let mut told = Vec::new();
    for Block { what, text } in blocks() {
        match what.split_once(' ') {
            Some(("run,", exit)) => {
                let exit = exit.strip_prefix("exit ").unwrap().parse::<i32>().unwrap();
                let (code, output) = run(&dir, &text);
                assert_eq!(code, exit, "{text}\n{output}");
                told.push(output);
            }
            Some(("file", name)) => fs::write(dir.join(name), &text).unwrap(),
            Some(("append", name)) => {
                let mut file = OpenOptions::new().append(true).open(dir.join(name)).unwrap();
                file.write_all(text.as_bytes()).unwrap();
            }
            Some(("not", "run")) => {}
            _ => panic!("the guide says {what:?}"),
        }
    }
    // What it shows of the output is there.
    let all = told.concat();
    for shown in [
        "missing: fsync(.) after `unlink orders.db-journal`",
        "FINDING 6fc3c07b95a0: order tea was taken, and is lost",
        "missing: fsync(settings.json.new) before `rename settings.json.new -> settings.json`",
        "worse in",
    ] {
        assert!(all.contains(shown), "{shown}: {all}");
    }
    assert!(dir.join("report.html").exists());
}
