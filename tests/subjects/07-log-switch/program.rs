//! A store with a log that is switched when it is full. A put may wait for the disk; then all puts
//! before it are durable, too. The old log is synced before the switch (fixed) or not (buggy).

use std::fs::File;
use std::io::{self, Write};

struct Store {
    fixed: bool,
    number: u32,
    log: File,
}

impl Store {
    fn open(fixed: bool) -> io::Result<Self> {
        Ok(Self { fixed, number: 1, log: new_log(1)? })
    }

    fn put(&mut self, key: u32, wait: bool) -> io::Result<()> {
        self.log.write_all(format!("put {key} end\n").as_bytes())?;
        if wait {
            self.log.sync_data()?;
            println!("synced {key}");
        }
        Ok(())
    }

    fn switch(&mut self) -> io::Result<()> {
        if self.fixed {
            self.log.sync_data()?;
        }
        self.number += 1;
        self.log = new_log(self.number)?;
        Ok(())
    }
}

fn new_log(number: u32) -> io::Result<File> {
    let log = File::create_new(format!("log-{number}"))?;
    File::open(".")?.sync_all()?;
    Ok(log)
}

fn main() -> io::Result<()> {
    let mut store = Store::open(std::env::args().nth(1).as_deref() == Some("fixed"))?;
    store.put(1, false)?;
    store.put(2, false)?;
    store.switch()?;
    store.put(3, true)?;
    store.put(4, false)?;
    store.switch()?;
    store.put(5, true)
}
