//! The page as a text: complete without a script, nothing from elsewhere, and nothing in a message breaks it.

use plugpull::report::check::html::text;
use serde_json::Value;

use super::assert_modest;
use super::made::{clean, every_case, large, one};

/// What the script reads.
fn data(page: &str) -> Value {
    let start = "<script type=\"application/json\" id=\"data\">";
    let at = page.find(start).unwrap() + start.len();
    let end = page[at..].find("</script>").unwrap();
    serde_json::from_str(&page[at..at + end]).unwrap()
}

#[test]
fn a_page_is_one_file_with_nothing_from_elsewhere() {
    for report in [every_case(), clean(), large()] {
        let page = text(&report);
        assert!(page.contains("content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:\""));
        for outside in
            ["src=\"", "@import", "url(", "http-equiv=\"refresh", "<iframe", "<link rel=\"style"]
        {
            assert!(!page.contains(outside), "{outside}");
        }
        assert_modest(&page);
    }
}

#[test]
fn everything_is_there_without_a_script() {
    let page = text(&every_case());
    let read = page.split("<script").next().unwrap();
    for part in [
        "<h1 id=\"verdict\">3 findings, 2 warnings, 1 known</h1>",
        "settings is neither old nor new: 48 bytes, wrong from 22",
        "missing: <code>fsync(settings.tmp) before rename settings.tmp -&gt; settings</code>",
        "<span class=\"w\">write settings.tmp 0..48</span><span class=\"f\">LOST</span>",
        "tried in 1 place: 0 of 318 states violated, 6 without it",
        "no barrier alone prevents it",
        "plugpull replay pp1:ext4:bcf9216d72d37d5a:29:-3 --recording",
        "The program saw",
        "After the power cut",
        "no such table: orders",
        "the budget ended: T1 of T2 complete",
        "3 states with violations were not looked into",
        "settings: 5a63d600abbe is new",
        "does not fail the run",
        "calls that fail, a second power cut during recovery",
    ] {
        assert!(read.contains(part), "{part}");
    }
    // Bytes that differ are marked on both sides.
    assert_eq!(read.matches("<mark>").count(), read.matches("</mark>").count());
    assert!(read.contains("<mark>73 69</mark>"), "si of size, in the row from 0x1010");
}

#[test]
fn nothing_in_a_message_breaks_the_page() {
    let page = text(&every_case());
    // The page's own: the data and the script.
    assert_eq!(page.matches("<script").count(), 2);
    assert_eq!(page.matches("</script").count(), 2);
    for harmful in ["<img", "<script>alert", "\u{2028}", "\u{202e}", "\u{1b}", "\0"] {
        assert!(!page.contains(harmful), "{harmful:?}");
    }
    assert!(page.contains("{{data}}"), "a message is no template");
    assert!(page.contains("\\u{202e}gnp.exe"), "what turns the writing is shown");
    let told = data(&page);
    assert_eq!(told["stories"].as_array().unwrap().len(), 4);
    assert_eq!(told["findings"].as_array().unwrap().len(), 6);
}

#[test]
fn fates_are_stretches_that_pass_over_barriers() {
    let told = data(&text(&one()));
    let finding = &told["findings"][0];
    assert_eq!(finding["fates"].to_string(), "[24,24,\"k\",25,25,\"L\",26,26,\"k\"]");
    assert_eq!((&finding["point"], &finding["ghosts"]["before"][0]), (&29.into(), &26.into()));
    assert_eq!(told["stories"][0]["kinds"].as_str().unwrap().len(), 35);
    // A large run is told once, and each finding in little.
    let page = text(&large());
    assert!(page.len() < 8 << 20, "{} bytes", page.len());
}
