//! Runs the sample programs of `tests/subjects` under `plugpull check` and says where they differ from
//! what is expected. Prints the table of docs/findings.md; with `--check`, says whether that is up to
//! date; with names, runs only the forms whose names contain one of them; with `--quick`, leaves
//! out those that take long. `--live=SECONDS` lets them live under `plugpull torture` instead, all together for
//! about so long.
#![expect(clippy::disallowed_methods, reason = "it reads a document of the project, no store")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use plugpull_tests::subjects::{self, Form, Observed};

fn main() -> ExitCode {
    match run(&std::env::args().skip(1).collect::<Vec<_>>()) {
        Ok(exit) => exit,
        Err(why) => {
            eprintln!("plugpull-subjects: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<ExitCode, String> {
    let flag = |name: &str| arguments.iter().any(|word| word == name);
    let names: Vec<_> = arguments.iter().filter(|word| !word.starts_with('-')).collect();
    let bin = std::env::temp_dir().join("plugpull-subjects");
    subjects::build(&bin)?;
    let mut forms = subjects::forms()?;
    forms.retain(|form| names.is_empty() || names.iter().any(|name| form.name.contains(*name)));
    let plugpull = plugpull()?;
    if flag("--quick") {
        forms.retain(|form| !form.expected.slow);
    }
    if let Some(time) = arguments.iter().find_map(|word| word.strip_prefix("--live=")) {
        let seconds: u64 = time.parse().map_err(|_| format!("--live={time}: no seconds"))?;
        let many = u32::try_from(forms.len()).unwrap_or(u32::MAX).max(1);
        let time = Duration::from_secs(seconds) / many;
        return Ok(live(&plugpull, &forms, &bin, time));
    }
    let (mut rows, mut wrong) = (Vec::new(), 0);
    for form in forms {
        let observed = subjects::observe(&plugpull, &form, &bin);
        let differences = subjects::differences(&form, &observed);
        progress(&form, &observed, &differences);
        wrong += differences.len();
        rows.push((form, observed));
    }
    let fresh = subjects::render(&rows);
    if !flag("--check") {
        print!("{fresh}");
    } else if !up_to_date(&fresh) {
        eprintln!("docs/findings.md is not up to date; this belongs between its marker lines:");
        print!("{fresh}");
        return Ok(ExitCode::FAILURE);
    }
    Ok(if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Lets each form live for this time.
fn live(plugpull: &Path, forms: &[Form], bin: &Path, time: Duration) -> ExitCode {
    let mut wrong = 0;
    for form in forms {
        let lived = subjects::live(plugpull, form, bin, (time, u64::MAX));
        let [rounds, cuts, losses] = lived.clean;
        let found = lived.found_after.map(|round| format!(", found in round {round}"));
        eprintln!(
            "{:<40} {rounds:>7} rounds without a violation, {losses} of {cuts} power cuts lost something{}",
            form.name,
            found.unwrap_or_default()
        );
        for what in &lived.wrong {
            eprintln!("    {what}");
        }
        wrong += lived.wrong.len();
    }
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The program under test: `$PLUGPULL`, or the one that was built with this one.
fn plugpull() -> Result<PathBuf, String> {
    if let Some(named) = std::env::var_os("PLUGPULL") {
        return Ok(named.into());
    }
    let here = std::env::current_exe().map_err(|e| e.to_string())?;
    for name in ["plugpull", "plugpull-planted"] {
        let beside = here.with_file_name(name);
        if beside.is_file() {
            return Ok(beside);
        }
    }
    Err("there is no plugpull beside this program; build it, or name it with PLUGPULL".to_owned())
}

fn up_to_date(fresh: &str) -> bool {
    let document = std::fs::read_to_string(subjects::document()).unwrap_or_default();
    subjects::kept(&document) == Some(fresh)
}

fn progress(form: &Form, observed: &Observed, differences: &[String]) {
    let states: u64 = observed.verdicts.values().map(|verdict| verdict.states).sum();
    let took = observed.took.as_secs_f64();
    eprintln!("{:<40} {states:>7} states {took:>6.1} s  exit {}", form.name, observed.exit);
    for difference in differences {
        eprintln!("    {difference}");
    }
}
