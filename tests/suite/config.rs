//! `plugpull.toml` as a user writes it: what is found, what decides, and what is told where it is wrong; and
//! `plugpull init`, whose files must be right.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use plugpull::config::{Config, KEYS, VARIABLES};
use tempfile::TempDir;

use crate::machine::may_mount;
use crate::program::{Ended, command};

/// A project's directory.
pub(crate) struct Project {
    dir: TempDir,
}

impl Project {
    pub(crate) fn new() -> Self {
        let project = Self { dir: TempDir::with_prefix("project-").unwrap() };
        fs::create_dir(project.path("tmp")).unwrap();
        project
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn put(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
    }

    /// A script that can be started.
    pub(crate) fn script(&self, name: &str, text: &str) {
        self.put(name, &format!("#!/bin/sh\n{text}\n"));
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The command, in the project, with none of the variables that say anything.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = command(args);
        command.current_dir(self.dir.path()).env("TMPDIR", self.path("tmp"));
        for (name, _) in VARIABLES {
            command.env_remove(name);
        }
        command.env_remove("PLUGPULL_PROFILE").env_remove("CI");
        command
    }

    #[track_caller]
    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        self.command(args).output().unwrap().into()
    }

    /// Runs `check` with JSON lines.
    #[track_caller]
    pub(crate) fn check(&self, args: &[&str]) -> Ended {
        self.run(&[&["check", "--message-format", "json-lines"], args].concat())
    }

    /// The error of a check with this configuration, which must be one of usage.
    #[track_caller]
    fn refused(&self, text: &str) -> String {
        self.put("plugpull.toml", text);
        let ended = self.run(&["check"]);
        ended.assert(2, &[]);
        ended.err
    }
}

/// Saves a value with a rename and no barrier.
pub(crate) const CARELESS: &str = "echo value 1 > f.tmp; mv f.tmp f";

/// The same as it should be.
pub(crate) const CAREFUL: &str = "echo value 1 > f.tmp; sync f.tmp; mv f.tmp f; sync .";

/// Subjects whose programs are scripts of the project.
const TWO: &str = "\
[subject.careless]
run = './careless'
check = ['old-or-new:f']

[subject.careful]
run = './careful'
check = ['./verify', 'old-or-new:f']
";

fn two() -> Project {
    let project = Project::new();
    project.script("careless", CARELESS);
    project.script("careful", CAREFUL);
    project.script("verify", "test ! -e f || grep -q value f");
    project.put("plugpull.toml", TWO);
    project
}

#[test]
fn all_subjects_are_checked_and_the_worst_decides() {
    if !may_mount() {
        return;
    }
    let project = two();
    let ended = project.run(&["check"]);
    ended.assert(100, &[]);
    for part in ["=== careless (1 of 2) ===", "=== careful (2 of 2) ===", "FINDING"] {
        assert!(ended.out.contains(part), "{part}: {}", ended.out);
    }
    let (_, table) = ended.out.split_once("\nsubject ").expect(&ended.out);
    let row = |name: &str| table.lines().find(|line| line.starts_with(name)).expect(table);
    assert!(row("careless").ends_with("with a violation (100)"), "{table}");
    assert!(row("careful ").ends_with("everything looked at (0)"), "{table}");
    // Nothing of the project changed, and a single subject may be chosen.
    assert!(!project.path("f").exists());
    project.check(&["--subject", "careful"]).assert(0, &[]);
    project
        .run(&["check", "--subject", "carefull"])
        .assert(2, &["no subject `carefull` in plugpull.toml; did you mean `careful`?"]);
}

#[test]
fn a_subject_that_fails_does_not_stop_the_others() {
    if !may_mount() {
        return;
    }
    let project = two();
    let failing = "[subject.broken]\nrun = 'sh -c \"exit 3\"'\ncheck = 'exit:true'\n";
    project.put("plugpull.toml", &format!("{failing}{TWO}"));
    let ended = project.check(&["--subject", "broken", "--subject", "careful"]);
    ended.assert(101, &["the program failed by itself"]);
    let ends = ended.events("end");
    let told: Vec<_> = ends.iter().map(|end| (end["subject"].as_str(), &end["exit"])).collect();
    assert_eq!(told, [(Some("broken"), &101.into()), (Some("careful"), &0.into())]);
}

