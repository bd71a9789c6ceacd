//! docs/guide.md, followed word by word; and every command line of the documents and of the files for other
//! people's CI, as the real parser reads it.
//!
//! Not for what the commands do beyond what the guide says of them (`any_program`).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use plugpull::cli::Cli;
use tempfile::TempDir;

use crate::machine::{may_mount, not_measured};
use crate::program::PLUGPULL;

/// Where command lines stand, and how many at least.
const FILES: [(&str, usize); 8] = [
    ("docs/guide.md", 14),
    ("docs/bench.md", 4),
    ("ci/action.yml", 2),
    ("ci/examples/github.yml", 3),
    ("ci/examples/gitlab.yml", 2),
    ("ci/examples/Jenkinsfile", 2),
    ("ci/examples/container.md", 2),
    ("README.md", 3),
];

/// A fenced block of the guide.
struct Block<'g> {
    /// What stands after the fence: the language first.
    info: Vec<&'g str>,
    text: String,
    line: usize,
}

impl Block<'_> {
    /// The value of `key=value` after the fence.
    fn told(&self, key: &str) -> Option<&str> {
        self.info.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn blocks(guide: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut lines = guide.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some(info) = line.strip_prefix("```") else { continue };
        let text = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```");
        let text = text.flat_map(|line| [line, "\n"]).collect();
        blocks.push(Block { info: info.split(' ').collect(), text, line: number + 1 });
    }
    blocks
}

/// A shell that finds this plugpull, knows no CI, and says at its end where it is.
fn shell(block: &str, here: &Path, bin: &Path) -> (i32, String, PathBuf) {
    let path = std::env::var("PATH").unwrap();
    let told = bin.join("where");
    let script = format!("trap 'pwd > {}' EXIT\nset -e\n{block}", told.display());
    let mut command = Command::new("/bin/bash");
    command.arg("-c").arg(script).current_dir(here).stdin(Stdio::null());
    for ours in ["CI", "GITHUB_ACTIONS", "PLUGPULL_PROFILE"] {
        command.env_remove(ours);
    }
    let ended = command
        .env("PATH", format!("{}:{path}", bin.display()))
        .env("TMPDIR", bin)
        .output()
        .unwrap();
    let text = [ended.stdout, ended.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    let here = PathBuf::from(fs::read_to_string(told).unwrap().trim_end());
    (ended.status.code().unwrap_or(-1), text, here)
}

#[test]
fn the_guide_can_be_followed_word_by_word() {
    if !may_mount() {
        return;
    }
    for program in ["sqlite3", "git", "cc"] {
        let found = Command::new("which").arg(program).stdout(Stdio::null()).status();
        if !found.is_ok_and(|status| status.success()) {
            not_measured::<()>(&format!("the guide needs {program}"));
            return;
        }
    }
    let (base, bin) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    std::os::unix::fs::symlink(PLUGPULL, bin.path().join("plugpull")).unwrap();
    let guide = fs::read_to_string(root().join("docs/guide.md")).unwrap();
    let (mut here, mut output, mut followed) = (base.path().to_owned(), String::new(), 0);
    for block in blocks(&guide) {
        let at = format!("docs/guide.md, the block of line {}", block.line);
        if let Some(name) = block.told("file") {
            fs::write(here.join(name), &block.text).unwrap();
        } else if block.info[0] == "text" {
            for line in block.text.lines() {
                assert!(output.contains(line), "{at}: {line:?} is not in\n{output}");
            }
        } else if block.info[0] == "sh" && !block.info.contains(&"not-followed") {
            let code = block.told("exit").map_or(0, |code| code.parse().unwrap());
            let ended = shell(&block.text, &here, bin.path());
            assert_eq!(ended.0, code, "{at}:\n{}\n{}", block.text, ended.1);
            (output, here) = (ended.1, ended.2);
            followed += 1;
        }
    }
    assert!(followed >= 12, "only {followed} blocks were followed");
}

/// The command lines of plugpull in a text, as words.
fn command_lines(text: &str) -> Vec<Vec<String>> {
    let names: Vec<_> = Cli::command().get_subcommands().map(|c| c.get_name().to_owned()).collect();
    let text = text.replace("\\\n", " ").replace(" $ARGUMENTS", "");
    let mut all = Vec::new();
    for line in text.lines() {
        for (at, _) in line.match_indices("plugpull ") {
            let before = line[..at].chars().next_back().unwrap_or(' ');
            let rest = &line[at..];
            let name = rest.split([' ', '`', '\'', ',', ';']).nth(1).unwrap_or_default();
            if !" '`\"".contains(before) || !names.iter().any(|known| known == name) {
                continue;
            }
            all.push(words(rest, before));
        }
    }
    all
}

