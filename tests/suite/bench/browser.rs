//! The page of a bench in a real browser: what is drawn has the proportions of the figures.
//!
//! Not for what holds of every page: see `browser`.

use std::fs;

use serde::Deserialize as _;
use serde_json::Value;
use tempfile::TempDir;

use super::{bench, result};
use crate::browser::looked_at;

/// A page with two sizes and all steps of the costs, and the result that it tells.
fn measured() -> (String, Value) {
    let (dir, kept) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let html = kept.path().join("bench.html");
    let few = ["--only=overwrite/*", "--only=append/*", "--only=new-file/*", "--only=replace/*"];
    let wanted = ["--size=512,4K", "--budget=3s", "--message-format=json-lines", "--html"];
    let ended = bench(dir.path(), &[&few[..], &wanted, &[html.to_str().unwrap()]].concat());
    let told = result(ended.assert(0, &[]));
    (fs::read_to_string(html).unwrap(), told)
}

/// Rows of a name and two lengths in pixels.
fn drawn(seen: &Value) -> Vec<(String, f64, f64)> {
    Vec::deserialize(seen).unwrap()
}

#[test]
fn the_page_draws_what_was_measured_and_opens_by_keys() {
    let (page, told) = measured();
    let Some(seen) = looked_at("bench", &page) else { return };
    assert_eq!(seen["sizes"], serde_json::json!([["512 B", false], ["4 KiB", true]]));
    assert_eq!(seen["sizes_after_enter"], serde_json::json!([["512 B", true], ["4 KiB", true]]));

    let shown = |case: &&Value| case["size"] == 4096;
    let cases: Vec<_> = told["cases"].as_array().unwrap().iter().filter(shown).collect();
    assert_eq!(seen["rows"], cases.len());
    let median = |name: &str| {
        let case = cases.iter().find(|case| case["strategy"] == name).expect(name);
        case["p50_ns"].as_f64().unwrap()
    };

    let bars = drawn(&seen["bars"]);
    assert!(bars.len() >= 5, "{bars:?}");
    let most = bars.iter().map(|(_, _, length)| *length).fold(0.0, f64::max);
    let (_, width, _) = bars[0];
    assert!((most - width).abs() < 2.0, "the longest bar is {most} of {width}: {bars:?}");
    let length = |name| bars.iter().find(|bar| bar.0 == name).expect(name).2;
    let [one, other] = ["overwrite/fdatasync", "replace/fsync+dirsync"];
    let (lengths, figures) = (length(one) / length(other), median(one) / median(other));
    assert!((lengths - figures).abs() < 0.02, "{lengths} of {figures}: {bars:?}");

    let strips = drawn(&seen["strips"]);
    assert_eq!(strips.len(), cases.len());
    assert!(strips.iter().all(|(_, area, _)| *area > 0.0), "{strips:?}");
    // Who is slower at the median is further to the right.
    let mut places = Vec::new();
    for ((name, _, place), case) in strips.iter().zip(&cases) {
        let strategy = case["strategy"].as_str().unwrap();
        assert!(name.starts_with(strategy), "{name} is not {strategy}");
        places.push((case["p50_ns"].as_u64().unwrap(), *place));
    }
    places.sort_by_key(|(median, _)| *median);
    assert!(places.is_sorted_by(|a, b| a.1 <= b.1 + 1.0), "{places:?}");
}
