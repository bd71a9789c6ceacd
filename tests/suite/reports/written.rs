//! Reports as `plugpull check` and `explore` write them: where, when, and what keeps them from it.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::machine::Tmpfs;
use crate::program::{Ended, command, plugpull, send};

/// Replaces a file without any barrier, and says so.
const CARELESS: &str = "printf 'new value\\n' > f.tmp; mv f.tmp f; echo saved";

struct Desk {
    dir: TempDir,
}

impl Desk {
    fn new() -> Option<Self> {
        crate::machine::may_mount().then(|| {
            let desk = Self { dir: TempDir::new().unwrap() };
            fs::create_dir(desk.path("data")).unwrap();
            fs::write(desk.path("data/f"), "old value\n").unwrap();
            desk
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// `plugpull check` of a shell script, within the directory that is recorded.
    #[track_caller]
    fn check(&self, script: &str, more: &[&str]) -> Ended {
        self.check_with(script, more, &[])
    }

    #[track_caller]
    fn check_with(&self, script: &str, more: &[&str], env: &[(&str, &str)]) -> Ended {
        let args = ["check", "--checker", "old-or-new:f", "--budget", "300"];
        let mut check = command(args.iter().chain(more).chain(&["--", "sh", "-c", script]));
        check.current_dir(self.path("data")).env("TMPDIR", self.dir.path());
        for name in ["GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"] {
            check.env_remove(name);
        }
        check.envs(env.iter().copied()).output().unwrap().into()
    }
}

#[test]
fn one_run_writes_every_report_and_all_tell_the_same() {
    let Some(desk) = Desk::new() else { return };
    for name in ["page.html", "data/junit.xml"] {
        fs::write(desk.path(name), "of an earlier run").unwrap();
    }
    // The first one goes into the very directory that is recorded.
    let more = ["--junit", "junit.xml", "--sarif", "../run.sarif", "--html", "../page.html"];
    let ended = desk.check(CARELESS, &[&more[..], &["--message-format", "json-lines"]].concat());
    ended.assert(100, &[]);
    let findings = ended.events("finding");
    let id = findings[0]["id"].as_str().unwrap();
    let token = findings[0]["token"].as_str().unwrap();
    for name in ["data/junit.xml", "run.sarif", "page.html"] {
        let report = desk.read(name);
        assert!(report.contains(id) && report.contains(token), "{name}: {report}");
    }
    let junit = desk.read("data/junit.xml");
    assert!(
        junit.contains("<testcase name=\"power cuts under ext4\"") && junit.contains("<failure ")
    );
    let sarif: serde_json::Value = serde_json::from_str(&desk.read("run.sarif")).unwrap();
    assert_eq!(sarif["runs"][0]["results"].as_array().unwrap().len(), findings.len());
    // Nothing is left beside them.
    let is_part = |name: &std::ffi::OsStr| name.to_string_lossy().contains("plugpull-report");
    for dir in ["", "data"] {
        let names = fs::read_dir(desk.path(dir)).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(names.filter(|name| is_part(name)).count(), 0);
    }
}

#[test]
fn a_recording_that_is_explored_has_reports_too() {
    let Some(desk) = Desk::new() else { return };
    desk.check(CARELESS, &["--recording", "../run.plug"]).assert(100, &[]);
    let [run, page] = ["run.plug", "page.html"].map(|name| desk.path(name).display().to_string());
    plugpull(["explore", &run, "--budget", "300", "--html", &page]).assert(100, &[]);
    assert!(desk.read("page.html").contains("plugpull replay pp1:"));
    plugpull(["explore", "--store", "--html", &page]).assert(2, &["reports are of a recording"]);
}

#[test]
fn a_report_that_cannot_be_written_is_known_before_anything_runs() {
    let Some(desk) = Desk::new() else { return };
    let script = "touch ran; echo ran";
    for (option, path, why) in [
        ("--junit", "no/such/dir/junit.xml", "there is no directory no/such/dir; create it"),
        ("--sarif", "..", "it is a directory; name a file in it"),
        ("--html", "/dev/null", "it is no regular file"),
    ] {
        let ended = desk.check(script, &[option, path, "--recording", "../run.plug"]);
        ended.assert(2, &["cannot write the report", option, why]);
    }
    let same = ["--junit", "same.xml", "--html", "./same.xml"];
    desk.check(script, &same).assert(2, &["--junit and --html name the same file"]);
    assert!(!desk.path("run.plug").exists());
}

#[test]
fn a_full_disk_keeps_one_report_and_not_the_others() {
    let Some(desk) = Desk::new() else { return };
    let Some(full) = Tmpfs::mount("size=4k") else { return };
    let [page, left] = ["page.html", "filler"].map(|name| full.path().join(name));
    fs::write(&page, "").unwrap();
    let _ = fs::write(left, [1; 4096]);
    let more =
        ["--html", page.to_str().unwrap(), "--junit", "../junit.xml", "--sarif", "../run.sarif"];
    desk.check(CARELESS, &more).assert(96, &["cannot write the report", "page.html"]);
    assert_eq!(fs::read_to_string(&page).unwrap(), "", "half a report");
    assert!(desk.read("junit.xml").contains("<failure "));
    assert!(
        desk.read("run.sarif").contains("missing-barrier")
            || desk.read("run.sarif").contains("pp1:")
    );
}

#[test]
fn a_program_that_fails_by_itself_is_reported_as_an_error() {
    let Some(desk) = Desk::new() else { return };
    let more = ["--junit", "../junit.xml", "--sarif", "../run.sarif", "--html", "../page.html"];
    desk.check("echo x > g; exit 3", &more).assert(101, &["exit status 3"]);
    let junit = desk.read("junit.xml");
    assert!(junit.contains("<error ") && junit.contains("program-failed"), "{junit}");
    assert!(desk.read("page.html").contains("The program failed by itself"));
    assert!(desk.read("run.sarif").contains("\"executionSuccessful\": false"));
    // Nothing changed, nothing tested.
    desk.check("true", &more).assert(4, &[]);
    let junit = desk.read("junit.xml");
    assert!(junit.contains("<skipped ") && !junit.contains("<failure "), "{junit}");
    assert!(desk.read("page.html").contains("Nothing was tested"));
}

#[test]
fn a_run_that_is_interrupted_is_reported_as_far_as_it_came() {
    let Some(desk) = Desk::new() else { return };
    let mut check = command(["check", "--checker", "exit:sleep 0.2", "--jobs", "1"]);
    check.args(["--junit", "../junit.xml", "--html", "../page.html", "--", "sh", "-c"]);
    check.arg("for n in 1 2 3 4 5 6; do echo x > f$n; echo $n; done");
    check.current_dir(desk.path("data")).env("TMPDIR", desk.dir.path());
    let check = check.spawn().unwrap();
    // Dozens of states take longer than that.
    std::thread::sleep(Duration::from_secs(3));
    send(&check, Signal::SIGINT);
    let ended: Ended = check.wait_with_output().unwrap().into();
    ended.assert(130, &[]);
    let junit = desk.read("junit.xml");
    assert!(junit.contains("<skipped ") && !junit.contains("<failure "), "{junit}");
    assert!(desk.read("page.html").contains("Ended early"));
}

#[test]
fn github_is_told_when_it_runs_the_check() {
    let Some(desk) = Desk::new() else { return };
    let summary = desk.path("summary.md");
    fs::write(&summary, "# Of an earlier command\n").unwrap();
    let env = [("GITHUB_ACTIONS", "true"), ("GITHUB_STEP_SUMMARY", summary.to_str().unwrap())];
    let ended = desk.check_with(CARELESS, &[], &env);
    ended.assert(100, &[]);
    assert!(ended.out.contains("\n::error title=plugpull%3A sh%3A "), "{}", ended.out);
    let text = desk.read("summary.md");
    assert!(text.starts_with("# Of an earlier command\n## Plugpull: "), "{text}");
    assert!(text.contains("plugpull replay pp1:"), "{text}");
    // Standard output stays JSON where it is asked for.
    let json = desk.check_with(CARELESS, &["--message-format", "json-lines"], &env);
    assert!(!json.events("finding").is_empty());
    json.assert(100, &["::error title=plugpull"]);
    let quiet = desk.check_with(CARELESS, &["--no-github"], &env);
    assert!(!quiet.out.contains("::error"), "{}", quiet.out);
    let asked = desk.check(CARELESS, &["--github"]);
    assert!(asked.out.contains("::error"), "{}", asked.out);
}
