//! `plugpull store` and `plugpull audit` as a person uses them.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::program::{Ended, command, plugpull, send};

/// A store, some files, and the commands run where the files are.
struct Desk {
    dir: TempDir,
}

impl Desk {
    fn new() -> Self {
        let desk = Self { dir: TempDir::new().unwrap() };
        fs::create_dir(desk.dir.path().join("work")).unwrap();
        desk.write("a.txt", "hello\n");
        desk.write("src/b.txt", "world\n");
        desk.run(&["store", "init", "../store"]).assert(0, &[]);
        desk
    }

    fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.work().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn run(&self, args: &[&str]) -> Ended {
        command(args).current_dir(self.work()).output().unwrap().into()
    }

    /// Runs it, expects success, returns its output without the last newline.
    #[track_caller]
    fn ok(&self, args: &[&str]) -> String {
        let ended = self.run(args);
        ended.assert(0, &[]);
        ended.out.trim_end().to_owned()
    }
}

#[test]
fn what_is_put_is_got_back_and_sha256sum_agrees() {
    let desk = Desk::new();
    let id = desk.ok(&["store", "put", "../store", "a.txt"]);
    assert_eq!(desk.ok(&["store", "get", "../store", &id]), "hello");
    desk.ok(&["store", "get", "../store", &id, "--output", "copy/c.txt"]);
    assert_eq!(fs::read_to_string(desk.work().join("copy/c.txt")).unwrap(), "hello\n");
    let sum = Command::new("sha256sum").arg(desk.work().join("a.txt")).output().unwrap();
    let sum = String::from_utf8(sum.stdout).unwrap();
    assert_eq!(id, format!("sha256:{}", sum.split(' ').next().unwrap()));
}

#[test]
fn standard_input_is_a_file_too() {
    let desk = Desk::new();
    let mut child = command(["store", "put", "../store", "-"])
        .current_dir(desk.work())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"from a pipe").unwrap();
    let ended: Ended = child.wait_with_output().unwrap().into();
    ended.assert(0, &[]);
    assert_eq!(desk.ok(&["store", "get", "../store", ended.out.trim_end()]), "from a pipe");
}

#[test]
fn commits_make_a_history() {
    let desk = Desk::new();
    let first = desk.ok(&["store", "commit", "../store", "-m", "first", "a.txt", "src"]);
    desk.write("a.txt", "changed\n");
    let second =
        desk.ok(&["store", "commit", "../store", "-m", "second", "--author", "me", "./a.txt"]);
    let log = desk.ok(&["store", "log", "../store"]);
    let ids: Vec<_> = log.lines().filter(|line| line.starts_with("sha256:")).collect();
    assert_eq!(ids, [&second, &first]);
    assert!(log.contains("me") && log.contains("    second"), "{log}");
    assert_eq!(desk.ok(&["store", "branch", "../store"]), format!("{second} main"));
    assert_eq!(desk.ok(&["store", "branch", "../store", "main"]), second);
    assert!(desk.ok(&["audit", "../store"]).contains("no problem found"));
}

#[test]
fn branches_are_made_moved_and_deleted_only_as_expected() {
    let desk = Desk::new();
    let first = desk.ok(&["store", "commit", "../store", "-m", "first", "a.txt"]);
    let second = desk.ok(&["store", "commit", "../store", "-m", "second", "src"]);
    desk.ok(&["store", "branch", "../store", "feat/x", &first]);
    desk.run(&["store", "branch", "../store", "feat/x", &second])
        .assert(2, &["branch feat/x is at", "read it again"]);
    desk.ok(&["store", "branch", "../store", "feat/x", &second, "--expect", &first]);
    desk.ok(&["store", "branch", "../store", "feat/x", &first, "--force"]);
    desk.run(&["store", "branch", "../store", "feat", &first])
        .assert(2, &["a name is a branch or a folder"]);
    desk.ok(&["store", "branch", "../store", "feat/x", "--delete"]);
    desk.run(&["store", "branch", "../store", "feat/x", "--delete"]).assert(2, &["no branch"]);
    desk.ok(&["store", "branch", "../store", "feat", &first]);
}

#[test]
fn gc_deletes_what_nothing_leads_to_and_says_what_it_would() {
    let desk = Desk::new();
    desk.ok(&["store", "commit", "../store", "-m", "first", "a.txt"]);
    let loose = desk.ok(&["store", "put", "../store", "src/b.txt"]);
    assert!(desk.ok(&["store", "gc", "../store"]).starts_with("deleted 0 objects"));
    let dry = desk.ok(&["store", "gc", "../store", "--grace", "0s", "--dry-run"]);
    assert!(dry.starts_with("would delete 1 objects (6 bytes)"), "{dry}");
    assert!(
        desk.ok(&["store", "gc", "../store", "--grace", "0s"]).starts_with("deleted 1 objects")
    );
    desk.run(&["store", "get", "../store", &loose]).assert(2, &["there is no object", &loose]);
}

