//! From what was examined to what is told.

use std::path::{Path, PathBuf};

use faultfs::PersistOrder;

use super::difference::differing;
use super::{
    Bound, Differing, FindingTold, Outcome, RemedyTold, SearchedTold, StoryLine, TaleLine,
    TierTold, TooLarge, TrialTold,
};
use crate::examine::{Examined, Plan, Teeth};
use crate::findings::story::{Kind, Story};
use crate::findings::tale::{Line, tale, telling};
use crate::findings::{Finding, Remedy, Trial};
use crate::record::Recording;
use crate::search::Searched;

/// How many events of a finding are told.
pub(crate) const MOST_LINES: usize = 14;

/// The part of [`NOT_LOOKED_AT`] that is left out where it was looked at.
pub(crate) const NO_SECOND_CRASH: &str = "a second power cut during recovery";

/// What no run of this kind looks at; said by every report beside what the recorder could not see.
pub const NOT_LOOKED_AT: &str = "calls that fail, a second power cut during recovery, other \
    interleavings of the program's threads, and what the models leave out (docs/limits.md)";

/// What is known of a run before it is examined.
pub fn told(subject: &str, recording: &Recording, plan: &Plan, jobs: usize) -> Outcome {
    let about = &recording.about;
    Outcome {
        subject: subject.to_owned(),
        command: about.command.clone(),
        dir: about.dir.clone(),
        operations: recording.ops(),
        marks: recording.marks(),
        seconds: about.seconds,
        checkers: about.checkers.clone(),
        warnings: about.warnings.clone(),
        bound: Bound {
            models: plan.models.iter().map(|model| model.name.clone()).collect(),
            fail_on: plan.fail_on.clone(),
            tier: plan.bounds.tier.to_string(),
            window: plan.bounds.window,
            budget: plan.bounds.budget,
            seed: plan.bounds.seed,
            recrash: 0,
            partition: None,
            jobs,
        },
        not_looked_at: about.unseen.clone(),
        ..Outcome::default()
    }
}

impl Outcome {
    /// Takes in what the examination showed.
    pub fn add(
        &mut self,
        run: &Recording,
        plan: &Plan,
        examined: &Examined,
        saved: (Option<&Path>, &[PathBuf]),
    ) {
        let (recording, kept) = saved;
        let story = Story::of(&run.trace);
        self.recording = recording.map(Path::to_owned);
        self.searched = examined.searched.iter().map(|s| searched(s, plan)).collect();
        let list = examined.findings.list.iter().enumerate();
        let tell = Teller { run, examined, story: &story, recording };
        self.findings = list.map(|(n, found)| tell.finding(found, kept.get(n))).collect();
        self.unexplained = examined.findings.unexplained;
        self.judged = examined.judged;
        self.control = control(examined.teeth);
        let skipped: usize = self.searched.iter().map(|s| s.too_large.len()).sum();
        if let Some(part) = &self.bound.partition {
            self.not_looked_at.push(format!("the states that are not of {part}"));
        }
        if skipped > 0 {
            self.not_looked_at
                .push(format!("all sets of {skipped} crash points that have too many"));
        }
        self.not_looked_at.push(NOT_LOOKED_AT.to_owned());
        self.story = story.steps.iter().map(|step| line(&step.text, step.kind)).collect();
        self.exit = examined.exit;
    }
}

fn line(what: &str, kind: Kind) -> StoryLine {
    let kind = match kind {
        Kind::Change => "change",
        Kind::Barrier => "barrier",
        Kind::Mark => "mark",
    };
    StoryLine { what: what.to_owned(), kind: kind.to_owned() }
}

pub(crate) struct Teller<'t> {
    pub(crate) run: &'t Recording,
    pub(crate) examined: &'t Examined,
    pub(crate) story: &'t Story,
    pub(crate) recording: Option<&'t Path>,
}

