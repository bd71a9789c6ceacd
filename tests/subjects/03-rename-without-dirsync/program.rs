//! Snapshots that are replaced by a rename; the directory is synced after it (fixed) or not (buggy).

use std::fs::{self, File};
use std::io::{self, Write};

const LINES: usize = 8;

fn text(version: u32) -> String {
    format!("{:.<63}\n", format!("version {version} ")).repeat(LINES)
}

fn save(version: u32, fixed: bool) -> io::Result<()> {
    let mut file = File::create("snapshot.tmp")?;
    file.write_all(text(version).as_bytes())?;
    file.sync_all()?;
    fs::rename("snapshot.tmp", "snapshot")?;
    if fixed {
        File::open(".")?.sync_all()?;
    }
    Ok(())
}

fn main() -> io::Result<()> {
    let fixed = std::env::args().nth(1).as_deref() == Some("fixed");
    for version in 1..=3 {
        save(version, fixed)?;
        println!("saved {version}");
    }
    Ok(())
}