#[test]
fn an_audit_names_each_problem_and_fails() {
    let desk = Desk::new();
    let id = desk.ok(&["store", "put", "../store", "a.txt"]);
    let object = desk.dir.path().join("store/objects/sha256").join(&id[7..9]).join(&id[9..]);
    crate::scratch::corrupt(&object, b"hellO\n");
    let ended = desk.run(&["audit", "../store", "--message-format", "json-lines"]);
    ended.assert(100, &[]);
    let problems = ended.events("problem");
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0]["kind"], "corrupt-object");
    assert!(problems[0]["path"].as_str().unwrap().ends_with(&id[9..]));
    assert_eq!(ended.events("audit")[0]["problems"], 1);
    desk.run(&["store", "get", "../store", &id]).assert(100, &["integrity check failed", &id[9..]]);
    // Putting the good bytes again mends it.
    desk.ok(&["store", "put", "../store", "a.txt"]);
    assert!(desk.ok(&["audit", "../store"]).contains("1 corrupt objects in quarantine"));
}

#[test]
fn a_closed_pipe_is_no_error() {
    let desk = Desk::new();
    for n in 0..40 {
        desk.ok(&["store", "commit", "../store", "-m", &"x".repeat(4000 + n), "a.txt"]);
    }
    let mut log = command(["store", "log", "../store"]).current_dir(desk.work()).spawn().unwrap();
    drop(log.stdout.take());
    let ended: Ended = log.wait_with_output().unwrap().into();
    ended.assert(0, &[]);
    assert_eq!(ended.err, "");
}

#[test]
fn help_shows_the_exit_codes_and_every_command_an_example() {
    let help = plugpull(["--help"]);
    help.assert(0, &[]);
    assert!(help.out.contains("100  a violation was found"), "{}", help.out);
    for command in [
        "torture",
        "audit",
        "check",
        "init",
        "mount",
        "ctl",
        "ctl power-cut",
        "ctl pending",
        "ctl drop",
        "ctl truncate",
        "ctl fail",
        "ctl faults",
        "ctl heal",
        "ctl mark",
        "ctl save",
        "ctl status",
        "ctl unmount",
        "bench",
        "store init",
        "store put",
        "store get",
        "store commit",
        "store log",
        "store branch",
        "store gc",
    ] {
        // What is told to a disk comes behind its directory, which help needs not.
        let help = plugpull(command.replace("ctl ", "ctl data ").split(' ').chain(["--help"]));
        help.assert(0, &[]);
        assert!(help.out.contains("Example: plugpull "), "{command}: {}", help.out);
    }
}

#[test]
fn a_pack_is_fetched_taken_in_listed_and_swept() {
    let desk = Desk::new();
    let commit = desk.ok(&["store", "commit", "../store", "-m", "first", "a.txt"]);
    let pack = fs::File::create(desk.work().join("main.pack")).unwrap();
    let fetch = ["store", "fetch-pack", "../store", "main"];
    let ended = command(fetch).current_dir(desk.work()).stdout(pack).output().unwrap();
    Ended::from(ended).assert(0, &["3 objects, 1 of them commits"]);
    desk.run(&["store", "init", "../other"]).assert(0, &[]);
    assert_eq!(desk.ok(&["store", "import-pack", "../other", "main.pack"]), commit);
    desk.ok(&["store", "branch", "../other", "main", &commit]);
    desk.write("torn.pack", "plugpack");
    desk.run(&["store", "import-pack", "../other", "torn.pack"]).assert(2, &["cut short"]);

    // With somebody who serves the directory there is a URL.
    let served = [&fetch[..], &["--served-at", "http://host/packs", "--ttl", "30s"]].concat();
    let url = desk.ok(&served);
    let key = url.strip_prefix("http://host/packs/").unwrap();
    assert!(desk.dir.path().join("store/packs").join(key).exists());
    let leases = desk.ok(&["store", "leases", "../store"]);
    assert!(leases.starts_with(key) && leases.contains("in directory"), "{leases}");
    assert_eq!(desk.ok(&["store", "sweep-packs", "../store"]), "deleted 0 packs, kept 1");
    let told = desk.ok(&["audit", "../store"]);
    assert!(told.contains("1 leases of transient packs"), "{told}");
    fs::remove_file(desk.dir.path().join("store/leases").join(key)).unwrap();
    let ended = desk.run(&["audit", "../store"]);
    ended.assert(100, &[]);
    assert!(ended.out.contains("pack-without-lease"), "{}", ended.out);

    for ttl in ["1s", "2h", "30500ms"] {
        let args = [&fetch[..], &["--ttl", ttl]].concat();
        desk.run(&args).assert(2, &["whole seconds, 30 to 3600"]);
    }
    desk.run(&["store", "fetch-pack", "../store", "nowhere"]).assert(2, &["no branch \"nowhere\""]);
    desk.run(&["store", "fetch-pack", "../store", "main", "--have", "nowhere"])
        .assert(2, &["no branch"]);
    let in_bucket = [&fetch[..], &["--packs", "s3://bucket/prefix"]].concat();
    desk.run(&in_bucket).assert(2, &["built without S3", "--features s3"]);
    desk.run(&["store", "sweep-packs", "../store", "--packs", "bucket"])
        .assert(2, &["it must be s3://BUCKET"]);
}

