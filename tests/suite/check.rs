//! Crash states judged by programs: at their recorded path, undone between states, and nothing left.
//!
//! Not for trees and processes by themselves, which are tested beside their code.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use faultfs::{Attributes, DiskImage, Inode, SimFs, Trace};
use plugpull::check::{Builtin, Checker, Pool, Prepared, Setup, Verdict};
use plugpull::orphans::Orphans;
use plugpull::search::{Asked, Judge};
use plugpull::signals::Stop;
use plugpull_store::{Options, Store};
use tempfile::TempDir;

use crate::machine::not_measured;

fn setup(dir: &Path, checkers: Vec<Prepared>, jobs: usize) -> Setup {
    let marks = (0..9).map(|mark| Arc::from(format!("mark {mark}").into_bytes())).collect();
    let timeout = Duration::from_secs(20);
    let (orphans, stop) = (Orphans::Ours, Stop::default());
    Setup { dir: dir.to_owned(), checkers, marks, timeout, jobs, orphans, stop }
}

fn shell(text: &str) -> Prepared {
    let checker = Checker::Builtin(Builtin::Exit(text.to_owned()));
    checker.prepare(&Trace::default()).unwrap()
}

/// A pool whose states are at the recorded path, or nothing where the machine does not let us.
#[track_caller]
fn pool(setup: Setup) -> Option<Pool> {
    let pool = Pool::start(setup).unwrap();
    match pool.elsewhere() {
        None => Some(pool),
        Some(why) => not_measured(&format!("mounting over a directory: {why}")),
    }
}

/// States of one file that differ in what it says.
fn states(count: u64) -> Vec<DiskImage> {
    let mut image = DiskImage::new();
    image.insert_file(Inode(2), Attributes::new(0o644));
    image.set_entry(DiskImage::ROOT, b"file", Some(Inode(2)));
    let state = |number: u64| {
        image.set_len(Inode(2), 0);
        image.write(Inode(2), format!("{number}\n").as_bytes(), 0);
        image.clone()
    };
    (0..count).map(state).collect()
}

/// The states as they are asked for, each with another number of Marks.
fn asked(states: Vec<DiskImage>) -> Vec<Asked> {
    let numbered = (0..9).cycle().zip(states);
    numbered.map(|(marks, image)| Asked { image, marks }).collect()
}

fn judged(mut pool: Pool, states: Vec<DiskImage>) -> Vec<Verdict> {
    pool.judge(asked(states), &|| false)
}

fn messages(judged: &[Verdict]) -> Vec<String> {
    let message = |verdict: &Verdict| match verdict {
        Verdict::Violated(violation) => violation.message.clone(),
        other => format!("{other:?}"),
    };
    judged.iter().map(message).collect()
}

#[test]
fn each_state_is_at_the_recorded_path_with_its_marks_and_the_users_files_are_not() {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("mine"), "untouched").unwrap();
    let look = "test ! -e mine || exit 1; cat file > copy; rm file; \
                echo $(pwd) $PLUGPULL_DIR $(cat copy) $(tail -n 1 $PLUGPULL_MARKS); exit 9";
    let Some(pool) = pool(setup(dir.path(), vec![shell(look)], 3)) else { return };
    let judged = judged(pool, states(100));
    let at = dir.path().canonicalize().unwrap();
    for (number, message) in messages(&judged).into_iter().enumerate() {
        let mark =
            (number % 9).checked_sub(1).map_or(String::new(), |mark| format!(" mark {mark}"));
        assert_eq!(message, format!("{0} {0} {number}{mark}", at.display()));
    }
    assert_eq!(judged.len(), 100);
    let names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().collect();
    assert_eq!(names.len(), 1);
    assert_eq!(std::fs::read(dir.path().join("mine")).unwrap(), b"untouched");
}