#[test]
fn paths_are_found_from_the_file_wherever_the_check_is_started() {
    if !may_mount() {
        return;
    }
    let project = two();
    project.put("seed/f", "value 0\n");
    project.put("deep/er/x", "");
    let text = "[subject.a]\nrun = './careful'\nsetup = 'cp {root}/seed/f .'\n\
                check = ['exit:grep -q value f']\n\
                [subject.b]\nrun = './careful && test -e ../../plugpull.toml || {root}/careful'\n\
                dir = 'seed'\ncheck = ['exit:grep -q value f']\n";
    project.put("plugpull.toml", text);
    let ended: Ended =
        project.command(&["check"]).current_dir(project.path("deep/er")).output().unwrap().into();
    ended.assert(0, &[]);
    assert_eq!(fs::read_to_string(project.path("seed/f")).unwrap(), "value 0\n");
    // Above the root of the project nothing is looked for.
    fs::create_dir(project.path("deep/.git")).unwrap();
    let ended: Ended =
        project.command(&["check"]).current_dir(project.path("deep/er")).output().unwrap().into();
    ended.assert(2, &["there is no plugpull.toml", "plugpull init", "-- PROGRAM"]);
    let file = project.path("plugpull.toml");
    project.check(&["--config", file.to_str().unwrap(), "--subject", "a"]).assert(0, &[]);
}

#[test]
fn marks_are_what_the_subject_says() {
    if !may_mount() {
        return;
    }
    let project = Project::new();
    let body = "echo 1 > f; echo printed; echo told >> \"${PLUGPULL_MARK:-/dev/null}\"";
    project.script("program", body);
    let subject = |name: &str, marks: &str| {
        format!("[subject.{name}]\nrun = './program'\ncheck = 'exit:true'\nmarks = '{marks}'\n")
    };
    let text = [subject("a", "stdout"), subject("b", "file"), subject("c", "none")].concat();
    project.put("plugpull.toml", &text);
    let ended = project.check(&[]);
    ended.assert(0, &["printed"]);
    let marks: Vec<_> = ended.events("start").iter().map(|start| start["marks"].clone()).collect();
    assert_eq!(marks, [2, 1, 0]);
}

#[test]
fn the_nearer_decides() {
    if !may_mount() {
        return;
    }
    let project = two();
    let text = format!(
        "{TWO}tier = 1\n\
         [profile.default]\nmodels = ['ext4']\nwindow = 64\nseed = 5\njobs = 1\n\
         [profile.ci]\nwindow = 128\ntier = 0\n\
         [profile.night]\ninherits = 'ci'\nseed = 'night'\n\
         [profile.night.subject.careful]\ntier = 3\nmodels = ['posix']\n"
    );
    project.put("plugpull.toml", &text);
    let start = |args: &[&str], env: &[(&str, &str)]| {
        let args = [&["check", "--message-format", "json-lines", "--subject", "careful"], args];
        let output = project.command(&args.concat()).envs(env.iter().copied()).output().unwrap();
        let ended = Ended::from(output);
        ended.assert(0, &[]);
        let start = ended.events("start").remove(0);
        let models = start["models"][0].as_str().unwrap().to_owned();
        let tier = start["tier"].as_str().unwrap().to_owned();
        (models, tier, start["window"].as_u64().unwrap(), start["seed"].as_u64().unwrap())
    };
    let told =
        |model: &str, tier: &str, window, seed| (model.to_owned(), tier.to_owned(), window, seed);
    assert_eq!(start(&[], &[]), told("ext4", "T1", 64, 5));
    assert_eq!(start(&["--profile", "ci"], &[]), told("ext4", "T1", 128, 5));
    assert_eq!(start(&[], &[("PLUGPULL_PROFILE", "ci")]), told("ext4", "T1", 128, 5));
    // A commit hash or any other text is a seed, too.
    let (model, tier, window, seed) = start(&["--profile", "night"], &[("PLUGPULL_SEED", "")]);
    assert_eq!((model.as_str(), tier.as_str(), window), ("posix", "T3", 128));
    assert!(seed > 1_000_000, "{seed}");
    let env = [("PLUGPULL_SEED", "7"), ("PLUGPULL_WINDOW", "8"), ("PLUGPULL_PROFILE", "night")];
    assert_eq!(start(&["--window", "16", "--tier", "0"], &env), told("posix", "T0", 16, 7));
    let output = project.command(&["check"]).env("PLUGPULL_JOBS", "many").output().unwrap();
    Ended::from(output).assert(2, &["PLUGPULL_JOBS=many: `jobs` is a number from 1 on"]);
    let output = project.command(&["check"]).env("PLUGPULL_PROFILE", "cl").output().unwrap();
    Ended::from(output).assert(2, &["PLUGPULL_PROFILE: no profile `cl`", "did you mean `ci`?"]);
}

