//! The sample programs of `tests/subjects`: every form is complete, and some of them give what is expected
//! of them. All of them are run by `plugpull-subjects`.

use std::path::Path;

use plugpull_tests::subjects::{self, Form, MODELS};

use crate::machine::may_mount;

/// Forms that are small and in four languages: C, Python, Rust, and shell.
const SOME: [&str; 10] = [
    "01-in-place/fixed",
    "02-rename-without-fsync/buggy",
    "02-rename-without-fsync/fixed",
    "03-rename-without-dirsync/buggy",
    "03-rename-without-dirsync/fixed",
    "04-new-file/buggy",
    "05b-old-removed/fixed",
    "15-recovery/buggy",
    "15-recovery/fixed",
    "sed/ordered",
];

fn forms() -> Vec<Form> {
    subjects::forms().unwrap()
}

#[test]
fn every_form_is_complete_and_says_why() {
    let forms = forms();
    assert!(forms.len() >= 50, "{}", forms.len());
    for form in &forms {
        for script in ["run", "check"] {
            assert!(form.script(script).is_some(), "{} has no {script}", form.name);
        }
        let expected = &form.expected;
        assert!(!expected.reason.is_empty(), "{}", form.name);
        for model in MODELS {
            let verdict = expected.verdict(model);
            assert!(matches!(verdict, Some("survived" | "violated")), "{} {model}", form.name);
        }
    }
    let directories = std::fs::read_dir(subjects::directory()).unwrap().flatten();
    for subject in directories.filter(|entry| entry.path().is_dir()) {
        let name = subject.file_name().to_string_lossy().into_owned();
        let known = forms.iter().any(|form| form.name.starts_with(&format!("{name}/")));
        assert!(known, "{name} has no expected.toml, or an empty one");
    }
}

#[test]
fn some_give_what_is_expected_of_them() {
    if !may_mount() {
        return;
    }
    let bin = tempfile::TempDir::new().unwrap();
    subjects::build(bin.path()).unwrap();
    let all = forms();
    let plugpull = Path::new(crate::program::PLUGPULL);
    for name in SOME {
        let form = all.iter().find(|form| form.name == name).unwrap();
        let observed = subjects::observe(plugpull, form, bin.path());
        assert_eq!(subjects::differences(form, &observed), Vec::<String>::new(), "{name}");
    }
}

/// A test of tests: an expectation that is wrong shows.
#[test]
fn a_wrong_expectation_shows() {
    if !may_mount() {
        return;
    }
    let bin = tempfile::TempDir::new().unwrap();
    subjects::build(bin.path()).unwrap();
    let mut all = forms();
    let fixed = all.iter().position(|form| form.name == "03-rename-without-dirsync/fixed").unwrap();
    let mut form = all.swap_remove(fixed);
    form.dir = subjects::directory().join("03-rename-without-dirsync/buggy");
    let plugpull = Path::new(crate::program::PLUGPULL);
    let observed = subjects::observe(plugpull, &form, bin.path());
    assert_eq!(observed.exit, 100);
    assert!(subjects::differences(&form, &observed).len() > MODELS.len());
}
