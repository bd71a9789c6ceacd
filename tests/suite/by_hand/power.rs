//! Power cuts by hand: what is lost, what is kept, and that programs see exactly that afterwards.

use serde_json::Value;

use super::{Desk, at_a_desk, mounted, texts};

/// The pending file of this name.
#[track_caller]
fn pending<'a>(answer: &'a Value, file: &str) -> &'a Value {
    let files = answer["files"].as_array().unwrap();
    let found = files.iter().find(|pending| pending["file"] == file);
    found.unwrap_or_else(|| panic!("{file} is not in {answer}"))
}

#[test]
fn what_was_not_synced_is_pending_and_the_power_cut_loses_it() {
    mounted(|desk| {
        desk.sh("printf old > kept; sync kept; sync .; printf new > note");
        assert_eq!(desk.sh("cat note; ls"), "newkept\nnote\n");
        let told = desk.told(&["pending"]);
        let note = pending(&told, "note");
        assert_eq!(texts(&note["what"]), ["create note", "write note 0..3"]);
        assert_eq!(texts(&note["barriers"]), ["fsync(note)"]);
        assert_eq!(told["files"].as_array().unwrap().len(), 1, "{told}");
        let people = desk.ctl(&["pending"]);
        assert!(people.out.contains("fsync(note) makes it durable"), "{}", people.out);

        let cut = desk.told(&["power-cut"]);
        assert_eq!((&cut["model"], &cut["keep"]), (&"ext4".into(), &"durable".into()));
        assert!(cut["lost"].as_u64() > Some(1) && cut["lost"] == cut["pending"], "{cut}");
        let events = cut["events"].as_array().unwrap();
        assert_eq!(events[0]["what"], "create note");
        assert_eq!(events[0]["fate"], "LOST");
        assert_eq!(desk.sh("ls; cat kept; test ! -e note"), "kept\nold");
        assert_eq!(desk.told(&["pending"])["effects"], 0);
    });
}

#[test]
fn what_was_synced_is_kept_and_so_is_everything_when_that_is_asked_for() {
    mounted(|desk| {
        desk.sh("mkdir d; printf one > d/a; sync d/a; sync d; sync .; printf two > b");
        desk.told(&["power-cut", "--keep", "all"]);
        assert_eq!(desk.sh("cat d/a b"), "onetwo");
        desk.sh("printf three > b; sync b; printf four >> d/a");
        let cut = desk.told(&["power-cut"]);
        assert!(cut["lost"].as_u64() > Some(0), "{cut}");
        assert_eq!(desk.sh("cat d/a b"), "onethree");
    });
}

/// The kernel remembers for ever what a name leads to, and what is not there.
#[test]
fn names_that_the_kernel_remembers_are_those_of_the_state_that_is_left() {
    mounted(|desk| {
        desk.sh("mkdir d; echo 1 > d/x; echo 1 > gone; echo 1 > moved; sync d/x gone moved; sync d; sync .");
        desk.sh("rm gone; mv moved elsewhere; rm d/x; rmdir d; echo 2 > made");
        desk.sh("ls; cat made elsewhere; test ! -e gone; test ! -e moved; test ! -e d");
        desk.told(&["power-cut"]);
        assert_eq!(desk.sh("cat gone moved d/x; ls"), "1\n1\n1\nd\ngone\nmoved\n");
        desk.sh("test ! -e made; test ! -e elsewhere");
        // And again, with what is in a directory.
        desk.sh("echo 3 > d/y; rm d/x; ls d; sync d");
        desk.told(&["power-cut"]);
        assert_eq!(desk.sh("ls d; wc -c < d/y"), "y\n0\n");
    });
}

#[test]
fn what_programs_have_open_answers_eio_and_can_be_opened_again() {
    mounted(|desk| {
        desk.sh("mkdir d; printf 0123 > f; sync f; sync .");
        let mut steps = desk.steps(
            "fd = os.open('f', os.O_RDWR); root = os.open('.', os.O_RDONLY)\n\
             m = mmap.mmap(fd, 4); os.chdir('d')\n\
             orders(lambda: os.pwrite(fd, b'ab', 0) and None, lambda: os.pwrite(fd, b'xy', 0), \
                    lambda: os.pread(fd, 4, 0), lambda: os.fsync(fd), lambda: os.fsync(root), \
                    lambda: os.listdir(root), lambda: open('new', 'w'), lambda: os.close(fd), \
                    lambda: os.chdir(sys.argv[1]), lambda: open('f').read())",
        );
        assert_eq!(steps.next(), "ok");
        desk.told(&["power-cut"]);
        let errors: Vec<_> = (0..6).map(|_| steps.next()).collect();
        assert_eq!(errors, ["EIO"; 6]);
        assert_eq!(steps.next(), "ok");
        drop(steps);
        assert_eq!(desk.sh("cat f"), "0123");
        desk.sh("printf wxyz > f; sync f");
        desk.told(&["power-cut"]);
        assert_eq!(desk.sh("cat f"), "wxyz");
    });
}

