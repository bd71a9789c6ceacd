//! GitHub Actions: annotations within its limits, a summary that nothing in a message can break.

use plugpull::report::check::github::{annotations, summary};

use super::assert_modest;
use super::made::{every_case, large};

fn of_kind<'t>(text: &'t str, kind: &str) -> Vec<&'t str> {
    let start = format!("::{kind} ");
    text.lines().filter(|line| line.starts_with(&start)).collect()
}

#[test]
fn annotations_say_what_is_missing_at_the_program() {
    let text = annotations(&every_case());
    let told = ["error", "warning", "notice"].map(|kind| of_kind(&text, kind).len());
    // Three findings, a program that failed, and the baseline.
    assert_eq!(told, [5, 2, 1]);
    assert_eq!(text.lines().count(), 8, "a message makes no line of its own: {text}");
    let first = of_kind(&text, "error")[0];
    assert!(
        first.starts_with(
            "::error title=plugpull%3A settings%3A 5a63d600abbe,file=tools/save.py::settings is neither old"
        ),
        "{first}"
    );
    assert!(first.contains("%0Amissing: fsync(settings.tmp) before rename"), "{first}");
    assert!(first.contains("%0Aagain: plugpull replay pp1:ext4:"), "{first}");
    // What a message has of commands stays a text.
    assert!(text.contains("no %250A") && !text.lines().any(|line| line.starts_with("::error::")));
}

#[test]
fn ten_of_a_kind_are_shown_and_the_last_says_how_many_more() {
    let text = annotations(&large());
    let errors = of_kind(&text, "error");
    let warnings = of_kind(&text, "warning");
    assert_eq!((errors.len(), warnings.len()), (10, 10));
    assert!(errors[9].ends_with("::and 325 more; the step's summary has them"), "{}", errors[9]);
    assert!(warnings[9].contains("and 157 more"), "{}", warnings[9]);
}

#[test]
fn the_summary_has_all_in_tables_and_details() {
    let text = summary(&every_case(), 1 << 20);
    for part in [
        "## Plugpull: 3 findings, 2 warnings, 1 known",
        "| settings | ext4 | 36 | 213 | 5 | 0 | 1 crash point with too many sets |",
        "<details><summary>",
        "missing: fsync(settings.tmp) before rename settings.tmp -&gt; settings",
        "<pre><code>plugpull replay pp1:ext4:bcf9216d72d37d5a:29:-3",
        "no such table: orders",
        "worse than the baseline",
        "Not looked at: calls that fail",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    for harmful in ["<script", "<img", "| a|b"] {
        assert!(!text.contains(harmful), "{harmful}: {text}");
    }
    assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
    assert_modest(&text);
}

#[test]
fn a_summary_that_is_too_large_is_cut_between_findings() {
    let whole = summary(&large(), 1 << 20);
    assert!(whole.len() <= 1 << 20);
    for most in [0, 10, 299, 5_000, 100_000] {
        let cut = summary(&large(), most);
        assert!(cut.len() <= most, "{} of {most}", cut.len());
        assert_eq!(cut.matches("<details>").count(), cut.matches("</details>").count());
        assert_eq!(cut.matches("<pre>").count(), cut.matches("</pre>").count());
    }
    let cut = summary(&large(), 100_000);
    let shown = cut.matches("<details>").count();
    assert!(shown > 20, "{shown}");
    assert!(cut.contains(&format!("{} more findings are not shown", 500 - shown)), "{cut}");
}
