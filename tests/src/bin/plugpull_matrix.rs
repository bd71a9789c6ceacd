//! Prints the matrix of docs/findings.md; with `--check`, only says whether that is up to date; with
//! names of barriers or mistakes, or the word `control`, prints only those.
#![expect(clippy::disallowed_methods, reason = "it reads a document of the project, no store")]

use std::process::ExitCode;

use plugpull_tests::matrix::{self, Mistake};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let names = || arguments.iter().filter(|word| !word.starts_with('-'));
    if names().next().is_some() {
        let mut all = Mistake::all();
        all.retain(|mistake| names().any(|name| name == mistake.name()));
        let rows = matrix::in_parallel(&all, jobs, &|mistake| matrix::search(*mistake));
        let wants_control = names().any(|name| name == "control");
        let runs = if wants_control { matrix::all_runs() } else { Vec::new() };
        print!("{}", matrix::render(&rows, &matrix::control(&runs, jobs)));
        return ExitCode::SUCCESS;
    }
    let fresh = matrix::fresh(jobs);
    if !arguments.iter().any(|word| word == "--check") {
        print!("{fresh}");
        return ExitCode::SUCCESS;
    }
    let document = std::fs::read_to_string(matrix::document()).unwrap_or_default();
    if matrix::kept(&document) == Some(&fresh) {
        return ExitCode::SUCCESS;
    }
    eprintln!("docs/findings.md is not up to date; this belongs between its two marker lines:");
    print!("{fresh}");
    ExitCode::FAILURE
}
