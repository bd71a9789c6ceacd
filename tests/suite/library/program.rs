//! `plugpull::test` as the author of a program uses it: any child program on a mounted disk, beside whatever
//! else a test binary does.
//!
//! Not for what the search finds in general (`findings`), nor for the command (`any_program`).

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use plugpull::exit::{Exit, Failure};
use plugpull::outcome::Outcome;
use plugpull::record::Marks;
use plugpull::test::{Explore, ExploreProgram, measured};
use tempfile::TempDir;

use crate::machine::{NOBODY, bring_fuse, is_root, not_measured, open_to_all, set_mode};

/// Saves two values by rename, and says so of each.
const CARELESS: &str = "for n in 1 2; do echo $n > t; mv t value; echo $n; done";

/// The same as it should be.
const CAREFUL: &str = "for n in 1 2; do echo $n > t; sync t; mv t value; sync .; echo $n; done";

fn shell(script: &str) -> ExploreProgram {
    Explore::new("saver").program(Command::new("sh").args(["-c", script]))
}

/// What was said to be saved is there.
fn saved(dir: &Path, marks: &[String]) -> Result<(), String> {
    let promised: u32 = marks.last().map_or(0, |mark| mark.parse().unwrap());
    let text = match fs::read_to_string(dir.join("value")) {
        Ok(text) => text,
        Err(_) if promised == 0 => return Ok(()),
        Err(e) => return Err(format!("{promised} was saved: {e}")),
    };
    match text.trim().parse::<u32>() {
        Ok(found) if found >= promised => Ok(()),
        _ => Err(format!("{promised} was saved, there is {text:?}")),
    }
}

fn missing(outcome: &Outcome) -> String {
    outcome.findings.iter().map(|finding| finding.missing() + "\n").collect()
}

/// Both forms of the program, told apart.
fn assert_told_apart() {
    let Some(careless) = measured(shell(CARELESS).check(saved)) else { return };
    assert_eq!(careless.exit, Exit::Violation, "{}", careless.text());
    let missing = missing(&careless);
    assert!(missing.contains("fsync(t)") && missing.contains("fsync(.)"), "{missing}");
    let careful = shell(CAREFUL).check(saved).unwrap();
    careful.assert_no_violation();
    assert!(careful.control.contains("with no barrier at all"), "{}", careful.control);
}

#[test]
fn a_missing_barrier_is_found_and_the_mended_program_passes() {
    assert_told_apart();
}

#[test]
fn tests_in_many_threads_do_not_meet() {
    let threads: Vec<_> = (0..4).map(|_| thread::spawn(assert_told_apart)).collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn a_checker_may_be_a_command_that_finds_the_state_where_the_program_had_it() {
    let here = "pwd > where; sync where .; ";
    let promised = "test \"$(cat where)\" = \"$PLUGPULL_DIR\" || test ! -s \"$PLUGPULL_MARKS\" || exit 1; \
        last=$(tail -n 1 $PLUGPULL_MARKS); test \"$(cat value)\" -ge \"${last:-0}\" || test -z \"$last\"";
    let run =
        |script: &str| shell(&format!("{here}{script}")).check_with(&format!("exit:{promised}"));
    let Some(careless) = measured(run(CARELESS)) else { return };
    assert_eq!(careless.exit, Exit::Violation, "{}", careless.text());
    assert!(careless.findings[0].replay.starts_with("plugpull replay pp1:"), "{careless:#?}");
    if is_root() {
        run(CAREFUL).unwrap().assert_no_violation();
    }
    let unknown = shell(CAREFUL).check_with("no-such-checker --x");
    assert!(matches!(unknown, Err(Failure::Usage(why)) if why.contains("no-such-checker")));
}

#[test]
fn a_token_makes_its_state_again_from_the_recording() {
    let Some(found) = measured(shell(CARELESS).check(saved)) else { return };
    let (finding, recording) = (&found.findings[0], found.recording.as_ref().unwrap());
    assert!(finding.replay.contains(&finding.token) && finding.replay.contains(".plug"));
    let replay = |token: &str| shell(CARELESS).replay(token, recording, saved);
    let said = replay(&finding.token).unwrap().unwrap_err();
    assert!(finding.message.contains(&said), "{said}");
    assert!(matches!(replay("pp1:nonsense"), Err(Failure::Usage(_))));
}

/// The directory of the command is the start, and stays as it is; its variables are the program's.
#[test]
fn a_command_is_run_as_it_was_put_together() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("value"), "40\n").unwrap();
    let script = "test -z \"$HOME\" && test -e made && n=$(($(cat value) + STEP)); \
        echo $n > value && sync value && echo $n > \"$PLUGPULL_MARK\" && echo no promise";
    let mut command = Command::new("sh");
    command.args(["-c", script]).current_dir(dir.path()).env("STEP", "2").env_remove("HOME");
    let program = Explore::new("adds").program(&command);
    let program = program.setup("echo x > made").marks(Marks::File);
    let outcome = measured(program.check(|dir, marks| {
        let value = fs::read_to_string(dir.join("value")).unwrap();
        // What is written in place may be lost, until it is promised.
        let lost = !marks.is_empty() && value != "42\n" || !dir.join("made").exists();
        if lost { Err(format!("{marks:?}: {value}")) } else { Ok(()) }
    }));
    let Some(outcome) = outcome else { return };
    outcome.assert_no_violation();
    assert_eq!((outcome.marks, &*outcome.subject), (1, "adds"), "{outcome:#?}");
    assert_eq!(fs::read_to_string(dir.path().join("value")).unwrap(), "40\n");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

