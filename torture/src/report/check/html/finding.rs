//! One finding on the page: a line that says what and what is missing, and behind it all that is known.
//!
//! Its timeline here is the short one; the script puts the whole one in its place. Not for the look (page.css).

use std::fmt::Write as _;

use super::bytes;
use super::data::missing;
use super::part::{self, attribute, escaped};
use crate::outcome::{FindingTold, Outcome, RemedyTold, SecondCrash, TaleLine, counted};
use crate::report::check::words::{Level, UNSTEADY};

/// Paths whose bytes are shown.
const PATHS: usize = 8;

pub(super) fn write(html: &mut String, number: usize, outcome: &Outcome, finding: &FindingTold) {
    let (level, sign) = match Level::of(finding) {
        Level::Gate => ("gate", "&#10005;"),
        Level::Warning => ("warning", "!"),
        Level::Known => ("known", "&#8776;"),
    };
    let word = Level::of(finding).word();
    let models: Vec<_> = finding.models.keys().map(String::as_str).collect();
    let id = escaped(&finding.id);
    let _ = writeln!(
        html,
        "<details class=\"finding {level}\" id=\"f{number}\" data-n=\"{number}\" data-level=\"{level}\" \
         data-id=\"{id}\" data-models=\"{}\">\n<summary>\
         <span class=\"level\"><span aria-hidden=\"true\">{sign}</span> {word}</span>\
         <span class=\"what\"><h4>{}</h4><span class=\"remedy\">{}</span></span>\
         <span class=\"models\">{}</span></summary>\n<div class=\"inside\">",
        attribute(&models.join(" ")),
        escaped(&finding.message),
        remedy_in_short(finding),
        chips(finding)
    );
    happened(html, number, outcome, finding);
    barrier(html, finding);
    differs(html, finding);
    checker(html, finding);
    again(html, finding);
    html.push_str("</div>\n</details>\n");
}

fn chips(finding: &FindingTold) -> String {
    let chips = finding.models.iter().map(|(name, states)| {
        let states = usize::try_from(*states).unwrap_or(usize::MAX);
        let told = counted(states, "state");
        format!("<span class=\"chip\" title=\"{told}\">{} <b>{states}</b></span>", escaped(name))
    });
    chips.collect::<Vec<_>>().join(" ")
}

fn remedy_in_short(finding: &FindingTold) -> String {
    match &finding.remedy {
        Some(RemedyTold::Found { found }) => {
            format!("missing: <code>{}</code>", escaped(&part::barrier(&found.barrier)))
        }
        Some(RemedyTold::None { tried, .. }) if *tried > 0 => {
            "no barrier alone prevents it".to_owned()
        }
        Some(_) => "no barrier could be tried".to_owned(),
        None => "no barrier was tried".to_owned(),
    }
}

/// The timeline, as far as it tells most.
fn happened(html: &mut String, number: usize, outcome: &Outcome, finding: &FindingTold) {
    let (model, point, events) = (escaped(&finding.model), finding.point, finding.events);
    let _ = writeln!(
        html,
        "<h5>What happened</h5>\n<p class=\"under\">A power cut under <b>{model}</b> after event {point} of \
         {events}, and what was left of each event.</p>\n\
         <ol class=\"timeline\" id=\"t{number}\" aria-label=\"Events up to the power cut\">"
    );
    let trial = missing(finding);
    let ghosts = trial.map_or(&[][..], |(trial, _)| trial.before_events.as_slice());
    let kind = |event: usize| outcome.story.get(event).map_or("change", |line| line.kind.as_str());
    timeline(html, (finding, ghosts, point), finding.lines(), &kind);
    html.push_str("<li class=\"cut\"><b>power cut</b></li>\n</ol>\n");
    if let Some(second) = &finding.recrash {
        recovery(html, number, finding, second);
    }
    html.push_str(
        "<p class=\"legend\"><b>durable:</b> a barrier holds it. <b>kept:</b> no barrier holds it, and it \
         survived. <b>LOST:</b> no barrier holds it, and it is gone.</p>\n",
    );
}

/// The timeline of what the checkers wrote after the first power cut.
fn recovery(html: &mut String, number: usize, finding: &FindingTold, second: &SecondCrash) {
    let (point, events) = (second.point, second.events);
    let _ = writeln!(
        html,
        "<p class=\"under\">The checker is content with what that left, and recovers. A second power cut after \
         operation {point} of {events} of this recovery, and what was left of each operation.</p>\n\
         <ol class=\"timeline\" id=\"r{number}\" aria-label=\"Operations of the recovery up to the second power \
         cut\">"
    );
    let kind = |event| if second.barriers.contains(&event) { "barrier" } else { "change" };
    timeline(html, (finding, &second.before_events, point), second.lines(), &kind);
    html.push_str("<li class=\"cut\"><b>second power cut</b></li>\n</ol>\n");
}

