//! What second crashes showed, as outcomes tell it; recordings of the recoveries with a finding are kept.
//!
//! Not for printing (`report`).

use std::collections::BTreeSet;
use std::path::Path;

use faultfs::Event;

use super::{Recrashed, Second};
use crate::examine::Examined;
use crate::exit::{Exit, Failure};
use crate::findings::Remedy;
use crate::findings::story::Story;
use crate::findings::tale::telling;
use crate::keep::write_out;
use crate::outcome::{
    FindingTold, MOST_LINES, NO_SECOND_CRASH, Outcome, SecondCrash, Teller, differing,
};
use crate::record::{About, Recording};
use crate::signals::Stop;

/// What is said of the message of each finding.
const AFTER: &str = "after a second power cut during recovery";

impl Recrashed {
    /// How the check ends with what was found here.
    fn exit(&self, before: Exit, stop: &Stop) -> Exit {
        let gate = self.findings.iter().any(|second| second.finding.gate);
        let hindered = self.counts.hindered.is_some();
        match before {
            Exit::Clean | Exit::Partial | Exit::Interrupted if gate => Exit::Violation,
            Exit::Clean | Exit::Partial if stop.asked() => Exit::Interrupted,
            Exit::Clean if !self.counts.complete || hindered => Exit::Partial,
            before => before,
        }
    }

    /// Adds all this to what is told of a run.
    pub(crate) fn add_to(
        &self,
        outcome: &mut Outcome,
        (run, examined): (&Recording, &Examined),
        (saved, keep_states): (Option<&Path>, Option<&Path>),
        stop: &Stop,
    ) -> Result<(), Failure> {
        for text in &mut outcome.not_looked_at {
            *text = text.replace(&format!("{NO_SECOND_CRASH}, "), "");
        }
        outcome.not_looked_at.push(self.counts.not_looked_at());
        outcome.recrash = Some(self.counts.clone());
        outcome.exit = self.exit(outcome.exit, stop);
        let story = Story::of(&run.trace);
        let teller = Teller { run, examined, story: &story, recording: saved };
        for second in &self.findings {
            let recording = second.recording(run, saved).keep()?;
            let mut told = second.told(&teller, &recording);
            if let Some(dir) = keep_states {
                let dir = dir.join(&told.id);
                write_out(&second.image, &dir)?;
                told.kept = Some(dir);
            }
            outcome.findings.push(told);
        }
        outcome.findings.sort_by_key(|finding| !finding.gate);
        Ok(())
    }
}

impl Second {
    /// The recovery as a recording of its own.
    fn recording(&self, run: &Recording, saved: Option<&Path>) -> Recording {
        let command = std::iter::once("recovery".to_owned()).chain(run.about.command.clone());
        let about = About {
            command: command.collect(),
            // Whoever replays it may be elsewhere.
            recovery_of: saved.and_then(|path| std::path::absolute(path).ok()),
            warnings: Vec::new(),
            seconds: 0.0,
            ..run.about.clone()
        };
        Recording { about, trace: self.recovery.clone() }
    }

    /// Told of the first crash, with the second one added to it.
    fn told(&self, teller: &Teller<'_>, recording: &Path) -> FindingTold {
        let mut first = self.finding.clone();
        first.state = self.first.clone();
        first.violation.message = format!("{} ({AFTER})", first.violation.message);
        // Its places are events of the recovery, not of the run.
        let places = match &mut first.remedy {
            Remedy::Barriers(trial) | Remedy::None { best: Some(trial), .. } => {
                trial.text.push_str(", in recovery");
                std::mem::take(&mut trial.at)
            }
            Remedy::None { best: None, .. } | Remedy::NotTried => BTreeSet::new(),
        };
        let told = telling(&self.lines, MOST_LINES);
        let marks = self.finding.marks as usize;
        let is_barrier = |event: &usize| {
            let event = self.recovery.events.get(marks + event);
            matches!(event, Some(Event::Op { op, .. }) if op.is_barrier())
        };
        let saw = self.recovery.image_after(marks + self.point as usize);
        let token = self.finding.state.to_string();
        let recrash = SecondCrash {
            first: self.first.to_string(),
            point: self.point,
            events: self.recovery.events.len() - marks,
            barriers: told.iter().map(|line| line.event).filter(is_barrier).collect(),
            before_events: places.into_iter().map(|(event, _)| event).collect(),
            tale: told.into_iter().map(Into::into).collect(),
            recording: recording.to_owned(),
        };
        FindingTold {
            replay: format!("plugpull replay {token} --recording {}", recording.display()),
            token,
            // Of the disk as the second power cut left it, which the checker saw last.
            differs: differing(&saw, &self.image),
            recrash: Some(recrash),
            ..teller.finding(&first, None)
        }
    }
}
