//! Where it cannot measure, and where the figures are not those of a disk.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::{FEW, bench, is_empty, result};
use crate::machine::{Nobody, Tmpfs, may_mount, not_measured, open_to_all};
use crate::program::{Ended, PLUGPULL, plugpull, send};

#[test]
fn a_request_that_makes_no_sense_is_refused_with_its_remedy() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "no result").unwrap();
    bench(&dir.path().join("missing"), &[]).assert(2, &["does not exist; create it"]);
    bench(&file, &[]).assert(2, &["is not a directory; name one"]);
    let file = file.to_str().unwrap();
    bench(dir.path(), &["--only=appendix"])
        .assert(2, &["no strategy \"appendix\"", "append/fsync"]);
    bench(dir.path(), &["--size=0"]).assert(2, &["--size must be from 1 byte"]);
    bench(dir.path(), &["--size=big"]).assert(2, &["500M or 4G"]);
    bench(dir.path(), &["--budget=1ms"]).assert(2, &["--budget must be at least 100ms"]);
    bench(dir.path(), &["--batch=0"]).assert(2, &["--batch must be from 1 to 1024"]);
    bench(dir.path(), &["--threads=5000"]).assert(2, &["--threads must be"]);
    bench(dir.path(), &["--advise=durable"]).assert(2, &["no need \"durable\"", "power-cut"]);
    bench(dir.path(), &["--json=/nowhere/a.json"]).assert(2, &["--json", "no directory /nowhere"]);
    plugpull(["bench", "--from", file]).assert(2, &["no result of a bench", "--json"]);
    plugpull(["bench", "--from", "/nowhere"]).assert(2, &["cannot read /nowhere", "--json"]);
    plugpull(["bench", "--compare", file]).assert(2, &["--compare"]);
    plugpull(["bench", "--compare", file, file]).assert(2, &["no result of a bench"]);
    fs::remove_file(file).unwrap();
    assert!(is_empty(dir.path()));
}

#[test]
fn a_directory_of_somebody_else_is_refused() {
    let Some(nobody) = Nobody::new() else { return };
    let dir = TempDir::new().unwrap();
    open_to_all(dir.path());
    let ended: Ended = nobody.command().args(FEW).arg(dir.path()).output().unwrap().into();
    ended.assert(96, &["cannot write in", "Permission denied", "change its owner or mode"]);
}

#[test]
fn a_file_system_that_is_read_only_is_refused() {
    let Some(tmpfs) = Tmpfs::mount("size=1m") else { return };
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    mount(None::<&str>, tmpfs.path(), None::<&str>, flags, None::<&str>).unwrap();
    bench(tmpfs.path(), &[]).assert(96, &["Read-only file system", "remount it for writing"]);
}

#[test]
fn a_disk_that_is_full_is_refused() {
    let Some(tmpfs) = Tmpfs::mount("size=1m,nr_inodes=1") else { return };
    bench(tmpfs.path(), &[]).assert(96, &["No space left", "free space or inodes"]);
}

#[test]
fn a_disk_that_fills_up_ends_it_with_what_was_measured() {
    let Some(tmpfs) = Tmpfs::mount("size=6m") else { return };
    // The log grows to 16 MiB in its turns; it fits for the first few runs.
    let few = ["--only=append/none", "--only=overwrite/none", "--size=4K", "--budget=2s"];
    let ended = bench(tmpfs.path(), &few);
    ended.assert(96, &["append/none of 4 KiB failed", "No space left", "--only and --size"]);
    assert!(ended.out.contains("PARTIAL: append/none of 4 KiB failed"), "{}", ended.out);
    assert!(ended.out.contains("WARNING: tmpfs is memory"), "{}", ended.out);
    assert!(is_empty(tmpfs.path()));
}

