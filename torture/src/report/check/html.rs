//! A page for the browser: one file without anything from elsewhere, to be looked at instead of the log.
//!
//! All that is to be read is written here, so the page tells everything but the whole timelines without any
//! script. What the program did is in the page once, as data; the script (html/page.js) makes the
//! timeline of a finding of it when the finding is opened. Not for what is told (`outcome`).

mod bytes;
mod data;
mod finding;
mod part;

use std::fmt::Write as _;

use indicatif::HumanCount;

use crate::exit::Exit;
use crate::outcome::{Outcome, SearchedTold, counted};

use self::part::attribute;
pub(crate) use self::part::escaped;
use super::Report;
use super::human::verdict;
use super::words::{Count, headline, headline_of, lacking};

const PAGE: &str = include_str!("html/page.html");
/// The style of the pages.
pub(crate) const STYLE: &str = include_str!("html/page.css");
const SCRIPT: &str = include_str!("html/page.js");

/// The page.
pub fn text(report: &Report) -> String {
    let headline = headline(report);
    let parts = [
        ("{{title}}", escaped(&headline)),
        ("{{version}}", escaped(&report.plugpull)),
        ("{{style}}", STYLE.trim_end().to_owned()),
        ("{{verdict}}", verdict_of(report, &headline)),
        ("{{filter}}", filter(report)),
        ("{{subjects}}", subjects(report)),
        ("{{data}}", data::json(report)),
        ("{{script}}", SCRIPT.trim_end().to_owned()),
    ];
    filled(PAGE, &parts)
}

/// A template with its parts; what is filled in is not looked at again.
pub(crate) fn filled(template: &str, parts: &[(&str, String)]) -> String {
    let size = parts.iter().map(|(_, part)| part.len()).sum::<usize>();
    let mut page = String::with_capacity(template.len() + size);
    let mut rest = template;
    while let Some(at) = rest.find("{{") {
        page.push_str(&rest[..at]);
        rest = &rest[at..];
        let found = parts.iter().find(|(name, _)| rest.starts_with(name));
        let (name, part) = found.map_or(("{{", "{{"), |(name, part)| (*name, part.as_str()));
        page.push_str(part);
        rest = &rest[name.len()..];
    }
    page.push_str(rest);
    page
}

/// How a result looks: a colour and a sign.
fn tone(exit: Exit, count: Count) -> (&'static str, &'static str) {
    match exit {
        Exit::Violation => ("bad", "&#10005;"),
        Exit::Clean if count.warnings > 0 => ("warn", "!"),
        Exit::Clean => ("ok", "&#10003;"),
        Exit::Partial | Exit::Interrupted | Exit::NothingDone => ("warn", "?"),
        _ => ("bad", "!"),
    }
}

fn verdict_of(report: &Report, headline: &str) -> String {
    let findings = report.outcomes.iter().flat_map(|outcome| &outcome.findings);
    let (tone, sign) = tone(report.exit, Count::of(findings));
    let states: u64 = report.outcomes.iter().map(|outcome| outcome.judged).sum();
    let events: usize = report.outcomes.iter().map(|outcome| outcome.story.len()).sum();
    let mut html = format!(
        "<section class=\"verdict {tone}\" aria-labelledby=\"verdict\">\n\
         <span class=\"sign\" aria-hidden=\"true\">{sign}</span>\n<div>\n<h1 id=\"verdict\">{}</h1>\n",
        escaped(headline)
    );
    if let [outcome] = report.outcomes.as_slice() {
        let _ = writeln!(html, "<p>{}</p>", escaped(&outcome.command.join(" ")).replace('\n', " "));
    }
    let facts = [
        (HumanCount(report.outcomes.len() as u64).to_string(), "programs"),
        (HumanCount(events as u64).to_string(), "events recorded"),
        (HumanCount(states).to_string(), "crash states judged"),
    ];
    html.push_str("<dl class=\"facts\">\n");
    for (number, what) in facts.iter().filter(|(n, what)| *what != "programs" || n != "1") {
        let _ = writeln!(html, "<div><dt>{what}</dt><dd>{number}</dd></div>");
    }
    html.push_str("</dl>\n");
    html.push_str(&against_baseline(report));
    html.push_str("</div>\n</section>\n");
    if report.outcomes.len() > 1 {
        html.push_str(&overview(report));
    }
    html
}

