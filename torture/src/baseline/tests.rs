//! Tests of the baseline without any run: its text, what is known, what is worse.

use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use crate::exit::Exit;
use crate::outcome::{Bound, FindingTold, Outcome, SearchedTold, TierTold};

const FILE: &str = "/p/plugpull.baseline";

/// A complete search of ext4 and posix, of which ext4 fails a check.
fn outcome(findings: &[(&str, &[&str])]) -> Outcome {
    let finding = |(id, models): &(&str, &[&str])| FindingTold {
        id: (*id).to_owned(),
        gate: models.contains(&"ext4"),
        message: format!("{id} is\tlost"),
        models: models.iter().map(|model| ((*model).to_owned(), 3)).collect::<BTreeMap<_, _>>(),
        ..FindingTold::default()
    };
    let findings: Vec<_> = findings.iter().map(finding).collect();
    let gate = findings.iter().any(|found| found.gate);
    let searched = |model: &str| SearchedTold {
        model: model.to_owned(),
        tiers: ["T0", "T1", "T2"].map(tier).to_vec(),
        violated: findings.iter().filter_map(|found| found.models.get(model)).sum(),
        complete: true,
        ..SearchedTold::default()
    };
    Outcome {
        subject: "orders".to_owned(),
        operations: 100,
        checkers: vec!["/p/verify".to_owned()],
        bound: Bound { fail_on: vec!["ext4".to_owned()], window: 4096, ..Bound::default() },
        searched: vec![searched("ext4"), searched("posix")],
        exit: if gate { Exit::Violation } else { Exit::Clean },
        findings,
        ..Outcome::default()
    }
}

fn tier(name: &str) -> TierTold {
    TierTold { tier: name.to_owned(), complete: true, ..TierTold::default() }
}

fn saved(outcomes: &[Outcome]) -> Baseline {
    Baseline::empty(FILE.into()).renewed(outcomes, true)
}

fn worse(known: &Baseline, outcome: &Outcome) -> String {
    known.compare(std::slice::from_ref(outcome), true).worse.join("\n")
}

#[test]
fn what_is_written_is_read_again() {
    let mut baseline = saved(&[outcome(&[("0a", &["ext4"]), ("0b", &["posix"])])]);
    baseline.comments.push("# the end".to_owned());
    let text = baseline.text();
    assert_eq!(
        text,
        "plugpull baseline 1\n\
         # Known findings, written by `plugpull check --save-baseline`.\n\n\
         subject orders\n  operations 100\n  checker ./verify\n  model ext4 T2 window 4096 gate\n  \
         model posix T2 window 4096\n  finding 0a ext4\n    says 0a is lost\n    missing\n\n# the end\n"
    );
    assert_eq!(Baseline::parse(Path::new(FILE), &text).unwrap(), baseline);
    let crlf = text.replace('\n', "\r\n");
    assert_eq!(Baseline::parse(Path::new(FILE), &crlf).unwrap(), baseline);
}

#[test]
fn only_what_is_known_under_these_models_passes() {
    let known = saved(&[outcome(&[("0a", &["ext4"])])]);
    for (findings, exit, gate) in [
        (&[("0a", &["ext4"][..])][..], Exit::Clean, 0),
        (&[("0a", &["ext4", "posix"])], Exit::Clean, 0),
        (&[("0a", &["ext4"]), ("0b", &["posix"])], Exit::Clean, 0),
        (&[("0a", &["ext4"]), ("0b", &["ext4"])], Exit::WorseThanBaseline, 1),
        (&[], Exit::Clean, 0),
    ] {
        let mut seen = outcome(findings);
        known.mark(&mut seen, false);
        assert_eq!((seen.exit, seen.gate()), (exit, gate), "{findings:?}");
        let once = seen.clone();
        known.mark(&mut seen, false);
        assert_eq!(seen, once);
    }
    let mut seen = outcome(&[("0a", &["ext4"])]);
    seen.searched[1].complete = false;
    known.mark(&mut seen, false);
    assert_eq!(seen.exit, Exit::Partial);
    let mut seen = outcome(&[("0a", &["ext4"])]);
    known.mark(&mut seen, true);
    assert_eq!(seen.exit, Exit::Interrupted);
}

#[test]
fn violations_that_no_finding_tells_of_are_not_known() {
    let known = saved(&[outcome(&[("0a", &["ext4"])])]);
    let mut more = outcome(&[("0a", &["ext4"])]);
    (more.unexplained, more.searched[0].violated) = (4, 7);
    let told = worse(&known, &more);
    assert!(told.contains("no finding tells of"), "{told}");
    let known = saved(std::slice::from_ref(&more));
    assert_eq!(worse(&known, &more), "");
    known.mark(&mut more, false);
    assert_eq!(more.exit, Exit::Clean);
}

#[test]
fn the_size_of_a_run_is_compared_roughly() {
    let known = saved(&[outcome(&[])]);
    let sized = |operations| Outcome { operations, ..outcome(&[]) };
    assert_eq!(worse(&known, &sized(51)), "");
    assert_eq!(worse(&known, &sized(500)), "");
    assert!(worse(&known, &sized(49)).contains("made 49 operations, not about 100"));
    let text = |operations| known.renewed(&[sized(operations)], true).text();
    assert_eq!(text(60), known.text());
    assert_eq!(text(190), known.text());
    assert!(text(300).contains("operations 300"));
}

#[test]
fn what_was_not_looked_for_is_not_fixed() {
    let known = saved(&[outcome(&[("0a", &["ext4"])])]);
    let better = |outcome: Outcome| known.compare(&[outcome], true).better.len();
    assert_eq!(better(outcome(&[])), 1);
    let mut less = outcome(&[]);
    less.searched[0].tiers[2].complete = false;
    assert_eq!(better(less), 0);
    let mut other = outcome(&[]);
    other.checkers.clear();
    assert_eq!(better(other), 0);
    let failed = Outcome { error: Some("it failed".to_owned()), ..outcome(&[]) };
    assert_eq!(better(failed.clone()), 0);
    assert_eq!(worse(&known, &failed), "");
}

#[test]
fn only_whole_runs_are_written_down_and_others_stay() {
    assert_eq!(why_not(&[outcome(&[("0a", &["ext4"])])]), None);
    let mut partial = outcome(&[]);
    partial.searched[1].complete = false;
    assert!(why_not(&[partial]).unwrap().starts_with("orders: the budget ended"));
    let interrupted = Outcome { exit: Exit::Interrupted, ..outcome(&[]) };
    assert_eq!(why_not(&[interrupted]).unwrap(), "orders: it was interrupted");
    let known = saved(&[outcome(&[]), Outcome { subject: "b".to_owned(), ..outcome(&[]) }]);
    let one = [outcome(&[])];
    assert!(known.renewed(&one, false).subjects.contains_key("b"));
    assert!(!known.renewed(&one, true).subjects.contains_key("b"));
}
