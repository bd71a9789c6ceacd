//! Bad input and a hostile machine: a clear error that names the path and the remedy, the documented
//! exit code, nothing lost, and no temp left.

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::Signal;
use plugpull_store::ObjectId;

use crate::machine::{Nobody, Tmpfs, open_to_all};
use crate::program::{Ended, command, plugpull, send};
use crate::scratch::{Scratch, branch, commit, files_below, random_bytes};

/// A store with one branch, and its directory as an argument.
fn store() -> (Scratch, String) {
    let scratch = Scratch::new();
    let store = scratch.open();
    let id = commit(&store, "first");
    let _receipt =
        store.update_branch(&branch("main"), id, plugpull_store::Expected::Absent).unwrap();
    let dir = scratch.root().to_str().unwrap().to_owned();
    (scratch, dir)
}

#[test]
fn what_is_no_store_is_told_with_the_command_that_makes_one() {
    let scratch = Scratch::without_store();
    let nothing = scratch.beside("nothing");
    for dir in [scratch.beside(""), nothing] {
        let dir = dir.to_str().unwrap();
        for args in [vec!["audit", dir], vec!["store", "log", dir], vec!["store", "gc", dir]] {
            plugpull(args).assert(2, &["is not a store", dir, "plugpull store init"]);
        }
    }
    let file = scratch.beside("file");
    fs::write(&file, "x").unwrap();
    plugpull(["audit", file.to_str().unwrap()]).assert(2, &["it is not a directory"]);
}

#[test]
fn a_newer_format_is_left_alone() {
    let (scratch, dir) = store();
    fs::write(scratch.layout().format(), "plugpull-store 3\n").unwrap();
    let before = files_below(&scratch.root());
    for args in [vec!["audit", &dir], vec!["store", "init", &dir], vec!["store", "log", &dir]] {
        plugpull(args).assert(2, &["format 3", "use a newer plugpull", "format"]);
    }
    assert_eq!(files_below(&scratch.root()), before);
}

#[test]
fn a_truncated_object_is_never_given_out() {
    let (scratch, dir) = store();
    let id = ObjectId::of(b"first");
    crate::scratch::corrupt(&scratch.layout().object(&id), b"fir");
    let ended = plugpull(["store", "get", &dir, &id.to_string(), "-o", "/dev/shm/no"]);
    ended.assert(100, &["integrity check failed", "its 3 bytes hash to"]);
    assert!(!fs::exists("/dev/shm/no").unwrap());
    plugpull(["audit", &dir]).assert(100, &[]);
}

#[test]
fn a_truncated_ref_is_not_taken_for_a_new_branch() {
    let (scratch, dir) = store();
    let path = scratch.layout().branch(&branch("main"));
    fs::write(&path, "").unwrap();
    fs::write(scratch.beside("f"), "x").unwrap();
    let commit = command(["store", "commit", &dir, "-m", "x", "f"])
        .current_dir(scratch.beside(""))
        .output()
        .unwrap();
    Ended::from(commit).assert(100, &["refs/heads/main", "it is empty"]);
    assert_eq!(fs::read(&path).unwrap(), b"");
    scratch.assert_no_temps();
}

#[test]
fn names_that_leave_their_place_are_refused() {
    let (scratch, dir) = store();
    let id = ObjectId::of(b"x").to_string();
    for name in ["../escape", "bad/../../traversal", "/abs", ".hidden"] {
        plugpull(["store", "branch", &dir, name, &id]).assert(2, &["is no branch name"]);
    }
    for wrong in ["abc123", &"z".repeat(64), "sha256:"] {
        plugpull(["store", "get", &dir, wrong]).assert(2, &["is no object id", "sha256:"]);
    }
    plugpull(["store", "commit", &dir, "-m", "x", "/etc/hostname"]).assert(2, &["relative path"]);
    plugpull(["store", "branch", &dir, "x", &id]).assert(2, &["not in the store", "put it first"]);
    scratch.assert_clean();
}

#[test]
fn wrong_arguments_are_usage_errors() {
    for args in [
        vec!["no-such-command"],
        vec!["torture", "--writers", "0"],
        vec!["torture", "--writers", "1000"],
        vec!["torture", "--commits", "0"],
        vec!["torture", "--kills", "1000000000"],
        vec!["torture", "--duration", "soon"],
        vec!["torture", "--dir", "/etc/hostname"],
        vec!["audit"],
    ] {
        plugpull(args).assert(2, &[]);
    }
}

#[test]
fn a_link_or_a_file_where_a_directory_should_be_is_named() {
    let makers: [fn(&Path) -> std::io::Result<()>; 2] =
        [|to| symlink("/tmp", to), |to| fs::write(to, "x")];
    for make in makers {
        for place in [
            "locks",
            "quarantine",
            "refs",
            "refs/heads",
            "objects",
            "objects/sha256",
            "objects/sha256/7f",
        ] {
            let (scratch, dir) = store();
            let path = scratch.root().join(place);
            fs::rename(&path, scratch.beside("aside")).unwrap();
            make(&path).unwrap();
            plugpull(["store", "gc", &dir]).assert(100, &[place, "should be a directory"]);
            plugpull(["audit", &dir]).assert(100, &[]);
        }
    }
}

