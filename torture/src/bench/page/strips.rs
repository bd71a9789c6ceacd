//! How long the runs of each strategy took: a strip for each, on one scale of powers of ten.
//!
//! The height is how many runs took that long, by its square root, so that the few that take long are seen.
//! Not for exact figures, which the table below has.

use std::fmt::Write as _;

use crate::bench::figures::as_f64;
use crate::bench::plot::Scale;
use crate::bench::result::Case;
use crate::bench::table::name;
use crate::bench::words::{mark, time};
use crate::report::check::html::escaped;

/// Units across and up of a strip.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 30.0;

/// The strips of these cases.
pub(super) fn html(cases: &[&Case]) -> String {
    let Some(scale) = Scale::around(cases.iter().map(|case| &case.figures)) else {
        return String::new();
    };
    let mut html = "<h3>How long the runs took</h3>\n<p class=\"about\">Time grows to the right, ten times from \
                    line to line. The bar is the median, the dot is the 99th of 100.</p>\n\
                    <div class=\"strips\">\n"
        .to_owned();
    axis(&mut html, scale);
    for case in cases {
        strip(&mut html, scale, case);
    }
    html.push_str("</div>\n");
    html
}

fn axis(html: &mut String, scale: Scale) {
    html.push_str("<div class=\"axis\"><p></p><div>");
    for ns in scale.marks() {
        let left = 100.0 * scale.place(ns);
        let label = mark(ns);
        let _ = write!(html, "<span style=\"left:{left:.1}%\">{label}</span>");
    }
    html.push_str("</div><p></p></div>\n");
}

fn strip(html: &mut String, scale: Scale, case: &Case) {
    let figures = &case.figures;
    let p50 = WIDTH * scale.place(figures.p50_ns);
    let (name, gives) = (escaped(&name(case)), case.gives.words());
    let mut marks = String::new();
    for ns in scale.marks() {
        let x = WIDTH * scale.place(ns);
        let _ = write!(marks, "M{x:.1} 0V{HEIGHT}");
    }
    let p99 = figures.p99_ns.map(|ns| 100.0 * scale.place(ns));
    let p99 = p99.map_or(String::new(), |left| format!("<i style=\"left:{left:.1}%\"></i>"));
    let area = area(scale, case);
    let _ = writeln!(
        html,
        "<div class=\"strip\"><p><b>{name}</b> <small>{gives}</small></p>\
         <div><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
         <path class=\"grid\" d=\"{marks}\"/><path class=\"area\" d=\"{area}\"/>\
         <path class=\"median\" d=\"M{p50:.1} 0V{HEIGHT}\"/></svg>{p99}</div>\
         <p class=\"n\"><b>{}</b></p></div>",
        time(figures.p50_ns)
    );
}

/// A column for each stretch of times in which runs were.
fn area(scale: Scale, case: &Case) -> String {
    // A bucket spans a twentieth of a power of ten below its end.
    const BUCKET: f64 = 0.891;
    let runs = &case.figures.distribution;
    let most = as_f64(runs.iter().map(|(_, count)| *count).max().unwrap_or(1).max(1));
    let mut path = String::new();
    for &(ns, count) in runs {
        let right = WIDTH * scale.place(ns);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a time above zero"
        )]
        let left = WIDTH * scale.place((as_f64(ns) * BUCKET) as u64);
        let top = HEIGHT * (1.0 - (as_f64(count) / most).sqrt());
        let right = right.max(left + 3.0);
        let _ = write!(path, "M{left:.1} {HEIGHT}V{top:.1}H{right:.1}V{HEIGHT}Z");
    }
    path
}
