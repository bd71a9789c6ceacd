//! What in a directory may be a program, a checker, or a start.
//!
//! Names and build files are read, nothing is run. The likeliest guess comes first.
#![expect(clippy::disallowed_methods, reason = "files of the user's, which no store is over")]

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Most bytes of a file that are looked at.
const MOST: u64 = 1 << 20;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// What the subject is called.
    pub name: String,
    /// What may be run.
    pub programs: Vec<Guess>,
    /// What may be checked.
    pub checkers: Vec<Guess>,
    /// What may prepare the directory.
    pub setups: Vec<Guess>,
    /// What is said beside these.
    pub notes: Vec<String>,
}

/// A guess.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guess {
    /// The value of the key.
    pub text: String,
    /// Why it is one.
    pub why: String,
}

/// Looks into a directory.
pub fn look(dir: &Path) -> io::Result<Found> {
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(dir)? {
        names.extend(entry?.file_name().into_string());
    }
    names.retain(|name| !name.contains(|c: char| c.is_control() || c == '\''));
    names.sort();
    let mut found = Found::default();
    let seen = Seen { dir, names };
    seen.scripts(&mut found);
    seen.cargo(&mut found);
    seen.python(&mut found);
    seen.node(&mut found);
    seen.make(&mut found);
    seen.go(&mut found);
    seen.cmake(&mut found);
    seen.executables(&mut found);
    seen.databases(&mut found);
    seen.named_databases(&mut found);
    seen.git(&mut found);
    found.name = name(dir);
    Ok(found)
}

/// The directory's name, as a subject may be called.
fn name(dir: &Path) -> String {
    let whole = fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
    let name = whole.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '-' };
    let name: String = name.chars().map(plain).collect();
    let name = name.trim_matches('-');
    if name.is_empty() { "program".to_owned() } else { name.to_owned() }
}

pub(super) struct Seen<'s> {
    pub(super) dir: &'s Path,
    pub(super) names: Vec<String>,
}