/// The command lines of all processes that have this in it.
fn running(marker: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let has = |path: &PathBuf| {
        fs::read(path.join("cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).contains(marker))
    };
    entries.filter(has).collect()
}

#[test]
fn what_the_program_leaves_running_is_ended_and_no_other_child_is() {
    let base = TempDir::new().unwrap();
    let script = base.path().join("daemon.sh");
    fs::write(&script, "while :; do sleep 0.05; done\n").unwrap();
    let (daemon, marker) = (script.display(), script.to_str().unwrap());
    let quiet = |script: &str| {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdout(Stdio::null());
        command
    };
    // Others of ours: one that runs on, with a child without parents, and one that nobody has waited for.
    let mut bystander = quiet("(setsid sleep 77.25 &); sleep 77.25; true").spawn().unwrap();
    let mut ended = quiet("exit 7").process_group(0).spawn().unwrap();
    // Daemons: of the program, with and without its variables; of the setup.
    let leave = |clean: &str| format!("(setsid {clean} sh {daemon} > /dev/null 2>&1 &); ");
    let program = shell(&format!("{}{}{CAREFUL}", leave(""), leave("env -i")));
    let outcome = measured(program.setup(&leave("")).check(saved));
    let left = running(marker);
    let bystanders = running("sleep\u{0}77.25");
    let (alone, code) = (bystander.try_wait().unwrap(), ended.wait().unwrap().code());
    bystander.kill().unwrap();
    bystander.wait().unwrap();
    for path in &bystanders {
        let number = path.file_name().unwrap().to_str().unwrap().parse().unwrap();
        let _ = kill(Pid::from_raw(number), Signal::SIGKILL);
    }
    let Some(outcome) = outcome else { return };
    outcome.assert_no_violation();
    assert_eq!((alone, code, bystanders.len()), (None, Some(7), 2), "{bystanders:?}");
    if is_root() {
        assert!(left.is_empty(), "{left:?}");
        let told = outcome.warnings.iter().any(|text| text.contains("outlived the program"));
        assert!(told, "{:?}", outcome.warnings);
    }
}

#[test]
fn a_program_that_hangs_or_fails_or_does_nothing_is_told() {
    let begun = Instant::now();
    let hangs = shell("sleep 100").run_timeout(Duration::from_millis(300)).check(saved);
    match hangs {
        Err(Failure::Program(why)) => assert!(why.contains("did not end within 300ms"), "{why}"),
        other => assert!(measured(other).is_none()),
    }
    assert!(begun.elapsed() < Duration::from_secs(30));
    let Some(idle) = measured(shell("true").check(saved)) else { return };
    assert_eq!(idle.exit, Exit::NothingDone);
    let failed =
        shell("echo no room on the moon >&2; exit 3").check(saved).unwrap_err().to_string();
    assert!(failed.contains("exit status 3") && failed.contains("no room on the moon"), "{failed}");
    let broken = shell(CAREFUL).check(|_, _| panic!("never content"));
    assert!(matches!(broken, Err(Failure::Harness(why)) if why.contains("never content")));
    let nowhere = Explore::new("x").program(Command::new("true").current_dir("/no/such/dir"));
    assert!(matches!(nowhere.check(saved), Err(Failure::Usage(_))));
}

/// Who may not mount is helped by fusermount3. The test binary itself is such a user's here.
#[test]
fn a_user_without_rights_is_helped_by_fusermount3() {
    if std::env::var_os("PLUGPULL_TEST_AS_NOBODY").is_some() {
        return assert_told_apart();
    }
    if !is_root() || !Path::new("/dev/fuse").exists() {
        let _: Option<()> =
            not_measured("becoming another user needs root, and recording /dev/fuse");
        return;
    }
    let as_nobody = || {
        let base = TempDir::new().unwrap();
        let [suite, fuse, tmp] = ["suite", "fuse", "tmp"].map(|name| base.path().join(name));
        fs::copy(std::env::current_exe().unwrap(), &suite).unwrap();
        fs::create_dir(&tmp).unwrap();
        open_to_all(base.path());
        open_to_all(&suite);
        set_mode(&tmp, 0o777);
        bring_fuse(&fuse, 0o666);
        let mut command = Command::new(&suite);
        command
            .args(["--exact", "library::program::a_user_without_rights_is_helped_by_fusermount3"]);
        command.env("PLUGPULL_TEST_AS_NOBODY", "1").env("TMPDIR", &tmp).current_dir("/");
        command.uid(NOBODY).gid(NOBODY).output().unwrap()
    };
    let ended = thread::spawn(as_nobody).join().unwrap();
    let told = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success() && told.contains("1 passed"), "{told}");
}
