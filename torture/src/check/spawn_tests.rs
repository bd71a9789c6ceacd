//! Programs that end well, badly, late or not at all, and what they leave behind.
//!
//! The whole process is one subreaper, so these tests show as well that threads do not take each
//! other's children away. Not for mounts: the leftovers here are known by their variables.
#![expect(clippy::disallowed_methods, reason = "a test looks at files and at the clock")]

use std::ffi::OsString;
use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::{Ran, Spawner, Status, Task};
use crate::orphans::Orphans;

fn shell(text: &str) -> Task {
    let args = ["-c".into(), OsString::from(text)].to_vec();
    Task { program: "/bin/sh".into(), args, env: Vec::new() }
}

/// A spawner in a directory of its own, with a variable that no other has.
fn spawner(timeout: Duration) -> (TempDir, Spawner) {
    let dir = TempDir::new().unwrap();
    let env = vec![("PLUGPULL_DIR".into(), dir.path().into())];
    let spawner = Spawner::new(dir.path(), timeout, env, Orphans::Ours).unwrap();
    (dir, spawner)
}

fn run(text: &str, timeout: Duration) -> (TempDir, Ran) {
    let (dir, mut spawner) = spawner(timeout);
    let ran = spawner.run(&shell(text)).unwrap();
    (dir, ran)
}

const LONG: Duration = Duration::from_secs(20);

/// Whether the process whose number a file holds still runs.
fn runs(file: &Path) -> bool {
    let pid = std::fs::read_to_string(file).unwrap();
    std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).is_ok()
}

#[test]
fn both_outputs_are_captured_and_the_end_is_told() {
    let (dir, ran) = run("pwd; echo $PLUGPULL_DIR; echo last >&2; exit 7", LONG);
    let dir = dir.path().display();
    assert_eq!(String::from_utf8_lossy(ran.output.head()), format!("{dir}\n{dir}\nlast\n"));
    assert_eq!((ran.status, ran.output.last_line()), (Status::Exited(7), "last".to_owned()));
    assert_eq!(run("kill -SEGV $$", LONG).1.status, Status::Signaled(11));
    assert_eq!(run("cat", LONG).1.status, Status::Exited(0));
    let (_dir, mut spawner) = spawner(LONG);
    let missing = Task { program: "/no/such".into(), args: vec![], env: vec![] };
    assert_eq!(spawner.run(&missing).unwrap().status, Status::NotStarted(2));
}

#[test]
fn a_flood_of_output_neither_blocks_nor_fills_the_memory() {
    let (_dir, ran) = run("head -c 3000000 /dev/zero; echo; echo end", LONG);
    assert_eq!((ran.status, ran.output.last_line()), (Status::Exited(0), "end".to_owned()));
    assert_eq!(ran.output.head().len() as u64 + ran.output.dropped(), 3_000_005);
}

#[test]
fn time_that_is_over_ends_the_whole_group() {
    let start = Instant::now();
    let text = "sleep 60 & echo $! > child; echo waiting; wait";
    let (dir, ran) = run(text, Duration::from_millis(300));
    assert_eq!((ran.status, ran.output.last_line()), (Status::TimedOut, "waiting".to_owned()));
    assert!(start.elapsed() < Duration::from_secs(10));
    assert!(!runs(&dir.path().join("child")));
}

#[test]
fn a_child_that_keeps_the_output_open_does_not_keep_us_waiting() {
    let (dir, ran) = run("sleep 60 & echo $! > child; echo done", LONG);
    assert_eq!((ran.status, ran.output.last_line()), (Status::Exited(0), "done".to_owned()));
    assert!(ran.time < Duration::from_secs(10));
    assert!(!runs(&dir.path().join("child")));
}

#[test]
fn a_daemon_is_found_and_ended() {
    let daemon = "setsid sh -c 'echo $$ > daemon; exec sleep 60' > /dev/null 2>&1 & \
                  while ! test -s daemon; do sleep 0.01; done";
    for end in ["", "; sleep 60"] {
        let (dir, _) = run(&format!("{daemon}{end}"), Duration::from_secs(1));
        assert!(!runs(&dir.path().join("daemon")), "{end}");
    }
}

#[test]
fn threads_do_not_take_each_others_children() {
    std::thread::scope(|scope| {
        for number in 0..4 {
            scope.spawn(move || {
                let (_dir, mut spawner) = spawner(LONG);
                for _ in 0..50 {
                    let text = format!("setsid sh -c : & : & exit {number}");
                    let ran = spawner.run(&shell(&text)).unwrap();
                    assert_eq!(ran.status, Status::Exited(number));
                }
            });
        }
    });
}
