//! What each further promise costs: bars from a bare write to an atomic, durable replace.
//!
//! A bar has what the step before costs, and behind it what is added. Not for the distribution (`strips`).

use std::fmt::Write as _;

use crate::bench::figures::as_f64;
use crate::bench::result::{Bench, Case};
use crate::bench::words::time_of;
use crate::report::check::html::escaped;

/// A step: strategies that show it, and what it adds.
const STEPS: [(&str, &str); 5] = [
    ("overwrite/none", "a bare write: survives a kill"),
    ("overwrite/fdatasync", "survives a power cut, in place"),
    ("append/fdatasync", "and the file grows"),
    ("new-file/fsync+dirsync", "and has a name that is new"),
    ("replace/fsync+dirsync", "and replaces the old one whole"),
];

/// What many items at once make of one.
const SHARED: [(&str, &str); 3] = [
    ("batch/fsync", "the same, in a batch, for each file"),
    ("batch/syncfs", "the same, with one syncfs, for each file"),
    ("append/group", "a durable append of threads together, for each"),
];

/// The bars for a size.
pub(super) fn html(bench: &Bench, size: usize) -> String {
    let find = |(strategy, about): (&str, &'static str)| Some((bench.case(strategy, size)?, about));
    let steps: Vec<_> = STEPS.into_iter().filter_map(find).collect();
    let shared: Vec<_> = SHARED.into_iter().filter_map(find).collect();
    let all = steps.iter().chain(&shared);
    let most = all.map(|(case, _)| case.item_ns()).fold(1.0, f64::max);
    if steps.len() < 2 {
        return String::new();
    }
    let mut html = "<h3>What each further promise costs</h3>\n<div class=\"bars\">\n".to_owned();
    let mut before = 0.0;
    for (case, about) in steps {
        let cost = as_f64(case.figures.p50_ns);
        bar(&mut html, case, about, &added(before, cost), (before.min(cost), cost, most));
        before = cost;
    }
    for (case, about) in shared {
        bar(&mut html, case, about, "", (case.item_ns(), case.item_ns(), most));
    }
    html.push_str("</div>\n");
    html
}

fn added(before: f64, cost: f64) -> String {
    if before <= 0.0 {
        return String::new();
    }
    let (sign, by) = if cost >= before { ("+", cost - before) } else { ("-", before - cost) };
    format!("{sign}{}", time_of(by))
}

fn bar(html: &mut String, case: &Case, about: &str, added: &str, span: (f64, f64, f64)) {
    let (before, cost, most) = span;
    let part = |ns: f64| 1000.0 * ns / most;
    let (known, whole) = (part(before), part(cost));
    let figure = time_of(cost);
    let name = escaped(&case.strategy);
    let _ = writeln!(
        html,
        "<div class=\"bar\"><p><b>{about}</b> <small>{name}</small></p>\
         <svg viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
         <rect class=\"was\" width=\"{known:.1}\" height=\"10\"/>\
         <rect class=\"new\" x=\"{known:.1}\" width=\"{:.1}\" height=\"10\"/></svg>\
         <p class=\"n\"><b>{figure}</b> <small>{added}</small></p></div>",
        (whole - known).max(0.0)
    );
}