impl Teller<'_> {
    pub(crate) fn finding(&self, finding: &Finding, kept: Option<&PathBuf>) -> FindingTold {
        let orders = &self.examined.orders;
        let order = orders.iter().find(|order| order.model().name == finding.state.model());
        let lines = order.and_then(|order| tale(self.story, order, &finding.state).ok());
        let lines = lines.unwrap_or_default();
        let is_told = |line: &&Line| !line.fate.word().is_empty();
        let fate = |line: &Line| (line.event, line.fate.word().to_owned());
        FindingTold {
            id: finding.id.clone(),
            gate: finding.gate,
            known: false,
            message: finding.violation.message.clone(),
            output: String::from_utf8_lossy(&finding.violation.output).into_owned(),
            also: finding.also.clone(),
            models: finding.models.clone(),
            model: finding.state.model().to_owned(),
            point: finding.state.point(),
            events: self.story.steps.len(),
            tale: telling(&lines, MOST_LINES).into_iter().map(TaleLine::from).collect(),
            fates: lines.iter().filter(is_told).map(fate).collect(),
            differs: order.map(|order| self.differs(finding, order)).unwrap_or_default(),
            remedy: remedy(&finding.remedy),
            steady: finding.steady,
            token: finding.state.to_string(),
            replay: self.replay(finding),
            kept: kept.cloned(),
            recrash: None,
        }
    }

    fn differs(&self, finding: &Finding, order: &PersistOrder) -> Differing {
        let Ok(left) = finding.state.image(order) else { return Differing::default() };
        differing(&self.run.trace.image_after(finding.state.point() as usize), &left)
    }

    /// The line that makes the state again.
    fn replay(&self, finding: &Finding) -> String {
        let recording = self.recording.map(|path| format!(" --recording {}", path.display()));
        format!("plugpull replay {}{}", finding.state, recording.unwrap_or_default())
    }
}

impl From<&Line> for TaleLine {
    fn from(line: &Line) -> Self {
        let fate = line.fate.word().to_owned();
        Self { event: line.event, what: line.text.clone(), fate }
    }
}

fn remedy(remedy: &Remedy) -> Option<RemedyTold> {
    match remedy {
        Remedy::Barriers(found) => Some(RemedyTold::Found { found: trial(found) }),
        Remedy::None { tried, best } => {
            Some(RemedyTold::None { tried: *tried, best: best.as_ref().map(trial) })
        }
        Remedy::NotTried => None,
    }
}

fn trial(trial: &Trial) -> TrialTold {
    TrialTold {
        barrier: trial.text.clone(),
        places: trial.places,
        before_events: trial.at.iter().map(|(event, _)| *event).collect(),
        violated_before: trial.before,
        violated_after: trial.after,
        states: trial.states,
    }
}

fn searched(searched: &Searched, plan: &Plan) -> SearchedTold {
    let coverage = &searched.coverage;
    let tiers = coverage.tiers.iter().map(|count| TierTold {
        tier: count.tier.to_string(),
        sets: count.enumerated,
        states: count.distinct,
        complete: count.complete,
    });
    let too_large = coverage.skipped.iter();
    SearchedTold {
        model: searched.model.name.clone(),
        crash_points: coverage.points,
        tiers: tiers.collect(),
        too_large: too_large.map(|s| TooLarge { point: s.point, pending: s.pending }).collect(),
        survived: searched.survived,
        violated: searched.violated.len() as u64,
        not_measured: searched.not_measured,
        hindered: searched.hindered.clone(),
        elsewhere: searched.elsewhere,
        complete: searched.is_complete(plan.bounds.tier),
    }
}

fn control(teeth: Teeth) -> String {
    match teeth {
        Teeth::Shown => {
            "control: the finished run passes, and the checker was seen to fail".to_owned()
        }
        Teeth::OnControl(states) => format!(
            "control: the finished run passes, and with no barrier at all the checker fails in \
             {states} states"
        ),
        Teeth::None(states) => format!(
            "warning: the checker fails nowhere, not in {states} states of a disk that keeps \
             nothing: it shows no teeth"
        ),
        Teeth::NotTried => "control: the finished run passes; the checker was not seen to fail, \
                            as the search ended before"
            .to_owned(),
    }
}
