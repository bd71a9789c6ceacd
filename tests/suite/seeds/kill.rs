//! SIGKILL in the middle of writing.
//!
//! Kills at random moments show what recovery does with whatever is on disk then; the page cache
//! outlives the process, so this says nothing about a power cut.

use std::io::{BufRead, BufReader, Write as _};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

use plugpull_store::{ObjectId, Options, Store};

use crate::child;
use crate::scratch::{Scratch, random_bytes};

const ROUNDS: u64 = 5;
const SIGKILL: i32 = 9;

/// How the child announces an object that was acknowledged.
const ACK: &str = "acknowledged ";

#[test]
fn a_killed_writer_leaves_whole_objects_only() {
    if let Some(root) = child::role() {
        write_until_killed(&root);
        return;
    }
    let scratch = Scratch::new();
    let content = |n: u64| random_bytes(n, 4096);
    let before: Vec<_> = (0..20).map(|n| scratch.open().put(&content(n)).unwrap().id).collect();
    let mut rng = fastrand::Rng::with_seed(42);
    let mut acknowledged = Vec::new();
    for round in 0..ROUNDS {
        let pause = Duration::from_millis(rng.u64(10..=50));
        let reported = kill_after(&scratch.root(), pause);
        assert!(!reported.is_empty(), "round {round}: the writer was at work");
        acknowledged.extend(reported);

        let store = scratch.open();
        scratch.assert_clean();
        for (n, id) in (0..).zip(&before) {
            assert_eq!(store.get(id).unwrap(), Some(content(n)), "round {round}");
        }
        for id in &acknowledged {
            assert!(store.get(id).unwrap().is_some(), "round {round}: {id} was acknowledged");
        }
    }
    let objects = scratch.audit().counts.objects;
    assert!(objects >= 20 + acknowledged.len() as u64, "{objects} objects were hashed");
}

/// The child: puts objects 100 us apart and says so.
fn write_until_killed(root: &Path) {
    let store = Store::open(root, Options::default()).unwrap();
    let seed = u64::from(std::process::id());
    for n in 0..5000 {
        let put = store.put(&random_bytes((seed << 16) + n, 4096)).unwrap();
        let mut stdout = std::io::stdout().lock();
        writeln!(stdout, "{ACK}{}", put.id).unwrap();
        drop(stdout);
        thread::sleep(Duration::from_micros(100));
    }
}

/// Starts a child and kills it `pause` after its first acknowledgement; all it acknowledged.
fn kill_after(root: &Path, pause: Duration) -> Vec<ObjectId> {
    let test = "seeds::kill::a_killed_writer_leaves_whole_objects_only";
    let mut child = child::command(test, root).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let id = |line: std::io::Result<String>| {
        let line = line.unwrap();
        // The test runner may have written before it on the same line; a kill may cut the last one.
        line.split_once(ACK).and_then(|(_, id)| id.parse::<ObjectId>().ok())
    };
    let first = lines.by_ref().find_map(id);
    thread::sleep(pause);
    child.kill().unwrap();
    let rest: Vec<_> = lines.filter_map(id).collect();
    let status = child.wait().unwrap();
    assert_eq!(status.signal(), Some(SIGKILL), "it was killed at work: {status}");
    first.into_iter().chain(rest).collect()
}
