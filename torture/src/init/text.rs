//! The file that `plugpull init` writes: one subject as it was found, and every key explained.

use super::look::{Found, Guess};

/// What stands where nothing was found: it must be named before anything can run.
const PROGRAM: &str = "./my-program";
const CHECKER: &str = "./verify";

const HEAD: &str = "\
# What `plugpull check` checks, and how far it looks.
#
# The program runs in a recorded directory: a simulated disk, so none of your files is ever changed. {root} is the
# directory of this file, and a program that is named by a path (./verify) is found from there.
";

const RUN: &str = "\
# What is recorded: a command line, or an array of words. It should do what must not be lost, and end.
";

const CHECK: &str = "\
# What each state that a power cut may leave must pass: command lines, run in that state, with the lines that were
# printed before in the file $PLUGPULL_MARKS; exit code 0 means that all is well. Built in: exit:COMMAND,
# sqlite[:FILE], git[:DIR], old-or-new:FILE,..., lines:FILE.
";

const SETUP: &str = "\
# A line for the shell that prepares the directory; what it leaves is durable.
";

const REST: &str = "\
# The directory whose files the run begins with. Without it: an empty one.
# dir = \"data\"
# What counts as a promise: \"stdout\" (each printed line), \"file\" (lines written to $PLUGPULL_MARK), \"none\".
# marks = \"stdout\"
# Any key of a profile may stand here as well, and counts for this subject only.

# How far to look. The command line comes before this file: plugpull check --budget 10m
[profile.default]
# The file systems whose losses are tried (`plugpull models` explains them), and those that fail the check.
# models = [\"ext4\", \"xfs\", \"btrfs\", \"posix\"]
# fail-on = [\"ext4\", \"xfs\", \"btrfs\"]
# When to end: a time, or a number of states for each model.
# budget = \"60s\"
# 0: all or nothing is lost; 1: one loss; 2: every legal set of losses; 3: samples where those are too many.
# tier = 2
# Most sets of losses of one crash point.
# window = 4096
# How long one checker, and how long the program, may take.
# timeout = \"10s\"
# run-timeout = \"10m\"
# Most bytes that the program may write.
# memory = \"4G\"
# Of the samples: a number, or any text.
# seed = 1
# Checks at the same time; without it one for each core.
# jobs = 2

# plugpull check --profile ci
[profile.ci]
budget = \"5m\"
# For one subject only:
";

/// The text of the file.
pub fn text(found: &Found) -> String {
    let name = &found.name;
    let notes = found.notes.iter().map(|note| format!("# {note}\n"));
    let parts = [
        HEAD.to_owned(),
        notes.collect(),
        format!("\n[subject.{name}]\n{RUN}"),
        run(&found.programs),
        CHECK.to_owned(),
        check(&found.checkers),
        SETUP.to_owned(),
        setup(&found.setups),
        REST.to_owned(),
        format!("# [profile.ci.subject.{name}]\n# budget = \"10m\"\n"),
    ];
    parts.concat()
}

fn quoted(text: &str) -> String {
    // What JSON escapes, TOML escapes in the same way.
    serde_json::Value::from(text).to_string()
}

/// The first program, and the others as comments.
fn run(guesses: &[Guess]) -> String {
    let Some((first, others)) = guesses.split_first() else {
        let program = quoted(PROGRAM);
        return format!("# Nothing here looks like your program: name it.\nrun = {program}\n");
    };
    let comment = |guess: &Guess| format!("# run = {}  # {}\n", quoted(&guess.text), guess.why);
    let others: String = others.iter().map(comment).collect();
    format!("# ({})\nrun = {}\n{others}", first.why, quoted(&first.text))
}

/// All checkers: a state must pass each of them.
fn check(guesses: &[Guess]) -> String {
    if guesses.is_empty() {
        return format!(
            "# Nothing here looks like a checker: write one, or take one that is built in.\n\
             check = [{}]\n",
            quoted(CHECKER)
        );
    }
    let line = |guess: &Guess| format!("    {},  # {}\n", quoted(&guess.text), guess.why);
    let lines: String = guesses.iter().map(line).collect();
    format!("check = [\n{lines}]\n")
}

fn setup(guesses: &[Guess]) -> String {
    if guesses.is_empty() {
        return "# setup = \"cp -r {root}/seed/. .\"\n".to_owned();
    }
    let all: Vec<_> = guesses.iter().map(|guess| guess.text.as_str()).collect();
    format!("setup = {}\n", quoted(&all.join(" && ")))
}
