//! A subject: one program of the project, and what its states must pass.
//!
//! Everything runs in the recorded directory, where a path of the project means nothing. So a program that is
//! named by a path is found from the directory of the file, and `{root}` stands for that directory.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::file::{NAMES, is_name, setting};
use super::nearest::hint;
use super::read::{Entry, Reader};
use super::settings::{Given, KEYS, Settings, Wrong};
use crate::check::Checker;
use crate::exit::Failure;
use crate::record::Marks;

/// The keys of a subject beside the settings.
const SUBJECT_KEYS: [&str; 5] = ["run", "check", "setup", "dir", "marks"];

/// Stands for the directory of the file, wherever a command is said.
const ROOT: &str = "{root}";

/// A program that is checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Subject {
    /// What it is called.
    pub name: String,
    /// The program and its arguments.
    pub run: Vec<String>,
    /// What a state must pass.
    pub check: Vec<String>,
    /// A line for the shell that prepares the directory.
    pub setup: Option<String>,
    /// The directory that is recorded; without one, an empty one.
    pub dir: Option<PathBuf>,
    /// What counts as a promise.
    pub marks: Marks,
    /// How it is looked at.
    pub settings: Settings,
}

pub(super) fn read(reader: &mut Reader<'_>, entry: Entry<'_>, root: &Path) -> Option<Subject> {
    if !is_name(entry.key) {
        reader.problem(entry.at, format!("the name of a subject {NAMES}"));
        return None;
    }
    let mut subject = Subject { name: entry.key.to_owned(), ..Subject::default() };
    let known = [&SUBJECT_KEYS[..], &KEYS].concat();
    let (name, at) = (entry.key, entry.at);
    let fields = reader.table(entry, "[subject.NAME]");
    for entry in &fields {
        if !SUBJECT_KEYS.contains(&entry.key) {
            setting(reader, *entry, &mut subject.settings, &known);
        } else if let Some(given) = reader.given(*entry) {
            let set = subject.set(entry.key, &given, root);
            reader.take(*entry, set);
        }
    }
    let has = |key: &str| fields.iter().any(|entry| entry.key == key);
    if !has("run") {
        reader.problem(at, format!("subject `{name}` has no `run`: the command that is recorded"));
    }
    if !has("check") {
        let text = format!("subject `{name}` has no `check`: what each crash state must pass");
        reader.problem(at, text);
    }
    if let Some(path) = subject.lost_path() {
        let run =
            fields.iter().find(|entry| entry.key == "run").map_or(at, |run| run.value.span().start);
        reader.problem(
            run,
            format!(
                "`run` needs a shell, which runs in an empty directory, where there is no {path}: write \
                 {ROOT}/{}",
                path.trim_start_matches("./")
            ),
        );
    }
    subject.settings.relative_to(root);
    Some(subject)
}

impl Subject {
    fn set(&mut self, key: &str, given: &Given, root: &Path) -> Result<(), Wrong> {
        match key {
            "run" => self.run = run(given, root)?,
            "check" => self.check = check(given, root)?,
            "setup" => {
                let text = given.text(key, "a line for the shell")?;
                self.setup = Some(text.replace(ROOT, &quoted(root)));
            }
            "dir" => self.dir = Some(root.join(given.text(key, "the path of a directory")?)),
            "marks" => self.marks = marks(given)?,
            _ => return Err(wrong(format!("unknown key `{key}`"))),
        }
        Ok(())
    }

    /// A program that a shell would look for in a directory that is empty.
    fn lost_path(&self) -> Option<String> {
        let [shell, option, line] = self.run.as_slice() else { return None };
        let is_empty = self.dir.is_none() && self.setup.is_none();
        let first = line.split_whitespace().next().unwrap_or_default();
        let is_relative = first.starts_with("./") || first.starts_with("../");
        let lost = is_empty && (shell.as_str(), option.as_str()) == ("sh", "-c") && is_relative;
        lost.then(|| first.to_owned())
    }

    /// The directory that is recorded. Where the file names none it is an empty one, the same in every run, so
    /// that a program that prints its path prints the same; nothing is ever written to it.
    #[expect(clippy::disallowed_methods, reason = "scratch space of the runner's")]
    pub fn directory(&self) -> Result<PathBuf, Failure> {
        if let Some(dir) = &self.dir {
            return Ok(dir.clone());
        }
        let base = std::env::temp_dir().join(format!("plugpull-dirs-{}", nix::unistd::getuid()));
        let dir = base.join(&self.name);
        let failed = |e| Failure::system(format!("make the directory {}", dir.display()), e);
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true).mode(0o755).create(&dir).map_err(failed)?;
        if std::fs::read_dir(&dir).map_err(failed)?.next().is_some() {
            let text = format!(
                "{} is not empty, and the run must begin with an empty directory: remove what is in it",
                dir.display()
            );
            return Err(Failure::Usage(text));
        }
        Ok(dir)
    }
}

fn wrong(text: String) -> Wrong {
    Wrong { item: None, text }
}

/// A path as a word for the shell.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    shlex::try_quote(&text).map_or_else(|_| text.to_string(), std::borrow::Cow::into_owned)
}