#[test]
fn fewer_models_on_the_command_line_leave_fewer_to_fail_on() {
    if !may_mount() {
        return;
    }
    let project = two();
    project.put("plugpull.toml", &format!("{TWO}[profile.default]\nfail-on = ['xfs', 'ext4']\n"));
    let ended = project.check(&["--model", "ext4", "--subject", "careful"]);
    ended.assert(0, &[]);
    assert_eq!(ended.events("start")[0]["fail_on"], serde_json::json!(["ext4"]));
    project.check(&["--model", "ext4", "--fail-on", "xfs"]).assert(2, &["--fail-on xfs"]);
}

#[test]
fn every_mistake_is_told_with_its_place_and_the_nearest_right_word() {
    let project = Project::new();
    let good = "[subject.a]\nrun = 'true'\ncheck = 'exit:true'\n";
    for (text, told) in [
        ("", "plugpull.toml:1:1: there is no subject: add one as [subject.NAME]"),
        ("[profile.ci]\ntier = 1\n", "plugpull.toml:1:1: there is no subject"),
        ("subject = 3\n", "plugpull.toml:1:1: `subject` is a table: [subject.NAME]"),
        ("[[subject]]\nname = 'a'\n", "plugpull.toml:1:3: `subject` is a table: [subject.NAME]"),
        ("[subjekt.a]\n", "plugpull.toml:1:2: unknown key `subjekt`; did you mean `subject`?"),
        ("[subject.a]\nrun = 'x'\n", "plugpull.toml:1:10: subject `a` has no `check`"),
        ("[subject.a]\ncheck = 'x'\n", "plugpull.toml:1:10: subject `a` has no `run`"),
        ("[subject.'a b']\n", "plugpull.toml:1:10: the name of a subject has letters"),
        ("[subject.a]\nrun = 'x'\n\n[subject.a]\n", "plugpull.toml:4:10: duplicate key"),
        ("[subject.a\nrun = 'x'\n", "plugpull.toml:1:11: "),
        ("@bugdet = '60s'", "5:1: unknown key `bugdet`; did you mean `budget`?"),
        ("@elephant = 1", "5:1: unknown key `elephant`; there are run, check, setup, dir, marks,"),
        ("@budget = 'soon'", "5:10: `budget`: say a number of states"),
        ("@budget = true", "5:10: `budget` cannot be a true or false"),
        ("@tier = 9", "5:8: `tier` is a number from 0 to 3"),
        ("@tier = -1", "5:8: `tier` is a number from 0 on, not -1"),
        ("@timeout = '10 elephants'", "5:11: `timeout` is a time such as \"10s\""),
        ("@memory = 'lots'", "5:10: `memory`: say a number of bytes, such as 500M or 4G"),
        ("@models = [\n  'ext4',\n  'ext5']", "7:3: no model `ext5`; did you mean `ext4`?"),
        ("@models = ['ext4', 4]", "5:19: `models` is an array of texts, not of a number"),
        ("@fail-on = ['']", "5:12: a name of `fail-on` is empty"),
        ("@marks = 'stdou'", "5:9: `marks` is not `stdou`; did you mean `stdout`?"),
        ("@junit = 'x.xml'", "5:1: unknown key `junit`; "),
        ("@setup = 3", "5:9: `setup` is a line for the shell, in quotes"),
        (
            "[subject.a]\nrun = './x && y'\ncheck = 'x'\n",
            "2:7: `run` needs a shell, which runs in an empty directory, where there is no ./x: write \
             {root}/x",
        ),
        (
            "@[profile.ci]\ninherits = 'deflaut'",
            "6:12: unknown profile `deflaut`; did you mean `default`?",
        ),
        (
            "@[profile.a]\ninherits = 'b'\n[profile.b]\ninherits = 'a'",
            "6:12: the profile inherits \
          itself: a -> b -> a",
        ),
        ("@[profile.ci.subject.b]\ntier = 1", "5:21: unknown subject `b`; did you mean `a`?"),
        ("@[profile.ci]\nbudegt = 3", "6:1: unknown key `budegt`; did you mean `budget`?"),
        ("@[profile.ci.subject.a]\nrun = 'x'", "6:1: unknown key `run`; "),
    ] {
        let text =
            text.strip_prefix('@').map_or(text.to_owned(), |rest| format!("{good}\n{rest}\n"));
        let error = project.refused(&text);
        assert!(error.contains(told), "{text}\n{told}\n{error}");
    }
    // All of them at once, in their order.
    let error = project.refused(&format!("{good}teir = 1\nwindow = 0\n[profile.x]\nsede = 1\n"));
    let places: Vec<_> = error
        .lines()
        .filter_map(|line| line.split(' ').find(|w| w.ends_with(':') && w.contains("toml")))
        .collect();
    assert_eq!(places, ["plugpull.toml:4:1:", "plugpull.toml:5:10:", "plugpull.toml:7:1:"]);
}

