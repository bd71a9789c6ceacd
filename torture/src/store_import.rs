//! `plugpull store import`: commits from a stream of JSON lines.
//!
//! docs/formats.md has the line. Not for how a batch becomes durable: that is the store's.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::num::NonZeroUsize;

use faultfs::Fs;
use plugpull_store::{Branch, Change, Error, Imported, Reached, Store};
use serde::Deserialize;

use crate::exit::Failure;

/// Longest line; it holds all files of a commit.
const MAX_LINE: u64 = 1 << 30;

/// One commit.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    branch: String,
    author: String,
    message: String,
    time: i64,
    files: BTreeMap<String, Option<File>>,
}

/// A file that the commit has changed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    executable: bool,
    text: Option<String>,
    hex: Option<String>,
}

/// Imports what `input` yields, and tells of each batch when it is durable.
pub(crate) fn run<F: Fs>(
    out: &mut dyn Write,
    store: &mut Store<F>,
    input: &mut dyn Read,
    batch: NonZeroUsize,
) -> Result<(), Failure> {
    let mut told = Ok(());
    let report = store.import_commits(lines(input), batch, &mut |report| {
        let line = writeln!(out, "{} commits are durable", report.commits);
        let flushed = line.and_then(|()| out.flush());
        if told.is_ok() {
            told = flushed;
        }
    })?;
    told?;
    for (branch, tip) in &report.tips {
        writeln!(out, "{tip} {branch}")?;
    }
    if report.each_synced {
        eprintln!("this file system has no syncfs: every file was synced by itself");
    }
    if report.reached > Some(Reached::Durable) {
        eprintln!("this file system does not know all barriers: see docs/limits.md");
    }
    Ok(())
}

/// The commits of a stream; a line that is none ends it with an error that names the line.
fn lines(input: &mut dyn Read) -> impl Iterator<Item = plugpull_store::Result<Imported>> {
    let mut input = BufReader::new(input);
    let mut number = 0;
    std::iter::from_fn(move || {
        number += 1;
        let mut text = String::new();
        let read = input.by_ref().take(MAX_LINE).read_line(&mut text);
        let bad = |problem: String| {
            let problem = format!("line {number} of the input is no commit: {problem}");
            Error::BadValue { kind: "import", problem }
        };
        match read {
            Err(e) => Some(Err(bad(e.to_string()))),
            Ok(0) => None,
            Ok(_) => Some(commit(&text).map_err(bad)),
        }
    })
}

fn commit(text: &str) -> Result<Imported, String> {
    let line: Line = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let Line { branch, author, message, time, files } = line;
    let branch = Branch::new(&branch).map_err(|e| e.to_string())?;
    let change = |(path, file): (String, Option<File>)| {
        let change = file.map_or(Ok(Change::Removed), |file| {
            let bytes = bytes_of(&file).map_err(|problem| format!("{path:?}: {problem}"))?;
            Ok::<_, String>(Change::Set { executable: file.executable, bytes })
        })?;
        Ok::<_, String>((path, change))
    };
    let changes = files.into_iter().map(change).collect::<Result<_, _>>()?;
    Ok(Imported { branch, changes, author, message, time })
}

fn bytes_of(file: &File) -> Result<Vec<u8>, String> {
    match (&file.text, &file.hex) {
        (Some(text), None) => Ok(text.as_bytes().to_vec()),
        (None, Some(hex)) => unhex(hex).ok_or_else(|| "its hex is not whole bytes".to_owned()),
        _ => Err("a file has either `text` or `hex`".to_owned()),
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = |pair: &[u8]| match *pair {
        [high, low] => u8::try_from(digit(high)? << 4 | digit(low)?).ok(),
        _ => None,
    };
    text.as_bytes().chunks(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_became_of_each_file() {
        let text = r#"{"branch":"main","author":"me","message":"m","time":7,
            "files":{"a":{"text":"x"},"b":null,"c":{"hex":"00fF","executable":true}}}"#;
        let read = commit(text).unwrap();
        let set = |executable, bytes: &[u8]| Change::Set { executable, bytes: bytes.to_vec() };
        let expected =
            [("a", set(false, b"x")), ("b", Change::Removed), ("c", set(true, &[0, 255]))];
        assert_eq!(read.changes, expected.map(|(path, change)| (path.to_owned(), change)).into());
        assert_eq!((read.branch.as_str(), read.time), ("main", 7));
    }

    #[test]
    fn a_line_that_is_no_commit_says_why() {
        let file = |file: &str| {
            let text = format!(
                r#"{{"branch":"main","author":"","message":"","time":0,"files":{{"a":{file}}}}}"#
            );
            commit(&text).unwrap_err()
        };
        assert!(file("{}").contains("either `text` or `hex`"));
        assert!(file(r#"{"hex":"0"}"#).contains("whole bytes"));
        assert!(file(r#"{"txt":"0"}"#).contains("unknown field"));
        assert!(commit("{}").unwrap_err().contains("missing field"));
    }
}
