//! Numbered versions and a file CURRENT that names one; the old version is removed when the new name
//! is durable (fixed) or at once (buggy).

use std::fs::{self, File};
use std::io::{self, Write};

const LINES: usize = 8;

fn text(version: u32) -> String {
    format!("{:.<63}\n", format!("version {version} ")).repeat(LINES)
}

fn write_synced(name: &str, text: &str) -> io::Result<()> {
    let mut file = File::create(name)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn sync_directory() -> io::Result<()> {
    File::open(".")?.sync_all()
}

fn save(version: u32, fixed: bool) -> io::Result<()> {
    let name = format!("data-{version}");
    write_synced(&name, &text(version))?;
    write_synced("current.tmp", &format!("{name}\n"))?;
    sync_directory()?;
    fs::rename("current.tmp", "CURRENT")?;
    if fixed {
        sync_directory()?;
    }
    fs::remove_file(format!("data-{}", version - 1))?;
    sync_directory()
}

fn main() -> io::Result<()> {
    let fixed = std::env::args().nth(1).as_deref() == Some("fixed");
    for version in 1..=3 {
        save(version, fixed)?;
        println!("saved {version}");
    }
    Ok(())
}
