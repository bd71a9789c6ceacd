//! The ratchet: known findings pass, whatever is worse fails, and the file is written by people only.

use std::fs;

use crate::config::{CAREFUL, CARELESS, Project};
use crate::machine::may_mount;
use crate::program::Ended;

/// A project whose only subject loses what it saves.
fn careless() -> Project {
    let project = Project::new();
    project.script("save", CARELESS);
    let text =
        "[subject.save]\nrun = './save'\ncheck = ['old-or-new:f']\nmodels = ['ext4', 'xfs']\n";
    project.put("plugpull.toml", text);
    project
}

/// The same, with its finding known.
fn known() -> Project {
    let project = careless();
    project.run(&["check", "--save-baseline"]).assert(0, &[]);
    project
}

fn baseline(project: &Project) -> String {
    fs::read_to_string(project.path("plugpull.baseline")).unwrap()
}

/// What changed.
#[track_caller]
fn compared(ended: &Ended, what: &str) -> Vec<String> {
    let events = ended.events("baseline");
    assert_eq!(events.len(), 1, "{ended:#?}");
    let texts = events[0][what].as_array().unwrap().iter();
    texts.map(|text| text.as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_known_finding_passes_and_is_shown() {
    if !may_mount() {
        return;
    }
    let project = careless();
    project.check(&[]).assert(100, &[]);
    let saved = project.run(&["check", "--save-baseline"]);
    saved.assert(0, &[]);
    assert!(saved.out.contains("FINDING") && saved.out.contains("wrote "), "{}", saved.out);
    let first = baseline(&project);
    assert!(first.starts_with("plugpull baseline 1\n"), "{first}");
    for part in
        ["\nsubject save\n", "\n  checker old-or-new:f\n", "    says f is ", "    missing fsync("]
    {
        assert!(first.contains(part), "{part}: {first}");
    }
    let ended = project.run(&["check"]);
    ended.assert(0, &[]);
    assert!(
        ended.out.contains("KNOWN ") && ended.out.contains("nothing is worse"),
        "{}",
        ended.out
    );
    let ended = project.check(&[]);
    ended.assert(0, &[]);
    let finding = &ended.events("finding")[0];
    assert_eq!((finding["known"].as_bool(), finding["gate"].as_bool()), (Some(true), Some(false)));
    assert!(compared(&ended, "worse").is_empty() && compared(&ended, "better").is_empty());
    // Written again nothing changes, not even what a person wrote.
    let with = first.replace("  finding", "  # ticket 12\n  finding");
    project.put("plugpull.baseline", &with);
    let again = project.run(&["check", "--save-baseline"]);
    again.assert(0, &[]);
    assert!(again.out.contains("is as it was: 1 known finding"), "{}", again.out);
    assert_eq!(baseline(&project), with);
}

#[test]
fn a_new_finding_fails() {
    if !may_mount() {
        return;
    }
    let project = known();
    project.script("save", &format!("{CARELESS}; echo value 2 > g.tmp; mv g.tmp g"));
    let text = fs::read_to_string(project.path("plugpull.toml")).unwrap();
    project.put("plugpull.toml", &text.replace("old-or-new:f'", "old-or-new:f', 'old-or-new:g'"));
    let ended = project.check(&[]);
    ended.assert(103, &[]);
    let worse = compared(&ended, "worse");
    assert!(worse.iter().any(|text| text.starts_with("save: new finding ")), "{worse:?}");
    let ended = project.run(&["check"]);
    ended.assert(103, &[]);
    for part in ["FINDING", "KNOWN", "WORSE   save: new finding", "--save-baseline"] {
        assert!(ended.out.contains(part), "{part}: {}", ended.out);
    }
}

#[test]
fn a_known_finding_under_a_further_model_fails() {
    if !may_mount() {
        return;
    }
    let project = careless();
    project.run(&["check", "--save-baseline", "--model", "ext4"]).assert(0, &[]);
    let ended = project.check(&[]);
    ended.assert(103, &[]);
    let worse = compared(&ended, "worse");
    assert!(worse[0].contains(" now also under xfs: "), "{worse:?}");
    // Without it the finding is one that is known.
    project.check(&["--model", "ext4"]).assert(0, &[]);
}

#[test]
fn a_fixed_finding_is_told_and_removed() {
    if !may_mount() {
        return;
    }
    let project = known();
    project.script("save", CAREFUL);
    let ended = project.check(&[]);
    ended.assert(0, &[]);
    let better = compared(&ended, "better");
    assert!(better[0].starts_with("save: fixed: "), "{better:?}");
    let ended = project.run(&["check"]);
    assert!(ended.out.contains("; remove it with --save-baseline"), "{}", ended.out);
    let saved = project.run(&["check", "--save-baseline"]);
    saved.assert(0, &[]);
    assert!(saved.out.contains("0 more and 1 less than before"), "{}", saved.out);
    assert!(!baseline(&project).contains("finding "), "{}", baseline(&project));
}

#[test]
fn what_is_no_longer_looked_at_is_missed() {
    if !may_mount() {
        return;
    }
    let project = known();
    for (args, told) in [
        (&["--model", "ext4"][..], "less is looked at: xfs no more"),
        (&["--tier", "1"], "T1 complete, not T2"),
        (&["--window", "2"], "at most 2 sets, not 4096"),
        (&["--fail-on", "ext4"], "violations under xfs fail the check no more"),
        (&["--checker", "exit:true"], "checker `old-or-new:f` no more"),
    ] {
        let ended = project.check(args);
        ended.assert(103, &[]);
        let worse = compared(&ended, "worse");
        assert!(worse.iter().any(|text| text.contains(told)), "{told}: {worse:?}");
        assert!(compared(&ended, "better").is_empty(), "{ended:#?}");
    }
    // A subject that is gone.
    let text = fs::read_to_string(project.path("plugpull.toml")).unwrap();
    project.put("plugpull.toml", &text.replace("subject.save", "subject.other"));
    let ended = project.check(&[]);
    ended.assert(103, &[]);
    let worse = compared(&ended, "worse");
    assert!(
        worse.iter().any(|text| text == "save: the subject is gone, nothing was run"),
        "{worse:?}"
    );
    let chosen = compared(&project.check(&["--subject", "other"]), "worse");
    assert!(chosen.iter().all(|text| !text.contains("gone")), "{chosen:?}");
}

#[test]
fn a_run_that_did_not_see_everything_is_not_written_down() {
    if !may_mount() {
        return;
    }
    let project = known();
    let before = baseline(&project);
    let ended = project.run(&["check", "--save-baseline", "--budget", "2"]);
    assert_ne!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.err.contains("is not written: save: the budget ended"), "{}", ended.err);
    project.script("save", "exit 1");
    project.run(&["check", "--save-baseline"]).assert(101, &["is not written: save: the program"]);
    assert_eq!(baseline(&project), before);
}

#[test]
fn nothing_is_declared_known_in_ci() {
    let project = careless();
    let run = |ci: &str| -> Ended {
        project.command(&["check", "--save-baseline"]).env("CI", ci).output().unwrap().into()
    };
    run("true").assert(2, &["--save-baseline is refused where CI is set", "commit it"]);
    assert!(!project.path("plugpull.baseline").exists());
    if may_mount() {
        run("false").assert(0, &[]);
    }
}

#[test]
fn a_damaged_baseline_is_told_with_its_line() {
    let project = careless();
    let whole =
        "plugpull baseline 1\nsubject save\n  model ext4 T2 window 4096 gate\n  finding 0a ext4\n";
    for (text, told) in [
        ("", "plugpull.baseline:1: the baseline is empty"),
        ("hello\n", "plugpull.baseline:1: the first line of a baseline is `plugpull baseline 1`"),
        ("plugpull baseline 9\n", "plugpull.baseline:1: this plugpull reads version 1"),
        (
            "plugpull baseline 1\n  finding 0a ext4\n",
            "plugpull.baseline:2: `finding 0a ext4` is below no",
        ),
        (
            &format!("{whole}<<<<<<< HEAD\n"),
            "plugpull.baseline:5: `<<<<<<< HEAD` means nothing here",
        ),
        (
            &format!("{whole}  finding 0a xfs\n"),
            "plugpull.baseline:5: finding 0a is here for the second",
        ),
        (
            &format!("{whole}subject save\n"),
            "plugpull.baseline:5: subject save is here for the second",
        ),
        (
            &whole.replace("T2", "T9"),
            "plugpull.baseline:3: `model ext4 T9 window 4096 gate` is not",
        ),
    ] {
        project.put("plugpull.baseline", text);
        let ended = project.run(&["check"]);
        ended.assert(2, &[told, "--save-baseline"]);
    }
}

#[test]
fn a_program_of_the_command_line_has_the_baseline_it_is_told() {
    let project = careless();
    let check = |more: &[&str]| {
        let args = [&["check", "--checker", "old-or-new:f", "--dir", "data"], more].concat();
        project.run(&[&args[..], &["--", "./save"]].concat())
    };
    fs::create_dir(project.path("data")).unwrap();
    check(&["--save-baseline"]).assert(2, &["--baseline FILE"]);
    check(&["--baseline", "known"]).assert(2, &["there is no baseline known", "--save-baseline"]);
    if may_mount() {
        check(&["--baseline", "known", "--save-baseline"]).assert(0, &[]);
        check(&["--baseline", "known"]).assert(0, &[]);
        check(&[]).assert(100, &[]);
    }
}
