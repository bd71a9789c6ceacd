//! Mounts that end while programs still use them, and programs that end while they write.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use faultfs::{DiskImage, Mount, SimFs};

use super::{Mounted, mounted, options};

/// A panic and a hang are told apart by this.
const SOON: Duration = Duration::from_secs(5);

fn start(here: &Mounted, script: &str) -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", script]).current_dir(here.dir.path());
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < SOON, "waited too long until {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

fn is_mounted(at: &std::path::Path) -> bool {
    fs::read_to_string("/proc/thread-self/mountinfo").unwrap().contains(at.to_str().unwrap())
}

#[test]
fn a_killed_writer_leaves_what_it_wrote() {
    mounted(|here| {
        let child = start(&here, "while :; do echo a >> f; echo b > g.tmp; mv g.tmp g; done");
        wait_until("the writer writes", || here.trace().events.len() > 100);
        kill(child);
        wait_until("its children are gone", || {
            let before = here.trace().events.len();
            thread::sleep(Duration::from_millis(30));
            here.trace().events.len() == before
        });
        here.assert_recorded();
        let at = here.dir.path().to_owned();
        here.close();
        assert!(!is_mounted(&at));
    });
}

#[test]
fn a_mount_ends_while_a_program_is_in_it() {
    mounted(|here| {
        let sleeper = start(&here, "exec 5>f; echo a >&5; exec sleep 60");
        wait_until("the program has written", || here.trace().events.len() > 1);
        let at = here.dir.path().to_owned();
        assert!(is_mounted(&at));
        let start = Instant::now();
        here.close();
        assert!(start.elapsed() < SOON);
        assert!(!is_mounted(&at));
        kill(sleeper);
    });
}

#[test]
fn a_mount_ends_while_a_program_writes() {
    mounted(|here| {
        let writer = start(&here, "while :; do echo a >> f; done");
        wait_until("the program writes", || here.trace().events.len() > 10);
        let (at, begun) = (here.dir.path().to_owned(), Instant::now());
        drop(here);
        assert!(begun.elapsed() < SOON);
        assert!(!is_mounted(&at));
        kill(writer);
    });
}

#[test]
fn a_panic_while_serving_is_an_error_for_the_program_and_for_us() {
    mounted(|here| {
        let dir = tempfile::TempDir::new().unwrap();
        let disk = SimFs::on_machine_clock(DiskImage::new());
        let fail = Box::new(|_: &[u8]| panic!("this one is meant"));
        let mount = Mount::open(&disk, &options(dir.path()), fail).unwrap();
        let written = fs::write(mount.stdout_path(), "a\n");
        assert!(written.is_err(), "{written:?}");
        assert!(fs::write(dir.path().join("b"), "a").is_err());
        let begun = Instant::now();
        assert!(mount.close().is_err());
        assert!(begun.elapsed() < SOON);
        assert!(!is_mounted(dir.path()));
        here.close();
    });
}

#[test]
fn a_probe_tells_what_this_machine_allows_and_leaves_nothing() {
    mounted(|here| {
        let mounts = || fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
        let before = mounts();
        let probe = faultfs::probe();
        assert!(probe.dev_fuse.is_ok(), "{probe:?}");
        assert_eq!(probe.direct_mmap.unwrap(), here.mount.seen().direct_mmap);
        assert_eq!(mounts(), before);
    });
}