/// The lines of a timeline up to an event, with the missing barrier where it would go.
fn timeline<'l>(
    html: &mut String,
    (finding, ghosts, end): (&FindingTold, &[usize], u32),
    lines: impl Iterator<Item = (bool, &'l TaleLine)>,
    kind: &dyn Fn(usize) -> &'l str,
) {
    let mut told = 0;
    for (gap, line) in lines {
        if gap {
            html.push_str("<li class=\"gap\">&#8943;</li>\n");
        }
        while ghosts.get(told).is_some_and(|ghost| *ghost <= line.event) {
            ghost_line(html, finding);
            told += 1;
        }
        event(html, kind(line.event), line);
    }
    if ghosts.get(told).is_some_and(|ghost| *ghost <= end as usize) {
        ghost_line(html, finding);
    }
}

fn ghost_line(html: &mut String, finding: &FindingTold) {
    let Some((trial, word)) = missing(finding) else { return };
    let _ = writeln!(
        html,
        "<li class=\"ghost\"><span class=\"n\">+</span><span class=\"g\" aria-hidden=\"true\"></span>\
         <span class=\"w\">{}</span><span class=\"f\">{word}</span></li>",
        escaped(&part::barrier(&trial.barrier))
    );
}

fn event(html: &mut String, kind: &str, line: &TaleLine) {
    let (class, word) = match (line.fate.as_str(), kind) {
        ("LOST", _) => ("lost", "LOST"),
        ("kept", _) => ("kept", "kept"),
        ("", "barrier") => ("barrier", "barrier"),
        ("", "mark") => ("mark", "promise"),
        ("", _) => ("durable", "durable"),
        (_, _) => ("part", "LOST in part"),
    };
    let _ = writeln!(
        html,
        "<li class=\"{class}\"><span class=\"n\">{}</span><span class=\"g\" aria-hidden=\"true\"></span>\
         <span class=\"w\">{}</span><span class=\"f\">{word}</span></li>",
        line.event,
        escaped(&line.what)
    );
}

fn barrier(html: &mut String, finding: &FindingTold) {
    let (class, text) = match &finding.remedy {
        Some(RemedyTold::Found { found }) => {
            let (barrier, outcome) =
                (escaped(&part::barrier(&found.barrier)), escaped(&found.outcome()));
            ("found", format!("<b>{barrier}</b><br>{outcome}"))
        }
        _ => ("open", escaped(&finding.missing())),
    };
    let _ = writeln!(html, "<h5>What is missing</h5>\n<p class=\"missing {class}\">{text}</p>");
}

/// The state against what the program saw.
fn differs(html: &mut String, finding: &FindingTold) {
    let differs = &finding.differs;
    if differs.paths.is_empty() {
        return;
    }
    html.push_str("<h5>What is on the disk</h5>\n<div class=\"differs\">\n");
    for path in differs.paths.iter().take(PATHS) {
        bytes::write(html, path);
    }
    let further = differs.paths.iter().skip(PATHS);
    let further: Vec<_> = further
        .map(|path| {
            format!("<li><code>{}</code> {}</li>", escaped(&path.path), escaped(&path.what))
        })
        .collect();
    if !further.is_empty() {
        let _ = writeln!(html, "<ul>{}</ul>", further.concat());
    }
    let rest = match (differs.more, differs.same) {
        (0, 0) => "Nothing else is there.".to_owned(),
        (0, same) => format!("All else is the same: {}.", counted(same, "path")),
        (more, same) => format!("{} differ, {same} are the same.", counted(more, "more path")),
    };
    let _ = writeln!(html, "<p class=\"same\">{rest}</p>\n</div>");
}

/// What it said.
fn checker(html: &mut String, finding: &FindingTold) {
    let says_more = !finding.output.trim().is_empty() && finding.output.trim() != finding.message;
    if !says_more && finding.also.is_empty() && finding.steady {
        return;
    }
    html.push_str("<h5>What the checker said</h5>\n");
    if !finding.steady {
        let _ = writeln!(html, "<p class=\"caution\"><b>Warning:</b> {UNSTEADY}.</p>");
    }
    if says_more {
        let output = escaped(finding.output.trim_end());
        let _ = writeln!(html, "<pre class=\"output\" tabindex=\"0\">{output}</pre>");
    }
    if !finding.also.is_empty() {
        html.push_str("<p>In other states of this cause:</p>\n<ul class=\"also\">");
        for also in &finding.also {
            let _ = write!(html, "<li>{}</li>", escaped(also));
        }
        html.push_str("</ul>\n");
    }
}

fn again(html: &mut String, finding: &FindingTold) {
    let _ = writeln!(
        html,
        "<h5>See it again</h5>\n<div class=\"replay\"><code tabindex=\"0\">{}</code>\
         <button type=\"button\" class=\"copy\" hidden>Copy</button></div>",
        escaped(&finding.replay)
    );
    let id = escaped(&finding.id);
    let kept = finding
        .kept
        .as_deref()
        .map(|dir| format!("; the state is in <code>{}</code>", escaped(&dir.to_string_lossy())));
    let _ =
        writeln!(html, "<p class=\"id\">Finding <code>{id}</code>{}</p>", kept.unwrap_or_default());
}