fn against_baseline(report: &Report) -> String {
    let Some(baseline) = &report.baseline else { return String::new() };
    let file = escaped(&baseline.file.display().to_string());
    let mut html =
        format!("<p class=\"against\">Against the baseline <code>{file}</code>:</p>\n<ul>\n");
    for (word, sentences) in [("worse", &baseline.worse), ("better", &baseline.better)] {
        for sentence in sentences {
            let _ =
                writeln!(html, "<li class=\"{word}\"><b>{word}:</b> {}</li>", escaped(sentence));
        }
    }
    if baseline.worse.is_empty() && baseline.better.is_empty() {
        html.push_str("<li>nothing has changed</li>\n");
    }
    html + "</ul>\n"
}

/// All programs, with the way to each.
fn overview(report: &Report) -> String {
    let mut html = "<nav class=\"overview\" aria-label=\"Programs\">\n<ul>\n".to_owned();
    for (n, outcome) in report.outcomes.iter().enumerate() {
        let (tone, sign) = tone(outcome.exit, Count::of(&outcome.findings));
        let _ = writeln!(
            html,
            "<li><a href=\"#s{n}\"><span class=\"dot {tone}\" aria-hidden=\"true\">{sign}</span>\
             <b>{}</b> <span>{}</span></a></li>",
            escaped(&outcome.subject),
            escaped(&headline_of(outcome))
        );
    }
    html + "</ul>\n</nav>\n"
}

/// What the list of findings can be narrowed by; the script shows it.
fn filter(report: &Report) -> String {
    let findings = || report.outcomes.iter().flat_map(|outcome| &outcome.findings);
    let count = Count::of(findings());
    let all = count.gate + count.warnings + count.known;
    if all == 0 {
        return String::new();
    }
    let models: std::collections::BTreeSet<_> = findings().flat_map(|f| f.models.keys()).collect();
    let options = models
        .iter()
        .map(|name| format!("<option value=\"{}\">{}</option>", attribute(name), escaped(name)));
    let levels = [
        ("gate", "findings", count.gate),
        ("warning", "warnings", count.warnings),
        ("known", "known", count.known),
    ];
    let levels = levels.iter().filter(|(_, _, n)| *n > 0).map(|(level, word, n)| {
        format!(
            "<label class=\"pill {level}\"><input type=\"checkbox\" name=\"level\" value=\"{level}\" \
             checked> {word} <b>{n}</b></label>"
        )
    });
    format!(
        "<form class=\"filter\" id=\"filter\" role=\"search\" aria-label=\"Filter findings\" hidden>\n\
         <label class=\"text\"><span class=\"away\">Text in a finding</span>\
         <input type=\"search\" id=\"find\" placeholder=\"Filter findings\" autocomplete=\"off\" \
         spellcheck=\"false\"><kbd aria-hidden=\"true\">/</kbd></label>\n\
         <label><span class=\"away\">Model</span><select id=\"model\"><option value=\"\">all models</option>\
         {}</select></label>\n<fieldset><legend class=\"away\">Levels</legend>{}</fieldset>\n\
         <output id=\"shown\" for=\"find model\">{all} shown</output>\n</form>\n",
        options.collect::<String>(),
        levels.collect::<String>()
    )
}

fn subjects(report: &Report) -> String {
    let mut html = String::new();
    let mut number = 0;
    for (n, outcome) in report.outcomes.iter().enumerate() {
        subject(&mut html, n, outcome, &mut number);
    }
    html
}