/// Waits until FUSE keeps a directory.
fn await_mount(dir: &Path) {
    let begun = Instant::now();
    let mounted = || {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        mounts.contains(&format!(" {} fuse", dir.display()))
    };
    while !mounted() {
        assert!(begun.elapsed() < Duration::from_secs(20), "nothing was mounted");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A FUSE file system that plugpull itself keeps.
struct Fuse(Child);

impl Fuse {
    fn over(dir: &Path) -> Self {
        let mut mount = Command::new(PLUGPULL);
        mount.arg("mount").arg(dir).stdin(Stdio::null()).stdout(Stdio::null());
        let child = mount.stderr(Stdio::null()).spawn().unwrap();
        await_mount(dir);
        Self(child)
    }
}

impl Drop for Fuse {
    fn drop(&mut self) {
        send(&self.0, Signal::SIGTERM);
        let _ = self.0.wait();
    }
}

#[test]
fn on_fuse_it_says_that_the_figures_are_of_that_file_system() {
    if !may_mount() {
        return;
    }
    let dir = TempDir::new().unwrap();
    let fuse = Fuse::over(dir.path());
    let ended = bench(dir.path(), &["--size=4K", "--budget=1s", "--message-format=json-lines"]);
    let told = result(ended.assert(0, &["is no disk of this machine"]));
    assert_eq!(told["warnings"][0]["rule"], "fuse", "{told:#}");
    // It has no O_TMPFILE: said, and the others are measured.
    let lacking: Vec<_> = told["not_there"].as_array().unwrap().iter().collect();
    assert!(lacking.iter().any(|lack| lack["strategy"] == "tmpfile/fsync"), "{lacking:?}");
    assert!(told["cases"].as_array().unwrap().len() > 15, "{told:#}");
    drop(fuse);
}

/// A directory over SFTP: sshfs with a server of its own, without a network between them.
struct Sshfs {
    mount: TempDir,
    programs: [Child; 2],
    _files: TempDir,
}

impl Sshfs {
    fn new() -> Option<Self> {
        const SERVER: &str = "/usr/lib/openssh/sftp-server";
        if !may_mount() {
            return None;
        }
        let [files, mount] = [TempDir::new().unwrap(), TempDir::new().unwrap()];
        let (ours, theirs) = UnixStream::pair().unwrap();
        let start = |program: &str, args: &[&str], end: UnixStream| {
            let input = OwnedFd::from(end.try_clone().unwrap());
            let mut command = Command::new(program);
            command.args(args).stdin(input).stdout(OwnedFd::from(end)).stderr(Stdio::null()).spawn()
        };
        let remote = format!(":{}", files.path().display());
        let at = mount.path().to_str().unwrap();
        let client = start("sshfs", &["-f", "-o", "passive", &remote, at], ours);
        let server = start(SERVER, &[], theirs);
        let (Ok(client), Ok(server)) = (client, server) else {
            return not_measured(
                "sshfs or sftp-server is missing (apt-get install sshfs openssh-sftp-server)",
            );
        };
        await_mount(mount.path());
        Some(Self { mount, programs: [client, server], _files: files })
    }
}

impl Drop for Sshfs {
    fn drop(&mut self) {
        for program in &mut self.programs {
            // The client unmounts, and the server ends with the connection.
            send(program, Signal::SIGTERM);
            let _ = program.wait();
        }
    }
}

#[test]
fn on_a_network_file_system_it_says_that_the_figures_are_of_the_server() {
    let Some(sshfs) = Sshfs::new() else { return };
    let few = ["--only=append/*", "--size=4K", "--budget=1s", "--message-format=json-lines"];
    let ended = bench(sshfs.mount.path(), &few);
    let told = result(ended.assert(0, &["fuse.sshfs is no disk of this machine"]));
    assert_eq!(told["warnings"][0]["rule"], "network", "{told:#}");
    assert!(
        told["cases"].as_array().unwrap().iter().any(|case| case["strategy"] == "append/fsync")
    );
    assert!(is_empty(sshfs.mount.path()));
}