#[test]
fn a_watch_of_packs_ends_by_a_signal_and_keeps_what_is_not_due() {
    let desk = Desk::new();
    desk.ok(&["store", "commit", "../store", "-m", "first", "a.txt"]);
    let url = desk.ok(&["store", "fetch-pack", "../store", "main", "--served-at", "http://host"]);
    let key = url.strip_prefix("http://host/").unwrap();
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut watch = command(["store", "sweep-packs", "../store", "--watch"])
            .current_dir(desk.work())
            .spawn()
            .unwrap();
        let mut told = BufReader::new(watch.stderr.take().unwrap());
        let mut waits = String::new();
        told.read_line(&mut waits).unwrap();
        assert_eq!(waits, "waiting for 1 leases; Ctrl-C ends this\n");
        send(&watch, signal);
        let ended = Ended::from(watch.wait_with_output().unwrap());
        assert_eq!((ended.code, ended.out.as_str()), (Some(130), ""));
        assert!(told.lines().next().unwrap().unwrap().contains("ended by a signal"));
    }
    assert!(desk.ok(&["store", "leases", "../store"]).starts_with(key));
    desk.run(&["store", "sweep-packs", "../store", "--watch", "--dead"]).assert(2, &["--dead"]);
}

#[test]
fn a_merge_and_a_rebase_are_begun_shown_and_ended() {
    let desk = Desk::new();
    let commit = desk.ok(&["store", "commit", "../store", "-m", "first", "a.txt"]);
    let merge = ["store", "merge-state", "../store"];
    assert_eq!(desk.ok(&merge), "no merge in progress");
    let commits = ["--base", &commit, "--ours", &commit, "--theirs", &commit];
    let begin = [&merge[..], &commits, &["--conflict", "b", "--conflict", "a"]].concat();
    desk.ok(&begin);
    desk.run(&begin).assert(2, &["there is one in progress already"]);
    let shown = desk.ok(&merge);
    assert!(shown.ends_with("conflict a\nconflict b") && shown.contains(&commit), "{shown}");

    let state = desk.dir.path().join("store/MERGE_STATE.json");
    let text = fs::read_to_string(&state).unwrap();
    fs::write(&state, text.replace("\"a\"", "\"A\"")).unwrap();
    desk.run(&merge).assert(100, &["its checksum is", "--clear --force"]);
    desk.run(&["audit", "../store"]).assert(100, &[]);
    desk.ok(&[&merge[..], &["--clear", "--force"]].concat());
    assert_eq!(desk.ok(&merge), "no merge in progress");

    let rebase = ["store", "rebase-state", "../store"];
    let begin = ["--branch", "main", "--head", &commit, "--onto", &commit, "--remaining", &commit];
    desk.ok(&[&rebase[..], &begin].concat());
    let shown = desk.ok(&rebase);
    assert!(shown.starts_with("branch main\n") && shown.contains("remaining sha256:"), "{shown}");
    desk.ok(&[&rebase[..], &["--clear"]].concat());
    assert_eq!(desk.ok(&rebase), "no rebase in progress");
    desk.run(&[&rebase[..], &["--branch", "main"]].concat()).assert(2, &["--head"]);
}

#[test]
fn settings_and_remotes_are_shown_set_and_removed() {
    let desk = Desk::new();
    let config = ["store", "config", "../store"];
    let with = |more: &[&str]| desk.run(&[&config[..], more].concat());
    assert_eq!(desk.ok(&config), "");
    with(&["user.name", "Ada"]).assert(0, &[]);
    assert_eq!(desk.ok(&config), "user.name = Ada");
    assert_eq!(desk.ok(&[&config[..], &["user.name"]].concat()), "Ada");
    with(&["user"]).assert(2, &["is a table"]);
    with(&["user..name", "x"]).assert(2, &["is no key"]);
    with(&["user.name", "--unset"]).assert(0, &[]);
    with(&["user.name", "--unset"]).assert(2, &["there is no value at"]);
    let remote = ["store", "remote", "../store", "origin"];
    desk.run(&remote).assert(2, &["there is no remote \"origin\""]);
    desk.ok(&[&remote[..], &["https://host"]].concat());
    assert_eq!(desk.ok(&remote), "https://host");
    assert_eq!(desk.ok(&remote[..3]), "origin https://host");
    desk.ok(&[&remote[..], &["--remove"]].concat());
    fs::write(desk.dir.path().join("store/config.toml"), "a = ").unwrap();
    desk.run(&config).assert(100, &["config.toml", "line 1", "by hand"]);
}

