//! `plugpull inject`, as a user starts it: what small programs do with calls that fail is told apart, and so
//! is what becomes of their data.
//!
//! Not for what a fault does to a call (`mount::faults`) or to the disk (unit tests of faultfs).

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::machine::{is_root, not_measured, open_to_all};
use crate::program::{Ended, PLUGPULL, plugpull};

/// Appends two records to `f`, which is there, and promises each; `sync` is what it does about an fsync, and
/// `write` about a write.
const RECORDS: &str = "\
import os, sys, time
def sync(fd):
    SYNC
def write(fd, bytes):
    WRITE
for n in range(1, 3):
    fd = os.open('f', os.O_RDWR | os.O_APPEND)
    write(fd, b'record %d\\n' % n)
    sync(fd)
    os.close(fd)
    os.write(1, b'record %d\\n' % n)
";

const CAREFUL_WRITE: &str = "while bytes: bytes = bytes[os.write(fd, bytes):]";
const STOPS: &str = "os.fsync(fd)";
const IGNORES: &str = "try: os.fsync(fd)\n    except OSError: pass";
const RETRIES: &str = "\
for n in range(3):
        try: return os.fsync(fd)
        except OSError: pass
    sys.exit(3)";

/// Every record that was promised is in `f`, whole.
const PROMISED: &str = "\
while read -r line; do
    grep -qxF \"$line\" f || { echo \"lost $line\"; exit 1; }
done < $PLUGPULL_MARKS";

/// A user's directory, and what is beside it.
struct Case(TempDir);

impl Case {
    #[track_caller]
    fn new() -> Option<Self> {
        if !is_root() || !PathBuf::from("/dev/fuse").exists() {
            return not_measured("recording as root needs root and /dev/fuse");
        }
        let case = Self(TempDir::new().unwrap());
        open_to_all(case.0.path());
        for dir in ["data", "tmp"] {
            fs::create_dir(case.0.path().join(dir)).unwrap();
        }
        fs::write(case.0.path().join("data/f"), "begun\n").unwrap();
        fs::write(case.0.path().join("check.sh"), PROMISED).unwrap();
        Some(case)
    }

    fn command(&self, more: &[&str], checker: &str, program: &[&str]) -> Command {
        let mut command = Command::new(PLUGPULL);
        command.args(["inject", "--dir", "data", "--checker", checker]).args(more);
        command.arg("--").args(program);
        command.current_dir(self.0.path()).env("TMPDIR", self.0.path().join("tmp"));
        command.stdin(Stdio::null());
        command
    }

    /// Runs `inject` with python code as the program.
    #[track_caller]
    fn python(&self, code: &str, more: &[&str]) -> Ended {
        let program = self.0.path().join("program.py");
        fs::write(&program, code).unwrap();
        let checker = format!("sh {}", self.0.path().join("check.sh").display());
        let json = ["--message-format", "json-lines"];
        let more = [more, &json].concat();
        let program = program.to_str().unwrap();
        let ended: Ended =
            self.command(&more, &checker, &["python3", program]).output().unwrap().into();
        assert_eq!(fs::read(self.0.path().join("data/f")).unwrap(), b"begun\n");
        ended
    }

    #[track_caller]
    fn records(&self, sync: &str, write: &str, more: &[&str]) -> Ended {
        self.python(&RECORDS.replace("SYNC", sync).replace("WRITE", write), more)
    }
}

/// What the runs with this call and error showed: mode, number, what the program did, its data.
#[track_caller]
fn told(ended: &Ended, call: &str, error: &str) -> Vec<String> {
    let runs = ended.events("injected").into_iter();
    let runs = runs.filter(|run| run["call"] == call && run["error"] == error);
    let text = |run: &Value| {
        let mode = if run["for_ever"] == true { "on" } else { "once" };
        let text = |field: &str| run[field].as_str().unwrap_or("").to_owned();
        let line =
            format!("{mode} {} {} {} {}", run["nth"], text("did"), text("how"), text("data"));
        line.replace("  ", " ")
    };
    runs.map(|run| text(&run)).collect()
}