/// The program: words, or a line that is split as a shell does, or one that only a shell can run.
fn run(given: &Given, root: &Path) -> Result<Vec<String>, Wrong> {
    let words = match given {
        Given::List(words) => {
            let plain = root.to_string_lossy();
            words.iter().map(|word| word.replace(ROOT, &plain)).collect()
        }
        given => {
            let line = given.text("run", "a command line, or an array of words")?;
            let whole = line.replace(ROOT, &quoted(root));
            if needs_shell(line) {
                vec!["sh".to_owned(), "-c".to_owned(), whole]
            } else {
                split(&whole)?
            }
        }
    };
    if words.first().is_none_or(String::is_empty) {
        return Err(wrong("`run` names no program".to_owned()));
    }
    Ok(from_root(words, root))
}

fn split(line: &str) -> Result<Vec<String>, Wrong> {
    let words = shlex::split(line);
    words.ok_or_else(|| wrong(format!("{line:?} is no command line: a quote may be missing")))
}

/// A program that is named by a path is found from the directory of the file.
fn from_root(mut words: Vec<String>, root: &Path) -> Vec<String> {
    if let Some(program) = words.first_mut().filter(|program| program.contains('/')) {
        let path = Path::new(&*program);
        *program = root.join(path.strip_prefix("./").unwrap_or(path)).display().to_string();
    }
    words
}

/// Whether a line has what only a shell understands: an operator, a variable or a pattern outside of
/// quotes, or a variable that is set before the program.
fn needs_shell(line: &str) -> bool {
    let mut quote = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\\', None | Some('"')) => drop(chars.next()),
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            ('$' | '`', None | Some('"')) => return true,
            (
                '|' | '&' | ';' | '<' | '>' | '(' | ')' | '*' | '?' | '[' | '#' | '~' | '\n',
                None,
            ) => {
                return true;
            }
            _ => {}
        }
    }
    line.split_whitespace().next().is_some_and(|first| first.contains('='))
}

/// The checkers: one that is built in stays as it is.
fn check(given: &Given, root: &Path) -> Result<Vec<String>, Wrong> {
    let list = match given {
        Given::List(list) => list.clone(),
        given => vec![given.text("check", "a checker, or an array of them")?.to_owned()],
    };
    if list.is_empty() {
        return Err(wrong("`check` names no checker".to_owned()));
    }
    let one = |(item, text): (usize, &String)| {
        let whole = text.replace(ROOT, &quoted(root));
        let at = |text: String| Wrong { item: Some(item), text };
        match whole.parse::<Checker>().map_err(|e| at(e.to_string()))? {
            Checker::Builtin(_) => Ok(whole),
            Checker::Command(_) => {
                let words = from_root(split(&whole)?, root);
                shlex::try_join(words.iter().map(String::as_str)).map_err(|e| at(e.to_string()))
            }
        }
    };
    list.iter().enumerate().map(one).collect()
}

fn marks(given: &Given) -> Result<Marks, Wrong> {
    let text = given.text("marks", "stdout, file or none")?;
    Marks::ALL.into_iter().find(|marks| marks.name() == text).ok_or_else(|| {
        let hint = hint(text, Marks::ALL.iter().map(|marks| marks.name()));
        wrong(format!("`marks` is not `{text}`{hint}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(line: &str) -> Vec<String> {
        run(&Given::Text(line.to_owned()), Path::new("/my project")).unwrap()
    }

    #[test]
    fn a_program_is_found_from_the_directory_of_the_file() {
        assert_eq!(command("./orders import 'a b'"), ["/my project/orders", "import", "a b"]);
        assert_eq!(command("target/x --db ./y"), ["/my project/target/x", "--db", "./y"]);
        assert_eq!(command("/bin/ls {root}/x"), ["/bin/ls", "/my project/x"]);
        assert_eq!(command("sqlite3 a.db 'insert (1);'"), ["sqlite3", "a.db", "insert (1);"]);
        let words = Given::List(vec!["./a".into(), "$X {root}".into()]);
        let words = run(&words, Path::new("/p")).unwrap();
        assert_eq!(words, ["/p/a", "$X /p"]);
    }

    #[test]
    fn what_only_a_shell_understands_is_left_to_it() {
        for line in ["a && b", "a > f", "a $X", "a \"$X\"", "a *.c", "X=1 a", "a; b", "a\nb"] {
            assert_eq!(command(line), ["sh", "-c", line]);
        }
        assert_eq!(command("{root}/a | b"), ["sh", "-c", "'/my project'/a | b"]);
        for line in ["a 'b && c'", "a \"x > y\"", "a b\\&c", "a --x=y"] {
            assert!(!needs_shell(line), "{line}");
        }
    }

    #[test]
    fn checkers_are_those_of_the_command_line() {
        let list = ["./verify --all", "sqlite:app.db", "old-or-new:a,b", "exit:cat {root}/x"];
        let list = Given::List(list.map(str::to_owned).to_vec());
        assert_eq!(
            check(&list, Path::new("/p")).unwrap(),
            ["/p/verify --all", "sqlite:app.db", "old-or-new:a,b", "exit:cat /p/x"]
        );
        let wrong = check(&Given::List(vec!["true".into(), "lines".into()]), Path::new("/p"));
        assert_eq!(wrong.unwrap_err().item, Some(1));
        assert!(check(&Given::List(Vec::new()), Path::new("/p")).is_err());
    }
}
