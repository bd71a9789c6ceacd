//! However a mount ends, it leaves no mount, no socket, and the directory as it was; what a killed one leaves is told
//! with what to do about it.

use std::fs;
use std::os::unix::fs::{FileTypeExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use nix::mount::{MntFlags, umount2};
use nix::sys::signal::Signal;

use super::{Desk, at_a_desk};
use crate::machine::{NOBODY, Nobody, bring_fuse, not_measured, open_to_all, set_mode};
use crate::scratch::mode;

/// Keeps a disk, changes it, and ends it so; it must end well and leave nothing.
#[track_caller]
fn ends_by(desk: &Desk, end: impl FnOnce(&super::Kept)) {
    let kept = desk.mount(&[]);
    let socket = kept.socket().to_owned();
    assert!(fs::symlink_metadata(&socket).unwrap().file_type().is_socket());
    assert_eq!(mode(&socket), 0o600);
    assert_eq!(desk.sh("cat f; echo changed > f; echo new > g; cat f"), "was\nchanged\n");
    end(&kept);
    kept.wait().assert(0, &[]);
    desk.assert_nothing_left();
    assert!(!socket.exists());
    assert_eq!(desk.sh("ls; cat f"), "f\nwas\n");
}

#[test]
fn a_signal_or_a_word_ends_it_and_nothing_is_left() {
    at_a_desk(|desk| {
        fs::write(desk.dir().join("f"), "was\n").unwrap();
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
            ends_by(&desk, |kept| kept.signal(signal));
        }
        ends_by(&desk, |_| {
            let told = desk.ctl(&["unmount"]);
            told.assert(0, &[]);
            // It is done when it is answered.
            assert_eq!(told.out, "unmounted\n");
            assert!(!desk.is_mounted());
        });
        ends_by(&desk, |_| umount2(&desk.dir(), MntFlags::empty()).unwrap());
    });
}

#[test]
fn programs_that_still_use_it_keep_nothing_from_ending() {
    at_a_desk(|desk| {
        let kept = desk.mount(&[]);
        let mut steps = desk
            .steps("f = open('f', 'w')\norders(lambda: os.stat('f'), lambda: f.fileno() and None)");
        desk.told(&["unmount"]);
        kept.wait().assert(0, &[]);
        assert!(["ENOTCONN", "ECONNABORTED"].contains(&steps.next().as_str()));
        assert_eq!(steps.next(), "ok");
        desk.assert_nothing_left();
    });
}

#[test]
fn what_a_killed_one_leaves_is_told_with_the_remedy() {
    at_a_desk(|desk| {
        let kept = desk.mount(&[]);
        let socket = kept.socket().to_owned();
        kept.signal(Signal::SIGKILL);
        assert_eq!(kept.wait().code, None);
        assert!(desk.is_mounted());
        let remedy = format!("umount -l {}", desk.dir().display());
        desk.ctl(&["pending"]).assert(96, &["killed", &remedy]);
        desk.run(&["mount", "data"]).assert(96, &["killed", &remedy]);
        let doctor = desk.run(&["doctor"]);
        assert!(doctor.out.contains("left behind"), "{}", doctor.out);
        assert!(doctor.out.contains(&format!("mend: {remedy}")), "{}", doctor.out);

        let mut words = remedy.split(' ');
        let mended = Command::new(words.next().unwrap()).args(words).status().unwrap();
        assert!(mended.success());
        assert!(!desk.run(&["doctor"]).out.contains("left behind"));
        assert!(socket.exists(), "the test is about a socket that is left");
        let kept = desk.mount(&[]);
        assert_eq!(kept.socket(), socket);
        desk.told(&["unmount"]);
        kept.wait().assert(0, &["left by a plugpull that was killed; replaced"]);
        desk.assert_nothing_left();
    });
}

/// For those alone, as nothing else is allowed to them.
#[test]
fn somebody_without_rights_mounts_through_fusermount3() {
    let Some(nobody) = Nobody::new() else { return };
    if !Path::new("/usr/bin/fusermount3").exists() {
        return not_measured("mounting without rights needs fusermount3 (Debian: fuse3)")
            .unwrap_or_default();
    }
    at_a_desk(|mut desk| {
        bring_fuse(&desk.path("fuse"), 0o600);
        desk.nobody = Some(nobody);
        fs::write(desk.dir().join("f"), "was\n").unwrap();
        open_to_all(desk.base.path());
        for path in [desk.dir(), desk.path("tmp"), desk.dir().join("f")] {
            chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        desk.run(&["mount", "data"]).assert(96, &["fusermount3", "plugpull doctor"]);
        desk.assert_nothing_left();
        set_mode(Path::new("/dev/fuse"), 0o666);

        let kept = desk.mount(&[]);
        desk.sh("echo new > g; sync g; echo newer > h");
        desk.told(&["power-cut"]);
        assert_eq!(desk.sh("ls; cat f g"), "f\ng\nwas\nnew\n");
        kept.signal(Signal::SIGKILL);
        assert_eq!(kept.wait().code, None);
        let remedy = format!("fusermount3 -uz {}", desk.dir().display());
        desk.ctl(&["status"]).assert(96, &["killed", &remedy]);
        let mut mend = Command::new("/usr/bin/fusermount3");
        let mended = mend.arg("-uz").arg(desk.dir()).uid(NOBODY).gid(NOBODY).status().unwrap();
        assert!(mended.success());
        let kept = desk.mount(&[]);
        desk.told(&["unmount"]);
        kept.wait().assert(0, &[]);
        desk.assert_nothing_left();
    });
}

#[test]
fn one_directory_has_one_disk_and_another_directory_another() {
    at_a_desk(|desk| {
        let kept = desk.mount(&[]);
        let again = desk.run(&["mount", "data"]);
        again.assert(2, &["mounted over", "already", "unmount"]);
        fs::create_dir(desk.path("other")).unwrap();
        let same = ["mount", "other", "--socket", kept.socket().to_str().unwrap()];
        desk.run(&same).assert(2, &["another plugpull listens at"]);
        // By a link and from inside it is the same one.
        std::os::unix::fs::symlink(desk.dir(), desk.path("link")).unwrap();
        desk.run(&["ctl", "link", "status"]).assert(0, &[]);
        desk.sh("mkdir below");
        desk.run(&["ctl", "data/below", "status"]).assert(2, &["no disk is mounted over"]);
        desk.told(&["unmount"]);
        kept.wait().assert(0, &[]);
        desk.assert_nothing_left();
    });
}
