//! What the script makes timelines of: each program's story once, and for each finding where the power was
//! cut and what became of what was pending.
//!
//! Fates are told as stretches of events (`[first, last, fate, ...]`), which pass over barriers and promises:
//! hundreds of findings of a run with thousands of events stay small. Not for what is read without a script.

use serde_json::{Value, json};

use super::part;
use crate::outcome::{FindingTold, Outcome, RemedyTold, TrialTold};
use crate::report::check::Report;
use crate::report::check::words::visible;

/// The data, such that it can stand between `<script>` tags.
pub(super) fn json(report: &Report) -> String {
    let stories = report.outcomes.iter().map(story);
    let findings = report.outcomes.iter().enumerate().flat_map(|(n, outcome)| {
        outcome.findings.iter().map(move |finding| told(n, outcome, finding))
    });
    let data = json!({
        "stories": stories.collect::<Vec<_>>(),
        "findings": findings.collect::<Vec<_>>(),
    });
    let text = data.to_string();
    text.replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

fn story(outcome: &Outcome) -> Value {
    let kinds = outcome.story.iter().map(|line| match line.kind.as_str() {
        "barrier" => 'b',
        "mark" => 'm',
        _ => 'c',
    });
    let texts = outcome.story.iter().map(|line| visible(&line.what));
    json!({ "kinds": kinds.collect::<String>(), "texts": texts.collect::<Vec<_>>() })
}

fn told(subject: usize, outcome: &Outcome, finding: &FindingTold) -> Value {
    let tale: Vec<_> = finding.tale.iter().map(|line| line.event).collect();
    let ghosts = missing(finding).map_or(Value::Null, |(trial, word)| {
        json!({ "text": visible(&part::barrier(&trial.barrier)), "word": word, "before": trial.before_events })
    });
    json!({
        "story": subject,
        "point": finding.point,
        "model": visible(&finding.model),
        "fates": stretches(outcome, finding),
        "tale": tale,
        "ghosts": ghosts,
    })
}

/// The barrier to show in the timeline, and how sure that is.
pub(super) fn missing(finding: &FindingTold) -> Option<(&TrialTold, &'static str)> {
    match &finding.remedy {
        Some(RemedyTold::Found { found }) => Some((found, "missing here")),
        Some(RemedyTold::None { best: Some(best), .. }) => Some((best, "would prevent some")),
        _ => None,
    }
}

fn stretches(outcome: &Outcome, finding: &FindingTold) -> Vec<Value> {
    let mut stretches: Vec<(usize, usize, &str)> = Vec::new();
    let is_change =
        |event: usize| outcome.story.get(event).is_none_or(|line| line.kind == "change");
    for (&event, fate) in &finding.fates {
        let code = match fate.as_str() {
            "kept" => "k",
            "LOST" => "L",
            _ => "P",
        };
        match stretches.last_mut() {
            Some((_, last, same)) if *same == code && !(*last + 1..event).any(is_change) => {
                *last = event;
            }
            _ => stretches.push((event, event, code)),
        }
    }
    stretches
        .into_iter()
        .flat_map(|(first, last, code)| [json!(first), json!(last), json!(code)])
        .collect()
}