#[test]
fn nothing_is_left_of_a_pool() {
    let dir = TempDir::new().unwrap();
    let hang = "setsid sh -c 'exec sleep 77777' & sleep 77777";
    let mut setup = setup(dir.path(), vec![shell(hang)], 2);
    setup.timeout = Duration::from_millis(200);
    let Some(mut pool) = pool(setup) else { return };
    // Some of the checkers are started, and then it is ended.
    let asks = Cell::new(0);
    let stop = || asks.replace(asks.get() + 1) > 0;
    let judged = pool.judge(asked(states(40)), &stop);
    assert!(messages(&judged).iter().any(|message| message.contains("did not end within")));
    assert!(judged.iter().any(|verdict| matches!(verdict, Verdict::NotMeasured(_))));
    drop(pool);
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    assert!(!mounts.contains(dir.path().to_str().unwrap()), "{mounts}");
    for process in std::fs::read_dir("/proc").unwrap() {
        let command = std::fs::read(process.unwrap().path().join("cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command).into_owned();
        assert!(!command.contains("77777"), "{command} still runs");
    }
}

#[test]
fn a_checker_that_unmounts_the_state_is_not_let_loose_on_the_users_files() {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("mine"), "untouched").unwrap();
    let spoil = "cd /; umount -l $PLUGPULL_DIR; exit 0";
    let remove = "rm -f $PLUGPULL_DIR/mine; umount -l $PLUGPULL_DIR";
    let Some(pool) = pool(setup(dir.path(), vec![shell(spoil)], 1)) else { return };
    let spoiled = judged(pool, states(3));
    assert!(messages(&spoiled)[1].contains("mount over the recorded directory is gone"));
    let Some(pool) = self::pool(setup(dir.path(), vec![shell(remove)], 1)) else { return };
    drop(judged(pool, states(3)));
    assert!(dir.path().join("mine").exists());
}

#[test]
fn a_stopped_pool_says_what_was_not_looked_at() {
    let dir = TempDir::new().unwrap();
    let stop = Stop::asked_already();
    let pool = Pool::start(Setup { stop, ..setup(dir.path(), vec![shell("exit 1")], 2) }).unwrap();
    let judged = judged(pool, states(20));
    let stopped = |verdict: &Verdict| matches!(verdict, Verdict::NotMeasured(_));
    assert!(judged.len() == 20 && judged.iter().all(stopped));
}

/// A real directory, filled by a shell, as an image.
fn made_by(text: &str) -> DiskImage {
    let dir = TempDir::new().unwrap();
    let mut shell = std::process::Command::new("sh");
    let made = shell.args(["-ec", text]).current_dir(dir.path()).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    DiskImage::read_in(dir.path()).unwrap()
}

/// What a built-in checker says of a state, in a run that started with `start`.
fn says(checker: &str, start: &DiskImage, state: &DiskImage) -> Option<Verdict> {
    let trace = Trace { start: start.clone(), events: Vec::new() };
    let checker = Checker::Builtin(checker.parse().unwrap());
    let checker = match checker.prepare(&trace) {
        Ok(checker) => checker,
        Err(e) => return not_measured(&e.to_string()),
    };
    let dir = TempDir::new().unwrap();
    let pool = Pool::start(setup(dir.path(), vec![checker], 1)).unwrap();
    judged(pool, vec![state.clone()]).pop()
}

#[track_caller]
fn assert_violated(verdict: Option<Verdict>, part: &str) {
    match verdict {
        None => {}
        Some(Verdict::Violated(violation)) => {
            assert!(violation.message.contains(part), "{violation:?}");
        }
        Some(other) => panic!("{other:?}"),
    }
}

/// Puts other bytes into a file of an image.
fn damaged(image: &DiskImage, path: &str, at: u64) -> DiskImage {
    let mut image = image.clone();
    let file = image.find(Path::new(path)).unwrap();
    image.write(file, &[0xa5; 600], at);
    image
}

#[test]
fn sqlite_tells_a_damaged_or_missing_database_from_a_good_one() {
    let fill = "sqlite3 x.db 'create table t(a, b); insert into t \
                select value, hex(randomblob(200)) from generate_series(1, 200); \
                create index i on t(b)'";
    if std::process::Command::new("sqlite3").arg("-version").output().is_err() {
        return not_measured("sqlite3 is not installed").unwrap_or_default();
    }
    let good = made_by(fill);
    let survived = Some(Verdict::Survived);
    for checker in ["sqlite", "sqlite:x.db"] {
        assert_eq!(says(checker, &good, &good), survived);
        assert_violated(says(checker, &good, &damaged(&good, "x.db", 8192)), "x.db");
        assert_violated(says(checker, &good, &DiskImage::new()), "x.db is missing");
        assert_eq!(says(checker, &DiskImage::new(), &DiskImage::new()), survived);
    }
}

#[test]
fn git_tells_a_damaged_repository_from_a_good_one() {
    if std::process::Command::new("git").arg("--version").output().is_err() {
        return not_measured("git is not installed").unwrap_or_default();
    }
    let unborn = made_by("git init -q");
    let good = made_by(
        "git init -q; echo a > f; git add f; \
         git -c user.name=t -c user.email=t@e commit -q -m one",
    );
    let survived = Some(Verdict::Survived);
    assert_eq!(says("git", &good, &good), survived);
    assert_eq!(says("git", &unborn, &unborn), survived);
    assert_eq!(says("git", &DiskImage::new(), &DiskImage::new()), survived);
    assert_violated(says("git", &good, &DiskImage::new()), "the repository is gone");
    let objects: Vec<PathBuf> = good.files().into_iter().map(|(path, _)| path).collect();
    let object = objects.iter().find(|path| path.starts_with(".git/objects")).unwrap();
    assert_violated(says("git", &good, &damaged(&good, object.to_str().unwrap(), 0)), "");
    let mut cut = good.clone();
    cut.set_len(good.find(Path::new(".git/HEAD")).unwrap(), 0);
    assert_violated(says("git", &good, &cut), "not a git repository");
    assert_eq!(says("git", &DiskImage::new(), &cut), survived);
}

#[test]
fn the_reference_store_is_audited_where_the_state_is() {
    let fs = SimFs::new();
    let store = Store::init_on(fs.clone(), Path::new("/s"), Options::default()).unwrap();
    let blob = store.put(b"some bytes").unwrap().id;
    let good = fs.image();
    let survived = Some(Verdict::Survived);
    assert_eq!(says("store:s", &good, &good), survived);
    assert_eq!(says("store:s", &DiskImage::new(), &DiskImage::new()), survived);
    assert_violated(says("store:s", &good, &DiskImage::new()), "the store is gone");
    let object = store.layout().object(&blob);
    let object = object.strip_prefix("/").unwrap().to_str().unwrap();
    assert_violated(says("store:s", &good, &damaged(&good, object, 0)), "corrupt-object");
}
