//! `plugpull bench` as somebody uses it who chooses a disk or a way of writing: figures, warnings, reports, and
//! what happens where it cannot measure.
//!
//! Figures of a shared machine are held to each other, never to numbers of another day. Not for the statistics
//! (unit tests beside them).

mod browser;
mod ends;
mod fio;
mod refused;

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::machine::not_measured;
use crate::program::{Ended, plugpull};

/// Strategies that are quick everywhere.
const FEW: [&str; 6] = ["bench", "--only", "append/*", "--size", "4K", "--budget=2s"];

/// Runs it on a directory.
fn bench(dir: &Path, args: &[&str]) -> Ended {
    let all = ["bench"].into_iter().chain(args.iter().copied());
    plugpull(all.map(Into::into).chain([dir.as_os_str().to_owned()]))
}

fn is_empty(dir: &Path) -> bool {
    fs::read_dir(dir).unwrap().next().is_none()
}

/// The result as JSON.
fn result(ended: &Ended) -> Value {
    let mut results = ended.events("bench");
    assert_eq!(results.len(), 1, "{ended:#?}");
    results.remove(0)
}

fn case<'r>(result: &'r Value, strategy: &str) -> &'r Value {
    let cases = result["cases"].as_array().unwrap();
    let found = cases.iter().find(|case| case["strategy"] == strategy);
    found.unwrap_or_else(|| panic!("no {strategy} in {result:#}"))
}

#[test]
fn everything_is_measured_within_its_budget_and_nothing_is_left() {
    let dir = TempDir::new().unwrap();
    let begun = std::time::Instant::now();
    let ended = bench(dir.path(), &["--size=4K", "--budget=2s"]);
    ended.assert(0, &["measuring 27 cases"]);
    assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
    for told in
        ["file system", "p99.9", "overwrite/fdatasync", "batch/syncfs of 16", "# where most are"]
    {
        assert!(ended.out.contains(told), "{told:?} is not in {}", ended.out);
    }
    for word in ["safe", "proved", "proven"] {
        assert!(!ended.out.contains(word), "{word} is in {}", ended.out);
    }
    assert!(is_empty(dir.path()));
}

#[test]
fn the_result_is_kept_shown_again_and_compared() {
    let (dir, kept) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let file = |name: &str| kept.path().join(name).to_str().unwrap().to_owned();
    let (a, b, html) = (file("a.json"), file("b.json"), file("a.html"));
    let few = ["--only=append/*", "--size=512,4K", "--budget=2s"];
    let json = ["--message-format=json-lines", "--json", &a, "--html", &html];
    let ended = bench(dir.path(), &[&few[..], &json].concat());
    ended.assert(0, &[]);
    let told = result(&ended);
    assert_eq!(serde_json::from_str::<Value>(&fs::read_to_string(&a).unwrap()).unwrap(), told);
    assert_eq!((&told["version"], &told["ended"]), (&1.into(), &Value::Null));
    let figures = case(&told, "append/fdatasync");
    let ns = |name: &str| figures[name].as_u64().unwrap();
    assert!(0 < ns("p50_ns") && ns("p50_ns") <= ns("p90_ns") && ns("p90_ns") <= ns("max_ns"));
    assert_eq!(figures["gives"]["power_cut"], "new");
    let bare = case(&told, "append/none")["p50_ns"].as_u64().unwrap();
    assert!(bare <= ns("p50_ns"), "{bare} {figures}");
    let page = fs::read_to_string(&html).unwrap();
    assert!(page.contains("<svg") && page.contains("append/fdatasync") && !page.contains("http:"));

    let shown = plugpull(["bench", "--from", &a, "--advise", "power-cut"]);
    shown.assert(0, &[]);
    assert!(shown.out.contains("advice for 4 KiB, one at a time: append/"), "{}", shown.out);
    bench(dir.path(), &[&few[..], &["--json", &b]].concat()).assert(0, &[]);
    let compared = plugpull(["bench", "--compare", &a, &b]);
    compared.assert(0, &[]);
    assert!(
        compared.out.contains("B by A") && compared.out.contains("append/none"),
        "{compared:#?}"
    );
    let compared = plugpull(["bench", "--message-format=json-lines", "--compare", &a, &a]);
    let ratios = compared.assert(0, &[]).events("bench-ratio");
    assert!(ratios.len() >= 12 && ratios.iter().all(|ratio| ratio["ratio"] == 1.0), "{ratios:?}");
    assert!(ratios.iter().all(|ratio| ratio["verdict"] != "slower"), "{ratios:?}");
}

#[test]
fn on_tmpfs_a_warning_says_that_nothing_survives() {
    let shm = Path::new("/dev/shm");
    let dir = TempDir::new_in(shm).ok();
    let Some(dir) = dir.or_else(|| not_measured("there is no /dev/shm")) else { return };
    let ended = bench(dir.path(), &["--size=4K", "--budget=1s", "--message-format=json-lines"]);
    let told = result(ended.assert(0, &[]));
    let rules: Vec<_> = told["warnings"].as_array().unwrap().iter().map(|w| &w["rule"]).collect();
    assert!(rules.contains(&&"memory".into()), "{rules:?}");
    assert!(rules.contains(&&"nothing-kept".into()), "{rules:?}");
    assert_eq!(told["machine"]["mounted"]["kind"], "tmpfs");
    let human = bench(dir.path(), &["--only=append/fdatasync", "--budget=200ms"]);
    assert!(human.out.contains("WARNING: tmpfs is memory"), "{}", human.out);
    assert!(human.out.contains("this file system keeps nothing"), "{}", human.out);
}

#[test]
fn what_is_advised_follows_from_the_figures() {
    let dir = TempDir::new().unwrap();
    let few = [
        "--only=replace/*",
        "--only=batch/*",
        "--size=4K",
        "--budget=2s",
        "--message-format=json-lines",
    ];
    let ended = bench(dir.path(), &[&few[..], &["--advise=power-cut,atomic,group=4"]].concat());
    let told = result(ended.assert(0, &[]));
    assert_eq!(told["batch"], 4);
    let advice = ended.events("bench-advice").remove(0);
    let enough = advice["enough"].as_array().unwrap();
    let names: Vec<_> = enough.iter().map(|priced| priced["strategy"].as_str().unwrap()).collect();
    for name in ["replace/fsync+dirsync", "batch/syncfs", "batch/fsync"] {
        assert!(names.contains(&name), "{names:?}");
    }
    assert_eq!(names.len(), 3, "{names:?}");
    let prices: Vec<_> = enough.iter().map(|priced| priced["item_ns"].as_f64().unwrap()).collect();
    assert!(prices.is_sorted(), "{prices:?}");
    let cost = case(&told, "batch/fsync")["p50_ns"].as_f64().unwrap() / 4.0;
    assert!(prices.contains(&cost), "{prices:?} {cost}");
}
