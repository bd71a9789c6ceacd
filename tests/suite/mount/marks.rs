//! Lines that programs write to the two special files, in one order with what they do to the disk.

use std::fs::{self, OpenOptions};
use std::process::Command;
use std::sync::{Arc, Mutex};

use faultfs::{Event, Mount, Op, SimFs};

use super::{Mounted, mounted, options};

/// Runs a shell with standard output as a recorder gives it.
#[track_caller]
fn shell(here: &Mounted, script: &str) {
    let stdout = OpenOptions::new().append(true).open(here.mount.stdout_path()).unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", script]).current_dir(here.dir.path()).stdout(stdout);
    command.env("PLUGPULL_MARK", here.mount.marks_path());
    assert!(command.status().unwrap().success(), "{script}");
}

/// Marks and new files, in order.
fn story(disk: &SimFs) -> Vec<String> {
    let events = disk.trace().events;
    let told = events.iter().filter_map(|event| match event {
        Event::Mark(text) => Some(String::from_utf8_lossy(text).into_owned()),
        Event::Op { op: Op::Create { at, .. }, .. } => {
            Some(format!("+{}", String::from_utf8_lossy(&at.name)))
        }
        Event::Op { .. } => None,
    });
    told.collect()
}

#[test]
fn lines_of_a_shell_and_its_children_are_marks_in_order() {
    mounted(|here| {
        shell(&here, "echo a; : > one; (echo b); sh -c 'echo c >&1'; : > two; echo d");
        shell(&here, "echo e > $PLUGPULL_MARK; echo f >> $PLUGPULL_MARK; : > three");
        shell(&here, "printf g; : > four; printf 'h\\ni'; : > five");
        let story_so_far = story(&here.disk);
        let expected = "a +one b c +two d e f +three +four gh +five";
        assert_eq!(story_so_far, expected.split(' ').collect::<Vec<_>>());
        let disk = here.disk.clone();
        here.close();
        assert_eq!(story(&disk).last().unwrap(), "i");
    });
}

#[test]
fn standard_output_can_be_looked_at_cut_and_opened_again() {
    mounted(|here| {
        shell(&here, "test ! -t 1; echo a > /dev/stdout; echo b >> /dev/stdout");
        let code = "import os, subprocess, sys\n\
            os.fstat(1); os.lseek(1, 0, os.SEEK_END); os.ftruncate(1, 0)\n\
            print('c', flush=True); subprocess.run(['echo', 'd'])\n\
            open('/dev/stdout', 'a').write('e\\n')\n";
        fs::write(here.path("code.py"), code).unwrap();
        shell(&here, "python3 code.py 2>&1");
        let story = story(&here.disk);
        assert_eq!(story, ["a", "b", "+code.py", "c", "d", "e"]);
    });
}

#[test]
fn standard_output_is_handed_on_as_it_comes() {
    mounted(|here| {
        let dir = tempfile::TempDir::new().unwrap();
        let got = Arc::new(Mutex::new(Vec::new()));
        let to = Arc::clone(&got);
        let output = Box::new(move |bytes: &[u8]| to.lock().unwrap().extend_from_slice(bytes));
        let mount = Mount::open(&here.disk, &options(dir.path()), output).unwrap();
        let here = Mounted { disk: here.disk.clone(), mount, dir };
        shell(&here, "printf 'a\\nb'; echo not-this > $PLUGPULL_MARK");
        assert_eq!(*got.lock().unwrap(), b"a\nb");
    });
}

#[test]
fn the_special_files_are_nobodys() {
    mounted(|here| {
        let (marks, stdout) = (here.mount.marks_path(), here.mount.stdout_path());
        assert_eq!(fs::read_dir(here.dir.path()).unwrap().count(), 0);
        assert!(fs::metadata(&marks).unwrap().is_file());
        fs::write(here.path("a"), b"").unwrap();
        let before = here.trace().events.len();
        assert!(fs::remove_file(&marks).is_err());
        assert!(fs::rename(&stdout, here.path("b")).is_err());
        assert!(fs::rename(here.path("a"), &marks).is_err());
        assert!(fs::hard_link(&marks, here.path("b")).is_err());
        assert!(fs::create_dir(&marks).is_err());
        assert_eq!(here.trace().events.len(), before);
    });
}
