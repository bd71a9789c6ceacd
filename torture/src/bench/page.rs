//! The page for a browser: one file that fetches nothing and runs no script.
//!
//! What each further promise costs, how long the runs took (a strip for each strategy), and all figures; light or
//! dark as the system says. It shares its style with the page of `plugpull check`. Not for machines.

mod steps;
mod strips;

use std::fmt::Write as _;

use super::advise::Advice;
use super::gives::LETTERS;
use super::result::{Bench, Case};
use super::table::{cells, name};
use super::words::{size, time, time_of};
use crate::report::check::html::{STYLE, escaped, filled};

const PAGE: &str = include_str!("page/page.html");
const OWN_STYLE: &str = include_str!("page/page.css");

/// The page.
pub fn text(bench: &Bench, advice: &[Advice]) -> String {
    let headline = headline(bench);
    let parts = [
        ("{{title}}", escaped(&headline)),
        ("{{version}}", escaped(&bench.plugpull)),
        ("{{style}}", format!("{}\n{}", STYLE.trim_end(), OWN_STYLE.trim_end())),
        ("{{headline}}", head(bench, &headline)),
        ("{{advice}}", advised(advice)),
        ("{{sizes}}", sizes(bench)),
        ("{{not_there}}", not_there(bench)),
    ];
    filled(PAGE, &parts)
}

/// What somebody wants to know first.
fn headline(bench: &Bench) -> String {
    let Some(shown) = bench.shown_size() else { return "Nothing was measured".to_owned() };
    let told = [
        ("append/fdatasync", "a durable append"),
        ("replace/fsync+dirsync", "an atomic replace"),
        ("overwrite/fdatasync", "a durable overwrite"),
    ];
    let figure = |(strategy, words): &(&str, &str)| {
        let case = bench.case(strategy, shown)?;
        Some(format!("{words} takes {}", time(case.figures.p50_ns)))
    };
    let figures: Vec<_> = told.iter().filter_map(figure).take(2).collect();
    if figures.is_empty() {
        return format!("{} strategies were measured", bench.cases.len());
    }
    format!("{}: {}", size(shown), figures.join(", "))
}

fn head(bench: &Bench, headline: &str) -> String {
    let doubtful = !bench.warnings.is_empty() || bench.ended.is_some();
    let (tone, sign) = if doubtful { ("warn", "!") } else { ("ok", "&#10003;") };
    let runs: u64 = bench.cases.iter().map(|case| case.figures.runs).sum();
    let mut html = format!(
        "<section class=\"verdict {tone}\" aria-labelledby=\"headline\">\n\
         <span class=\"sign\" aria-hidden=\"true\">{sign}</span>\n<div>\n<h1 id=\"headline\">{}</h1>\n\
         <p>{}</p>\n<dl class=\"facts\">\n",
        escaped(headline),
        escaped(&place(bench)),
    );
    for (about, figure) in [
        ("cases", bench.cases.len().to_string()),
        ("rounds", bench.rounds.to_string()),
        ("runs", indicatif::HumanCount(runs).to_string()),
    ] {
        let _ = writeln!(html, "<div><dt>{about}</dt><dd>{figure}</dd></div>");
    }
    html.push_str("</dl>\n<dl class=\"machine\">\n");
    for (about, what) in bench.machine.lines() {
        let _ = writeln!(html, "<div><dt>{about}</dt><dd>{}</dd></div>", escaped(&what));
    }
    html.push_str("</dl>\n</div>\n</section>\n");
    for text in bench.warnings.iter().map(|warning| &warning.text) {
        let _ = writeln!(html, "<p class=\"caution\">{}.</p>", escaped(text));
    }
    if let Some(why) = &bench.ended {
        let _ = writeln!(html, "<p class=\"caution\">Partial: {}.</p>", escaped(why));
    }
    html
}

/// On what, in a line.
fn place(bench: &Bench) -> String {
    let device = bench.machine.device.as_ref().map(|device| format!(" on {}", device.name));
    format!("{}{}", bench.machine.file_system(), device.unwrap_or_default())
}