#[test]
fn a_checkout_is_finished_whatever_was_in_the_way() {
    let desk = Desk::new();
    let commit = desk.ok(&["store", "commit", "../store", "-m", "first", "a.txt"]);
    let checkout = ["store", "checkout", "../store"];
    let with = |more: &[&str]| desk.run(&[&checkout[..], more].concat());
    with(&["out", "--branch", "main"]).assert(0, &[]);
    assert!(
        desk.dir.path().join("work/out/a.txt").exists()
            || desk.dir.path().join("out/a.txt").exists()
    );
    with(&["out", "--branch", "none"]).assert(2, &["has no commit"]);
    with(&["out"]).assert(2, &["--branch"]);
    with(&["--abandon"]).assert(0, &[]);
    with(&["a.txt", "--commit", &commit]).assert(2, &[]);
    let told = desk.run(&["store", "log", "../store"]);
    assert!(
        told.err.contains("could not be finished") && told.err.contains("--abandon"),
        "{told:?}"
    );
    assert_eq!(desk.ok(&[&checkout[..], &["--abandon"]].concat()), "given up");
    let merge = ["--base", &commit, "--ours", &commit, "--theirs", &commit];
    let conclude = ["store", "conclude-merge", "../store", "main", &commit];
    desk.run(&conclude).assert(2, &["no merge in progress"]);
    desk.ok(&[&["store", "merge-state", "../store"][..], &merge].concat());
    desk.ok(&conclude);
    assert_eq!(desk.ok(&["store", "merge-state", "../store"]), "no merge in progress");
}

#[test]
fn what_one_reserves_another_does_not_get() {
    let desk = Desk::new();
    let reserve = |run| desk.run(&["store", "reserve", "../store", "--run", run, "a.rs", "b.rs"]);
    let first = reserve("one");
    first.assert(0, &[]);
    let id = first.out.trim_end();
    reserve("two").assert(2, &["\"a.rs\" is held by one"]);
    let about_to = ["store", "intend", "../store", id, "--detail", "rename f", "a.rs"];
    let intent = desk.ok(&about_to);
    let listed = desk.ok(&["store", "reservations", "../store", "--address", "b.rs"]);
    assert!(listed.starts_with(&format!("{id} one write on main until 2")), "{listed}");
    assert!(listed.contains(&format!("intent {intent} write rename f")), "{listed}");
    assert!(desk.ok(&["audit", "../store"]).contains("1 reservations"));
    desk.ok(&["store", "release", "../store", &intent]);
    desk.ok(&["store", "release", "../store", id]);
    desk.run(&["store", "release", "../store", id]).assert(2, &["no reservation or intent"]);
    desk.run(&about_to).assert(2, &["there is no reservation"]);
    desk.ok(&["store", "reserve", "../store", "--run", "two", "--ttl", "0s", "a.rs"]);
    let swept = desk.ok(&["store", "reservations", "../store", "--sweep"]);
    assert_eq!(swept, "removed 1 that had expired");
}

#[test]
fn the_operation_log_is_added_to_covered_and_compacted() {
    let desk = Desk::new();
    let log = ["store", "oplog", "../store"];
    let add = |text| desk.ok(&[&log[..], &["--session", "me", "--append", text]].concat());
    assert_eq!((add("one"), add("two")), ("1".to_owned(), "2".to_owned()));
    desk.ok(&[&log[..], &["--checkpoint", "so far"]].concat());
    assert_eq!(add("three"), "3");
    let shown = desk.ok(&log);
    assert!(
        shown.starts_with("checkpoint 2: so far\n3 2") && shown.ends_with(" me three"),
        "{shown}"
    );
    assert_eq!(desk.ok(&[&log[..], &["--all"]].concat()).lines().count(), 4);
    assert_eq!(desk.ok(&[&log[..], &["--compact"]].concat()), "dropped 2 records");
    assert_eq!(desk.ok(&[&log[..], &["--all"]].concat()).lines().count(), 2);

    let file = desk.dir.path().join("store/oplog/log");
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, [&bytes[..], b"0000"].concat()).unwrap();
    desk.run(&["audit", "../store"]).assert(100, &[]);
    let ended = desk.run(&log);
    ended.assert(0, &["cut 4 bytes of a torn record"]);
    assert_eq!(fs::read(&file).unwrap(), bytes);
}
