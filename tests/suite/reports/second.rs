//! Findings that take a second power cut: every report has the recovery's own timeline.
//!
//! Not for finding them (`any_program/recrash`).

use plugpull::report::check::{github, html, junit, sarif};
use serde_json::Value;

use super::made::twice;

/// The parts, which must be there in this order.
#[track_caller]
fn assert_in_order(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        let at = rest.find(part).unwrap_or_else(|| panic!("{part:?} is not in {rest}"));
        rest = &rest[at + part.len()..];
    }
}

#[test]
fn the_page_has_a_second_timeline_with_the_barrier_in_its_place() {
    let page = html::text(&twice());
    let parts = [
        "<ol class=\"timeline\" id=\"t0\"",
        "write settings.tmp 0..48",
        "<b>power cut</b>",
        "after operation 3 of 4 of this recovery",
        "<ol class=\"timeline\" id=\"r0\"",
        "<span class=\"w\">write settings 0..48</span><span class=\"f\">LOST</span>",
        "<span class=\"w\">fsync .</span><span class=\"f\">barrier</span>",
        "<li class=\"ghost\">",
        "<span class=\"w\">unlink old</span><span class=\"f\">kept</span>",
        "<b>second power cut</b>",
    ];
    assert_in_order(&page, &parts);
    // The barrier belongs into the recovery only.
    assert_eq!(page.matches("<li class=\"ghost\">").count(), 1);
}

#[test]
fn junit_and_annotations_say_where_the_second_power_cut_comes() {
    let parts = [
        "--- power cut ---",
        "second power cut after its operation 3 of 4:",
        "write settings 0..48",
        "LOST",
        "--- second power cut ---",
        "fsync(settings) before unlink old, in recovery",
        "again: plugpull replay",
    ];
    assert_in_order(&junit::text(&twice()).unwrap(), &parts);
    assert_in_order(&github::summary(&twice(), 1 << 20), &parts[1..5]);
    let annotation = github::annotations(&twice());
    assert!(annotation.contains("after operation 3 of 4 of the recovery"), "{annotation}");
}

#[test]
fn the_code_flow_of_sarif_goes_on_through_the_recovery() {
    let sarif = sarif::text(&twice()).unwrap();
    super::sarif::assert_valid(&sarif);
    let sarif: Value = serde_json::from_str(&sarif).unwrap();
    let result = &sarif["runs"][0]["results"][0];
    let said = result["message"]["text"].as_str().unwrap();
    assert!(said.contains("a second power cut, during the recovery"), "{said}");
    assert_eq!(result["properties"]["firstPowerCut"], "pp1:ext4:bcf9216d72d37d5a:29:+");
    let steps = result["codeFlows"][0]["threadFlows"][0]["locations"].as_array().unwrap();
    let text = |n: usize| steps[n]["location"]["message"]["text"].as_str().unwrap();
    assert_eq!((steps.len(), text(5)), (10, "power cut under ext4 after event 29"));
    assert_eq!(text(6), "recovery: 0 write settings 0..48: LOST");
    assert!(text(9).starts_with("second power cut after operation 3 of the recovery: settings is"));
    let orders: Vec<_> = steps.iter().map(|step| step["executionOrder"].as_u64()).collect();
    assert!(orders.is_sorted(), "{orders:?}");
}