impl Seen<'_> {
    pub(super) fn has(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name)
    }

    /// The text of a file, if it is one of a sensible size.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let path = self.dir.join(name);
        let found = fs::metadata(&path).ok().filter(fs::Metadata::is_file)?;
        if found.len() > MOST { None } else { fs::read_to_string(path).ok() }
    }

    pub(super) fn is_executable(&self, name: &str) -> bool {
        let found = fs::metadata(self.dir.join(name));
        found.is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    }

    /// The names of the files in a directory below, without this ending.
    fn stems(&self, below: &str, end: &str) -> Vec<String> {
        let entries = fs::read_dir(self.dir.join(below)).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut stems: Vec<_> =
            names.filter_map(|name| name.strip_suffix(end).map(str::to_owned)).collect();
        stems.retain(|stem| is_word(stem));
        stems.sort();
        stems
    }

    /// Scripts and programs that are named after what they do.
    fn scripts(&self, found: &mut Found) {
        for name in &self.names {
            let stem = name.split('.').next().unwrap_or_default();
            let is_script = ends(name, "sh") || ends(name, "py");
            let executable = self.is_executable(name);
            if !is_word(name) || !executable && !is_script {
                continue;
            }
            let text = match () {
                () if executable => format!("./{name}"),
                () if ends(name, "py") => format!("python3 {{root}}/{name}"),
                () => format!("sh {{root}}/{name}"),
            };
            let guess = Guess { text, why: format!("{name} is here") };
            if ["check", "verify"].iter().any(|word| stem.starts_with(word)) {
                found.checkers.push(guess);
            } else if stem.starts_with("run") {
                found.programs.push(guess);
            }
        }
    }

    fn cargo(&self, found: &mut Found) {
        let Some(text) = self.text("Cargo.toml") else { return };
        let Ok(table) = text.parse::<toml::Table>() else { return };
        let name = |of: &toml::Value| of.get("name")?.as_str().map(str::to_owned);
        let mut bins: Vec<String> = Vec::new();
        if let Some(toml::Value::Array(named)) = table.get("bin") {
            bins.extend(named.iter().filter_map(name));
        }
        if self.dir.join("src/main.rs").is_file() {
            bins.extend(table.get("package").and_then(name));
        }
        bins.extend(self.stems("src/bin", ".rs"));
        bins.dedup();
        let built = |path: String, how: &str| Guess {
            text: path,
            why: format!("Cargo.toml has it; build it first: {how}"),
        };
        let bins = bins.into_iter().filter(|name| is_word(name));
        found
            .programs
            .extend(bins.map(|name| built(format!("target/debug/{name}"), "cargo build")));
        let examples = self.stems("examples", ".rs").into_iter();
        found.programs.extend(
            examples.map(|name| {
                built(format!("target/debug/examples/{name}"), "cargo build --examples")
            }),
        );
        if table.contains_key("workspace") {
            let note = "This is a Cargo workspace: its programs are in target/debug as well.";
            found.notes.push(note.to_owned());
        }
    }

    fn python(&self, found: &mut Found) {
        if let Some(table) =
            self.text("pyproject.toml").and_then(|text| text.parse::<toml::Table>().ok())
        {
            let poetry = table.get("tool").and_then(|tool| tool.get("poetry"));
            let scripts = [table.get("project"), poetry].into_iter().flatten();
            let scripts = scripts.filter_map(|part| part.get("scripts")?.as_table());
            let names = scripts.flat_map(toml::Table::keys).filter(|name| is_word(name));
            found.programs.extend(names.map(|name| Guess {
                text: name.clone(),
                why: "pyproject.toml has it; install it first: pip install -e .".to_owned(),
            }));
        }
        for name in &self.names {
            let runs = || self.text(name).is_some_and(|text| text.contains("__main__"));
            let said = [&found.programs, &found.checkers]
                .iter()
                .any(|list| list.iter().any(|guess| guess.text.ends_with(&format!("/{name}"))));
            let is_package = self.dir.join(name).join("__main__.py").is_file();
            if is_word(name) && !said && (is_package || ends(name, "py") && runs()) {
                let why = format!("{name} has a __main__");
                found.programs.push(Guess { text: format!("python3 {{root}}/{name}"), why });
            }
        }
    }

    fn node(&self, found: &mut Found) {
        let Some(text) = self.text("package.json") else { return };
        let Ok(package) = serde_json::from_str::<serde_json::Value>(&text) else { return };
        let mut files: Vec<String> = Vec::new();
        if let Some(scripts) = package["scripts"].as_object() {
            for line in scripts.values().filter_map(|line| line.as_str()) {
                let mut words = line.split_whitespace();
                if words.next() == Some("node") {
                    files.extend(words.next().map(str::to_owned));
                }
            }
        }
        files.extend(package["main"].as_str().map(str::to_owned));
        files.retain(|file| is_path(file));
        let mut seen = std::collections::BTreeSet::new();
        files.retain(|file| seen.insert(file.clone()));
        found.programs.extend(files.into_iter().map(|file| Guess {
            text: format!("node {{root}}/{}", file.trim_start_matches("./")),
            why: "package.json has it".to_owned(),
        }));
    }

    fn make(&self, found: &mut Found) {
        let names = ["GNUmakefile", "makefile", "Makefile"];
        let Some(file) = names.into_iter().find(|name| self.has(name)) else { return };
        let text = self.text(file).unwrap_or_default();
        for target in text.lines().filter_map(target) {
            let text = format!("make --silent --file {{root}}/{file} {target}");
            let why = format!(
                "{file} has the target {target}; its paths begin in the recorded directory"
            );
            let is = |words: &[&str]| words.iter().any(|word| target.starts_with(word));
            if is(&["verify"]) {
                found.checkers.push(Guess { text, why });
            } else if is(&["run"]) {
                found.programs.push(Guess { text, why });
            }
        }
    }

    fn databases(&self, found: &mut Found) {
        let is_database =
            |name: &&String| ["db", "sqlite", "sqlite3"].iter().any(|end| ends(name, end));
        for name in self.names.iter().filter(is_database).filter(|name| is_word(name)) {
            let why = format!("{name} is here");
            found.checkers.push(Guess { text: format!("sqlite:{name}"), why: why.clone() });
            found.setups.push(Guess { text: format!("cp {{root}}/{name} ."), why });
        }
    }

    fn git(&self, found: &mut Found) {
        if self.has(".git") {
            let note = "Commit this file, and plugpull.baseline once there is one.";
            found.notes.push(note.to_owned());
        }
    }
}

pub(super) fn ends(name: &str, extension: &str) -> bool {
    Path::new(name).extension().is_some_and(|end| end == extension)
}

/// The target that a line of a makefile begins.
fn target(line: &str) -> Option<&str> {
    let (name, rest) = line.split_once(':')?;
    let is_target = is_word(name) && !name.starts_with('.') && !rest.starts_with('=');
    is_target.then_some(name)
}

/// Whether a name needs no quoting anywhere.
pub(super) fn is_word(name: &str) -> bool {
    is_path(name) && !name.contains('/')
}

fn is_path(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./+".contains(c);
    !name.is_empty() && !name.starts_with('-') && name.chars().all(plain)
}