fn subject(html: &mut String, n: usize, outcome: &Outcome, number: &mut usize) {
    let (tone, sign) = tone(outcome.exit, Count::of(&outcome.findings));
    let _ = writeln!(
        html,
        "<section class=\"subject\" id=\"s{n}\" aria-labelledby=\"s{n}-name\">\n<h2 id=\"s{n}-name\">\
         <span class=\"dot {tone}\" aria-hidden=\"true\">{sign}</span> {} \
         <small>{}</small></h2>",
        escaped(&outcome.subject),
        escaped(&headline_of(outcome))
    );
    if let Some(error) = &outcome.error {
        let _ = writeln!(html, "<pre class=\"error\" role=\"note\">{}</pre>", escaped(error));
    }
    if !outcome.command.is_empty() {
        let _ = writeln!(
            html,
            "<p class=\"about\"><code>{}</code> in <code>{}</code><br>{}, {}, recorded in {:.2} s; \
             checked by {}</p>",
            escaped(&outcome.command.join(" ")),
            escaped(&outcome.dir.to_string_lossy()),
            counted(outcome.operations, "operation"),
            counted(outcome.marks, "promise"),
            outcome.seconds,
            list(&outcome.checkers)
        );
    }
    for warning in &outcome.warnings {
        let _ = writeln!(html, "<p class=\"caution\"><b>Warning:</b> {}</p>", escaped(warning));
    }
    if !outcome.findings.is_empty() {
        html.push_str("<h3>Findings</h3>\n<div class=\"findings\">\n");
        for found in &outcome.findings {
            finding::write(html, *number, outcome, found);
            *number += 1;
        }
        html.push_str("</div>\n");
    }
    if outcome.unexplained > 0 {
        let states = HumanCount(outcome.unexplained);
        let _ = writeln!(
            html,
            "<p class=\"caution\">{states} states with violations were not looked into.</p>"
        );
    }
    if !outcome.searched.is_empty() {
        coverage(html, n, outcome);
    }
    html.push_str("</section>\n");
}

fn list(texts: &[String]) -> String {
    let codes = texts.iter().map(|text| format!("<code>{}</code>", escaped(text)));
    codes.collect::<Vec<_>>().join(", ")
}

/// What was looked at, and what was not.
fn coverage(html: &mut String, n: usize, outcome: &Outcome) {
    let _ = writeln!(
        html,
        "<h3>What was looked at</h3>\n<p>{}.</p>\n\
         <div class=\"wide\" role=\"region\" aria-labelledby=\"s{n}-table\" tabindex=\"0\">\n<table>\n\
         <caption class=\"away\" id=\"s{n}-table\">What was looked at under each model</caption>\n<thead><tr>\
         <th scope=\"col\">power cuts under<th scope=\"col\" class=\"n\">crash points\
         <th scope=\"col\" class=\"n\">sets made<th scope=\"col\" class=\"n\">states judged\
         <th scope=\"col\" class=\"n\">violated<th scope=\"col\" class=\"n\">not judged\
         <th scope=\"col\">bound</tr></thead>\n<tbody>",
        escaped(&sentence(&verdict(outcome)))
    );
    for searched in &outcome.searched {
        row(html, outcome, searched);
    }
    html.push_str("</tbody>\n</table>\n</div>\n");
    let _ = writeln!(html, "<p class=\"control\">{}</p>", escaped(&sentence(&outcome.control)));
    if !outcome.not_looked_at.is_empty() {
        html.push_str("<h3>What was not looked at</h3>\n<ul class=\"unseen\">\n");
        for what in &outcome.not_looked_at {
            let _ = writeln!(html, "<li>{}</li>", escaped(what));
        }
        html.push_str("</ul>\n");
    }
}

fn row(html: &mut String, outcome: &Outcome, searched: &SearchedTold) {
    let gates = outcome.bound.fail_on.contains(&searched.model);
    let gates = if gates { "" } else { " <small>does not fail the run</small>" };
    let violated = if searched.violated > 0 { " bad" } else { "" };
    let bound = match lacking(outcome, searched) {
        None => "<span class=\"whole\">complete</span>".to_owned(),
        Some(lacking) => format!("<span class=\"lacking\">{}</span>", escaped(&lacking)),
    };
    let numbers = [
        (HumanCount(u64::from(searched.crash_points)), ""),
        (HumanCount(searched.sets()), ""),
        (HumanCount(searched.judged()), ""),
        (HumanCount(searched.violated), violated),
        (HumanCount(searched.not_measured), ""),
    ];
    let _ = write!(html, "<tr><th scope=\"row\">{}{gates}", escaped(&searched.model));
    for (number, class) in numbers {
        let _ = write!(html, "<td class=\"n{class}\">{number}");
    }
    let _ = writeln!(html, "<td>{bound}</tr>");
}

/// With a capital letter, as a paragraph begins.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_ascii_uppercase().to_string());
    format!("{}{}", first.unwrap_or_default(), chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_filled_in_is_no_template() {
        let parts = [("{{a}}", "{{b}}".to_owned()), ("{{b}}", "no".to_owned())];
        assert_eq!(filled("<{{a}}|{{b}}|{{c}}>", &parts), "<{{b}}|no|{{c}}>");
    }
}
