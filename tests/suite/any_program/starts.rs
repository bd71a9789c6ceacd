//! Directories with unusual content or rights at the start.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use super::{CARELESS, Case, JSON, PROMISED};

#[test]
fn a_read_only_directory_is_recorded_and_stays_as_it_is() {
    let Some(case) = Case::new() else { return };
    let checker = case.script("checker.sh", PROMISED);
    fs::set_permissions(case.dir(), Permissions::from_mode(0o555)).unwrap();
    case.check(CARELESS, &checker, &[]).assert(100, &[]);
    fs::set_permissions(case.dir(), Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn links_and_odd_names_at_the_start_are_kept() {
    let Some(case) = Case::new() else { return };
    fs::hard_link(case.dir().join("f"), case.dir().join("twin")).unwrap();
    symlink("f", case.dir().join("to-f")).unwrap();
    symlink("/no/where", case.dir().join("dangling")).unwrap();
    symlink("..", case.dir().join("up")).unwrap();
    fs::create_dir_all(case.dir().join("deep/er/empty")).unwrap();
    case.put("name with\nnew line", "x");
    case.put("big", vec![7; 1 << 20]);
    let there = "test twin -ef to-f && test -L dangling && test -d deep/er/empty && \
                 test \"$(stat -c %s big)\" = 1048576 && test -e 'name with\nnew line' || exit 3";
    // In place, through one name: the other one shows it, also after every crash.
    let program = format!("{there}; echo value 1 > twin; grep -q 'value 1' to-f || exit 4; echo 1");
    let checker = format!("{there}; cmp f twin || exit 5; grep -q value f || exit 6");
    let checker = case.script("checker.sh", &checker);
    let found = case.check(&program, &checker, &JSON);
    found.assert(100, &[]);
    for finding in found.events("finding") {
        assert_eq!(finding["message"], "exit status 6");
    }
}

#[test]
fn an_empty_directory_is_a_start() {
    let Some(case) = Case::new() else { return };
    fs::remove_file(case.dir().join("f")).unwrap();
    let checker = "exit:test -s \"$PLUGPULL_MARKS\" || exit 0; grep -q value f";
    case.check(CARELESS, checker, &[]).assert(100, &[]);
}

#[test]
fn the_directory_may_be_reached_through_a_link_or_be_the_working_directory() {
    let Some(case) = Case::new() else { return };
    symlink("data", case.path("link")).unwrap();
    let checker = case.script("checker.sh", PROMISED);
    let program = case.script("program.sh", CARELESS);
    let words: Vec<_> = program.split(' ').collect();
    let linked = ["check", "--dir", "link", "--checker", &checker, "--", words[0], words[1]];
    case.run(&linked).assert(100, &[]);
    let mut here = case.command(&["check", "--checker", &checker, "--", words[0], words[1]]);
    here.current_dir(case.dir());
    case.ends(here).assert(100, &[]);
}
