//! What other users can do, and what `plugpull doctor` says of the machine.

use std::fs;
use std::os::unix::fs::chown;
use std::thread;

use nix::mount::{MsFlags, mount};
use nix::unistd::{Gid, Uid, chdir, chroot};
use tempfile::TempDir;

use super::{CAREFUL, CARELESS, Case, JSON, PROMISED, lines};
use crate::machine::{NOBODY, Nobody, bring_fuse, not_measured, set_mode};
use crate::program::{Ended, command};

/// The mode with which everybody may use it.
const OPEN: u32 = 0o666;

/// A case whose directories belong to somebody without rights.
fn case_of_nobody() -> Option<(Case, Nobody)> {
    let (case, nobody) = (Case::new()?, Nobody::new()?);
    for path in [case.path("data"), case.path("tmp"), case.path("data/f")] {
        chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    Some((case, nobody))
}

fn as_nobody(case: &Case, nobody: &Nobody, args: &[&str]) -> Ended {
    case.ends(case.prepared(nobody.command(), args))
}

/// Runs a test where `/dev/fuse` has this mode, and user namespaces may be made.
#[track_caller]
fn with_fuse(mode: u32, test: impl FnOnce(&Case, &Nobody) + Send + 'static) {
    let Some((case, nobody)) = case_of_nobody() else { return };
    let run = move || {
        bring_fuse(&case.path("fuse"), mode);
        let doctor = as_nobody(&case, &nobody, &["doctor"]);
        if doctor.out.contains("inside a user namespace") {
            test(&case, &nobody);
        } else {
            let why = format!("user namespaces: {}", doctor.out);
            let _: Option<()> = not_measured(&why);
        }
    };
    if let Err(panic) = thread::spawn(run).join() {
        std::panic::resume_unwind(panic);
    }
}

fn words<'a>(checker: &'a str, program: &'a str) -> Vec<&'a str> {
    let mut args = vec!["check", "--dir", "data", "--checker", checker, "--"];
    args.extend(program.split(' '));
    args
}

#[test]
fn a_user_without_rights_records_and_checks_in_a_user_namespace() {
    with_fuse(OPEN, |case, nobody| {
        let checker = case.script("checker.sh", PROMISED);
        // Programs see who they are, and the state where it was recorded.
        let who =
            "test \"$(id -u)\" = 65534 && test -O f && test \"$PWD\" = \"$PLUGPULL_DIR\" || exit 3";
        let program = case.script("program.sh", &format!("{who}; {CARELESS}"));
        let found = as_nobody(case, nobody, &words(&checker, &program));
        found.assert(100, &[]);
        assert!(!found.err.contains("elsewhere"), "{}", found.err);
        let again = found.out.lines().find_map(|line| line.trim().strip_prefix("again: plugpull "));
        let again: Vec<_> = again.unwrap().split(' ').collect();
        as_nobody(case, nobody, &again).assert(100, &[]);
        let program = case.script("program.sh", CAREFUL);
        as_nobody(case, nobody, &words(&checker, &program)).assert(0, &[]);
    });
}

/// The trial mount of the doctor once belonged to root, and was refused to whoever made it.
#[test]
fn the_doctor_finds_nothing_missing_for_a_user_without_rights() {
    with_fuse(OPEN, |case, nobody| {
        let doctor = as_nobody(case, nobody, &["doctor"]);
        assert_eq!(doctor.code, Some(0), "{doctor:#?}");
        assert!(doctor.out.contains("each write is recorded as it was made"), "{}", doctor.out);
    });
}

/// The doctor once called a program good that nobody had made executable, which a check refuses.
#[test]
fn the_doctor_tells_programs_that_a_check_would_refuse() {
    let bin = TempDir::new().unwrap();
    let plain = bin.path().join("sqlite3");
    fs::write(&plain, "").unwrap();
    let doctor: Ended = command(["doctor"]).env("PATH", bin.path()).output().unwrap().into();
    let mend = format!("chmod +x {}", plain.display());
    for part in ["sqlite3 is not executable", &mend, "apt-get install git"] {
        assert!(doctor.out.contains(part), "{part}: {}", doctor.out);
    }
}

#[test]
fn a_user_without_rights_leaves_nothing_running() {
    with_fuse(OPEN, |case, nobody| {
        let sleeper = case.script("sleeper.sh", "while :; do sleep 0.05; done");
        let text = format!("(setsid {sleeper} > /dev/null &) ; {CAREFUL}");
        let program = case.script("program.sh", &text);
        let checker = format!("exit:(setsid {sleeper} > /dev/null 2>&1 &) ; grep -q value f");
        let mut args = vec!["--model", "ext4", "--budget", "20"];
        let words = words(&checker, &program);
        args.splice(0..0, words[..5].iter().copied());
        args.extend(&words[5..]);
        let ended = as_nobody(case, nobody, &args);
        assert!([Some(0), Some(5)].contains(&ended.code), "{ended:#?}");
        assert!(ended.out.contains("outlived the program"), "{}", ended.out);
    });
}

#[test]
fn a_file_that_may_not_be_read_is_named() {
    with_fuse(OPEN, |case, nobody| {
        case.put("secret", "of root's");
        let secret = case.dir().join("secret");
        chown(&secret, Some(Uid::from_raw(0).as_raw()), Some(Gid::from_raw(0).as_raw())).unwrap();
        set_mode(&secret, 0o600);
        let program = case.script("program.sh", CARELESS);
        let refused = as_nobody(case, nobody, &words("exit:true", &program));
        refused.assert(2, &["secret", "Permission denied"]);
    });
}

#[test]
fn without_the_device_nothing_is_recorded_and_the_mend_is_named() {
    with_fuse(0o600, |case, nobody| {
        let program = case.script("program.sh", CARELESS);
        let refused = as_nobody(case, nobody, &words("exit:true", &program));
        refused.assert(96, &["cannot mount", "plugpull doctor"]);
        let doctor = as_nobody(case, nobody, &["doctor"]);
        assert_eq!(doctor.code, Some(96), "{doctor:#?}");
        for part in ["MISSING", "/dev/fuse cannot be opened", "mend: ", "cannot be recorded here"] {
            assert!(doctor.out.contains(part), "{part}: {}", doctor.out);
        }
        let json = as_nobody(case, nobody, &[&["doctor"], &JSON[..]].concat());
        assert_eq!(json.code, Some(96));
        assert_eq!(lines(&json).last().unwrap()["works"], false);
    });
}

/// Makes the calling thread, and what it starts, one that may make no user namespace: the kernel lets nobody
/// do that whose root directory is not that of the machine.
fn leave_the_root(case: &Case) {
    let root = case.path("root");
    fs::create_dir(&root).unwrap();
    let whole = MsFlags::MS_BIND | MsFlags::MS_REC;
    mount(Some("/"), &root, None::<&str>, whole, None::<&str>).unwrap();
    chroot(&root).unwrap();
    chdir("/").unwrap();
}

#[test]
fn where_nobody_may_mount_fusermount3_does_and_states_are_checked_elsewhere() {
    with_fuse(OPEN, |case, nobody| {
        leave_the_root(case);
        let doctor = as_nobody(case, nobody, &["doctor"]);
        if doctor.code != Some(0) {
            let why = format!("mounting by fusermount3 (Debian: fuse3): {}", doctor.out);
            return not_measured(&why).unwrap_or_default();
        }
        assert!(doctor.out.contains("mounts are made by fusermount3"), "{}", doctor.out);
        let checker = case.script("checker.sh", PROMISED);
        let program = case.script("program.sh", CARELESS);
        let found = as_nobody(case, nobody, &words(&checker, &program));
        found.assert(100, &["elsewhere"]);
        let again = found.out.lines().find_map(|line| line.trim().strip_prefix("again: plugpull "));
        let again: Vec<_> = again.unwrap().split(' ').collect();
        as_nobody(case, nobody, &again).assert(100, &[]);
        let program = case.script("program.sh", CAREFUL);
        as_nobody(case, nobody, &words(&checker, &program)).assert(0, &[]);
    });
}

#[test]
fn the_doctor_tells_people_and_machines_the_same() {
    let Some(case) = Case::new() else { return };
    let doctor = case.run(&["doctor"]);
    doctor.assert(0, &[]);
    assert!(doctor.out.contains("can be recorded and checked here"), "{}", doctor.out);
    let json = case.run(&[&["doctor"], &JSON[..]].concat());
    json.assert(0, &[]);
    let told = lines(&json);
    assert_eq!(told.last().unwrap()["works"], true);
    for finding in json.events("doctor") {
        let what = finding["what"].as_str().unwrap();
        let line = doctor.out.lines().find(|line| line.contains(what)).unwrap();
        assert!(line.contains(finding["state"].as_str().unwrap()), "{line}");
        assert_eq!(finding["mend"] == serde_json::json!([]), finding["state"] == "ok");
    }
}
