//! What a run has done so far: everything that the report shows is counted here.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::wire::{Phase, Step};

/// Kills within one phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PhaseKills {
    /// At an exact call.
    pub at_call: u64,
    /// At a random time.
    pub at_time: u64,
}

/// Counters of one run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Tally {
    /// Commits acknowledged.
    pub commits: u64,
    /// Errands acknowledged.
    pub errands: u64,
    /// Writers killed, all of them by SIGKILL.
    pub kills: u64,
    /// Of those, within a commit or an errand.
    pub kills_inside: u64,
    /// Of those, between these or before the first.
    pub kills_between: u64,
    /// Kills by phase of the commit, and by errand.
    #[serde(serialize_with = "by_phase_name")]
    pub by_phase: BTreeMap<Phase, PhaseKills>,
    /// Exact calls hit.
    #[serde(skip)]
    pub steps_hit: BTreeMap<Step, u64>,
    /// Temps of killed writers found by the next open, and removed.
    pub orphans: u64,
    /// Objects that interrupted collections left and the next open or pin deleted.
    pub condemned: u64,
    /// Audits after a kill.
    pub audits: u64,
    /// Audits of everything.
    pub full_audits: u64,
    /// Garbage collections beside the writers.
    pub collections: u64,
    /// Objects they deleted: left behind by killed writers or lost races.
    pub collected: u64,
    /// Time from the first writer's start to the last one's end.
    #[serde(serialize_with = "seconds")]
    pub elapsed: Duration,
}

impl Tally {
    /// Counts a kill at an exact call.
    pub fn kill_at_call(&mut self, step: Step) {
        self.kill_inside(step.phase).at_call += 1;
        *self.steps_hit.entry(step).or_default() += 1;
    }

    /// Counts a kill at a random time.
    pub fn kill_at_time(&mut self, phase: Option<Phase>) {
        if let Some(phase) = phase {
            self.kill_inside(phase).at_time += 1;
        } else {
            self.kills += 1;
            self.kills_between += 1;
        }
    }

    fn kill_inside(&mut self, phase: Phase) -> &mut PhaseKills {
        self.kills += 1;
        self.kills_inside += 1;
        self.by_phase.entry(phase).or_default()
    }

    /// The steps that no exact kill has hit.
    pub fn missed<'s>(&self, steps: &'s [Step]) -> Vec<&'s Step> {
        steps.iter().filter(|step| !self.steps_hit.contains_key(step)).collect()
    }

    /// Acknowledged commits per second.
    pub fn commits_per_second(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a rate needs no 53 bits")]
        let commits = self.commits as f64;
        commits / self.elapsed.as_secs_f64().max(f64::EPSILON)
    }
}

fn by_phase_name<S: serde::Serializer>(
    map: &BTreeMap<Phase, PhaseKills>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(map.iter().map(|(phase, kills)| (phase.name(), kills)))
}

fn seconds<S: serde::Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}
