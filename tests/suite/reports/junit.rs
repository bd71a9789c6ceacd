//! JUnit XML: valid for Jenkins, with a case for each model that fails, passes or is skipped as it should.

use std::process::Command;

use plugpull::report::check::junit::text;

use super::made::{clean, every_case, large};
use super::{assert_modest, run_over, schema};
use crate::machine::not_measured;

#[track_caller]
fn assert_valid(xml: &str) {
    let mut xmllint = Command::new("xmllint");
    xmllint.args(["--noout", "--schema"]).arg(schema("junit-10.xsd")).arg("-");
    let Some(told) = run_over(&mut xmllint, xml) else {
        return not_measured("xmllint is not installed").unwrap_or_default();
    };
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
}

/// The element of a case, with all that is in it.
#[track_caller]
fn case<'x>(xml: &'x str, subject: &str, name: &str) -> &'x str {
    let start = format!("<testcase name=\"{name}\" classname=\"plugpull.{subject}\"");
    let at = xml.find(&start).unwrap_or_else(|| panic!("no {start} in {xml}"));
    let rest = &xml[at..];
    let tag = rest.find('>').unwrap();
    if rest[..tag].ends_with('/') {
        &rest[..=tag]
    } else {
        &rest[..rest.find("</testcase>").unwrap()]
    }
}

#[test]
fn jenkins_takes_every_report() {
    for report in [every_case(), clean(), large()] {
        let xml = text(&report).unwrap();
        assert_valid(&xml);
        assert_modest(&xml);
        let is_control = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
        assert!(!xml.contains(is_control), "a control character");
    }
}

#[test]
fn a_case_fails_when_a_finding_of_its_model_fails_the_run() {
    let xml = text(&every_case()).unwrap();
    let ext4 = case(&xml, "settings", "power cuts under ext4");
    let message = "message=\"settings is neither old nor new: 48 bytes, wrong from 22 [5a63d600abbe] (and 1 more)\"";
    for part in [
        message,
        "<failure ",
        "write settings.tmp 0..48",
        "LOST",
        "missing: fsync(settings.tmp) before rename",
        "again: plugpull replay pp1:ext4:bcf9216d72d37d5a:29:-3 --recording",
        "KNOWN c0ffee000001",
    ] {
        assert!(ext4.contains(part), "{part}: {ext4}");
    }
    assert!(case(&xml, "settings", "power cuts under btrfs").contains("<failure "));
    // Nothing fails under a model that does not fail the run, whatever else the finding does.
    let posix = case(&xml, "settings", "power cuts under posix");
    assert!(!posix.contains("<failure ") && !posix.contains("<skipped"), "{posix}");
    assert!(posix.contains("WARNING 9e77a0b1c2d3"), "{posix}");
    assert!(!case(&xml, "settings", "control").contains("<error"));
    let baseline = case(&xml, "baseline", "not worse than plugpull.baseline");
    assert!(baseline.contains("<failure ") && baseline.contains("is new"), "{baseline}");
}

#[test]
fn what_was_not_looked_at_is_skipped_and_what_failed_by_itself_is_an_error() {
    let xml = text(&every_case()).unwrap();
    let queue = "queue &lt;script&gt;alert(3)&lt;/script&gt;";
    for (model, why) in [
        ("btrfs", "the budget ended: no tier of T2 complete"),
        ("xfs", "not looked at"),
        ("posix", "the budget ended: T1 of T2 complete"),
    ] {
        let skipped = case(&xml, queue, &format!("power cuts under {model}"));
        assert!(skipped.contains(&format!("<skipped message=\"{why}\"")), "{model}: {skipped}");
    }
    assert!(!case(&xml, queue, "power cuts under ext4").contains("<skipped"));
    let failed = case(&xml, "importer", "control");
    assert!(failed.contains("<error ") && failed.contains("type=\"program-failed\""), "{failed}");
    assert!(failed.contains("no such table: orders"), "{failed}");
    let cases = text(&clean()).unwrap().matches("<testcase ").count();
    assert_eq!(cases, 5);
}
