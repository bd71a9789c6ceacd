//! What else in a directory may be a program, and which databases scripts name: where no name says what a file
//! is for.
//!
//! These guesses come after those that are named for what they do. Not for anything else (`look`).
#![expect(clippy::disallowed_methods, reason = "files of the user's, which no store is over")]

use std::fs;

use super::look::{Found, Guess, Seen, ends, is_word};

/// How executables begin that make, test or ship a program, and are none.
const NO_PROGRAMS: [&str; 17] = [
    "autogen",
    "bench",
    "bootstrap",
    "build",
    "ci",
    "clean",
    "configure",
    "deploy",
    "format",
    "gradlew",
    "install",
    "lint",
    "make",
    "mvnw",
    "release",
    "setup",
    "test",
];

impl Seen<'_> {
    /// Programs of a Go module, where `go build` leaves them.
    pub(super) fn go(&self, found: &mut Found) {
        let Some(text) = self.text("go.mod") else { return };
        let module = text.lines().find_map(|line| line.strip_prefix("module "));
        let mut parts = module.unwrap_or_default().trim().rsplit('/');
        // A last part such as v2 is a version (go.dev/ref/mod#major-version-suffixes).
        let is_version = |part: &&str| {
            part.strip_prefix('v').is_some_and(|n| n.chars().all(|c| c.is_ascii_digit()))
        };
        let name = parts.find(|part| !is_version(part)).unwrap_or_default();
        let mut built = |name: &str, how: &str| {
            if is_word(name) {
                let why = format!("go.mod has it; build it first: {how}");
                found.programs.push(Guess { text: format!("./{name}"), why });
            }
        };
        if self.is_main("main.go") {
            built(name, "go build");
        }
        let commands = fs::read_dir(self.dir.join("cmd")).into_iter().flatten().flatten();
        let mut commands: Vec<_> =
            commands.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        commands.sort();
        for command in commands.iter().filter(|name| self.is_main(&format!("cmd/{name}/main.go"))) {
            built(command, &format!("go build ./cmd/{command}"));
        }
    }

    fn is_main(&self, file: &str) -> bool {
        self.text(file).is_some_and(|text| text.lines().any(|line| line.trim() == "package main"))
    }

    /// Programs of a `CMake` project.
    pub(super) fn cmake(&self, found: &mut Found) {
        let text = self.text("CMakeLists.txt").unwrap_or_default();
        let calls = text.lines().filter_map(|line| line.trim().strip_prefix("add_executable("));
        let names = calls.filter_map(|rest| rest.split([' ', ')']).next());
        for name in names.filter(|name| is_word(name) && !begins(name, &NO_PROGRAMS)) {
            let how = "cmake -B build && cmake --build build";
            let why = format!("CMakeLists.txt has it; build it first: {how}");
            found.programs.push(Guess { text: format!("build/{name}"), why });
        }
    }

    /// Other executables.
    pub(super) fn executables(&self, found: &mut Found) {
        let is_said = |name: &str, found: &Found| {
            let all = found.programs.iter().chain(&found.checkers);
            all.map(|guess| guess.text.rsplit('/').next()).any(|said| said == Some(name))
        };
        for name in &self.names {
            let is_one = is_word(name) && !name.starts_with('.') && self.is_executable(name);
            if is_one && !begins(name, &NO_PROGRAMS) && !is_said(name, found) {
                let why = format!("{name} is executable");
                found.programs.push(Guess { text: format!("./{name}"), why });
            }
        }
    }

    /// Databases that the scripts here open, which need not be there yet.
    pub(super) fn named_databases(&self, found: &mut Found) {
        let guesses = found.programs.iter().chain(&found.checkers);
        let files = guesses.filter_map(|guess| guess.text.rsplit('/').next());
        let scripts: Vec<_> =
            self.names.iter().filter(|name| files.clone().any(|f| f == *name)).collect();
        for script in scripts {
            for file in databases(&self.text(script).unwrap_or_default()) {
                let text = format!("sqlite:{file}");
                if found.checkers.iter().all(|guess| guess.text != text) {
                    let why = format!("{script} opens {file} with sqlite3");
                    found.checkers.push(Guess { text, why });
                }
            }
        }
    }
}

fn begins(name: &str, words: &[&str]) -> bool {
    words.iter().any(|word| name.starts_with(word))
}

/// The files that follow `sqlite3` in a shell script, or `sqlite3.connect(` in Python.
fn databases(text: &str) -> Vec<&str> {
    let opened = text.split("sqlite3").skip(1).filter_map(|rest| {
        let rest = rest.strip_prefix(".connect(").or_else(|| rest.strip_prefix(' '))?;
        rest.split_whitespace().find(|word| !word.starts_with('-'))
    });
    let names = opened.map(|word| word.split([',', ')']).next().unwrap_or_default());
    let names = names.map(|name| name.trim_matches(['"', '\'']));
    let is_file = |name: &&str| {
        is_word(name) && ["db", "sqlite", "sqlite3"].iter().any(|end| ends(name, end))
    };
    names.filter(is_file).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_are_found_by_how_they_are_opened() {
        let shell =
            "x=$(sqlite3 orders.db 'SELECT 1')\nsqlite3 -bail \"b.sqlite\" < f\nsqlite3 \"$1\"\n";
        assert_eq!(databases(shell), ["orders.db", "b.sqlite"]);
        let python =
            "import sqlite3\ndb = sqlite3.connect('app.db', timeout=1)\nsqlite3.connect(path)\n";
        assert_eq!(databases(python), ["app.db"]);
        assert!(
            databases("# sqlite3 is a library; see sqlite3 ../x.db and sqlite3 :memory:")
                .is_empty()
        );
    }
}