fn advised(advice: &[Advice]) -> String {
    if advice.is_empty() {
        return String::new();
    }
    let mut html =
        "<section class=\"subject\">\n<h2>Cheapest for what was asked</h2>\n<ul class=\"advice\">\n".to_owned();
    for Advice { size: at, enough } in advice {
        let told =
            enough.first().map_or("no strategy that was measured gives that".to_owned(), |best| {
                format!("{}: {} an item ({})", best.strategy, time_of(best.item_ns), best.calls)
            });
        let _ = writeln!(html, "<li><b>{}</b> {}</li>", size(*at), escaped(&told));
    }
    html.push_str("</ul>\n</section>\n");
    html
}

/// A section for each size; the one that is shown first is open.
fn sizes(bench: &Bench) -> String {
    let mut html = String::new();
    for at in bench.sizes() {
        let cases: Vec<_> = bench.cases.iter().filter(|case| case.size == at).collect();
        let open = if bench.shown_size() == Some(at) { " open" } else { "" };
        let title = size(at);
        let _ = writeln!(
            html,
            "<details class=\"size\"{open}>\n<summary><h2>{title}</h2> <small>{} strategies</small></summary>",
            cases.len()
        );
        html.push_str(&steps::html(bench, at));
        html.push_str(&strips::html(&cases));
        html.push_str(&table(&cases));
        html.push_str("</details>\n");
    }
    html
}

fn table(cases: &[&Case]) -> String {
    const HEADS: [&str; 9] =
        ["gives", "p50", "95% interval", "p90", "p99", "p99.9", "max", "items/s", "bytes/s"];
    let mut html = "<h3>Figures</h3>\n<div class=\"wide\" role=\"region\" aria-label=\"Figures\" tabindex=\"0\">\n\
                    <table>\n<thead><tr><th scope=\"col\">strategy"
        .to_owned();
    for head in HEADS {
        let _ = write!(html, "<th scope=\"col\" class=\"n\">{head}");
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    for case in cases {
        row(&mut html, case);
    }
    let _ = writeln!(html, "</tbody>\n</table>\n</div>\n<p class=\"control\">{LETTERS}</p>");
    html
}

fn row(html: &mut String, case: &Case) {
    let [gives, p50, rest @ ..] = cells(case);
    let marked = [format!("<code>{gives}</code>"), format!("<b>{p50}</b>")];
    let (title, calls) = (escaped(&name(case)), escaped(&case.calls));
    let _ = write!(html, "<tr><th scope=\"row\">{title}<small>{calls}</small>");
    for cell in marked.into_iter().chain(rest) {
        let _ = write!(html, "<td class=\"n\">{cell}");
    }
    html.push_str("</tr>\n");
}

fn not_there(bench: &Bench) -> String {
    if bench.not_there.is_empty() {
        return String::new();
    }
    let mut html =
        "<section class=\"subject\">\n<h2>Not there</h2>\n<ul class=\"unseen\">\n".to_owned();
    for missing in &bench.not_there {
        let at = size(missing.size);
        let _ = writeln!(
            html,
            "<li>{} of {at}: {}</li>",
            escaped(&missing.strategy),
            escaped(&missing.why)
        );
    }
    html.push_str("</ul>\n</section>\n");
    html
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::plausible::Warning;
    use crate::bench::result::tests::made;

    fn page() -> String {
        let mut bench = made(&[
            ("overwrite/none", 1_000),
            ("overwrite/fdatasync", 100_000),
            ("append/fdatasync", 150_000),
            ("replace/fsync+dirsync", 400_000),
            ("batch/fsync", 1_600_000),
        ]);
        bench.machine.dir = "/data/<b>".to_owned();
        bench.warnings.push(Warning { rule: "memory".to_owned(), text: "x < y".to_owned() });
        text(&bench, &[])
    }

    #[test]
    fn the_page_tells_the_figures_and_escapes_what_it_was_given() {
        let page = page();
        assert!(
            page.contains("4 KiB: a durable append takes 150 us, an atomic replace takes 400 us")
        );
        assert!(page.contains("/data/&lt;b&gt;") && page.contains("x &lt; y."));
        assert!(!page.contains("{{") && !page.contains("/data/<b>"));
        assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
        assert_eq!(page.matches("class=\"strip\"").count(), 5);
    }

    #[test]
    fn nothing_is_fetched_and_nothing_runs() {
        let page = page();
        for outside in ["http:", "https:", "<script", "src=", "@import", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
    }
}
