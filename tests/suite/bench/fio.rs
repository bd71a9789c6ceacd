//! The figures beside those of fio: fdatasync after appends of 4 KiB, measured in turns on the same file system.
//!
//! It is the stopwatch that is held to fio's, so the file system is one whose times do not depend on what other
//! programs of the machine write: an ext4 of its own on a loop device over memory. PLUGPULL_FIO_DIR names another
//! directory.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::{bench, case, result};
use crate::machine::not_measured;

/// How far the medians may be apart.
const APART: f64 = 0.15;

/// Turns of both; the median of their ratios counts.
const TURNS: usize = 7;

/// The machine may have other things to do.
const ATTEMPTS: usize = 3;

/// Appends in a turn of fio.
const APPENDS: usize = 2000;

/// An ext4 of its own; unmounted on drop.
struct Ext4 {
    base: TempDir,
}

impl Ext4 {
    fn new() -> Option<Self> {
        let base = TempDir::new_in("/dev/shm").ok()?;
        let image = base.path().join("image");
        File::create(&image).ok()?.set_len(256 << 20).ok()?;
        let ext4 = Self { base };
        std::fs::create_dir(ext4.dir()).ok()?;
        let run = |command: &mut Command| command.output().is_ok_and(|out| out.status.success());
        let made = run(Command::new("mkfs.ext4").args(["-q", "-b", "4096"]).arg(&image));
        let mount = || run(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(ext4.dir()));
        (made && mount()).then_some(ext4)
    }

    fn dir(&self) -> PathBuf {
        self.base.path().join("dir")
    }
}

impl Drop for Ext4 {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.dir()).output();
    }
}

/// The median of a write and its fdatasync by fio, in nanoseconds.
fn fio(dir: &Path) -> f64 {
    let appends = format!("--size={}", APPENDS * 4096);
    let told = Command::new("fio")
        .args(["--name=append", "--rw=write", "--bs=4k", "--ioengine=psync", "--fdatasync=1"])
        .args(["--fallocate=none", "--unlink=1", "--output-format=json", &appends])
        .arg(format!("--directory={}", dir.display()))
        .output()
        .unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    let job = &told["jobs"][0];
    let median = |of: &Value| of["percentile"]["50.000000"].as_f64().unwrap();
    median(&job["write"]["clat_ns"]) + median(&job["sync"]["lat_ns"])
}

/// The same by plugpull.
fn ours(dir: &Path) -> f64 {
    let args =
        ["--only=append/fdatasync", "--size=4K", "--budget=400ms", "--message-format=json-lines"];
    let told = result(bench(dir, &args).assert(0, &[]));
    case(&told, "append/fdatasync")["p50_ns"].as_f64().unwrap()
}

/// Ours by fio's, in turns; the median of the ratios.
fn ratio(dir: &Path) -> f64 {
    let turn = |n: usize| {
        // Neither always comes first.
        let (ours, fio) = if n.is_multiple_of(2) {
            let ours = ours(dir);
            (ours, fio(dir))
        } else {
            let fio = fio(dir);
            (ours(dir), fio)
        };
        eprintln!("plugpull {:.1} us, fio {:.1} us: {:.3}", ours / 1e3, fio / 1e3, ours / fio);
        ours / fio
    };
    let mut ratios: Vec<_> = (0..TURNS).map(turn).collect();
    ratios.sort_by(f64::total_cmp);
    ratios[TURNS / 2]
}

#[test]
fn the_median_is_that_of_fio() {
    let installed = Command::new("fio").arg("--version").output().ok();
    if installed.or_else(|| not_measured("fio is not installed")).is_none() {
        return;
    }
    let named = std::env::var_os("PLUGPULL_FIO_DIR").map(PathBuf::from);
    let ext4 = Ext4::new();
    let Some(dir) = named.or_else(|| ext4.as_ref().map(Ext4::dir)) else {
        not_measured::<()>("an ext4 on a loop device needs root, mkfs.ext4 and loop devices");
        return;
    };
    let mut ratios = Vec::new();
    for _ in 0..ATTEMPTS {
        let ratio = ratio(&dir);
        if (ratio - 1.0).abs() <= APART {
            return;
        }
        ratios.push(ratio);
    }
    panic!("ours by fio's: {ratios:?}");
}