#[test]
fn what_only_a_run_can_tell_names_the_subject() {
    let project = Project::new();
    let text = "[subject.a]\nrun = 'true'\ncheck = './nonesuch'\n";
    assert!(project.refused(text).contains("subject `a`: the checker's program"));
    let text = "[subject.a]\nrun = 'true'\ncheck = 'exit:true'\ndir = 'nonesuch'\n";
    assert!(project.refused(text).contains("subject `a`: cannot record in"));
    let text =
        "[subject.a]\nrun = 'true'\ncheck = 'exit:true'\nmodels = ['xfs']\nfail-on = ['ext4']\n";
    assert!(project.refused(text).contains("subject `a`: --fail-on ext4, but that model is not"));
}

#[test]
fn options_of_a_program_and_those_of_a_project_do_not_mix() {
    let project = two();
    project.run(&["check", "--dir", "seed"]).assert(2, &["--dir is about a program", "`dir`"]);
    let args = ["check", "--profile", "ci", "--checker", "exit:true", "--", "true"];
    project.run(&args).assert(2, &["--profile"]);
    project.run(&["check", "--recording", "x.plug"]).assert(2, &["--subject"]);
    project.run(&["check", "--config", "no.toml"]).assert(2, &["cannot read", "no.toml"]);
    project.run(&["record"]).assert(2, &["say what to run", "-- PROGRAM"]);
}

/// What `init` makes of a project, which must be right.
#[track_caller]
fn init(project: &Project) -> (String, Config) {
    let printed = project.run(&["init", "--stdout"]);
    printed.assert(0, &[]);
    let ended = project.run(&["init"]);
    ended.assert(0, &[]);
    assert!(ended.out.contains("next: ") && ended.out.contains("plugpull check"), "{}", ended.out);
    let text = fs::read_to_string(project.path("plugpull.toml")).unwrap();
    assert_eq!(text, printed.out);
    let path = Path::new("plugpull.toml");
    let config = Config::parse(path, Path::new("/root"), &text).unwrap();
    // What is commented out must be right as well: one line at a time, and keys only.
    for line in text.lines().filter_map(|line| line.strip_prefix("# ")) {
        let key = line.split(' ').next().unwrap_or_default();
        if line.contains(" = ") && KEYS.contains(&key) {
            let with = format!("[subject.x]\nrun = 'x'\ncheck = 'x'\n[profile.default]\n{line}\n");
            Config::parse(path, Path::new("/root"), &with).unwrap();
        }
    }
    project.run(&["init"]).assert(2, &["plugpull.toml is there already", "--stdout"]);
    (text, config)
}

