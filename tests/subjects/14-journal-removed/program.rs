//! A small LSM tree: puts go to a log, each synced; a full log is written out as a table and removed.
//! The table is synced before that (fixed) or not (buggy).

use std::fs::{self, File};
use std::io::{self, Write};

struct Tree {
    fixed: bool,
    number: u32,
    log: File,
    puts: Vec<u32>,
}

fn sync_directory() -> io::Result<()> {
    File::open(".")?.sync_all()
}

fn entry(key: u32) -> String {
    format!("put {key} end\n")
}

impl Tree {
    fn open(fixed: bool) -> io::Result<Self> {
        let log = File::create_new("log-1")?;
        sync_directory()?;
        Ok(Self { fixed, number: 1, log, puts: Vec::new() })
    }

    fn put(&mut self, key: u32) -> io::Result<()> {
        self.log.write_all(entry(key).as_bytes())?;
        self.log.sync_data()?;
        self.puts.push(key);
        println!("put {key}");
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        let old = self.number;
        let puts = std::mem::take(&mut self.puts);
        let mut table = File::create_new(format!("table-{old}"))?;
        table.write_all(puts.into_iter().map(entry).collect::<String>().as_bytes())?;
        if self.fixed {
            table.sync_all()?;
        }
        self.number += 1;
        self.log = File::create_new(format!("log-{}", self.number))?;
        sync_directory()?;
        fs::remove_file(format!("log-{old}"))
    }
}

fn main() -> io::Result<()> {
    let mut tree = Tree::open(std::env::args().nth(1).as_deref() == Some("fixed"))?;
    for keys in [[1, 2], [3, 4]] {
        for key in keys {
            tree.put(key)?;
        }
        tree.flush()?;
    }
    sync_directory()
}
