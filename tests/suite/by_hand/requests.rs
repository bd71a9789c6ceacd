//! What is asked for badly, or by clients that behave badly, is refused with the reason and harms nobody else.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use nix::sys::signal::Signal;

use super::{Desk, Kept, at_a_desk, mounted};

#[test]
fn without_a_disk_there_is_nobody_to_ask() {
    at_a_desk(|desk| {
        desk.ctl(&["pending"]).assert(2, &["no disk is mounted over", "plugpull mount"]);
        desk.run(&["ctl", "nowhere", "pending"]).assert(2, &["no disk is mounted over"]);
        desk.run(&["ctl", "data"]).assert(2, &["Usage"]);
        desk.run(&["ctl", "data", "explode"]).assert(2, &["explode"]);
    });
}

#[test]
fn a_mount_that_cannot_be_is_refused_with_the_remedy() {
    at_a_desk(|desk| {
        fs::write(desk.path("file"), "").unwrap();
        desk.run(&["mount", "file"]).assert(2, &["no directory"]);
        desk.run(&["mount", "nowhere"]).assert(2, &["nowhere", "name the directory"]);
        desk.run(&["mount", "/"]).assert(2, &["cannot mount over /"]);
        desk.run(&["mount", "data", "--model", "fat"]).assert(2, &["fat"]);
        desk.run(&["mount", "data", "--record", "no/run.plug"]).assert(2, &["no directory no"]);
        let long = format!("{}.sock", "x".repeat(100));
        desk.run(&["mount", "data", "--socket", &long]).assert(2, &["107", "--socket"]);
        desk.run(&["mount", "data", "--socket", "file"]).assert(2, &["no socket"]);
        desk.run(&["mount", "data", "--socket", "no/sock"]).assert(2, &["directory is not there"]);
        assert_eq!(fs::read_to_string(desk.path("file")).unwrap(), "");
        desk.assert_nothing_left();
    });
}

/// Says a line to the socket, and reads what comes.
fn say(stream: &UnixStream, line: &str) -> String {
    let mut writer = stream;
    writer.write_all(line.as_bytes()).unwrap();
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).unwrap();
    answer
}

fn connect(kept: &Kept) -> UnixStream {
    UnixStream::connect(kept.socket()).unwrap()
}

fn with_a_disk(test: impl FnOnce(&Desk, &Kept) + Send + 'static) {
    at_a_desk(|desk| {
        let kept = desk.mount(&["--socket", "here.sock"]);
        assert_eq!(kept.socket(), desk.path("here.sock"));
        test(&desk, &kept);
        desk.told(&["unmount"]);
        kept.wait().assert(0, &[]);
        desk.assert_nothing_left();
        assert!(!desk.path("here.sock").exists());
    });
}

#[test]
fn a_connection_takes_several_requests_and_bad_ones_between_them() {
    with_a_disk(|_, kept| {
        let stream = connect(kept);
        let status = "{\"version\":1,\"command\":\"status\"}\n";
        assert!(say(&stream, status).contains("\"pid\":"));
        for (bad, why) in [
            ("hello\n", "no request"),
            ("{\"version\":7,\"command\":\"status\"}\n", "version 7"),
            ("{\"version\":1,\"command\":\"explode\"}\n", "explode"),
            ("{\"version\":1,\"command\":\"save\",\"dir\":\"out\"}\n", "no path from the root"),
            ("{\"version\":1,\"command\":\"fail\",\"calls\":[]}\n", "no call"),
            ("{\"version\":1,\"command\":\"pending\",\"model\":\"fat\"}\n", "fat"),
        ] {
            let answer = say(&stream, bad);
            assert!(answer.contains(why) && answer.contains("\"exit\":2"), "{bad}{answer}");
        }
        assert!(say(&stream, status).contains("\"pid\":"));
    });
}

#[test]
fn clients_that_hang_keep_nobody_waiting() {
    with_a_disk(|desk, kept| {
        let silent: Vec<_> = (0..4).map(|_| connect(kept)).collect();
        let mut half = connect(kept);
        half.write_all(b"{\"version\":1,").unwrap();
        let mut gone = connect(kept);
        gone.write_all(b"{\"version\":1,\"command\":\"pending\"}\n").unwrap();
        drop(gone);
        assert_eq!(desk.told(&["status"])["power_cuts"], 0);
        drop(silent);
        half.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        BufReader::new(half).read_line(&mut answer).unwrap();
        assert!(answer.contains("no newline"), "{answer}");
        // Too many at a time are told so.
        let mut many = Vec::new();
        let mut told = (0..20).map(|_| {
            many.extend((0..10).map(|_| connect(kept)));
            desk.ctl(&["status"])
        });
        let told = told.find(|told| told.code != Some(0)).unwrap();
        told.assert(96, &["clients are connected already"]);
        drop(many);
        let free = (0..200).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            desk.ctl(&["status"]).code == Some(0)
        });
        assert!(free);
    });
}

#[test]
fn a_stopped_plugpull_is_told_after_the_timeout() {
    with_a_disk(|desk, kept| {
        kept.signal(Signal::SIGSTOP);
        let told = desk.ctl(&["status", "--timeout", "300ms"]);
        kept.signal(Signal::SIGCONT);
        told.assert(96, &["did not answer within 300ms", "--timeout"]);
    });
}

#[test]
fn status_tells_how_the_disk_is() {
    mounted(|desk| {
        desk.sh("echo 1 > f; sync f");
        desk.told(&["fail", "rename"]);
        desk.told(&["power-cut"]);
        desk.sh("echo 2 >> f; ! mkfifo pipe 2> /dev/null; mkdir d");
        let status = desk.told(&["status"]);
        assert_eq!(status["model"], "ext4");
        for (key, count) in [("power_cuts", 1), ("marks", 0), ("operations", 2), ("faults", 1)] {
            assert_eq!(status[key], count, "{key}: {status}");
        }
        assert_eq!(status["refused"]["mknod of a FIFO"], 1);
        assert_eq!(status["recordings"].as_array().unwrap().len(), 1);
        let people = desk.ctl(&["status"]);
        assert!(people.out.contains("1 power cuts; since then 2 operations"), "{}", people.out);
    });
}