#[test]
fn a_program_that_stops_at_an_error_loses_nothing() {
    let Some(case) = Case::new() else { return };
    let ended = case.records(STOPS, CAREFUL_WRITE, &[]);
    ended.assert(0, &[]);
    for (call, error) in [
        ("fsync", "EIO, ext4_ordered"),
        ("fsync", "EIO, xfs"),
        ("fsync", "EIO, btrfs"),
        ("fsync", "EIO, redirty"),
        ("fsync", "ENOSPC"),
        ("fsync", "EDQUOT"),
        ("write", "EIO"),
        ("write", "ENOSPC"),
        ("write", "EDQUOT"),
    ] {
        let stops = ["once 1", "on 1", "once 2", "on 2"];
        let stops = stops.map(|which| format!("{which} reported exit status 1 kept"));
        assert_eq!(told(&ended, call, error), stops, "{call} {error}");
    }
    // The rest of a short write is written; so it is of one that was short again.
    assert_eq!(told(&ended, "write", "short_write")[0], "once 1 retried kept");
    // That nothing is told of a sync that fails late is nobody's fault, and not hidden.
    let late = told(&ended, "fsync", "EIO, ext4_data");
    assert_eq!(late[2], "once 2 not told LOST after a power cut", "{late:?}");
    let end = &ended.events("end")[0];
    assert_eq!((end["violations"].as_u64(), end["not_run"].as_u64()), (Some(0), Some(0)));
    let calls = &ended.events("start")[0]["calls"];
    assert_eq!((calls["fsync"].as_u64(), calls["rename"].as_u64()), (Some(2), Some(0)));
}

#[test]
fn a_program_that_ignores_a_failed_sync_loses_what_it_promised() {
    let Some(case) = Case::new() else { return };
    let ended = case.records(IGNORES, CAREFUL_WRITE, &["--call", "fsync"]);
    ended.assert(100, &[]);
    let lost = |how: &str| {
        ["once 1", "on 1", "once 2", "on 2"]
            .map(|which| format!("{which} ignored LOST after a {how}"))
    };
    assert_eq!(told(&ended, "fsync", "EIO, ext4_ordered"), lost("power cut"));
    assert_eq!(told(&ended, "fsync", "EIO, xfs"), lost("power cut"));
    assert_eq!(told(&ended, "fsync", "ENOSPC"), lost("power cut"));
    assert_eq!(told(&ended, "fsync", "EIO, btrfs"), lost("restart"));
    let run = &ended.events("injected")[0];
    assert_eq!((&run["message"], &run["path"]), (&Value::from("lost record 1"), &Value::from("f")));
}

#[test]
fn a_program_that_believes_a_second_sync_loses_what_it_promised_and_a_replay_shows_it() {
    let Some(case) = Case::new() else { return };
    let more = ["--call", "fsync", "--error", "ext4_ordered,redirty"];
    let ended = case.records(RETRIES, CAREFUL_WRITE, &more);
    ended.assert(100, &[]);
    let expected = [
        "once 1 retried LOST after a power cut",
        "on 1 reported exit status 3 kept",
        "once 2 retried LOST after a power cut",
        "on 2 reported exit status 3 kept",
    ];
    assert_eq!(told(&ended, "fsync", "EIO, ext4_ordered"), expected);
    let expected = expected.map(|line| line.replace("LOST after a power cut", "kept"));
    assert_eq!(told(&ended, "fsync", "EIO, redirty"), expected);

    let runs = ended.events("injected");
    let run = runs.iter().find(|run| !run["recording"].is_null()).unwrap();
    let (token, recording) = (run["token"].as_str().unwrap(), run["recording"].as_str().unwrap());
    let keep = case.0.path().join("state");
    let args = ["replay", token, "--recording", recording, "--keep", keep.to_str().unwrap()];
    let again = plugpull(args);
    again.assert(100, &[]);
    for text in
        ["recorded with a fault: fsync 1 fails (EIO, ext4_ordered)", "VIOLATION lost record 1"]
    {
        assert!(again.out.contains(text), "{text}: {again:#?}");
    }
    let state = fs::read_to_string(keep.join("f")).unwrap();
    assert!(state.starts_with("begun\n") && !state.contains("record 1"), "{state:?}");
}

#[test]
fn a_program_that_does_not_look_how_much_was_written_loses_it() {
    let Some(case) = Case::new() else { return };
    let ended =
        case.records(STOPS, "os.write(fd, bytes)", &["--call", "write", "--error", "short_write"]);
    ended.assert(100, &[]);
    let told = told(&ended, "write", "short_write");
    assert_eq!(told[0], "once 1 ignored LOST after a restart");
    // The last write has no further one.
    assert_eq!(
        told[2..],
        ["once 2 ignored LOST after a restart", "on 2 ignored LOST after a restart"]
    );
}