/// The kernel has those pages, and writes them back when it likes: a power cut may leave them or not.
#[test]
fn what_was_stored_through_a_map_is_pending_and_not_lost_unseen() {
    mounted(|desk| {
        desk.python("open('f', 'wb').write(b'.' * 8192)");
        desk.sh("sync f; sync .");
        let code = "fd = os.open('f', os.O_RDWR); m = mmap.mmap(fd, 8192)\n\
                    def store(): m[4096:4099] = b'new'\n\
                    orders(store, store)";
        let mut steps = desk.steps(code);
        assert_eq!(steps.next(), "ok");
        desk.told(&["power-cut", "--keep", "all"]);
        drop(steps);
        assert_eq!(desk.sh("dd if=f bs=1 skip=4096 count=4 2> /dev/null"), "new.");
        let mut steps = desk.steps(&code.replace("new", "old"));
        assert_eq!(steps.next(), "ok");
        let cut = desk.told(&["power-cut"]);
        drop(steps);
        let what = cut["events"][0]["what"].as_str().unwrap();
        assert!(what.starts_with("store through a map of f"), "{cut}");
        assert_eq!(desk.sh("dd if=f bs=1 skip=4096 count=4 2> /dev/null"), "new.");
    });
}

#[test]
fn sqlite_keeps_what_it_committed_and_loses_it_without_syncs() {
    mounted(|desk| {
        // With less than that the journal may come back, and takes the last commit away.
        let commits = |text: &str| desk.sqlite(&format!("pragma synchronous = extra; {text}"));
        assert_eq!(commits("create table t(x); insert into t values (1)"), "");
        desk.told(&["power-cut"]);
        assert_eq!(desk.sqlite("select count(*) from t; pragma integrity_check"), "1\nok\n");
        assert_eq!(commits("insert into t values (2); select count(*) from t"), "2\n");
        desk.told(&["power-cut"]);
        assert_eq!(desk.sqlite("select count(*) from t"), "2\n");
        desk.sqlite("pragma synchronous = off; insert into t values (3)");
        assert_eq!(desk.sqlite("select count(*) from t"), "3\n");
        assert_eq!(desk.told(&["pending"])["files"][0]["file"], "app.db");
        desk.told(&["power-cut"]);
        assert_eq!(desk.sqlite("select count(*) from t; pragma integrity_check"), "2\nok\n");
    });
}

/// A history that leaves much open.
const HISTORY: &str = "for n in 1 2 3 4 5 6 7 8; do echo $n > f$n; done; mkdir d; mv f1 d/f; rm f2; \
    sync f3; for n in 4 5 6; do echo more >> f$n; done";

/// What is on the disk after a power cut with this seed, from a new mount.
fn left_by(desk: &Desk, arguments: &[&str], out: &str) -> String {
    let kept = desk.mount(&["--model", "posix"]);
    desk.sh(HISTORY);
    desk.told(&[&["power-cut", "--keep", "random"], arguments].concat());
    desk.told(&["save", out]);
    desk.told(&["unmount"]);
    kept.wait().assert(0, &[]);
    let list = format!("cd {}; ls -R; cat f* d/f 2> /dev/null || true", desk.path(out).display());
    desk.sh(&list)
}

#[test]
fn the_same_seed_on_the_same_history_leaves_the_same() {
    at_a_desk(|desk| {
        let [one, other] = ["one", "other"].map(|out| left_by(&desk, &["--seed", "7"], out));
        assert_eq!(one, other);
        let states = ["8", "9", "10", "11"].map(|seed| left_by(&desk, &["--seed", seed], seed));
        assert!(states.iter().any(|state| *state != one), "{one}");
        // Unless one is said it is that of the mount.
        let [first, second] = ["first", "second"].map(|out| left_by(&desk, &[], out));
        assert_eq!(first, second);
    });
}

#[test]
fn the_model_decides_what_an_fsync_keeps() {
    mounted(|desk| {
        desk.sh("printf 1 > f; sync f");
        let posix = desk.told(&["pending", "--model", "posix"]);
        assert_eq!(texts(&pending(&posix, "f")["barriers"]), ["fsync(.)"]);
        assert_eq!(desk.told(&["pending"])["effects"], 0);
        let lying = desk.told(&["pending", "--model", "lying-disk"]);
        assert_eq!(pending(&lying, "f")["barriers"], serde_json::json!([]));
        desk.told(&["power-cut", "--model", "posix"]);
        desk.sh("test ! -e f");
    });
}