/// The words of a command line, up to where it ends.
fn words(rest: &str, before: char) -> Vec<String> {
    let mut line = rest.to_owned();
    // What GitHub puts in is taken for a number.
    while let (Some(from), Some(to)) = (line.find("${{"), line.find("}}")) {
        line.replace_range(from..to + 2, "1");
    }
    let ends = ["`", " ||", " &&", "; ", " # ", " > ", " | "];
    let mut ends: Vec<_> = ends.iter().flat_map(|end| line.match_indices(end)).collect();
    ends.sort_unstable();
    let quote = if before == '\'' { line.rfind('\'') } else { None };
    let mut all = quote.into_iter().chain(ends.into_iter().map(|(at, _)| at)).chain([line.len()]);
    // What is cut within quotes is no command line.
    let cut = all.find_map(|end| shlex::split(&line[..end]));
    cut.unwrap_or_else(|| panic!("cannot be split into words: {line}"))
}

#[test]
fn every_command_line_that_is_told_is_one() {
    for (file, least) in FILES {
        let text = fs::read_to_string(root().join(file)).unwrap();
        let lines = command_lines(&text);
        for words in &lines {
            let parsed = Cli::try_parse_from(words);
            let wrong = parsed.err().filter(|e| e.kind() != ErrorKind::DisplayHelp);
            assert!(wrong.is_none(), "{file}: {}\n{}", words.join(" "), wrong.unwrap());
        }
        assert!(lines.len() >= least, "{file}: only {} command lines: {lines:?}", lines.len());
    }
}

#[test]
fn a_wrong_command_line_would_be_seen() {
    let lines =
        command_lines("- run: plugpull check --profil ci # wrong\n  `plugpull doctor`, and");
    assert_eq!(lines, [vec!["plugpull", "check", "--profil", "ci"], vec!["plugpull", "doctor"]]);
    assert!(Cli::try_parse_from(&lines[0]).is_err());
    assert!(Cli::try_parse_from(&lines[1]).is_ok());
}

#[test]
fn the_container_flags_are_those_of_the_doctor() {
    let doctor = fs::read_to_string(root().join("torture/src/doctor_command.rs")).unwrap();
    let flags = ["--device /dev/fuse --cap-add SYS_ADMIN", "apparmor=unconfined"];
    for file in ["ci/examples/container.md", "ci/examples/Jenkinsfile"] {
        let text = fs::read_to_string(root().join(file)).unwrap();
        for flag in flags {
            assert!(text.contains(flag) && doctor.contains(flag), "{file}: {flag}");
        }
    }
}

#[test]
fn the_files_for_github_and_gitlab_are_yaml() {
    let there = Command::new("python3").args(["-c", "import yaml"]).stderr(Stdio::null()).status();
    if !there.is_ok_and(|status| status.success()) {
        not_measured::<()>("reading YAML needs Python with its module yaml");
        return;
    }
    for file in ["ci/action.yml", "ci/examples/github.yml", "ci/examples/gitlab.yml"] {
        let read = "import sys, yaml; assert isinstance(yaml.safe_load(open(sys.argv[1])), dict)";
        let ended =
            Command::new("python3").args(["-c", read]).arg(root().join(file)).output().unwrap();
        assert!(ended.status.success(), "{file}: {}", String::from_utf8_lossy(&ended.stderr));
    }
}