#[test]
fn init_proposes_what_it_finds() {
    for (files, run, check) in [
        (&[][..], "/root/my-program", "/root/verify"),
        (
            &[("Cargo.toml", "[package]\nname = 'orders'\n"), ("src/main.rs", "")],
            "/root/target/debug/orders",
            "/root/verify",
        ),
        (
            &[("Cargo.toml", "[[bin]]\nname = 'b'\n"), ("examples/crash.rs", "")],
            "/root/target/debug/b",
            "/root/verify",
        ),
        (&[("Cargo.toml", "not toml [")], "/root/my-program", "/root/verify"),
        (
            &[("package.json", "{\"scripts\": {\"start\": \"node ./app.js\"}}")],
            "node /root/app.js",
            "/root/verify",
        ),
        (&[("package.json", "{\"main\": \"a b\"}")], "/root/my-program", "/root/verify"),
        (&[("pyproject.toml", "[project.scripts]\norders = 'o:m'\n")], "orders", "/root/verify"),
        (
            &[("a.py", "if __name__ == '__main__': pass"), ("b.py", "")],
            "python3 /root/a.py",
            "/root/verify",
        ),
        (
            &[("pyproject.toml", "[tool.poetry.scripts]\norders = 'o:m'\n")],
            "orders",
            "/root/verify",
        ),
        (&[("pkg/__main__.py", "")], "python3 /root/pkg", "/root/verify"),
        (
            &[("go.mod", "module example.com/shop/v2\n"), ("main.go", "package main\n")],
            "/root/shop",
            "/root/verify",
        ),
        (
            &[("go.mod", "module shop\n"), ("x.go", ""), ("cmd/serve/main.go", "package main\n")],
            "/root/serve",
            "/root/verify",
        ),
        (
            &[("CMakeLists.txt", "add_executable(test_it t.c)\nadd_executable(shop main.c)\n")],
            "/root/build/shop",
            "/root/verify",
        ),
        (&[("run.sh", "sqlite3 shop.db 'PRAGMA x'")], "sh /root/run.sh", "sqlite:shop.db"),
        (
            &[("Makefile", "X := 1\nrun: all\n\techo\nverify:\n")],
            "make --silent --file /root/Makefile run",
            "make --silent --file /root/Makefile verify",
        ),
        (&[("run.sh", ""), ("check_it.py", "")], "sh /root/run.sh", "python3 /root/check_it.py"),
        (&[("app.db", ""), (".git/HEAD", "")], "/root/my-program", "sqlite:app.db"),
        (&[("it's \"odd\".sh", ""), ("run\nthis.sh", "")], "/root/my-program", "/root/verify"),
    ] {
        let project = Project::new();
        for (name, text) in files {
            project.put(name, text);
        }
        let (text, config) = init(&project);
        let subject = &config.subjects[0];
        assert_eq!(
            (subject.run.join(" ").as_str(), subject.check[0].as_str()),
            (run, check),
            "{text}"
        );
    }
}

/// No name says what it is for, so it is proposed behind all that has one.
#[test]
fn init_proposes_executables_and_the_databases_that_they_open() {
    let project = Project::new();
    project.script("add-order", "sqlite3 orders.db \"INSERT INTO orders VALUES ('$1')\"");
    project.script("build.sh", "true");
    let (text, config) = init(&project);
    assert_eq!(config.subjects[0].run, ["/root/add-order"]);
    assert_eq!(config.subjects[0].check, ["sqlite:orders.db"]);
    assert!(text.contains("# (add-order is executable)") && !text.contains("build.sh"), "{text}");
    project.script("run-all", "./add-order");
    fs::remove_file(project.path("plugpull.toml")).unwrap();
    let (text, config) = init(&project);
    assert_eq!(config.subjects[0].run, ["/root/run-all"]);
    assert!(text.contains("# run = \"./add-order\"  # add-order is executable"), "{text}");
}

#[test]
fn init_is_for_directories_that_are_there() {
    let project = Project::new();
    project.run(&["init", "nonesuch"]).assert(2, &["cannot look into nonesuch"]);
    project.script("sub/run", "true");
    project.run(&["init", "sub"]).assert(0, &[]);
    let text = fs::read_to_string(project.path("sub/plugpull.toml")).unwrap();
    assert!(text.contains("[subject.sub]\n") && text.contains("run = \"./run\""), "{text}");
}

#[test]
fn what_init_writes_can_be_checked_at_once() {
    if !may_mount() {
        return;
    }
    let project = Project::new();
    project.script("run", CAREFUL);
    project.script("verify", "test ! -e f || grep -q value f");
    project.run(&["init"]).assert(0, &[]);
    project.run(&["check", "--budget", "20s"]).assert(0, &[]);
}
