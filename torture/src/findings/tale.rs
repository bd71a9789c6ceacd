//! A crash state in words: what the program did before the power went, and what became of it.

use faultfs::{CrashState, PersistOrder, StateError};

use super::story::{Kind, Story};

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is on disk for certain.
    Durable,
    /// It was not durable, and survived.
    Kept,
    /// Some of it was lost.
    LostInPart,
    /// It was lost.
    Lost,
    /// It is a Mark or a barrier.
    Nothing,
}

impl Fate {
    /// In a word; empty where there is nothing to say.
    pub fn word(self) -> &'static str {
        match self {
            Self::Durable | Self::Nothing => "",
            Self::Kept => "kept",
            Self::LostInPart => "LOST in part",
            Self::Lost => "LOST",
        }
    }
}

/// One event before the crash.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its number.
    pub event: usize,
    /// What it did.
    pub text: String,
    /// What became of it.
    pub fate: Fate,
}

/// All events before the crash.
pub fn tale(
    story: &Story,
    order: &PersistOrder,
    state: &CrashState,
) -> Result<Vec<Line>, StateError> {
    let (window, survives) = state.find(order)?;
    let before = state.point() as usize;
    let mut pending = vec![(0u32, 0u32); before];
    for (id, survives) in window.pending().iter().zip(survives) {
        let counts = &mut pending[order.effect(*id).event as usize];
        if survives { counts.0 += 1 } else { counts.1 += 1 }
    }
    let line = |(event, (step, counts)): (usize, (&super::story::Step, (u32, u32)))| {
        let fate = match counts {
            _ if step.kind != Kind::Change => Fate::Nothing,
            (0, 0) => Fate::Durable,
            (_, 0) => Fate::Kept,
            (0, _) => Fate::Lost,
            _ => Fate::LostInPart,
        };
        Line { event, text: step.text.clone(), fate }
    };
    Ok(story.steps.iter().zip(pending).enumerate().map(line).collect())
}

/// Which lines of a tale tell most when so many may be printed: the ones that something was lost of,
/// and the last ones before the crash; in their order.
pub fn telling(lines: &[Line], most: usize) -> Vec<&Line> {
    let lost = |line: &&Line| matches!(line.fate, Fate::Lost | Fate::LostInPart);
    let mut chosen: Vec<usize> =
        lines.iter().filter(lost).map(|line| line.event).take(most / 2).collect();
    let before_first = chosen.first().map(|first| first.saturating_sub(1));
    chosen.extend(before_first);
    for line in lines.iter().rev() {
        if chosen.len() >= most {
            break;
        }
        if !chosen.contains(&line.event) {
            chosen.push(line.event);
        }
    }
    chosen.sort_unstable();
    chosen.dedup();
    chosen.into_iter().filter_map(|event| lines.get(event)).collect()
}