#[test]
fn a_source_that_is_no_regular_file_is_refused() {
    let (scratch, dir) = store();
    let fifo = scratch.beside("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let link = scratch.beside("link");
    symlink("/etc/hostname", &link).unwrap();
    for source in [fifo, link, scratch.beside(""), scratch.beside("missing")] {
        let source = source.to_str().unwrap();
        plugpull(["store", "put", &dir, source]).assert(2, &[source]);
    }
    scratch.assert_clean();
}

#[test]
fn a_directory_without_permission_is_told() {
    let Some(nobody) = Nobody::new() else { return };
    let (scratch, dir) = store();
    open_to_all(&scratch.beside(""));
    let file = scratch.beside("f");
    fs::write(&file, "x").unwrap();
    let put = nobody.command().args(["store", "put", &dir]).arg(&file).output().unwrap();
    Ended::from(put).assert(96, &["Permission denied", "check the owner and mode"]);
    let init =
        nobody.command().args(["store", "init"]).arg(scratch.beside("new")).output().unwrap();
    Ended::from(init).assert(96, &["Permission denied", "new"]);
    let run = nobody.command().args(["torture", "--dir"]).arg(scratch.beside("new")).output();
    Ended::from(run.unwrap()).assert(96, &["Permission denied", "new"]);
    // An object that cannot be read is reported and does not stop the audit.
    let object = scratch.layout().object(&ObjectId::of(b"first"));
    fs::set_permissions(&object, Permissions::from_mode(0o000)).unwrap();
    let audit = nobody.command().args(["audit", &dir]).output().unwrap();
    let audit = Ended::from(audit);
    audit.assert(100, &[]);
    assert!(audit.out.contains("Permission denied"), "{audit:#?}");
    scratch.assert_no_temps();
}

#[test]
fn a_full_disk_loses_nothing_and_leaves_no_temp() {
    let Some(tmpfs) = Tmpfs::mount("size=3m") else { return };
    let dir = tmpfs.path().join("store");
    let dir = dir.to_str().unwrap();
    plugpull(["store", "init", dir]).assert(0, &[]);
    let small = tmpfs.path().join("small");
    fs::write(&small, "kept").unwrap();
    let small = small.to_str().unwrap();
    plugpull(["store", "put", dir, small]).assert(0, &[]);
    let outside = Scratch::without_store();
    let large = outside.beside("large");
    fs::write(&large, random_bytes(1, 4 << 20)).unwrap();
    let put = plugpull(["store", "put", dir, large.to_str().unwrap()]);
    put.assert(96, &["No space left", "free space or inodes"]);
    let temps = files_below(tmpfs.path());
    assert!(temps.iter().all(|path| !path.to_string_lossy().contains("-tmp-")), "{temps:?}");
    plugpull(["audit", dir]).assert(0, &[]);
    let kept = plugpull(["store", "get", dir, &ObjectId::of(b"kept").to_string()]);
    assert_eq!(kept.assert(0, &[]).out, "kept");
}

#[test]
fn a_disk_without_inodes_is_told_and_init_goes_on_when_there_are_some() {
    let Some(tmpfs) = Tmpfs::mount("size=8m,nr_inodes=200") else { return };
    let dir = tmpfs.path().join("store");
    let dir = dir.to_str().unwrap();
    plugpull(["store", "init", dir]).assert(96, &["No space left", "inodes"]);
    let remount = nix::mount::MsFlags::MS_REMOUNT;
    let options = Some("nr_inodes=2000");
    nix::mount::mount(None::<&str>, tmpfs.path(), None::<&str>, remount, options).unwrap();
    plugpull(["store", "init", dir]).assert(0, &[]);
    plugpull(["audit", dir]).assert(0, &[]);
}

#[test]
fn torture_on_a_disk_that_fills_up_ends_with_the_remedy() {
    let Some(tmpfs) = Tmpfs::mount("size=6m") else { return };
    let run = ["torture", "--commits", "100000", "--dir"];
    let dir = tmpfs.path().join("run");
    let ended = plugpull(run.into_iter().chain([dir.to_str().unwrap()]));
    ended.assert(96, &["No space left", "free space or inodes"]);
    assert_eq!(fs::read_dir(tmpfs.path()).unwrap().count(), 0);
}

#[test]
fn a_signal_in_the_middle_of_a_put_leaves_no_temp() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let (scratch, dir) = store();
        let mut put = command(["store", "put", &dir, "-"]).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = put.stdin.take().unwrap();
        stdin.write_all(&random_bytes(1, 300_000)).unwrap();
        let begun = (0..500).any(|_| {
            std::thread::sleep(Duration::from_millis(5));
            !scratch.temps().is_empty()
        });
        assert!(begun, "the put never began");
        send(&put, signal);
        let status = put.wait().unwrap();
        let mut told = String::new();
        put.stderr.take().unwrap().read_to_string(&mut told).unwrap();
        assert_eq!(status.code(), Some(130), "{told}");
        assert!(told.contains("ended by a signal"), "{told}");
        scratch.assert_clean();
    }
}