#[test]
fn a_program_that_waits_for_room_for_ever_hangs() {
    let Some(case) = Case::new() else { return };
    let waits = "\
while True:
        try: return os.write(fd, bytes)
        except OSError: time.sleep(0.05)";
    let more = ["--call", "write", "--error", "enospc", "--run-timeout", "2s"];
    let ended = case.records(STOPS, waits, &more);
    ended.assert(100, &[]);
    let expected =
        ["once 1 retried kept", "on 1 hung kept", "once 2 retried kept", "on 2 hung kept"];
    assert_eq!(told(&ended, "write", "ENOSPC"), expected);
}

#[test]
fn a_program_that_ends_by_a_signal_has_reported_it() {
    let Some(case) = Case::new() else { return };
    let aborts = "try: os.fsync(fd)\n    except OSError: os.abort()";
    let more = ["--call", "fsync", "--error", "xfs,EDQUOT"];
    let ended = case.records(aborts, CAREFUL_WRITE, &more);
    ended.assert(0, &[]);
    assert_eq!(told(&ended, "fsync", "EDQUOT")[0], "once 1 reported killed by SIGABRT kept");
}

#[test]
fn the_reference_store_gets_over_every_fault() {
    let Some(case) = Case::new() else { return };
    fs::write(case.0.path().join("notes.txt"), "notes").unwrap();
    let notes = case.0.path().join("notes.txt");
    let setup = format!("{PLUGPULL} store init store");
    let more = ["--setup", &setup, "--budget", "3m", "--message-format", "json-lines"];
    let program = [PLUGPULL, "store", "put", "store", notes.to_str().unwrap()];
    let ended: Ended = case.command(&more, "store:store", &program).output().unwrap().into();
    ended.assert(0, &[]);
    let end = &ended.events("end")[0];
    assert_eq!(end["violations"].as_u64(), Some(0), "{end}");
    let runs = ended.events("injected");
    assert!(runs.len() > 20, "{}", runs.len());
    let ignored = runs.iter().filter(|run| run["did"] == "ignored" && run["call"] == "fsync");
    assert_eq!(ignored.count(), 0, "{ended:#?}");
}

#[test]
fn the_table_rolls_up_what_is_alike() {
    let Some(case) = Case::new() else { return };
    let program = case.0.path().join("program.py");
    fs::write(&program, RECORDS.replace("SYNC", IGNORES).replace("WRITE", CAREFUL_WRITE)).unwrap();
    let checker = format!("sh {}", case.0.path().join("check.sh").display());
    let program = ["python3", program.to_str().unwrap()];
    let more = ["--call", "fsync,rename", "--error", "xfs,EIO"];
    let ended: Ended = case.command(&more, &checker, &program).output().unwrap().into();
    ended.assert(100, &[]);
    for text in [
        "  calls: 2 fsync\n  never made: rename\n",
        "  fsync      EIO, xfs           1-2            once, for ever  ignored                    LOST after a power cut\n",
        "FINDING: lost record 1\n",
        "  again: plugpull replay pp1:",
    ] {
        assert!(ended.out.contains(text), "{text:?} is not in {}", ended.out);
    }
}

#[test]
fn what_cannot_be_done_is_said_with_what_can() {
    let run = |args: &[&str], code: i32, told: &[&str]| {
        let args = [&["inject", "--checker", "exit:true"], args, &["--", "true"]].concat();
        plugpull(args).assert(code, told);
    };
    run(&["--call", "fsnc"], 2, &["invalid value 'fsnc'", "'fsync'"]);
    run(&["--error", "ENOSPCE"], 2, &["invalid value 'ENOSPCE'", "'ENOSPC'"]);
    run(&["--call", "rename", "--error", "short_write"], 2, &["short_write is for write"]);
    run(&["--model", "ext5"], 2, &["ext5"]);
    plugpull(["inject", "--", "true"]).assert(2, &["--checker"]);
    let Some(case) = Case::new() else { return };
    let ended: Ended = case.command(&[], "exit:true", &["true"]).output().unwrap().into();
    ended.assert(4, &["nothing in"]);
    let ended: Ended = case.command(&[], "exit:true", &["false"]).output().unwrap().into();
    ended.assert(101, &["failed by itself"]);
    let ended: Ended = case.command(&[], "exit:false", &["touch", "new"]).output().unwrap().into();
    ended.assert(102, &["the checker fails on the finished run"]);
    let more = ["--call", "rename"];
    let ended: Ended = case.command(&more, "exit:true", &["touch", "new"]).output().unwrap().into();
    ended.assert(4, &[]);
    let more = ["--budget", "0s"];
    let ended: Ended = case.command(&more, "exit:true", &["touch", "new"]).output().unwrap().into();
    ended.assert(4, &[]);
}
